"""Pictures of u, the exact solution, the error and the residual: curves in 1-D, maps in 2-D,
planes and moments beyond.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pinn_ntk.problem.residual import Problem
from pinn_ntk.reporting.field_plots import Scale, drawn_fields, finite_range, frame, ratio
from pinn_ntk.reporting.grid import Values, axis_names, bounds, contains
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.planes import Plane, planes_of, values_at, values_on
from pinn_ntk.reporting.style import (
    LINEAR,
    MEASURED,
    THEORY,
    Picture,
    Section,
    colour_bar,
    curve,
    legend,
    log_y,
    number,
    panel,
    place,
    positive,
    render,
)
from pinn_ntk.training.states import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CURVE = 401
_MOST, _PEAK = 0.995, 2.0  # a share of an error's nodes, and how far above them its peak may be


def solution_section(record: Outcome) -> Section:
    """u, u* and u − u*, and what remains of the equations at the points."""
    problem, title = record.problem, "The solution"
    if record.status is Status.NON_FINITE or not bool(torch.isfinite(record.history.final.residual).all()):
        return Section(title, "The last state of training is not finite, so there is no solution to show.")
    if problem.dim == 1:
        return Section(title, _error_words(record), (*_curves(record), _residual(record, None)))
    where = planes_of(problem, problem.solution(record.trained), record.network.width)
    return Section(
        title, _error_words(record) + _plane_words(problem, where), (*_maps(record, where), _residual(record, where[0]))
    )


def _error_words(record: Outcome) -> str:
    history, tests = record.history, record.problem.test_points
    if record.problem.exact is None or tests is None or "relative_l2" not in history.columns:
        return (
            "No exact solution is known for this problem, so the error is not measured; the residual says how "
            "well the equation is met."
        )
    l2, largest = (float(history.columns[c][-1]) for c in ("relative_l2", "relative_linf"))
    return (
        f"Relative error ‖u − u*‖/‖u*‖ over {number(len(tests))} test points that were not trained on: "
        f"{number(l2)} in L² (root mean square), {number(largest)} in L^∞ (largest value)."
    )


def _plane_words(problem: Problem, where: Sequence[Plane]) -> str:
    """Where the maps are taken, if that is a choice."""
    held = [p.held for p in where]
    if not held[0]:
        return ""
    if len(where) == 1:
        return f" Maps show the slice {held[0]}, in the two coordinates along which u varies most."
    if not problem.time:
        return f" Maps show the three planes {held[0]}, {held[1]} and {held[2]}."
    fixed = held[0].rpartition(", ")[0]
    slices = f" in the slice {fixed}, along whose two coordinates u varies most" if fixed else ""
    return (
        f" Maps show {len(where)} moments from {held[0].rpartition(', ')[2]} to {held[-1].rpartition(', ')[2]}{slices}."
    )


def _curves(record: Outcome) -> tuple[Picture, ...]:
    problem, (low, high) = record.problem, bounds(record.problem)
    x, (name,) = np.linspace(low[0], high[0], _CURVE), axis_names(problem)
    points, inside = torch.from_numpy(x)[:, None], contains(problem, torch.from_numpy(x)[:, None])
    u = np.full(_CURVE, np.nan)
    u[inside] = values_at(problem.solution(record.trained), points[inside].to(problem.x), record.network.width)
    figure, axes = panel("network and exact solution" if problem.exact is not None else "network", name, "u")
    if problem.exact is not None:
        exact = np.full(_CURVE, np.nan)
        exact[inside] = values_at(problem.exact, points[inside].to(problem.x), 1)
        axes.plot(x, exact, color=THEORY, lw=4, alpha=0.4, label="exact u*")
    axes.plot(x, u, color=MEASURED, lw=1.4, label="network u")
    legend(axes)
    caption = "The trained network u" + (
        " (black) on the exact solution u* (blue)." if problem.exact is not None else "."
    )
    caption += (
        " The two lines should be one."
        if problem.exact is not None
        else " It should look like what you expect of the equation."
    )
    pictures = [Picture("solution", caption, render(figure))]
    if problem.exact is not None:
        error = positive(np.abs(u - exact))
        figure, axes = panel("error", name, "|u − u*|")
        curve(axes, x, error, LINEAR, width=1.2)
        log_y(axes, error, low=1e-6 * float(np.nanmax(error, initial=0.0)))
        words = (
            "The distance of the two at every point, on a logarithmic scale. Dips are places where the curves cross."
        )
        pictures.append(Picture("error", words, render(figure)))
    return tuple(pictures)


def _maps(record: Outcome, where: Sequence[Plane]) -> tuple[Picture, ...]:
    """u, u* in the same colours, and their signed difference, each over all planes."""
    problem, width, wide = record.problem, record.network.width, len(where) > 1
    u = [values_on(problem.solution(record.trained), p, width) for p in where]
    exact = None if problem.exact is None else [values_on(problem.exact, p, 1) for p in where]
    scale = Scale("viridis", *finite_range(np.stack(u if exact is None else exact)))
    points = problem.x.detach().cpu().numpy() if problem.dim == 2 else None
    between = f"colours from {number(scale.low)} to {number(scale.high)}{', the same in all panels' if wide else ''}"
    words = f"The trained network, {between}{'; dots are the training points' if points is not None else ''}. "
    words += (
        "It should look like the exact solution."
        if exact is not None
        else "It should look like what you expect of the equation."
    )
    pictures = [Picture("solution", words, drawn_fields(where, u, scale, "network u", points), wide)]
    if exact is not None:
        words = f"The exact solution, in the same {between}. It was used for nothing but to measure the error."
        pictures.append(Picture("exact", words, drawn_fields(where, exact, scale, "exact solution u*"), wide))
        error = [a - b for a, b in zip(u, exact, strict=True)]
        size, largest = _size(np.stack(error))
        words = f"The difference, colours from −{number(size)} (blue) to {number(size)} (red)"
        words += f"; in a few places more, up to {number(largest)}. " if largest > size else ". "
        words += "Its structure is what has not been learned."
        pictures.append(
            Picture("error", words, drawn_fields(where, error, Scale("RdBu_r", -size, size), "error u − u*"), wide)
        )
    return tuple(pictures)


def _size(error: Values) -> tuple[float, float]:
    """Where the colours of a signed error end, and its largest size:
    not at a peak that would leave everything else white.
    """
    sizes = np.abs(error[np.isfinite(error)])
    largest = float(sizes.max(initial=1e-300))
    usual = float(np.quantile(sizes, _MOST)) if len(sizes) else largest
    return (usual if 0.0 < _PEAK * usual < largest else largest), largest


def _residual(record: Outcome, where: Plane | None) -> Picture:
    """|e_i| at the points, those of one plane or of the line."""
    problem = record.problem
    x = problem.x.detach().cpu().double().numpy()
    size = positive(record.history.final.residual.detach().abs().cpu().double().numpy())
    words = "What remains of each equation, |𝓛u − f| with its weight, at the points where it was asked for"
    words += ", seen along the other coordinates. " if problem.dim > 2 else ". "
    words += "The mean of the squares is twice the final loss; it should be small everywhere."
    if where is None:
        figure, axes = panel("residual at the points", axis_names(problem)[0], r"$|e_i|$")
        axes.plot(x[:, 0], size, "o", color=LINEAR, ms=3.5, mew=0)
        log_y(axes, size)
    else:
        figure, axes = panel("residual at the points", *where.names, bar=True)
        place(figure, axes, ratio(where))
        frame(axes, where)
        _scatter(figure, axes, x[:, where.axes[0]], x[:, where.axes[1]], size)
    return Picture("residual", words, render(figure))


def _scatter(figure: Any, axes: "Axes", x: Values, y: Values, size: Values) -> None:
    """Points coloured by a positive value on a logarithmic scale."""
    from matplotlib.colors import LogNorm

    kept = np.isfinite(size)
    axes.plot(x[~kept], y[~kept], ".", color="#c4c7cd", ms=4, mew=0)
    if not kept.any():
        return
    low, high = float(size[kept].min()), float(size[kept].max())
    norm = LogNorm(min(max(low, 1e-4 * high), 0.1 * high), high)
    order = np.argsort(size[kept])
    dots = axes.scatter(
        x[kept][order], y[kept][order], c=size[kept][order], s=22, cmap="cividis_r", norm=norm, linewidths=0
    )
    colour_bar(figure, axes, dots, "min" if low < 1e-4 * high else "neither")
