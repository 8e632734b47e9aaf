"""Pictures of the kernel: its spectra, what of the residual lies along which eigenvector,
and how far training moves it.
"""

from typing import TYPE_CHECKING

import numpy as np

from pinn_ntk.comparison.kernel_statements import exit_time
from pinn_ntk.reporting.outcome import Outcome
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
from pinn_ntk.reporting.training_plots import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW = 24  # eigenvalues that still have room on a linear axis
_FAINTEST = 1e-9  # a smaller share of the residual is no news
_MOVED = {
    "max_delta_a": (MEASURED, "-", r"outer, $\max|\Delta a|$"),
    "max_delta_w": (LINEAR, "--", r"inner, $\max|\Delta w|$"),
    "max_delta": (MEASURED, "-", r"largest, $\max|\Delta\theta|$"),
    "relative_delta": (LINEAR, "--", r"share, $\Vert\Delta\theta\Vert/\Vert\theta^0\Vert$"),
}


def spectrum_section(record: Outcome) -> Section:
    """Eigenvalues of K̂(0), K̂(T), K^∞ and the rounding floors; the residual's share along each eigenvector."""
    title = "Spectrum of the tangent kernel"
    if "eigenvalues" not in record.history.arrays:
        return Section(title, "The kernel was not tracked in this run.")
    lead = (
        "Each eigenvalue λ of the kernel is the speed at which one pattern of the residual is learned: it "
        "decays like exp(−(s²N/n) λ t)."
    )
    return Section(title, lead, (_spectrum(record), _alignment(record)))


def _ends(values: Values) -> tuple[Values, Values]:
    """The first and the last row that have numbers, largest eigenvalue first."""
    rows = np.flatnonzero(np.isfinite(values).any(1))
    first, last = (rows[0], rows[-1]) if len(rows) else (0, 0)
    return positive(values[first][::-1]), positive(values[last][::-1])


def _index_axis(axes: "Axes", count: int) -> None:
    from matplotlib.ticker import MaxNLocator

    if count > _FEW:
        axes.set_xscale("log")
        axes.set_xlim(0.9, count * 1.1)
    else:
        axes.set_xlim(0.5, count + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _spectrum(record: Outcome) -> Picture:
    start, end = _ends(record.history.arrays["eigenvalues"])
    index, infinite = np.arange(1, len(start) + 1), _infinite(record)
    figure, axes = panel("eigenvalues, largest first", "index", "eigenvalue")
    mark = "o" if len(index) <= _FEW else ""
    if infinite is not None:
        axes.plot(
            index,
            infinite,
            marker=mark,
            ls="-",
            ms=7,
            color=THEORY,
            lw=4.5,
            alpha=0.35,
            label=r"$K^\infty$, infinite width",
        )
    axes.plot(index, start, marker=mark, ls="-", ms=3.5, color=MEASURED, lw=1.5, label=r"$\hat{K}$, start")
    axes.plot(index, end, marker=mark, ls="--", ms=3.5, mfc="white", color=LINEAR, lw=1.5, label=r"$\hat{K}$, end")
    shown = [start, end] if infinite is None else [start, end, infinite]
    low = min((float(np.nanmin(s)) for s in shown if np.isfinite(s).any()), default=0.0)
    floor = float(np.nanmax(record.history.columns["floor"], initial=0.0))
    if floor > 1e-3 * low:
        axes.axhline(floor, color=QUIET, ls=":", label="rounding floor")
        shown.append(positive(np.array([floor])))
    log_y(axes, *shown)
    _index_axis(axes, len(index))
    legend(axes, "lower left")
    words = "Speeds of all patterns: this network at its start and end"
    words += (
        "."
        if infinite is None
        else ", and the limit of infinite width with the same γ. Black on blue means that the width is enough."
    )
    words += " Orange on black means that the kernel stood still. "
    words += f"Below the rounding floor {number(floor)} no digit is right." if floor > 0.0 else ""
    return Picture("spectrum", words, render(figure))


def _infinite(record: Outcome) -> Values | None:
    """Eigenvalues of K^(a) + γ²K^(w), largest first; what is below their own rounding is left out."""
    prediction = record.prediction
    if prediction is None or prediction.lazy is None:
        return None
    return positive((prediction.lazy.forecast.eigenvalues * (prediction.points / prediction.scale)).cpu().numpy())


def _alignment(record: Outcome) -> Picture:
    start, end = _ends(record.history.arrays["alignment"])
    index = np.arange(1, len(start) + 1)
    figure, axes = panel(
        "where the residual is", "eigenvector, largest eigenvalue first", r"share $(u_k\cdot e)^2/\Vert e\Vert^2$"
    )
    axes.plot(index, start, "o", color=MEASURED, ms=4, mew=0, label="start")
    axes.plot(index, end, "D", color=LINEAR, ms=4, mfc="none", mew=1.1, label="end")
    log_y(axes, start, end, low=_FAINTEST)
    _index_axis(axes, len(index))
    legend(axes, "lower left")
    words = (
        "How much of the residual lies along each eigenvector, before and after training; the shares of one "
        "colour sum to 1."
    )
    return Picture(
        "alignment",
        words + " What is left at the end sits at the right, in the slow patterns that are still to be learned.",
        render(figure),
    )


def drift_section(record: Outcome) -> Section:
    """‖K̂^(a)(t) − K̂^(a)(0)‖_F against λ_S/4, λ_min(K̂^(a)(t)) against λ_S/2, relative drift,
    and how far parameters moved.
    """
    title, columns = "Does the kernel stay where it was?", record.history.columns
    if len(columns["step"]) < 2:
        return Section(title, "No second state was tracked, so nothing can have moved.")
    if "drift" not in columns:
        pictures = (_displacement(record),) if any(name in columns for name in _MOVED) else ()
        return Section(
            title, "The kernel was not tracked in this run; only the movement of the weights is known.", pictures
        )
    lead = "The theory rests on a kernel that hardly moves while the loss falls."
    lazy = record.prediction.lazy if record.prediction else None
    if lazy is not None and lazy.lambda_s > 0.0:
        lead += (
            f" Its yardstick is λ_S = {number(lazy.lambda_s)}, the smallest eigenvalue of part (a) at infinite width."
        )
    else:
        lead += " There is no λ_S to measure it by here, so the pictures show the movement alone."
    part_a = (_drift(record),) if "drift_a" in columns else ()
    return Section(title, lead, (*part_a, _smallest(record), _relative_drift(record), _displacement(record)))


def _lambda_s(record: Outcome) -> float:
    return record.prediction.lazy.lambda_s if record.prediction and record.prediction.lazy else 0.0


def _drift(record: Outcome) -> Picture:
    history, lambda_s = record.history, _lambda_s(record)
    label, x = clock(history)
    figure, axes = panel("drift of part (a)", label, r"$\Vert\hat{K}^{(a)}(t)-\hat{K}^{(a)}(0)\Vert_F$")
    drift = positive(history.columns["drift_a"])
    words = "How far part (a) of the kernel has moved from where it started."
    if lambda_s > 0.0:
        axes.axhline(lambda_s / 4.0, color=ENVELOPE, ls="--", label=r"$\lambda_S/4$")
        left = exit_time(record.prediction, history) if record.prediction else None
        if left is not None:
            inside, outside = (float(x[np.searchsorted(history.columns["time"], t)]) for t in left)  # tracked times
            label = f"{left[0]:.3g} ≤ t* ≤ {left[1]:.3g}"
            axes.axvspan(inside, outside, color=LINEAR, alpha=0.25, lw=0.8, label=label)
        words += " The theorem speaks up to t*, when it first lies above the green line"
        words += (
            "; that never happened."
            if left is None
            else f": here between {number(left[0])}, tracked inside, and {number(left[1])}, tracked outside."
        )
    else:
        words += " The less it moves, the better the linearised prediction."
    curve(axes, x, drift, MEASURED, "measured")
    log_y(axes, drift, lambda_s / 4.0)
    progress_x(axes, x)
    legend(axes)
    return Picture("drift", words, render(figure))


def _smallest(record: Outcome) -> Picture:
    history, lambda_s = record.history, _lambda_s(record)
    label, x = clock(history)
    of, part, which = (r"^{(a)}", "_a", "part (a)") if "lambda_min_a" in history.columns else ("", "", "the kernel")
    figure, axes = panel(f"smallest eigenvalue of {which}", label, rf"$\lambda_{{\min}}(\hat{{K}}{of}(t))$")
    known = np.isfinite(history.columns[f"lambda_min{part}"])  # not every tracked step has a spectrum
    x = x[known]
    values, floors = (positive(history.columns[f"{name}{part}"][known]) for name in ("lambda_min", "floor"))
    lines = ((1.0, "-", r"$\lambda_S$"), (0.75, "--", r"$\frac{3}{4}\lambda_S$"), (0.5, ":", r"$\frac{1}{2}\lambda_S$"))
    for share, style, text in lines if lambda_s > 0.0 else ():
        axes.axhline(share * lambda_s, color=ENVELOPE, ls=style, lw=1.3, label=text)
    curve(axes, x, values, MEASURED, "measured")
    floor, low = float(np.nanmax(floors, initial=0.0)), float(np.nanmin(values, initial=np.inf))
    if floor > 1e-3 * low:
        axes.axhline(floor, color=QUIET, ls=":", label="rounding floor")
    log_y(axes, values, *(share * lambda_s for share, _, _ in lines), floor if floor > 1e-3 * low else 0.0)
    progress_x(axes, x)
    legend(axes)
    words = (
        "The eigenvalue that sets the guaranteed speed, as it is at this width."
        if part
        else "The speed of the slowest pattern."
    )
    words += (
        " The proof needs it above ¾λ_S at the start and above ½λ_S up to t*."
        if lambda_s > 0.0
        else " Below the rounding floor it carries no digit."
    )
    return Picture("lambda_min", words, render(figure))


def _relative_drift(record: Outcome) -> Picture:
    history = record.history
    label, x = clock(history)
    values = positive(history.columns["drift"])
    figure, axes = panel(
        "relative drift of the kernel", label, r"$\Vert\hat{K}(t)-\hat{K}(0)\Vert_F\;/\;\Vert\hat{K}(0)\Vert_F$"
    )
    curve(axes, x, values, MEASURED)
    log_y(axes, values)
    progress_x(axes, x)
    words = (
        "How far the whole kernel moved, as a share of its size. Far below 1 the network trains like its linearisation."
    )
    return Picture("relative_drift", words, render(figure))


def _displacement(record: Outcome) -> Picture:
    history = record.history
    label, x = clock(history)
    figure, axes = panel("how far single weights moved", label, "displacement")
    shown = {name: positive(history.columns[name]) for name in _MOVED if name in history.columns}
    for name, values in shown.items():
        colour, style, text = _MOVED[name]
        curve(axes, x, values, colour, text, style)
    guarantee = record.prediction.guarantee if record.prediction else None
    words = "The largest movement of any outer weight a and inner weight w."
    if "relative_delta" in shown:
        words = (
            "The largest movement of any parameter θ, and that of all parameters together as a share of their "
            "size at the start."
        )
    if guarantee is not None:
        axes.axhline(guarantee.drift.q, color=ENVELOPE, ls=":", lw=2.0, label="bound q")
        words += " Both stay below q up to t* once the width suffices."
    else:
        words += (
            f" {'Weights' if 'relative_delta' in shown else 'Inner weights'} that move visibly mean that "
            "features are learned."
        )
    log_y(axes, *shown.values(), guarantee.drift.q if guarantee is not None else 0.0)
    progress_x(axes, x)
    legend(axes)
    return Picture("displacement", words, render(figure))
