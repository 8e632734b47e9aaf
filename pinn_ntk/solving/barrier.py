"""A bound from residuals to the error, by comparison: where ±𝓛 obeys a maximum principle and w > 0 is a supersolution,
|u − h| ≤ Cw.

With e = u − h, sign s, A ≥ 0 and c ≤ 0 of s𝓛: if −s𝓛w > 0 in Ω, and w > 0 (Dirichlet, initial) or αw + β∂w/∂ν > 0
(Robin, Neumann) on ∂Ω, then C = max(|𝓛e|/(−s𝓛w), |e|/w, |αe + β∂e/∂ν|/(αw + β∂w/∂ν)) gives |e| ≤ Cw everywhere. The
best w of a family is taken.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.regions import ends_of_time
from pinn_ntk.problem.residual import Problem
from pinn_ntk.solving.recipe import Frame

Function = Callable[[Tensor], Tensor]
_ROUNDING = 1e-12  # of the largest eigenvalue, below which one counts as zero
_STEEPNESS = (0.02, 0.25, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_LIFTS = (0.0, 0.1, 1.0, 10.0)
_VALUED = ("dirichlet", "initial")
_SLOPED = ("neumann", "robin")


def obstacle(problem: Problem, rows: Mapping[str, Rows]) -> str:
    """Why there is no such bound; empty where the principle holds at the sampled points.

    Args:
        problem: what was posed.
        rows: of each condition at sampled points, by name.
    """
    conditions, domain = problem.posed, problem.domain
    inner = [c for c in conditions if c.kind == "interior"]
    if domain is None or len(inner) != 1 or not all(c.kind in ("interior", *_VALUED, *_SLOPED) for c in conditions):
        return "it is for one equation on a domain with Dirichlet, Neumann, Robin or initial values"
    own = rows[inner[0].name]
    sign, A = sign_of(own), own.second_order()
    values = torch.linalg.eigvalsh(sign * A)
    if float(values.min()) < -_ROUNDING * max(float(values.abs().max()), 1e-300):
        return "A has eigenvalues of both signs, so that there is no maximum principle"
    if own.c is not None and float((sign * own.c).max()) > 0.0:
        return "c has the sign for which there is no maximum principle"
    for condition in conditions:
        if condition.kind in _SLOPED and not _outward(rows[condition.name], domain):
            return f"{condition.name} has an α or a β below 0"
    covered = {piece for c in conditions for piece in c.region.pieces}
    names = [piece.name for piece in domain.pieces]
    if problem.time and _leaves(own, sign):
        covered.add(ends_of_time(domain)[1])
    missing = [name for name in names if name not in covered]
    return f"nothing is given on {', '.join(missing[:3])}" if missing else ""


def sign_of(rows: Rows) -> float:
    """s = ±1 with s A ≥ 0 where A is definite, else with s c ≤ 0."""
    trace = float(rows.second_order().diagonal(dim1=1, dim2=2).sum())
    if trace == 0.0:
        return -1.0 if rows.c is not None and float(rows.c.sum()) > 0.0 else 1.0
    return math.copysign(1.0, trace)


def _leaves(rows: Rows, sign: float) -> bool:
    """Whether the last coordinate is one in which s𝓛 marches on: A_tt = A_xt = 0 and s b_t < 0."""
    along = rows.second_order()[:, -1]
    return not bool(along.any()) and rows.b is not None and bool((sign * rows.b[:, -1] < 0.0).all())


def _outward(rows: Rows, domain: Domain) -> bool:
    """Whether α ≥ 0 and β ≥ 0."""
    if rows.c is not None and float(rows.c.min()) < 0.0:
        return False
    return rows.b is None or bool(((rows.b * domain.normal(rows.x)).sum(1) >= 0.0).all())


def best_bound(
    conditions: Sequence[Condition], rows: Mapping[str, Rows], residuals: Mapping[str, Tensor], frame: Frame, time: bool
) -> tuple[float, str] | None:
    """(max Cw, the w in words) of the best barrier; None where none of the family is a supersolution.

    Args:
        conditions: all of them.
        rows: of each at sampled points, by name.
        residuals: 𝓛_b h − f_b at the same points.
        frame: the bounding box.
        time: whether the last coordinate is time.
    """
    sign = next(sign_of(rows[c.name]) for c in conditions if c.kind == "interior")
    best: tuple[float, str] | None = None
    for w, words in _family(frame, time):
        C, top = 0.0, 0.0
        for condition in conditions:
            at, e = rows[condition.name], residuals[condition.name].abs()
            left = at.apply(w) * (-sign if condition.kind == "interior" else 1.0)
            if not bool((left > 0.0).all()):
                C = math.inf
                break
            C, top = max(C, float((e / left).max())), max(top, float(w(at.x).max()))
        if math.isfinite(C) and (best is None or C * top < best[0]):
            best = (C * top, words)
    return best


def _family(frame: Frame, time: bool) -> Iterator[tuple[Function, str]]:
    """w = 1; w = K − exp(λs) in s along each axis, both ways; over time also 1 + Kτ + μ|x − x₀|²."""
    yield lambda x: torch.ones_like(x[:, 0]) + 0.0 * x[:, 0], "w = 1"
    low, half = (
        torch.tensor(frame.low, dtype=torch.float64, device="cpu"),
        torch.tensor(frame.half, dtype=torch.float64, device="cpu"),
    )
    for axis in range(frame.dim):
        for direction in (1.0, -1.0):
            for steep in _STEEPNESS:
                for lift in _LIFTS:
                    yield (
                        _exponential(axis, direction, steep, lift, low, half),
                        f"w = K − exp(λs), s along x{axis + 1}, λ = {steep:g}/length",
                    )
    if time:
        centre = low + half
        for growth in (0.0, 1.0, 4.0, 16.0, 64.0):
            for bowl in (0.0, 0.1, 1.0):
                yield _bowl(growth, bowl, centre, low, half), "w = 1 + Kt + μ|x − x₀|²"


def _exponential(axis: int, direction: float, steep: float, lift: float, low: Tensor, half: Tensor) -> Function:
    def w(x: Tensor) -> Tensor:
        share = (x[:, axis] - low[axis]) / (2.0 * half[axis])
        share = share if direction > 0.0 else 1.0 - share
        return (math.exp(steep) * (1.0 + lift) - torch.exp(steep * share)) / steep

    return w


def _bowl(growth: float, bowl: float, centre: Tensor, low: Tensor, half: Tensor) -> Function:
    def w(x: Tensor) -> Tensor:
        away = ((x[:, :-1] - centre[:-1]) / half[:-1]).square().sum(1)
        return 1.0 + growth * (x[:, -1] - low[-1]) / (2.0 * half[-1]) + bowl * away

    return w
