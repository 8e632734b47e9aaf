"""One run from end to end: prediction, tracked training, comparison, record. No configuration system is known here.

Examples:
    >>> from pinn_ntk import Settings, TwoLayer, box, laplacian, pose, run
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> record = run(problem, net, Settings(steps=20, tracked=5))
    >>> print(record.history.status, record.statements[0].name, record.statements[0].verdict)
    MAX_STEPS dissipation identity holds
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from pinn_ntk.comparison.compare import compare
from pinn_ntk.devices import full_precision, resolve_device
from pinn_ntk.experiment.checkpoint import Held
from pinn_ntk.experiment.checks import (
    check_smoothness,
    early_warnings,
    growth_warnings,
    precision_warnings,
    preconditions,
    step_warnings,
)
from pinn_ntk.experiment.provenance import commits, machine, versions
from pinn_ntk.experiment.settings import DTYPES, Settings, StrictError
from pinn_ntk.kernels.spectrum import NonFiniteError
from pinn_ntk.networks.fused import compiling, pays
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.module import model_of
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.reporting.record import Record
from pinn_ntk.rules import checked
from pinn_ntk.theory.prediction import Prediction, predict
from pinn_ntk.training.descent import step_limit
from pinn_ntk.training.journal import Journal
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.methods import law
from pinn_ntk.training.states import State
from pinn_ntk.training.trackers import (
    History,
    KernelTracker,
    Tracker,
    displacement_tracker,
    error_tracker,
    loss_tracker,
    spectrum_steps,
    spread,
    track,
    tracked_steps,
)


@checked
def run(
    problem: Problem,
    network: Model | nn.Module,
    settings: Settings | None = None,
    trackers: Sequence[Tracker] = (),
    on_state: Callable[[State], None] | None = None,
    on_prediction: Callable[[Prediction], None] | None = None,
    config: Mapping[str, Any] | None = None,
    held: Held | None = None,
) -> Record:
    """Predict, train with tracking, compare.

    Args:
        problem: the blocks; moved to the device and dtype of the settings.
        network: where training starts; it is not changed. Any torch module h: (n, d) → (n,) or (n, 1) will do: what is
            not a `TwoLayer` is differentiated automatically, and the theorems do not speak of it.
        settings: how; the defaults are gradient descent with half the stability limit.
        trackers: asked beside the built-in ones.
        on_state: called with every state, for progress.
        on_prediction: called once, before the first step.
        config: kept in the record.
        held: memory and journal, filled while the run goes; those of a checkpoint continue its run, to the bit.

    Returns:
        The record; `record.save(folder)` writes it.

    Raises:
        ValueError: problem and network do not fit, or the activation is not smooth enough for the operators.
        StrictError: a warning under `strict`.
        MemoryShortageError: the kernel does not fit in memory.
    """
    settings = settings or Settings()
    begin = time.perf_counter()
    problem, network = placed(problem, model_of(network, problem.dim), settings)
    notes, limit = checks_before(problem, network, settings)
    with compiling(settings.compile) as compiled:
        prediction = _predicted(problem, network, settings, notes, limit)
        if prediction is not None and on_prediction is not None:
            on_prediction(prediction)
        predicted = time.perf_counter()
        held = held or Held()
        own = _kernel_tracker(problem, network, settings, limit, held)
        states, steps = _states(problem, network, settings, limit, held.memory)
        measured = tracked_run(problem, states, steps, own, trackers, on_state, held.journal)
    history, kernels = measured.history, measured.kernels
    statements = compare(replace(measured, prediction=prediction))
    seconds = {**history.seconds, "theory": predicted - begin, "report": 0.0, "total": time.perf_counter() - begin}
    return Record(
        problem=problem,
        network=network,
        trained=history.final.network,
        optimizer=settings.optimizer,
        history=history,
        prediction=prediction,
        statements=statements,
        kernels=kernels,
        step_limit=limit,
        seconds=seconds,
        versions=versions(),
        machine=machine(network.device, kernels, bool(compiled)),
        config=settings.described(config),
        warnings=(*notes, *history.notes, *growth_warnings(history), *early_warnings(history)),
    )


def _kernel_tracker(
    problem: Problem, network: Model, settings: Settings, limit: float | None, held: Held
) -> KernelTracker | None:
    """The tracker of the kernel, of a run that goes on too; None where it is not tracked."""
    if not settings.kernel:
        return None
    first, steps = _states(problem, network, settings, limit)
    tracker = KernelTracker(problem, _spectra(problem, network, settings, steps))
    if held.memory.step:
        tracker(next(first))  # its first kernel is that of θ⁰
    return tracker


def placed(problem: Problem, network: Model, settings: Settings) -> tuple[Problem, Model]:
    """Problem and network on the device and in the dtype of the settings; the network is a copy."""
    full_precision()
    device, dtype = resolve_device(settings.device), DTYPES[settings.dtype]
    return problem.to(dtype, device), network.with_weights(network.weights).to(device=device, dtype=dtype)


def _predicted(
    problem: Problem, network: Model, settings: Settings, notes: list[str], limit: float | None
) -> Prediction | None:
    """The prediction; None where it is not wanted, or where the kernel is not finite:
    training then stops at once and says so.
    """
    if not settings.theory:
        return None
    dynamics = next(_states(problem, network, settings, limit)[0]).dynamics  # the first state knows how θ will move
    try:
        seed = int(network.about.facts.get("seed") or 0)
        return predict(problem, network, settings.delta, settings.forecast_draws, seed, dynamics=dynamics)
    except NonFiniteError as error:
        notes.append(f"no prediction: {error}")
        return None


def checks_before(problem: Problem, network: Model, settings: Settings) -> tuple[list[str], float | None]:
    """Warnings about the preconditions, and the step limit of a method that has one.

    Raises:
        ValueError: the method, the network and the problem do not fit.
        StrictError: there are warnings, under `strict`.
    """
    commits()  # those of now: files may change while a run goes
    settings.method.require(network, settings.options)
    looks_wrong, remarks = preconditions(problem)
    notes = [*check_smoothness(network, problem), *looks_wrong]
    limit = (
        step_limit(network, problem, law(settings.optimizer, settings.options))
        if "limit" in settings.method.arguments
        else None
    )
    notes += step_warnings(settings, limit) + precision_warnings(settings)
    if settings.strict and notes:
        raise StrictError("strict: " + "; ".join(notes))
    return notes + remarks, limit


def _spectra(problem: Problem, network: Model, settings: Settings, steps: Sequence[int]) -> list[int] | None:
    """The tracked steps that have eigenvalues; None for all."""
    if settings.spectra is not None:
        return spread(steps, settings.spectra)
    if settings.method.every or not isinstance(network, TwoLayer):
        return None
    compiled = pays(problem.points * network.width, network.inputs, settings.steps, network.device)
    return spectrum_steps(steps, problem.points, network.width, network.inputs, compiled)


@dataclass(frozen=True)
class Measured:
    """What was measured, and what had been predicted.

    Attributes:
        history: of the states.
        kernels: at the two ends, empty when the kernel was not tracked.
        prediction: None where none was made.
    """

    history: History
    kernels: Mapping[str, Any]
    prediction: Prediction | None = None


def _states(
    problem: Problem, network: Model, settings: Settings, limit: float | None, memory: Memory | None = None
) -> tuple[Iterator[State], list[int]]:
    """The generator of states and the steps at which trackers are asked."""
    method = settings.method
    given = {
        "step_size": settings.step_size,
        "absolute": settings.absolute,
        "stop": settings.stop_rule(),
        "limit": limit if limit is not None and math.isfinite(limit) else None,
        "tracked": settings.tracked,
        "memory": memory,
        **settings.options,
    }
    states = method.states(
        network, problem, steps=settings.steps, **{k: v for k, v in given.items() if k in method.arguments}
    )
    if method.every:
        return states, list(range(max(settings.steps, settings.tracked) + 1))
    return states, tracked_steps(settings.steps, settings.tracked, settings.every)


def tracked_run(
    problem: Problem,
    states: Iterator[State],
    steps: Sequence[int],
    own: KernelTracker | None,
    trackers: Sequence[Tracker] = (),
    on_state: Callable[[State], None] | None = None,
    journal: Journal | None = None,
) -> Measured:
    """The states with everything that is tracked of them, and the kernels at the two ends.

    Args:
        problem: the rows.
        states: θ⁰ first.
        steps: at which trackers are asked.
        own: of the kernel; None where it is not tracked.
        trackers: asked beside the built-in ones.
        on_state: called with every state.
        journal: of the steps before the first of these states.
    """
    asked: list[Tracker] = [
        loss_tracker(problem),
        displacement_tracker,
        error_tracker(problem),
        *([own] if own else []),
        *trackers,
    ]
    history = track(states, asked, list(steps), on_state, journal)
    if own is None or own.first is None or own.last is None:
        return Measured(history, {})
    return Measured(history, {"initial": own.first, "final": own.last})
