"""N particles against their limit: R_N(t) − R_∞(t), particles coupled at N and 2N, and p_t^N,
each beside what it was at t = 0.

All widths move in one mean-field time, by Euler steps dt = step_size · 2n/λ_max(K^∞) that no width chooses for itself.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.devices import threads_for
from pinn_ntk.kernels.infinite_width import infinite_width_kernel
from pinn_ntk.networks.sums import residual
from pinn_ntk.networks.two_layer import TwoLayer, Weights, draw, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, whole
from pinn_ntk.studies.arguments import (
    Pairs,
    Problems,
    Remaining,
    Seeds,
    Sigma,
    Steps,
    StepSize,
    Widths,
    ascending,
    distinct,
)
from pinn_ntk.studies.lazy_runs import member_seeds
from pinn_ntk.studies.mean_field_document import document
from pinn_ntk.studies.study import Cell, Factory, Measured, Row, Study
from pinn_ntk.theory.mean_field import cloud, coupled_distance, loss_excess
from pinn_ntk.training.descent import gradient_descent
from pinn_ntk.training.ensemble import EnsembleState, train_ensemble
from pinn_ntk.training.particles import particle_flow
from pinn_ntk.training.states import State, StopRule
from pinn_ntk.training.trackers import History, tracked_steps

CASES: dict[str, dict[str, object]] = {
    "regression": {"problem.target": "sin(pi*x1)", "problem.low": -1.0, "problem.sampling": "equispaced"},
}
"""Further keys of some problems; all others are taken as they are."""
_TRACKED, _FRAMES, _KEPT, _DRAWS = 24, 24, 4, 256
_MOST_CLOUD_STEPS = 20_000
Arrays = dict[str, np.ndarray[Any, Any]]


@checked
def mean_field(
    factory: Factory,
    *,
    problems: Problems = ("regression", "poisson_1d"),
    activation: Sigma = "tanh",
    widths: Widths = (32, 64, 128, 256, 512, 1024, 2048),
    reference: Annotated[int, whole("N of the run that stands for the limit", 2)] = 16384,
    seeds: Seeds = 6,
    points: Pairs = 16,
    steps: Steps = 400,
    step_size: StepSize = 0.25,
    cloud_width: Annotated[int, whole("particles of the clouds that are shown", 2)] = 1500,
    remaining: Remaining = 0.01,
) -> Study:
    """How N particles approach the mean field, and the cloud of particles beside that of a lazy network.

    Args:
        factory: configuration → experiment.
        problems: what is learned.
        activation: σ.
        widths: N; each is also run at 2N, with the same first N particles.
        reference: N of the run that stands for the limit; its neurons begin in pairs (a, w), (−a, w), so that h = 0 as
            in the limit.
        seeds: runs at the largest width; smaller ones have √(largest/N) times as many.
        points: n.
        steps: Euler steps.
        step_size: dt as a fraction of 2n/λ_max(K^∞).
        cloud_width: particles of the clouds that are shown.
        remaining: the clouds are shown until R_S is this share of its start.

    Raises:
        ValueError: an option that is not allowed.
    """
    sizes, top = ascending(widths), reference
    if top % 2 or top < 2 * sizes[-1]:
        raise ValueError(
            f"reference: got {reference}, expected an even number, at least {2 * sizes[-1]}: twice the largest width"
        )
    common = {"activation": activation, "points": points}
    run = {"steps": steps, "step_size": step_size}
    count, shown = (
        seeds,
        {"width": cloud_width, "remaining": remaining},
    )
    cells: list[Cell] = []
    for name in distinct(problems):
        part = {"problem": name, **common}
        cells += [
            Cell({"kind": "width", **part, **run, "width": n, "seeds": _members(count, n, sizes[-1])}) for n in sizes
        ]
        cells.append(Cell({"kind": "reference", **part, **run, "width": top}))
        cells += [Cell({"kind": regime, **part, "step_size": step_size, **shown}) for regime in ("particles", "lazy")]
    return Study(
        "mean_field",
        "Particles and their mean field",
        f"N neurons of h = (1/N) Σ a_k σ(w_k·x), σ = {activation}, are N particles in the potential that they "
        "make. How fast do the loss, "
        f"single particles and the cloud of all approach those of infinitely many (here {top}), and what does "
        "the cloud look like beside "
        "that of a lazy network on the same problem?",
        tuple(cells),
        lambda cell: measure(factory, cell),
        document,
    )


def _members(count: int, width: int, largest: int) -> int:
    """More seeds where they are cheap: √(largest/N) times as many."""
    return round(count * math.sqrt(largest / width))


def measure(factory: Factory, cell: Cell) -> Measured:
    """What one cell gives: runs at N and 2N, the reference, or the frames of a cloud."""
    p: dict[str, Any] = dict(cell.parameters)
    group = "two_layer" if p["kind"] == "lazy" else "mean_field"
    keys = {"problem": p["problem"], "activation": p["activation"], "network": group, **CASES.get(p["problem"], {})}
    keys |= {"network.width": p["width"], "problem.points": p["points"]}
    keys |= {"network.gamma": "inv_sqrt_width" if p["kind"] == "lazy" else 1.0}
    keys |= {"network.init": "centred" if p["kind"] == "reference" else "lecture"}
    made = factory(keys)
    network = require_two_layer(made.network, "mean_field")
    with threads_for(made.problem.points * p["width"]):
        if p["kind"] == "width":
            return _width(network, made.problem, p)
        return _reference(network, made.problem, p) if p["kind"] == "reference" else _frames(network, made.problem, p)


def euler_step(network: TwoLayer, problem: Problem, fraction: float) -> float:
    """dt = fraction · 2n/λ_max(K^(a) + K^(w)) at infinite width: in mean-field time, the same for every N."""
    limit = infinite_width_kernel(problem, network.activation, network.bias, tolerance=1e-8)
    return fraction * 2.0 * problem.points / float(torch.linalg.eigvalsh(limit.total)[-1])


def _trained(network: TwoLayer, problem: Problem, seeds: Sequence[int], p: Mapping[str, Any]) -> list[History]:
    """All seeds over the same mean-field times, with their clouds."""
    steps = tracked_steps(p["steps"], _TRACKED)
    tau = network.width * euler_step(network, problem, p["step_size"])

    def clouds(state: EnsembleState) -> dict[str, Tensor]:
        """(a, w) of all particles."""
        return {"cloud": torch.cat([state.weights.a[..., None], state.weights.w], -1)}

    return train_ensemble(
        network,
        problem,
        seeds,
        step_size=tau,
        absolute=True,
        steps=p["steps"],
        tracked=steps,
        stop=StopRule(stagnation=0.0),
        kernel=False,
        errors=False,
        trackers=[clouds],
    )


def _width(network: TwoLayer, problem: Problem, p: Mapping[str, Any]) -> Measured:
    """Runs at N, and at 2N with the same first particles."""
    seeds = member_seeds(network.width, p["seeds"])
    narrow, wide = (_trained(net, problem, seeds, p) for net in (network, network.like(width=2 * network.width)))
    coupled = np.array([_distances(one, two) for one, two in zip(narrow, wide, strict=True)])
    rows: list[Row] = [_start(network, problem)]
    for seed, one, distance in zip(seeds, narrow, coupled[:, -1], strict=True):
        ends = {"loss_start": float(one.losses[0]), "loss_end": float(one.losses[-1])}
        rows.append({"what": "run", "seed": seed, **ends, "coupled": float(distance), "status": one.status.value})
    return Measured(rows, {**_arrays(narrow, network.width), "coupled": coupled})


def _distances(narrow: History, wide: History) -> list[float]:
    """Between the particles that two runs share, at each tracked time."""
    pairs = zip(narrow.arrays["cloud"], wide.arrays["cloud"], strict=True)
    return [coupled_distance(torch.from_numpy(one), torch.from_numpy(two)) for one, two in pairs]


def _reference(network: TwoLayer, problem: Problem, p: Mapping[str, Any]) -> Measured:
    histories = _trained(network, problem, [0], p)
    losses = histories[0].losses
    row: Row = {"what": "reference", "loss_start": float(losses[0]), "loss_end": float(losses[-1])}
    return Measured([row | {"status": histories[0].status.value}], _arrays(histories, network.width))


def _arrays(histories: Sequence[History], width: int) -> Arrays:
    """Losses of all seeds at the tracked times, clouds of a few of them at both ends."""
    columns = histories[0].columns
    few = histories[:_KEPT]
    clouds = [np.stack([h.arrays["cloud"][index] for h in few]).astype(np.float32) for index in (0, -1)]
    losses = np.stack([h.columns["loss"] for h in histories])
    return {"time": columns["time"] / width, "losses": losses, "start": clouds[0], "end": clouds[1]}


def _start(network: TwoLayer, problem: Problem) -> Row:
    """E R_N(0) − R_∞(0) from many draws, each with its mirror image −a: what is odd in a cancels, and ‖h‖²/(2n)
    is left.
    """
    system, n, width = problem.system(network), problem.points, network.width
    excess = []
    for part in range(0, _DRAWS, 32):
        a, w = draw(32 * width, network.inputs, 1.0, "lecture", part)
        a, w = a.to(network.a0).reshape(32, width), w.to(network.a0).reshape(32, width, -1)
        weights = Weights(a, w, torch.zeros_like(a), torch.zeros_like(w), a[:, :0])
        excess.append((residual(system, weights) + system.target).square().sum(1) / (2 * n))
    values = torch.cat(excess)
    limit = infinite_width_kernel(problem, network.activation, network.bias, parts="a", tolerance=1e-8)
    return {
        "what": "start",
        "excess": float(values.mean()),
        "excess_error": float(values.std()) / _DRAWS**0.5,
        "excess_predicted": loss_excess(limit.total, width),
        "limit_start": float(problem.target @ problem.target) / (2 * n),
    }


@dataclass
class _Film:
    """The clouds at which R_S first falls below given shares of its start."""

    levels: np.ndarray[Any, np.dtype[np.float64]]
    frames: list[Tensor]

    def watch(self, states: Iterable[State]) -> State:
        """The last state; a frame for every level that was reached."""
        first, last = None, None
        for last in states:
            first = last.loss if first is None else first
            while len(self.frames) < len(self.levels) and last.loss <= self.levels[len(self.frames)] * first * (
                1.0 + 1e-12
            ):
                self.frames.append(_particles(last))
        assert last is not None
        return last


def _particles(state: State) -> Tensor:
    """(a, w) of every neuron."""
    assert isinstance(state.weights, Weights)  # the network was found to be a TwoLayer
    return cloud(state.weights)


def _frames(network: TwoLayer, problem: Problem, p: Mapping[str, Any]) -> Measured:
    """p_t at equal steps of log R_S: of particles, or of the same neurons in a lazy network (a in units of γ)."""
    film = _Film(np.geomspace(1.0, p["remaining"], _FRAMES), [])
    stop = StopRule(tolerance=p["remaining"] * problem.loss(network), stagnation=0.0)
    if p["kind"] == "particles":
        dt = euler_step(network, problem, p["step_size"])
        last = film.watch(particle_flow(network, problem, dt=dt, steps=_MOST_CLOUD_STEPS, stop=stop))
    else:
        last = film.watch(gradient_descent(network, problem, 2.0 * p["step_size"], _MOST_CLOUD_STEPS, stop=stop))
    frames = torch.stack([*film.frames, _particles(last)]).cpu().numpy()
    frames[..., 0] /= network.gamma
    row: Row = {"what": "cloud", "steps_taken": last.step, "loss_end": last.loss, "status": last.status.value}
    moved = np.sqrt(np.square(frames[-1] - frames[0]).sum(1).mean())
    levels = np.array([*film.levels[: len(film.frames)], last.loss / problem.loss(network)])
    return Measured(
        [row | {"moved": float(moved)}],
        {"frames": frames.astype(np.float32), "levels": levels, "bias": np.array(network.bias)},
    )
