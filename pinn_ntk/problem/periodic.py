"""Periodic conditions on boxes: u and its normal derivative are the same on opposite faces, a paired condition for each."""

import torch
from torch import Tensor

from pinn_ntk.arguments import number
from pinn_ntk.expressions import variable_names
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.operators.library import identity
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.posed import Condition, Partner
from pinn_ntk.problem.regions import on_pieces


def periodic(domain: Domain, axis: int, name: str = "", *, time: bool = False, weight: float = 1.0) -> tuple[Condition, Condition]:
    """u(x) − u(x + Le_j) = 0 and ∂_ju(x) − ∂_ju(x + Le_j) = 0 on the face x_j = low_j, L = high_j − low_j.

    Args:
        domain: a box, or one over time.
        axis: j, from 0.
        name: of the first block; the second is called `<name>_slope`; empty takes periodic_x for the coordinate x.
        time: whether the last coordinate is time, for its name.
        weight: λ of both.

    Raises:
        ValueError: a domain without opposite faces, no such axis, or a weight that is not positive.
    """
    if not isinstance(domain.space if isinstance(domain, OverTime) else domain, Box):
        raise ValueError(f"periodic: got {domain}, expected a box or a box over time, which have opposite faces")
    if not isinstance(axis, int) or isinstance(axis, bool) or not 0 <= axis < domain.dim:
        raise ValueError(f"axis: got {axis!r}, expected a whole number from 0 to {domain.dim - 1} for {domain}")
    number("weight of periodic", weight, positive=True)
    low, high = (piece.name for piece in domain.pieces[2 * axis : 2 * axis + 2])
    here, end, variable = on_pieces(domain, [low]), domain.high[axis], variable_names(domain.dim, time)[axis]
    called = name or f"periodic_{variable}"

    def opposite(x: Tensor) -> Tensor:
        """The points with x_j = high_j."""
        across = x.clone()
        across[:, axis] = end
        return across

    def same(operator: SecondOrderOperator, block: str, what: str) -> Condition:
        words = f"{what} the same on {low} and {high}"
        return Condition(block, "periodic", operator, 0.0, here, weight, words, Partner(operator, opposite))

    slope = SecondOrderOperator(domain.dim, b=torch.eye(domain.dim, dtype=torch.float64)[axis], name=f"∂u/∂{variable}")
    return same(identity(domain.dim), called, "u"), same(slope, f"{called}_slope", f"∂u/∂{variable}")
