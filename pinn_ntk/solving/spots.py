"""Spots among the details of a problem: places where a source is large and that are small in every direction of space.

u about a spot is what its source makes in the whole plane, near it and far from it, plus something smooth. Sources of
Gaussians about the same centre, of widths from a third of the spot's to that of Ω, have closed forms
(`networks.spots`).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.networks.extra import ExtraFunction, extra_function
from pinn_ntk.solving.recipe import Array
from pinn_ntk.solving.task import Task

_SOME = 1500  # details that are sorted into spots
_REACH = 8.0  # median widths up to which two details are of one spot
_ROUND = 40.0  # median widths that a spot is wide at most
_FEWEST = 8
_FINE, _COARSE, _NEAR = 1.25, 2.0, 6.0  # steps of σ, near that of the spot and from there on
_BELOW = 5
_SIDES = 8  # widths with derivatives, for sources that are not round
_MOMENT, _WIDE = 20000, 5.0


@dataclass(frozen=True)
class Spot:
    """A place and a size.

    Attributes:
        center: c, in space.
        sigma: the standard deviation of the source about it.
        size: of Ω, beyond which nothing wider is needed.
    """

    center: tuple[float, ...]
    sigma: float
    size: float

    def functions(self, T: Tensor, dim: int) -> list[ExtraFunction]:
        """ψ for widths about the spot's own, closely, and up to Ω; and ∂ψ/∂z_i of the first of them."""
        m = len(self.center)
        base = T.flatten().tolist()
        sigmas = [self.sigma * _FINE**k for k in range(-_BELOW, int(math.log(_NEAR, _FINE)) + 1)]
        while sigmas[-1] * _COARSE < self.size:
            sigmas.append(sigmas[-1] * _COARSE)
        made = [extra_function("spot", (m, s, *self.center, *base, 0), dim) for s in sigmas]
        sides = [self.sigma * 1.6**k for k in range(-1, _SIDES - 1)]
        return made + [extra_function("spot", (m, s, *self.center, *base, i + 1), dim) for s in sides for i in range(m)]


def spots(task: Task, source: Callable[[Tensor], Tensor]) -> Iterator[Spot]:
    """Every spot of a source; none where there is no space of two or three dimensions.

    Args:
        task: with its details.
        source: f of the equation.
    """
    from scipy.sparse.csgraph import connected_components  # where they are used: few runs need them
    from scipy.spatial import cKDTree

    details, space = task.details, task.dim - int(task.time)
    if details is None or space not in (2, 3):
        return
    half = np.array(task.frame.half)
    chosen = np.random.default_rng((task.seed, 31)).permutation(len(details.points))[:_SOME]
    x, widths = details.points[chosen][:, :space], details.widths[chosen]
    width = float(np.median(widths))
    unit = half[:space] if task.time else half
    tree = cKDTree(x / unit)
    graph = tree.sparse_distance_matrix(tree, _REACH * width, output_type="coo_matrix")
    _, label = connected_components(graph, directed=False)
    for k in np.unique(label):
        own = x[label == k]
        extent = ((own.max(0) - own.min(0)) / unit).max()
        if len(own) < _FEWEST or extent > _ROUND * width:
            continue
        center, sigma = _moments(task, source, own, space)
        if sigma > 0.0:
            yield Spot(tuple(center.tolist()), sigma, 2.0 * float(unit.max()))


def _moments(task: Task, source: Callable[[Tensor], Tensor], own: Array, space: int) -> tuple[Array, float]:
    """(centre, σ) of |f − its median| about the places of a spot."""
    rng, middle = np.random.default_rng((task.seed, 37)), 0.5 * (own.max(0) + own.min(0))
    reach = _WIDE * 0.5 * float((own.max(0) - own.min(0)).max())
    for _ in range(3):
        x = np.zeros((_MOMENT, task.dim))
        x[:, :space] = middle + reach * (2.0 * rng.random((_MOMENT, space)) - 1.0)
        if task.time:
            x[:, -1] = task.frame.low[-1] + 2.0 * task.frame.half[-1] * rng.random(_MOMENT)
        f = source(torch.from_numpy(x)).numpy()
        weight = np.nan_to_num(np.abs(f - np.median(f)))
        if not weight.sum() > 0.0:
            return middle, 0.0
        middle = (weight[:, None] * x[:, :space]).sum(0) / weight.sum()
        square = (weight * ((x[:, :space] - middle) ** 2).sum(1)).sum() / weight.sum() / space
        reach = _WIDE * math.sqrt(square)
    return middle, math.sqrt(square)
