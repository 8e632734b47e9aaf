"""Fourth moments of the features at initialisation: what the sharper first terms of the width theorems need.

    Σ_ij Var(φ_iφ_j) = E‖φ‖⁴ − ‖K^(a)‖_F²,   E(φᵀK^(a)⁻¹φ)²,   φ = (φ(x_i; w))_i, w ~ N(0, I).

By seeded Monte Carlo with a standard error. The integrands grow like |w|^{4·order}: plain sampling misses the tail, and
its standard error does too (8.5e3 came out as 2.9e3 ± 0.6e3 for tanh). For σ homogeneous of degree p, φ(w) =
|w|ᵖφ(w/|w|): the radius is integrated exactly, directions alone are drawn. Otherwise w ~ N(0, s²I), with weights sᴰ
exp(−(1 − s⁻²)|w|²/2).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pinn_ntk.activations import Activation, activation_named
from pinn_ntk.kernels.limit import system_of
from pinn_ntk.networks.features import features, neuron_chunks
from pinn_ntk.operators.rows import Rows


def feature_variance_sum(
    rows: tuple[Rows, ...], activation: str | Activation, K: Tensor, samples: int = 200_000, seed: int = 0
) -> tuple[float, float]:
    """Σ_ij Var(φ_iφ_j) = E‖φ‖⁴ − ‖K^(a)‖_F², so that E‖K̂^(a) − K^(a)‖_F² is this over N.

    Args:
        rows: S𝓛 at the points, lifted if the network has a bias.
        activation: a name or a record.
        K: K^(a), (n, n), of these rows.
        samples: neurons drawn.
        seed: of the draw.

    Returns:
        The value and its standard error.

    References:
        Markov's inequality gives N ≥ 32 Σ_ij Var(φ_iφ_j)/(λ_S²δ) in place of the lecture's first term.
    """
    matrix = _checked(rows, K)
    mean, error = _fourth_moment(rows, activation, lambda Phi: (Phi * Phi).sum(0), samples, seed)
    return mean - float((matrix * matrix).sum()), error  # read back: a number of the bounds


def whitened_fourth_moment(
    rows: tuple[Rows, ...], activation: str | Activation, K: Tensor, samples: int = 200_000, seed: int = 0
) -> tuple[float, float]:
    """E(φᵀK^(a)⁻¹φ)², so that E‖K^{-1/2}K̂^(a)K^{-1/2} − I‖_F² = (this − n)/N.

    Args:
        rows: S𝓛 at the points, lifted if the network has a bias.
        activation: a name or a record.
        K: K^(a), (n, n), of these rows.
        samples: neurons drawn.
        seed: of the draw.

    Returns:
        The value and its standard error.

    Raises:
        ValueError: K is not positive definite to rounding, so that it has no inverse root.

    References:
        N ≥ 32 (E(φᵀK⁻¹φ)² − n)/δ gives K̂^(a) ⪰ ¾K^(a) with probability 1 − δ, free of λ_S.
    """
    root, failure = torch.linalg.cholesky_ex(_checked(rows, K))
    if int(failure):  # read back: whether the factorisation succeeded
        raise ValueError(
            "K: got a kernel that is not positive definite to rounding (λ_S below the floor), expected K^(a) "
            "of distinct rows"
        )

    def square(Phi: Tensor) -> Tensor:
        white: Tensor = torch.linalg.solve_triangular(root, Phi, upper=False)
        return (white * white).sum(0)

    return _fourth_moment(rows, activation, square, samples, seed)


def _checked(rows: tuple[Rows, ...], K: Tensor) -> Tensor:
    n = sum(len(r) for r in rows)
    if K.shape != (n, n):
        raise ValueError(f"K: got shape {tuple(K.shape)}, expected ({n}, {n}), the kernel K^(a) of these rows")
    return K.double()


def _fourth_moment(
    rows: tuple[Rows, ...], activation: str | Activation, square: Callable[[Tensor], Tensor], samples: int, seed: int
) -> tuple[float, float]:
    """Mean and standard error of square(Φ)² over neurons, where square is a quadratic form in φ."""
    if samples < 2:
        raise ValueError(f"samples: got {samples}, expected at least 2 for a standard error")
    sigma = activation_named(activation)
    system = system_of(rows, sigma)
    D = rows[0].x.shape[1]
    spread = 1.5 + 0.75 * max(r.order for r in rows)
    draws = torch.Generator(device="cpu").manual_seed(seed)  # on the CPU: the same numbers for every device
    values = []
    for part in neuron_chunks(system.points, samples):
        w = torch.randn(part.stop - part.start, D, generator=draws, dtype=torch.float64, device="cpu").to(
            system.target.device
        )
        if sigma.degree is not None:
            values.append(square(features(system, w / w.norm(dim=1, keepdim=True))) ** 2)
        else:
            weight = spread ** (D / 2) * torch.exp(-0.5 * (spread - 1.0) * (w * w).sum(1))
            values.append(weight * square(features(system, spread**0.5 * w)) ** 2)
    sample = torch.cat(values)
    radial = (
        1.0
        if sigma.degree is None
        else 4.0**sigma.degree * math.exp(math.lgamma(D / 2 + 2 * sigma.degree) - math.lgamma(D / 2))
    )
    # read back: a number of the bounds
    return radial * float(sample.mean()), radial * float(sample.std()) / math.sqrt(samples)
