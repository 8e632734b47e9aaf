"""The look of figures: one palette (safe for colour-blind eyes), one meaning per colour, one panel per picture,
SVG out.
"""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = np.ndarray[Any, np.dtype[np.float64]]

MEASURED, THEORY, LINEAR, ENVELOPE, QUIET = "#1a1a1a", "#0072b2", "#d55e00", "#009e73", "#8a8f98"
BLOCKS = (("#56b4e9", "-"), ("#cc79a7", "--"), ("#e69f00", "-."), ("#6a3d9a", ":"), ("#7f7f7f", "-"))
SMALLEST, LARGEST = 1e-120, 1e120
"""What a logarithmic axis is asked to show lies between these: beyond, tick arithmetic overflows."""

_STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8f98",
    "axes.labelcolor": "#333333",
    "axes.grid": True,
    "grid.color": "#ebecef",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "lines.linewidth": 1.6,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.fontsize": 9,
    "legend.handlelength": 2.2,
    "svg.fonttype": "path",
    "svg.hashsalt": "pinn_ntk",
}
_IMAGES = 160  # dots per inch of maps inside a picture, which otherwise has none
_MARGINS = (
    0.74,
    0.2,
    0.56,
    0.4,
)  # inches: left, right, bottom, top; fixed ones need no layout engine, which would draw everything twice


@dataclass(frozen=True)
class Picture:
    """One panel of a report.

    Attributes:
        name: file name without suffix.
        caption: two sentences: what it shows, what to look for.
        svg: the picture.
        wide: whether it takes the whole width of the page.
    """

    name: str
    caption: str
    svg: bytes
    wide: bool = False

    @property
    def data_uri(self) -> str:
        """The picture as the source of an <img>: identifiers of two SVGs in one page cannot collide that way."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode("ascii")

    def write(self, folder: Path) -> None:
        """Put the picture into a folder as <name>.svg."""
        (folder / f"{self.name}.svg").write_bytes(self.svg)


@dataclass(frozen=True)
class Section:
    """Pictures on one question.

    Attributes:
        title: heading.
        lead: a sentence or two before the pictures, or what stands in their place.
        pictures: none when there is nothing to draw; the lead then says why.
    """

    title: str
    lead: str
    pictures: tuple[Picture, ...] = ()


def panel(title: str, xlabel: str, ylabel: str, wide: bool = False, bar: bool = False) -> "tuple[Figure, Axes]":
    """A figure with one pair of axes (object interface: nothing global is touched).

    Args:
        title: above the axes.
        xlabel: below.
        ylabel: at the left.
        wide: for a picture that takes the whole width of the page.
        bar: whether room is left at the right for a colour bar.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    width, height = (8.4, 4.1) if wide else (5.0, 3.9) if bar else (5.0, 3.5)
    left, right, bottom, top = _MARGINS
    right += 0.75 if bar else 0.0
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def place(figure: "Figure", axes: "Axes", ratio: float) -> None:
    """Give the axes of a `panel` that height over width, and the figure the height that they need."""
    box, (width, height) = axes.get_position(), figure.get_size_inches()
    w = min(box.width * width, box.height * height / ratio)
    below, above = box.y0 * height, (1 - box.y1) * height
    needed = below + w * ratio + above
    figure.set_size_inches(width, needed)
    axes.set_position((box.x0, below / needed, w / width, w * ratio / needed))


def panels(
    titles: Sequence[str], names: Sequence[tuple[str, str]], ratio: float, title: str, shared: bool
) -> "tuple[Figure, list[Axes]]":
    """Axes three abreast over the whole width of the page, with room for one colour bar at the right.

    Args:
        titles: above each.
        names: of the axes of each.
        ratio: height over width of each.
        title: above all.
        shared: whether all have the same axes, so that only the outer ones are labelled.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    width, columns, rows = 8.4, 3, math.ceil(len(titles) / 3)
    left, right, bottom, top = 0.62, 0.95, 0.52, 0.7
    across, down = (0.34, 0.42) if shared else (0.7, 0.85)
    w = (width - left - right - (columns - 1) * across) / columns
    h = w * ratio
    height = bottom + top + rows * h + (rows - 1) * down
    with mpl.rc_context(_STYLE):
        figure, every = Figure(figsize=(width, height)), []
        figure.text(left / width, 1 - 0.2 / height, title, va="top", fontsize=10.5)
        for i, (words, (xlabel, ylabel)) in enumerate(zip(titles, names, strict=True)):
            row, column = divmod(i, columns)
            x, y = left + column * (w + across), bottom + (rows - 1 - row) * (h + down)
            axes = figure.add_axes((x / width, y / height, w / width, h / height))
            axes.set_title(words, fontsize=9.5, color="#555555", pad=5)
            under, beside = not shared or i + columns >= len(titles), not shared or column == 0
            axes.set(xlabel=xlabel if under else "", ylabel=ylabel if beside else "")
            axes.tick_params(labelbottom=under, labelleft=beside, labelsize=9)
            every.append(axes)
    return figure, every


def colour_bar(figure: "Figure", axes: "Axes | Sequence[Axes]", image: Any, extend: str = "neither") -> None:
    """A colour bar in the room that `panel(bar=True)` or `panels` left, along all the axes."""
    import matplotlib as mpl
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    boxes, inch = (
        [one.get_position() for one in (axes if isinstance(axes, Sequence) else [axes])],
        1 / figure.get_figwidth(),
    )
    low, high, right = min(b.y0 for b in boxes), max(b.y1 for b in boxes), max(b.x1 for b in boxes)
    with mpl.rc_context(_STYLE):
        bar = figure.colorbar(
            image, cax=figure.add_axes((right + 0.125 * inch, low, 0.15 * inch, high - low)), extend=extend
        )
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    if isinstance(bar.formatter, ScalarFormatter):  # small numbers as 1, 2, … under one power of ten
        bar.formatter.set_powerlimits((-2, 3))
        bar.formatter.set_useMathText(True)
        bar.ax.yaxis.set_offset_position("left")


def legend(axes: "Axes", place: Literal["best", "lower left"] = "best") -> None:
    """A legend in the style of the page, if anything has a label."""
    import matplotlib as mpl

    if axes.get_legend_handles_labels()[1]:
        with mpl.rc_context(_STYLE):
            axes.legend(loc=place)


def render(figure: "Figure") -> bytes:
    """The figure as SVG; the same numbers give the same bytes."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", dpi=_IMAGES, metadata={"Date": None, "Creator": "pinn_ntk"})
    return buffer.getvalue()


@cache
def _drawable() -> frozenset[int]:
    """Code points that the font of figures has."""
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(findfont("DejaVu Sans")).get_charmap())


def plain(text: str, length: int = 28) -> str:
    """A person's text as a figure can show it: no mathematics mode, no missing glyphs,
    not hidden by a leading underscore, not too long.
    """
    short = text if len(text) <= length else text[: length - 1] + "…"
    kept = "".join(" " if not c.isprintable() else c if ord(c) in _drawable() else "?" for c in short)
    return (" " + kept if kept.startswith("_") else kept).replace("$", r"\$")


def positive(values: Any) -> Values:
    """Values for a logarithmic axis: what is not positive and finite becomes NaN and is not drawn."""
    array = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where((array > SMALLEST) & (array < LARGEST), array, np.nan)


def curve(axes: "Axes", x: Any, y: Any, colour: str, label: str = "", style: str = "-", width: float = 1.6) -> None:
    """A line, with markers where it is too short to be seen as one; broken lines lie on top of full ones,
    so that both are seen.
    """
    values = np.asarray(y, dtype=np.float64)
    marker = "o" if np.isfinite(values).sum() < 3 else ""
    axes.plot(
        x,
        values,
        style,
        color=colour,
        lw=width,
        marker=marker,
        ms=4,
        label=label or None,
        zorder=2.0 if style == "-" else 2.2,
    )


def log_y(axes: "Axes", *shown: Any, low: float = 0.0, high: float = math.inf) -> None:
    """A logarithmic vertical axis over everything shown, within [low, high]; a linear one when nothing is positive.

    Args:
        axes: where.
        shown: arrays or numbers that are drawn.
        low: what lies below is cut off.
        high: what lies above is cut off.
    """
    from matplotlib.ticker import NullFormatter

    values = positive(np.concatenate([np.ravel(np.asarray(s, dtype=np.float64)) for s in shown] or [np.empty(0)]))
    values = values[np.isfinite(values)]
    if not len(values):
        axes.set_ylim(0.0, 1.0)
        return
    bottom, top = max(float(values.min()), low), min(float(values.max()), high)
    bottom = min(bottom, top)
    if top > 30.0 * bottom:
        bottom, top = bottom / 1.3, top * 1.3
    else:  # whole decades: a flat curve would otherwise get no tick label, or one at every minor tick
        bottom, top = 10.0 ** math.floor(math.log10(bottom / 1.1)), 10.0 ** math.ceil(math.log10(top * 1.1))
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom, top)


def progress_x(axes: "Axes", x: Any) -> None:
    """Steps or times from 0 on: linear up to the first positive one, logarithmic from there;
    linear when they span less than a decade.
    """
    values = np.asarray(x, dtype=np.float64)
    ahead = values[values > 0.0]
    if not len(ahead):
        axes.set_xlim(-0.5, 0.5)
        return
    first, last = float(ahead.min()), float(ahead.max())
    if last > 10.0 * first:
        axes.set_xscale("symlog", linthresh=first, linscale=0.35)
        axes.set_xlim(-0.06 * first, last * 1.15)
    else:
        axes.set_xlim(-0.02 * last, last * 1.02)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, floor: float | None = None) -> str:
    """Three significant digits, 1.23·10⁻⁴ where a plain number would be long; '–' for nothing,
    'below …' under a rounding floor.
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if floor is not None and value <= floor:
        return f"below its floor {number(floor)}"
    if value == 0:
        return "0"
    size, sign = abs(value), "−" if value < 0 else ""
    if size == int(size) and size < 1e6:
        return sign + f"{int(size):,}".replace(",", "\u202f")
    if 1e-2 <= size < 999.5:
        return sign + f"{size:.3g}"
    mantissa, exponent = f"{size:.2e}".split("e")
    return f"{sign}{mantissa}·10{str(int(exponent)).translate(_RAISED)}"
