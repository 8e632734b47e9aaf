"""Fields on planes as coloured maps: nothing is painted outside the domain, one scale for all panels of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pinn_ntk.reporting.grid import Values
from pinn_ntk.reporting.planes import Plane
from pinn_ntk.reporting.style import colour_bar, panel, panels, place, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OUTLINE = "#3c424d"
_EQUAL = (0.3, 3.0)  # height over width up to which two axes of one unit are drawn to scale
_FREE = 0.88  # height over width otherwise
_LAYERS = 3  # nodes beyond the outline that colours are carried on to, so that they reach it


@dataclass(frozen=True)
class Scale:
    """Colours and their ends.

    Attributes:
        colours: a colour map.
        low: the value of the first.
        high: that of the last.
    """

    colours: str
    low: float
    high: float

    def beyond(self, values: Values) -> str:
        """At which ends a colour bar is pointed: where values lie outside by more than can be seen."""
        low, high = finite_range(values)
        slack = 0.02 * (self.high - self.low)
        below, above = low < self.low - slack, high > self.high + slack
        return "both" if below and above else "min" if below else "max" if above else "neither"


def finite_range(values: Values) -> tuple[float, float]:
    """Smallest and largest finite value, apart from each other."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return (low, high) if high - low > 1e-12 * max(abs(low), abs(high)) else (low - 0.5, high + 0.5)


def drawn_fields(
    where: Sequence[Plane], fields: Sequence[Values], scale: Scale, title: str, points: Values | None = None
) -> bytes:
    """One map, or a panel for each plane, in the colours of one scale.

    Args:
        where: the planes.
        fields: (side, side) values on each, NaN outside the domain.
        scale: of all of them.
        title: of the picture.
        points: (n, 2) to mark on a single map.
    """
    if len(where) == 1:
        figure, axes = panel(title, *where[0].names, bar=True)
        place(figure, axes, ratio(where[0]))
        image = draw_field(axes, where[0], fields[0], scale)
        if points is not None:
            axes.plot(
                points[:, 0],
                points[:, 1],
                "o",
                color="white",
                ms=3.0 if len(points) < 200 else 1.8,
                alpha=0.6,
                mew=0,
                zorder=3,
            )
        colour_bar(figure, axes, image, scale.beyond(fields[0]))
        return render(figure)
    moments = len({p.axes for p in where}) == 1
    fixed, titles = "", [p.held for p in where]
    if moments:
        fixed, titles = titles[0].rpartition(", ")[0], [text.rpartition(", ")[2] for text in titles]
    heading = f"{title} at {fixed}" if fixed else title
    figure, every = panels(titles, [p.names for p in where], max(map(ratio, where)), heading, shared=moments)
    for axes, one, field in zip(every, where, fields, strict=True):
        image = draw_field(axes, one, field, scale)
    colour_bar(figure, every, image, scale.beyond(np.stack(fields)))
    return render(figure)


def draw_field(axes: "Axes", where: Plane, field: Values, scale: Scale) -> Any:
    """The image of a field, cut along the outline of the domain, which is drawn thin.

    Returns:
        What a colour bar is made from.
    """
    half = [(hi - lo) / (where.side - 1) / 2 for lo, hi in zip(where.low, where.high, strict=True)]
    extent = (where.low[0] - half[0], where.high[0] + half[0], where.low[1] - half[1], where.high[1] + half[1])
    shown = field if where.whole else _carried(field)
    image = axes.imshow(
        shown.T,
        origin="lower",
        extent=extent,
        aspect="auto",
        cmap=scale.colours,
        vmin=scale.low,
        vmax=scale.high,
        interpolation="bilinear",
    )
    frame(axes, where)
    if not where.whole:
        from matplotlib.path import Path

        image.set_clip_path(
            Path.make_compound_path(*(Path(curve, closed=True) for curve in where.outline)), axes.transData
        )
    return image


def frame(axes: "Axes", where: Plane) -> None:
    """The limits of a plane and the outline of the domain in it."""
    pads = [0.0 if where.whole else 0.03 * (hi - lo) for lo, hi in zip(where.low, where.high, strict=True)]
    axes.set(
        xlim=(where.low[0] - pads[0], where.high[0] + pads[0]), ylim=(where.low[1] - pads[1], where.high[1] + pads[1])
    )
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(not where.outline)
    for curve in where.outline:
        axes.plot(curve[:, 0], curve[:, 1], "-", color=_OUTLINE, lw=0.8, zorder=2.5, clip_on=False)


def ratio(where: Plane) -> float:
    """Height over width of the axes: to scale where both have one unit and the shape allows it."""
    width, height = (hi - lo for lo, hi in zip(where.low, where.high, strict=True))
    return height / width if where.alike and _EQUAL[0] <= height / width <= _EQUAL[1] else _FREE


def _carried(field: Values) -> Values:
    """The field with NaN replaced by the mean of its neighbours, a few nodes beyond where it is known."""
    full = np.pad(field, 1, constant_values=np.nan)
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    for _ in range(_LAYERS):
        around = np.stack([np.roll(full, shift, (0, 1)) for shift in shifts])
        known = np.isfinite(around)
        mean = np.where(known, around, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        full = np.where(np.isnan(full) & known.any(0), mean, full)
    return full[1:-1, 1:-1]
