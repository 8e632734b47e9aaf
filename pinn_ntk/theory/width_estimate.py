"""How much wider a network would have to be, searched among widths at which its neurons keep their law."""

import math
from collections.abc import Callable

SAMPLE = 2048
"""Neurons that stand for all."""

NARROWEST, WIDEST = 1e-6, 1e30
"""Between which factors a width is searched."""


def least_factor(enough: Callable[[float], bool], precision: float = 1.05) -> float:
    """The least ν with enough(ν), by bisection in log ν; ∞ where not even the widest network is enough.

    Args:
        enough: false below some ν and true above it.
        precision: of ν, as a factor.
    """
    low, high = NARROWEST, WIDEST
    if not enough(high):
        return math.inf
    while high > precision * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
