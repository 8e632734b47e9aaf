"""The Gaussian in the plane of two points: E φφ' and E ∇φ·∇φ' as polynomials in u ∈ ℝ² times σ⁽ᵏ⁾(w·x) σ⁽ˡ⁾(w·x').

An orthonormal basis E of span(x, x') splits w = Eu + w⊥. The factors of σ⁽ᵏ⁾ are forms wᵀAw, p·w and numbers. Given u,
a form is

    f = m(u) + v(u)·w⊥ + (w⊥ᵀCw⊥ − tr C),   deg m ≤ 2, deg v ≤ 1, C = NAN, N = I − EEᵀ,

so that E[ff'|u] = mm' + v·v' + 2 C:C'. How u is integrated is the business of `planar_quadrature`.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.operators.rows import Rows

Coefficients = dict[tuple[int, int], Tensor]
"""(k, l) ↦ the polynomial (P, 5, 5) in front of σ⁽ᵏ⁾σ⁽ˡ⁾, one per pair; entry [a, b] belongs to u₁ᵃu₂ᵇ."""


@dataclass(frozen=True)
class DenseRows:
    """Functionals u ↦ A_i:∇²u(x_i) + b_i·∇u(x_i) + c_iu(x_i), one per point, blocks joined; None stands for zero.

    Attributes:
        x: (n, D) with D ≥ 2.
        A: (n, D, D).
        b: (n, D).
        c: (n,).
    """

    x: Tensor
    A: Tensor | None
    b: Tensor | None
    c: Tensor | None

    def select(self, index: Tensor) -> "DenseRows":
        """The rows of that index."""
        return DenseRows(self.x[index], *(None if v is None else v[index] for v in (self.A, self.b, self.c)))

    @property
    def order(self) -> int:
        """Highest derivative: 2, 1 or 0."""
        return 2 if self.A is not None else 1 if self.b is not None else 0


def dense_rows(blocks: tuple[Rows, ...]) -> DenseRows:
    """Blocks of rows joined, in float64; a single coordinate is padded by a zero one, since the plane needs two.
    Pairs come `unpaired`.
    """
    assert all(r.minus is None for r in blocks)
    blocks = tuple(r.to(torch.float64, r.x.device) for r in blocks)
    if blocks[0].x.shape[1] == 1:
        blocks = tuple(replace(r.lifted(), x=torch.nn.functional.pad(r.x, (0, 1))) for r in blocks)
    A = torch.cat([r.second_order() for r in blocks]) if any(r.alpha is not None for r in blocks) else None
    b = torch.cat([_filled(r.b, r.x) for r in blocks]) if any(r.b is not None for r in blocks) else None
    c = torch.cat([_filled(r.c, r.x[:, 0]) for r in blocks]) if any(r.c is not None for r in blocks) else None
    return DenseRows(torch.cat([r.x for r in blocks]), A, b, c)


def _filled(value: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if value is None else value.expand_as(like)


@dataclass(frozen=True)
class Plane:
    """Orthonormal vectors with x = r e₁ and x' = α e₁ + β e₂, β ≥ 0, for P pairs.

    Attributes:
        basis: (P, 2, D).
        r: |x|, (P,).
        alpha: (P,).
        beta: (P,).
    """

    basis: Tensor
    r: Tensor
    alpha: Tensor
    beta: Tensor

    def project_out(self, v: Tensor) -> Tensor:
        """Nv for vectors (P, D)."""
        return v - ((self.basis @ v[..., None]).mT @ self.basis).squeeze(-2)


def plane_of(x: Tensor, y: Tensor) -> Plane:
    """Gram–Schmidt, twice; a zero or parallel vector is replaced by the coordinate axis farthest from what is there.

    Args:
        x: (P, D), D ≥ 2.
        y: (P, D).
    """
    r = x.norm(dim=1)
    e1 = torch.where(
        r[:, None] > 0,
        x / torch.where(r > 0, r, 1.0)[:, None],
        torch.eye(x.shape[1], dtype=x.dtype, device=x.device)[0],
    )
    rest = _orthogonal(y, e1)
    size = rest.norm(dim=1)
    parallel = size <= 4 * torch.finfo(x.dtype).eps * y.norm(dim=1)
    axis = torch.nn.functional.one_hot(e1.abs().argmin(1), x.shape[1]).to(x)
    e2 = torch.where(parallel[:, None], _orthogonal(axis, e1), rest)
    e2 = _orthogonal(e2 / e2.norm(dim=1, keepdim=True), e1)
    e2 = e2 / e2.norm(dim=1, keepdim=True)
    return Plane(torch.stack([e1, e2], 1), r, (e1 * y).sum(1), (e2 * y).sum(1).clamp_min(0.0))


def _orthogonal(v: Tensor, e: Tensor) -> Tensor:
    return v - (v * e).sum(1, keepdim=True) * e


@dataclass(frozen=True)
class Form:
    """m + v·w⊥ + (w⊥ᵀCw⊥ − tr C), one per pair.

    Attributes:
        mean: m as a polynomial (P, 3, 3).
        transverse: v, the coefficients (P, 3, D) of 1, u₁, u₂; None for 0.
        bulk: C (P, D, D); None for 0.
    """

    mean: Tensor
    transverse: Tensor | None = None
    bulk: Tensor | None = None


def quadratic(A: Tensor, plane: Plane) -> Form:
    """wᵀAw for symmetric A (P, D, D): m = uᵀEᵀAEu + tr C, v = 2NAEu, C = NAN."""
    E = plane.basis
    AE = A @ E.mT
    inner = E @ AE
    across = AE - E.mT @ inner
    bulk = A - E.mT @ AE.mT
    bulk = bulk - (bulk @ E.mT) @ E
    mean = A.new_zeros(A.shape[0], 3, 3)
    mean[:, 0, 0] = bulk.diagonal(dim1=1, dim2=2).sum(1)
    mean[:, 2, 0], mean[:, 1, 1], mean[:, 0, 2] = inner[:, 0, 0], inner[:, 0, 1] + inner[:, 1, 0], inner[:, 1, 1]
    return Form(mean, torch.nn.functional.pad(2.0 * across.mT, (0, 0, 1, 0)), bulk)


def linear(p: Tensor, plane: Plane) -> Form:
    """p·w: m = (Eᵀp)·u, v = Np."""
    mean = p.new_zeros(p.shape[0], 3, 3)
    mean[:, 1, 0], mean[:, 0, 1] = (plane.basis @ p[..., None]).squeeze(-1).unbind(1)
    return Form(mean, torch.nn.functional.pad(plane.project_out(p)[:, None], (0, 0, 0, 2)))


def number(c: Tensor) -> Form:
    """c, the same for every w."""
    return Form(torch.nn.functional.pad(c[:, None, None], (0, 2, 0, 2)))


def expected_product(f: Form, g: Form) -> Tensor:
    """E[ff'|u] = mm' + v·v' + 2 C:C' as a polynomial (P, 5, 5)."""
    product = f.mean.new_zeros(f.mean.shape[0], 5, 5)
    for a in range(3):
        for b in range(3 - a):
            product[:, a : a + 3, b : b + 3].addcmul_(f.mean[:, a, b, None, None], g.mean)
    if f.transverse is not None and g.transverse is not None:
        gram = f.transverse @ g.transverse.mT
        for i, (a, b) in enumerate(((0, 0), (1, 0), (0, 1))):
            product[:, a, b] += gram[:, i, 0]
            product[:, a + 1, b] += gram[:, i, 1]
            product[:, a, b + 1] += gram[:, i, 2]
    if f.bulk is not None and g.bulk is not None:
        product[:, 0, 0] += 2.0 * (f.bulk * g.bulk).sum((1, 2))
    return product


def kernel_coefficients(
    left: DenseRows, right: DenseRows, plane: Plane, gradient: bool
) -> tuple[Coefficients, Coefficients]:
    """The polynomials of E φφ' and, with `gradient`, of E ∇φ·∇φ', by the orders (k, l)
    of the derivatives of σ that they multiply.

    With ∇φ = Gx + y, y = 2Awσ'' + bσ' and G = φ with every σ⁽ᵏ⁾ moved to σ⁽ᵏ⁺¹⁾:
    ∇φ·∇φ' = GG' x·x' + G x·y' + G' x'·y + y·y'.

    Args:
        left: rows of x, one per pair.
        right: rows of x', one per pair.
        plane: of each pair.
        gradient: whether the second part is wanted.
    """
    value: Coefficients = {}
    slope: Coefficients = {}
    phi, psi = _feature(left, plane), _feature(right, plane)
    inner = (left.x * right.x).sum(1)[:, None, None]
    for k, f in phi.items():
        for l, g in psi.items():  # noqa: E741 - the field's letter
            value[k, l] = expected_product(f, g)
            if gradient:
                _add(slope, k + 1, l + 1, inner * value[k, l])
    if gradient:
        for k, f in phi.items():
            for l, g in _shift(right, left.x, plane).items():  # noqa: E741
                _add(slope, k + 1, l, expected_product(f, g))
        for l, g in psi.items():  # noqa: E741
            for k, f in _shift(left, right.x, plane).items():
                _add(slope, k, l + 1, expected_product(f, g))
        for (k, l), f in _shift_products(left, right, plane).items():  # noqa: E741
            _add(slope, k, l, torch.nn.functional.pad(f.mean, (0, 2, 0, 2)))
    return value, slope


def _add(table: Coefficients, k: int, l: int, value: Tensor) -> None:  # noqa: E741
    table[k, l] = table[k, l] + value if (k, l) in table else value


def _feature(rows: DenseRows, plane: Plane) -> dict[int, Form]:
    """φ = Qσ'' + ℓσ' + cσ as forms by order."""
    forms: dict[int, Form] = {}
    if rows.c is not None:
        forms[0] = number(rows.c)
    if rows.b is not None:
        forms[1] = linear(rows.b, plane)
    if rows.A is not None:
        forms[2] = quadratic(rows.A, plane)
    return forms


def _shift(rows: DenseRows, x: Tensor, plane: Plane) -> dict[int, Form]:
    """x·y = 2(Ax)·w σ'' + b·x σ' as forms by order, x being the other point."""
    forms: dict[int, Form] = {}
    if rows.b is not None:
        forms[1] = number((rows.b * x).sum(1))
    if rows.A is not None:
        forms[2] = linear(2.0 * (rows.A @ x[..., None]).squeeze(-1), plane)
    return forms


def _shift_products(left: DenseRows, right: DenseRows, plane: Plane) -> dict[tuple[int, int], Form]:
    """y·y' = 4wᵀAA'w σ''σ'' + 2(Ab')·w σ''σ' + 2(A'b)·w σ'σ'' + b·b' σ'σ'."""
    forms: dict[tuple[int, int], Form] = {}
    if left.A is not None and right.A is not None:
        product = left.A @ right.A
        forms[2, 2] = quadratic(2.0 * (product + product.mT), plane)
    if left.A is not None and right.b is not None:
        forms[2, 1] = linear(2.0 * (left.A @ right.b[..., None]).squeeze(-1), plane)
    if left.b is not None and right.A is not None:
        forms[1, 2] = linear(2.0 * (right.A @ left.b[..., None]).squeeze(-1), plane)
    if left.b is not None and right.b is not None:
        forms[1, 1] = number((left.b * right.b).sum(1))
    return forms
