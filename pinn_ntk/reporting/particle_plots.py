"""Pictures of p_t = (1/N) Σ_k δ_{(a_k, w_k)}: clouds before and after training, their marginals, and clouds that move.

A cloud is an array (N, D+1) with rows (a_k, w_k). Moving pictures are SVG with its own animation: no scripts, one file,
one image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pinn_ntk.reporting.style import (
    LINEAR,
    MEASURED,
    QUIET,
    THEORY,
    Picture,
    Values,
    colour_bar,
    legend,
    panel,
    plain,
    render,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_SHOWN = (
    800  # particles that a still picture shows, 400 that a moving one does: the first ones, which are as random as any
)
_MOVING = 400
_SECONDS = 6.0
_INSIDE = 0.995  # share of the particles that the axes are made for


@dataclass(frozen=True)
class Plane:
    """Where clouds are looked at: two coordinates of each particle.

    Attributes:
        axes: (D+1, 2): a cloud is shown at its product with this.
        xlabel: of the first.
        ylabel: of the second.
    """

    axes: Values
    xlabel: str
    ylabel: str

    def __call__(self, cloud: Values) -> Values:
        """(N, D+1) → (N, 2)."""
        return np.asarray(cloud, dtype=np.float64) @ self.axes


def plane_of(cloud: Values, bias: bool) -> Plane:
    """(w₁, bias) or (w₁, w₂) for two inputs, (w, a) for one, the two directions in which w spreads most for more.

    Args:
        cloud: the trained one, (N, D+1).
        bias: whether the last input is the constant 1.
    """
    inputs = cloud.shape[1] - 1
    if inputs <= 2:
        labels = ("$w$", "$a$") if inputs == 1 else ("$w_1$", "bias $w_2$" if bias else "$w_2$")
        order = (1, 0) if inputs == 1 else (1, 2)
        return Plane(np.eye(inputs + 1)[:, list(order)], *labels)
    w = cloud[:, 1:] - cloud[:, 1:].mean(0)
    directions = np.linalg.svd(w, full_matrices=False)[2][:2].T
    # a sign of its own would turn the picture with rounding
    directions *= np.sign(directions[np.abs(directions).argmax(0), range(2)])
    return Plane(np.vstack([np.zeros((1, 2)), directions]), "first principal direction of $w$", "second")


def _colours() -> "Colormap":
    """From negative a to positive a, both readable on white."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("outer", [THEORY, "#7fb8dc", "#b9bcc2", "#efae7d", LINEAR])


def _frame(axes: "Axes", clouds: Sequence[Values]) -> None:
    """Axes around all but the outermost particles, one length on both."""
    points = np.concatenate([c[:, :2] for c in clouds])
    low, high = (np.quantile(points, q, axis=0) for q in (1 - _INSIDE, _INSIDE))
    middle, half = (low + high) / 2, np.maximum(0.55 * (high - low), 1e-12)
    axes.set_xlim(middle[0] - half[0], middle[0] + half[0])
    axes.set_ylim(middle[1] - half[1], middle[1] + half[1])


def _largest(clouds: Sequence[Values]) -> float:
    """The size of a at the ends of the colour scale."""
    return max(float(np.quantile(np.abs(c[:, 0]), _INSIDE)) for c in clouds) or 1.0


def cloud_picture(
    name: str, title: str, before: Values, after: Values, plane: Plane, caption: str, beside: Sequence[Values] = ()
) -> Picture:
    """Where the particles were and where they are: rings and discs, joined by a line, discs coloured by a.

    Args:
        name: file name without suffix.
        title: above the axes.
        before: cloud at the start, (N, D+1).
        after: the same particles at the end.
        plane: what is shown of them.
        caption: what it shows.
        beside: clouds of pictures that stand beside this one and share its axes and colours.
    """
    from matplotlib.collections import LineCollection

    figure, axes = panel(plain(title, 60), plane.xlabel, plane.ylabel, bar=True)
    every = [before, after, *beside]
    first, last = plane(before)[:_SHOWN], plane(after)[:_SHOWN]
    axes.add_collection(
        LineCollection(list(np.stack([first, last], 1)), colors=QUIET, linewidths=0.35, alpha=0.5, zorder=1.5)
    )
    axes.scatter(
        first[:, 0], first[:, 1], s=7, facecolors="none", edgecolors=QUIET, linewidths=0.5, label="start", zorder=2
    )
    size = _largest(every)
    dots = axes.scatter(
        last[:, 0],
        last[:, 1],
        s=8,
        c=after[:_SHOWN, 0],
        cmap=_colours(),
        vmin=-size,
        vmax=size,
        linewidths=0,
        label="end",
        zorder=3,
    )
    _frame(axes, [plane(c) for c in every])
    colour_bar(figure, axes, dots, extend="both")
    axes.text(1.05, 1.03, "$a$", transform=axes.transAxes)
    return Picture(name, caption, render(figure))


def marginals_picture(
    name: str, title: str, xlabel: str, before: Values, after: Sequence[tuple[str, Values]], caption: str
) -> Picture:
    """One number of every particle as a density: before training in grey, after it a line for each run.

    Args:
        name: file name without suffix.
        title: above the axes.
        xlabel: the number.
        before: its values at the start, (N,).
        after: a label and the values at the end, for each run.
        caption: what it shows.
    """
    figure, axes = panel(plain(title, 60), xlabel, "density")
    low, high = (np.quantile(np.concatenate([before, *(v for _, v in after)]), q) for q in (1 - _INSIDE, _INSIDE))
    edges = np.linspace(low, max(high, low + 1e-12), 41).tolist()
    axes.hist(before, edges, density=True, color=QUIET, alpha=0.35, label="start of all")
    for (label, values), (colour, style) in zip(after, ((LINEAR, "-"), (THEORY, "--"), (MEASURED, ":")), strict=False):
        axes.hist(values, edges, density=True, histtype="step", color=colour, ls=style, lw=1.7, label=plain(label))
    legend(axes)
    return Picture(name, caption, render(figure))


def moving_cloud(
    name: str,
    title: str,
    frames: Values,
    labels: Sequence[str],
    plane: Plane,
    caption: str,
    beside: Sequence[Values] = (),
) -> Picture:
    """p_t as a moving picture: every particle goes through its places in turn, in the colour of its a, and begins anew.

    Args:
        name: file name without suffix.
        title: above the axes.
        frames: clouds in order of time, (F, N, D+1).
        labels: what is written in each frame, such as its time.
        plane: what is shown of them.
        caption: what it shows.
        beside: clouds of pictures that stand beside this one and share its axes and colours.

    Raises:
        ValueError: no frames, or not one label for each.
    """
    if not len(frames) or len(labels) != len(frames):
        raise ValueError(
            f"labels: got {len(labels)} for {len(frames)} frames, expected one for each, and a frame at least"
        )
    figure, axes = panel(plain(title, 60), plane.xlabel, plane.ylabel, bar=True)
    every = [frames[0], frames[-1], *beside]
    _frame(axes, [plane(c) for c in every])
    size = _largest(every)
    colour_bar(figure, axes, _scale(size), extend="both")
    axes.text(1.05, 1.03, "$a$", transform=axes.transAxes)
    still = render(figure).decode("utf-8")
    return Picture(
        name,
        caption,
        still.replace("</svg>", _animation(figure, axes, frames, labels, plane, size) + "</svg>").encode("utf-8"),
    )


def side_by_side(name: str, left: Picture, right: Picture, caption: str) -> Picture:
    """Two pictures of one size as one, so that what moves in them moves together.

    Args:
        name: file name without suffix.
        left: made by `moving_cloud`, as is the other: what has one name in both is the same in both.
        right: the other.
        caption: of the two.
    """
    parts = [picture.svg.decode("utf-8") for picture in (left, right)]
    parts = [part[part.index("<svg") :] for part in parts]
    sizes = [[float(v) for v in part.split('viewBox="', 1)[1].split('"', 1)[0].split()[2:]] for part in parts]
    (wide, high), (other, _) = sizes
    nested = [part.replace("<svg", f'<svg x="{x:g}"', 1) for part, x in zip(parts, (0.0, wide), strict=True)]
    box = f'width="{wide + other:g}pt" height="{high:g}pt" viewBox="0 0 {wide + other:g} {high:g}"'
    # inside another picture, plain numbers: its units are those of the outer one's box
    plainly = [
        part.replace(f'width="{w:g}pt" height="{h:g}pt"', f'width="{w:g}" height="{h:g}"', 1)
        for part, (w, h) in zip(nested, sizes, strict=True)
    ]
    outer = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{"".join(plainly)}</svg>'
    return Picture(name, caption, outer.encode("utf-8"), wide=True)


def _scale(size: float) -> Any:
    """What a colour bar is made of where nothing is drawn."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(-size, size), _colours())


def _animation(figure: "Figure", axes: "Axes", frames: Values, labels: Sequence[str], plane: Plane, size: float) -> str:
    """The particles as circles of SVG with their own animation, clipped to the axes, and one text per frame."""
    width, height = (72.0 * inches for inches in figure.get_size_inches())
    box, (x0, x1), (y0, y1) = axes.get_position(), axes.get_xlim(), axes.get_ylim()
    left, top, wide, high = width * box.x0, height * (1 - box.y1), width * box.width, height * box.height
    places = np.stack([plane(f) for f in frames[:, :_MOVING]])
    x = left + wide * (places[..., 0] - x0) / (x1 - x0)
    y = top + high * (1 - (places[..., 1] - y0) / (y1 - y0))
    colours = _hexadecimal(frames[:, :_MOVING, 0], size)
    circles = [_circle(x[:, k], y[:, k], [row[k] for row in colours]) for k in range(x.shape[1])]
    words = [_label(text, f, len(labels), left + 6, top + 14) for f, text in enumerate(labels)]
    clip = f'<clipPath id="axes"><rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"/></clipPath>'
    return f'<defs>{clip}</defs><g clip-path="url(#axes)">{"".join(circles)}</g>{"".join(words)}'


def _hexadecimal(a: Values, size: float) -> list[list[str]]:
    """a as colours, frame by frame."""
    from matplotlib.colors import to_hex

    table = np.array([to_hex(c) for c in _colours()(np.linspace(0.0, 1.0, 33))])
    rows: list[list[str]] = table[np.clip(np.rint(16.0 * (1.0 + a / size)), 0, 32).astype(int)].tolist()
    return rows


def _circle(x: Values, y: Values, colours: Sequence[str]) -> str:
    """One particle: it rests for a moment in its last place."""
    moves = "".join(
        _animate(name, [f"{v:.1f}" for v in values])
        for name, values in (("cx", x), ("cy", y))
        if float(np.ptp(np.round(values, 1))) > 0.0
    )
    turns = _animate("fill", list(colours)) if len(set(colours)) > 1 else ""
    return f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="1.7" fill="{colours[0]}">{moves}{turns}</circle>'


def _animate(name: str, values: Sequence[str]) -> str:
    places = ";".join([*values, *[values[-1]] * max(1, len(values) // 4)])
    return f'<animate attributeName="{name}" dur="{_SECONDS:g}s" repeatCount="indefinite" values="{places}"/>'


def _label(text: str, index: int, count: int, x: float, y: float) -> str:
    """The words of one frame, seen while it lasts; the last one stays for the rest."""
    rest = max(1, count // 4)
    shown = ["1" if f == min(index, count - 1) else "0" for f in [*range(count), *[count - 1] * rest]]
    timing = f'dur="{_SECONDS:g}s" repeatCount="indefinite" calcMode="discrete" values="{";".join(shown)}"'
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    style = 'font-family="DejaVu Sans, sans-serif" font-size="9" fill="#333333"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" {style} opacity="{shown[0]}">{safe}<animate attributeName="opacity" '
        f"{timing}/></text>"
    )
