"""Spectra of tangent kernels, with the rounding floor beside every smallest eigenvalue.

The eigenvalues of K̂ = JJᵀ/scale are σ(J)²/scale. Formed from JJᵀ they are noise below c nε·λ_max; from singular values
of J (here: of the triangular factor of Jᵀ, gathered chunk by chunk) they are good down to (c nε)²·λ_max, c = 10.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.networks.rounding import ROUNDINGS

_GATHERED = 1 << 21  # numbers of J that are held until a triangle is made of them


class SpectrumError(ArithmeticError):
    """No spectrum can be had: the matrix is not finite, or the eigensolver failed twice."""


class NonFiniteError(SpectrumError):
    """A kernel or Jacobian has entries that are not finite."""


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of a Gram matrix in ascending order.

    Attributes:
        eigenvalues: (n,), not below 0.
        vectors: (n, n), column k belongs to eigenvalue k.
        floor: rounding level: smaller eigenvalues carry no digit.

    Examples:
        >>> import torch
        >>> from pinn_ntk import Spectrum
        >>> spectrum = Spectrum(torch.tensor([1.0, 4.0]), torch.eye(2), floor=1e-7)
        >>> spectrum.lambda_min, spectrum.condition, spectrum.alignment(torch.tensor([1.0, 1.0])).tolist()
        (1.0, 4.0, [0.5, 0.5])
    """

    eigenvalues: Tensor
    vectors: Tensor
    floor: float

    @property
    def lambda_min(self) -> float:
        """Smallest eigenvalue; compare with `floor` before using it."""
        return float(self.eigenvalues[0])  # read back: the answer

    @property
    def lambda_max(self) -> float:
        """Largest eigenvalue."""
        return float(self.eigenvalues[-1])  # read back: the answer

    @property
    def below_floor(self) -> bool:
        """Whether the smallest eigenvalue is indistinguishable from 0."""
        return self.lambda_min <= self.floor

    @property
    def condition(self) -> float:
        """λ_max/λ_min, infinite below the floor."""
        return float("inf") if self.below_floor else self.lambda_max / self.lambda_min

    @property
    def effective_rank(self) -> float:
        """exp(−Σ p_k log p_k) with p = λ/Σλ (Roy & Vetterli 2007): n for a multiple of the identity, 1 for rank one."""
        p = self.eigenvalues / self.eigenvalues.sum()
        return float(torch.exp(-torch.special.xlogy(p, p).sum()))  # read back: the answer

    def alignment(self, e: Tensor) -> Tensor:
        """(u_k·e)²/‖e‖²: how much of a residual lies along each eigenvector; sums to 1."""
        return (self.vectors.mT @ e) ** 2 / (e @ e)


def _finite(matrix: Tensor, what: str) -> Tensor:
    if not bool(torch.isfinite(matrix).all()):  # read back: whether there is a spectrum at all
        raise NonFiniteError(f"{what} has entries that are not finite; the eigensolver is not called")
    return matrix


def gram_floor(points: int, dtype: torch.dtype, largest: Tensor) -> Tensor:
    """c nε λ_max: what rounding makes of a zero eigenvalue of a matrix, at most."""
    return ROUNDINGS * points * torch.finfo(dtype).eps * largest


def factor_floor(points: int, dtype: torch.dtype, largest: Tensor) -> Tensor:
    """(c nε)² λ_max: the same for squares of singular values of a factor."""
    return (ROUNDINGS * points * torch.finfo(dtype).eps) ** 2 * largest


def spectrum_of_gram(gram: Tensor, error: float = 0.0) -> Spectrum:
    """Spectrum of a symmetric positive semi-definite matrix; floor = max(c nε λ_max, n·error).

    Args:
        gram: (n, n).
        error: largest error of an entry.

    Raises:
        SpectrumError: entries not finite, or no convergence on the device nor on the CPU in float64.
    """
    n = _finite(gram, "the kernel").shape[0]
    symmetric = (gram + gram.mT) / 2
    values, vectors = _with_retry(torch.linalg.eigh, symmetric)
    # read back: the floor is a number
    floor = max(float(gram_floor(n, gram.dtype, values[-1].abs())), n * error)
    return Spectrum(values.clamp_min(0.0), vectors, floor)


def spectrum_of_factor(factor: Tensor, scale: float, points: int) -> Spectrum:
    """Spectrum of FᵀF/scale from the singular values of F (m, n); floor = (c nε)²λ_max.

    Args:
        factor: F with FᵀF = JJᵀ.
        scale: the normalisation of K̂.
        points: n; with fewer rows than that the missing eigenvalues are 0.
    """

    def svd(matrix: Tensor) -> tuple[Tensor, Tensor]:
        _, singular, vh = torch.linalg.svd(matrix, full_matrices=matrix.shape[0] < points)
        return singular, vh

    singular, vh = _with_retry(svd, _finite(factor, "the Jacobian"))
    values = factor.new_zeros(points)
    values[: singular.shape[0]] = singular**2 / scale
    floor = float(factor_floor(points, factor.dtype, values.max()))  # read back: the floor is a number
    return Spectrum(values.flip(0), vh.mT.flip(1), floor)


def _with_retry(solve: Callable[[Tensor], tuple[Tensor, Tensor]], matrix: Tensor) -> tuple[Tensor, Tensor]:
    """solve(matrix), once more on the CPU in float64 when the device's solver fails."""
    try:
        first, second = solve(matrix)
    except RuntimeError:
        try:
            # on the CPU: LAPACK, where the device's solver failed
            first, second = (part.to(matrix) for part in solve(matrix.to(device="cpu", dtype=torch.float64)))
        except RuntimeError as error:
            raise SpectrumError(f"the eigensolver did not converge, also on the CPU in float64: {error}") from error
    return first, second


def triangular_factor(columns: Iterable[Tensor], points: int) -> Tensor:
    """R (…, ≤ n, n) with RᵀR = JJᵀ from column blocks (…, n, c) of J, by QR of Jᵀ gathered block by block.

    Args:
        columns: column blocks of J in any order.
        points: n.
    """
    triangle = Triangle(points)
    for block in columns:
        triangle.add(block)
    return triangle.factor()


class Triangle:
    """R as it grows, column block by column block of J.

    Args:
        points: n.
    """

    def __init__(self, points: int) -> None:
        self.points, self.count, self.held = points, 0, list[Tensor]()

    def add(self, block: Tensor) -> None:
        """One more block of columns, (…, n, c)."""
        self.held.append(block.mT)
        self.count += block.shape[-1]
        if self.count >= max(
            4 * self.points, _GATHERED // self.points
        ):  # every triangle among them is work done once more
            self.held = [self.factor()]
            self.count = self.held[0].shape[-2]

    def factor(self) -> Tensor:
        """R of all blocks so far."""
        stacked = _finite(torch.cat(self.held, -2), "the Jacobian")
        return torch.linalg.qr(stacked, mode="r")[1] if stacked.shape[-2] > stacked.shape[-1] else stacked
