"""Sums of products XXᵀ and LRᵀ; the symmetric ones by one triangle: half of the multiplications, and exactly symmetric.

The rows come in tiles, each a product of its own, so that several processes that own some of them get the same numbers
to the bit.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from pinn_ntk import parallel

TILES: Final = 16
"""Of a side: 17/32 of the multiplications."""
_SMALLEST = 64  # rows of a tile: fewer are no matrix product


def row_tiles(rows: int) -> list[slice]:
    """The tiles of so many rows."""
    side = max(_SMALLEST, -(-rows // TILES))
    return [slice(start, min(start + side, rows)) for start in range(0, rows, side)]


class Square:
    """K = Σ XXᵀ + Σ (CPᵀ + PCᵀ), (…, n, n), of which only the lower triangle is summed.

    Args:
        like: one X, (…, n, ·), for shape, precision and device.
        shared: whether its tiles are dealt out to the processes of this run.
    """

    def __init__(self, like: Tensor, shared: bool = False) -> None:
        n = like.shape[-2]
        self.total = like.new_zeros(*like.shape[:-1], n)
        self.tiles = row_tiles(n)
        costs = [float((tile.stop - tile.start) * tile.stop) for tile in self.tiles]
        self.shared = shared
        self.owners = parallel.dealt(costs) if shared else [parallel.rank()] * len(costs)

    def add(self, x: Tensor) -> None:
        """K += XXᵀ."""
        self._add(x, x)

    def add_both(self, C: Tensor, P: Tensor) -> None:
        """K += CPᵀ + PCᵀ, as one product of twice as many columns."""
        self._add(torch.cat([C, P], -1), torch.cat([P, C], -1))

    def _add(self, x: Tensor, y: Tensor) -> None:
        for tile, owner in zip(self.tiles, self.owners, strict=True):
            if owner == parallel.rank():
                _accumulate(self.total[..., tile, : tile.stop], x[..., tile, :], y[..., : tile.stop, :])

    def whole(self, factor: float = 1.0) -> Tensor:
        """K times a factor."""
        if self.shared:
            parallel.exchange([self.total[..., tile, : tile.stop] for tile in self.tiles], self.owners)
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
        shared: whether its rows are dealt out to the processes of this run.
    """

    def __init__(self, left: Tensor, right: Tensor, shared: bool = False) -> None:
        self.total = left.new_zeros(*left.shape[:-1], right.shape[-2])
        self.shared, self.tiles = shared, row_tiles(left.shape[-2])
        costs = [float(tile.stop - tile.start) for tile in self.tiles]
        self.owners = parallel.dealt(costs) if shared else [parallel.rank()] * len(costs)

    def add(self, left: Tensor, right: Tensor) -> None:
        """K += LRᵀ."""
        for tile, owner in zip(self.tiles, self.owners, strict=True):
            if owner == parallel.rank():
                _accumulate(self.total[..., tile, :], left[..., tile, :], right)

    def add_both(self, C: Sequence[Tensor], P: Sequence[Tensor]) -> None:
        """K += C_lP_rᵀ + P_lC_rᵀ, each given as (left, right)."""
        self.add(torch.cat([C[0], P[0]], -1), torch.cat([P[1], C[1]], -1))

    def whole(self, factor: float = 1.0) -> Tensor:
        """K times a factor."""
        if self.shared:
            parallel.exchange([self.total[..., tile, :] for tile in self.tiles], self.owners)
        return self.total if factor == 1.0 else self.total.mul_(factor)


def _accumulate(total: Tensor, left: Tensor, right: Tensor) -> None:
    if total.ndim == 2:
        total.addmm_(left, right.mT)
    else:
        total.add_(left @ right.mT)
