"""Power laws y ≈ C·x^s from measurements: the slope s of log y against log x, with its confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Slope:
    """log y = intercept + value·log x + noise.

    Attributes:
        value: s.
        low: lower end of the confidence interval of s; NaN with fewer than three points.
        high: upper end.
        intercept: log C.
        points: how many were used: positive and finite ones.
    """

    value: float
    low: float
    high: float
    intercept: float
    points: int

    def at(self, x: float) -> float:
        """C·x^s."""
        return math.exp(self.intercept + self.value * math.log(x))

    def within(self, expected: float, tolerance: float) -> bool:
        """Whether |s − expected| ≤ tolerance."""
        return abs(self.value - expected) <= tolerance

    def __str__(self) -> str:
        interval = f" ({self.low:.2f} … {self.high:.2f})" if math.isfinite(self.low) else ""
        return f"{self.value:.2f}{interval}".replace("-", "−")


def fit_slope(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, level: float = 0.95) -> Slope:
    """The least-squares line of log y against log x, and the t-interval of its slope.

    Every pair counts as an independent measurement: give all seeds, or their means, but not seeds that share their
    neurons across widths.

    Args:
        x: positive.
        y: as many; pairs that are not positive and finite are left out.
        level: of the interval.

    Returns:
        The slope; NaN everywhere with fewer than two distinct x.

    Raises:
        ValueError: lengths that differ, or a level outside (0, 1).
    """
    from scipy.stats import t

    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"slope: got {a.shape} values of x and {b.shape} of y, expected one y for each x")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: got {level}, expected a number between 0 and 1, e.g. 0.95")
    kept = np.isfinite(a) & np.isfinite(b) & (a > 0.0) & (b > 0.0)
    u, v = np.log(a[kept]), np.log(b[kept])
    count = len(u)
    spread = float(((u - u.mean()) ** 2).sum()) if count else 0.0
    if spread == 0.0:
        return Slope(math.nan, math.nan, math.nan, math.nan, count)
    value = float(((u - u.mean()) * (v - v.mean())).sum()) / spread
    intercept = float(v.mean() - value * u.mean())
    if count < 3:
        return Slope(value, math.nan, math.nan, intercept, count)
    error = math.sqrt(float(((v - intercept - value * u) ** 2).sum()) / (count - 2) / spread)
    half = float(t.ppf(0.5 + level / 2, count - 2)) * error
    return Slope(value, value - half, value + half, intercept, count)
