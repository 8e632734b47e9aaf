"""A:∇²u + b·∇u + cu as ∇·(A∇u) − w·∇u + cu with w = div A − b, the derivative of A by automatic differentiation."""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.reference.task import Array, Task

_TINY = 1e-12  # of the largest coefficient: what counts as zero
_JUMP = 0.05  # of A's change: what its derivative may leave unexplained on an edge
_ROUNDING, _HALVINGS = 1e-10, 15
_GAUSS = 0.5 - 0.5 / np.sqrt(3.0)


@dataclass(frozen=True)
class Coefficients:
    """Those of 𝓛u = a_tt u_tt + b_t u_t + ∇·(A∇u) − w·∇u + cu at m points of Ω at one time.

    Attributes:
        A: (d, d, m).
        w: div A − b, (d, m).
        c: (m,).
        b_t: (m,).
        a_tt: (m,).
    """

    A: Array
    w: Array
    c: Array
    b_t: Array
    a_tt: Array

    def equals(self, other: "Coefficients") -> bool:
        """Whether all values are the same."""
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)


def coefficients_at(task: Task, x: Array, t: float) -> Coefficients:
    """The coefficients at (m, d) points of Ω.

    Raises:
        ValueError: an A that cannot be differentiated, or mixed derivatives in space and time.
    """
    points, d = task.points(x, t), x.shape[1]
    A, b, c = task.operator.coefficients(points)
    w = divergence(task.operator, points, d) - b[:, :d]
    timed = task.span is not None
    if timed and bool((A[:, :d, d].abs() > _TINY * A.abs().amax()).any()):
        raise ValueError(
            f"fem reference: got {task.operator.name!r} with mixed derivatives in space and time, expected none; "
            "it steps through time on a mesh of space"
        )
    zero = torch.zeros_like(c)
    parts = (A[:, :d, :d].permute(1, 2, 0), w.mT, c, b[:, d] if timed else zero, A[:, d, d] if timed else zero)
    return Coefficients(*(np.ascontiguousarray(part.detach().numpy()) for part in parts))


def divergence(operator: SecondOrderOperator, points: Tensor, d: int) -> Tensor:
    """(div A)_j = Σ_i ∂A_ij/∂x_i over the first d coordinates, (m, d).

    Raises:
        ValueError: an A that torch cannot differentiate.
    """
    x = points.detach().clone().requires_grad_()
    A = operator.rows(x).second_order()
    if not A.requires_grad:
        return _without_graph(operator, A)[:, 0, :d]
    columns = [
        sum((_slope(operator, A[:, i, j], x)[:, i] for i in range(d)), start=torch.zeros_like(x[:, 0]))
        for j in range(d)
    ]
    return torch.stack(columns, 1).detach()


def _without_graph(operator: SecondOrderOperator, A: Tensor) -> Tensor:
    """Zero derivatives of an A that does not depend on x."""
    if bool((A[:1] != A).any()):
        raise _undifferentiable(operator, "it varies, but not through torch functions of the points")
    return torch.zeros_like(A)


def _slope(operator: SecondOrderOperator, entry: Tensor, x: Tensor) -> Tensor:
    """∇A_ij, (m, D)."""
    if not entry.requires_grad:
        return torch.zeros_like(x)
    try:
        slope = torch.autograd.grad(entry.sum(), x, retain_graph=True, allow_unused=True)[0]
    except (ValueError, RuntimeError) as error:
        raise _undifferentiable(operator, str(error)) from error
    return torch.zeros_like(x) if slope is None else slope


def _undifferentiable(operator: SecondOrderOperator, why: str) -> ValueError:
    return ValueError(
        f"fem reference: A of {operator.name!r} has to be differentiated for ∇·(A∇u), and cannot be ({why}); "
        "expected numbers, formulas or torch functions without jumps, not a field on a grid"
    )


def check_derivative(task: Task, start: Array, end: Array) -> None:
    """A(q) − A(p) = ∫ (q − p)·∇A along the edges pq of a mesh, at the start: otherwise A jumps,
    or its derivative is not that of A.

    Args:
        task: whose A.
        start: (m, d) points p.
        end: (m, d) points q.

    Raises:
        ValueError: a place where the two differ by more than a twentieth of A's change however short the edge.
    """
    gap, change = _unexplained(task, start, end)
    left = gap > _JUMP * change.max(initial=0.0)
    for _ in range(_HALVINGS):  # what is steep is explained on a shorter edge, a jump on none
        start, end = start[left], end[left]
        if not len(start):
            return
        middle = 0.5 * (start + end)
        parts = [_unexplained(task, p, q) for p, q in ((start, middle), (middle, end))]
        first = parts[0][0] >= parts[1][0]
        start, end = (np.where(first[:, None], p, q) for p, q in ((start, middle), (middle, end)))
        gap, change = (np.where(first, one, other) for one, other in zip(*parts, strict=True))
        left = gap > _JUMP * change
    if left.any():
        raise _undifferentiable(
            task.operator,
            f"it changes by {gap[left].max():.3g} at x = {start[left][0].tolist()} where its derivative says "
            "otherwise: a jump",
        )


def _unexplained(task: Task, start: Array, end: Array) -> tuple[Array, Array]:
    """max_ij |A_ij(q) − A_ij(p) − ∫ (q − p)·∇A_ij| on each edge by two Gauss points, and max_ij |A_ij(q) − A_ij(p)|,
    both (m,).
    """
    d, at = start.shape[1], task.start
    first, last = (task.operator.rows(task.points(p, at)).second_order().detach() for p in (start, end))
    across, gain = torch.from_numpy(np.ascontiguousarray(end - start)), torch.zeros_like(first)
    for share in (_GAUSS, 1.0 - _GAUSS):
        x = task.points(start + share * (end - start), at).requires_grad_()
        A = task.operator.rows(x).second_order()
        if A.requires_grad:
            for i, j in combinations_with_replacement(range(d), 2):
                gain[:, i, j] += 0.5 * (_slope(task.operator, A[:, i, j], x)[:, :d] * across).sum(1)
    upper = torch.triu(torch.ones_like(first[0])).bool()
    upper[d:], upper[:, d:] = False, False
    change = (last - first)[:, upper]
    gap = (change - gain[:, upper]).abs().amax(1)
    return np.asarray(gap), np.asarray(change.abs().amax(1) + _ROUNDING * first.abs().amax())


def check_type(task: Task, c: Coefficients) -> None:
    """Elliptic without time, parabolic or hyperbolic with it: A is semidefinite,
    of the sign opposite to the time derivative's.

    Raises:
        ValueError: another type.
    """
    scale = max(float(np.abs(c.A).max()), float(np.abs(c.w).max()), 1e-300)
    eigenvalues = np.linalg.eigvalsh(c.A.transpose(2, 0, 1))
    low, high = float(eigenvalues.min()) / scale, float(eigenvalues.max()) / scale
    if task.span is None:
        if low < -_TINY and high > _TINY:
            raise ValueError(
                f"fem reference: got {task.operator.name!r} with an A of both signs, expected an elliptic operator; "
                "an evolution problem is one whose last coordinate is time (time: true)"
            )
        return
    leading = c.a_tt if second_in_time(c) else c.b_t
    if not (np.all(leading > 0) or np.all(leading < 0)):
        raise ValueError(
            f"fem reference: got {task.operator.name!r} with a time derivative whose coefficient vanishes or "
            "changes its sign, "
            "expected one that is nowhere zero"
        )
    if (high if leading[0] > 0 else -low) > _TINY:
        raise ValueError(
            f"fem reference: got {task.operator.name!r}, which is neither parabolic nor hyperbolic forward in time; "
            "expected −A beside +u_t or +u_tt, A ≥ 0; reverse time for a problem with a final value"
        )


def second_in_time(c: Coefficients) -> bool:
    """Whether u_tt occurs."""
    return bool(np.any(c.a_tt != 0.0))
