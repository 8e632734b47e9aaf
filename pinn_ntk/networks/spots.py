"""What a Gaussian spot makes: ψ = F(s) with s = |z|²/2, z = T(x − c)/σ, so that Δ_zψ = e^{−s}; and its ∂ψ/∂z_i.

In the plane F = ½Ein(s), with Ein(s) = ∫₀ˢ (1 − e^{−t})/t dt, a logarithm at a distance; in space
F = −√(π/2) erf(√s)/√(2s). Sums over σ are what sources of any profile that is small beside Ω make, near and far: no
few ridge functions do both. F′ = Σ_k (−s)ᵏ/(k!(m + 2k)), and mF′ + 2sF″ = e^{−s}.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_SMALL, _TERMS = 0.5, 14


@dataclass(frozen=True)
class _Spot:
    """One function, from numbers: m, σ, c (m), T (m·m), 0 (ψ) or i (∂ψ/∂z_i, from 1 on)."""

    m: int
    center: Tensor
    T: Tensor
    part: int

    @classmethod
    def read(cls, x: Tensor, numbers: Sequence[float]) -> "_Spot":
        m, sigma = int(numbers[0]), numbers[1]
        T = x.new_tensor(numbers[2 + m : 2 + m + m * m]).reshape(m, m) / sigma
        return cls(m, x.new_tensor(numbers[2 : 2 + m]), T, int(numbers[2 + m + m * m]))

    def place(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(z (n, m), s (n,))."""
        z = (x[:, : self.m] - self.center) @ self.T.mT
        return z, 0.5 * (z * z).sum(1)


def spot_value(x: Tensor, numbers: Sequence[float]) -> Tensor:
    """ψ(x), (n,)."""
    spot = _Spot.read(x, numbers)
    z, s = spot.place(x)
    return _slopes(s, spot.m)[0] * z[:, spot.part - 1] if spot.part else _potential(s, spot.m)


def spot_jet(x: Tensor, numbers: Sequence[float]) -> tuple[Tensor, Tensor, Tensor]:
    """(ψ, ∇ψ, ∇²ψ) in closed form."""
    spot = _Spot.read(x, numbers)
    z, s = spot.place(x)
    F1, F2, F3 = _slopes(s, spot.m)
    eye = torch.eye(spot.m, dtype=x.dtype, device=x.device)
    outer = z[:, :, None] * z[:, None, :]
    if spot.part:
        e, zi = eye[spot.part - 1], z[:, spot.part - 1]
        value, slope = F1 * zi, (F2 * zi)[:, None] * z + F1[:, None] * e
        cross = z[:, :, None] * e
        curvature = (F3 * zi)[:, None, None] * outer + F2[:, None, None] * (zi[:, None, None] * eye + cross + cross.mT)
    else:
        value, slope = _potential(s, spot.m), F1[:, None] * z
        curvature = F1[:, None, None] * eye + F2[:, None, None] * outer
    n, d, m = x.shape[0], x.shape[1], spot.m
    gradient, hessian = x.new_zeros(n, d), x.new_zeros(n, d, d)
    gradient[:, :m], hessian[:, :m, :m] = slope @ spot.T, spot.T.mT @ curvature @ spot.T
    return value, gradient, hessian


def _potential(s: Tensor, m: int) -> Tensor:
    """F(s)."""
    if m == 2:
        found: Tensor = _Ein.apply(s)  # type: ignore[no-untyped-call]
        return 0.5 * found
    root = (2.0 * s).clamp(min=1e-12).sqrt()
    return -math.sqrt(0.5 * math.pi) * torch.erf(root / math.sqrt(2.0)) / root


def _slopes(s: Tensor, m: int) -> tuple[Tensor, Tensor, Tensor]:
    """F′, F″, F‴: by their series near 0, else by F′ in closed form and by recursion."""
    large, decay = s.clamp(min=_SMALL), torch.exp(-s.clamp(min=_SMALL))
    if m == 2:
        first = -0.5 * torch.expm1(-large) / large
    else:
        root = (2.0 * large).sqrt()
        first = (math.sqrt(0.5 * math.pi) * torch.erf(large.sqrt()) - root * decay) / root**3
    second = (decay - m * first) / (2.0 * large)
    third = (-decay - (m + 2) * second) / (2.0 * large)
    small, near = s.clamp(max=_SMALL), s < _SMALL
    F1, F2, F3 = (torch.where(near, _series(small, m, j), outer) for j, outer in enumerate((first, second, third)))
    return F1, F2, F3


def _series(s: Tensor, m: int, order: int) -> Tensor:
    """The derivative of that order of F′ = Σ_k (−s)ᵏ/(k!(m + 2k))."""
    total = torch.zeros_like(s)
    for k in range(order, _TERMS + order):
        total = total + (-1.0) ** k * s ** (k - order) / (math.factorial(k - order) * (m + 2 * k))
    return total


class _Ein(torch.autograd.Function):
    """Ein(s) = E₁(s) + log s + γ, elementwise, s ≥ 0; its derivative is (1 − e^{−s})/s."""

    @staticmethod
    def forward(s: Tensor) -> Tensor:
        """By scipy.special, in float64, on the CPU; it is imported where it is used: few runs need it."""
        from scipy import special

        at = s.detach().double().cpu().numpy()  # on the CPU: scipy's exponential integral
        large = np.maximum(at, 1e-3)
        whole = special.exp1(large) + np.log(large) + np.euler_gamma
        series = at * (1.0 - at / 4.0 * (1.0 - at / 4.5 * (1.0 - at * 3.0 / 16.0)))
        return torch.from_numpy(np.where(at < 1e-3, series, whole)).to(s)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004  torch's own signature
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * 2.0 * _slopes(ctx.saved_tensors[0], 2)[0]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent * 2.0 * _slopes(ctx.saved_tensors[0], 2)[0]

    @staticmethod
    def vmap(_: Any, dims: tuple[int | None, ...], s: Tensor) -> tuple[Tensor, int | None]:
        found: Tensor = _Ein.apply(s)  # type: ignore[no-untyped-call]
        return found, dims[0]
