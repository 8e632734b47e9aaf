"""Coefficients as sums of separable terms: C(x) = Σ_m f_m(x)·C_m, C_m a constant pattern.

Zero is the empty sum, a constant has no field, a function of x is a field; a field that returns the whole matrix is
spread over the patterns of its entries when it is evaluated. This form is closed under +, scalar ×, multiplication by a
function and bias lifting.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pinn_ntk.hints import fit, followed, leaves, shown

Field = Callable[[Tensor], Tensor]
Coefficient = float | int | Tensor | Field | Sequence[Any]


@runtime_checkable
class Symbolic(Protocol):
    """A function x ↦ f(x), (n, d) → (n,), that can be written down."""

    @property
    def as_factor(self) -> tuple[int, str]:
        """f = sign · text, where the text can stand in a product."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """f(x)."""


Differentiable = Annotated[Coefficient, "differentiated"]
"""A coefficient of which an operator needs ∇ too."""


@runtime_checkable
class Smooth(Symbolic, Protocol):
    """A function that says its own derivatives."""

    def derivative(self, column: int, /) -> "Field | float":
        """∂f/∂x_j: a function, or a number where it is constant."""


@dataclass(frozen=True)
class Number:
    """x ↦ a number, (n,)."""

    value: float

    def __call__(self, x: Tensor) -> Tensor:
        """The number at every point."""
        return x.new_full((x.shape[0],), self.value)


@dataclass(frozen=True)
class Term:
    """f(x)·C with f = Π factors (1 when empty).

    Attributes:
        pattern: constant C, shape (), (d,) or (d, d), float64 on the CPU; None when `whole` is given.
        whole: function (n, d) → (n, …) that returns the whole coefficient.
        factors: functions (n, d) → (n,).
    """

    pattern: Tensor | None
    whole: Field | None = None
    factors: tuple[Field, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether the term does not depend on x."""
        return self.whole is None and not self.factors


def constant_part(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The same sum with all constant terms merged into one, which vanishes when it is zero."""
    fixed = [t.pattern for t in terms if t.constant and t.pattern is not None]
    moving = tuple(t for t in terms if not t.constant)
    total = torch.stack(fixed).sum(0) if fixed else None
    return moving if total is None or not bool(total.any()) else (Term(total), *moving)


def multiply(terms: tuple[Term, ...], factor: float | Field) -> tuple[Term, ...]:
    """The terms of factor(x)·C(x)."""
    if callable(factor):
        return tuple(replace(t, factors=(*t.factors, factor)) for t in terms)
    scaled = (
        replace(t, pattern=t.pattern * factor)
        if t.pattern is not None
        else replace(t, factors=(*t.factors, Number(factor)))
        for t in terms
    )
    return constant_part(tuple(scaled)) if factor != 0.0 else ()


def parse(value: Coefficient, dim: int, rank: int, what: str) -> tuple[Term, ...]:
    """Read a coefficient as a person writes it: a number, a tensor, a function of points,
    or a nested list of numbers and functions.

    Raises:
        ValueError: wrong shape, or a number that is not finite.
    """
    shape = (dim,) * rank
    if isinstance(value, nn.Parameter) or any(map(followed, leaves(value))):
        raise ValueError(f"{what}: {next(filter(None, map(followed, leaves(value))))}")
    if callable(value):
        return (Term(None, whole=value),)
    if isinstance(value, (list, tuple)) and any(callable(v) for v in leaves(value)):
        return _entrywise(value, shape, what)
    try:
        tensor = torch.as_tensor(value, dtype=torch.float64, device="cpu").detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{what}: got {value!r}, expected a number, a tensor of shape {shape} or a function of (n, {dim}) points"
        ) from error
    if tensor.ndim == 0 and rank == 2:
        tensor = tensor * torch.eye(dim, dtype=torch.float64, device="cpu")
    elif tensor.ndim == 0 and rank == 1 and (dim == 1 or float(tensor) == 0.0):
        tensor = tensor.expand(dim).clone()
    if tuple(tensor.shape) != shape:
        raise ValueError(
            f"{what}: got shape {tuple(tensor.shape)}, expected {shape} for an operator on {dim} coordinates"
        )
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{what}: got {value!r}, expected finite numbers")
    return constant_part((Term(tensor),))


def _entrywise(value: Sequence[Any], shape: tuple[int, ...], what: str) -> tuple[Term, ...]:
    """Terms of a nested list in which some entries are functions:
    each such entry is a field on its own unit pattern.
    """
    entries = leaves(value)
    nested = [len(row) for row in value if isinstance(row, (list, tuple))]
    if (
        len(value) != shape[0]
        or (len(shape) == 2 and nested != [shape[1]] * shape[0])
        or len(entries) != math.prod(shape)
    ):
        raise ValueError(f"{what}: got a list of {len(value)} rows with {len(entries)} entries, expected shape {shape}")
    index = torch.arange(math.prod(shape), device="cpu").reshape(shape)
    terms = []
    for leaf in entries:
        wrong = None if callable(leaf) else fit(float | Tensor, leaf)[1]
        if wrong or (isinstance(leaf, Tensor) and leaf.ndim):
            raise ValueError(f"{what}: {wrong or f'got {shown(leaf)}'}, expected a number or a function in each entry")
    for k, leaf in enumerate(entries):
        unit = (index == k).to(torch.float64)
        terms.append(Term(unit, factors=(leaf,)) if callable(leaf) else Term(unit * float(leaf)))
    return constant_part(tuple(terms))


def lift(terms: tuple[Term, ...], dim: int, rank: int) -> tuple[Term, ...]:
    """The same coefficient on (x, 1): zero rows for the bias coordinate,
    functions read the first `dim` coordinates only.
    """
    return tuple(_lift_term(t, dim, rank) for t in terms)


def _lift_term(term: Term, dim: int, rank: int) -> Term:
    def first(function: Field) -> Field:
        return lambda x: function(x[:, :dim])

    def padded(x: Tensor) -> Tensor:
        values = call(term.whole, x[:, :dim], rank, dim, "coefficient")  # type: ignore[arg-type]
        values = torch.diag_embed(values[:, None].expand(-1, dim)) if rank == 2 and values.ndim == 1 else values
        return torch.nn.functional.pad(values, (0, 1) * rank)

    pattern = None if term.pattern is None else torch.nn.functional.pad(term.pattern, (0, 1) * rank)
    return Term(pattern, padded if term.whole is not None else None, tuple(first(f) for f in term.factors))


def call(function: Field, x: Tensor, rank: int, dim: int, what: str) -> Tensor:
    """function(x), checked: a tensor of x's dtype with n rows and the shape of a coefficient of that rank.

    Raises:
        ValueError: the function raised, or returned something else; the message carries its words.
    """
    n = x.shape[0]
    allowed = [(n,), (n, dim, dim)] if rank == 2 else [(n, dim)] if rank == 1 else [(n,)]
    expected = f"expected a {str(x.dtype).removeprefix('torch.')} tensor of shape {' or '.join(map(str, allowed))}"
    try:
        values = function(x)
    except Exception as error:
        raise ValueError(
            f"{what}: the function raised {type(error).__name__}: {error}; {expected} for {n} points"
        ) from error
    require_plain(function, values, x, what)
    if not isinstance(values, Tensor):
        raise ValueError(
            f"{what}: the function returned {type(values).__name__}, {expected}; write a constant as a number, "
            "not a function"
        )
    if tuple(values.shape) not in allowed or values.dtype != x.dtype:
        raise ValueError(f"{what}: the function returned shape {tuple(values.shape)} of {values.dtype}, {expected}")
    return values


def values_at(function: Field, x: Tensor, what: str) -> Tensor:
    """function(x) as plain values at points, (n,) of x's dtype: tensors, arrays and lists of them will do.

    Raises:
        ValueError: the function raised, returned something else, or hangs on a parameter.
    """
    try:
        found: Any = function(x)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"{what}: the function raised {type(error).__name__}: {error}; expected ({len(x)},) values"
        ) from error
    require_plain(function, found, x, what)
    values = found.detach() if isinstance(found, Tensor) else found
    if not isinstance(values, Tensor):
        values, wrong = fit(Tensor, found)
        if wrong:
            raise ValueError(f"{what}: the function returned what is no value at a point: {wrong}")
    if values.ndim and values.shape != x.shape[:1]:
        raise ValueError(f"{what}: got shape {tuple(values.shape)}, expected ({len(x)},), one value per point")
    return values.expand(len(x)).to(x)


def require_plain(function: Field, values: object, x: Tensor, what: str) -> None:
    """Refuse values that hang on a parameter outside the network: nothing would train it. A module is a function.

    Raises:
        ValueError: 'what: …; write .detach()'.
    """
    if not isinstance(values, Tensor) or not values.requires_grad or x.requires_grad or isinstance(function, nn.Module):
        return
    todo, seen = [values.grad_fn], set[object]()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)  # points that a derivative is taken at are leaves, too: (n, d)
        if isinstance(leaf, nn.Parameter) or (isinstance(leaf, Tensor) and leaf.ndim < 2):
            raise ValueError(f"{what}: the function returned values that hang on {shown(leaf)}; {followed(leaf)}")
        todo += [following for following, _ in node.next_functions]


def evaluate(terms: tuple[Term, ...], x: Tensor, rank: int, what: str) -> list[tuple[Tensor, Tensor]]:
    """The terms at points: pairs (f (n or 1,), pattern) with Σ f·pattern = C(x), in x's dtype and device.

    Raises:
        ValueError: a function misbehaves (see `call`) or is not finite at a point, which is shown.
    """
    pairs: list[tuple[Tensor, Tensor]] = []
    dim = x.shape[1]
    for term in terms:
        factor = x.new_ones(1)
        for field in term.factors:
            factor = factor * call(field, x, 0, dim, what)
        if term.pattern is not None:
            pairs.append((factor, term.pattern.to(x)))
            continue
        values = call(term.whole, x, rank, dim, what)  # type: ignore[arg-type]
        pairs.extend((factor * f, pattern) for f, pattern in _spread(values, rank, dim, what, x))
    for f, _ in pairs:
        check_finite(f.expand(x.shape[0]), x, what)
    return pairs


def _spread(values: Tensor, rank: int, dim: int, what: str, x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """A whole coefficient as scalar fields on unit patterns; for matrices,
    the symmetric patterns of the upper triangle.
    """
    if rank < 2:
        units = torch.eye(dim, dtype=x.dtype, device=x.device) if rank == 1 else x.new_ones(1)
        return [(values[:, j], units[j]) for j in range(dim)] if rank == 1 else [(values, x.new_ones(()))]
    if values.ndim == 1:
        return [(values, torch.eye(dim, dtype=x.dtype, device=x.device))]
    gap = (values - values.mT).abs().amax((1, 2))
    # read back: whether a coefficient is symmetric, asked when rows are made
    if bool((gap > 1e-12 * (1.0 + values.abs().amax())).any()):
        i = int(gap.argmax())
        raise ValueError(
            f"{what}: not symmetric at x = {x[i].tolist()}: got {values[i].tolist()}; "
            "expected a symmetric matrix. Write A_ij = A_ji, or pass symmetrise=True in Python for (A + Aᵀ)/2, "
            "the same operator"
        )
    pairs = []
    for i in range(dim):
        for j in range(i, dim):
            unit = x.new_zeros(dim, dim)
            unit[i, j] = unit[j, i] = 1.0
            pairs.append((values[:, i, j], unit))
    return pairs


@dataclass(frozen=True, eq=False)
class Entries:
    """The matrix function of entries given one by one, so that symmetry is checked where it can be: at the points."""

    terms: tuple[Term, ...]
    dim: int
    what: str

    def __call__(self, x: Tensor) -> Tensor:
        """A(x), (n, d, d)."""
        matrix = x.new_zeros(x.shape[0], self.dim, self.dim)
        for f, pattern in evaluate(self.terms, x, 2, self.what):
            matrix = matrix + f[:, None, None] * pattern
        return matrix


@dataclass(frozen=True, eq=False)
class SymmetricPart:
    """x ↦ (A + Aᵀ)/2."""

    whole: Field
    dim: int
    what: str

    def __call__(self, x: Tensor) -> Tensor:
        """Its values, (n, d, d); (n,) of a multiple of I."""
        matrix = call(self.whole, x, 2, self.dim, self.what)
        return matrix if matrix.ndim == 1 else (matrix + matrix.mT) / 2


def check_finite(values: Tensor, x: Tensor, what: str) -> None:
    """Raise ValueError with the first point at which a value is not finite."""
    bad = ~torch.isfinite(values)
    if bool(bad.any()):  # read back: whether a coefficient is finite, asked when rows are made
        i = int(bad.int().argmax())
        raise ValueError(
            f"{what}: the value at x = {[round(v, 6) for v in x[i].tolist()]} is {float(values[i])}, expected a "
            "finite number"
        )
