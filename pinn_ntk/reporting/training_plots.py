"""Pictures of training: the loss and the error beside their predictions,
and dR/dt beside the kernel's quadratic form.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch

from pinn_ntk.comparison.envelope import descent_bound, step_times
from pinn_ntk.comparison.lazy_statements import forecast_losses, linearised_losses, tracked_at
from pinn_ntk.comparison.rounding import above_rounding, loss_floors
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.style import (
    BLOCKS,
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
    plain,
    positive,
    progress_x,
    render,
)
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DRAWN = 500  # points of a measured curve, on each of a logarithmic and a linear scale
_DESCENT = r"bound of descent, $[1-(1-f)\tau\cdot rate]^k R_S(0)$"
_LOSS = r"loss $R_S=\Vert e\Vert^2/2n$"


def clock(history: History) -> tuple[str, Values]:
    """The horizontal axis of tracked quantities: steps for descent, time for a flow."""
    flow = history.dynamics.kind == "flow"
    return ("time t" if flow else "step k"), np.asarray(history.columns["time" if flow else "step"])


def loss_section(record: Outcome) -> Section:
    """R_S beside forecast, linearised prediction and envelope; by block; and the error beside its prediction."""
    history, prediction = record.history, record.prediction
    made = [_loss(record), _bound(record), _ratio(record), _error(record), _by_block(record)]
    pictures = tuple(p for p in made if p is not None)
    if prediction is None:
        lead = "Predictions were switched off for this run, so the loss stands alone."
    else:
        lead = "Everything coloured was computed before the first step; black is what happened."
        lead += f" Time is t = kτ with the step τ = {number(history.step_size)}." if history.step_size > 0.0 else ""
    if len(history.losses) < 2:
        lead += " No step was taken: there is only the start."
    return Section("Loss and forecast", lead, pictures)


def _measured(history: History) -> tuple[Values, Values]:
    """Every loss that a picture can resolve, and its step or time."""
    count = len(history.losses)
    if history.dynamics.kind == "flow":
        return step_times(history), positive(history.losses)
    log, linear = np.geomspace(1, count, _DRAWN) - 1, np.linspace(0, count - 1, _DRAWN)
    picks = np.unique(np.round(np.concatenate([log, linear])).astype(int))
    return picks.astype(np.float64), positive(history.losses[picks])


def _loss(record: Outcome) -> Picture:
    history, prediction = record.history, record.prediction
    label, x = clock(history)
    figure, axes = panel("measured loss and its predictions", label, _LOSS, wide=True)
    drawn = [] if prediction is None else _predicted(axes, prediction, history, x)
    at, losses = _measured(history)
    curve(axes, at, losses, MEASURED, "measured", width=2.0)
    least, most = (float(f(losses, initial=v)) for f, v in ((np.nanmin, np.inf), (np.nanmax, 0.0)))
    log_y(axes, losses, *drawn, low=least / 30.0 if np.isfinite(least) else 0.0, high=most * 30.0 if most else np.inf)
    progress_x(axes, at)
    legend(axes, "lower left")
    caption = "The measured loss over training" + (
        "." if prediction is None else ", and what was said of it beforehand."
    )
    if prediction is not None:
        band = "in the blue band and " if prediction.lazy is not None else ""
        caption += f" Theory is right where the black line stays {band}on the orange one."
    return Picture("loss", caption, render(figure), wide=True)


def _predicted(axes: "Axes", prediction: Prediction, history: History, x: Values) -> list[Values]:
    """Band, mean, linearised loss and envelope; returns what was drawn."""
    drawn = []
    forecast = forecast_losses(prediction, history)
    if forecast is not None:
        mean, (low, _, high) = positive(forecast[0]), positive(forecast[1])
        at, edge = (
            (x, 0.0) if len(x) > 1 else (np.repeat(x, 2), 5.0)
        )  # of a single state the edge is all that can be seen of the band
        low, high = np.broadcast_to(low, at.shape), np.broadcast_to(high, at.shape)
        axes.fill_between(at, low, high, color=THEORY, alpha=0.16, lw=edge, label="forecast, 5–95 % of seeds")
        curve(axes, x, mean, THEORY, "forecast, mean over seeds", width=1.3)
        drawn += [low, mean, high]
    linear = linearised_losses(prediction, history)
    if linear is not None:
        drawn.append(positive(linear))
        curve(axes, x, drawn[-1], LINEAR, "linearised at this start", "--")
    bound = _envelope(prediction, history)
    if bound is not None:
        curve(axes, x, bound, ENVELOPE, r"bound of the flow, $e^{-rate\cdot t}R_S(0)$", ":", 2.0)
    stepped = _descent(prediction, history)
    if stepped is not None:
        curve(axes, x, stepped, ENVELOPE, _DESCENT, "-.", 1.3)
    return drawn


def _descent(prediction: Prediction, history: History) -> Values | None:
    """[1 − (1−f)τ·rate]^k R_S(0) at the tracked steps up to where it meets rounding; None where nothing is promised."""
    bound = None if prediction.lazy is None or prediction.lazy.rate == 0.0 else descent_bound(prediction, history)
    if bound is None:
        return None
    values = np.exp(bound[history.columns["step"].astype(int)])
    return positive(np.where(values > loss_floors(prediction, history), values, np.nan))


def _envelope(prediction: Prediction, history: History) -> Values | None:
    """e^{−rate·t}R_S(0) up to where it meets rounding; None without a rate,
    or under dynamics that are no gradient flow.
    """
    if prediction.lazy is None or prediction.lazy.rate == 0.0 or not history.dynamics.gradient_flow:
        return None
    times = history.columns["time"]
    return positive(
        np.where(times <= prediction.cut_time, prediction.initial_loss * np.exp(-prediction.lazy.rate * times), np.nan)
    )


def _ratio(record: Outcome) -> Picture | None:
    """R_S over its linearised prediction and over its forecast mean:
    what a logarithmic axis over many decades hides.
    """
    history, prediction = record.history, record.prediction
    linear = None if prediction is None else linearised_losses(prediction, history)
    if prediction is None or linear is None or len(history.losses) < 2:
        return None
    label, x = clock(history)
    forecast, losses = forecast_losses(prediction, history), _above(record, history.columns["loss"])
    figure, axes = panel("measured loss over predicted loss", label, "ratio")
    axes.axhline(1.0, color=QUIET, lw=0.9)
    shown = [losses / _above(record, linear)]
    curve(axes, x, shown[0], LINEAR, "over the linearised one", "--")
    if forecast is not None:
        shown.append(losses / _above(record, forecast[0]))
        curve(axes, x, shown[1], THEORY, "over the forecast mean")
    gap = max((float(np.nanmax(np.abs(s - 1.0), initial=0.0)) for s in shown), default=0.0)
    if gap < 0.7:
        axes.set_ylim(1.0 - 1.2 * max(gap, 0.01), 1.0 + 1.2 * max(gap, 0.01))
    else:
        log_y(axes, *shown, 1.0, low=1e-3, high=1e3)
    progress_x(axes, x)
    legend(axes)
    words = "The measured loss divided by what was predicted; the line at 1 is a perfect prediction. "
    words += "Orange leaves it when the kernel moves" + (
        "." if forecast is None else "; blue starts off it by the luck of the seed."
    )
    return Picture("ratio", words, render(figure))


def _above(record: Outcome, losses: Values) -> Values:
    """Losses that rounding has not reached yet."""
    return np.where(above_rounding(record.prediction, record.history, losses), positive(losses), np.nan)


def _by_block(record: Outcome) -> Picture | None:
    history = record.history
    if len(record.problem.blocks) < 2:
        return None
    label, x = clock(history)
    figure, axes = panel("loss by block", label, r"$R_b$, summing to $R_S$")
    columns = {
        name: positive(history.columns[f"loss.{name}"])
        for name in record.problem.slices
        if f"loss.{name}" in history.columns
    }
    for i, (name, values) in enumerate(columns.items()):
        colour, style = BLOCKS[i % len(BLOCKS)]
        curve(axes, x, values, colour, plain(name), style)
    log_y(axes, *columns.values())
    progress_x(axes, x)
    legend(axes)
    words = (
        "How much of the loss each condition has, weights included. A block that lies above the others is what "
        "training still works on."
    )
    return Picture("loss_by_block", words, render(figure))


def _bound(record: Outcome) -> Picture | None:
    """The loss and its envelope on a linear time axis, where the bound is a straight line;
    only where it falls by an e-fold or more.
    """
    history, prediction = record.history, record.prediction
    if prediction is None or prediction.lazy is None or not len(history.losses) or not history.dynamics.gradient_flow:
        return None
    end = min(float(history.columns["time"][-1]), prediction.cut_time)
    folds = prediction.lazy.rate * end
    if not 1.0 <= folds < np.inf:
        return None
    at, losses = _measured(history)
    time = at * history.step_size if history.step_size > 0.0 else at
    kept = time <= end
    line = np.linspace(0.0, end, 200)
    bound = positive(prediction.initial_loss * np.exp(-prediction.lazy.rate * line))
    figure, axes = panel("the bound of linear convergence", "time t", _LOSS)
    curve(axes, line, bound, ENVELOPE, r"bound of the flow, $e^{-rate\cdot t}R_S(0)$", ":", 2.2)
    if (stepped := descent_bound(prediction, history)) is not None:
        own = positive(np.exp(stepped[np.arange(len(history.losses)) * history.step_size <= end]))
        curve(axes, np.arange(len(own)) * history.step_size, own, ENVELOPE, _DESCENT, "-.", 1.3)
    curve(axes, time[kept], losses[kept], MEASURED, "measured")
    log_y(axes, bound, losses[kept], low=1e-12 * float(np.nanmin(bound)))
    legend(axes, "lower left")
    words = f"The same loss over plain time, where the bound is a straight line; it falls by {number(folds)} e-folds."
    words += " The theorem's conclusion, which is the flow's, holds where black stays below the dotted line"
    words += "." if stepped is None else "; the broken one is the bound of descent with its step, f as measured."
    return Picture("bound", words, render(figure))


def _error(record: Outcome) -> Picture | None:
    """‖u − u*‖/‖u*‖ as training goes, and the same for the linearised network."""
    history = record.history
    if "relative_l2" not in history.columns:
        return None
    label, x = clock(history)
    figure, axes = panel("relative error of u", label, r"$\Vert u-u^*\Vert\,/\,\Vert u^*\Vert$")
    shown = [positive(history.columns[name]) for name in ("relative_l2", "relative_linf")]
    linear = _linearised_errors(record)
    if linear is not None:
        curve(axes, x, linear, LINEAR, r"$L^2$, linearised", "--")
    curve(axes, x, shown[0], MEASURED, r"$L^2$, measured", width=1.9)
    curve(axes, x, shown[1], QUIET, r"$L^\infty$, measured", "-.", 1.2)
    log_y(axes, *shown)
    progress_x(axes, x)
    legend(axes)
    words = "The error at the test points during training" + (
        ", and the error that theory foresaw for it." if linear is not None else "."
    )
    return Picture(
        "error_history",
        words + " It can level off while the loss still falls: then more points are needed, not more steps.",
        render(figure),
    )


def _linearised_errors(record: Outcome) -> Values | None:
    """Relative L² error of the linearised network at the tracked steps."""
    prediction, history, problem = record.prediction, record.history, record.problem
    if (
        prediction is None
        or prediction.cross is None
        or prediction.initial_solution is None
        or problem.exact is None
        or problem.test_points is None
        or not history.dynamics.solvable
    ):
        return None
    linear, like = prediction.linear, prediction.linear.eigenvalues
    with torch.no_grad():
        exact = problem.exact(problem.test_points).to(like)
        u = linear.at_under(prediction.cross, prediction.initial_solution, history.dynamics, tracked_at(history, like))
        size = float(torch.linalg.vector_norm(exact))
        return positive((torch.linalg.vector_norm(u - exact, dim=-1) / (size if size > 0.0 else 1.0)).cpu().numpy())


def dissipation_section(record: Outcome) -> Section:
    """−dR/dt as measured, from the gradient and from the kernel, and the share of part (a) in it."""
    title, columns = "How fast the loss falls", record.history.columns
    if "gradient_norm_squared" not in columns:
        return Section(title, "The gradient was not tracked at any step.")
    if "dissipation" not in columns:
        return Section(
            title,
            "The kernel was not tracked in this run, so only the gradient can be compared.",
            (_dissipation(record),),
        )
    lead = (
        "Along gradient flow the loss falls at the rate −dR/dt = ‖∇R‖² = (s²N/n²) eᵀK̂e: three numbers from "
        "three computations."
    )
    return Section(title, lead, (_dissipation(record), *((_share(record),) if "quadratic_a" in columns else ())))


def _dissipation(record: Outcome) -> Picture:
    history = record.history
    label, x = clock(history)
    figure, axes = panel("decrease of the loss", label, r"$-dR_S/dt$")
    norm, form = (positive(history.columns.get(c, np.empty(0))) for c in ("gradient_norm_squared", "dissipation"))
    if len(form):
        axes.plot(x, form, color=THEORY, lw=4.5, alpha=0.4, label=r"$(s^2N/n^2)\;e^T\hat{K}e$, kernel")
    curve(axes, x, norm, LINEAR, r"$\Vert\nabla R_S\Vert^2$, gradient", width=1.3)
    stepwise = history.dynamics.kind == "descent" and history.step_size > 0.0
    if stepwise:
        steps = history.columns["step"].astype(int)
        steps = steps[steps < len(history.losses) - 1]
        with np.errstate(invalid="ignore", over="ignore"):
            fall = positive((history.losses[steps] - history.losses[steps + 1]) / history.step_size)
        axes.plot(steps, fall, ".", color=MEASURED, ms=4, label=r"$-\Delta R_S/\tau$, measured")
    log_y(axes, norm, form)
    progress_x(axes, x)
    legend(axes, "lower left")
    words = "How fast the loss falls: from the kernel, from the gradient, and as the difference of two measured losses."
    words += " The first two agree to rounding, the dots up to the size of the step."
    if not stepwise:
        words = (
            "How fast gradient flow would lower the loss from each state: from the kernel and from the "
            "gradient, equal to rounding."
        )
    return Picture("dissipation", words, render(figure))


def _share(record: Outcome) -> Picture:
    history = record.history
    label, x = clock(history)
    total, part = history.columns["quadratic"], history.columns["quadratic_a"]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(total > 0.0, part / total, np.nan)
    figure, axes = panel("share of the outer weights", label, r"$e^T\hat{K}^{(a)}e\;/\;e^T\hat{K}e$")
    axes.axhline(1.0, color=ENVELOPE, ls=":", lw=1.6, label="inequality (2): at most 1")
    curve(axes, x, share, MEASURED, "measured")
    axes.set_ylim(0.0, 1.08)
    progress_x(axes, x)
    legend(axes, "lower left")
    words = (
        "How much of that decrease the outer weights a alone bring about; inequality (2) of the theory keeps "
        "this part only."
    )
    return Picture("share", words + " The closer to 1, the less the bound gives away here.", render(figure))
