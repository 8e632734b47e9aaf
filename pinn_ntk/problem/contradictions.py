"""The same thing given twice with different values: two conditions on one piece, a datum on a piece, a datum twice.

Values that only meet, as at a corner, are for `jumps`.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain
from pinn_ntk.problem.finding import ILL_POSED, NOTE, WARNING, Finding, shown
from pinn_ntk.problem.posed import Condition

_ON_PIECE = 64  # points of a piece
_PARALLEL = 1e-9  # what counts as zero among normalised rows
_AGREE, _CLASH = 1e-6, 1e-2  # of the values: what differs at all, and what no rounding or interpolation explains
_SPREAD = 0.2  # of what values span: measurements that are said to be exact may differ by this much
_DEVIATIONS = 8.0  # of declared noise
_SAME_PLACE = 1e-12  # of the box: how close two points are that are one


def contradictions(posed: tuple[Condition, ...], domain: Domain) -> list[Finding]:
    """Conditions and data that give different values to the same thing.

    Args:
        posed: all conditions.
        domain: Ω, or Ω × [t₀, T].
    """
    given = [c for c in posed if c.kind != "interior" and c.partner is None]
    data = [c for c in given if c.kind == "data"]
    found = [f for one, other in combinations(given, 2) for f in _on_common_pieces(one, other, domain)]
    found += _not_periodic(posed, given, domain)
    return [*found, *_clashing_data(data, given, domain)] if data else found


def _on_common_pieces(one: Condition, other: Condition, domain: Domain) -> Iterator[Finding]:
    """𝓛u = f and 𝓜u = g on one piece with 𝓛 = k𝓜 and f ≠ kg."""
    common = [piece for piece in domain.pieces if piece.name in one.region.pieces and piece.name in other.region.pieces]
    for piece in common:
        x = piece.sample(_ON_PIECE, 0)
        rows = [_row(condition, x) for condition in (one, other)]
        sizes = [row.norm(dim=1, keepdim=True) for row in rows]
        first, second = (row / size for row, size in zip(rows, sizes, strict=True))
        sign = (first * second).sum(1).sign()
        same = (first - sign[:, None] * second).abs().amax(1) <= _PARALLEL
        f = one.values(x)
        g = other.values(x) * sign * sizes[0][:, 0] / sizes[1][:, 0]  # as if both were written as the first one
        gap = torch.where(same, (f - g).abs(), 0.0)
        k, size = int(gap.argmax()), float(torch.maximum(f.abs(), g.abs())[same].amax()) if bool(same.any()) else 1.0
        if float(gap[k]) <= _AGREE * size:  # read back: a check of the problem, once
            continue
        severity = ILL_POSED if float(gap[k]) > _CLASH * size else WARNING  # read back: a check of the problem, once
        yield Finding(
            severity,
            f"blocks {one.name!r} and {other.name!r} give the same thing twice on {piece.name}, with the values "
            f"{float(f[k]):.6g} and {float(g[k]):.6g} at x = {shown(x[k])}: no u takes both; drop one of them",
        )
        return


def _row(condition: Condition, x: Tensor) -> Tensor:
    """(A, b, c) at points in one row, (n, d² + d + 1)."""
    A, b, c = condition.operator.coefficients(x)
    return torch.cat([A.flatten(1), b, c[:, None]], 1)


def _not_periodic(posed: Sequence[Condition], given: Sequence[Condition], domain: Domain) -> Iterator[Finding]:
    """Values on two pieces where u is said to be the same, and they are not."""
    valued = _valued(given)
    for same in (c for c in posed if c.kind == "periodic" and c.order == 0 and c.partner is not None and valued):
        x = same.region.sample(_ON_PIECE, 0)
        there = same.partner.points(x) if same.partner is not None else x
        for one in valued:
            for other in valued:
                both = _on(one, domain, x) & _on(other, domain, there)
                if not bool(both.any()):
                    continue
                a, b = one.values(x[both]), other.values(there[both])
                gap, size = (a - b).abs(), float(torch.cat([a, b]).abs().amax())
                k = int(gap.argmax())
                if float(gap[k]) > _CLASH * size:  # read back: a check of the problem, once
                    yield Finding(
                        ILL_POSED,
                        f"block {one.name!r} gives u = {float(a[k]):.6g} at x = {shown(x[both][k])} and block "
                        f"{other.name!r} {float(b[k]):.6g} at x = {shown(there[both][k])}, where block {same.name!r} "
                        "says that u is the same: no u does both; correct one of them",
                    )


def _valued(given: Sequence[Condition]) -> list[Condition]:
    return [c for c in given if c.kind in ("dirichlet", "initial")]


def _on(condition: Condition, domain: Domain, x: Tensor) -> Tensor:
    """Whether points are on the condition's pieces, (n,) booleans."""
    found = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for piece in domain.pieces:
        if piece.name in condition.region.pieces:
            found |= piece.contains(x)
    return found


def _clashing_data(data: Sequence[Condition], given: Sequence[Condition], domain: Domain) -> Iterator[Finding]:
    """A datum against another one at its place, and against the value of a condition there."""
    drawn = [(c, c.region.sample(1, 0)) for c in data]
    x = torch.cat([points for _, points in drawn])
    y = torch.cat([c.values(points) for c, points in drawn])
    noise = torch.cat([torch.full_like(points[:, 0], _noise(c)) for c, points in drawn])
    names = [c.name for c, points in drawn for _ in range(len(points))]
    limit = _SPREAD * _span(x, y, given, domain)
    if found := _worst_repeat(_places(x, domain), y, noise, limit):
        i, j = found
        yield Finding(ILL_POSED, _clash(names[i], names[j], x[i], y[i], y[j]))
    elif found := _worst_repeat(_places(x, domain), y, noise, _AGREE * limit / _SPREAD):
        i, j = found
        words = _clash(names[i], names[j], x[i], y[i], y[j]).partition(": no u takes both")[0]
        yield Finding(NOTE, f"{words}: taken for noise of measurements; say noise=σ, or correct one of them")
    on, least = torch.zeros_like(y, dtype=torch.bool), torch.full_like(y, torch.inf)
    closest = torch.zeros_like(y)
    for condition in _valued(given):
        here = _on(condition, domain, x)
        values = condition.values(x)
        nearer = here & ((values - y).abs() < least)
        closest, least, on = (
            torch.where(nearer, values, closest),
            torch.where(nearer, (values - y).abs(), least),
            on | here,
        )
    worse = on & least.isfinite() & (least > _allowed(noise, limit))
    if bool(worse.any()):  # read back: a check of the problem, once
        i = int(least.where(worse, -torch.ones_like(least)).argmax())
        other = next(c.name for c in _valued(given) if bool(_on(c, domain, x[i : i + 1])))
        yield Finding(ILL_POSED, _clash(names[i], other, x[i], y[i], closest[i]))


def _noise(condition: Condition) -> float:
    """σ, where it is declared; 0 where it is not."""
    declared = getattr(condition, "noise", None)
    return float(declared) if isinstance(declared, (int, float)) else 0.0


def _allowed(noise: Tensor, limit: float) -> Tensor:
    """How far values may be apart: by declared noise, else by a share of what the values span."""
    return torch.where(noise > 0, _DEVIATIONS * noise, limit)


def _places(x: Tensor, domain: Domain) -> Tensor:
    """(n,), a whole number for each place: points that differ by rounding have the same one."""
    sides = x.new_tensor(domain.high) - x.new_tensor(domain.low)
    low = x.new_tensor(domain.low)
    place: Tensor = torch.unique(((x - low) / (sides * _SAME_PLACE)).round(), dim=0, return_inverse=True)[1]
    return place


def _span(x: Tensor, y: Tensor, given: Sequence[Condition], domain: Domain) -> float:
    """max − min of what is known of u, repeated data by their means; where that is one value, its size."""
    place = _places(x, domain)
    times = torch.bincount(place)
    means = torch.bincount(place, weights=y) / times
    sampled = [c.values(c.region.sample(max(_ON_PIECE, len(c.region.pieces)), 0)) for c in _valued(given)]
    known = torch.cat([means, *sampled])
    known = known[known.isfinite()]
    span, size = float(known.amax() - known.amin()), float(torch.cat([known, y]).abs().amax())
    return span if span > 1e-9 * size else size


def _worst_repeat(place: Tensor, y: Tensor, noise: Tensor, limit: float) -> tuple[int, int] | None:
    """Two data at one place that are furthest beyond what is allowed, by number."""
    order = torch.argsort(y, stable=True)
    order = order[torch.argsort(place[order], stable=True)]
    first = torch.cat([place.new_ones(1), place[order][1:] - place[order][:-1]]) != 0
    start = order[first]  # the least of each place, the largest being before the next one begins
    end = order[torch.cat([first[1:], first.new_ones(1)])]
    allowed = _allowed(torch.hypot(noise[start], noise[end]), limit)
    excess = (y[end] - y[start]) / allowed.clamp_min(torch.finfo(y.dtype).tiny)
    k = int(excess.argmax())
    # read back: a check of the problem, once
    return (int(start[k]), int(end[k])) if float(excess[k]) > 1.0 else None


def _clash(first: str, second: str, x: Tensor, a: Tensor, b: Tensor) -> str:
    names = f"block {first!r} gives" if first == second else f"blocks {first!r} and {second!r} give"
    return (
        f"{names} u = {float(a):.6g} and u = {float(b):.6g} at x = {shown(x)}: no u takes both; correct one of "
        "them, or give noise=σ if these are measurements"
    )
