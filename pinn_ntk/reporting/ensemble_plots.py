"""Pictures of an ensemble: the losses of all seeds as a band beside the forecast,
and the distributions of what the lemmas bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pinn_ntk.comparison.calibration import BAND
from pinn_ntk.comparison.envelope import descent_bound
from pinn_ntk.comparison.lazy_statements import forecast_losses
from pinn_ntk.reporting.ensemble_files import quantiles_over_seeds
from pinn_ntk.reporting.ensemble_outcome import EnsembleOutcome, losses_at
from pinn_ntk.reporting.style import (
    ENVELOPE,
    LINEAR,
    MEASURED,
    QUIET,
    THEORY,
    Picture,
    Section,
    Values,
    curve,
    legend,
    log_y,
    number,
    panel,
    positive,
    progress_x,
    render,
)
from pinn_ntk.training.trackers import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = 60  # seeds whose own curves can still be told apart
_BINS = 24
_CLOCK = r"time $t/\tau$, in steps $\tau$ of the median seed"


def loss_section(outcome: EnsembleOutcome) -> Section:
    """R_S of all seeds beside the forecast's band and the bound."""
    lead = (
        f"{number(len(outcome.members))} seeds of one configuration: grey is what they did, blue what was "
        "forecast before training."
    )
    return Section("Loss and forecast, over seeds", lead, (_losses(outcome), *_shares(outcome)))


def _losses(outcome: EnsembleOutcome) -> Picture:
    history, prediction = outcome.median.history, outcome.median.prediction
    times, at = history.columns["time"], history.columns["step"]
    measured = losses_at([member.history for member in outcome.members], times)
    low, middle, high = (positive(v) for v in quantiles_over_seeds(measured))
    figure, axes = panel("loss of all seeds and its forecast", _CLOCK, r"loss $R_S=\Vert e\Vert^2/2n$", wide=True)
    drawn: list[Values] = [low, middle, high]
    if measured.shape[1] <= _LINES:
        axes.plot(at, positive(measured), color=MEASURED, lw=0.5, alpha=0.25, zorder=1.5)
    axes.fill_between(at, low, high, color=QUIET, alpha=0.35, lw=0.0, label="measured, 5–95 % of seeds")
    curve(axes, at, middle, MEASURED, "measured, median", width=2.0)
    if prediction is not None:
        drawn += _forecast(axes, outcome, times, at)
    least, most = (float(f(middle, initial=v)) for f, v in ((np.nanmin, np.inf), (np.nanmax, 0.0)))
    log_y(axes, *drawn, low=least / 100.0 if np.isfinite(least) else 0.0, high=most * 100.0 if most else np.inf)
    progress_x(axes, at)
    legend(axes, "lower left")
    words = (
        "The losses of all seeds over time, each with its own step. The two bands agree where networks are as "
        "lazy as the limit"
    )
    return Picture("ensemble_loss", f"{words}; the bounds start at the median of R_S(0).", render(figure), wide=True)


def _forecast(axes: "Axes", outcome: EnsembleOutcome, times: Array, at: Array) -> list[Values]:
    """The forecast's band and median and the bound; what was drawn."""
    history, prediction = outcome.median.history, outcome.median.prediction
    assert prediction is not None
    drawn: list[Values] = []
    forecast = forecast_losses(prediction, history)
    if forecast is not None:
        low, middle, high = positive(forecast[1])
        axes.fill_between(at, low, high, facecolor=THEORY, alpha=0.18, lw=0.0, label="forecast, 5–95 % of seeds")
        curve(axes, at, middle, THEORY, "forecast, median", "--", width=1.4)
        drawn += [low, middle, high]
    if prediction.lazy is not None and prediction.lazy.rate > 0.0:
        start = float(np.median([member.history.losses[0] for member in outcome.members]))
        bound = np.where(times <= prediction.cut_time, start * np.exp(-prediction.lazy.rate * times), np.nan)
        curve(axes, at, positive(bound), ENVELOPE, r"bound of the flow, $e^{-rate\cdot t}R_S(0)$", ":", 2.0)
        if (own := descent_bound(prediction, history)) is not None:
            stepped = np.exp(own[at.astype(int)]) * (start / float(history.losses[0]))
            stepped = np.where(stepped > prediction.loss_floor, stepped, np.nan)
            label = r"bound of descent, $[1-(1-f)\tau\cdot rate]^k R_S(0)$"
            curve(axes, at, positive(stepped), ENVELOPE, label, "-.", 1.3)
    return drawn


def _shares(outcome: EnsembleOutcome) -> tuple[Picture, ...]:
    """The share of seeds within the forecast's band at each tracked step, with its interval."""
    found = outcome.calibration
    if found is None or len(found.steps) < 2:
        return ()
    figure, axes = panel("seeds within the forecast's band", "step k", "share of seeds")
    axes.axhline(BAND, color=THEORY, ls=":", lw=1.6, label="forecast: 0.9 at each t")
    axes.fill_between(found.steps, found.low, found.high, color=QUIET, alpha=0.35, lw=0.0, label="95 % interval")
    curve(axes, found.steps, found.share, MEASURED, "measured")
    axes.set_ylim(-0.03, 1.05)
    progress_x(axes, found.steps)
    legend(axes, "lower left")
    words = (
        "How many seeds lie in the blue band at each step, each at its own time, with the interval of Clopper and "
        "Pearson; a forecast that is right has nine in ten."
    )
    return (
        Picture(
            "ensemble_in_band",
            words + " It falls where the kernel's own fluctuation and motion matter.",
            render(figure),
        ),
    )


@dataclass(frozen=True)
class _Marked:
    """A distribution with the value that theory names."""

    name: str
    title: str
    label: str
    values: Array
    mark: float
    words: str
    caption: str


def lemma_section(outcome: EnsembleOutcome) -> Section:
    """λ_min(K̂^(a)(θ⁰))/λ_S, drift/(λ_S/4) and the worst ratio over seeds, each with the value it must not pass."""
    title = "What the lemmas bound, over seeds"
    made = [p for p in (_histogram(m) for m in _marked(outcome)) if p is not None]
    if not made:
        return Section(title, "There is no λ_S to compare with, or the kernel was not tracked.")
    return Section(
        title, "Each seed is a stroke; the green line is the value at which a lemma would fail.", tuple(made)
    )


def _marked(outcome: EnsembleOutcome) -> Sequence[_Marked]:
    return (
        _Marked(
            "ensemble_lambda_min",
            "smallest eigenvalue at the start",
            r"$\lambda_{min}(\hat{K}^{(a)}(\theta^0))\,/\,\lambda_S$",
            outcome.column("lambda_min_ratio"),
            0.75,
            r"$\frac{3}{4}$: the lemma's value",
            "How far the kernel of each start is from its limit. The lemma holds for the seeds at the right of "
            "the green line.",
        ),
        _Marked(
            "ensemble_drift",
            "drift of the kernel",
            r"$max_t\,\Vert\hat{K}^{(a)}_t-\hat{K}^{(a)}_0\Vert_F\,/\,(\lambda_S/4)$",
            outcome.column("drift_ratio"),
            1.0,
            r"1: $t^*$ is reached",
            "The largest drift over training, in units of the radius of t*. Left of the green line a seed "
            "never leaves the ball: t* = ∞.",
        ),
        _Marked(
            "ensemble_worst_ratio",
            "loss over its bound",
            r"$max_t\,R_S(t)\,/\,e^{-rate\cdot t}R_S(0)$",
            outcome.column("worst_ratio"),
            1.0,
            "1: the bound",
            "The largest ratio of loss and bound after the start. A stroke beyond 1 is a seed whose bound failed.",
        ),
        _Marked(
            "ensemble_error",
            r"relative $L^2$ error at the end",
            r"$\Vert u-u^*\Vert\,/\,\Vert u^*\Vert$",
            outcome.column("relative_l2"),
            np.nan,
            "",
            "How much the answer depends on the seed: the errors of all seeds after training.",
        ),
    )


def _histogram(marked: _Marked) -> Picture | None:
    """A histogram with a stroke per seed; None where no seed has the number."""
    values = marked.values[np.isfinite(marked.values)]
    if not len(values):
        return None
    shown = values if np.isnan(marked.mark) else np.append(values, marked.mark)
    figure, axes = panel(marked.title, marked.label, "seeds")
    log = float(values.min()) > 0.0 and float(shown.max()) > 20.0 * float(shown.min())
    edges = _edges(values, log)
    counts, _, _ = axes.hist(values, bins=edges.tolist(), color=QUIET, alpha=0.55)
    top = float(np.max(counts))
    axes.plot(values, np.full(len(values), -0.05 * top), "|", color=MEASURED, ms=9, mew=0.8)
    for value, style in zip(np.quantile(values, (0.05, 0.5, 0.95)), (":", "-", ":"), strict=True):
        axes.axvline(float(value), color=LINEAR, lw=1.2, ls=style, label="median; 5 %, 95 %" if style == "-" else None)
    if not np.isnan(marked.mark):
        axes.axvline(marked.mark, color=ENVELOPE, lw=2.0, label=marked.words)
    axes.set_ylim(-0.11 * top, 1.12 * top)
    if log:
        axes.set_xscale("log")
    else:
        axes.locator_params(axis="x", nbins=5)
    legend(axes)
    return Picture(marked.name, marked.caption, render(figure))


def _edges(values: Array, log: bool) -> Array:
    """Bin edges from the least to the largest value, a little apart where all are equal."""
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(high), 1e-300):
        width = max(abs(high), 1e-12) * 0.02
        return np.linspace(low - width, high + width, 4)
    count = int(np.clip(2.0 * np.sqrt(len(values)), 5, _BINS))
    return np.geomspace(low, high, count) if log else np.linspace(low, high, count)
