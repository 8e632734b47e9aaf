"""Extra functions: fixed columns beside the neurons, for what geometry makes singular,
as records that can be saved and read back.

In the plane, with z = T(x − c) as a complex number, they are real and imaginary parts of |z|^{2j} z^p and of |z|^{2j}
z^p log z: r^{−m} cos mθ and log r about a hole, r^{π/ω} sin(πθ/ω) at a re-entrant corner, with j > 0 what variable
coefficients make of them, and Bessel functions, which constant ones do. In time they are the similarity functions of
diffusion. Values, gradients and Hessians are in closed form. Any function times t^k serves evolution problems.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pinn_ntk.networks.bessel import bessel_jet, bessel_value
from pinn_ntk.networks.similarity import similarity_jet, similarity_value
from pinn_ntk.networks.spots import spot_jet, spot_value
from pinn_ntk.operators.rows import Rows

Jet = tuple[Tensor, Tensor, Tensor]
"""(value (n,), gradient (n, d), Hessian (n, d, d))."""


@runtime_checkable
class HasJet(Protocol):
    """A function that knows its first two derivatives."""

    def __call__(self, x: Tensor) -> Tensor:
        """Values (n,)."""

    def jet(self, x: Tensor) -> Jet:
        """Values, gradients and Hessians."""


@dataclass(frozen=True)
class ExtraFunction:
    """ψ: (n, d) → (n,), rebuilt from a kind and numbers by `extra_function`.

    Attributes:
        kind: a key of `EXTRA_KINDS`.
        parameters: its numbers, as that kind reads them.
        dim: d, coordinates of x; the first two or three are space.
        power: k of a factor ((t − t₀)/T)^k in the last coordinate; 0 for none.
        span: (t₀, T) of that factor.
    """

    kind: str
    parameters: tuple[float, ...]
    dim: int
    power: int = 0
    span: tuple[float, float] = (0.0, 1.0)

    def __call__(self, x: Tensor) -> Tensor:
        """ψ(x), (n,); torch can differentiate it."""
        value = EXTRA_KINDS[self.kind].value(x, self.parameters)
        return value if not self.power else value * ((x[:, -1] - self.span[0]) / self.span[1]) ** self.power

    def jet(self, x: Tensor) -> Jet:
        """(ψ, ∇ψ, ∇²ψ) in closed form."""
        value, slope, curvature = EXTRA_KINDS[self.kind].jet(x, self.parameters)
        if not self.power:
            return value, slope, curvature
        k, (start, length) = self.power, self.span
        s = (x[:, -1] - start) / length
        f0, f1 = s**k, k * s ** (k - 1) / length
        f2 = k * (k - 1) * s ** (k - 2) / length**2 if k > 1 else torch.zeros_like(s)
        unit = torch.zeros_like(x)
        unit[:, -1] = f1
        cross = slope[:, :, None] * unit[:, None, :]
        hessian = f0[:, None, None] * curvature + cross + cross.mT
        hessian[:, -1, -1] += f2 * value
        return f0 * value, f0[:, None] * slope + value[:, None] * unit, hessian


@dataclass(frozen=True)
class ExtraKind:
    """What a kind computes from points and its numbers."""

    value: Callable[[Tensor, Sequence[float]], Tensor]
    jet: Callable[[Tensor, Sequence[float]], Jet]


def _complex(x: Tensor, parameters: Sequence[float]) -> tuple[Tensor, Tensor]:
    """z = T(x − c) and T, from c₁, c₂, T₁₁, T₁₂, T₂₁, T₂₂."""
    c, T = x.new_tensor(parameters[:2]), x.new_tensor(parameters[2:6]).reshape(2, 2)
    y = (x[:, :2] - c) @ T.mT
    return torch.complex(y[:, 0], y[:, 1]), T


def _analytic(z: Tensor, p: float, logarithm: bool) -> tuple[Tensor, Tensor, Tensor]:
    """F, F', F'' of F = z^p, or of z^p log z, with the cut of log along the negative axis."""
    log = torch.log(z)
    if not logarithm:
        base = torch.exp(p * log) if p != round(p) else z ** int(p)
        return base, p * base / z, p * (p - 1) * base / z**2
    base = torch.exp(p * log) if p != round(p) else z ** int(p)
    return base * log, base * (p * log + 1.0) / z, base * (p * (p - 1) * log + 2 * p - 1.0) / z**2


def _plane_jet(x: Tensor, parameters: Sequence[float], logarithm: bool) -> Jet:
    """The jet of Re or Im of |z|^{2j}F(z); numbers: c, T, p, j, 0 (Re) or 1 (Im)."""
    z, T = _complex(x, parameters)
    p, j, imaginary = float(parameters[6]), int(parameters[7]), parameters[8] == 1.0
    F0, F1, F2 = (-1j * F if imaginary else F for F in _analytic(z, p, logarithm))
    value, slope = F0.real, torch.stack([F1.real, -F1.imag], 1)
    curvature = torch.stack([F2.real, -F2.imag, -F2.imag, -F2.real], 1).reshape(-1, 2, 2)
    if j:
        value, slope, curvature = _times_radius(z, j, value, slope, curvature)
    d, n = x.shape[1], x.shape[0]
    gradient, hessian = x.new_zeros(n, d), x.new_zeros(n, d, d)
    gradient[:, :2], hessian[:, :2, :2] = slope @ T, T.mT @ curvature @ T
    return value, gradient, hessian


def _times_radius(z: Tensor, j: int, value: Tensor, slope: Tensor, curvature: Tensor) -> Jet:
    """The jet of q^j·f from that of f, q = |z|²."""
    y = torch.stack([z.real, z.imag], 1)
    q = (y * y).sum(1)
    g0, g1 = q**j, 2.0 * j * (q ** (j - 1))[:, None] * y
    g2 = 2.0 * j * (q ** (j - 1))[:, None, None] * torch.eye(2, dtype=y.dtype, device=y.device)
    if j > 1:
        g2 = g2 + 4.0 * j * (j - 1) * (q ** (j - 2))[:, None, None] * y[:, :, None] * y[:, None, :]
    cross = slope[:, :, None] * g1[:, None, :]
    hessian = g0[:, None, None] * curvature + cross + cross.mT + value[:, None, None] * g2
    return g0 * value, g0[:, None] * slope + value[:, None] * g1, hessian


def _plane_value(x: Tensor, parameters: Sequence[float], logarithm: bool) -> Tensor:
    z, _ = _complex(x, parameters)
    p, j, imaginary = float(parameters[6]), int(parameters[7]), parameters[8] == 1.0
    F = torch.exp(p * torch.log(z)) if p != round(p) else z ** int(p)
    F = F * torch.log(z) if logarithm else F
    part = F.imag if imaginary else F.real
    return part if not j else part * (z.real**2 + z.imag**2) ** j


def _radial_jet(x: Tensor, parameters: Sequence[float]) -> Jet:
    """The jet of |T(x − c)|^q in m space coordinates; numbers: m, q, c₁…c_m, T row by row."""
    m, q = int(parameters[0]), float(parameters[1])
    c = x.new_tensor(parameters[2 : 2 + m])
    T = x.new_tensor(parameters[2 + m : 2 + m + m * m]).reshape(m, m)
    y = (x[:, :m] - c) @ T.mT
    square = (y * y).sum(1)
    value = square ** (q / 2)
    first = q * square ** (q / 2 - 1)
    second = q * (q - 2) * square ** (q / 2 - 2)
    slope = first[:, None] * y
    curvature = (
        first[:, None, None] * torch.eye(m, dtype=x.dtype, device=x.device)
        + second[:, None, None] * y[:, :, None] * y[:, None, :]
    )
    d, n = x.shape[1], x.shape[0]
    gradient, hessian = x.new_zeros(n, d), x.new_zeros(n, d, d)
    gradient[:, :m], hessian[:, :m, :m] = slope @ T, T.mT @ curvature @ T
    return value, gradient, hessian


def _radial_value(x: Tensor, parameters: Sequence[float]) -> Tensor:
    m, q = int(parameters[0]), float(parameters[1])
    T = x.new_tensor(parameters[2 + m : 2 + m + m * m]).reshape(m, m)
    y = (x[:, :m] - x.new_tensor(parameters[2 : 2 + m])) @ T.mT
    value: Tensor = (y * y).sum(1) ** (q / 2)
    return value


def _constant_jet(x: Tensor, parameters: Sequence[float]) -> Jet:  # noqa: ARG001  it has no numbers
    n, d = x.shape
    return x.new_ones(n), x.new_zeros(n, d), x.new_zeros(n, d, d)


EXTRA_KINDS: dict[str, ExtraKind] = {
    "power": ExtraKind(lambda x, p: _plane_value(x, p, False), lambda x, p: _plane_jet(x, p, False)),
    "logarithm": ExtraKind(lambda x, p: _plane_value(x, p, True), lambda x, p: _plane_jet(x, p, True)),
    "radial": ExtraKind(_radial_value, _radial_jet),
    "bessel": ExtraKind(bessel_value, bessel_jet),
    "similarity": ExtraKind(similarity_value, similarity_jet),
    "spot": ExtraKind(spot_value, spot_jet),
    "constant": ExtraKind(lambda x, p: torch.ones_like(x[:, 0]), _constant_jet),  # noqa: ARG005
}


def extra_rows(rows: Rows, psi: Callable[[Tensor], Tensor]) -> Tensor:
    """(𝓛ψ(x_i))_i, (n,): from the function's own derivatives where it has them, else by automatic differentiation."""
    return applied(rows, psi) if isinstance(psi, HasJet) else rows.apply(psi)


def applied(rows: Rows, psi: HasJet) -> Tensor:
    """(𝓛ψ(x_i))_i from the function's own derivatives, (n,)."""
    value, slope, curvature = psi.jet(rows.x)
    total = torch.zeros_like(value) if rows.c is None else rows.c * value
    if rows.b is not None:
        total = total + (rows.b * slope).sum(1)
    if rows.alpha is not None:
        total = total + (rows.second_order() * curvature).sum((1, 2))
    return total if rows.minus is None else total - applied(rows.minus, psi)


def extra_function(
    kind: str, parameters: Sequence[float], dim: int, power: int = 0, span: tuple[float, float] = (0.0, 1.0)
) -> ExtraFunction:
    """The record of that kind, checked.

    Raises:
        ValueError: an unknown kind, or numbers that are not finite.
    """
    if kind not in EXTRA_KINDS:
        raise ValueError(f"extra function: got the kind {kind!r}, expected one of {', '.join(EXTRA_KINDS)}")
    if not all(math.isfinite(v) for v in parameters):
        raise ValueError(f"extra function {kind!r}: got {list(parameters)}, expected finite numbers")
    return ExtraFunction(kind, tuple(float(v) for v in parameters), dim, int(power), (float(span[0]), float(span[1])))
