"""Gradient flow and gradient descent on a quadratic loss, mode by mode:
how a residual decays and how far it has moved the parameters.

R_S = ‖e‖²/(2n), θ̇ = −∇R_S or θ_{k+1} = θ_k − τ∇R_S; eigenvalues λ are those of JJᵀ/n, J the Jacobian of e (rows
scaled). A decay r(λ) goes with the response (1 − r)/λ, whose limit at λ = 0 is what a mode without a rate would be
moved by.
"""

import torch
from torch import Tensor

Times = float | Tensor
Steps = int | Tensor


def flow_decay(eigenvalues: Tensor, t: Times) -> Tensor:
    """e^{−λt}, shape t.shape + (n,); 1 at λ = 0 also as t → ∞."""
    return torch.exp(-_exponent(eigenvalues, column(t, eigenvalues, "t")))


def flow_response(eigenvalues: Tensor, t: Times) -> Tensor:
    """φ₁(λ, t) = (1 − e^{−λt})/λ, φ₁(0, t) = t, shape t.shape + (n,)."""
    time = column(t, eigenvalues, "t")
    return _divided(-torch.expm1(-_exponent(eigenvalues, time)), eigenvalues, time)


def descent_decay(eigenvalues: Tensor, k: Steps, step: float) -> Tensor:
    """r_k = (1 − τλ)ᵏ, shape k.shape + (n,); |r_k| grows where τλ > 2."""
    log, odd = _log_power(eigenvalues, k, step)
    return torch.where(odd, -torch.exp(log), torch.exp(log))


def descent_response(eigenvalues: Tensor, k: Steps, step: float) -> Tensor:
    """c_k = (1 − (1 − τλ)ᵏ)/λ, kτ at λ = 0, shape k.shape + (n,)."""
    log, odd = _log_power(eigenvalues, k, step)
    return _divided(
        torch.where(odd, 1.0 + torch.exp(log), -torch.expm1(log)), eigenvalues, step * column(k, eigenvalues, "k")
    )


def descent_rate(eigenvalues: Tensor, step: float) -> Tensor:
    """−log|1 − τλ|, by which log|r_k| falls in each step; negative where the mode grows."""
    return -_log_factor(step * eigenvalues)


def column(value: Times, like: Tensor, name: str) -> Tensor:
    """Times or steps as (…, 1), so that modes are the last dimension.

    Raises:
        ValueError: a negative one.
    """
    values = torch.as_tensor(value, dtype=like.dtype, device=like.device)[..., None]
    if not bool((values >= 0).all()):  # read back: whether the times are times
        raise ValueError(f"{name} = {value}: expected numbers ≥ 0; training starts at {name} = 0.")
    return values


def _exponent(rates: Tensor, times: Tensor) -> Tensor:
    """λt with 0·∞ = 0."""
    return torch.where((rates == 0) | (times == 0), 0.0, rates * times)


def _log_factor(s: Tensor) -> Tensor:
    """log|1 − s| without rounding 1 − s (s − 2 is exact near 2)."""
    return torch.where(s < 1, torch.log1p(-s.clamp(max=1)), torch.log1p(s.clamp(min=1) - 2))


def _log_power(eigenvalues: Tensor, k: Steps, step: float) -> tuple[Tensor, Tensor]:
    """log|1 − τλ|ᵏ, and whether the power is negative."""
    count, s = column(k, eigenvalues, "k"), step * eigenvalues
    log = _log_factor(s)
    return torch.where((count == 0) | (log == 0), 0.0, count * log), (s > 1) & (count.remainder(2) == 1)


def _divided(numerator: Tensor, eigenvalues: Tensor, at_zero: Tensor) -> Tensor:
    null = eigenvalues == 0
    return torch.where(null, at_zero, numerator / torch.where(null, 1.0, eigenvalues))
