"""The look of figures: one palette (safe for colour-blind eyes), one meaning per colour, SVG out."""

import base64
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURED, THEORY, LINEAR, ENVELOPE, QUIET = "#1a1a1a", "#0072b2", "#d55e00", "#009e73", "#8a8f98"
BLOCKS = ("#56b4e9", "#cc79a7", "#e69f00", "#6a3d9a", "#b2df8a", "#999999")

_STYLE: dict[str, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": "#333333",
    "axes.grid": True,
    "grid.color": "#e8e8ea",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "pinn_ntk",
}


@dataclass(frozen=True)
class Picture:
    """One figure of a report.

    Attributes:
        name: file name without suffix.
        title: heading.
        caption: two sentences: what it shows, what to look for.
        svg: the picture.
    """

    name: str
    title: str
    caption: str
    svg: bytes

    @property
    def data_uri(self) -> str:
        """The picture as the source of an <img>: identifiers of two SVGs in one page cannot collide that way."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode("ascii")

    def write(self, folder: Path) -> None:
        """Put the picture into a folder as <name>.svg."""
        (folder / f"{self.name}.svg").write_bytes(self.svg)


def panels(count: int, height: float = 3.0, width: float = 10.0) -> "tuple[Figure, Sequence[Axes]]":
    """A figure with that many panels in a row (object interface: nothing global is touched)."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, count))
    return figure, list(axes)


def render(figure: "Figure") -> bytes:
    """The figure as SVG."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def plain(text: str) -> str:
    """Text as a figure can show it: no mathematics mode, and only characters that the font has."""
    kept = "".join(c if c.isascii() or "À" <= c <= "ω" or c in "₀₁₂₃∂Δ∇∞·−" else "?" for c in text)
    return kept.replace("$", r"\$")


def positive(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values for a logarithmic axis: what is not positive and finite is left out (NaN)."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(array) & (array > 0.0), array, np.nan)


def log_axis(axis: "Axes", which: str, values: Iterable[float]) -> None:
    """A logarithmic axis when there is something positive to show."""
    found = [v for v in values if math.isfinite(v) and v > 0.0]
    if not found:
        return
    axis.set_xscale("log") if which == "x" else axis.set_yscale("log")
    low, high = min(found), max(found)
    if high / low < 3.0:  # a flat curve would otherwise get no tick label
        bounds = (low / 3.0, high * 3.0)
        axis.set_xlim(bounds) if which == "x" else axis.set_ylim(bounds)


def number(value: float | None, floor: float | None = None) -> str:
    """Three significant digits; '–' for nothing, '< floor' below a rounding floor."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if floor is not None and value <= floor:
        return f"< {floor:.0e} (floor)"
    if value == 0:
        return "0"
    if isinstance(value, int) or (abs(value) < 1e5 and value == int(value)):
        return f"{int(value):,}".replace(",", " ")
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.2e}"
