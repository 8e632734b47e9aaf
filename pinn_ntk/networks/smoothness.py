"""Whether a network can be differentiated as often as the rows ask: ReLUᵖ by its power,
an unknown module by a look at its derivatives.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, Activation, smoothness_verdict
from pinn_ntk.operators.rows import Rows

LOOKED_AT = 256
"""Points at which an unknown module is looked at."""


def activation_notes(activation: Activation, order: int) -> list[str]:
    """Warnings about an activation under operators of that order.

    Raises:
        ValueError: its derivatives are not there; with the activations that are smooth enough.
    """
    verdict = smoothness_verdict(activation, order)
    if verdict == "refused":
        good = ", ".join(name for name, a in ACTIVATIONS.items() if smoothness_verdict(a, order) == "true")
        raise ValueError(
            f"activation: got {activation.name!r}, not smooth enough for an operator of order {order}; expected "
            f"one of {good}"
        )
    if verdict == "almost_everywhere":
        return [
            f"activation {activation.name} with an operator of order {order}: the gradient drops a delta term "
            "(autograd drops the same); "
            "the kernel is that of the remaining part"
        ]
    return []


def require_curvature(h: Callable[[Tensor], Tensor], rows: tuple[Rows, ...]) -> None:
    """Refuse a piecewise linear h under second-order rows: ∇²h = 0 at every point although ∇h is not the same
    everywhere.

    Args:
        h: (n, d) → (n,).
        rows: what will be asked of it.

    Raises:
        ValueError: h is piecewise linear, as with nn.ReLU.
    """
    if all(r.order < 2 for r in rows):
        return
    x = torch.cat([r.x[:LOOKED_AT] for r in rows if r.order == 2])
    index = torch.arange(1.0, x.shape[1] + 1.0, dtype=x.dtype, device=x.device)
    # weights without symmetry, under which no sum of second derivatives cancels by accident
    pattern = 1.0 / (index[:, None] + index + 0.5 * index[:, None] * index)
    curvature = Rows(x, x.new_ones(1, 1), pattern[None], None, None).apply(h).detach()
    slope = Rows(x, None, None, (1.0 / index)[None], None).apply(h).detach()
    # read back: whether the module will do, asked once
    bent = float(slope.max() - slope.min()) > 1e3 * torch.finfo(x.dtype).eps * float(slope.abs().max())
    if bent and not bool(curvature.any()):  # read back: whether the module will do, asked once
        raise ValueError(
            "network: its second derivatives vanish at every point, as those of piecewise linear activations "
            "(nn.ReLU) do; "
            "expected a smooth one such as nn.Tanh for an operator of order 2"
        )
