"""Rows that say the same thing twice: each is a multiple of another functional, so that their kernel is singular,
whatever rounding makes of its smallest eigenvalue.
"""

import torch
from torch import Tensor

from pinn_ntk.operators.rows import Rows

_ALIKE = 64.0
"""Roundings of a coefficient by which equal rows may differ: two weights make two multiples of one."""


def equal_rows(rows: tuple[Rows, ...]) -> int:
    """How many rows are multiples of an earlier one, or zero: so many eigenvalues of a kernel are 0.

    Args:
        rows: block after block, lifted or not.
    """
    places, what = torch.cat([_places(r) for r in rows]), torch.cat([_functional(r) for r in rows])
    size = torch.linalg.vector_norm(what, dim=1)
    zero = size == 0.0
    unit = what / torch.where(zero, 1.0, size)[:, None]
    _, group, count = torch.unique(places, dim=0, return_inverse=True, return_counts=True)
    again = int(zero.sum())  # read back: how many eigenvalues are zero
    # read back: which points occur twice, few if any
    for shared in torch.nonzero(count > 1).flatten().tolist():
        own = unit[(group == shared) & ~zero]
        angles = own @ own.mT
        apart = torch.linalg.vector_norm(own[:, None] - angles.sign()[..., None] * own[None], dim=-1)
        alike = torch.tril(apart <= _ALIKE * torch.finfo(own.dtype).eps, -1)
        again += int(alike.any(1).sum())  # read back: how many eigenvalues are zero
    return again


def _places(rows: Rows) -> Tensor:
    """(x, x'), (n, 2D): where the rows are evaluated; 0 for x' of rows that are not paired."""
    return torch.cat([rows.x, torch.zeros_like(rows.x) if rows.minus is None else rows.minus.x], 1)


def _functional(rows: Rows) -> Tensor:
    """The coefficients A, b, c of each row and of what is subtracted from it, (n, 2(D² + D + 1))."""
    own = _coefficients(rows)
    return torch.cat([own, torch.zeros_like(own) if rows.minus is None else _coefficients(rows.minus)], 1)


def _coefficients(rows: Rows) -> Tensor:
    n, d = rows.x.shape
    b = rows.x.new_zeros(n, d) if rows.b is None else rows.b.expand(n, d)
    c = rows.x.new_zeros(n, 1) if rows.c is None else rows.c.expand(n)[:, None]
    return torch.cat([rows.plus.second_order().reshape(n, -1), b, c], 1)
