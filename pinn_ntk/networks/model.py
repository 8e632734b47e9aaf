"""What training, kernels and reports ask of a network, whatever it is made of: h(·;θ) as a value with θ = θ⁰ + Δ.

`TwoLayer` answers in closed form, `AnyModule` by automatic differentiation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from pinn_ntk.operators.rows import Rows

Fact = float | int | str | bool | None
FACTS = ("activation", "scaling", "gamma", "bias", "init", "seed", "depth")
"""What a summary says of every network; None where it has no meaning."""


class Theta(Protocol):
    """Parameters as a value: where they started and how far they have moved."""

    @property
    def displacement(self) -> tuple[Tensor, ...]:
        """Δ, one tensor for each kind of parameter, in the order of the gradient."""

    def moved(self, *delta: Tensor) -> Self:
        """The parameters displaced further by those amounts."""

    def displaced(self, *delta: Tensor) -> Self:
        """The parameters with that displacement in the place of their own."""

    def movement(self, start: Self) -> Mapping[str, float]:
        """How far they are from others of the same network, in numbers by name."""


class Equations(Protocol):
    """S𝓛h = Sf for one network."""

    @property
    def target(self) -> Tensor:
        """Sf, (n,)."""

    @property
    def points(self) -> int:
        """n."""


@dataclass(frozen=True)
class About:
    """A network in words.

    Attributes:
        kind: a name for tables: 'two_layer', 'mlp', or the class of a module.
        words: what it is, such as 'a two-layer tanh network'.
        formula: h(x) in symbols.
        start: how θ⁰ is made.
        width: N as a person understands it; None where layers differ.
        facts: further entries of a summary, keys of `FACTS`; those that are absent have no meaning for it.
    """

    kind: str
    words: str
    formula: str
    start: str
    width: int | None
    facts: Mapping[str, Fact]

    def __post_init__(self) -> None:
        unknown = [name for name in self.facts if name not in FACTS]
        if unknown:
            raise ValueError(f"facts: got {', '.join(unknown)}, expected some of {', '.join(FACTS)}")


class Model(Protocol):
    """h: (n, d) → (n,) with parameters that are a value; training never changes it."""

    @property
    def dim(self) -> int:
        """d, coordinates of x."""

    @property
    def width(self) -> int:
        """N: numbers per point that its widest layer holds."""

    @property
    def kernel_scale(self) -> float:
        """s²N with JJᵀ = s²N K̂; 1 where K̂ = JJᵀ."""

    @property
    def parameter_count(self) -> int:
        """P."""

    @property
    def weights(self) -> Any:
        """θ, a `Theta`."""

    @property
    def device(self) -> torch.device:
        """Where θ is."""

    @property
    def dtype(self) -> torch.dtype:
        """The precision of θ."""

    @property
    def about(self) -> About:
        """What it is, in words."""

    @property
    def module(self) -> nn.Module:
        """h as a torch module whose trainable parameters are θ."""

    def __call__(self, x: Tensor) -> Tensor:
        """h(x), (n, d) → (n,)."""

    def with_weights(self, weights: Any) -> Self:
        """The same network with those parameters; this one is left as it is."""

    def system(self, rows: tuple[Rows, ...], target: Tensor) -> Any:
        """S𝓛h = Sf, `Equations` that `sums.residual` and `sums.residual_and_gradient` understand."""

    def check(self, rows: tuple[Rows, ...]) -> list[str]:
        """Warnings about the network under these rows; what cannot work is a ValueError."""

    def to(self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Self:
        """The network on that device in that precision."""
