"""Which equation a varying A says: A:∇²u or ∇·(A∇u). They differ by (∇·A)·∇u, and a person who thinks of a flux through
a material writes the one and means the other.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.finding import Finding, shown
from pinn_ntk.problem.residual import Problem

_POINTS, _WRITTEN = 4096, 2**22  # places that are looked at; entries of A written out at once
_FACTOR = 2.0  # by which A may vary without a word
_HALVINGS = 42  # of a segment, down to rounding
_JUMP = 1e-3  # of the largest entry: a change that stays on a segment of no length
_STEP = 1e-5  # of the points' extent, of a central difference
_ZERO = 1e-6  # of A over the extent: a ∇·A that is rounding


def equation_form(problem: Problem) -> Iterator[Finding]:
    """A note where A varies strongly while b = 0; of ∇·(k∇u), a k that jumps or takes both signs."""
    for name, operator, x in _equations(problem):
        if all(term.constant for term in operator._A):
            continue
        space = x.shape[1] - problem.time
        if problem.time:
            x = x.clone()
            x[:, -1] = x[:, -1].mean()  # what varies in time alone is the same in both forms
        try:
            judge = _of_flux if operator.conservative else _of_second_order
            found = list(judge(name, operator, x, space, problem))
        except (ValueError, RuntimeError):  # a coefficient that cannot be evaluated is told by its operator
            continue
        yield from found


def _equations(problem: Problem) -> Iterator[tuple[str, SecondOrderOperator, Tensor]]:
    """The equations inside, about u itself, each with points."""
    most = max(64, min(_POINTS, _WRITTEN // problem.dim**2))
    if problem.posed:
        for c in problem.posed:
            if c.kind == "interior" and c.order == 2:
                yield c.name, c.operator, c.region.sample(most, 0)
    elif problem.ansatz is None:
        for block in problem.blocks:
            if block.operator.order == 2:
                yield block.name, block.operator, block.x[:most].double()


def _of_second_order(
    name: str, operator: SecondOrderOperator, x: Tensor, space: int, problem: Problem
) -> Iterator[Finding]:
    """A:∇²u that may have been meant as ∇·(A∇u)."""
    A, b, _ = operator.coefficients(x)
    if bool(b[:, :space].any()):  # read back: a check of the problem, once
        return
    sizes = A[:, :space, :space].abs().amax((1, 2))
    low, high = float(sizes.min()), float(sizes.max())  # read back: words of a finding
    place = _jump(operator, x, space, problem)
    if (place is None and high <= _FACTOR * low) or not _has_divergence(operator, x, space, place):
        return
    how = f"varies from {low:.3g} to {high:.3g}" if place is None else f"jumps at x = {shown(place)}"
    yield Finding(
        "note",
        f"block {name!r}: A {how} while b = 0: this is A:∇²u with a varying A, not ∇·(A∇u); if the latter is meant, "
        "write operator: {kind: divergence, k: …}, which is −∇·(k∇u), in Python divergence(…)",
    )


def _of_flux(name: str, operator: SecondOrderOperator, x: Tensor, space: int, problem: Problem) -> Iterator[Finding]:
    """−∇·(k∇u) with a k that rows at points do not do justice."""
    if (place := _jump(operator, x, space, problem)) is not None:
        yield Finding(
            "error",
            f"block {name!r}: k of ∇·(k∇u) jumps at x = {shown(place)}: there k ∂u/∂ν is continuous and ∂u/∂ν is not, "
            "which an equation at points does not see, so that u would be that of another equation; expected a k "
            "that is smooth, however steep: (1 + tanh((x − ½)/ε))/2 in place of heaviside(x − ½)",
        )
        return
    values = torch.linalg.eigvalsh(operator.coefficients(x)[0][:, :space, :space])
    least, most = values.amin(1), values.amax(1)
    rounding = _ZERO * values.abs().max()
    if bool(least.min() < -rounding) and bool(most.max() > rounding):  # read back: a check of the problem, once
        i, j = int(least.argmin()), int(most.argmax())  # read back: words of a finding
        yield Finding(
            "warning",
            f"block {name!r}: k of ∇·(k∇u) is of one sign at x = {shown(x[i])} and of the other at x = {shown(x[j])}: "
            "the equation is not elliptic there; a cubic spline overshoots where data on a grid jump: smooth them, or "
            "write k as a formula",
        )


def _matrix(operator: SecondOrderOperator, x: Tensor, space: int) -> Tensor:
    return operator.coefficients(x)[0][:, :space, :space]


def _jump(operator: SecondOrderOperator, x: Tensor, space: int, problem: Problem) -> Tensor | None:
    """A point of Ω where A jumps: segments between points are halved, and the half kept where A changes more."""
    start, end = x[:-1], x[1:]
    at_start, at_end = _matrix(operator, start, space), _matrix(operator, end, space)
    if not len(start):
        return None
    largest = at_start.abs().max()
    for _ in range(_HALVINGS):
        kept = (at_end - at_start).abs().amax((1, 2)) > _JUMP * largest
        start, end, at_start, at_end = start[kept], end[kept], at_start[kept], at_end[kept]
        if not len(start):
            return None
        middle = 0.5 * (start + end)
        inside = _matrix(operator, middle, space)
        first = (inside - at_start).abs().amax((1, 2)) >= (at_end - inside).abs().amax((1, 2))
        start, end = torch.where(first[:, None], start, middle), torch.where(first[:, None], middle, end)
        at_start = torch.where(first[:, None, None], at_start, inside)
        at_end = torch.where(first[:, None, None], inside, at_end)
    kept = (at_end - at_start).abs().amax((1, 2)) > _JUMP * largest
    places = start[kept]
    if problem.domain is not None:  # a segment may have left it
        places = places[problem.domain.contains(places)]
    return places[0] if len(places) else None


def _has_divergence(operator: SecondOrderOperator, x: Tensor, space: int, place: Tensor | None) -> bool:
    """Whether Σ_a ∂_a A_ab is more than rounding somewhere: of diag(1, a(x)) in the plane it is zero."""
    low, high = x.amin(0), x.amax(0)
    points = x if place is None else torch.cat([place[None], x])
    total = torch.zeros_like(points[:, :space])
    for a in range(space):
        step = torch.zeros_like(low)
        step[a] = _STEP * (high - low)[a]
        ahead, behind = (points + step).clamp(low, high), (points - step).clamp(low, high)
        width = (ahead - behind)[:, a, None]
        change = (_matrix(operator, ahead, space) - _matrix(operator, behind, space))[:, a]
        total += torch.where(width > 0, change / width, 0.0)
    scale = _matrix(operator, points, space).abs().max() / (high - low)[:space].max()
    return bool(total.abs().max() > _ZERO * scale)  # read back: a check of the problem, once
