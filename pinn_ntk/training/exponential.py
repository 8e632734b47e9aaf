"""Gradient flow of many networks at once by exponential Euler steps: exact while the kernel stands still,
however stiff it is.

    θ(t + h) ≈ θ − (1/n) Jᵀ U φ₁(Λ, h) Uᵀe,   JJᵀ/n = UΛUᵀ at θ(t),   φ₁(λ, h) = (1 − e^{−λh})/λ.

Explicit methods have to keep their steps below 2/λ_max; here they may be as long as 1/λ_min, and what limits them is
how far the kernel moves. That needs a kernel that moves smoothly: every kink of a ReLU that crosses a point ends a
step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.kernels.batched import batched_kernel
from pinn_ntk.networks.features import System
from pinn_ntk.networks.sums import pullback, residual
from pinn_ntk.networks.two_layer import Weights
from pinn_ntk.training.ensemble_states import selected

_FIRST, _LARGEST, _SMALLEST, _SAFETY = 0.1, 5.0, 0.2, 0.9


@dataclass(frozen=True)
class FlowState:
    """θ_s(t_s) of the members s that still run, each at a time of its own.

    Attributes:
        members: (S,) which of the networks given these are.
        time: (S,) t.
        residual: e, (S, n).
        kernel_a: K̂^(a) at θ, (S, n, n).
    """

    members: Tensor
    time: Tensor
    residual: Tensor
    kernel_a: Tensor


@dataclass(frozen=True)
class Modes:
    """JJᵀ/n = UΛUᵀ of every member: Λ (S, n) and U (S, n, n)."""

    rates: Tensor
    vectors: Tensor

    def decayed(self, e: Tensor, h: Tensor) -> Tensor:
        """U e^{−Λh} Uᵀe: the residual after the time h if the kernel stood still."""
        return self._applied(torch.exp(-self.rates * h[:, None]), e)

    def response(self, e: Tensor, h: Tensor) -> Tensor:
        """U φ₁(Λ, h) Uᵀe, φ₁(0, h) = h."""
        null = self.rates <= 0.0
        rates = torch.where(null, 1.0, self.rates)
        return self._applied(torch.where(null, h[:, None], -torch.expm1(-rates * h[:, None]) / rates), e)

    def _applied(self, factors: Tensor, e: Tensor) -> Tensor:
        moved: Tensor = self.vectors @ (factors * (self.vectors.mT @ e[..., None]).squeeze(-1))[..., None]
        return moved.squeeze(-1)


def exponential_step(
    system: System, weights: Weights, e: Tensor, modes: Modes, h: Tensor
) -> tuple[Weights, Tensor, Tensor]:
    """One step of length h, and how far off it is.

    Args:
        system: the rows, shared.
        weights: θ(t), with a leading dimension S.
        e: residual there, (S, n).
        modes: of the kernel there.
        h: (S,) lengths.

    Returns:
        θ(t + h), its residual, and ‖e(t + h) − U e^{−Λh}Uᵀe‖/‖e(t + h)‖, (S,): of second order in h.
    """
    by_a, by_w, by_extra = pullback(system, weights, modes.response(e, h))
    moved = weights.moved(-by_a, -by_w, -by_extra)
    after, norm = residual(system, moved), torch.linalg.vector_norm
    return moved, after, norm(after - modes.decayed(e, h), dim=-1) / norm(after, dim=-1)


def exponential_flow(
    system: System,
    weights: Weights,
    horizon: Tensor,
    ended: Callable[[FlowState], Tensor],
    tolerance: float = 0.01,
    most: int = 1000,
) -> Tensor:
    """θ' = −∇R_S(θ) for every member until `ended` says so or its horizon is reached.

    Args:
        system: the rows, shared.
        weights: θ(0), with a leading dimension S.
        horizon: (S,) the last time of each member.
        ended: asked at t = 0 and after every round; True for members that need no further step.
        tolerance: largest error of one step, relative to the residual after it.
        most: rounds of steps.

    Returns:
        The members that were still running when the rounds were spent.
    """
    members = torch.arange(weights.a0.shape[0], device=weights.a0.device)
    e, time, h = residual(system, weights), torch.zeros_like(horizon), torch.zeros_like(horizon)
    for _ in range(most):
        kernel, kernel_a = batched_kernel(system, weights)
        stopped = ended(FlowState(members, time, e, kernel_a)) | (time >= horizon)
        on = (~stopped).nonzero().flatten()  # read back: how many go on
        members, time, e, horizon, h, weights = members[on], time[on], e[on], horizon[on], h[on], selected(weights, on)
        if not len(members):
            break
        modes = Modes(*torch.linalg.eigh(kernel[on] * (system.scale**2 * weights.a0.shape[-1] / system.points)))
        h = torch.minimum(torch.where(h > 0.0, h, _FIRST / modes.rates[:, -1]), horizon - time)
        moved, after, error = exponential_step(system, weights, e, modes, h)
        good = error <= tolerance
        weights, e = _chosen(good, moved, weights), torch.where(good[:, None], after, e)
        time = torch.where(good, time + h, time)
        h = h * (_SAFETY * torch.sqrt(tolerance / error)).nan_to_num(_SMALLEST).clamp(_SMALLEST, _LARGEST)
    return members


def _chosen(good: Tensor, first: Weights, second: Weights) -> Weights:
    """The displacements of the first for some members, of the second for the others."""
    pairs = zip(first.displacement, second.displacement, strict=True)
    return second.displaced(*(torch.where(good.reshape(-1, *[1] * (x.ndim - 1)), x, y) for x, y in pairs))
