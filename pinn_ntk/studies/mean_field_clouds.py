"""The clouds of the study `mean_field`: particles of the mean field beside the same neurons in a lazy network."""

from collections.abc import Callable, Mapping

import numpy as np

from pinn_ntk.comparison.finding import Finding
from pinn_ntk.reporting.particle_plots import (
    Plane,
    cloud_picture,
    marginals_picture,
    moving_cloud,
    plane_of,
    side_by_side,
)
from pinn_ntk.reporting.style import Picture, Section, Values, number
from pinn_ntk.studies.study import Arrays, Cell, Results

_STILL = 0.2
_CLOUDS = {"particles": "mean field, h = (1/N) Σ a σ(w·x)", "lazy": "lazy, h = Σ a σ(w·x), γ = 1/√N"}


def of_kind(results: Results, kind: str) -> list[tuple[Cell, Arrays]]:
    """The cells of one kind with what they kept."""
    return [(cell, arrays) for cell, arrays in results.arrays if cell.parameters["kind"] == kind]


def clouds(problem: str, results: Results) -> tuple[list[Section], list[Finding]]:
    """Both clouds at their ends and on their way, marginals, and how far each went."""
    films = {kind: of_kind(results, kind)[0][1] for kind in _CLOUDS if of_kind(results, kind)}
    if len(films) < len(_CLOUDS):
        return [], []
    frames = {kind: np.asarray(a["frames"], dtype=np.float64) for kind, a in films.items()}
    plane = plane_of(frames["particles"][-1], bool(films["particles"]["bias"]))
    moved = {kind: float(results.column("moved", {"kind": kind})[0]) for kind in _CLOUDS}
    pictures: list[Picture] = []
    for kind, words in _CLOUDS.items():
        pictures.append(_still(problem, kind, words, frames, plane, moved[kind]))
    pictures.append(_film(problem, films, frames, plane))
    pictures += _marginals(problem, frames)
    shares = " and ".join(number(float(films[kind]["levels"][-1])) for kind in _CLOUDS)
    lead = (
        f"The same neurons on the same points, trained until R_S is {shares} of its start: the clouds of (a, w), "
        "a in units of γ. "
    )
    lead += "In the mean field the particles move, and their movement is what is learned; the lazy cloud stands still."
    return [Section(f"{problem}: the cloud of particles and its lazy twin", lead, tuple(pictures))], [
        _stillness(problem, moved)
    ]


def _still(problem: str, kind: str, words: str, frames: Mapping[str, Values], plane: Plane, moved: float) -> Picture:
    caption = (
        "Rings are particles before training, discs after it. Root mean square displacement of (a, w): "
        f"{number(moved)}."
    )
    return cloud_picture(
        f"{problem}_{kind}", words, frames[kind][0], frames[kind][-1], plane, caption, _others(frames, kind)
    )


def _film(problem: str, films: Mapping[str, Arrays], frames: Mapping[str, Values], plane: Plane) -> Picture:
    """Both clouds on their way; one that did not get as far rests in its last place."""
    count = max(len(film) for film in frames.values())
    panels = []
    for kind, words in _CLOUDS.items():
        index = [min(f, len(frames[kind]) - 1) for f in range(count)]
        labels = [f"loss {100 * float(films[kind]['levels'][f]):.3g} % of its start" for f in index]
        panels.append(moving_cloud(kind, words, frames[kind][index], labels, plane, "", _others(frames, kind)))
    caption = (
        "A moving picture of p_t, in equal steps of log R_S: at each moment both networks have come equally "
        "far in their loss."
    )
    return side_by_side(f"{problem}_moving", panels[0], panels[1], caption)


def _others(frames: Mapping[str, Values], kind: str) -> list[Values]:
    """The ends of the other film: both share axes and colours."""
    return [frames[other][index] for other in frames if other != kind for index in (0, -1)]


def _marginals(problem: str, frames: Mapping[str, Values]) -> list[Picture]:
    looks: list[tuple[str, str, Callable[[Values], Values]]] = [
        ("outer weight", "$a$", lambda c: c[:, 0]),
        ("inner length", "$|w|$", lambda c: np.linalg.norm(c[:, 1:], axis=1)),
    ]
    before = frames["particles"][0]
    caption = (
        "The density of one number over all particles. Grey and blue coincide where the lazy network stands still."
    )
    return [
        marginals_picture(
            f"{problem}_{name.split()[0]}",
            f"the cloud seen along one axis: {name}",
            label,
            look(before),
            [(k, look(frames[k][-1])) for k in frames],
            caption,
        )
        for name, label, look in looks
    ]


def _stillness(problem: str, moved: Mapping[str, float]) -> Finding:
    ratio = moved["lazy"] / moved["particles"]
    reason = (
        f"Root mean square displacements {number(moved['lazy'])} and {number(moved['particles'])}, at the same "
        "relative loss."
    )
    claim = "displacement of the lazy cloud over that of the mean field"
    return Finding(
        f"{problem}: the lazy cloud stands still",
        claim,
        ratio,
        None,
        None,
        f"below {_STILL:g}",
        "holds" if ratio < _STILL else "fails",
        reason,
    )
