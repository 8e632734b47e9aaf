"""Mean field: what is known of N particles θ_k = (a_k, w_k) with h = (1/N) Σ_k a_k σ(w_k·x),
and how two clouds of them are compared.

    ∂_t p = ∇·(p ∇V(·; p)),   V(a, w; p) = (1/n) Σ_i e_i a φ(w; x_i),   h = ∫ a σ(w·x) dp.

A cloud is a tensor (N, D+1) with rows (a_k, w_k), each of mass 1/N: the empirical measure.
"""

import math

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.networks.features import System, features
from pinn_ntk.networks.two_layer import Weights


def cloud(weights: Weights) -> Tensor:
    """(1/N) Σ_k δ_{(a_k, w_k)} as its particles, (N, D+1)."""
    return torch.cat([weights.a[:, None], weights.w], 1)


def potential(system: System, residual: Tensor, particles: Tensor) -> Tensor:
    """V(a, w) = (1/n) Σ_i e_i a φ(w; x_i): a particle moves by −∇V, and V is N ∂R_S/∂(mass) of h = (1/N) Σ a σ(w·x).

    Args:
        system: S𝓛 at the (lifted) points.
        residual: e of the whole cloud, (n,).
        particles: where V is wanted, (m, D+1), rows (a, w).

    Returns:
        V, (m,).
    """
    return particles[:, 0] * (features(system, particles[:, 1:]).mT @ residual) / system.points


def loss_excess(kernel_a: Tensor, width: int, gamma: float = 1.0) -> float:
    """E R_N(0) − R_∞(0) = γ² tr K^(a)/(2nN), for a ~ N(0, γ²): what N particles miss of the limit before they move.

    Args:
        kernel_a: K^(a), (n, n), infinite width.
        width: N.
        gamma: γ, of order one.
    """
    return gamma**2 * float(torch.trace(kernel_a)) / (2 * kernel_a.shape[0] * width)


def equivalent_start(width: int, degree: int) -> float:
    """N^{−1/(p+1)}: the lecture's flow of h = Σ a σ(w·x), σ = ReLUᵖ, started at a, w ~ N^{−1/(p+1)} N(0, 1)
    is the mean-field flow.

    Args:
        width: N.
        degree: p.
    """
    return math.pow(width, -1.0 / (degree + 1))


def mean_field_time(t: float, width: int, degree: int) -> float:
    """t_MF = N^{(1−p)/(1+p)} t: the clock of that equivalence; none for p = 1.

    Args:
        t: time of θ' = −∇R_S for h = Σ a σ(w·x).
        width: N.
        degree: p of σ = ReLUᵖ.
    """
    return math.pow(width, (1 - degree) / (1 + degree)) * t


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


def wasserstein(left: Tensor, right: Tensor) -> float:
    """W₂ = min over pairings π of ((1/N) Σ_k |left_k − right_{π(k)}|²)^{1/2}, exact; N³ work,
    for a few thousand particles.

    Args:
        left: (N, D+1).
        right: (N, D+1), as many particles.

    Raises:
        ValueError: clouds of different sizes or spaces.
    """
    from scipy.optimize import linear_sum_assignment

    _same_space(left, right)
    if left.shape != right.shape:
        raise ValueError(
            f"right: got {right.shape[0]} particles, expected {left.shape[0]}; sliced_wasserstein takes any two sizes"
        )
    # on the CPU: scipy's assignment
    cost = torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist").square().cpu().numpy()
    rows, columns = linear_sum_assignment(cost)
    return math.sqrt(float(cost[rows, columns].mean()))


def entropy(particles: Tensor, neighbours: int = 5) -> float:
    """−∫ p log p from nearest neighbours: ψ(N) − ψ(k) + log v_{D+1} + ((D+1)/N) Σ_i log r_{i,k}.

    Args:
        particles: (N, D+1), distinct, more than `neighbours`.
        neighbours: k.

    Raises:
        ValueError: too few particles.

    References:
        Kozachenko & Leonenko (1987).
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma, gammaln

    count, dim = particles.shape
    if not 1 <= neighbours < count:
        raise ValueError(f"neighbours: got {neighbours}, expected at least 1 and fewer than the {count} particles")
    points = particles.detach().cpu().double().numpy()  # on the CPU: scipy's tree of neighbours
    radii = cKDTree(points).query(points, k=neighbours + 1)[0][:, -1]
    ball = 0.5 * dim * math.log(math.pi) - float(gammaln(0.5 * dim + 1.0))
    return float(digamma(count) - digamma(neighbours)) + ball + dim * float(np.log(radii).mean())


def free_energy(loss: float, particles: Tensor, temperature: float, weight_decay: float) -> float:
    """F(p) = R_S + (κ/2) ∫|θ|² dp + T ∫ p log p: what the flow with noise T and decay κ descends.

    Args:
        loss: R_S of the cloud.
        particles: (N, D+1).
        temperature: T; the entropy is estimated only where it is positive.
        weight_decay: κ.

    References:
        Mei, Montanari & Nguyen (2018).
    """
    confined = loss + 0.5 * weight_decay * float(particles.square().sum(1).mean())
    return confined - temperature * entropy(particles) if temperature > 0.0 else confined


def _same_space(left: Tensor, right: Tensor) -> None:
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1] or not len(left) or not len(right):
        raise ValueError(
            f"clouds: got shapes {tuple(left.shape)} and {tuple(right.shape)}, expected (N, D+1) and (M, D+1)"
        )
