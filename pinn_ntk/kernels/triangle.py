"""Sums of products XXᵀ and LRᵀ; the symmetric ones by one triangle: half of the multiplications, and exactly symmetric."""

from collections.abc import Sequence

import torch
from torch import Tensor

_TILES = 8  # of a side: 9/16 of the multiplications
_SMALLEST = 64  # rows of a tile: fewer are no matrix product


class Square:
    """K = Σ XXᵀ + Σ (CPᵀ + PCᵀ), (…, n, n), of which only the lower triangle is summed.

    Args:
        like: one X, (…, n, ·), for shape, precision and device.
    """

    def __init__(self, like: Tensor) -> None:
        n = like.shape[-2]
        self.total = like.new_zeros(*like.shape[:-1], n)
        side = max(_SMALLEST, -(-n // _TILES))
        self.tiles = [slice(start, min(start + side, n)) for start in range(0, n, side)]

    def add(self, x: Tensor) -> None:
        """K += XXᵀ."""
        self._add(x, x)

    def add_both(self, C: Tensor, P: Tensor) -> None:
        """K += CPᵀ + PCᵀ, as one product of twice as many columns."""
        self._add(torch.cat([C, P], -1), torch.cat([P, C], -1))

    def _add(self, x: Tensor, y: Tensor) -> None:
        for tile in self.tiles:
            _accumulate(self.total[..., tile, : tile.stop], x[..., tile, :], y[..., : tile.stop, :])

    def whole(self, factor: float = 1.0) -> Tensor:
        """K times a factor."""
        for tile in self.tiles:
            own = self.total[..., tile, tile]
            own.copy_(own.tril() + own.tril(-1).mT)
            if tile.start:
                self.total[..., : tile.start, tile] = self.total[..., tile, : tile.start].mT
        return self.total if factor == 1.0 else self.total.mul_(factor)


class Rectangle:
    """K = Σ LRᵀ + Σ (C_lP_rᵀ + P_lC_rᵀ), (…, m, n).

    Args:
        left: one L, (…, m, ·).
        right: one R, (…, n, ·).
    """

    def __init__(self, left: Tensor, right: Tensor) -> None:
        self.total = left.new_zeros(*left.shape[:-1], right.shape[-2])

    def add(self, left: Tensor, right: Tensor) -> None:
        """K += LRᵀ."""
        _accumulate(self.total, left, right)

    def add_both(self, C: Sequence[Tensor], P: Sequence[Tensor]) -> None:
        """K += C_lP_rᵀ + P_lC_rᵀ, each given as (left, right)."""
        self.add(torch.cat([C[0], P[0]], -1), torch.cat([P[1], C[1]], -1))

    def whole(self, factor: float = 1.0) -> Tensor:
        """K times a factor."""
        return self.total if factor == 1.0 else self.total.mul_(factor)


def _accumulate(total: Tensor, left: Tensor, right: Tensor) -> None:
    if total.ndim == 2:
        total.addmm_(left, right.mT)
    else:
        total.add_(left @ right.mT)
