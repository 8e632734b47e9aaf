"""Tangent kernels of S networks of one shape at once: K̂ (S, n, n),
and spectra from the singular values of their Jacobians.

K̂_s = J_sJ_sᵀ/(s²N), the eigenvalues are σ(J_s)²/(s²N): right down to (nε)²λ_max, as for one network.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.kernels.closed_form import default_chunk
from pinn_ntk.kernels.memory import require_bytes, with_backoff
from pinn_ntk.kernels.neuron_sums import gram, kernel_chunk
from pinn_ntk.kernels.spectrum import SpectrumError, factor_floor, spectrum_of_factor, triangular_factor
from pinn_ntk.networks.features import System, jacobian_columns
from pinn_ntk.networks.two_layer import Weights


@dataclass(frozen=True)
class BatchedSpectrum:
    """Eigenvalues of S Gram matrices in ascending order; a member whose solver failed is NaN throughout.

    Attributes:
        eigenvalues: (S, n), not below 0.
        vectors: (S, n, n), column k belongs to eigenvalue k.
        floor: (S,) rounding levels (nε)²λ_max.
    """

    eigenvalues: Tensor
    vectors: Tensor
    floor: Tensor

    @property
    def effective_rank(self) -> Tensor:
        """exp(−Σ p_k log p_k) with p = λ/Σλ, (S,)."""
        p = self.eigenvalues / self.eigenvalues.sum(-1, keepdim=True)
        return torch.exp(-torch.special.xlogy(p, p).sum(-1))

    def alignment(self, e: Tensor) -> Tensor:
        """(u_k·e)²/‖e‖² of residuals (S, n): sums to 1 for each member."""
        return (self.vectors.mT @ e[..., None]).squeeze(-1) ** 2 / (e * e).sum(-1, keepdim=True)


def batched_kernel(system: System, weights: Weights) -> tuple[Tensor, Tensor]:
    """K̂ and K̂^(a) of every member, each (S, n, n); entries that are not finite stay within their member.

    Args:
        system: the rows, shared.
        weights: with one leading dimension.

    Raises:
        MemoryShortageError: S n² numbers do not fit, or not even one neuron at a time.
    """
    members, width = weights.a0.shape
    n = system.points
    require_bytes(
        4 * members * n * n * weights.a0.element_size(), weights.a0.device, f"{members} kernels of {n} × {n} rows"
    )

    def compute(size: int) -> tuple[Tensor, Tensor | None]:
        return gram(system, None, weights.w, weights.a, 1.0 / width, size)

    (part_a, part_w), _ = with_backoff(compute, kernel_chunk(n * members, width))
    assert part_w is not None  # outer weights were given
    total = part_a + part_w
    if system.extra is not None:
        total = total + system.extra @ system.extra.mT / (system.scale**2 * width)
    return total, part_a


def batched_spectrum(system: System, weights: Weights, part: str = "total") -> BatchedSpectrum:
    """Spectra of K̂ ('total') or K̂^(a) ('a') of every member.

    Args:
        system: the rows, shared.
        weights: with one leading dimension; finite, as their Jacobians must be.
        part: which kernel.

    Raises:
        NonFiniteError: the Jacobian of some member is not finite.
    """
    members, width = weights.a0.shape
    n, scale = system.points, system.scale**2 * width
    outer = weights.a if part == "total" else None
    w, size = weights.w, default_chunk(n * members, width)

    def columns() -> Iterator[Tensor]:
        """Column blocks of every J, chunk by chunk."""
        for start in range(0, width, size):
            a = None if outer is None else outer[..., start : start + size]
            for block in jacobian_columns(system, w[..., start : start + size, :], a):
                yield system.scale * block
        if part == "total" and system.extra is not None:
            yield system.extra.expand(members, -1, -1)

    return _spectra(triangular_factor(columns(), n), scale, n)


def _spectra(factors: Tensor, scale: float, points: int) -> BatchedSpectrum:
    """σ²/scale of factors (S, m, n), all at once; one by one, with their own retries, when the batched solver fails."""
    try:
        _, singular, vh = torch.linalg.svd(factors, full_matrices=factors.shape[-2] < points)
    except RuntimeError:
        return _one_by_one(factors, scale, points)
    values = factors.new_zeros(len(factors), points)
    values[:, : singular.shape[-1]] = singular**2 / scale
    floor = factor_floor(points, factors.dtype, values.amax(-1))
    return BatchedSpectrum(values.flip(-1), vh.mT.flip(-1), floor)


def _one_by_one(factors: Tensor, scale: float, points: int) -> BatchedSpectrum:
    """The spectra in turn; NaN where even the retry failed."""
    values = factors.new_full((len(factors), points), torch.nan)
    vectors, floor = (
        factors.new_full((len(factors), points, points), torch.nan),
        factors.new_full((len(factors),), torch.nan),
    )
    for s, factor in enumerate(factors):
        try:
            spectrum = spectrum_of_factor(factor, scale, points)
        except SpectrumError:
            continue
        values[s], vectors[s], floor[s] = spectrum.eigenvalues, spectrum.vectors, spectrum.floor
    return BatchedSpectrum(values, vectors, floor)
