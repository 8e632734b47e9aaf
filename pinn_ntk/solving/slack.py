"""What rows leave open: a known v is solved for from its own rows 𝓛_b v, by the neurons that solve for u.

Where the rows determine u, they determine v as well, and v comes back as exactly as its rows are met. Where they do
not, there is a w ≠ 0 with 𝓛_b w ≈ 0 for all b: v comes back with its rows met to rounding and yet as v + w. One random
v has a component along every w, with probability one. Two fits of zero data cannot tell this: both have the least norm.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.solving.recipe import Frame

_WAVES = 6
_TURN = 0.75 * math.pi  # the largest phase along half of the box: v is as smooth as any neurons can follow
_OPEN = 1e-3  # of v: an error from which on v was not told
_MET = 1e-6  # of that error: a share of residual below which the rows were met
WAVE = ACTIVATIONS["sin"]


@dataclass(frozen=True)
class Slack:
    """How v came back.

    Attributes:
        error: ‖v_h − v‖/‖v‖ at the reference points.
        share: the largest residual of v_h, as a share of the terms of its row, on rows that no fit has seen.
        values: v_h − v at the reference points, (m,): about w, where the rows leave w open.
    """

    error: float
    share: float
    values: Tensor

    @property
    def open(self) -> bool:
        """Whether the rows were met by something else than v."""
        return self.error > _OPEN and self.share < _MET * self.error


def rms(values: Tensor) -> float:
    """√(mean v²)."""
    return float(values.square().mean().sqrt())


def known_waves(frame: Frame, seed: int, number: float = 0.0) -> tuple[Tensor, Tensor]:
    """v(x) = Σ α_j sin(w_j·(x, 1)), of unit size: (w (m, d + 1), α (m,)), float64.

    Args:
        frame: the bounding box; phases turn by at most ¾π along half of it.
        seed: of the draw.
        number: k of waves that the equation annihilates; as many of them are added, what it leaves open being made of
            such; 0 for none.
    """
    rng, d = np.random.default_rng((seed, 71)), frame.dim
    half, low = np.array(frame.half), np.array(frame.low)
    w = _TURN * (2.0 * rng.random((_WAVES, d)) - 1.0) / half
    if number > 0.0:
        direction = rng.standard_normal((_WAVES, d))
        w = np.concatenate([w, number * direction / np.linalg.norm(direction, axis=1, keepdims=True)])
    bias = 2.0 * math.pi * rng.random(len(w)) - w @ (low + half)
    alpha = rng.choice([-1.0, 1.0], len(w)) / math.sqrt(len(w) / 2)
    return torch.from_numpy(np.concatenate([w, bias[:, None]], 1)), torch.from_numpy(alpha)
