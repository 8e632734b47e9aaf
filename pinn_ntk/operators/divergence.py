"""The divergence form −∇·(k∇u) = −k:∇²u − (∇·k)·∇u, the derivatives of k by what k is: a formula's and a spline's are
exact, those of a torch function come from automatic differentiation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from pinn_ntk.operators.coefficients import Coefficient, Differentiable, Entries, Field, Smooth, Symbolic, call, parse
from pinn_ntk.operators.gradients import gradient, transformed
from pinn_ntk.operators.second_order import MOST_COORDINATES, SecondOrderOperator
from pinn_ntk.operators.symbols import LONGEST, combination, operator_symbols
from pinn_ntk.rules import checked, flag, whole

Dim = Annotated[int, whole("d, the number of coordinates", 1, MOST_COORDINATES)]
OverTime = Annotated[bool, flag("whether the last coordinate is t")]

_K = "k of divergence"


@checked
def divergence(
    dim: Dim, k: Differentiable, b: Coefficient = 0.0, c: Coefficient = 0.0, *, time: OverTime = False
) -> SecondOrderOperator:
    """𝓛u = −∇·(k∇u) + b·∇u + cu; with time 𝓛u = u_t − ∇·(k∇u) + b·∇u + cu, ∇ in space.

    Where k jumps, an equation at points does not see that k ∂u/∂ν is continuous: k has to be smooth, however steep.

    Args:
        dim: d, time included.
        k: a number, a formula, a torch function (n, d) → (n,), or a matrix for −Σ ∂_a(k_ab ∂_b u), symmetric or not:
            a tensor, a nested list of numbers and functions, or a function (n, d) → (n, s, s), s coordinates of space.
        b: s first-order coefficients, as a tensor, a list, or a function (n, d) → (n, s).
        c: zeroth-order coefficient.
        time: whether the last coordinate is t.

    Raises:
        ValueError: a coefficient of the wrong shape.

    Examples:
        >>> import torch
        >>> from pinn_ntk import divergence
        >>> L = divergence(1, lambda p: 1 + p[:, 0])
        >>> L.apply(lambda p: p[:, 0] ** 2, torch.tensor([[3.0]]))  # −((1 + x)2x)' = −2 − 4x
        tensor([-14.])
    """
    space = dim - time
    if space < 1:
        raise ValueError(f"dim: got {dim}, expected at least {1 + time}, one coordinate of space{' and t' * time}")
    flux = _flux(k, dim, space)
    lower = SecondOrderOperator(dim, b=_lengthened(b, space, time), c=c)
    operator = flux + lower
    if time:
        operator = operator + SecondOrderOperator(dim, b=[0.0] * space + [1.0])
    operator.conservative = True
    operator.name, operator.notes = _words(k, lower, time)
    return operator


def differentiated(operator: SecondOrderOperator) -> Iterator[Field]:
    """The functions k that an operator differentiates by autograd, of a matrix a weighted sum of its entries, (n,)."""
    for term in operator._b:
        if isinstance(term.whole, RowDivergence):
            yield term.whole.scalar


def _flux(k: Any, dim: int, space: int) -> SecondOrderOperator:
    """−∇·(k∇u)."""
    if isinstance(k, Smooth):
        slopes = [k.derivative(a) if a < space else 0.0 for a in range(dim)]
        plane = torch.diag(torch.tensor([1.0] * space + [0.0] * (dim - space), dtype=torch.float64, device="cpu"))
        return -(SecondOrderOperator(dim, A=plane) * k + SecondOrderOperator(dim, b=slopes))
    if isinstance(k, (list, tuple)) and any(callable(entry) for row in k for entry in _row(row)):
        return _entrywise(k, dim, space)
    if callable(k):
        return -SecondOrderOperator(dim, A=_Matrix(k, space), b=RowDivergence(k, space), symmetrise=True)
    terms = parse(k, space, 2, _K)
    zero = torch.zeros(space, space, dtype=torch.float64, device="cpu")
    pattern = sum((term.pattern for term in terms if term.pattern is not None), zero)
    return -SecondOrderOperator(dim, A=torch.nn.functional.pad(pattern, (0, dim - space) * 2), symmetrise=True)


def _entrywise(k: Sequence[Any], dim: int, space: int) -> SecondOrderOperator:
    """−Σ ∂_a(k_ab ∂_b u) of a nested list."""
    rows = [list(_row(row)) for row in k]
    if [len(row) for row in rows] != [space] * space:
        raise ValueError(f"{_K}: got a list of {[len(row) for row in rows]} entries, expected {space} rows of {space}")
    wide = [row + [0.0] * (dim - space) for row in rows] + [[0.0] * dim] * (dim - space)
    made = SecondOrderOperator(dim, A=wide, name=_K, symmetrise=True)
    if any(callable(entry) and not isinstance(entry, Smooth) for row in rows for entry in row):
        whole = Entries(parse(wide, dim, 2, _K), dim, _K)
        return -(made + SecondOrderOperator(dim, b=RowDivergence(_Inner(whole, space), space)))
    for a in range(space):
        slopes = [entry.derivative(a) if isinstance(entry, Smooth) else 0.0 for entry in rows[a]]
        made = made + SecondOrderOperator(dim, b=slopes + [0.0] * (dim - space))
    return -made


def _row(row: Any) -> Sequence[Any]:
    return row if isinstance(row, (list, tuple)) else [row]


def _name(field: Field) -> str:
    return str(getattr(field, "__name__", "k")).replace("<lambda>", "k")


@dataclass(frozen=True, eq=False)
class _Inner:
    """The part of a matrix in space, (n, s, s)."""

    whole: Field
    space: int

    def __call__(self, x: Tensor) -> Tensor:
        return self.whole(x)[:, : self.space, : self.space]


@dataclass(frozen=True, eq=False)
class _Matrix:
    """A function k of points as a coefficient A: zero in t, and itself where there is no t."""

    field: Field
    space: int

    @property
    def __name__(self) -> str:
        return _name(self.field)

    def __call__(self, x: Tensor) -> Tensor:
        values, more = call(self.field, x, 2, self.space, _K), x.shape[1] - self.space
        if more and values.ndim == 1:
            values = torch.diag_embed(values[:, None].expand(-1, self.space))
        return torch.nn.functional.pad(values, (0, more) * 2) if more else values


@dataclass(frozen=True, eq=False)
class RowDivergence:
    """x ↦ Σ_a ∂_a k_ab by automatic differentiation, zero in t; of a k (n,) it is ∇k.

    Attributes:
        field: k, a torch function (n, d) → (n,) or (n, s, s).
        space: s.
    """

    field: Field
    space: int

    @property
    def __name__(self) -> str:
        return f"div {_name(self.field)}"

    def __call__(self, x: Tensor) -> Tensor:
        """(n, d).

        Raises:
            ValueError: a k that varies and is not made of torch functions of the points.
        """
        values = call(self.field, x, 2, self.space, _K)
        if values.ndim == 1:
            slope = gradient(self.field, x)[:, : self.space]
        else:
            slope = torch.stack([self._column(x, b) for b in range(self.space)], 1)
        # read back: a check of a person's function
        if not bool(slope.any()) and bool((values != values[:1]).any()) and not self._has_graph(x):
            raise ValueError(
                f"{_K}: {_name(self.field)} varies, but not through torch operations on the points: it jumps, or "
                "leaves torch's graph (detach, numpy, .item()), and ∇k is not known; expected a smooth torch function"
            )
        return torch.nn.functional.pad(slope, (0, x.shape[1] - self.space))

    def scalar(self, x: Tensor) -> Tensor:
        """k, or Σ_ab (1 + a + s b) k_ab, (n,)."""
        values = self.field(x)
        if values.ndim == 1:
            return values
        weights = 1 + torch.arange(self.space**2, dtype=x.dtype, device=x.device)
        return values.flatten(1) @ weights

    def _has_graph(self, x: Tensor) -> bool:
        """Whether autograd sees the points in k; a transform of torch.func sees to itself."""
        if transformed():
            return True
        with torch.enable_grad():
            return bool(self.field(x.detach().requires_grad_()).requires_grad)

    def _column(self, x: Tensor, b: int) -> Tensor:
        columns = (lambda p, a=a: self.field(p)[:, a, b] for a in range(self.space))
        parts = [gradient(column, x)[:, a] for a, column in enumerate(columns)]
        return sum(parts[1:], parts[0])


def _lengthened(b: Any, space: int, time: bool) -> Any:
    """b in space as b in all coordinates."""
    if space == 1 and (isinstance(b, Symbolic) or not (callable(b) or isinstance(b, (list, tuple, Tensor)))):
        b = [b]
    if not time or (isinstance(b, (int, float)) and b == 0.0):
        return b
    if isinstance(b, (list, tuple)):
        return [*b, 0.0]
    if isinstance(b, Tensor):
        return torch.nn.functional.pad(b, (0, 1))
    if not callable(b):
        return b

    def padded(x: Tensor) -> Tensor:
        return torch.nn.functional.pad(call(b, x, 1, space, "b of divergence"), (0, 1))

    padded.__name__ = _name(b)
    return padded


def _words(k: Any, lower: SecondOrderOperator, time: bool) -> tuple[str, tuple[str, ...]]:
    """The name of the operator, and what stands behind the equation."""

    def said(entry: Any) -> str:
        return combination([(entry, "∇u")], lower.dim, time)

    flux = "k ∇u"
    notes: tuple[str, ...] = ()
    listed = k.tolist() if isinstance(k, Tensor) else k
    if isinstance(listed, (list, tuple)):
        rows = (", ".join(_coefficient(said(entry)) for entry in _row(row)) for row in listed)
        notes = (f"k = [{', '.join(f'[{row}]' for row in rows)}]",)
    elif len(said(k)) > LONGEST:
        notes = (f"k = {_coefficient(said(k))}",)
    else:
        flux = said(k)
    more, *behind = operator_symbols((), lower._b, lower._c, lower.dim, time)
    tail = "" if more == "0" else f" − {more[1:]}" if more.startswith("−") else f" + {more}"
    return f"{'u_t − ' if time else '−'}∇·({flux}){tail}", (*notes, *behind)


def _coefficient(product: str) -> str:
    """What stands before ∇u."""
    return product.replace("∇u", "1") if product in ("∇u", "−∇u") else product.removesuffix(" ∇u")
