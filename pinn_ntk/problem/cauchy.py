"""Cauchy's problem: everything is given on one end of an axis, or on one piece of ∂Ω, and nothing where u goes to.

With normal ν there, a = Aν and q = ν·Aν, u(x) = e^{iξ·x + τν·x} solves the leading part where
qτ² + 2i(a·ξ)τ − ξ·Aξ = 0: u depends on the data continuously only if M = aaᵀ − qA ≥ 0 (the equation is hyperbolic
along ν). Where A has no entry along an axis, b_j u_j + A:∇²u carries e^{iξ·x} by the factor e^{(ξ·Aξ/b_j)s}, bounded
for all ξ only if b_j A ≤ 0 from the start, ≥ 0 from the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.expressions import variable_names
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain, Piece
from pinn_ntk.problem.coverage import across, called, coverage, the_equation
from pinn_ntk.problem.finding import ILL_POSED, WARNING, Finding, shown
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.regions import ends_of_time

_POINTS, _NUMBERS = 4096, 2**20  # points inside, and entries of A that are looked at
_ON_PIECE = 64
_ROUNDING = 1e-6  # of the largest: what counts as zero
_UNBOUNDED = "u depends on the data without bound"


@dataclass(frozen=True)
class _Axis:
    """A coordinate with ends, one of which alone has conditions.

    Attributes:
        number: its place.
        name: t, or what the coordinate is called.
        given: the end that has conditions, as a person calls it.
        bare: the other one.
        sign: 1 if u is known at the lower end, else −1.
    """

    number: int
    name: str
    given: str
    bare: str
    sign: float


def cauchy_problems(posed: tuple[Condition, ...], domain: Domain, time: bool) -> list[Finding]:
    """Problems whose data are all at one end, and whose solutions depend on them without bound:
    heat backwards, an elliptic equation with initial values, value and flux on one piece and nothing on another.

    Measured data may hold u where that is so: then it is a warning.

    Args:
        posed: all conditions.
        domain: Ω, or Ω × [t₀, T].
        time: whether the last coordinate is time.
    """
    equation = the_equation(posed)
    if equation is None or equation.order < 2 or domain.dim < 2:
        return []
    x = domain.interior(max(16, min(_POINTS, _NUMBERS // domain.dim**2)))
    A, b, _ = equation.operator.coefficients(x)
    words = [
        message
        for axis in _one_sided(posed, domain, time, A)
        for message in (_along(axis, A, b, x) if bool(A[:, axis.number].any()) else _backwards(axis, A, b, x))
    ]
    words += _on_one_piece(equation, posed, domain, time)
    severity = WARNING if any(c.kind == "data" for c in posed) else ILL_POSED
    return [Finding(severity, message) for message in words]


def _one_sided(posed: tuple[Condition, ...], domain: Domain, time: bool, A: Tensor) -> Iterator[_Axis]:
    """Time, and the axes of a box along which nothing diffuses, with conditions at one end alone."""
    spoken = coverage([c for c in posed if c.kind != "interior"], domain)
    own, names = called(domain, time), variable_names(domain.dim, time)
    if time:
        ends = [(domain.dim - 1, *ends_of_time(domain))]
    elif isinstance(domain, Box):
        pieces = [piece.name for piece in domain.pieces]
        ends = [(j, pieces[2 * j], pieces[2 * j + 1]) for j in range(domain.dim) if not bool(A[:, j].any())]
    else:
        ends = []
    for j, low, high in ends:
        if bool(spoken[low]) != bool(spoken[high]):
            given, bare = (low, high) if spoken[low] else (high, low)
            yield _Axis(j, names[j], own[given], own[bare], 1.0 if given == low else -1.0)


def _backwards(axis: _Axis, A: Tensor, b: Tensor, x: Tensor) -> Iterator[str]:
    """b_j u_j + A:∇²u = f against its direction."""
    values = torch.linalg.eigvalsh(A)
    growth = axis.sign * b[:, axis.number, None] * values
    bad = growth.amax(1) > _ROUNDING * growth.abs().max()
    if not bool(bad.any()):
        return
    t = axis.name
    sign = "a minus before A, as in u_t − Δu, or " if axis.sign > 0 else ""
    yield (
        f"backward heat: {_UNBOUNDED} (A against u_{t} has the wrong sign) {_where(bad, x)}, with conditions "
        f"at {axis.given} and nothing at {axis.bare}; write {sign}the value at {axis.bare} in place of that at "
        f"{axis.given}"
    )


def _along(axis: _Axis, A: Tensor, b: Tensor, x: Tensor) -> Iterator[str]:  # noqa: ARG001  as `_backwards`
    """Two derivatives along the axis, as in u_tt, and an equation that is not hyperbolic along it."""
    normal = torch.zeros_like(x)
    normal[:, axis.number] = 1.0
    bad = _not_hyperbolic(A, normal)
    if not bool(bad.any()):
        return
    t, values = axis.name, torch.linalg.eigvalsh(A[bad])
    elliptic = bool(((values > 0).all(1) | (values < 0).all(1)).any())
    kind = f"elliptic, as u_{t}{t} + Δu = 0," if elliptic else f"not hyperbolic in {t}"
    yield (
        f"values at {axis.given} alone for an equation that is {kind} {_where(bad, x)}: {_UNBOUNDED}; write "
        f"opposite signs of A in {t} and in space, as in u_{t}{t} − Δu, or give a condition at {axis.bare} in place of "
        f"a second one at {axis.given}"
    )


def _not_hyperbolic(A: Tensor, normal: Tensor) -> Tensor:
    """Whether aaᵀ − qA has a negative eigenvalue, a = Aν and q = ν·Aν, (n,) booleans."""
    a = torch.einsum("nij,nj->ni", A, normal)
    q = (a * normal).sum(1)
    one, other = a[:, :, None] * a[:, None, :], q[:, None, None] * A
    size = one.abs().max() + other.abs().max()
    least: Tensor = torch.linalg.eigvalsh(one - other)[:, 0]
    return least < -_ROUNDING * size


def _on_one_piece(equation: Condition, posed: tuple[Condition, ...], domain: Domain, time: bool) -> Iterator[str]:
    """Value and normal derivative on one wall, while another one, where u needs a condition, has none."""
    space = domain.dim - time
    ends = ends_of_time(domain) if time else ()
    given = [c for c in posed if c.kind not in ("interior", "data", "periodic") and c.partner is None]
    spoken, names = coverage([c for c in posed if c.kind != "interior"], domain), called(domain, time)
    walls = [piece for piece in domain.pieces if piece.name not in ends]
    bare = [p.name for p in walls if not spoken[p.name] and across(equation, domain, p.name, time)]
    if not bare or (space == 1 and not time):  # on an interval both conditions may be at one end
        return
    for piece in walls:
        on = [c for c in given if piece.name in c.region.pieces]
        if len(on) > 1 and _cauchy_data(on, piece) and _unbounded_from(equation, piece, time):
            yield (
                f"value and normal derivative are given on {names[piece.name]} and nothing on "
                f"{', '.join(names[name] for name in bare)}: {_UNBOUNDED} there (Cauchy data for an equation that "
                f"is not hyperbolic); give one of the two on {names[bare[0]]}"
            )
            return


def _cauchy_data(on: list[Condition], piece: Piece) -> bool:
    """Whether conditions on a piece say both u and ∂u/∂ν: rows (c, b·ν) that are not parallel."""
    x = piece.sample(_ON_PIECE, 0)
    normal, rows = piece.normal(x), []
    for condition in on:
        A, b, c = condition.operator.coefficients(x)
        if not bool(A.any()):
            rows.append(torch.nn.functional.normalize(torch.stack([c, (b * normal).sum(1)], 1), dim=1))
    return any(
        bool((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).abs().gt(_ROUNDING).all())
        for i, p in enumerate(rows)
        for q in rows[i + 1 :]
    )


def _unbounded_from(equation: Condition, piece: Piece, time: bool) -> bool:
    """Whether the equation cannot be continued from its Cauchy data on the piece: it is not hyperbolic along ν,
    or is a heat equation, sideways.
    """
    x = piece.sample(_ON_PIECE, 0)
    A, b, _ = equation.operator.coefficients(x)
    parabolic = time and not bool(A[:, -1].any()) and bool(b[:, -1].any())
    return parabolic or bool(_not_hyperbolic(A, piece.normal(x)).any())


def _where(bad: Tensor, x: Tensor) -> str:
    """Everywhere, or the share and one point."""
    if bool(bad.all()):
        return "everywhere in Ω"
    share = 100.0 * float(bad.double().mean())  # read back: words of a finding
    return f"in about {share:.0f} % of Ω, as at x = {shown(x[bad][0])}"
