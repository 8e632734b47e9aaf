"""Outer weights by linear least squares: min_c ‖Mc − y‖² + τ²‖Dc‖², D the column norms of M,
so that every unknown counts alike.

Features of random neurons are dependent to rounding. Householder QR of [MD⁻¹; τI] with τ near ε then loses fewer digits
than singular values with a cut-off: it never has to say which directions count.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.networks.features import System, features, neuron_chunks
from pinn_ntk.rules import checked, positive, share

TIKHONOV = 1e-15
"""τ beside unit columns in float64; coarser precisions take as many of their own epsilons."""
_NEGLIGIBLE = 100.0
"""Epsilons of the largest column within which a column is said to depend on those before it."""


@dataclass(frozen=True)
class OuterSolution:
    """What a least-squares solve gave.

    Attributes:
        coefficients: c, (N,).
        residual_norm: ‖Mc − y‖, computed from c.
        rank: directions that are told apart: `OuterFactor.rank`, or the number of singular values above the cut-off.
    """

    coefficients: Tensor
    residual_norm: float
    rank: int


@dataclass(frozen=True)
class _Factor:
    """A = QR for a tall A, Q as Householder reflectors."""

    reflectors: Tensor
    tau: Tensor

    @staticmethod
    def of(tall: Tensor) -> "_Factor":
        return _Factor(*torch.geqrf(tall))

    @property
    def triangle(self) -> Tensor:
        """R."""
        return self.reflectors[: self.reflectors.shape[1]].triu()

    @property
    def basis(self) -> Tensor:
        """Q, as thin as A."""
        q: Tensor = torch.linalg.householder_product(self.reflectors, self.tau)
        return q

    def rotated(self, v: Tensor, back: bool) -> Tensor:
        """Qᵀv, or Qv with `back`."""
        product: Tensor = torch.ormqr(self.reflectors, self.tau, v[:, None], left=True, transpose=not back)
        return product[:, 0]

    def smallest(self, right: Tensor) -> Tensor:
        """The least-squares solution of Az = right."""
        size = self.reflectors.shape[1]
        return _back(self.triangle, self.rotated(right, back=False)[:size], upper=True)

    def shortest(self, right: Tensor) -> Tensor:
        """The solution of least norm of Aᵀz = right."""
        rows, size = self.reflectors.shape
        head = _back(self.triangle.mT, right, upper=False)
        return self.rotated(torch.cat([head, head.new_zeros(rows - size)]), back=True)


def _back(triangle: Tensor, right: Tensor, upper: bool) -> Tensor:
    solved: Tensor = torch.linalg.solve_triangular(triangle, right[:, None], upper=upper)
    return solved[:, 0]


@dataclass(frozen=True)
class OuterFactor:
    """M made ready for solving: QR of [MD⁻¹; τI] where M is tall, of [D⁻¹Mᵀ; τI] where it is wide, with D = diag ‖m_j‖.

    Attributes:
        matrix: M, (n, N).
        sizes: ‖m_j‖.
        tau: τ.
    """

    matrix: Tensor
    sizes: Tensor
    tau: float
    _factor: _Factor

    @staticmethod
    def of(matrix: Tensor, tikhonov: float = TIKHONOV) -> "OuterFactor":
        """The factor of M.

        Args:
            matrix: M; two copies of it are alive for a while, one is kept.
            tikhonov: τ in float64, relative to columns of norm 1.
        """
        (n, width), sizes = matrix.shape, torch.linalg.vector_norm(matrix, dim=0)
        tau = tikhonov * max(1.0, torch.finfo(matrix.dtype).eps / torch.finfo(torch.float64).eps)
        tall = n >= width
        stacked = matrix.new_empty(n + width, min(n, width))
        body, tail = (stacked[:n], stacked[n:]) if tall else (stacked[:width], stacked[width:])
        norms = _divisors(sizes)
        torch.div(matrix if tall else matrix.mT, norms if tall else norms[:, None], out=body)
        tail.zero_().diagonal().fill_(tau)
        return OuterFactor(matrix, sizes, tau, _Factor.of(stacked))

    @property
    def tall(self) -> bool:
        """Whether M has at least as many rows as columns."""
        return self.matrix.shape[0] >= self.matrix.shape[1]

    @property
    def rank(self) -> int:
        """How many columns (rows, where M is wide) are farther than max(100ε, 10τ)
        of the farthest from the span of those before them.
        """
        pivots = self._factor.reflectors.diagonal().abs()
        least = max(_NEGLIGIBLE * torch.finfo(pivots.dtype).eps, 10.0 * self.tau) * pivots.max()
        return int((pivots > least).sum())  # read back: the rank is a number

    def solve(self, right: Tensor) -> Tensor:
        """c = argmin ‖Mc − y‖² + τ²‖Dc‖², refined once; (N,).

        Args:
            right: y, (n,).
        """
        norms, width = _divisors(self.sizes), self.matrix.shape[1]
        if self.tall:
            scaled = self._factor.smallest(torch.cat([right, right.new_zeros(width)]))
            rest = torch.cat([right - self.matrix @ (scaled / norms), -self.tau * scaled])
            scaled = scaled + self._factor.smallest(rest)
        else:
            whole = self._factor.shortest(right)
            rest = right - self.matrix @ (whole[:width] / norms) - self.tau * whole[width:]
            scaled = (whole + self._factor.shortest(rest))[:width]
        return _unscaled(scaled, self.sizes)

    def remainder(self, values: Tensor) -> Tensor:
        """(I − M(MᵀM + τ²D²)⁻¹Mᵀ)V: what the span of M leaves of columns V, (n, k)."""
        n, basis = self.matrix.shape[0], self._factor.basis
        if self.tall:
            return values - basis[:n] @ (basis[:n].mT @ values)
        return basis[-n:] @ (basis[-n:].mT @ values)


def _divisors(sizes: Tensor) -> Tensor:
    """The norms, and 1 for columns that are zero."""
    return torch.where(sizes > 0.0, sizes, 1.0)


def _unscaled(scaled: Tensor, sizes: Tensor) -> Tensor:
    """c from Dc; 0 for columns that are zero."""
    return torch.where(sizes > 0.0, scaled / _divisors(sizes), 0.0)


def outer_matrix(system: System, w: Tensor) -> Tensor:
    """[sΦ, Ψ], (n, N + m): what S𝓛h is linear in the outer weights and the coefficients of the extra functions by.

    Args:
        system: n rows.
        w: inner weights (N, D).
    """
    width, m = len(w), 0 if system.extra is None else system.extra.shape[1]
    matrix = w.new_empty(system.points, width + m)
    for part in neuron_chunks(system.points, width):
        torch.mul(features(system, w[part]), system.scale, out=matrix[:, part])
    if system.extra is not None:
        matrix[:, width:] = system.extra
    return matrix


@checked
def solve_outer(
    matrix: Tensor,
    right: Tensor,
    tikhonov: Annotated[float, positive("τ, relative to columns of norm 1")] = TIKHONOV,
    cutoff: Annotated[float | None, share("singular values below this share of the largest are left out")] = None,
) -> OuterSolution:
    """c = argmin ‖Mc − y‖² + τ²‖Dc‖², D = diag ‖m_j‖, by QR of [MD⁻¹; τI], or of its transpose where M is wide.

    One step of refinement follows: it takes the residual from rounding in Q down to rounding in y. Two copies of M are
    alive at a time.

    Args:
        matrix: M, (n, N), tall or wide; columns that are zero get the coefficient 0.
        right: y, (n,).
        tikhonov: τ > 0, relative to columns of norm 1.
        cutoff: drop the singular values of MD⁻¹ below this share of the largest, in the place of the term τ.

    Raises:
        ValueError: shapes that do not fit, no columns, τ that is not positive, or a cut-off outside (0, 1).

    Examples:
        >>> import torch
        >>> from pinn_ntk import solve_outer
        >>> M = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
        >>> found = solve_outer(M, torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64))  # 1 + 2x through three points
        >>> [round(c, 4) for c in found.coefficients.tolist()], found.rank
        ([1.0, 2.0], 2)
    """
    _check(matrix, right)
    return outer_solution(matrix, right, tikhonov, cutoff)


def outer_solution(
    matrix: Tensor, right: Tensor, tikhonov: float = TIKHONOV, cutoff: float | None = None
) -> OuterSolution:
    """What `solve_outer` finds, of a matrix and right-hand sides that need no check: a training step waits for none."""
    if cutoff is None:
        factor = OuterFactor.of(matrix, tikhonov)
        coefficients, rank = factor.solve(right), factor.rank
    else:
        sizes = torch.linalg.vector_norm(matrix, dim=0)
        scaled, rank = _truncated(matrix / _divisors(sizes), right, cutoff)
        coefficients = _unscaled(scaled, sizes)
    # read back: the residual is a number
    return OuterSolution(coefficients, float(torch.linalg.vector_norm(matrix @ coefficients - right)), rank)


def _check(matrix: Tensor, right: Tensor) -> None:
    if matrix.ndim != 2 or not matrix.numel() or right.shape != matrix.shape[:1]:
        got = f"{tuple(matrix.shape)} and {tuple(right.shape)}"
        raise ValueError(f"matrix and right: got shapes {got}, expected (n, N) and (n,) with n ≥ 1 and N ≥ 1")
    if matrix.dtype != right.dtype or matrix.device != right.device:
        got = f"{matrix.dtype} on {matrix.device} and {right.dtype} on {right.device}"
        raise ValueError(f"matrix and right: got {got}, expected the same; write right.to(matrix)")


def _truncated(matrix: Tensor, right: Tensor, cutoff: float) -> tuple[Tensor, int]:
    """A⁺y without the singular values below the cut-off, and how many are left."""
    tall = matrix.shape[0] >= matrix.shape[1]
    factor = _Factor.of(matrix if tall else matrix.mT)
    size = min(matrix.shape)
    left, singular, other = torch.linalg.svd(factor.triangle)
    kept = singular > cutoff * singular[0]
    inverse = torch.where(kept, 1.0 / singular, 0.0)
    if tall:
        solution = other.mT @ (inverse * (left.mT @ factor.rotated(right, back=False)[:size]))
    else:
        head = left @ (inverse * (other @ right))
        solution = factor.rotated(torch.cat([head, head.new_zeros(matrix.shape[1] - size)]), back=True)
    return solution, int(kept.sum())  # read back: the rank is a number
