"""Pictures of training: the loss beside its predictions, and dR/dt beside the kernel's quadratic form."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pinn_ntk.comparison.compare import forecast_losses, linearised_losses
from pinn_ntk.comparison.envelope import step_times
from pinn_ntk.reporting.style import BLOCKS, ENVELOPE, LINEAR, MEASURED, THEORY, Picture, log_axis, panels, plain, positive, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pinn_ntk.reporting.record import Record

CURVE_POINTS = 700


def clock(record: "Record") -> tuple[str, Any]:
    """What the horizontal axis of a tracked quantity is: steps for descent, time for a flow."""
    flow = record.history.step_size <= 0.0
    return ("time t" if flow else "step k"), record.history.columns["time" if flow else "step"]


def loss_picture(record: "Record") -> Picture:
    """R_S against its forecast with a band, the linearised prediction and the envelope; by block when there are several."""
    history, several = record.history, len(record.problem.blocks) > 1
    figure, axes = panels(2 if several else 1, 3.9)
    label, x = clock(record)
    axis = axes[0]
    shown = [_theory_curves(record, axis, x)] if record.prediction is not None else []
    _measured(record, axis)
    values = positive(history.losses)
    log_axis(axis, "y", values[np.isfinite(values)])
    log_axis(axis, "x", x)
    axis.set(xlabel=label, ylabel=r"loss $R_S = \|e\|^2/2n$", title="measured loss and its predictions")
    axis.legend(loc="best")
    if several:
        for i, name in enumerate(record.problem.slices):
            axes[1].plot(_from_first(x), positive(history.columns[f"loss.{name}"]), color=BLOCKS[i % len(BLOCKS)], label=plain(name))
        log_axis(axes[1], "y", np.concatenate([history.columns[f"loss.{n}"] for n in record.problem.slices]))
        log_axis(axes[1], "x", x)
        axes[1].set(xlabel=label, title="loss by block (they add up)")
        axes[1].legend(loc="best")
    caption = "The black line is the measured loss; everything coloured was computed before the first step. "
    caption += "Theory is right where black stays in the blue band and on the orange line" + (
        f"; {shown[0]}." if shown and shown[0] else "."
    )
    return Picture("loss", "Loss and forecast", caption, render(figure))


def _from_first(x: Any) -> Any:
    """Step 0 at half of step 1 (or of the first time), so that a logarithmic axis shows the start."""
    moved = np.asarray(x, dtype=np.float64).copy()
    if len(moved) > 1 and moved[0] == 0.0:
        moved[0] = moved[1] / 2.0
    return moved


def _measured(record: "Record", axis: "Axes") -> None:
    history = record.history
    if history.step_size > 0.0:
        count = len(history.losses)
        picks = np.unique(np.round(np.geomspace(1, count, CURVE_POINTS)).astype(int)) - 1
        axis.plot(np.where(picks == 0, 0.5, picks), positive(history.losses[picks]), color=MEASURED, lw=1.9, label="measured", zorder=5)
    else:
        axis.plot(_from_first(step_times(history)), positive(history.losses), "o-", ms=3, color=MEASURED, label="measured", zorder=5)


def _theory_curves(record: "Record", axis: "Axes", x: Any) -> str:
    """Draw what was predicted; returns words on the envelope."""
    prediction, history = record.prediction, record.history
    if prediction is None:
        return ""
    at = _from_first(x)
    curves = forecast_losses(prediction, history)
    if curves is not None:
        mean, band = curves
        axis.fill_between(at, positive(band[0]), positive(band[2]), color=THEORY, alpha=0.18, lw=0, label="forecast, 90 % of seeds")
        axis.plot(at, positive(mean), color=THEORY, lw=1.3, label="forecast, mean over seeds")
    axis.plot(at, positive(linearised_losses(prediction, history)), "--", color=LINEAR, lw=1.3, label="linearised, this seed", zorder=6)
    if prediction.lazy is None or prediction.lazy.rate == 0.0:
        return ""
    times = history.columns["time"]
    envelope = np.where(times <= prediction.cut_time, prediction.initial_loss * np.exp(-prediction.lazy.rate * times), np.nan)
    axis.plot(at, positive(envelope), ":", color=ENVELOPE, lw=2.0, label=r"envelope $e^{-\mathrm{rate}\,t}R_S(0)$")
    folds = prediction.lazy.rate * float(times[-1])
    return f"the green envelope falls by {folds:.2g} e-folds over the run" + (" and says nothing yet" if folds < 1.0 else "")


def dissipation_picture(record: "Record") -> Picture | None:
    """dR/dt three ways, and the share of the outer weights in it."""
    history = record.history
    if "dissipation" not in history.columns:
        return None
    figure, (left, right) = panels(2, 3.1)
    label, x = clock(record)
    at, form, norm = _from_first(x), positive(history.columns["dissipation"]), positive(history.columns["gradient_norm_squared"])
    left.plot(at, form, color=THEORY, lw=3.5, alpha=0.5, label=r"$(s^2N/n^2)\,e^T\hat K e$ (kernel)")
    left.plot(at, norm, color=LINEAR, lw=1.2, label=r"$\|\nabla R_S\|^2$ (gradient)")
    if history.step_size > 0.0:
        steps = history.columns["step"].astype(int)
        steps = steps[steps < len(history.losses) - 1]
        slope = positive((history.losses[steps] - history.losses[steps + 1]) / history.step_size)
        left.plot(_from_first(steps.astype(float)), slope, ".", color=MEASURED, ms=4, label=r"$-\Delta R_S/\tau$ (measured)")
    log_axis(left, "y", norm[np.isfinite(norm)])
    log_axis(left, "x", x)
    left.set(title=r"decrease of the loss, $-dR_S/dt$", xlabel=label)
    left.legend(loc="best")
    total = history.columns["quadratic"]
    right.plot(at, np.divide(history.columns["quadratic_a"], total, out=np.full_like(total, np.nan), where=total > 0), color=THEORY)
    right.set(title=r"share of part (a): $e^T\hat K^{(a)}e\,/\,e^T\hat K e$", xlabel=label, ylim=(0.0, 1.05))
    log_axis(right, "x", x)
    caption = "Left: the kernel's quadratic form, the gradient's norm and the measured decrease per step are the same quantity computed three ways. "
    caption += "Right: how much of it the outer weights alone provide, which is all that inequality (2) keeps."
    return Picture("dissipation", "How fast the loss falls", caption, render(figure))
