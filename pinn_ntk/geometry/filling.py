"""Exactly n points inside: candidates are drawn where they are easily drawn, and those that are inside are kept."""

import math
from collections.abc import Callable

from torch import Tensor

_TRIES, _TRIES_PER_POINT = 2**20, 2**11  # candidates drawn before giving up

_TELLING = 64  # points inside from which a lattice tells how many a finer one has


def fill(draw: Callable[[int], Tensor], keep: Callable[[Tensor], Tensor], n: int, most: int, what: str) -> Tensor:
    """The first n candidates that are kept, (n, d).

    Args:
        draw: m → the first m candidates.
        keep: candidates → booleans.
        n: how many.
        most: how many candidates can be held.
        what: what they are, for the message.

    Raises:
        ValueError: too few are kept of as many candidates as are tried; with the acceptance rate.
    """
    limit, m = min(most, max(_TRIES, _TRIES_PER_POINT * n)), n
    while True:
        candidates = draw(m)
        x = candidates[keep(candidates)]
        if len(x) >= n:
            return x[:n]
        if m >= limit:
            raise ValueError(
                f"{what}: got {len(x)} of {m:,} candidates inside, an acceptance rate of {len(x) / m:.2g}, "
                f"expected {n}; "
                "ask for fewer points, or describe a domain that fills more of its bounding box"
            )
        m = min(limit, max(2 * m, math.ceil(1.1 * n * m / max(len(x), 1))))


def fill_lattice(
    draw: Callable[[int], Tensor], keep: Callable[[Tensor], Tensor], n: int, dim: int, most: int, what: str
) -> Tensor:
    """The points of the smallest lattice of which n or more are kept, if they are n, (n, d).

    Args:
        draw: m^d → that lattice.
        keep: candidates → booleans.
        n: how many.
        dim: d.
        most: how many candidates can be held.
        what: what they are, for the message.

    Raises:
        ValueError: another number is kept; the two possible numbers next to n are told.
    """
    m, below = max(1, math.floor(n ** (1 / dim))), 0
    while m**dim <= most:
        candidates = draw(m**dim)
        x = candidates[keep(candidates)]
        if len(x) == n:
            return x
        if len(x) > n:
            possible = f"{below} or {len(x)}" if below else f"{len(x)}"
            raise ValueError(
                f"{what}: got {n}, expected as many as a lattice leaves inside; take {possible}, or another sampling"
            )
        below = max(below, len(x))
        likely = math.floor(0.95 * m * (n / max(len(x), 1)) ** (1 / dim)) - 2 if len(x) > _TELLING else 0
        m = max(m + 1, likely)
    raise ValueError(
        f"{what}: got {n}, expected a number that a lattice of at most {most:,} points leaves inside; take "
        "another sampling"
    )
