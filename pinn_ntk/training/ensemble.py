"""Ensembles: all seeds of one configuration trained as one batch, each member with its own step size and its own end.

θ_s ← θ_s − τ_s∇R_S(θ_s),   τ_s = step_size · 2n/(s²N λ_max(K̂_s(θ⁰))),   s = 1…S.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.batched import batched_kernel
from pinn_ntk.networks.features import CHUNK_ELEMENTS, System
from pinn_ntk.networks.fused import accelerated
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.networks.two_layer import TwoLayer, Weights
from pinn_ntk.problem.residual import Problem
from pinn_ntk.training.descent import momentum_dynamics
from pinn_ntk.training.ensemble_ledger import Ledger
from pinn_ntk.training.ensemble_states import EnsembleState, EnsembleTracker, batch_elements, stacked
from pinn_ntk.training.ensemble_trackers import (
    KernelTracker,
    displacement_tracker,
    error_tracker,
    loss_tracker,
    residual_tracker,
)
from pinn_ntk.training.states import State, Status, StopRule
from pinn_ntk.training.trackers import Array, History, tracked_steps

__all__ = ["EnsembleState", "EnsembleTracker", "residual_tracker", "step_limits", "train_ensemble"]


def step_limits(system: System, weights: Weights, stability: float = 2.0) -> Tensor:
    """τ_max = 2n/(s²N λ_max(K̂)) of every member, (S,): ∞ where its kernel is zero, NaN where it is not finite.

    Args:
        system: the rows, shared.
        weights: with one leading dimension.
        stability: what stands in the place of the 2 with momentum (see `Dynamics.stability`).
    """
    total, _ = batched_kernel(system, weights)
    good = torch.isfinite(total).flatten(1).all(1)
    largest = torch.linalg.eigvalsh(torch.where(good[:, None, None], total, 0.0))[:, -1]
    limits = torch.where(
        largest > 0.0, stability * system.points / (system.scale**2 * weights.a0.shape[1] * largest), math.inf
    )
    return torch.where(good, limits, math.nan)


def batch_size(points: int, width: int, device: torch.device, compiled: bool = False) -> int:
    """Members per batch: what a core's cache holds, or one chunk of `sums` on a GPU,
    and wherever nothing of that size is stored.
    """
    return max(1, (CHUNK_ELEMENTS if compiled else batch_elements(device)) // (points * width))


@dataclass(frozen=True)
class _Rule:
    """How members move and when they stop, the same for all batches."""

    steps: int
    step_size: float
    absolute: bool
    law: Dynamics
    stop: StopRule
    wanted: frozenset[int]
    on_state: Callable[[EnsembleState], None] | None


def train_ensemble(
    network: TwoLayer,
    problem: Problem,
    seeds: Sequence[int],
    *,
    step_size: float = 0.5,
    absolute: bool = False,
    steps: int = 1000,
    momentum: float = 0.0,
    nesterov: bool = False,
    tracked: Sequence[int] | None = None,
    stop: StopRule | None = None,
    kernel: bool = True,
    errors: bool = True,
    trackers: Sequence[EnsembleTracker] = (),
    chunk: int | None = None,
    on_state: Callable[[EnsembleState], None] | None = None,
) -> list[History]:
    """θ_s ← θ_s − τ_s∇R_S(θ_s) for all seeds s together; every history is what a single tracked run of that seed would
    give, to rounding.

    Args:
        network: its shape, γ, initialisation and scaling; the members are `TwoLayer(…, seed=s)`.
        problem: the blocks; on the same device and dtype as the network.
        seeds: one member each.
        step_size: τ as a fraction of each member's own step limit, or τ itself with `absolute`.
        absolute: how step_size is meant.
        steps: at most.
        momentum: β of v ← βv − τ∇R_S, θ ← θ + v.
        nesterov: θ ← θ + βv − τ∇R_S instead: the iterates are the look-ahead points, as torch stores them.
        tracked: steps at which trackers are asked; log-spaced by default.
        stop: when a member ends earlier; it leaves the batch and the others go on.
        kernel: whether K̂ is tracked.
        errors: whether errors at the test points are tracked, where the solution is known.
        trackers: asked beside the built-in ones.
        chunk: members per batch; by default what fits a core's cache.
        on_state: called with the running members of a batch after every step, for progress.

    Returns:
        One history per seed, in their order. `seconds` are a member's share of its batch's. An interrupt by the
        keyboard ends all running members as INTERRUPTED; members not begun have their initial state only.

    Raises:
        ValueError: no seeds, or a step size, number of steps or momentum that is not allowed.
    """
    law = momentum_dynamics(momentum, nesterov)
    _check(seeds, step_size, steps)
    wanted = frozenset(tracked_steps(steps) if tracked is None else {0, *tracked})
    rule = _Rule(steps, step_size, absolute, law, stop or StopRule(), wanted, on_state)
    system = accelerated(problem.system(network), network, steps, len(seeds))
    size = chunk or batch_size(problem.points, network.width, network.a0.device, system.compiled)
    asked: list[EnsembleTracker] = [loss_tracker(problem), displacement_tracker]
    asked += [error_tracker(problem, network)] if errors else []
    histories: list[History] = []
    for begin in range(0, len(seeds), size):
        members = tuple(range(begin, min(begin + size, len(seeds))))
        networks = {m: network.like(seed=seeds[m]) for m in members}
        everyone: list[EnsembleTracker] = [*asked, *([KernelTracker()] if kernel else []), *trackers]
        halted = bool(histories) and histories[-1].status is Status.INTERRUPTED
        histories += _Batch(networks, system, rule, Ledger(everyone, len(members)), halted).run()
    return histories


def _check(seeds: Sequence[int], step_size: float, steps: int) -> None:
    if not len(seeds):
        raise ValueError("seeds: got none, expected at least one")
    if not (math.isfinite(step_size) and step_size > 0.0):
        raise ValueError(
            f"step_size: got {step_size}, expected a positive number, by default a fraction of the step limit"
        )
    if steps < 0:
        raise ValueError(f"steps: got {steps}, expected 0 or more")


class _Batch:
    """Members that are trained together: the loop, with those that stopped taken out of it."""

    def __init__(
        self, networks: dict[int, TwoLayer], system: System, rule: _Rule, ledger: Ledger, halted: bool
    ) -> None:
        self.networks, self.system, self.rule, self.ledger, self.halted = networks, system, rule, ledger, halted
        self.members = tuple(networks)
        self.place = {m: i for i, m in enumerate(self.members)}
        # untouched pages cost nothing, so the rows of steps that are never reached are free
        self.losses: Array = np.empty((rule.steps + 1, len(networks)))
        self.finals: dict[int, State] = {}
        self.state: EnsembleState | None = None

    def run(self) -> list[History]:
        """Train until every member has its last state."""
        weights = stacked(list(self.networks.values()))
        tau, stuck = self._step_sizes(weights)
        try:
            self._loop(weights, tau, stuck)
        except KeyboardInterrupt:
            self._interrupt(weights, tau)
        return self._histories()

    def _step_sizes(self, weights: Weights) -> tuple[Tensor, dict[int, Status]]:
        """τ of every member, 0 for those that cannot move, and why they cannot."""
        like = weights.a0
        limits = (
            like.new_ones(len(self.members))
            if self.rule.absolute
            else step_limits(self.system, weights, self.rule.law.stability)
        )
        tau = self.rule.step_size * limits
        words = {
            m: Status.NON_FINITE if math.isnan(value) else Status.STAGNATED
            for m, value in zip(self.members, tau.tolist(), strict=True)  # read back: who cannot move, once
            if not math.isfinite(value)
        }
        return torch.where(torch.isfinite(tau), tau, 0.0), words

    def _loop(self, weights: Weights, tau: Tensor, stuck: dict[int, Status]) -> None:
        members, velocity = self.members, None
        for k in range(self.rule.steps + 1):
            self.state = state = self._evaluate(k, weights, tau, members)
            statuses = self._stopped(state) | (stuck if k == 0 else {})
            if self.halted:
                statuses = dict.fromkeys(members, Status.INTERRUPTED)
            if self.rule.on_state is not None:
                self.rule.on_state(state)
            statuses |= self._record(state, statuses)
            if statuses:
                state, velocity = self._finish(state, velocity, statuses)
                members, tau, weights = state.members, state.step_size, state.weights
                if not members:
                    return
            weights, velocity = self._moved(state, velocity)

    def _evaluate(self, k: int, weights: Weights, tau: Tensor, members: tuple[int, ...]) -> EnsembleState:
        e, gradient = residual_and_gradient(self.system, weights)
        loss = (e * e).sum(1) / (2 * self.system.points)
        self.losses[k, self._places(members)] = loss.cpu().numpy()  # read back: who stops is decided in numbers
        networks = (
            tuple(self.networks.values())
            if len(members) == len(self.members)
            else tuple(self.networks[m] for m in members)
        )
        return EnsembleState(k, tau, weights, e, loss, gradient, members, self.system, networks)

    def _places(self, members: tuple[int, ...]) -> slice | list[int]:
        """Where the losses of those members are: views, not copies, while nobody has left."""
        return slice(None) if len(members) == len(self.members) else [self.place[m] for m in members]

    def _moved(
        self, state: EnsembleState, velocity: tuple[Tensor, ...] | None
    ) -> tuple[Weights, tuple[Tensor, ...] | None]:
        """The next iterates, and v where there is momentum."""
        law, beta = self.rule.law, self.rule.law.momentum
        push = tuple(g * -state.step_size.reshape(-1, *[1] * (g.ndim - 1)) for g in state.gradient)
        if law.kind == "descent":
            return state.weights.moved(push[0], push[1], push[2]), None
        velocity = push if velocity is None else tuple(beta * v + p for v, p in zip(velocity, push, strict=True))
        step = tuple(beta * v + p for v, p in zip(velocity, push, strict=True)) if law.kind == "nesterov" else velocity
        return state.weights.moved(step[0], step[1], step[2]), velocity

    def _stopped(self, state: EnsembleState) -> dict[int, Status]:
        """Members that end here; the rule itself is asked about those that may."""
        k, rule = state.step, self.rule.stop
        places = self._places(state.members)
        loss, first = self.losses[k, places], self.losses[0, places]
        may = ~(loss < math.inf) | (loss <= rule.tolerance) | (loss > rule.divergence * first)
        if k >= rule.window:
            before = self.losses[k - rule.window, places]
            may |= before - loss < rule.stagnation * before
        last = k == self.rule.steps
        if not last and not may.any():
            return {}
        asked = [m for m, possible in zip(state.members, may.tolist(), strict=True) if possible or last]
        verdicts = {m: rule.status(self.losses[: k + 1, self.place[m]].tolist(), last) for m in asked}
        return {m: status for m, status in verdicts.items() if status is not Status.RUNNING}

    def _record(self, state: EnsembleState, statuses: dict[int, Status]) -> dict[int, Status]:
        """Ask the trackers about everyone at tracked steps, and about those that end;
        who has no finite kernel ends too.
        """
        if state.step not in self.rule.wanted:
            if not statuses:
                return {}
            state = state.select([i for i, m in enumerate(state.members) if m in statuses])
        finite = [i for i, m in enumerate(state.members) if statuses.get(m) is not Status.NON_FINITE]
        return dict.fromkeys(self.ledger.ask(state, finite), Status.NON_FINITE)

    def _finish(
        self, state: EnsembleState, velocity: tuple[Tensor, ...] | None, statuses: dict[int, Status]
    ) -> tuple[EnsembleState, tuple[Tensor, ...] | None]:
        """Write the last states of those that end; what remains of state and velocity."""
        for i, m in enumerate(state.members):
            if m in statuses:
                self.finals[m] = state.member(i, statuses[m], self.rule.law)
        left = [i for i, m in enumerate(state.members) if m not in statuses]
        return state.select(left), None if velocity is None else tuple(v[left] for v in velocity)

    def _interrupt(self, weights: Weights, tau: Tensor) -> None:
        """Whoever still runs ends with the last state there is."""
        state = self.state or self._evaluate(0, weights, tau, self.members)
        state = state.select([i for i, m in enumerate(state.members) if m not in self.finals])
        ended = dict.fromkeys(state.members, Status.INTERRUPTED)
        self.ledger.ask(state, range(len(state.members)))
        self._finish(state, None, ended)

    def _histories(self) -> list[History]:
        share = {"training": self.ledger.training / len(self.members), "kernel": self.ledger.spent / len(self.members)}
        notes = {m: _notes(self.ledger.trackers, m) for m in self.members}
        histories = []
        for m, (columns, arrays) in zip(self.members, self.ledger.tables(self.members), strict=True):
            final = self.finals[m]
            losses = self.losses[: final.step + 1, self.place[m]].copy()
            histories.append(History(columns, arrays, losses, final.status, final.dynamics, share, notes[m], final))
        return histories


def _notes(trackers: Sequence[EnsembleTracker], member: int) -> tuple[str, ...]:
    """What the trackers noted about one member."""
    return tuple(note for t in trackers if isinstance(t, KernelTracker) for note in t.notes.get(member, ()))
