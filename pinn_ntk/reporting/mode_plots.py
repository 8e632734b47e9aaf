"""Pictures of single modes: what each eigenvector of the initial kernel holds of the loss as training goes,
and when it has converged.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from pinn_ntk.comparison.lazy_statements import linearised_mode_losses
from pinn_ntk.comparison.rounding import loss_floors
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.style import (
    LINEAR,
    MEASURED,
    QUIET,
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
from pinn_ntk.reporting.training_plots import clock
from pinn_ntk.training.trackers import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Indices = np.ndarray[Any, np.dtype[np.int64]]

_CURVES = 6
_FAINTEST = 1e-16
"""Shares of the loss at the start: below the first a mode holds nothing to speak of,
below the second it is rounding.
"""
_AHEAD = 1e3  # how far beyond the run's own time modes are still drawn
_FOLDS = 2.0  # of the loss: one e-fold of the residual, which the flow takes the time 1/λ for


def mode_section(record: Outcome) -> Section:
    """The loss by initial modes, measured and linearised, and the time in which each falls by e² beside 1/λ."""
    title, history = "Modes", record.history
    if "mode_losses" not in history.arrays:
        return Section(title, "The kernel was not tracked in this run, so the loss cannot be split into its modes.")
    shown = _visible(history)
    if len(history.columns["step"]) < 2 or not len(shown):
        return Section(
            title, "No second state was tracked, or no mode of the residual is above rounding: nothing to follow."
        )
    lead = (
        "The residual is split along the eigenvectors u_j of the kernel at the start, fastest first. In the "
        "linearised network each part "
        "falls on its own, with the rate λ_j of JJᵀ/n: fast patterns are learned first, slow ones last."
    )
    return Section(title, lead, (_curves(record, shown), _times(record, shown)))


def mode_rates(record: Outcome) -> Values:
    """(n,) s²Nλ_j/n of the kernel at the start, fastest first; 0 below its rounding floor."""
    history = record.history
    values, floor = history.arrays["eigenvalues"][0][::-1], history.columns["floor"][0]
    scale = record.network.kernel_scale / record.problem.points
    return np.where(values > floor, values * scale, 0.0)


def _visible(history: History) -> Indices:
    """Indices of modes that hold something of the loss at the start, fastest first."""
    start = history.arrays["mode_losses"][0][::-1]
    with np.errstate(invalid="ignore"):
        kept: Indices = np.flatnonzero(start > max(_FAINTEST * float(history.losses[0]), 1e-300))
    return kept


def _curves(record: Outcome, shown: Indices) -> Picture:
    history = record.history
    label, x = clock(history)
    figure, axes = panel("loss of single modes", label, r"$(u_j\cdot e)^2/2n$", wide=True)
    measured = history.arrays["mode_losses"][:, ::-1]
    predicted = None if record.prediction is None else linearised_mode_losses(record.prediction, history)
    picks = shown[np.unique(np.round(np.geomspace(1, len(shown), _CURVES)).astype(int) - 1)]
    least = max(float(np.max(loss_floors(record.prediction, history))), 1e-300)
    drawn = []
    for j, colour in zip(picks, _colours(len(picks)), strict=True):
        curve(axes, x, positive(measured[:, j]), colour, f"mode {j + 1}", width=1.9)
        drawn.append(positive(measured[:, j]))
        if predicted is not None:
            linear = np.where(predicted[:, ::-1][:, j] > least, predicted[:, ::-1][:, j], np.nan)
            curve(axes, x, positive(linear), colour, style="--", width=1.2)
    if predicted is not None:
        axes.plot([], [], "--", color=QUIET, lw=1.2, label="linearised")
    log_y(axes, *drawn, low=least)
    progress_x(axes, x)
    legend(axes)
    words = (
        f"How the parts of the loss along {len(picks)} of {len(measured[0])} initial eigenvectors fall, yellow "
        "the slowest."
    )
    if predicted is not None:
        words += (
            " A full line that leaves its broken one belongs to a pattern that training reaches in another "
            "way than the linearised network."
        )
    return Picture("mode_losses", words, render(figure), wide=True)


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["viridis"](v) for v in np.linspace(0.0, 0.92, count)]


def fall_times(losses: Values, at: Values, folds: float = _FOLDS) -> Values:
    """When each column of a table of losses has first fallen by that many e-folds, the logarithm interpolated;
    NaN where it has not.

    Args:
        losses: (T, m).
        at: (T,) steps or times, from 0 on.
        folds: e-folds of the loss.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        fallen = np.log(losses[0]) - np.log(losses)
    fallen = np.where(np.isnan(fallen), -np.inf, fallen)
    reached = fallen >= folds
    last = reached.argmax(0)
    before = np.maximum(last - 1, 0)
    column = np.arange(losses.shape[1])
    low, high = fallen[before, column], fallen[last, column]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(reached.any(0) & np.isfinite(high - low), (folds - low) / (high - low), 1.0)
    return np.where(reached.any(0), at[before] + share * (at[last] - at[before]), np.nan)


def _times(record: Outcome, shown: Indices) -> Picture:
    """Measured and linearised times against 1/λ_j."""
    history, rates = record.history, mode_rates(record)[shown]
    unit, pace, words = _clock(history)
    at = history.columns["step"] * pace if pace else history.columns["time"]
    with np.errstate(divide="ignore"):
        expected = positive(np.where(rates > 0.0, 1.0 / rates, np.nan))
    found = np.maximum(
        fall_times(history.arrays["mode_losses"][:, ::-1][:, shown], at), pace
    )  # nothing happens within a step
    figure, axes = panel(
        "which modes converge when", r"$1/\lambda_j$ of $JJ^T/n$, time of the flow", f"fall by e², {unit}"
    )
    predicted = None if record.prediction is None else linearised_mode_losses(record.prediction, history)
    drawn = [found]
    if predicted is not None:
        linear = np.maximum(fall_times(predicted[:, ::-1][:, shown], at), pace)
        drawn.append(linear)
        axes.plot(expected, positive(linear), "D", color=LINEAR, ms=5.5, mfc="none", mew=1.1, label="linearised")
    axes.plot(expected, positive(found), "o", color=MEASURED, ms=3.5, mew=0, label="measured")
    waiting = ~np.isfinite(found) & np.isfinite(expected)
    if waiting.any():
        axes.plot(
            expected[waiting],
            np.full(waiting.sum(), at[-1]),
            "^",
            color=QUIET,
            ms=4,
            mew=0,
            label="not within this run",
        )
    kept = positive(np.where(np.isfinite(found), expected, np.nan))
    _axes(
        axes,
        expected,
        np.concatenate([*drawn, at[-1:]]),
        kept if history.dynamics.solvable else None,
        _AHEAD * float(at[-1]),
    )
    legend(axes)
    done = int(np.isfinite(found).sum())
    text = (
        f"When the loss along each eigenvector had fallen by e², over 1/λ_j: {number(done)} of "
        f"{number(len(found))} modes did. {words}"
    )
    return Picture("mode_times", text, render(figure))


def _clock(history: History) -> tuple[str, float, str]:
    """In which time modes are compared with 1/λ, that of the flow where there is a pace, else steps;
    and what one step is in it.
    """
    law, line = history.dynamics, "On the line a mode takes the time that its eigenvalue says"
    if law.kind == "flow":
        return "time t", 0.0, f"{line}."
    if law.solvable and law.pace > 0.0:
        return f"t = {'kτ/(1 − β)' if law.momentum else 'kτ'}", law.pace, f"{line}; fast ones feel the step."
    return (
        "steps",
        1.0,
        "A flow would take a time proportional to 1/λ_j; where the dots lie flat, slow modes are sped up.",
    )


def _axes(axes: "Axes", x: Values, y: Values, line: Values | None, most: float) -> None:
    """Logarithmic axes, and the line t = 1/λ where time is the flow's;
    `most` is as far as it makes sense to look then.
    """
    from matplotlib.ticker import NullFormatter

    y = positive(y)
    log_y(axes, y)
    if line is not None and np.isfinite(line).any():
        ends = np.array([np.nanmin(line), np.nanmax(line)])
        axes.plot(ends, ends, color=QUIET, lw=1.0, label=r"$t=1/\lambda_j$")
    if np.isfinite(x).any():
        low, high = float(np.nanmin(x)), float(np.nanmax(x))
        high = high if line is None else max(low, min(high, most))
        axes.set_xscale("log")
        axes.set_xlim(low / 1.6, high * 1.6)
        axes.xaxis.set_minor_formatter(NullFormatter())
