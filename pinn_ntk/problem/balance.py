"""Sources against fluxes: where 𝓛u = ∇·(A∇u + βu) with a flux of zero or a given one through the whole of ∂Ω,
∫_Ω f is the flux, or no u exists.

𝓛 is of this kind where c = 0, β = b − ∇·A has no divergence and no component along ν on walls. Through a wall with
Aν = κν and ∂u/∂ν = g the flux is ∫κg; through opposite faces of a periodic box it is nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain, Piece
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.constants import FreeConstant
from pinn_ntk.problem.coverage import covered, the_equation
from pinn_ntk.problem.finding import ILL_POSED, Finding, shown
from pinn_ntk.problem.posed import Condition

_POINTS, _DRAWS, _SEED = 2**14, 8, 860_011  # of an integral, how often, and from which seed on
_GAP = 1e-2  # of ∫|f| + ∫|κg|: well above what the sampled integrals are off by
_ERRORS = 10.0  # of the integrals' standard errors
_LOOKS, _CLOSER, _HIDDEN = 4096, 6, 4.0  # where f is largest: points, how often closer, how much more is a feature
_CHECKED, _ON_PIECE = 256, 64  # points at which 𝓛 and walls are looked at
_DIFFERENCE, _ROUNDING = 1e-5, 1e-4  # step in sides of the box, and what is zero of differences, relatively


@dataclass(frozen=True)
class _Integral:
    """∫f with ∫|f| and the standard error of the first."""

    value: float
    size: float
    error: float


def unbalanced(posed: tuple[Condition, ...], domain: Domain, free: Sequence[FreeConstant]) -> Iterator[Finding]:
    """Parts of the domain on which ∫f differs from the flux of the data.

    Args:
        posed: all conditions.
        domain: Ω, or Ω × [t₀, T].
        free: the constants that may be added to u; only where one is free do fluxes alone decide.
    """
    equation = the_equation(posed)
    for one in free if equation is not None else ():
        walls = _walls(posed, domain, one)
        if walls is None or equation is None or not _conserves(equation.operator, domain, one, walls):
            continue
        if _hidden(equation, domain):
            continue
        source = _source(equation, domain, one)
        fluxes = [_flux(equation.operator, condition, piece, one) for piece, condition in walls]
        value, size = sum(f.value for f in fluxes), source.size + sum(f.size for f in fluxes)
        error = source.error + sum(f.error for f in fluxes)
        if abs(source.value - value) > max(_GAP * size, _ERRORS * error):
            yield Finding(ILL_POSED, _words(source.value, value, one, walls=bool(walls)))


def _words(left: float, right: float, one: FreeConstant, *, walls: bool) -> str:
    where = "in Ω" if one.whole else f"in the part about x = {shown(one.place)}"
    if not walls:
        return (
            f"got ∫f = {left:.4g} {where}, which is periodic; it has to be 0, or no u exists: take its mean from the "
            "source, or add a term in u"
        )
    return (
        f"got ∫f = {left:.4g} {where} and {right:.4g} as the flux of the Neumann data through ∂Ω; they have to be "
        "equal, or no u exists: "
        "change the source or the data by a constant, or give u on a part of the boundary"
    )


Walls = list[tuple[Piece, Condition]]


def _walls(posed: tuple[Condition, ...], domain: Domain, one: FreeConstant) -> Walls | None:
    """The pieces about these parts with the flux that is given on each; periodic ones are left out. None where
    something else is said there, or nothing.
    """
    walls: Walls = []
    given = [c for c in posed if c.kind != "interior"]
    if any(c.kind == "data" and bool(one.holds(c.region.sample(1, 0)).any()) for c in given):
        return None
    for piece in domain.pieces:
        x = piece.sample(_ON_PIECE, 0)
        if not bool(one.holds(x).any()):
            continue
        on = [c for c in given if piece.name in covered(c, domain)]
        paired = [c for c in on if c.kind == "periodic" and c.number == 0.0]
        if len(on) == len(paired) == 2 and {c.order for c in on} == {0, 1}:
            continue
        if len(on) != 1 or on[0].partner is not None or not _is_flux(on[0], piece, x):
            return None
        walls.append((piece, on[0]))
    return walls


def _is_flux(condition: Condition, piece: Piece, x: Tensor) -> bool:
    """Whether a condition is about ∂u/∂ν alone, with a factor that is nowhere 0."""
    A, b, c = condition.operator.coefficients(x)
    along = (b * piece.normal(x)).sum(1)
    across = (b - along[:, None] * piece.normal(x)).abs().amax(1)
    return not bool(A.any() or c.any()) and bool((across <= 1e-9 * along.abs()).all() and (along != 0).all())


def _conserves(operator: SecondOrderOperator, domain: Domain, one: FreeConstant, walls: Walls) -> bool:
    """Whether 𝓛u = ∇·(A∇u + βu) with A∇u + βu = κ∂u/∂ν through the walls, and the same on opposite faces."""
    low, high = _ends(domain)
    sides = high - low
    x = _well_inside(domain, one, sides)
    if not len(x):
        return False
    A, b, _ = operator.coefficients(x)
    slopes = [_slope(operator, x, j, float(_DIFFERENCE * sides[j]), domain.dim) for j in range(domain.dim)]
    div_a = sum((dA[:, j] for j, (dA, _) in enumerate(slopes)), torch.zeros_like(b))
    div_b = sum((db[:, j] for j, (_, db) in enumerate(slopes)), torch.zeros_like(b[:, 0]))
    beta, size = b - div_a, float(b.abs().max() + div_a.abs().max())
    drifts = bool((beta.abs() > _ROUNDING * size).any())
    if drifts and bool(div_a.abs().max() > _ROUNDING * (A.abs().max() / sides.max())):
        return False  # ∇·β would take second differences of A
    if drifts and bool((div_b.abs() > _ROUNDING * size / sides.max()).any()):
        return False
    return _walls_fit(operator, walls, drifts=drifts) and _faces_fit(operator, domain, walls)


def _ends(domain: Domain) -> tuple[Tensor, Tensor]:
    """The ends of the bounding box, (d,) each."""
    low, high = (torch.tensor(ends, dtype=torch.float64, device="cpu") for ends in (domain.low, domain.high))
    return low, high


def _well_inside(domain: Domain, one: FreeConstant, sides: Tensor) -> Tensor:
    """Points of these parts about which differences stay inside."""
    x = domain.interior(_CHECKED)
    x = x[one.holds(x)]
    steps = 2 * _DIFFERENCE * torch.diag(sides)
    kept = torch.stack([domain.inside(x + sign * e) for e in steps for sign in (-1.0, 1.0)]).all(0)
    return x[kept]


def _slope(operator: SecondOrderOperator, x: Tensor, j: int, h: float, dim: int) -> tuple[Tensor, Tensor]:
    """∂_jA and ∂_jb by central differences."""
    step = x.new_zeros(dim)
    step[j] = h
    (ahead, b_ahead, _), (behind, b_behind, _) = (operator.coefficients(x + sign * step) for sign in (1.0, -1.0))
    return (ahead - behind) / (2 * h), (b_ahead - b_behind) / (2 * h)


def _walls_fit(operator: SecondOrderOperator, walls: Walls, *, drifts: bool) -> bool:
    """Aν = κν, and b·ν = 0 where β is not 0."""
    for piece, _ in walls:
        x = piece.sample(_ON_PIECE, 0)
        normal = piece.normal(x)
        A, b, _ = operator.coefficients(x)
        a = torch.einsum("nij,nj->ni", A, normal)
        kappa = (a * normal).sum(1, keepdim=True)
        skew = (a - kappa * normal).abs().amax() > 1e-9 * A.abs().amax()
        through = drifts and (b * normal).sum(1).abs().amax() > 1e-9 * b.abs().amax()
        if bool(skew) or bool(through):
            return False
    return True


def _faces_fit(operator: SecondOrderOperator, domain: Domain, walls: Walls) -> bool:
    """The same A and b on opposite faces: every piece that is no wall is a face of a box, where periodic conditions
    are.
    """
    named = {piece.name for piece, _ in walls}
    low, high = _ends(domain)
    sizes = [float(part.abs().amax()) for part in operator.coefficients(domain.interior(_CHECKED))[:2]]
    for piece in domain.pieces:
        if piece.name in named:
            continue
        x = piece.sample(_ON_PIECE, 0)
        axis = int(piece.normal(x[:1])[0].abs().argmax())
        across = x.clone()
        across[:, axis] = low[axis] + high[axis] - x[:, axis]
        for one, other, size in zip(
            operator.coefficients(x)[:2], operator.coefficients(across)[:2], sizes, strict=True
        ):
            if float((one - other).abs().amax()) > 1e-9 * size:
                return False
    return True


def _hidden(equation: Condition, domain: Domain) -> bool:
    """Whether f rises by far where one looks closer at its largest value: an integral would miss the spot."""
    x, (low, high) = domain.interior(_LOOKS, _SEED), _ends(domain)
    values = equation.values(x).abs()
    first = best = float(values.amax())
    middle, width = x[values.argmax()], high - low
    for _ in range(_CLOSER):
        width = 0.2 * width
        near = torch.minimum(torch.maximum(middle + width * (x - low - 0.5 * (high - low)) / (high - low), low), high)
        near = near[domain.inside(near)]
        if not len(near):
            break
        values = equation.values(near).abs()
        if float(values.amax()) > best:
            best, middle = float(values.amax()), near[values.argmax()]
    return best > _HIDDEN * first


def _source(equation: Condition, domain: Domain, one: FreeConstant) -> _Integral:
    """∫f over these parts."""
    if one.whole and equation.number is not None:
        return _Integral(equation.number * domain.volume, abs(equation.number) * domain.volume, 0.0)
    draws = [domain.interior(_POINTS, _SEED + k) for k in range(_DRAWS if equation.number is None else 2)]
    return _integral([equation.values(x).where(one.holds(x), 0.0) for x in draws], domain.volume)


def _flux(operator: SecondOrderOperator, condition: Condition, piece: Piece, one: FreeConstant) -> _Integral:
    """∫κg over what of the piece is about these parts."""
    if condition.number == 0.0:
        return _Integral(0.0, 0.0, 0.0)
    draws = []
    for k in range(_DRAWS):
        x = piece.sample(_POINTS // 4, _SEED + k)
        normal = piece.normal(x)
        A, _, _ = operator.coefficients(x)
        factor = (condition.operator.coefficients(x)[1] * normal).sum(1)
        kappa = torch.einsum("nij,ni,nj->n", A, normal, normal)
        draws.append((kappa * condition.values(x) / factor).where(one.holds(x), 0.0))
    return _integral(draws, piece.measure)


def _integral(draws: list[Tensor], measure: float) -> _Integral:
    """From values on several draws of points."""
    means = torch.stack([v.mean() for v in draws]) * measure
    size = float(torch.stack([v.abs().mean() for v in draws]).mean()) * measure
    return _Integral(float(means.mean()), size, float(means.std()) / len(draws) ** 0.5)
