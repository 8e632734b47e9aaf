"""Quadrature over the weights themselves: its nodes are weighted neurons, and K^∞ is the kernel of that finite network.

Positive semi-definite by construction, and with singular values of √ω Φ small eigenvalues come out right; affordable in
few dimensions.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.kernels.closed_form import default_chunk
from pinn_ntk.kernels.neuron_sums import gram, kernel_chunk
from pinn_ntk.kernels.planar_quadrature import Trapezoid
from pinn_ntk.networks.features import System, jacobian_columns

Nodes = Callable[[], Iterator[tuple[Tensor, Tensor]]]
"""() ↦ slabs of nodes (M, D) with positive weights (M,), from the start at each call."""

SLAB = 1 << 17


def normal_nodes(extent: Tensor, rule: Trapezoid) -> Nodes:
    """w ~ N(0, I_D): the tensor trapezoid in the ball |w| ≤ R, with its step in each coordinate fitted to the points'
    extent there.

    Args:
        extent: max_i |x_ij| for each coordinate, (D,).
        rule: step, radius, and whether w₁ ≥ 0 suffices.
    """
    sizes = extent.tolist()  # read back: how many nodes there are
    axes = [rule.nodes(size, rule.half and j == 0, extent) for j, size in enumerate(sizes)]
    return _tensor_nodes(axes, rule.radius)


def normal_count(extent: Tensor, rule: Trapezoid) -> float:
    """How many nodes `normal_nodes` has, from volumes: |ball|/Πh_j, half of it by symmetry."""
    D = len(extent)
    ball: float = math.pi ** (D / 2) / math.gamma(D / 2 + 1) * rule.radius**D
    sizes = extent.tolist()  # read back: how many nodes there are
    return ball / math.prod(rule.step(size) for size in sizes) / (2 if rule.half else 1)


def uniform_nodes(D: int, count: int, half: bool, like: Tensor) -> Nodes:
    """w ~ U(−1, 1)^D: tensor Gauss–Legendre with an even count of nodes per coordinate;
    w₁ > 0 doubled where every integrand is even.
    """
    nodes, weights = (torch.from_numpy(v).to(like) for v in np.polynomial.legendre.leggauss(count))
    right = slice((count + 1) // 2, None)
    first = (nodes[right], weights[right]) if half else (nodes, weights / 2)
    return _tensor_nodes([first, *[(nodes, weights / 2)] * (D - 1)], math.inf)


def _tensor_nodes(axes: list[tuple[Tensor, Tensor]], radius: float) -> Nodes:
    """The product rule in slabs along the first coordinate, cut to a ball."""
    tail = math.prod(len(nodes) for nodes, _ in axes[1:])
    thickness = max(1, SLAB // tail)

    def slabs() -> Iterator[tuple[Tensor, Tensor]]:
        first, first_weight = axes[0]
        for u, omega in zip(first.split(thickness), first_weight.split(thickness), strict=True):
            grids = torch.meshgrid(u, *(nodes for nodes, _ in axes[1:]), indexing="ij")
            w = torch.stack([g.flatten() for g in grids], 1)
            product = omega
            for _, weight in axes[1:]:
                product = (product[:, None] * weight).flatten()
            inside = ((w * w).sum(1) <= radius**2).nonzero().flatten()  # read back: how many nodes there are
            if len(inside):
                yield w[inside], product[inside]

    return slabs


def weighted_gram(left: System, right: System | None, nodes: Nodes, gradient: bool) -> tuple[Tensor, Tensor | None]:
    """K^(a) = Σ_k ω_kφ_kφ_k'ᵀ and K^(w) = Σ_k ω_k∇φ_k·∇φ_k' over the nodes.

    Args:
        left: rows of K.
        right: columns; None for the symmetric kernel.
        nodes: of the quadrature.
        gradient: whether K^(w) is wanted.
    """
    points = max(left.points, right.points if right is not None else 0)
    value: Tensor | None = None
    slope: Tensor | None = None
    for w, omega in nodes():
        outer = torch.ones_like(omega) if gradient else None
        a, b = gram(left, right, w, outer, omega, kernel_chunk(points, len(w)))
        value = a if value is None else value + a
        slope = b if slope is None or b is None else slope + b
    if value is None:
        raise ValueError("nodes: got none, expected at least one")
    return value, slope


def weighted_columns(system: System, nodes: Nodes, gradient: bool) -> Iterator[Tensor]:
    """Columns √ω_k (φ_k, ∂φ_k/∂w₁, …) in blocks (n, c): what the triangular factor of K^∞ is made from."""
    for w, omega in nodes():
        size = default_chunk(system.points, len(w))
        for part, weight in zip(w.split(size), omega.split(size), strict=True):
            for block in jacobian_columns(system, part, torch.ones_like(weight) if gradient else None):
                yield block * torch.sqrt(weight)
