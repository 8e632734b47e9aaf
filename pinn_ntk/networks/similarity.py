"""Similarity functions of diffusion: what u is like where, at the start, a boundary value is reached with a jump.

ψ(x, t) = ((x_j − a)/L)^p (s/T)^{k/2} iᵏerfc(η)/iᵏerfc(0), s = t − t₀, η = σ(x_j − a)/√(4κs), is a solution of ψ_t =
κψ_jj for p = 0 (Carslaw and Jaeger, Conduction of Heat in Solids, §2.5 and appendix II), 1 on the face x_j = a for k =
0 and 0 at the start. Products of several, on axes of their own, are solutions, too. The last coordinate is time.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

_EARLIEST = 1e-14  # of T: earlier than that counts as that, so that nothing is divided by zero
_NUMBERS = 9  # of a factor


def _repeated(eta: Tensor, k: int) -> list[Tensor]:
    """i^m erfc(η) for m = k − 4 … k: 2m i^m erfc = i^{m−2}erfc − 2η i^{m−1}erfc, and i^{−m}erfc = 2/√π H_{m−1}(η)
    e^{−η²}.
    """
    lowest = min(k - 4, -2)
    hermite = [2.0 / math.sqrt(math.pi) * torch.exp(-(eta**2))]
    for m in range(1, -lowest):
        hermite.append(2.0 * eta * hermite[-1] - (2.0 * (m - 1) * hermite[-2] if m > 1 else 0.0))
    found = [*reversed(hermite), torch.erfc(eta)]
    for m in range(1, k + 1):
        found.append((found[-2] - 2.0 * eta * found[-1]) / (2.0 * m))
    end = k - lowest + 1
    return found[end - 5 : end]


@dataclass(frozen=True)
class Similarity:
    """One factor.

    Attributes:
        axis: j.
        place: a.
        side: σ, 1 or −1: into the domain.
        diffusivity: κ; 0 for the power of x_j alone.
        half: k, powers of √s; negative ones are derivatives of erfc.
        power: p.
        length: L.
        start: t₀.
        duration: T.
    """

    axis: int
    place: float
    side: float
    diffusivity: float
    half: int
    power: int
    length: float
    start: float
    duration: float

    @property
    def numbers(self) -> tuple[float, ...]:
        """As a kind of extra function reads them."""
        return tuple(float(v) for v in astuple(self))

    def along(self, x: Tensor) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """(∂_y^m of the part without y^p for m = 0 … 4; y^p and its first two derivatives), y = x_j − a;
        ∂_s = κ∂_y² on the former.
        """
        y, s = x[:, self.axis] - self.place, (x[:, -1] - self.start).clamp_min(_EARLIEST * self.duration)
        k, p, L = self.half, self.power, self.length
        g = [torch.ones_like(y), *[torch.zeros_like(y)] * 4]
        if self.diffusivity > 0.0:
            root = (4.0 * self.diffusivity * s).sqrt()
            values = _repeated(self.side * y / root, k)
            unit = 2.0**k * math.gamma(0.5 * k + 1.0) if k > 0 else 1.0  # 1/iᵏerfc(0)
            scale = (s / self.duration) ** (0.5 * k) * unit
            g = [scale * (-self.side / root) ** m * values[-1 - m] for m in range(5)]
        q1, q2 = p * (y / L) ** max(p - 1, 0) / L, p * (p - 1) * (y / L) ** max(p - 2, 0) / L**2
        return g, (y / L) ** p, q1, q2

    def jet(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(ψ, ∇ψ, ∇²ψ), (n,), (n, d), (n, d, d)."""
        j, kappa = self.axis, self.diffusivity
        g, q0, q1, q2 = self.along(x)
        gradient, hessian = torch.zeros_like(x), x.new_zeros(*x.shape, x.shape[1])
        gradient[:, j], gradient[:, -1] = q1 * g[0] + q0 * g[1], kappa * q0 * g[2]
        hessian[:, j, j], hessian[:, -1, -1] = q2 * g[0] + 2.0 * q1 * g[1] + q0 * g[2], kappa**2 * q0 * g[4]
        hessian[:, j, -1] = hessian[:, -1, j] = kappa * (q1 * g[2] + q0 * g[3])
        return q0 * g[0], gradient, hessian


def _factors(parameters: Sequence[float]) -> list[Similarity]:
    parts = [parameters[i : i + _NUMBERS] for i in range(0, len(parameters), _NUMBERS)]
    return [Similarity(int(p[0]), p[1], p[2], p[3], int(p[4]), int(p[5]), *p[6:]) for p in parts]


def similarity_value(x: Tensor, parameters: Sequence[float]) -> Tensor:
    """The product of all factors, (n,)."""
    value = torch.ones_like(x[:, 0])
    for factor in _factors(parameters):
        g, q, _, _ = factor.along(x)
        value = value * q * g[0]
    return value


def similarity_jet(x: Tensor, parameters: Sequence[float]) -> tuple[Tensor, Tensor, Tensor]:
    """The jet of the product."""
    first, *others = _factors(parameters)
    value, gradient, hessian = first.jet(x)
    for other in others:
        v, g, h = other.jet(x)
        cross = gradient[:, :, None] * g[:, None, :]
        hessian = value[:, None, None] * h + v[:, None, None] * hessian + cross + cross.mT
        value, gradient = value * v, value[:, None] * g + v[:, None] * gradient
    return value, gradient, hessian
