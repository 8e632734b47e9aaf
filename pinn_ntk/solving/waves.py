"""A known function: v(x) = Σ α_j sin(w_j·(x, 1)), as smooth as any neurons can follow; its rows 𝓛_b v say how large
a u is that has rows as large as f_b, and what neurons make of data that have no noise.
"""

import math

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.solving.recipe import Frame

_WAVES = 6
_TURN = 0.75 * math.pi  # the largest phase along half of the box
WAVE = ACTIVATIONS["sin"]


def rms(values: Tensor) -> float:
    """√(mean v²)."""
    return float(values.square().mean().sqrt())


def known_waves(frame: Frame, seed: int) -> tuple[Tensor, Tensor]:
    """v(x) = Σ α_j sin(w_j·(x, 1)), of unit size: (w (6, d + 1), α (6,)), float64.

    Args:
        frame: the bounding box; phases turn by at most ¾π along half of it.
        seed: of the draw.
    """
    rng, d = np.random.default_rng((seed, 71)), frame.dim
    half, low = np.array(frame.half), np.array(frame.low)
    w = _TURN * (2.0 * rng.random((_WAVES, d)) - 1.0) / half
    bias = 2.0 * math.pi * rng.random(_WAVES) - w @ (low + half)
    alpha = rng.choice([-1.0, 1.0], _WAVES) / math.sqrt(_WAVES / 2)
    return torch.from_numpy(np.concatenate([w, bias[:, None]], 1)), torch.from_numpy(alpha)
