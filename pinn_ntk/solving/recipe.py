"""Recipes of frozen neurons: σ(w·x + β) with w_j ~ U(−1,1) s_j/half_j on k of the d axes,
about a point c of the bounding box, β = −w·c.

A sine also gets a phase U(0, 2π). The scales s, the activation and k are what a person would have to guess.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
_PHASED = ("sin",)
_STEEP = 0.5  # share of the neurons that are about details, where there are any
_FLOOR, _CONTRAST, _GRADING = 0.05, 0.8, 0.3  # of `Focus`: a peak of 1/(1 + 25r²) gains a factor of 16 at N = 2000


@dataclass(frozen=True)
class Frame:
    """The bounding box that recipes are measured in.

    Attributes:
        low: lower ends, (d,).
        high: upper ends, (d,).
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def dim(self) -> int:
        """d."""
        return len(self.low)

    @property
    def half(self) -> tuple[float, ...]:
        """Half the length of each axis; 1 where the points have no extent."""
        return tuple(0.5 * (b - a) if b > a else 1.0 for a, b in zip(self.low, self.high, strict=True))


@dataclass(frozen=True, eq=False)
class Focus:
    """Centres where they are needed: drawn in proportion to (M + 0.05 mean M)^0.8 with the monitor M = |∇²u| of a fit,
    scales by its root.

    Attributes:
        points: candidates of the centres, (m, d), float64.
        density: their probabilities times m, (m,).
        spacing: about the distance of two candidates, as a share of an axis.
    """

    points: Array
    density: Array
    spacing: float

    @staticmethod
    def on(points: Array, monitor: Array) -> "Focus":
        """The focus of a monitor's values at points."""
        mean = float(monitor.mean()) or 1.0
        density = (monitor / mean + _FLOOR) ** _CONTRAST
        return Focus(points, density / density.mean(), 1.0 / len(points) ** (1.0 / points.shape[1]))

    def draw(self, rng: np.random.Generator, width: int) -> tuple[Array, Array, float]:
        """(places (N, d), factors of the scales (N,), how far to stray from the places as a share of an axis)."""
        chosen = rng.choice(len(self.points), width, p=self.density / self.density.sum())
        return self.points[chosen], self.density[chosen] ** (_GRADING / self.points.shape[1]), self.spacing


@dataclass(frozen=True, eq=False)
class Details:
    """Where functions of a problem vary on a small scale (`solving.details.look`), in half lengths of the box.

    Attributes:
        points: (m, d), in x.
        widths: on what scale, (m,).
        normals: unit vectors of steepest change, (m, d).
        inner: whether it is the equation that varies there, not the data on a boundary, (m,) booleans.
        words: what was found.
    """

    points: Array
    widths: Array
    normals: Array
    inner: Array
    words: tuple[str, ...]

    def places(self, rng: np.random.Generator, n: int, half: Array) -> tuple[Array, Array]:
        """n points about the details, (n, d), log(distance) uniform from a quarter of the scale up to Ω, and the
        distances in half lengths, (n,). About data on a boundary there are none: the residual of what approximates
        a jump of them grows without bound there, and would count for more than all else.
        """
        own = np.flatnonzero(self.inner)
        chosen = own[rng.integers(max(1, len(own)), size=n if len(own) else 0)]
        least = 0.25 * self.widths[chosen]
        distance = least * np.maximum(1.0, 1.0 / least) ** rng.random(len(chosen))
        direction = rng.standard_normal((len(chosen), self.points.shape[1]))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        return self.points[chosen] + distance[:, None] * direction * half, distance

    def steep(self, rng: np.random.Generator, n: int, half: Array) -> tuple[Array, Array]:
        """Centres of n neurons (n, d), and what their inner weights w (n, d) are steeper by: along the normal, by the
        inverse of the distance to the detail, at most that of its scale.
        """
        chosen = rng.integers(len(self.points), size=n)
        width = self.widths[chosen]
        distance = width * np.maximum(1.0, 1.0 / width) ** rng.random(n)
        normal = self.normals[chosen]
        stray = distance * rng.standard_normal(n)
        steepness = rng.choice([-1.0, 1.0], n) * (1.0 + rng.random(n)) / distance
        return self.points[chosen] + stray[:, None] * normal * half, steepness[:, None] * normal / half


@dataclass(frozen=True)
class Recipe:
    """How neurons are drawn.

    Attributes:
        activation: σ by name.
        scales: s_j for each axis, dimensionless: w_j·half_j is uniform on (−s_j, s_j).
        axes: k, how many axes each neuron sees, chosen at random.
        focus: where centres are drawn; None for anywhere in the box.
        details: where half of the neurons are steep; None for nowhere.
    """

    activation: str
    scales: tuple[float, ...]
    axes: int
    focus: Focus | None = None
    details: Details | None = None

    def scaled(self, factor: float, *which: int) -> "Recipe":
        """The recipe with the scales of those axes multiplied; of all axes where none is named."""
        chosen = which or range(len(self.scales))
        return replace(self, scales=tuple(s * factor if j in chosen else s for j, s in enumerate(self.scales)))

    def draw(self, width: int, frame: Frame, seed: int) -> Tensor:
        """Inner weights (N, d + 1), float64, the bias last; reproducible."""
        rng, d = np.random.default_rng(seed), frame.dim
        table = rng.random((width, 3 * d + 1))
        half, low = np.array(frame.half), np.array(frame.low)
        w = (2.0 * table[:, :d] - 1.0) * np.array(self.scales) / half
        if self.axes < d:
            w *= table[:, d : 2 * d].argsort(1).argsort(1) < self.axes
        centre = low + 2.0 * half * table[:, 2 * d : 3 * d]
        if self.focus is not None:
            places, factors, spacing = self.focus.draw(rng, width)
            centre = places + spacing * (centre - low - half)
            w *= factors[:, None]
        if self.details is not None:
            some = slice(0, int(_STEEP * width))
            count = len(range(*some.indices(width)))
            centre[some], steeper = self.details.steep(rng, count, half)
            w[some] += steeper
        bias = -(w * centre).sum(1)
        if self.activation in _PHASED:
            bias += 2.0 * math.pi * table[:, -1]
        return torch.from_numpy(np.concatenate([w, bias[:, None]], 1))

    def __str__(self) -> str:
        equal = len(set(self.scales)) == 1
        scale = f"{self.scales[0]:.3g}" if equal else f"({', '.join(f'{s:.3g}' for s in self.scales)})"
        seen = f", {self.axes} of {len(self.scales)} axes each" if self.axes < len(self.scales) else ""
        drawn = ", centres where u bends" if self.focus is not None else ""
        steep = ", half of them steep where the problem is" if self.details is not None else ""
        return f"{self.activation}, scale {scale}{seen}{drawn}{steep}"


def isotropic(
    activation: str, scale: float, dim: int, axes: int | None = None, details: Details | None = None
) -> Recipe:
    """One scale for every axis."""
    return Recipe(activation, (scale,) * dim, dim if axes is None else axes, details=details)


def limited(recipe: Recipe, low: float, high: float) -> Recipe:
    """The recipe with its scales kept between those."""
    return replace(recipe, scales=tuple(min(max(s, low), high) for s in recipe.scales))
