"""First-order methods beside gradient descent: Adam, and stochastic gradient descent over mini-batches of rows,
on R_S = ‖e‖²/(2n).

torch.optim's own functions move the displacements Δ = θ − θ⁰; gradients are those of `residual_and_gradient`, without a
graph.

Examples:
    >>> from pinn_ntk import TwoLayer, adam, box, laplacian, pose
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> *_, last = adam(net, problem, learning_rate=0.01, steps=100)
    >>> last.step, last.loss < problem.loss(net)
    (100, True)

    >>> from pinn_ntk import TwoLayer, box, laplacian, pose, sgd
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> *_, last = sgd(net, problem, batch_size=4, steps=20)
    >>> last.step, last.loss < problem.loss(net)
    (20, True)
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

# the functions, not the classes: the constructors of torch.optim import torch's compiler, several seconds that no step
# needs
from torch.optim.adam import adam as adam_step
from torch.optim.sgd import sgd as sgd_step

from pinn_ntk.arguments import MAX_SEED
from pinn_ntk.networks.features import System
from pinn_ntk.networks.fused import accelerated
from pinn_ntk.networks.model import Model, Theta
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, fraction, positive, real, whole
from pinn_ntk.training.descent import momentum_dynamics, step_limit
from pinn_ntk.training.memory import Memory, copied
from pinn_ntk.training.options import Absolute, DecayEvery, DecayFactor, Momentum, Steps, StepSize
from pinn_ntk.training.path import Path
from pinn_ntk.training.states import State, Status, StopRule


@dataclass(frozen=True)
class Decay:
    """η_k = η₀ d^{k/K}: a learning rate that falls by the factor d every K steps, smoothly.

    Attributes:
        start: η₀.
        factor: d, 1 for a constant rate.
        every: K.
    """

    start: float
    factor: float
    every: int

    def at(self, k: int) -> float:
        """η_k."""
        return float(self.start * self.factor ** (k / self.every))


def _at(weights: Theta, moving: Sequence[Tensor]) -> Theta:
    """θ with a copy of the displacements that torch moves in place: a state is not changed by later steps."""
    return weights.displaced(*(p.clone() for p in moving))


@checked
def adam(
    network: Model,
    problem: Problem,
    learning_rate: Annotated[float, positive("η of the first step")] = 1e-3,
    steps: Steps = 4000,
    beta1: Annotated[float, fraction("β of the mean of ∇R_S")] = 0.9,
    beta2: Annotated[float, fraction("β of the mean of (∇R_S)²")] = 0.999,
    epsilon: Annotated[float, real("ε beside the root of that mean", 0.0)] = 1e-8,
    decay: DecayFactor = 1.0,
    decay_every: DecayEvery = 1000,
    stop: StopRule | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ_{k+1} = θ_k − η_k m̂_k/(√v̂_k + ε), m and v being the means of ∇R_S and (∇R_S)² over about 1/(1 − β)
    steps (Kingma & Ba 2015).

    Args:
        network: where training starts; it is not changed.
        problem: the blocks; every step uses all rows.
        learning_rate: η₀.
        steps: at most.
        beta1: β of m.
        beta2: β of v.
        epsilon: ε.
        decay: η_k = η₀ decay^{k/decay_every}.
        decay_every: see decay.
        stop: when to end earlier.
        memory: of an earlier run of it, to go on where that was.

    Yields:
        States, the first one θ⁰; `time` is Σ η_k, Adam's own clock.

    Raises:
        ValueError: an option out of its range.
    """
    held = memory or Memory()
    rate, path, time = (
        Decay(learning_rate, decay, decay_every),
        Path(problem, network, steps, stop or StopRule(), memory=held),
        held.get("time", 0.0),
    )
    weights = held.weights(network.weights)
    system = accelerated(problem.system(network), network, steps)
    moving = [p.clone() for p in weights.displacement]
    means, squares = (copied(held.get(name, [torch.zeros_like(p) for p in moving])) for name in ("means", "squares"))
    # on the CPU: torch reads these counts as numbers in every step
    counts = copied(held.get("counts", [torch.tensor(0.0, dtype=torch.float32, device="cpu") for _ in moving]))
    for k in path.coming:
        path.keep(k, weights, {"time": time, "means": means, "squares": squares, "counts": counts})
        e, gradient = residual_and_gradient(system, weights)
        state = path.state(k, weights, e, gradient, time, rate.at(k))
        yield state
        if state.status is not Status.RUNNING:
            return
        adam_step(
            moving,
            list(gradient),
            means,
            squares,
            [],
            counts,
            foreach=False,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=rate.at(k),
            weight_decay=0.0,
            eps=epsilon,
            maximize=False,
        )
        weights, time = _at(weights, moving), time + rate.at(k)


def batches(
    sizes: Sequence[int], count: int, shuffle: np.random.Generator
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """One epoch: all rows dealt out to `count` batches without replacement, each block evenly.

    Row number r of a block of n_b, after a shuffle, goes to batch ⌊count·(r + u)/n_b⌋ with one u ~ U[0, 1) per block: a
    batch holds ⌊n_b/count⌋ or ⌈n_b/count⌉ rows of it, n_b/count in the mean. So (count/n) Σ_{i in batch} e_i ∇e_i is an
    unbiased gradient of R_S = ‖e‖²/(2n), whose mean over the epoch is ∇R_S exactly.

    Args:
        sizes: n_b, rows of each block in their order.
        count: batches.
        shuffle: the randomness.

    Returns:
        Row numbers of each batch; blocks smaller than `count` leave some batches empty-handed.
    """
    dealt: list[list[int]] = [[] for _ in range(count)]
    start = 0
    for size in sizes:
        offset = shuffle.random()
        for rank, row in enumerate(shuffle.permutation(size)):
            dealt[min(int(count * (rank + offset) / size), count - 1)].append(start + int(row))
        start += size
    return [np.sort(np.array(rows, dtype=np.int64)) for rows in dealt]


@dataclass(frozen=True)
class _Epochs:
    """Mini-batch gradients of one run.

    Attributes:
        system: of all rows.
        sizes: rows of each block.
        count: M, batches in an epoch.
        shuffle: the randomness.
    """

    system: Any
    sizes: tuple[int, ...]
    count: int
    shuffle: np.random.Generator

    def batches(self) -> Iterator[Any]:
        """The systems of one epoch's batches, each of its own rows only."""
        if self.count == 1:
            yield self.system
            return
        for rows in batches(self.sizes, self.count, self.shuffle):
            if len(rows):
                yield self._part(rows)

    def _part(self, numbers: np.ndarray[Any, np.dtype[np.int64]]) -> Any:
        """The system of the rows with those numbers, which are told apart here: the device would be waited for."""
        ends, device = np.cumsum((0, *self.sizes)), self.system.target.device
        own = [numbers[(numbers >= lo) & (numbers < hi)] - lo for lo, hi in zip(ends, ends[1:], strict=False)]
        kept = [(r, torch.from_numpy(o).to(device)) for r, o in zip(self.system.rows, own, strict=True) if len(o)]
        index = torch.from_numpy(numbers).to(device)
        part = replace(self.system, rows=tuple(r.select(o) for r, o in kept), target=self.system.target[index])
        whole = isinstance(part, System) and part.extra is not None
        return replace(part, extra=part.extra[index]) if whole else part

    def gradient(self, part: Any, weights: Theta) -> list[Tensor]:
        """(M/n) Σ_{i∈B} e_i ∇e_i."""
        share = self.count * part.points / self.system.points
        return [share * g for g in residual_and_gradient(part, weights)[1]]


@checked
def sgd(
    network: Model,
    problem: Problem,
    step_size: StepSize = 0.2,
    steps: Steps = 1000,
    absolute: Absolute = False,
    batch_size: Annotated[int, whole("rows in a mini-batch", 1)] = 32,
    momentum: Momentum = 0.0,
    decay: DecayFactor = 1.0,
    decay_every: DecayEvery = 1000,
    batch_seed: Annotated[int, whole("of the order of the rows", high=MAX_SEED)] = 0,
    stop: StopRule | None = None,
    limit: float | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ ← θ − τ_k g_B over the mini-batches B of an epoch, g_B = (M/n)
    Σ_{i∈B} e_i ∇e_i with E g_B = ∇R_S for M batches (see `batches`).

    One step, and one state, is an epoch: every row once. With one batch and no momentum this is gradient descent.

    Args:
        network: where training starts; it is not changed.
        problem: the blocks.
        step_size: τ₀ as a fraction of the step limit of all rows, 2(1 + β)n/(s²N λ_max), or τ₀ itself with `absolute`.
        steps: epochs at most.
        absolute: how step_size is meant.
        batch_size: rows in a batch; n/batch_size is rounded to a whole number M of batches.
        momentum: β of v ← βv + g_B, θ ← θ − τv.
        decay: τ_k = τ₀ decay^{k/decay_every} in epoch k: noise of a constant step keeps the loss up.
        decay_every: see decay.
        batch_seed: of the order of the rows.
        stop: when to end earlier.
        limit: the step limit, where it is known already.
        memory: of an earlier run of it, to go on where that was.

    Yields:
        States, the first one θ⁰, with residual and gradient of all rows; `time` is Σ τ over the updates.

    Raises:
        ValueError: an option out of its range.
    """
    known = step_limit(network, problem, momentum_dynamics(momentum)) if limit is None and not absolute else limit
    first = step_size if known is None or absolute else step_size * known
    held = memory or Memory()
    rate, path = (
        Decay(first if math.isfinite(first) else 0.0, decay, decay_every),
        Path(problem, network, steps, stop or StopRule(), memory=held),
    )
    weights, time, sizes = held.weights(network.weights), held.get("time", 0.0), tuple(len(b) for b in problem.blocks)
    count = max(1, round(problem.points / batch_size))
    system = accelerated(problem.system(network), network, 2 * steps)
    shuffle = np.random.default_rng(batch_seed)
    shuffle.bit_generator.state = held.get("random", shuffle.bit_generator.state)
    epochs = _Epochs(system, sizes, count, shuffle)
    moving: list[Tensor] = [p.clone() for p in weights.displacement]
    velocity: list[Tensor | None] = copied(held.get("velocity", [None for _ in moving]))
    for k in path.coming:
        path.keep(k, weights, {"time": time, "velocity": velocity, "random": shuffle.bit_generator.state})
        e, gradient = residual_and_gradient(epochs.system, weights)
        state = path.state(k, weights, e, gradient, time, rate.at(k))
        yield state
        if state.status is not Status.RUNNING:
            return
        for part in epochs.batches():
            push = epochs.gradient(part, weights.displaced(*moving))
            sgd_step(
                moving,
                push,
                velocity,
                foreach=False,
                weight_decay=0.0,
                momentum=momentum,
                lr=rate.at(k),
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
        weights, time = _at(weights, moving), time + count * rate.at(k)
