"""What a method needs to go on from a state beside θ⁰ and its options: Δ = θ_k − θ⁰, the losses before it,
and its own memory.

A method writes it before each state that it yields. Given to the same method again, the same state comes first, and all
that follow are the same to the bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from pinn_ntk.networks.model import Theta

AnyTheta = TypeVar("AnyTheta", bound=Theta)


@dataclass
class Memory:
    """A method at one of its states.

    Attributes:
        step: k.
        losses: R_S at steps 0…k − 1.
        values: Δ and whatever the method remembers: tensors, numbers, texts, None, and lists and mappings of those.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def weights(self, start: AnyTheta) -> AnyTheta:
        """θ_k, θ⁰ at the beginning."""
        return start.displaced(*self.values["displacement"]) if self.values else start

    def get(self, name: str, otherwise: Any = None) -> Any:
        """What was remembered under that name."""
        return self.values.get(name, otherwise)

    def keep(self, step: int, weights: Theta, own: Mapping[str, Any]) -> None:
        """Remember the state after so many steps.

        Args:
            step: k.
            weights: θ_k.
            own: of the method; nothing is copied, as the memory is read before the method goes on.
        """
        self.step, self.values = step, {**own, "displacement": list(weights.displacement)}


def copied(value: Any) -> Any:
    """The same value with tensors of its own, which a method may move in place."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, Mapping):
        return {name: copied(each) for name, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list) else value
