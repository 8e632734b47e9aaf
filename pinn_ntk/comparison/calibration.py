"""Calibration of the forecast over an ensemble: the share of seeds inside the 90 % band at each tracked step, with the
interval of Clopper and Pearson; at any one t the number inside is Binomial(S, 0.9).

One seed has a quantile at each t and nothing to test.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pinn_ntk.comparison.coverage import LEVEL, Coverage, clopper_pearson
from pinn_ntk.comparison.lazy_statements import FORECAST, forecast_quantiles
from pinn_ntk.theory.forecast import QUANTILES
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import Array, History

BAND = QUANTILES[-1] - QUANTILES[0]
"""The share of seeds that the band promises, 0.9."""


@dataclass(frozen=True)
class Calibration:
    """The seeds inside the forecast's band at each of T tracked steps.

    Attributes:
        steps: (T,) at which a seed was tracked with a loss above rounding.
        inside: (T,) seeds inside.
        seeds: (T,) seeds that have such a loss.
        low: (T,) lower ends of the intervals for the probability of being inside, each at `level`.
        high: (T,) upper ends.
        level: 95 % of each interval.
    """

    steps: Array
    inside: Array
    seeds: Array
    low: Array
    high: Array
    level: float

    @property
    def share(self) -> Array:
        """(T,) of seeds inside."""
        shares: Array = self.inside / self.seeds
        return shares


def calibration(
    prediction: Prediction, histories: Sequence[History], level: float = LEVEL, band: tuple[float, float] | None = None
) -> Calibration | None:
    """The share of seeds inside the band, step by step; None where there is no forecast with a band.

    Args:
        prediction: of one of the seeds; they share the forecast.
        histories: of the seeds; each is judged at its own times.
        level: of each interval.
        band: quantiles of its ends; 5 % and 95 % by default.
    """
    low, high = band or (QUANTILES[0], QUANTILES[-1])
    table: dict[int, list[bool]] = {}
    for history in histories:
        quantiles = forecast_quantiles(prediction, history)
        if quantiles is None:
            return None
        for step, at in zip(history.columns["step"], quantiles, strict=True):
            if np.isfinite(at):
                table.setdefault(int(step), []).append(bool(low <= at <= high))
    if not table:
        return None
    steps = sorted(table)
    inside, seeds = ([f(table[step]) for step in steps] for f in (sum, len))
    ends = [clopper_pearson(x, n, level) for x, n in zip(inside, seeds, strict=True)]
    lows, highs = zip(*ends, strict=True)
    columns = [np.array(v, dtype=np.float64) for v in (steps, inside, seeds, lows, highs)]
    return Calibration(columns[0], columns[1], columns[2], columns[3], columns[4], level)


def calibrated(covered: Sequence[Coverage], found: Calibration | None, level: float = LEVEL) -> tuple[Coverage, ...]:
    """The statements of an ensemble with the forecast judged by its calibration: 'fails' where at some step the share
    of seeds is not compatible with 0.9, at `level` over all steps together (Bonferroni).

    Args:
        covered: every statement over the seeds.
        found: the calibration; with None, or a single seed, the forecast stays without a verdict.
        level: at which a forecast that is right is called right, at least.
    """
    if found is None or found.seeds.max() < 2:
        return tuple(covered)
    return tuple(_judged(c, found, level) if c.name == FORECAST.name else c for c in covered)


def _judged(covered: Coverage, found: Calibration, level: float) -> Coverage:
    """The forecast at the step at which it does worst; the verdict is of the interval that tests all steps at once."""
    alone = 1.0 - (1.0 - level) / len(found.steps)
    counts = [(int(x), int(n)) for x, n in zip(found.inside, found.seeds, strict=True)]
    ends = [clopper_pearson(x, n, alone) for x, n in counts]
    apart = [max(low - BAND, BAND - high) for low, high in ends]  # how far 0.9 lies outside of each interval
    worst = int(np.argmax(apart))
    (x, n), right = counts[worst], apart[worst] <= 0.0
    low, high = clopper_pearson(x, n, level)
    share = found.share
    words = (
        f"share of seeds in the 90 % band from {share.min():.3g} to {share.max():.3g} over {len(share)} tracked steps; "
        f"at step {found.steps[worst]:.0f} {x} of {n}, and the interval that tests all steps at {100 * level:g} % "
        f"{'holds' if right else 'misses'} 0.9"
    )
    return replace(
        covered,
        holds=x,
        fails=n - x,
        not_applicable=covered.not_applicable + covered.vacuous - n,
        vacuous=0,
        share=x / n,
        low=low,
        high=high,
        promised=BAND,
        verdict="holds" if right else "fails",
        reason=words,
    )
