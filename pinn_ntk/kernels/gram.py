"""What every kernel function returns: K̂ = JJᵀ/scale in the lecture's normalisation, by parts and by blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.kernels.spectrum import Spectrum, spectrum_of_gram
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import Rule, one_of, whole

Chunk = Annotated[int | None, whole("neurons (rows of a module) at a time; null: what memory allows", 1)]
At = Annotated[tuple[Rows, ...] | None, Rule("other rows; null: those of the problem", "list", 1)]
Part = Annotated[str, one_of("of the kernel: all of it, or K^(a)", ("total", "a"))]


@dataclass(frozen=True)
class Kernel:
    """K̂ = K̂^(a) + K̂^(w) (+ K̂^(extra)), JJᵀ = scale·K̂ for the rows S𝓛 of a problem.

    Attributes:
        total: K̂, (n, n), or (m, n) for a cross kernel.
        scale: s²N for two layers (N under scaling 'sum'), 1 for other modules.
        a: part of the outer weights; None where parts have no meaning.
        w: part of the inner weights.
        extra: part of the extra functions.
        rows: row slice and row scale s_b by block name.
        columns: the same for columns.
        error: estimated largest error of an entry (infinite width), None for exact sums.
        chunk: neurons (or rows, for autograd) held at a time.

    Examples:
        >>> import torch
        >>> from pinn_ntk import TwoLayer, box, closed_form_kernel, laplacian, pose
        >>> problem = pose(laplacian(1), box(0, 1), exact="x**2", boundary="soft", points=8)
        >>> K = closed_form_kernel(TwoLayer(1, width=16), problem)
        >>> K.raw("interior", "boundary").shape, torch.equal(K.total, K.total.mT)
        (torch.Size([8, 2]), True)
    """

    total: Tensor
    scale: float
    a: Tensor | None
    w: Tensor | None
    extra: Tensor | None
    rows: Mapping[str, tuple[slice, float]]
    columns: Mapping[str, tuple[slice, float]]
    error: float | None = None
    chunk: int | None = None

    def raw(self, row_block: str, column_block: str) -> Tensor:
        """The unscaled block: K̂ between the rows of two blocks, without s_b.

        Raises:
            ValueError: an unknown block; the known ones are listed.
        """
        for name, known in ((row_block, self.rows), (column_block, self.columns)):
            if name not in known:
                raise ValueError(f"block: got {name!r}, expected one of {', '.join(known)}")
        (i, s_i), (j, s_j) = self.rows[row_block], self.columns[column_block]
        return self.total[i, j] / (s_i * s_j)

    def spectrum(self) -> Spectrum:
        """Eigenvalues and eigenvectors of K̂ from K̂ itself; `kernel_spectrum` gets small ones right,
        from the Jacobian.
        """
        return spectrum_of_gram(self.total, self.error or 0.0)

    def to(self, dtype: torch.dtype, device: torch.device | str) -> "Kernel":
        """The kernel in that precision on that device."""

        def move(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.to(device=device, dtype=dtype)

        return replace(
            self,
            total=self.total.to(device=device, dtype=dtype),
            a=move(self.a),
            w=move(self.w),
            extra=move(self.extra),
        )


def block_map(problem: Problem) -> dict[str, tuple[slice, float]]:
    """Row slice and row scale of each block by its name."""
    return {name: (part, s) for (name, part), s in zip(problem.slices.items(), problem.row_scales, strict=True)}
