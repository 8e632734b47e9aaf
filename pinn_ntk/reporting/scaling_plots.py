"""Pictures of power laws: measurements against width on logarithmic axes, each series with its fitted slope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pinn_ntk.comparison.slopes import Slope
from pinn_ntk.reporting.style import (
    BLOCKS,
    ENVELOPE,
    LINEAR,
    MEASURED,
    QUIET,
    THEORY,
    Picture,
    legend,
    log_y,
    panel,
    plain,
    positive,
    render,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (MEASURED, THEORY, LINEAR, ENVELOPE, *(colour for colour, _ in BLOCKS))
_MARKERS = "os^Dvp<>*h"
_NAMED = 8  # positions on the horizontal axis that have room for their own names


@dataclass(frozen=True)
class Series:
    """One quantity against x.

    Attributes:
        label: in the legend, to which the slope is added; may be empty.
        x: positions.
        y: values, such as medians over seeds.
        slope: the fitted power law, drawn as a broken line.
        low: lower end of a band, such as a quantile over seeds.
        high: upper end.
        colour: of the series; one of `COLOURS` in turn by default.
        style: of the line that joins the points; '' for none.
    """

    label: str
    x: Any
    y: Any
    slope: Slope | None = None
    low: Any = None
    high: Any = None
    colour: str | None = None
    style: str = "-"


def scaling_picture(
    name: str,
    title: str,
    xlabel: str,
    ylabel: str,
    series: Sequence[Series],
    caption: str,
    wide: bool = False,
    log_x: bool = True,
    logarithmic: bool = True,
    level: float | None = None,
) -> Picture:
    """All series in one panel, each with its points, band and fitted line.

    Args:
        name: file name without suffix.
        title: above the axes.
        xlabel: below.
        ylabel: at the left.
        series: what is drawn.
        caption: what it shows, what to look for.
        wide: whether the picture takes the whole width of the page.
        log_x: whether the horizontal axis is logarithmic.
        logarithmic: whether the vertical axis is.
        level: a horizontal reference line.
    """
    figure, axes = panel(title, xlabel, ylabel, wide=wide)
    for index, one in enumerate(series):
        _draw(axes, one, one.colour or COLOURS[index % len(COLOURS)], _MARKERS[index % len(_MARKERS)], logarithmic)
    if level is not None:
        axes.axhline(level, color=QUIET, lw=1.0, ls=":")
    if log_x:
        axes.set_xscale("log")
        _name_positions(axes, [float(v) for one in series for v in np.asarray(one.x, dtype=np.float64)])
    if logarithmic:
        log_y(axes, *(one.y for one in series), *(b for one in series for b in (one.low, one.high) if b is not None))
    legend(axes)
    return Picture(name, caption, render(figure), wide)


def _name_positions(axes: "Axes", xs: Sequence[float]) -> None:
    """Few positions are named one by one: a person looks for the width that was run, not for a power of ten."""
    from matplotlib.ticker import FixedLocator, NullLocator

    positions = sorted(set(xs))
    if 1 < len(positions) <= _NAMED and all(b > 1.4 * a for a, b in zip(positions, positions[1:], strict=False)):
        axes.xaxis.set_major_locator(FixedLocator(positions))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f"{v:g}" if v < 1e5 else f"{v:.0e}" for v in positions])


def _draw(axes: "Axes", one: Series, colour: str, marker: str, logarithmic: bool) -> None:
    x, y = np.asarray(one.x, dtype=np.float64), np.asarray(one.y, dtype=np.float64)
    shown = positive(y) if logarithmic else y
    fitted = f"slope {one.slope}" if one.slope is not None and one.slope.points > 1 else ""
    words = ", ".join(word for word in (plain(one.label, 40), fitted) if word)
    if one.low is not None and one.high is not None:
        low, high = (positive(b) if logarithmic else np.asarray(b, dtype=np.float64) for b in (one.low, one.high))
        axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    axes.plot(x, shown, linestyle=one.style or "None", marker=marker, ms=4.5, color=colour, lw=1.4, label=words or None)
    if one.slope is not None and one.slope.points > 1 and len(x):
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, [one.slope.at(float(e)) for e in ends], "--", color=colour, lw=0.9, alpha=0.8)
