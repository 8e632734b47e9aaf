"""Pictures of u, the exact solution and the error: curves in 1-D, maps in 2-D, slices through the middle beyond."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.problem.residual import Problem
from pinn_ntk.reporting.style import LINEAR, MEASURED, QUIET, THEORY, Picture, log_axis, panels, positive, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pinn_ntk.reporting.record import Record

GRID = 101


@dataclass(frozen=True)
class _Slice:
    """A grid on the first two coordinates (or the first), the others held in the middle."""

    points: Tensor
    low: tuple[float, ...]
    high: tuple[float, ...]
    labels: tuple[str, ...]
    held: str


def _axis_names(problem: Problem) -> tuple[str, ...]:
    space = problem.dim - int(problem.time)
    names = ("x", "y", "z")[:space] if space <= 3 else tuple(f"x{i + 1}" for i in range(space))
    return (*names, "t") if problem.time else names


def _slice(problem: Problem) -> _Slice:
    x = problem.x.detach().cpu()
    low = problem.domain.low if problem.domain else tuple(x.amin(0).tolist())
    high = problem.domain.high if problem.domain else tuple(x.amax(0).tolist())
    names, d = _axis_names(problem), problem.dim
    shown = min(d, 2)
    middle = torch.tensor([(lo + hi) / 2 for lo, hi in zip(low, high, strict=True)], dtype=torch.float64)
    axes = [torch.linspace(low[j], high[j], 401 if d == 1 else GRID, dtype=torch.float64) for j in range(shown)]
    grids = torch.meshgrid(*axes, indexing="ij")
    points = middle.repeat(grids[0].numel(), 1)
    for j in range(shown):
        points[:, j] = grids[j].reshape(-1)
    held = ", ".join(f"{names[j]} = {float(middle[j]):.3g}" for j in range(shown, d))
    return _Slice(points.to(problem.x), tuple(low[:shown]), tuple(high[:shown]), names[:shown], held)


def _values(function: Any, points: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    with torch.no_grad():
        values: np.ndarray[Any, np.dtype[np.float64]] = function(points).detach().cpu().double().numpy()
    return values


def solution_picture(record: "Record") -> Picture:
    """u beside u* and their difference, or u beside the residual at the points when no exact solution is known."""
    problem, cut = record.problem, _slice(record.problem)
    u = _values(problem.solution(record.trained), cut.points)
    exact = None if problem.exact is None else _values(problem.exact, cut.points)
    draw = _curves if problem.dim == 1 else _maps
    figure, words = draw(record, cut, u, exact)
    where = f" The picture is the slice {cut.held}." if cut.held else ""
    return Picture("solution", "The solution", words + where, render(figure))


def _curves(record: "Record", cut: _Slice, u: Any, exact: Any) -> "tuple[Figure, str]":
    figure, (left, right) = panels(2, 3.1)
    x = cut.points[:, 0].cpu().numpy()
    if exact is not None:
        left.plot(x, exact, color=THEORY, lw=3.5, alpha=0.45, label="exact u*")
    left.plot(x, u, color=MEASURED, lw=1.4, label="network u")
    left.set(title="u", xlabel=cut.labels[0], ylabel="u")
    left.legend()
    if exact is None:
        _residual_axes(record, right, 0)
        return (
            figure,
            "Left: the trained network. Right: what remains of the equation at the training points; it should be small everywhere.",
        )
    error = positive(np.abs(u - exact))
    right.plot(x, error, color=LINEAR, lw=1.2)
    log_axis(right, "y", error[np.isfinite(error)])
    right.set(title="error |u − u*|", xlabel=cut.labels[0])
    return figure, "Left: the network (black) on the exact solution (blue). Right: the pointwise error, on a logarithmic scale."


def _residual_axes(record: "Record", axis: "Axes", column: int) -> None:
    """|e| at the points of the first block against one coordinate."""
    block = record.problem.blocks[0]
    e = record.history.final.residual[: len(block)].detach().abs().cpu().double().numpy()
    values = positive(e / record.problem.row_scales[0])
    axis.plot(block.x[:, column].cpu().numpy(), values, ".", color=LINEAR, ms=4)
    log_axis(axis, "y", values[np.isfinite(values)])
    axis.set(title="residual |𝓛u − f|".replace("𝓛", "L"), xlabel=_axis_names(record.problem)[column])


def _maps(record: "Record", cut: _Slice, u: Any, exact: Any) -> "tuple[Figure, str]":
    problem = record.problem
    figure, axes = panels(3 if exact is not None else 2, 3.25)
    reference = u if exact is None else exact
    low, high = float(np.nanmin(reference)), float(np.nanmax(reference))
    high = high if high > low else low + 1.0
    _image(figure, axes[0], cut, u, "viridis", (low, high), "network u")
    inside = problem.blocks[0].x.detach().cpu().numpy()
    axes[0].plot(inside[:, 0], inside[:, 1], ".", color="white", ms=1.8, alpha=0.55)
    limits = f"Colours of u run from {low:.3g} to {high:.3g}"
    if exact is None:
        _residual_axes(record, axes[1], 0)
        return figure, f"{limits}; white dots are training points. The right panel shows what remains of the equation at them."
    _image(figure, axes[1], cut, exact, "viridis", (low, high), "exact u*")
    error = u - exact
    size = float(np.nanmax(np.abs(error))) or 1.0
    _image(figure, axes[2], cut, error, "RdBu_r", (-size, size), "error u − u*")
    words = f"{limits} in both maps, those of the error from {-size:.2g} to {size:.2g}; white dots are training points. "
    return figure, words + "Look for structure in the error: it shows what the network has not learned yet."


def _image(figure: "Figure", axis: "Axes", cut: _Slice, values: Any, colours: str, limits: tuple[float, float], title: str) -> None:
    extent = (cut.low[0], cut.high[0], cut.low[1], cut.high[1])
    grid = np.asarray(values).reshape(GRID, GRID).T
    image = axis.imshow(
        grid, origin="lower", extent=extent, aspect="auto", cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="bilinear"
    )
    axis.grid(False)
    axis.set(title=title, xlabel=cut.labels[0], ylabel=cut.labels[1])
    bar = figure.colorbar(image, ax=axis, shrink=0.92, pad=0.02)
    bar.outline.set_edgecolor(QUIET)
