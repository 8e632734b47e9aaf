"""Laws of decay of eigenvalues λ_1 ≥ λ_2 ≥ …: λ_j ≈ C (j − δ)^{−r} where σ has a kink, λ_j ≈ C jᵐ exp(−c j^q)
where it is analytic.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pinn_ntk.comparison.slopes import Slope, fit_slope

_SHIFTS = np.arange(-1.0, 5.05, 0.05)
_POWERS = np.arange(0.3, 1.605, 0.01)


@dataclass(frozen=True)
class PowerLaw:
    """λ_j ≈ C (j − δ)^{−r}.

    Attributes:
        slope: −r, with the interval of the fit at the best δ.
        shift: δ.
    """

    slope: Slope
    shift: float


@dataclass(frozen=True)
class Exponential:
    """λ_j ≈ C jᵐ exp(−c j^q).

    Attributes:
        rate: c at the q asked for.
        power: m.
        best: the q of the smallest residual.
    """

    rate: float
    power: float
    best: float


def fit_power_law(eigenvalues: Sequence[float] | np.ndarray, first: int, last: int) -> PowerLaw:
    """Least squares in log λ_j over first ≤ j ≤ last, the shift δ by search; without it a fit at small j is too steep.

    Args:
        eigenvalues: λ_1, λ_2, … in descending order; those that are not positive are left out.
        first: at least 6, the shifts being searched up to 5.
        last: index of the last one.

    Raises:
        ValueError: `first` below 6.
    """
    if first < 6:
        raise ValueError(f"first: got {first}, expected at least 6: smaller indices are not yet a power law")
    values = np.asarray(eigenvalues, dtype=np.float64)
    j = np.arange(1, len(values) + 1, dtype=np.float64)
    kept = (j >= first) & (j <= last) & (values > 0.0)
    if kept.sum() < 4:
        return PowerLaw(Slope(math.nan, math.nan, math.nan, math.nan, int(kept.sum())), math.nan)
    y = np.log(values[kept])
    residuals = [_misfit(np.log(j[kept] - shift)[:, None], y) for shift in _SHIFTS]
    shift = float(_SHIFTS[int(np.argmin(residuals))])
    return PowerLaw(fit_slope(j[kept] - shift, values[kept]), shift)


def fit_exponential(eigenvalues: Sequence[float] | np.ndarray, q: float, first: int = 3) -> Exponential:
    """Least squares in log λ_j = log C + m log j − c j^q over j ≥ first; NaN with fewer than six positive eigenvalues.

    Args:
        eigenvalues: λ_1, λ_2, … in descending order, cut where they sink into rounding.
        q: the power in the exponent.
        first: index of the first one used.
    """
    values = np.asarray(eigenvalues, dtype=np.float64)
    j = np.arange(1, len(values) + 1, dtype=np.float64)
    kept = (j >= first) & (values > 0.0)
    if kept.sum() < 6:
        return Exponential(math.nan, math.nan, math.nan)
    x, y = j[kept], np.log(values[kept])
    best = float(_POWERS[int(np.argmin([_misfit(np.stack([np.log(x), x**p], 1), y) for p in _POWERS]))])
    _, power, rate = _solve(np.stack([np.log(x), x**q], 1), y)
    return Exponential(-rate, power, best)


def _solve(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients of 1 and the columns."""
    solution: np.ndarray = np.linalg.lstsq(np.column_stack([np.ones(len(y)), columns]), y, rcond=None)[0]
    return solution


def _misfit(columns: np.ndarray, y: np.ndarray) -> float:
    """The sum of squares that a fit by 1 and the columns leaves."""
    left = y - np.column_stack([np.ones(len(y)), columns]) @ _solve(columns, y)
    return float(left @ left)
