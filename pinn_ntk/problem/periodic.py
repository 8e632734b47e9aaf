"""Periodic conditions on boxes: u and its normal derivative are the same on opposite faces,
a paired condition for each.
"""

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
from pinn_ntk.problem.regions import on_pieces, person_names

SLOPE = "_slope"  # behind the name, of the block about the derivative


def periodic_conditions(
    domain: Domain, axis: int | str, name: str = "", *, time: bool = False, weight: float = 1.0
) -> tuple[Condition, Condition]:
    """u(x) − u(x + Le_j) = 0 and ∂_ju(x) − ∂_ju(x + Le_j) = 0 on the face x_j = low_j, L = high_j − low_j.

    Args:
        domain: a box, or one over time.
        axis: j, from 0, or its name, such as x.
        name: of the first block; the second is called `<name>_slope`; empty takes periodic_x for the coordinate x.
        time: whether the last coordinate is time, for its name.
        weight: λ of both.

    Raises:
        ValueError: a domain without opposite faces, no such axis, or a weight that is not positive.
    """
    if not isinstance(domain.space if isinstance(domain, OverTime) else domain, Box):
        raise ValueError(f"periodic: got {domain}, expected a box or a box over time, which have opposite faces")
    names = variable_names(domain.dim, time)
    j = _axis(axis, domain, names)
    number("weight of periodic", weight, positive=True)
    low, high = (piece.name for piece in domain.pieces[2 * j : 2 * j + 2])
    here, end, variable = on_pieces(domain, [low]), domain.high[j], names[j]
    said = {piece: own for own, piece in person_names(domain, time).items()}
    called = name or f"periodic_{variable}"

    def opposite(x: Tensor) -> Tensor:
        """The points with x_j = high_j."""
        across = x.clone()
        across[:, j] = end
        return across

    def same(operator: SecondOrderOperator, block: str, what: str) -> Condition:
        words = f"{what} the same on {said[low]} and {said[high]}"
        return Condition(block, "periodic", operator, 0.0, here, weight, words, Partner(operator, opposite))

    slope = SecondOrderOperator(
        domain.dim, b=torch.eye(domain.dim, dtype=torch.float64, device="cpu")[j], name=f"∂u/∂{variable}"
    )
    return same(identity(domain.dim), called, "u"), same(slope, called + SLOPE, f"∂u/∂{variable}")


def _axis(axis: object, domain: Domain, names: tuple[str, ...]) -> int:
    """j, from itself or from the coordinate's name."""
    if isinstance(axis, str) and axis.strip() in names:
        return names.index(axis.strip())
    if not isinstance(axis, int) or isinstance(axis, bool) or not 0 <= axis < domain.dim:
        whole = f"a whole number from 0 to {domain.dim - 1}" if domain.dim > 1 else "0"
        raise ValueError(f"axis: got {axis!r}, expected {', '.join(names)} or {whole}, a coordinate of {domain}")
    return axis
