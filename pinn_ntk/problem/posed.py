"""Conditions before points are drawn: 𝓛_b u = f_b on a region, which a solver may sample as densely as it likes."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pinn_ntk.operators.second_order import SecondOrderOperator

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Region:
    """Where a condition holds.

    Attributes:
        sample: (n, seed) → (m, d) points spread by measure; m < n where the region has fewer points, such as an interval's end or data.
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
    """

    name: str
    kind: str
    operator: SecondOrderOperator
    target: Function | float | Tensor
    region: Region
    weight: float = 1.0
    words: str = ""
