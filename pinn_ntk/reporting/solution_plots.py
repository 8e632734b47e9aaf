"""Pictures of u, the exact solution, the error and the residual: curves in 1-D, maps in 2-D, slices through the middle beyond."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.problem.residual import Function, Problem
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.style import (
    LINEAR,
    MEASURED,
    THEORY,
    Picture,
    Section,
    Values,
    colour_bar,
    curve,
    legend,
    log_y,
    number,
    panel,
    positive,
    render,
)
from pinn_ntk.training.states import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CURVE, _GRID, _COARSEST = 401, 101, 33
_WORK = 3e8  # neurons × points of one map: a few seconds at most, whatever the width
_AT_ONCE = 1 << 22  # neurons × points held in memory
_FEWEST = 256  # points: very wide networks have two layers, and go through their neurons in chunks themselves
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class _Slice:
    """A grid on one or two coordinates, the others held in the middle of the domain."""

    points: Tensor
    side: int
    axes: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    names: tuple[str, ...]
    held: str


def axis_names(problem: Problem) -> tuple[str, ...]:
    """x, y, z (x₁ … beyond three of space), and t for a time axis."""
    space = problem.dim - int(problem.time)
    names = ("x", "y", "z")[:space] if space <= 3 else tuple(f"x{i + 1}".translate(_SUBSCRIPTS) for i in range(space))
    return (*names, "t") if problem.time else names


def solution_section(record: Outcome) -> Section:
    """u, u* and u − u*, and what remains of the equations at the points."""
    problem, title = record.problem, "The solution"
    if record.status is Status.NON_FINITE or not bool(torch.isfinite(record.history.final.residual).all()):
        return Section(title, "The last state of training is not finite, so there is no solution to show.")
    cut = _slice(problem, record.network.width)
    u = _values(problem.solution(record.trained), cut.points, record.network.width)
    exact = None if problem.exact is None else _values(problem.exact, cut.points, 1)
    pictures = _curves(record, cut, u, exact) if problem.dim == 1 else _maps(record, cut, u, exact)
    return Section(title, _error_words(record) + (f" Maps show the slice {cut.held}." if cut.held else ""), pictures)


def _error_words(record: Outcome) -> str:
    history, tests = record.history, record.problem.test_points
    if record.problem.exact is None or tests is None or "relative_l2" not in history.columns:
        return "No exact solution is known for this problem, so the error is not measured; the residual says how well the equation is met."
    l2, largest = (float(history.columns[c][-1]) for c in ("relative_l2", "relative_linf"))
    return (
        f"Relative error ‖u − u*‖/‖u*‖ over {number(len(tests))} test points that were not trained on: "
        f"{number(l2)} in L² (root mean square), {number(largest)} in L^∞ (largest value)."
    )


def _slice(problem: Problem, width: int) -> _Slice:
    x = problem.x.detach().cpu()
    low = problem.domain.low if problem.domain else tuple(x.amin(0).tolist())
    high = problem.domain.high if problem.domain else tuple(x.amax(0).tolist())
    high = tuple(hi if hi > lo else lo + 1.0 for lo, hi in zip(low, high, strict=True))
    names, d = axis_names(problem), problem.dim
    axes = (0,) if d == 1 else (0, d - 1) if problem.time else (0, 1)
    side = _CURVE if d == 1 else min(_GRID, max(_COARSEST, math.isqrt(int(_WORK / width))))
    middle = torch.tensor([(lo + hi) / 2 for lo, hi in zip(low, high, strict=True)], dtype=torch.float64)
    grids = torch.meshgrid(*(torch.linspace(low[j], high[j], side, dtype=torch.float64) for j in axes), indexing="ij")
    points = middle.repeat(grids[0].numel(), 1)
    for j, grid in zip(axes, grids, strict=True):
        points[:, j] = grid.reshape(-1)
    held = ", ".join(f"{names[j]} = {float(middle[j]):.3g}" for j in range(d) if j not in axes)
    ends = [tuple(end[j] for j in axes) for end in (low, high)]
    return _Slice(points.to(problem.x), side, axes, ends[0], ends[1], tuple(names[j] for j in axes), held)


def _values(function: Function, points: Tensor, width: int) -> Values:
    """The function at points, a few at a time for a wide network."""
    with torch.no_grad():
        parts = [function(part).detach().cpu().double() for part in points.split(max(_FEWEST, _AT_ONCE // width))]
    values: Values = torch.cat(parts).numpy()
    return values


def _range(values: Values) -> tuple[float, float]:
    """Smallest and largest finite value, apart from each other."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return (low, high) if high - low > 1e-12 * max(abs(low), abs(high)) else (low - 0.5, high + 0.5)


def _curves(record: Outcome, cut: _Slice, u: Values, exact: Values | None) -> tuple[Picture, ...]:
    x, name = cut.points[:, 0].cpu().numpy(), cut.names[0]
    figure, axes = panel("network and exact solution" if exact is not None else "network", name, "u")
    if exact is not None:
        axes.plot(x, exact, color=THEORY, lw=4, alpha=0.4, label="exact u*")
    axes.plot(x, u, color=MEASURED, lw=1.4, label="network u")
    legend(axes)
    caption = "The trained network u" + (" (black) on the exact solution u* (blue)." if exact is not None else ".")
    caption += " The two lines should be one." if exact is not None else " It should look like what you expect of the equation."
    pictures = [Picture("solution", caption, render(figure))]
    if exact is not None:
        error = positive(np.abs(u - exact))
        figure, axes = panel("error", name, "|u − u*|")
        curve(axes, x, error, LINEAR, width=1.2)
        log_y(axes, error, low=1e-6 * float(np.nanmax(error, initial=0.0)))
        words = "The distance of the two at every point, on a logarithmic scale. Dips are places where the curves cross."
        pictures.append(Picture("error", words, render(figure)))
    return (*pictures, _residual(record, cut))


def _maps(record: Outcome, cut: _Slice, u: Values, exact: Values | None) -> tuple[Picture, ...]:
    limits = _range(u if exact is None else exact)
    low, high = (number(v) for v in limits)
    points = record.problem.x.detach().cpu().numpy() if record.problem.dim == 2 else None
    dots = "; dots are the training points" if points is not None else ""
    words = f"The trained network, colours from {low} to {high}{dots}. "
    words += "It should look like the exact solution." if exact is not None else "It should look like what you expect of the equation."
    pictures = [Picture("solution", words, _map(cut, u, "viridis", limits, "network u", points))]
    if exact is not None:
        words = f"The exact solution, in the same colours from {low} to {high}. It was used for nothing but to measure the error."
        pictures.append(Picture("exact", words, _map(cut, exact, "viridis", limits, "exact solution u*")))
        error = u - exact
        size = max(-_range(error)[0], _range(error)[1], 1e-300)
        words = f"The difference, colours from −{number(size)} (blue) to {number(size)} (red). Its structure is what has not been learned."
        pictures.append(Picture("error", words, _map(cut, error, "RdBu_r", (-size, size), "error u − u*")))
    return (*pictures, _residual(record, cut))


def _map(cut: _Slice, values: Values, colours: str, limits: tuple[float, float], title: str, points: Values | None = None) -> bytes:
    figure, axes = panel(title, cut.names[0], cut.names[1], bar=True)
    grid, extent = values.reshape(cut.side, cut.side).T, (cut.low[0], cut.high[0], cut.low[1], cut.high[1])
    image = axes.imshow(
        grid, origin="lower", extent=extent, aspect="auto", cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="bilinear"
    )
    axes.grid(visible=False)
    if points is not None:
        axes.plot(points[:, 0], points[:, 1], "o", color="white", ms=3.2 if len(points) < 200 else 2.0, alpha=0.65, mew=0)
    low, high = _range(values)
    slack = 0.02 * (limits[1] - limits[0])
    below, above = low < limits[0] - slack, high > limits[1] + slack
    colour_bar(figure, axes, image, "both" if below and above else "min" if below else "max" if above else "neither")
    return render(figure)


def _residual(record: Outcome, cut: _Slice) -> Picture:
    """|e_i| at the points."""
    problem = record.problem
    x = problem.x.detach().cpu().double().numpy()
    size = positive(record.history.final.residual.detach().abs().cpu().double().numpy())
    flat = problem.dim > 2
    words = "What remains of each equation, |𝓛u − f| with its weight, at the points where it was asked for"
    words += ", seen along the other coordinates. " if flat else ". "
    words += "The mean of the squares is twice the final loss; it should be small everywhere."
    if problem.dim == 1:
        figure, axes = panel("residual at the points", cut.names[0], r"$|e_i|$")
        axes.plot(x[:, 0], size, "o", color=LINEAR, ms=3.5, mew=0)
        log_y(axes, size)
    else:
        figure, axes = panel("residual at the points", cut.names[0], cut.names[1], bar=True)
        pads = [0.02 * (hi - lo) for lo, hi in zip(cut.low, cut.high, strict=True)]
        axes.set(xlim=(cut.low[0] - pads[0], cut.high[0] + pads[0]), ylim=(cut.low[1] - pads[1], cut.high[1] + pads[1]))
        _scatter(figure, axes, x[:, cut.axes[0]], x[:, cut.axes[1]], size)
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
    dots = axes.scatter(x[kept][order], y[kept][order], c=size[kept][order], s=22, cmap="cividis_r", norm=norm, linewidths=0)
    colour_bar(figure, axes, dots, "min" if low < 1e-4 * high else "neither")
