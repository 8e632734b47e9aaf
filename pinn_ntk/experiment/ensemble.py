"""All seeds of one configuration from end to end: prediction, batched training, comparison by seed,
coverage over seeds.

Examples:
    >>> from pinn_ntk import Settings, TwoLayer, box, laplacian, pose, run_ensemble
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> record = run_ensemble(problem, net, seeds=[0, 1, 2], settings=Settings(steps=20, tracked=5))
    >>> [member.seed for member in record.members]
    [0, 1, 2]
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pinn_ntk.comparison.calibration import calibrated, calibration
from pinn_ntk.comparison.compare import compare
from pinn_ntk.comparison.coverage import coverage, promises
from pinn_ntk.experiment.checks import growth_warnings
from pinn_ntk.experiment.provenance import machine, versions
from pinn_ntk.experiment.run import checks_before, placed
from pinn_ntk.experiment.settings import Settings
from pinn_ntk.kernels.closed_form import closed_form_kernel
from pinn_ntk.kernels.spectrum import NonFiniteError
from pinn_ntk.networks.fused import compiling
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.reporting.ensemble_outcome import Member
from pinn_ntk.reporting.ensemble_record import EnsembleRecord
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.record import Record
from pinn_ntk.rules import checked
from pinn_ntk.theory.prediction import Guarantee, Prediction, Shared, predict, shared_prediction
from pinn_ntk.training.ensemble import EnsembleState, EnsembleTracker, train_ensemble
from pinn_ntk.training.methods import law
from pinn_ntk.training.states import Status
from pinn_ntk.training.trackers import History, error_tracker, tracked_steps

OPTIMIZERS = ("gradient_descent", "heavy_ball", "nesterov")
"""Those whose steps are the same for every member, so that seeds can be trained as one batch."""


def check_ensemble(network: Model, settings: Settings) -> TwoLayer:
    """The network, if its seeds can be trained as one batch.

    Raises:
        ValueError: another optimiser, or no two-layer network.
    """
    if settings.optimizer not in OPTIMIZERS:
        raise ValueError(
            f"optimizer: got {settings.optimizer!r} with an ensemble, expected one of {', '.join(OPTIMIZERS)}; "
            "sweep over the seed for the others: -m seed=0,1,2"
        )
    if not isinstance(network, TwoLayer):
        raise ValueError(
            f"network: got {network.about.words} with an ensemble, expected two layers; sweep over the seed: -m "
            "seed=0,1,2"
        )
    return network


@checked
def run_ensemble(
    problem: Problem,
    network: Model,
    seeds: Sequence[int],
    settings: Settings | None = None,
    trackers: Sequence[EnsembleTracker] = (),
    on_state: Callable[[EnsembleState], None] | None = None,
    on_prediction: Callable[[Prediction], None] | None = None,
    config: Mapping[str, Any] | None = None,
) -> EnsembleRecord:
    """Predict, train all seeds as one batch with tracking, compare seed by seed, and count.
    Errors are those of the last states only.

    Args:
        problem: the blocks; moved to the device and dtype of the settings.
        network: its shape, γ, initialisation and scaling; its own seed plays no part.
        seeds: one member each.
        settings: how; the optimiser is gradient descent, heavy ball or Nesterov's method.
        trackers: asked beside the built-in ones.
        on_state: called with the running members of a batch after every step, for progress.
        on_prediction: called once with the first seed's, before the first step.
        config: kept in the record.

    Returns:
        The record; `record.save(folder)` writes it.

    Raises:
        ValueError: no seeds, or what `check_ensemble` and `run` refuse.
        StrictError: a warning under `strict`.
        MemoryShortageError: the kernels do not fit in memory.
    """
    settings = settings or Settings()
    begin = time.perf_counter()
    if not len(seeds):
        raise ValueError("seeds: got none, expected at least one")
    problem, model = placed(problem, check_ensemble(network, settings), settings)
    start = check_ensemble(model, settings).like(seed=seeds[0])
    notes, _ = checks_before(problem, start, settings)
    shared = _shared(problem, start, settings, notes)
    if shared is not None and on_prediction is not None:
        on_prediction(predict(problem, start, shared=shared))
    predicted = time.perf_counter() - begin
    with compiling(settings.compile) as compiled:
        histories = _trained(problem, start, seeds, settings, trackers, on_state)
    ended = time.perf_counter()
    histories = [_with_errors(history, problem) for history in histories]
    trained = time.perf_counter()
    run = _Run(problem, settings, shared, config, bool(compiled))
    members, guarantees = run.members(histories, notes)
    seconds = {name: sum(h.seconds[name] for h in histories) for name in histories[0].seconds}
    seconds["kernel"] += trained - ended
    seconds |= {
        "theory": predicted + time.perf_counter() - trained,
        "report": 0.0,
        "total": time.perf_counter() - begin,
    }
    median = run.record(histories[median_index(histories)], seconds)
    covered = coverage([member.statements for member in members], promises(guarantees, start.width))
    forecast = None if median.prediction is None else calibration(median.prediction, histories)
    return EnsembleRecord(
        median=median,
        members=tuple(members),
        coverage=calibrated(covered, forecast),
        seconds=seconds,
        warnings=(
            *notes,
            *_counted(
                [growth_warnings(h) and ["the loss ended above its start: the step is too large"] for h in histories]
            ),
        ),
    )


def _shared(problem: Problem, network: TwoLayer, settings: Settings, notes: list[str]) -> Shared | None:
    """What theory says of all seeds; None where it is not wanted."""
    if not settings.theory:
        return None
    try:
        return shared_prediction(problem, network, settings.delta, settings.forecast_draws, network.seed)
    except NonFiniteError as error:
        notes.append(f"no prediction: {error}")
        return None


def _trained(
    problem: Problem,
    network: TwoLayer,
    seeds: Sequence[int],
    settings: Settings,
    trackers: Sequence[EnsembleTracker],
    on_state: Callable[[EnsembleState], None] | None,
) -> list[History]:
    dynamics = law(settings.optimizer, settings.options)
    return train_ensemble(
        network,
        problem,
        seeds,
        step_size=settings.step_size,
        absolute=settings.absolute,
        steps=settings.steps,
        momentum=dynamics.momentum,
        nesterov=dynamics.kind == "nesterov",
        tracked=tracked_steps(settings.steps, settings.tracked, settings.every),
        stop=settings.stop_rule(),
        kernel=settings.kernel,
        errors=False,  # thousands of test points at every tracked step of every seed would cost more than all the rest
        trackers=trackers,
        on_state=on_state,
    )


def _with_errors(history: History, problem: Problem) -> History:
    """The history with the errors of its last state."""
    if history.status is Status.NON_FINITE or not len(history.columns["step"]):
        return history
    missing = np.full(len(history.columns["step"]) - 1, math.nan)
    last = error_tracker(problem)(history.final)
    return replace(
        history, columns={**history.columns, **{name: np.append(missing, float(value)) for name, value in last.items()}}
    )


def median_index(histories: Sequence[History]) -> int:
    """Which member has the median final loss (the lower one of two); what is not finite is the largest."""
    finals = [float(h.losses[-1]) for h in histories]
    order = sorted(range(len(finals)), key=lambda i: (not finals[i] < float("inf"), finals[i]))
    return order[(len(order) - 1) // 2]


@dataclass(frozen=True)
class _Run:
    """What the runs of all members have in common."""

    problem: Problem
    settings: Settings
    shared: Shared | None
    config: Mapping[str, Any] | None
    compiled: bool

    def members(self, histories: Sequence[History], notes: list[str]) -> tuple[list[Member], list[Guarantee | None]]:
        """Every seed compared with its own prediction, which is not kept: n² numbers each."""
        found, guarantees, own = [], [], []
        for history in histories:
            outcome = self.outcome(history, fields=False)
            found.append(Member(_network(history).seed, history, outcome.statements, outcome.summary()))
            guarantees.append(outcome.prediction.guarantee if outcome.prediction else None)
            own.append(list(history.notes))
        notes += _counted(own)
        return found, guarantees

    def outcome(self, history: History, fields: bool) -> Outcome:
        """One member beside its prediction."""
        network = _network(history)
        outcome = Outcome(
            problem=self.problem,
            network=network,
            trained=history.final.network,
            optimizer=self.settings.optimizer,
            history=history,
            prediction=self._prediction(network, fields),
            statements=(),
            kernels={},
            step_limit=None if self.settings.absolute else history.step_size / self.settings.step_size or None,
            seconds={**history.seconds, "theory": 0.0, "report": 0.0, "total": sum(history.seconds.values())},
            versions=versions(),
            machine=machine(network.device, {}, self.compiled),
            config=self.settings.described(self.config),
            warnings=(),
        )
        return replace(outcome, statements=compare(outcome))

    def _prediction(self, network: TwoLayer, fields: bool) -> Prediction | None:
        try:
            return None if self.shared is None else predict(self.problem, network, shared=self.shared, fields=fields)
        except NonFiniteError:
            return None

    def record(self, history: History, seconds: Mapping[str, float]) -> Record:
        """One member as a record, with its fields and its kernels."""
        whole = self.outcome(history, fields=True)
        kernels = {}
        if self.settings.kernel and history.status is not Status.NON_FINITE:
            ends = {"initial": whole.network, "final": whole.trained}
            kernels = {name: closed_form_kernel(n, self.problem) for name, n in ends.items() if isinstance(n, TwoLayer)}
        fields = {name: getattr(whole, name) for name in Outcome.__dataclass_fields__}
        where = machine(whole.network.device, kernels, self.compiled)
        return Record(**{**fields, "kernels": kernels, "seconds": dict(seconds), "machine": where})


def _network(history: History) -> TwoLayer:
    """The network of a member, before training."""
    start = history.final.start
    assert isinstance(start, TwoLayer)  # checked before training
    return start


def _counted(notes: Sequence[Sequence[str]]) -> list[str]:
    """Notes of the members, each once, with the number of seeds that have it."""
    count = Counter(text for each in notes for text in dict.fromkeys(each))
    return [f"{text} ({number} of {len(notes)} seeds)" for text, number in count.items()]
