"""Unions, differences and intersections of domains, checked."""

from collections.abc import Sequence

from pinn_ntk.geometry.combined import VOLUME_POINTS, Combined
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.rules import checked


@checked
def union(*domains: Domain) -> Combined:
    """int ∪_k Ω̄_k: what lies in one of the domains or between two that share a face;
    unions among them are taken apart.

    Pieces keep their names; one that several parts have is preceded by the part's number, as in `2: x=0`.

    Raises:
        ValueError: fewer than two domains, or unlike ones.

    Examples:
        >>> from pinn_ntk import box, union
        >>> halves = union(box([0, 0], [1, 1]), box([1, 0], [2, 1]))
        >>> round(halves.volume, 2), len(halves.pieces)  # the common face is inside
        (2.0, 6)
    """
    return _combined("union", [part for domain in domains for part in _apart(domain, "union")], len(domains))


@checked
def difference(domain: Domain, *taken: Domain) -> Combined:
    """Ω ∖ ∪_k Ω̄_k: the domain without others; unions among these, and a difference in front, are taken apart.

    Pieces keep their names; one that several parts have is preceded by the part's number, as in `2: circle`, the domain
    itself being 1. The pieces of what is taken away have the normals that point out of what is left.

    Raises:
        ValueError: nothing to take away, unlike domains, or nothing left.

    Examples:
        >>> import math
        >>> from pinn_ntk import ball, box, difference
        >>> plate = difference(box([0, 0], [1, 1]), ball([0.5, 0.5], 0.25))
        >>> math.isclose(plate.volume, 1 - math.pi / 16), plate.pieces[-1].name
        (True, 'circle')
    """
    parts = [*_apart(domain, "difference"), *(part for other in taken for part in _apart(other, "union"))]
    return _combined("difference", parts, 1 + len(taken))


@checked
def intersection(*domains: Domain) -> Combined:
    """∩_k Ω_k: what lies in all of the domains; intersections among them are taken apart.

    Pieces keep their names; one that several parts have is preceded by the part's number, as in `2: x=0`.

    Raises:
        ValueError: fewer than two domains, unlike ones, or nothing in all of them.

    Examples:
        >>> import torch
        >>> from pinn_ntk import ball, box, intersection
        >>> quarter = intersection(ball([0, 0], 1), box([0, 0], [1, 1]))
        >>> quarter.contains(torch.tensor([[0.5, 0.5], [0.9, 0.9], [-0.5, 0.5]]))
        tensor([ True, False, False])
    """
    return _combined(
        "intersection", [part for domain in domains for part in _apart(domain, "intersection")], len(domains)
    )


def _apart(domain: Domain, kind: str) -> tuple[Domain, ...]:
    return domain.parts if isinstance(domain, Combined) and domain.kind == kind else (domain,)


def _combined(kind: str, parts: Sequence[Domain], given: int) -> Combined:
    if given < 2:
        raise ValueError(f"{kind}: got {given} domain, expected two or more")
    for k, part in enumerate(parts, start=1):
        if not isinstance(part, Domain):
            raise ValueError(f"{kind}: got {part!r} as part {k}, expected a domain, such as box(0, 1)")
        if isinstance(part, OverTime):
            raise ValueError(
                f"{kind}: got {part} as part {k}, a domain over time; combine domains in space first, then take "
                "over_time"
            )
        if part.dim != parts[0].dim:
            raise ValueError(
                f"{kind}: got domains of {parts[0].dim} and {part.dim} dimensions, expected one dimension: "
                f"{parts[0]}, {part}"
            )
    combined = Combined(kind, tuple(parts))
    empty = any(lo >= hi for lo, hi in zip(combined.low, combined.high, strict=True))
    if empty or combined.filled == 0.0:
        raise ValueError(
            f"{kind}: got an empty domain, {combined}: none of {VOLUME_POINTS:,} points is inside; expected "
            "parts that leave something"
        )
    return combined
