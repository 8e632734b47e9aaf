"""The one operator class: 𝓛u = Σ A_ab u_ab + Σ b_a u_a + c u."""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.hints import points, shown
from pinn_ntk.operators.coefficients import (
    Coefficient,
    Entries,
    Field,
    SymmetricPart,
    Term,
    check_finite,
    constant_part,
    evaluate,
    lift,
    multiply,
    parse,
)
from pinn_ntk.operators.gradients import gradient
from pinn_ntk.operators.rows import Rows
from pinn_ntk.operators.symbols import operator_symbols
from pinn_ntk.rules import checked, whole

Function = Callable[[Tensor], Tensor]
MOST_COORDINATES = 10_000  # a matrix of them is held: 800 MB
GENERAL = "A:∇²u + b·∇u + cu"
"""The name of an operator that has none of its own: it is said by its coefficients."""


@checked
class SecondOrderOperator:
    """𝓛u = Σ_ab A_ab(x) u_{x_a x_b} + Σ_a b_a(x) u_{x_a} + c(x) u.

    Operators form a vector space (`+`, `−`, scalar `×`); `lift_bias`, `hard_constraint` and multiplication by a
    function stay in it.

    Args:
        dim: number of coordinates d (time counts as one).
        A: symmetric matrix: a number a (a·I), a (d, d) tensor, a function (n, d) → (n,) (isotropic) or (n, d, d), or a
            nested list of numbers and functions (n, d) → (n,).
        b: vector: a (d,) tensor, a function (n, d) → (n, d), a list of numbers and functions, or 0.
        c: a number or a function (n, d) → (n,).
        name: what errors and reports call it; an operator without a name is reported by its coefficients.
        symmetrise: replace A by (A + Aᵀ)/2, the same operator, instead of refusing an A that is not symmetric.

    Attributes:
        conservative: whether it holds a term ∇·(k∇u), so that b has the derivatives of A in it.
        notes: what stands behind its name in an equation, such as "k = …" where k is long.

    Raises:
        ValueError: a coefficient of the wrong shape, not finite, or not symmetric.

    Examples:
        >>> import torch
        >>> from pinn_ntk import SecondOrderOperator, identity
        >>> L = SecondOrderOperator(2, A=[[0.0, 0.5], [0.5, 0.0]], c=lambda p: p[:, 0])  # u_xy + xu
        >>> x = torch.tensor([[2.0, 3.0]])
        >>> L.apply(lambda p: p[:, 0] * p[:, 1], x), (L - 2.0 * identity(2)).apply(lambda p: p[:, 0] * p[:, 1], x)
        (tensor([13.]), tensor([1.]))
    """

    def __init__(
        self,
        dim: Annotated[int, whole("d", 1, MOST_COORDINATES)],
        A: Coefficient = 0.0,
        b: Coefficient = 0.0,
        c: Coefficient = 0.0,
        name: str = "operator",
        *,
        symmetrise: bool = False,
    ) -> None:
        self.dim = dim
        self.name = name
        self.conservative = False
        self.notes: tuple[str, ...] = ()
        second = parse(A, dim, 2, f"A of {name!r}")
        self._A = _symmetric(second, dim, name, symmetrise)
        self._b = parse(b, dim, 1, f"b of {name!r}")
        self._c = parse(c, dim, 0, f"c of {name!r}")

    @classmethod
    def _from_terms(
        cls, dim: int, A: tuple[Term, ...], b: tuple[Term, ...], c: tuple[Term, ...], name: str
    ) -> "SecondOrderOperator":
        made = cls(dim, name=name)
        made._A, made._b, made._c = constant_part(A), constant_part(b), constant_part(c)
        return made

    @property
    def order(self) -> int:
        """Highest derivative present: 2, 1 or 0."""
        return 2 if self._A else 1 if self._b else 0

    @property
    def constant(self) -> bool:
        """Whether no coefficient depends on x."""
        return all(t.constant for t in (*self._A, *self._b, *self._c))

    @property
    def named(self) -> bool:
        """Whether its name says what it is."""
        return self.name not in ("operator", GENERAL)

    def equation(self, right: str, time: bool = False) -> str:
        """𝓛u = right in symbols: by the operator's name, or without one by its coefficients as they were given.

        Args:
            right: the right-hand side in words.
            time: whether the last coordinate is t.

        Examples:
            >>> from pinn_ntk import SecondOrderOperator, heat
            >>> def kappa(p):
            ...     return 1 + p[:, 0] ** 2
            >>> SecondOrderOperator(2, A=[[kappa, 0.0], [0.0, -2.0]], c=1.0).equation("f")
            'kappa(x, y) u_xx − 2 u_yy + u = f'
            >>> heat(1).equation("0", time=True)
            'u_t − κΔu = 0'
        """
        said = [self.name, *self.notes] if self.named else operator_symbols(self._A, self._b, self._c, self.dim, time)
        return ", ".join([f"{said[0]} = {right}", *said[1:]])

    def __repr__(self) -> str:
        return f"SecondOrderOperator({self.name!r}, dim={self.dim}, order={self.order})"

    def __add__(self, other: "SecondOrderOperator") -> "SecondOrderOperator":
        if not isinstance(other, SecondOrderOperator):
            return NotImplemented
        if other.dim != self.dim:
            raise ValueError(
                f"{self.name} + {other.name}: got operators on {self.dim} and {other.dim} coordinates, expected "
                "the same number"
            )
        terms = (self._A + other._A, self._b + other._b, self._c + other._c)
        told = self.named and other.named and not (self.notes and other.notes)  # notes of both may call two things k
        return self._from_terms(self.dim, *terms, f"{self.name} + {other.name}" if told else GENERAL)._like(self, other)

    def __mul__(self, factor: float | Field) -> "SecondOrderOperator":
        if isinstance(factor, Tensor):
            raise ValueError(
                f"factor of {self.name!r}: got {shown(factor)}, expected a number or a function of points; "
                "write .item()"
            )
        if not callable(factor) and not isinstance(factor, (int, float)):
            return NotImplemented
        same = not self.named or (not callable(factor) and factor == 1)
        name = self.name if same else f"f·({self.name})" if callable(factor) else f"{factor:g}·({self.name})"
        made = self._from_terms(
            self.dim, multiply(self._A, factor), multiply(self._b, factor), multiply(self._c, factor), name
        )
        return made._like(self)

    def _like(self, *parts: "SecondOrderOperator") -> "SecondOrderOperator":
        """The same operator with what is known of the parts that it was made of."""
        self.conservative = any(part.conservative for part in parts)
        self.notes = tuple(note for part in parts for note in part.notes)
        return self

    __rmul__ = __mul__

    def __neg__(self) -> "SecondOrderOperator":
        negative = self * -1.0
        if self.named:
            negative.name = f"−{self.name}" if " " not in self.name else f"−({self.name})"
        return negative

    def __sub__(self, other: "SecondOrderOperator") -> "SecondOrderOperator":
        return self + (-other)

    def rows(self, x: Tensor) -> Rows:
        """The coefficients at points, in x's dtype and device.

        Args:
            x: points (n, d).

        Raises:
            ValueError: points of the wrong shape, or a coefficient that is not finite or not symmetric at a point.
        """
        x = points(f"points for {self.name!r}", x, self.dim)
        # read back: which entries are zero, asked when rows are made
        second = [(f, p) for f, p in evaluate(self._A, x, 2, f"A of {self.name!r}") if bool(f.any())]
        alpha = patterns = None
        if second:
            width = max(f.shape[0] for f, _ in second)
            alpha = torch.stack([f.expand(width) for f, _ in second], 1)
            patterns = torch.stack([p for _, p in second])
        b = [f[:, None] * p for f, p in evaluate(self._b, x, 1, f"b of {self.name!r}")]
        c = [f * p for f, p in evaluate(self._c, x, 0, f"c of {self.name!r}")]
        return Rows(x, alpha, patterns, _total(b), _total(c))

    def apply(self, u: Function, x: Tensor) -> Tensor:
        """𝓛u(x) by automatic differentiation.

        Args:
            u: torch function (n, d) → (n,), one value per point.
            x: points (n, d).

        Returns:
            (n,) values; differentiable in whatever u depends on, and usable under `torch.func` transforms.
        """
        return self.rows(x).apply(u)

    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(A (n,d,d), b (n,d), c (n,)) at points, written out."""
        rows, n = self.rows(x), x.shape[0]
        b = x.new_zeros(n, self.dim) if rows.b is None else rows.b.expand(n, -1)
        c = x.new_zeros(n) if rows.c is None else rows.c.expand(n)
        return rows.second_order(), b, c

    def bound(self, x: Tensor) -> float:
        """M = max_i max(|A_ab(x_i)|, |b_a(x_i)|, |c(x_i)|): the coefficient bound of the PDE theorem on given
        points.
        """
        return self.rows(x).bound()


def _total(values: list[Tensor]) -> Tensor | None:
    return sum(values[1:], values[0]) if values else None


def _symmetric(terms: tuple[Term, ...], dim: int, name: str, symmetrise: bool) -> tuple[Term, ...]:
    """Check (or make) the constant and entrywise patterns symmetric;
    fields that return whole matrices are checked at their points.
    """
    if symmetrise:
        return tuple(
            Term(None, SymmetricPart(t.whole, dim, f"A of {name!r}"), t.factors)
            if t.whole is not None
            else Term((t.pattern + t.pattern.mT) / 2, None, t.factors)  # type: ignore[operator, union-attr]
            for t in terms
        )
    fixed = [t.pattern for t in terms if t.constant and t.pattern is not None]
    for pattern in fixed:
        if not torch.equal(pattern, pattern.mT):
            raise ValueError(
                f"A of {name!r}: got {pattern.tolist()}, expected a symmetric matrix. "
                "Pass symmetrise=True to use (A + Aᵀ)/2, which is the same operator"
            )
    moving = tuple(t for t in terms if t.pattern is None)
    entries = tuple(t for t in terms if t.pattern is not None and not t.constant)
    kept = tuple(Term(p) for p in fixed) + moving
    return (*kept, Term(None, Entries(entries, dim, f"A of {name!r}"))) if entries else kept


@checked
def lift_bias(operator: SecondOrderOperator) -> SecondOrderOperator:
    """The operator on (x, x_{d+1}) that reads coefficients from x and has zero rows for the last coordinate (the bias,
    held at 1).

    Examples:
        >>> import torch
        >>> from pinn_ntk import laplacian, lift_bias
        >>> A, b, c = lift_bias(laplacian(1)).coefficients(torch.tensor([[0.5, 1.0]]))
        >>> A.tolist()
        [[[1.0, 0.0], [0.0, 0.0]]]
    """
    d = operator.dim
    terms = (lift(operator._A, d, 2), lift(operator._b, d, 1), lift(operator._c, d, 0))
    return SecondOrderOperator._from_terms(d + 1, *terms, operator.name)


@checked
def hard_constraint(
    operator: SecondOrderOperator, phi: Function, g: Function | None = None
) -> tuple[SecondOrderOperator, Function]:
    """u = g + ϕh turns 𝓛u = f into 𝓛̃h = f − 𝓛g with Ã = ϕA, b̃ = 2A∇ϕ + ϕb, c̃ = 𝓛ϕ: again an operator of the class.

    Args:
        operator: 𝓛.
        phi: ϕ, a smooth torch function (n, d) → (n,) that vanishes where u = g is imposed.
        g: the extension of the boundary values; None is 0.

    Returns:
        (𝓛̃, 𝓛g): the new operator, and the function to subtract from the source.

    Examples:
        >>> import torch
        >>> from pinn_ntk import hard_constraint, laplacian
        >>> phi, h, x = (lambda p: p[:, 0] * (1 - p[:, 0])), (lambda p: torch.sin(p[:, 0])), torch.rand(5, 1)
        >>> L, shift = hard_constraint(laplacian(1), phi)
        >>> torch.allclose(L.apply(h, x), laplacian(1).apply(lambda p: phi(p) * h(p), x), atol=1e-5)
        True
    """

    def drift(x: Tensor) -> Tensor:
        slope = gradient(phi, x)
        return 2.0 * torch.einsum("nij,nj->ni", operator.rows(x).second_order(), slope)

    def reaction(x: Tensor) -> Tensor:
        return operator.apply(phi, x)

    def shift(x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, 0]) if g is None else operator.apply(g, x)

    b = multiply(operator._b, phi) + ((Term(None, drift),) if operator._A else ())
    constrained = SecondOrderOperator._from_terms(
        operator.dim, multiply(operator._A, phi), b, (Term(None, reaction),), operator.name
    )
    return constrained, shift


def check_operator(operator: SecondOrderOperator, x: Tensor) -> None:
    """Evaluate an operator on three points and differentiate a quadratic with it,
    so that a faulty one is named before any work.

    Raises:
        ValueError: a coefficient raises, has a wrong shape or dtype, is not finite or not symmetric there.
    """
    few = x[:3]
    values = operator.apply(lambda p: (p * p).sum(1), few)
    check_finite(values, few, f"operator {operator.name!r}")
