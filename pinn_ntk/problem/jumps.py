"""Values that meet and differ: u jumps there."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain
from pinn_ntk.problem.finding import Finding, shown
from pinn_ntk.problem.meeting import meeting_points
from pinn_ntk.problem.posed import Condition

_AGREE = 1e-6  # relative gap of two values at one point above which u would jump


def jumps(posed: tuple[Condition, ...], domain: Domain) -> Iterator[Finding]:
    """Boundary and initial values that differ where their regions meet, as at a corner: no smooth u takes both."""
    valued = [c for c in posed if c.kind in ("dirichlet", "initial")]
    for i, first in enumerate(valued):
        for second in valued[i + 1 :]:
            x = meeting_points(first.region, second.region, domain)
            if not len(x):
                continue
            a, b = first.values(x), second.values(x)
            if (k := _largest_gap(a, b)) is not None:
                yield Finding(
                    "warning",
                    f"at x = {shown(x[k])} block {first.name!r} gives u = {float(a[k]):.6g} and block "
                    f"{second.name!r} {float(b[k]):.6g}: "
                    "u jumps where they meet, and is not smooth there; correct one of them, or expect errors "
                    "near that place",
                )
    for same in (c for c in posed if c.kind == "periodic" and c.order == 0):
        for one in valued:
            yield from _not_periodic(same, one, meeting_points(same.region, one.region, domain))


def _not_periodic(same: Condition, valued: Condition, x: Tensor) -> Iterator[Finding]:
    """Values that differ at points x and x' where a periodic condition takes u for the same."""
    if same.partner is None or not len(x):
        return
    there = same.partner.points(x)
    a, b = valued.values(x), valued.values(there)
    if (k := _largest_gap(a, b)) is not None:
        yield Finding(
            "warning",
            f"block {valued.name!r} gives u = {float(a[k]):.6g} at x = {shown(x[k])} and {float(b[k]):.6g} at x "
            f"= {shown(there[k])}, where "
            f"block {same.name!r} says that u is the same: no smooth u does both; correct one of them",
        )


def _largest_gap(a: Tensor, b: Tensor) -> int | None:
    """Where two values at the same points differ most, if they do."""
    gap = (a - b).abs().nan_to_num(0.0, 0.0, 0.0)
    size = float(torch.cat([a, b]).nan_to_num(0.0, 0.0, 0.0).abs().max())
    return int(gap.argmax()) if float(gap.max()) > _AGREE * (1.0 + size) else None
