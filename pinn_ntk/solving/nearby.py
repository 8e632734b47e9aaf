"""More rows where they are needed: about a hole, and about details of the problem, which points spread evenly over Ω
hardly see.
"""

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain, Hole
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.residual import Block, drawn
from pinn_ntk.solving.recipe import Array, Details

_REACH = 3.0  # radii up to which a point is about a hole
_CANDIDATES = 32  # times as many points of a boundary are looked through
_NEAR = 0.5  # half lengths of the box up to which a boundary is near a detail
_TRIES = 4  # points inside are drawn for one that is wanted


def drawn_at(condition: Condition, domain: Domain, details: Details, half: Array, n: int, seed: int) -> Tensor:
    """Up to n points of the condition's region at all distances from details, (m, d).

    Args:
        condition: on a region of positive dimension, with a function or a number as its target.
        domain: Ω, over time where the problem is.
        details: of the problem.
        half: half lengths of its box, (d,).
        n: as many are looked for.
        seed: of the points.
    """
    from scipy.spatial import cKDTree  # where it is used: few runs need it

    rng = np.random.default_rng((seed, 23))
    if condition.region.dim == domain.dim:
        found = torch.from_numpy(details.places(rng, _TRIES * n, half)[0])
        return found[domain.inside(found)][:n]
    pool = condition.region.sample(_CANDIDATES * max(n, 256), seed + 2)
    tree = cKDTree(details.points / half)
    distance, nearest = tree.query(pool.numpy() / half)
    nearness = 1.0 / (distance + 0.25 * details.widths[nearest])
    nearness[distance > _NEAR] = 0.0
    count = min(n, int((nearness > 0.0).sum()))
    if not count:
        return pool[:0]
    return pool[torch.from_numpy(rng.choice(len(pool), count, replace=False, p=nearness / nearness.sum()))]


def drawn_about(condition: Condition, domain: Domain, holes: tuple[Hole, ...], n: int, about: int, seed: int) -> Block:
    """The condition on n points of its region, and on more near every hole that has fewer than asked for.

    Args:
        condition: to be drawn.
        domain: Ω, over time where the problem is.
        holes: of Ω.
        n: points spread evenly.
        about: points within three radii of each hole; what is missing is added inside evenly in the logarithm of the
            distance.
        seed: of the points.
    """
    c, block = condition, drawn(condition, n, seed)
    if not holes or not about or c.region.dim < domain.dim - 1 or c.partner is not None or isinstance(c.target, Tensor):
        return block
    missing = [about - len(_close(block.x, hole)) for hole in holes]
    if max(missing) <= 0:
        return block
    if c.region.dim == domain.dim:
        near = [
            _inside(domain, hole, m, seed + k) for k, (hole, m) in enumerate(zip(holes, missing, strict=True)) if m > 0
        ]
    else:
        candidates = c.region.sample(_CANDIDATES * about, seed + 1)
        near = [_close(candidates, hole)[:m] for hole, m in zip(holes, missing, strict=True) if m > 0]
    return Block(c.operator, torch.cat([block.x, *near]), c.target, c.name, c.weight)


def _inside(domain: Domain, hole: Hole, n: int, seed: int) -> Tensor:
    """Points of Ω about a hole: directions at random, log(distance) uniform up to the size of Ω, time uniform."""
    random, m = np.random.default_rng((seed, 17)), len(hole.center)
    low, high = np.array(domain.low), np.array(domain.high)
    x = low + (high - low) * random.random((_TRIES * n, domain.dim))
    direction = random.standard_normal((len(x), m))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    distance = hole.radius * (0.5 * float(np.max(high[:m] - low[:m])) / hole.radius) ** random.random(len(x))
    x[:, :m] = np.array(hole.center) + distance[:, None] * direction
    found = torch.from_numpy(x)
    return found[domain.inside(found)][:n]


def _close(x: Tensor, hole: Hole) -> Tensor:
    distance = (x[:, : len(hole.center)] - x.new_tensor(hole.center)).norm(dim=1)
    return x[distance <= _REACH * hole.radius]
