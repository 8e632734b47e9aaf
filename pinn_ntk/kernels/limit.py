"""What the quadratures of the infinite-width kernel share: the result with its error, what is not available,
symmetry.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.activations import Activation
from pinn_ntk.networks.features import System
from pinn_ntk.operators.rows import Rows


class NotAvailableError(ValueError):
    """No exact infinite-width kernel for this activation, initialisation and dimension; the message says why."""


@dataclass(frozen=True)
class Limit:
    """E_w φφ' and E_w ∇φ·∇φ' of two sets of rows.

    Attributes:
        a: (m, n).
        w: (m, n), or None when it was not asked for.
        error: estimate of the largest error of an entry of a + w.
    """

    a: Tensor
    w: Tensor | None
    error: float


def contracted(limit: Limit, left: tuple[Rows, ...], right: tuple[Rows, ...] | None) -> Limit:
    """The limit of paired rows, K₁₁ − K₁₂ − K₂₁ + K₂₂, from that of the functionals that they consist of.

    Args:
        limit: of `unpaired(left)` and `unpaired(right)`.
        left: rows of K.
        right: columns; None for the symmetric kernel.
    """
    columns = left if right is None else right
    sides = [any(r.minus is not None for r in side) for side in (left, columns)]
    if not any(sides):
        return limit

    def both(K: Tensor) -> Tensor:
        K = _differences(_differences(K, left).mT, columns).mT
        return (K + K.mT) / 2 if right is None else K

    return Limit(both(limit.a), None if limit.w is None else both(limit.w), 2 ** sum(sides) * limit.error)


def _differences(K: Tensor, rows: tuple[Rows, ...]) -> Tensor:
    """K with the rows of every pair subtracted."""
    found, start = [], 0
    for r in rows:
        own = K[start : start + len(r)]
        start += len(r)
        if r.minus is not None:
            own = own - K[start : start + len(r)]
            start += len(r)
        found.append(own)
    return torch.cat(found)


def size_of(a: Tensor, w: Tensor | None) -> float:
    """The largest entry: what tolerances are relative to."""
    # read back: whether the quadrature is fine enough
    return max(float(part.abs().max()) for part in (a, w) if part is not None)


def change_of(a: Tensor, w: Tensor | None, a_other: Tensor, w_other: Tensor | None) -> float:
    """Σ over the parts of the largest difference of an entry."""
    change = float((a - a_other).abs().max())  # read back: whether the quadrature is fine enough
    # read back: whether the quadrature is fine enough
    return change if w is None or w_other is None else change + float((w - w_other).abs().max())


def has_parity(activation: Activation) -> bool:
    """Whether σ is even or odd (to rounding): every integrand is then even in w, and half of the nodes suffice."""
    z = torch.linspace(0.05, 6.0, 29, dtype=torch.float64, device="cpu")
    right, left = activation(z), activation(-z)
    tolerance = 1e-14 * float(right.abs().max())
    return min(float((right - left).abs().max()), float((right + left).abs().max())) <= tolerance


def system_of(rows: tuple[Rows, ...], activation: Activation) -> System:
    """The rows as a system with target 0, in float64."""
    rows = tuple(r.to(torch.float64, r.x.device) for r in rows)
    return System(rows, torch.cat([torch.zeros_like(r.x[:, 0]) for r in rows]), activation, 1.0)


def spread(values: Tensor, count: int) -> Tensor:
    """Indices of at most `count` entries, from the smallest to the largest and evenly between in rank."""
    order = values.argsort()
    picks = torch.linspace(0, len(values) - 1, min(count, len(values)), dtype=torch.float32, device=values.device)
    return order[picks.round().long()]


def sampled(rows: tuple[Rows, ...], count: int) -> tuple[Rows, ...]:
    """A few rows of every block, spread over the norms of its points."""
    return tuple(r.select(spread(r.x.norm(dim=1), count)) for r in rows)
