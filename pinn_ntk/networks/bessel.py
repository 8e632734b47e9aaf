"""An operator's own functions about a point: ψ = e^{g·(x−c) − s} B(|z|) Θ(θ), z = T(x − c),
with Bessel functions B in place of powers.

With TATᵀ = μI, g = −½A⁻¹b and κ = c₀ − ¼bᵀA⁻¹b, v = e^{−g·x}u makes A:∇²u + b·∇u + c₀u = 0 into Δ_z v + (κ/μ)v = 0,
whose solutions in m coordinates are r^{−h}B_{ν+h}(kr) times cos νθ or sin νθ (m = 2) or 1 (ν = 0), h = m/2 − 1, k² =
|κ/μ|, with J and Y for κ/μ > 0 and the modified I and K for κ/μ < 0 (DLMF 10.2, 10.25, 10.47). Exponentials are put
together before they are taken, so that neither side of a thin layer overflows, and B is 1 (K), or of size 1 (J, Y, I),
where |z| = 1.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers = NDArray[np.float64]
FAMILIES = ("J", "Y", "I", "K")
_NAMES = {"J": "jv", "Y": "yv", "I": "ive", "K": "kve"}
_GROWTH = {"J": 0.0, "Y": 0.0, "I": 1.0, "K": -1.0}  # B(x) = e^{growth·x} times what those have


def _function(family: str) -> Callable[[float, Numbers], Numbers]:
    """Of scipy.special, which is imported where it is first used: few runs need it."""
    from scipy import special

    found: Callable[[float, Numbers], Numbers] = getattr(special, _NAMES[family])
    return found


def size_at(family: str, order: float, k: float) -> float:
    """What B_ν is divided by: its value at k, the modulus |H_ν(k)| for Y, and the largest |J_ν| up to k."""
    at = np.array([k])
    if family == "Y":
        return float(np.hypot(_function("J")(order, at), _function("Y")(order, at))[0])
    first = order + 0.80861651 * order ** (1.0 / 3.0) if order > 0.0 else 0.0  # of the maximum of J_ν, DLMF 10.21.40
    return abs(float(_function(family)(order, np.minimum(at, first) if family == "J" else at)[0]))


class _Scaled(torch.autograd.Function):
    """B_ν(kr) e^{−growth·kr}, elementwise; its derivatives are of the same kind."""

    @staticmethod
    def forward(r: Tensor, family: str, order: float, k: float) -> Tensor:
        """By scipy.special, in float64, on the CPU."""
        # on the CPU: scipy's Bessel functions
        return torch.from_numpy(np.asarray(_function(family)(order, k * r.detach().double().cpu().numpy()))).to(r)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004  torch's own signature
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])
        ctx.about = inputs[1:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient * _slope(ctx.saved_tensors[0], *ctx.about), None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return tangent * _slope(ctx.saved_tensors[0], *ctx.about)

    @staticmethod
    def vmap(_: Any, __: tuple[Any, ...], r: Tensor, family: str, order: float, k: float) -> tuple[Tensor, int | None]:
        return _scaled(r, family, order, k), __[0]


def _scaled(r: Tensor, family: str, order: float, k: float) -> Tensor:
    found: Tensor = _Scaled.apply(r, family, order, k)  # type: ignore[no-untyped-call]
    return found


def _slope(r: Tensor, family: str, order: float, k: float) -> Tensor:
    """∂_r of `_scaled`: B_ν' = (ν/x)B_ν ∓ B_{ν+1}, less what the exponential brings."""
    own, next_one = _scaled(r, family, order, k), _scaled(r, family, order + 1.0, k)
    return (order / r - _GROWTH[family] * k) * own + (k if family == "I" else -k) * next_one


@dataclass(frozen=True)
class _Bessel:
    """One function, from numbers: m, c (m), T (m·m), g (m), s, the number of a family, ν, k, 0 (cos νθ)
    or 1 (sin νθ).
    """

    center: Tensor
    T: Tensor
    drift: Tensor
    peak: float
    family: str
    order: float
    k: float
    part: float

    @classmethod
    def read(cls, x: Tensor, numbers: Sequence[float]) -> "_Bessel":
        m = int(numbers[0])
        c, T, g = (
            x.new_tensor(numbers[1 : 1 + m]),
            x.new_tensor(numbers[1 + m : 1 + m + m * m]),
            x.new_tensor(numbers[-m - 5 : -5]),
        )
        peak, family, order, k, part = numbers[-5:]
        return cls(c, T.reshape(m, m), g, peak, FAMILIES[int(family)], order, k, part)

    def place(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(z (n, m), r (n,), the exponential (n,), of which B has its share)."""
        away = x[:, : self.center.numel()] - self.center
        z = away @ self.T.mT
        r = z.square().sum(1).sqrt()
        return z, r, torch.exp(away @ self.drift + _GROWTH[self.family] * self.k * (r - 1.0) - self.peak)

    def angular(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(Θ, Θ')."""
        if z.shape[1] != 2:
            return torch.ones_like(z[:, 0]), torch.zeros_like(z[:, 0])
        angle = self.order * torch.atan2(z[:, 1], z[:, 0])
        sine, cosine = torch.sin(angle), torch.cos(angle)
        return (sine, self.order * cosine) if self.part else (cosine, -self.order * sine)

    def radial(self, r: Tensor, share: int) -> Tensor:
        """r^{−h}B_{ν+h+share}(kr), without its exponential."""
        half = 0.5 * self.center.numel() - 1.0
        return _scaled(r, self.family, self.order + half + share, self.k) / (
            r**half * size_at(self.family, self.order + half, self.k)
        )

    def jet(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """By polar coordinates of z, then T, then the drift; B'' is from Bessel's equation."""
        z, r, exponential = self.place(x)
        m, nu = z.shape[1], self.order
        b0 = self.radial(r, 0) * exponential
        b1 = nu / r * b0 + (self.k if self.family == "I" else -self.k) * self.radial(r, 1) * exponential
        b2 = -(m - 1) / r * b1 + (nu * (nu + m - 2) / r**2 + (-1.0 if self.family in "JY" else 1.0) * self.k**2) * b0
        angle, turned = self.angular(z)
        out = z / r[:, None]
        both = out[:, :, None] * out[:, None, :]
        slope = (b1 * angle)[:, None] * out
        curvature = (b2 * angle)[:, None, None] * both + (b1 / r * angle)[:, None, None] * (
            torch.eye(m, dtype=z.dtype, device=z.device) - both
        )
        if m == 2:
            around = torch.stack([-out[:, 1], out[:, 0]], 1)
            cross = out[:, :, None] * around[:, None, :]
            slope = slope + (b0 / r * turned)[:, None] * around
            curvature = curvature + ((b1 / r - b0 / r**2) * turned)[:, None, None] * (cross + cross.mT)
            curvature = curvature - (nu**2 * b0 / r**2 * angle)[:, None, None] * around[:, :, None] * around[:, None, :]
        return self._drifted(b0 * angle, slope @ self.T, self.T.mT @ curvature @ self.T)

    def _drifted(self, value: Tensor, slope: Tensor, curvature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The derivatives of e^{g·x}v, from those of v that carry e^{g·x} already."""
        g = self.drift
        cross = slope[:, :, None] * g
        return (
            value,
            slope + value[:, None] * g,
            curvature + cross + cross.mT + value[:, None, None] * torch.outer(g, g),
        )


def bessel_value(x: Tensor, parameters: Sequence[float]) -> Tensor:
    """ψ, (n,)."""
    psi = _Bessel.read(x, parameters)
    z, r, exponential = psi.place(x)
    return psi.radial(r, 0) * psi.angular(z)[0] * exponential


def bessel_jet(x: Tensor, parameters: Sequence[float]) -> tuple[Tensor, Tensor, Tensor]:
    """(ψ, ∇ψ, ∇²ψ), (n,), (n, d), (n, d, d); zero along coordinates after the first m."""
    psi = _Bessel.read(x, parameters)
    value, slope, curvature = psi.jet(x)
    m, (n, d) = slope.shape[1], x.shape
    gradient, hessian = x.new_zeros(n, d), x.new_zeros(n, d, d)
    gradient[:, :m], hessian[:, :m, :m] = slope, curvature
    return value, gradient, hessian


def bessel_numbers(
    center: Sequence[float],
    T: Tensor,
    drift: Sequence[float],
    peak: float,
    family: str,
    order: float,
    k: float,
    part: float,
) -> tuple[float, ...]:
    """As the kind reads them.

    Args:
        center: c, (m,).
        T: (m, m).
        drift: g, (m,).
        peak: s, so that ψ stays below about 1 in Ω.
        family: one of J, Y, I, K.
        order: ν ≥ 0.
        k: positive.
        part: 0 for cos νθ, 1 for sin νθ.

    Raises:
        ValueError: an order where B is too large to be a number, or k ≤ 0.
    """
    half = 0.5 * len(center) - 1.0
    if not (k > 0.0 and 0.0 < size_at(family, order + half, k) < math.inf):
        raise ValueError(
            f"bessel: got {family}_{order:g} at k = {k:g}, expected k > 0 and a value there that is a number and not 0"
        )
    return (
        float(len(center)),
        *center,
        *T.flatten().tolist(),
        *drift,
        peak,
        float(FAMILIES.index(family)),
        order,
        k,
        part,
    )
