"""More rows where a hole is: about a small one functions vary that points spread evenly over Ω hardly see."""

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain, Hole
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.residual import Block, drawn

_REACH = 3.0  # radii up to which a point is about a hole
_CANDIDATES = 32  # times as many points of a boundary are looked through
_TRIES = 4  # points inside are drawn for one that is wanted


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
