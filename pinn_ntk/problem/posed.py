"""Conditions before points are drawn: 𝓛_b u = f_b on a region, which a solver may sample as densely as it likes.

A paired condition is about two points in one row, 𝓛u(x) − 𝓜u(x') = f with x' = m(x): periodic solutions, jumps across
an interface.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.expressions import Expression
from pinn_ntk.operators.second_order import SecondOrderOperator

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Region:
    """Where a condition holds.

    Attributes:
        sample: (n, seed) → (m, d) points spread by measure; m < n where the region has fewer points, such as an
            interval's end or data.
        measure: of the region in its own dimension; the number of points where they are finitely many.
        dim: its dimension: d inside, d − 1 on the boundary, 0 for points.
        words: for a report, such as "on x = 0".
        pieces: the names of the boundary pieces that it consists of; none inside and for points.
    """

    sample: Callable[[int, int], Tensor]
    measure: float
    dim: int
    words: str = ""
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Partner:
    """𝓜u(m(x)), what a paired condition subtracts: 𝓛u(x) − 𝓜u(m(x)) = f.

    Attributes:
        operator: 𝓜.
        at: m, a torch function (n, d) → (n, d) of the points x; or the points x' themselves, one for each x.
    """

    operator: SecondOrderOperator
    at: Callable[[Tensor], Tensor] | Tensor

    def points(self, x: Tensor) -> Tensor:
        """x', (n, d), in x's precision on its device."""
        return (self.at if isinstance(self.at, Tensor) else self.at(x)).detach().to(x)


@dataclass(frozen=True)
class Condition:
    """𝓛_b u = f_b on a region, about u itself, never about the h of an ansatz.

    Attributes:
        name: of the block.
        kind: interior, dirichlet, neumann, robin, initial, velocity, periodic or data.
        operator: 𝓛_b.
        target: f_b: a function of points, a number, or (of data) one value for each point of the region.
        region: where.
        weight: λ_b.
        words: for a report, such as "u = 0 on ∂Ω".
        noise: the standard deviation of data; None where it is not known.
        partner: of a paired condition 𝓛_b u(x) − 𝓜u(x') = f_b, what is subtracted and where; None for nothing.
    """

    name: str
    kind: str
    operator: SecondOrderOperator
    target: Function | float | Tensor
    region: Region
    weight: float = 1.0
    words: str = ""
    partner: Partner | None = None
    noise: float | None = None

    @property
    def order(self) -> int:
        """The highest derivative that occurs."""
        return order_of(self.operator, self.partner)

    @property
    def number(self) -> float | None:
        """f_b where it is one number, written as such or as a formula without coordinates; else None."""
        target = self.target
        if isinstance(target, Expression):
            return target.value if target.is_constant else None
        return float(target) if isinstance(target, (int, float)) else None

    def values(self, x: Tensor) -> Tensor:
        """f_b at n points, (n,): of a function, of a number, or of data at all of their points."""
        target = self.target
        found = (
            target(x)
            if callable(target) and not isinstance(target, Tensor)
            else torch.as_tensor(target, dtype=x.dtype, device=x.device)
        )
        return found.detach().expand(len(x))


def order_of(operator: SecondOrderOperator, partner: Partner | None) -> int:
    """The highest derivative in a row."""
    return operator.order if partner is None else max(operator.order, partner.operator.order)
