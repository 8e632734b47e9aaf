"""The state of an ensemble in training: S networks of one shape that differ in their seed, as one leading dimension."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks.features import CHUNK_ELEMENTS, System
from pinn_ntk.networks.two_layer import TwoLayer, Weights
from pinn_ntk.training.states import State, Status


@dataclass(frozen=True)
class EnsembleState:
    """θ_s after k steps, s over the members that still run.

    Attributes:
        step: k, the same for all.
        step_size: τ_s, absolute, (S,).
        weights: θ, leading dimension S.
        residual: e = S(𝓛h − f), (S, n).
        loss: R_S = ‖e‖²/(2n), (S,).
        gradient: (∇_aR_S, ∇_wR_S, ∇_βR_S), each with leading dimension S.
        members: which of the seeds these are: positions in the sequence that was given.
        system: the rows, shared.
        networks: theirs, before training.
    """

    step: int
    step_size: Tensor
    weights: Weights
    residual: Tensor
    loss: Tensor
    gradient: tuple[Tensor, ...]
    members: tuple[int, ...]
    system: System
    networks: tuple[TwoLayer, ...]

    @property
    def start(self) -> TwoLayer:
        """A network of theirs before training, for what all of them share."""
        return self.networks[0]

    @property
    def gradient_norm(self) -> Tensor:
        """‖∇_θR_S‖ over all parameters, (S,)."""
        return torch.sqrt(torch.stack([(g * g).flatten(1).sum(1) for g in self.gradient]).sum(0))

    def select(self, index: Sequence[int]) -> "EnsembleState":
        """The state of some members, by their places in this one."""
        if len(index) == len(self.members):
            return self
        rows = torch.as_tensor(index, dtype=torch.long, device=self.loss.device)
        return replace(
            self,
            step_size=self.step_size[rows],
            weights=selected(self.weights, rows),
            residual=self.residual[rows],
            loss=self.loss[rows],
            gradient=tuple(g[rows] for g in self.gradient),
            members=tuple(self.members[i] for i in index),
            networks=tuple(self.networks[i] for i in index),
        )

    def member(self, place: int, status: Status, dynamics: Dynamics) -> State:
        """One member's state, as a single run would yield it.

        Args:
            place: which one of these.
            status: RUNNING, or why this state is its last.
            dynamics: how θ moves, its step still to be set.
        """
        squares = ((g[place] * g[place]).sum() for g in self.gradient)
        numbers = torch.stack([self.step_size[place], self.loss[place], *squares])
        tau, loss, *norms = numbers.tolist()  # read back: a last state, or one that a person's tracker is asked about
        return State(
            step=self.step,
            time=self.step * tau,
            step_size=tau,
            weights=selected(self.weights, place),
            residual=self.residual[place].clone(),
            loss=loss,
            gradient_norm=math.sqrt(sum(norms)),
            status=status,
            start=self.networks[place],
            dynamics=replace(dynamics, step=tau),
        )


EnsembleTracker = Callable[[EnsembleState], Mapping[str, Tensor]]
"""State → values (S,), which become columns, or (S, …), which become arrays, of each member's history."""


BATCH_ELEMENTS = 1 << 16
"""Members × rows × neurons held at a time on a CPU: the few arrays alive, 512 KiB each, then stay in a core's cache."""


def batch_elements(device: torch.device) -> int:
    """Members × rows × neurons to be held at a time: what a core's cache holds, or one chunk of `sums` on a GPU."""
    return BATCH_ELEMENTS if device.type == "cpu" else CHUNK_ELEMENTS


def stacked(networks: Sequence[TwoLayer]) -> Weights:
    """The weights of networks of one shape, with a leading dimension."""
    each = [network.weights for network in networks]
    return Weights(*(torch.stack([getattr(w, name) for w in each]) for name in ("a0", "w0", "da", "dw", "extra")))


def selected(weights: Weights, rows: Tensor | int) -> Weights:
    """The weights of some members, or of one."""
    return Weights(weights.a0[rows], weights.w0[rows], weights.da[rows], weights.dw[rows], weights.extra[rows])
