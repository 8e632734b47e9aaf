"""Mean field: what is known of N particles θ_k = (a_k, w_k) with h = (1/N) Σ_k a_k σ(w_k·x),
and how two clouds of them are compared.

    ∂_t p = ∇·(p ∇V(·; p)),   V(a, w; p) = (1/n) Σ_i e_i a φ(w; x_i),   h = ∫ a σ(w·x) dp.

A cloud is a tensor (N, D+1) with rows (a_k, w_k), each of mass 1/N: the empirical measure.
"""

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.networks.two_layer import Weights


def cloud(weights: Weights) -> Tensor:
    """(1/N) Σ_k δ_{(a_k, w_k)} as its particles, (N, D+1)."""
    return torch.cat([weights.a[:, None], weights.w], 1)


def loss_excess(kernel_a: Tensor, width: int, gamma: float = 1.0) -> float:
    """E R_N(0) − R_∞(0) = γ² tr K^(a)/(2nN), for a ~ N(0, γ²): what N particles miss of the limit before they move.

    Args:
        kernel_a: K^(a), (n, n), infinite width.
        width: N.
        gamma: γ, of order one.
    """
    return gamma**2 * float(torch.trace(kernel_a)) / (2 * kernel_a.shape[0] * width)


def coupled_distance(narrow: Tensor, wide: Tensor) -> float:
    """√((1/N) Σ_{k≤N} |θ_k^N − θ_k^{2N}|²) of two clouds that began with the same first N particles.

    Args:
        narrow: (N, D+1).
        wide: (M, D+1) with M ≥ N, such as 2N.

    Raises:
        ValueError: the second cloud is the smaller one, or lives in another space.
    """
    _same_space(narrow, wide)
    if wide.shape[0] < narrow.shape[0]:
        raise ValueError(f"wide: got {wide.shape[0]} particles, expected at least {narrow.shape[0]}; swap the two")
    return float((narrow - wide[: narrow.shape[0]]).square().sum(1).mean().sqrt())  # read back: the answer


def sliced_wasserstein(left: Tensor, right: Tensor, directions: int = 256, seed: int = 0) -> float:
    """SW₂ = (E_u W₂²(u·left, u·right))^{1/2}, u uniform on the sphere: exact along each direction,
    a mean over `directions` of them.

    Args:
        left: (N, D+1).
        right: (M, D+1); M may differ from N.
        directions: how many.
        seed: of the directions; the same for clouds that are to be compared with one another.

    Returns:
        The distance. Between N(0, I) and N(m, I) in D+1 dimensions it is |m|/√(D+1).

    Raises:
        ValueError: clouds of different spaces, or no direction.
    """
    _same_space(left, right)
    if directions < 1:
        raise ValueError(f"directions: got {directions}, expected at least 1")
    table = np.random.default_rng(seed).standard_normal((directions, left.shape[1]))
    u = torch.from_numpy(table / np.linalg.norm(table, axis=1, keepdims=True)).to(left)
    x, y = (torch.sort(c @ u.mT, dim=0).values for c in (left, right))
    i, j, mass = _merged_quantiles(left.shape[0], right.shape[0])
    i, j, mass = i.to(left.device), j.to(left.device), mass.to(left)
    return float((mass @ (x[i] - y[j]).square()).mean().sqrt())  # read back: the answer


def _merged_quantiles(n: int, m: int) -> tuple[Tensor, Tensor, Tensor]:
    """The intervals of [0, 1] on which both step functions of quantiles are constant: their indices,
    and their lengths.
    """
    # in units of 1/(nm), so that equal ends are equal
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    starts = np.concatenate([[0], ends[:-1]])
    mass = (ends - starts) / (n * m)
    # on the CPU: indices by numpy, which move with the clouds
    return torch.from_numpy(starts // m), torch.from_numpy(starts // n), torch.from_numpy(mass)


def _same_space(left: Tensor, right: Tensor) -> None:
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1] or not len(left) or not len(right):
        raise ValueError(
            f"clouds: got shapes {tuple(left.shape)} and {tuple(right.shape)}, expected (N, D+1) and (M, D+1)"
        )
