"""Pictures of the kernel: its spectra, what of the residual lies along which eigenvector, and how far training moves it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pinn_ntk.comparison.compare import exit_time
from pinn_ntk.reporting.style import ENVELOPE, LINEAR, MEASURED, QUIET, THEORY, Picture, log_axis, panels, positive, render
from pinn_ntk.reporting.training_plots import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pinn_ntk.reporting.record import Record


def spectrum_picture(record: "Record") -> Picture | None:
    """Eigenvalues of K̂(0), K̂(T), K^∞ and the rounding floor; the residual's share along each eigenvector."""
    history = record.history
    if "eigenvalues" not in history.arrays:
        return None
    figure, (left, right) = panels(2, 3.4)
    values, index = history.arrays["eigenvalues"], np.arange(1, record.problem.points + 1)
    infinite = _infinite(record)
    if infinite is not None:
        left.plot(index, positive(infinite), color=THEORY, lw=4, alpha=0.35, label=r"$K^\infty_\gamma$, infinite width")
    left.plot(index, positive(values[0][::-1]), ".-", color=MEASURED, ms=3, lw=0.8, label=r"$\hat K$ at the start")
    left.plot(index, positive(values[-1][::-1]), "--", color=LINEAR, lw=1.4, label=r"$\hat K$ at the end")
    floor = float(history.columns["floor"][0])
    shown = positive(values[0])
    if np.isfinite(shown).any() and floor > np.nanmin(shown) * 1e-6:
        left.axhline(floor, color=QUIET, ls=":", label="rounding floor")
    log_axis(left, "y", shown[np.isfinite(shown)])
    left.set(title="eigenvalues, largest first", xlabel="index")
    left.legend(loc="best")
    shares = history.arrays["alignment"]
    for row, colour, label in ((0, MEASURED, "at the start"), (-1, LINEAR, "at the end")):
        right.plot(index, positive(shares[row][::-1]), ".", color=colour, ms=4, label=label)
    kept = positive(shares[[0, -1]])
    log_axis(right, "y", kept[np.isfinite(kept)])
    right.set(title=r"share of the residual, $(u_k\cdot e)^2/\|e\|^2$", xlabel="eigenvector, largest eigenvalue first")
    right.legend(loc="best")
    caption = (
        "Left: the spectrum that sets the speed of each mode; the finite network (black) should lie on its infinite-width limit (blue). "
    )
    caption += "Right: at the end the residual sits in the eigenvectors of small eigenvalues, the modes that gradient descent learns last."
    return Picture("spectrum", "Spectrum of the tangent kernel", caption, render(figure))


def _infinite(record: "Record") -> Any:
    """Eigenvalues of K^(a) + γ²K^(w), largest first."""
    prediction = record.prediction
    if prediction is None or prediction.lazy is None:
        return None
    return (prediction.lazy.forecast.eigenvalues * (prediction.points / prediction.scale)).cpu().numpy()


def drift_picture(record: "Record") -> Picture | None:
    """‖K̂^(a)(t) − K̂^(a)(0)‖_F against λ_S/4, λ_min(K̂^(a)(t)) against λ_S/2, and how far parameters moved."""
    history = record.history
    if "drift_a" not in history.columns:
        return None
    figure, (first, second, third) = panels(3, 3.2)
    label, x = clock(record)
    lazy = record.prediction.lazy if record.prediction else None
    _kernel_drift(record, first, x, lazy.lambda_s if lazy else 0.0)
    _smallest(record, second, x, lazy.lambda_s if lazy else 0.0)
    _displacement(record, third, x)
    for axis in (first, second, third):
        log_axis(axis, "x", x[1:])
        axis.set(xlabel=label)
        axis.legend(loc="best")
    caption = "Left and middle: the theorem's argument holds as long as the kernel stays below the line λ_S/4 and its smallest eigenvalue above λ_S/2. "
    caption += "Right: how far the kernel as a whole and single weights moved; the lazy regime means all of this is small."
    return Picture("drift", "Does the kernel stay where it was?", caption, render(figure))


def _kernel_drift(record: "Record", axis: "Axes", x: Any, lambda_s: float) -> None:
    drift = positive(record.history.columns["drift_a"][1:])
    axis.plot(x[1:], drift, ".-", color=MEASURED, ms=3, label="measured")
    shown = list(drift[np.isfinite(drift)])
    if lambda_s > 0.0:
        axis.axhline(lambda_s / 4.0, color=ENVELOPE, ls="--", label=r"$\lambda_S/4$")
        shown.append(lambda_s / 4.0)
        left_at = exit_time(record.prediction, record.history) if record.prediction else None
        if left_at is not None:
            at = left_at if record.history.step_size <= 0.0 else left_at / record.history.step_size
            axis.axvline(max(at, 0.5), color=LINEAR, lw=1.0, label="t*")
    log_axis(axis, "y", shown)
    axis.set(title=r"$\|\hat K^{(a)}(t)-\hat K^{(a)}(0)\|_F$")


def _smallest(record: "Record", axis: "Axes", x: Any, lambda_s: float) -> None:
    values = positive(record.history.columns["lambda_min_a"][1:])
    axis.plot(x[1:], values, ".-", color=MEASURED, ms=3, label="measured")
    shown = list(values[np.isfinite(values)])
    if lambda_s > 0.0:
        for share, style, label in ((0.75, "--", r"$\frac{3}{4}\lambda_S$"), (0.5, ":", r"$\lambda_S/2$")):
            axis.axhline(share * lambda_s, color=ENVELOPE, ls=style, label=label)
            shown.append(share * lambda_s)
    log_axis(axis, "y", shown)
    axis.set(title=r"$\lambda_{\min}(\hat K^{(a)}(t))$")


def _displacement(record: "Record", axis: "Axes", x: Any) -> None:
    history = record.history
    curves = (
        ("max_delta_a", r"$\max|\Delta a|$", THEORY),
        ("max_delta_w", r"$\max|\Delta w|$", LINEAR),
        ("drift", r"$\|\hat K_t-\hat K_0\|_F/\|\hat K_0\|_F$", MEASURED),
    )
    shown: list[float] = []
    for name, label, colour in curves:
        values = positive(history.columns[name][1:])
        axis.plot(x[1:], values, color=colour, label=label)
        shown += [float(v) for v in values if np.isfinite(v)]
    guarantee = record.prediction.guarantee if record.prediction else None
    if guarantee is not None and guarantee.drift.q < 1e3 * max(shown, default=0.0):
        axis.axhline(guarantee.drift.q, color=ENVELOPE, ls="--", label="q")
    log_axis(axis, "y", shown)
    axis.set(title="displacement")
