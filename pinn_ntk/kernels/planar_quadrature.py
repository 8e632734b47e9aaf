"""Integrals over the plane of two points: M_{kl,ab} = E_u u₁ᵃu₂ᵇ σ⁽ᵏ⁾(r u₁) σ⁽ˡ⁾(αu₁ + βu₂), u ~ N(0, I₂).

For σ homogeneous of degree p on either side of 0 (ReLUᵖ), u = s(cos θ, sin θ): the radius is a Gamma function and the
angle a trigonometric polynomial on each arc between the kinks, which Gauss–Legendre integrates to rounding. For
analytic σ, the tensor trapezoid, whose error falls like exp(−const/step); Gauss–Hermite would be wrong in the second
digit, because tanh has poles at ±iπ/2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk import parallel
from pinn_ntk.activations import Activation
from pinn_ntk.kernels.planar_forms import Coefficients, DenseRows, Plane, kernel_coefficients, plane_of

Moments = Callable[[Plane, int, int], Tensor]
"""(plane, K, g) ↦ M (P, K + 1, K + 1, g + 1, g + 1): orders of σ up to K, powers of u up to g."""

GAUSSIAN_STEP = 0.55
"""Largest step of the trapezoid: it leaves 1e-14 of E u⁸ for the Gaussian alone."""
PAIRS = 2048
ELEMENTS = 1 << 17
"""Pairs, and pairs × nodes, held at a time: arrays that stay in a processor's cache."""


@dataclass(frozen=True)
class PairKernel:
    """k^(a) and k^(w) of P pairs with their rounding level.

    Attributes:
        a: E φφ', (P,).
        w: E ∇φ·∇φ', (P,), or None.
        rounding: 8ε Σ|C||M| over the terms that were added, the largest over the pairs.
    """

    a: Tensor
    w: Tensor | None
    rounding: float


def pair_kernel(rows: DenseRows, left: Tensor, right: Tensor, moments: Moments, gradient: bool) -> PairKernel:
    """k^(a) = E φ(x;w)φ'(x';w) and k^(w) = E ∇φ·∇φ' for w ~ N(0, I) and P pairs of rows.

    Args:
        rows: the functionals.
        left: P indices of rows.
        right: P indices of rows.
        moments: the quadrature over the plane.
        gradient: whether k^(w) is wanted.

    References:
        Cho & Saul (2009) for ReLUᵖ and the identity; Trefethen & Weideman (2014) for the trapezoid.
    """
    a, w, rounding = rows.x.new_zeros(len(left)), rows.x.new_zeros(len(left)) if gradient else None, 0.0
    parts = [slice(start, start + PAIRS) for start in range(0, len(left), PAIRS)]
    owners = [index % parallel.size() for index in range(len(parts))]
    alone = len(parts) == 1
    for part, owner in zip(parts, owners, strict=True):
        if alone or owner == parallel.rank():
            found = _pair_chunk(rows.select(left[part]), rows.select(right[part]), moments, gradient)
            a[part], rounding = found.a, max(rounding, found.rounding)
            if w is not None and found.w is not None:
                w[part] = found.w
    if not alone:
        for whole in (a, w):
            if whole is not None:
                parallel.exchange([whole[part] for part in parts], owners)
        rounding = -parallel.least(-rounding)
    return PairKernel(a, w, rounding)


def _pair_chunk(left: DenseRows, right: DenseRows, moments: Moments, gradient: bool) -> PairKernel:
    plane = plane_of(left.x, right.x)
    value, slope = kernel_coefficients(left, right, plane, gradient)
    table = moments(plane, max(left.order, right.order) + int(gradient), left.order + right.order)
    a, size_a = _contract(value, table)
    w, size_w = _contract(slope, table) if gradient else (None, 0.0)
    return PairKernel(a, w, 8 * torch.finfo(a.dtype).eps * (size_a + size_w))


def _contract(coefficients: Coefficients, table: Tensor) -> tuple[Tensor, float]:
    """Σ C_{kl,ab} M_{kl,ab} and the largest Σ|C||M|."""
    g = table.shape[-1]
    total = table.new_zeros(table.shape[0])
    size = total.clone()
    for (k, l), polynomial in coefficients.items():  # noqa: E741 - the field's letter
        terms = polynomial[:, :g, :g] * table[:, k, l]
        total += terms.sum((1, 2))
        size += terms.abs().sum((1, 2))
    return total, float(size.max()) if len(size) else 0.0  # read back: the estimate of the error


def homogeneous_moments(activation: Activation) -> Moments:
    """M for σ with σ(λz) = λᵖσ(z), λ > 0: E s^m = 2^{m/2} Γ(m/2 + 1) with m = a + b + 2p − k − l,
    times the integral over the angle.

    Args:
        activation: of degree p; a σ that vanishes for z < 0 needs one arc, others four.
    """
    p = activation.degree
    if p is None:
        raise ValueError(
            f"activation {activation.name!r}: got degree None, expected a homogeneous one (ReLUᵖ); use "
            "trapezoid_moments"
        )
    count = max(16, 2 * p + 11)
    vanishes = not any(
        float(d.abs().max()) for d in activation.jet(torch.tensor([-1.0, -0.5], dtype=torch.float64, device="cpu"), p)
    )

    def moments(plane: Plane, K: int, g: int) -> Tensor:
        angle, weight = _arcs(plane, count, vanishes)
        cos, sin = torch.cos(angle), torch.sin(angle)
        left = torch.stack(activation.jet(plane.r[:, None] * cos, K), 1)
        right = (
            torch.stack(activation.jet(plane.alpha[:, None] * cos + plane.beta[:, None] * sin, K), 1) * weight[:, None]
        )
        pairs = (left[:, :, None] * right[:, None]).flatten(1, 2)
        powers = (_powers(cos, g)[:, :, None] * _powers(sin, g)[:, None]).flatten(1, 2)
        angular = (pairs @ powers.mT).unflatten(2, (g + 1, g + 1)).unflatten(1, (K + 1, K + 1))
        k, a = (torch.arange(most + 1, dtype=torch.float64, device="cpu") for most in (K, g))
        degree = (2 * p - k[:, None] - k).clamp_min(0)[:, :, None, None] + a[:, None] + a
        scaled: Tensor = angular * (2.0 ** (degree / 2) * torch.exp(torch.lgamma(degree / 2 + 1))).to(angular)
        return scaled

    return moments


def _arcs(plane: Plane, count: int, positive: bool) -> tuple[Tensor, Tensor]:
    """Gauss–Legendre angles and weights/(2π), (P, count·arcs): the arc where both z > 0, or all four between the kinks.

    The half circles about x (angle 0) and x' (angle ψ) meet in an arc of length π − ψ about ψ/2; antiparallel points
    leave none.
    """
    nodes, weights = (torch.from_numpy(v).to(plane.r) for v in np.polynomial.legendre.leggauss(count))
    psi, rest = torch.atan2(plane.beta, plane.alpha), torch.atan2(plane.beta, -plane.alpha)
    centre, half = [psi / 2], [rest / 2]
    if not positive:
        centre += [psi / 2 + math.pi / 2, psi / 2 + math.pi, psi / 2 - math.pi / 2]
        half += [psi / 2, rest / 2, psi / 2]
    angle = torch.cat([c[:, None] + h[:, None] * nodes for c, h in zip(centre, half, strict=True)], 1)
    return angle, torch.cat([h[:, None] * weights for h in half], 1) / (2 * math.pi)


def _powers(v: Tensor, g: int) -> Tensor:
    """1, v, …, v^g along dimension −2."""
    return torch.stack([v**a for a in range(g + 1)], -2)


@dataclass(frozen=True)
class Trapezoid:
    """The tensor trapezoid on [−R, R]² along e₁ and e₂, steps 1/h² = 1/h_G² + |coordinate of x or x'|²/κ².

    Attributes:
        resolution: κ: what h|x| is where the Gaussian does not limit the step (0.22 for tanh).
        radius: R.
        half: u₁ ≥ 0 only, doubled: right where σ is even or odd, since then every integrand is even.
    """

    resolution: float
    radius: float
    half: bool

    def step(self, size: float) -> float:
        """h for a coordinate of that size."""
        return 1.0 / math.sqrt(1.0 / GAUSSIAN_STEP**2 + (size / self.resolution) ** 2)

    def nodes(self, size: float, half: bool, like: Tensor) -> tuple[Tensor, Tensor]:
        """Nodes jh in [−R, R] (or j ≥ 0, doubled) and weights h·density of N(0,1)."""
        h = self.step(size)
        last = math.ceil(self.radius / h)
        u = h * torch.arange(0 if half else -last, last + 1, dtype=like.dtype, device=like.device)
        weight = torch.exp(-0.5 * u * u) * (h / math.sqrt(2 * math.pi))
        return u, torch.where(u > 0, 2.0 * weight, weight) if half else weight

    def cost(self, first: float, second: float | None = None) -> int:
        """Nodes of one pair whose coordinates along e₁ and e₂ have those sizes."""
        lengths = (first, first if second is None else second)
        return math.prod(2 * math.ceil(self.radius / self.step(v)) + 1 for v in lengths) // (2 if self.half else 1)


def trapezoid_moments(activation: Activation, rule: Trapezoid) -> Moments:
    """M by the trapezoid: σ⁽ᵏ⁾(ru₁) depends on u₁ alone, so that each node costs one jet of σ at αu₁ + βu₂.

    Args:
        activation: analytic near the real line.
        rule: steps and radius.
    """

    def part(plane: Plane, K: int, g: int) -> Tensor:
        # read back: how many nodes there are
        u1, weight1 = rule.nodes(float(torch.maximum(plane.r, plane.alpha.abs()).max()), rule.half, plane.r)
        u2, weight2 = rule.nodes(float(plane.beta.max()), False, plane.r)  # read back: how many nodes there are
        columns, rows = (_powers(u2, g) * weight2).mT.contiguous(), (_powers(u1, g) * weight1).mT
        table = plane.r.new_zeros(len(plane.r), (K + 1) * (g + 1), (K + 1) * (g + 1))
        size = max(1, ELEMENTS // (len(u2) * len(plane.r)))
        for u, row in zip(u1.split(size), rows.split(size), strict=True):
            left = torch.stack(activation.jet(plane.r[:, None] * u, K), 2)[..., None] * row[:, None]
            z = (plane.alpha[:, None] * u)[..., None] + plane.beta[:, None, None] * u2
            right = torch.stack([d @ columns for d in activation.jet(z, K)], 2)
            table += left.flatten(2).mT @ right.flatten(2)
        square: Tensor = table.unflatten(2, (K + 1, g + 1)).unflatten(1, (K + 1, g + 1))
        return square.transpose(2, 3)

    def moments(plane: Plane, K: int, g: int) -> Tensor:
        # read back: how many pairs fit at a time
        size = max(1, ELEMENTS // rule.cost(float(plane.r.max()), float(plane.beta.max())))
        pieces = [part(_slice(plane, start, start + size), K, g) for start in range(0, len(plane.r), size)]
        return torch.cat(pieces)

    return moments


def _slice(plane: Plane, start: int, stop: int) -> Plane:
    return Plane(*(v[start:stop] for v in (plane.basis, plane.r, plane.alpha, plane.beta)))
