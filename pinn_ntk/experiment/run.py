"""One run from end to end: prediction, tracked training, comparison, record. No configuration system is known here."""

import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from pinn_ntk.activations import ACTIVATIONS, smoothness_verdict
from pinn_ntk.comparison.compare import compare
from pinn_ntk.devices import full_precision, resolve_device
from pinn_ntk.kernels.spectrum import NonFiniteError
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.problem.validation import check_problem
from pinn_ntk.reporting.record import Record
from pinn_ntk.theory.prediction import Prediction, predict
from pinn_ntk.training.descent import gradient_descent, step_limit
from pinn_ntk.training.flow import flow_times, gradient_flow
from pinn_ntk.training.states import State, Status, StopRule
from pinn_ntk.training.trackers import (
    History,
    KernelTracker,
    Tracker,
    displacement_tracker,
    error_tracker,
    loss_tracker,
    track,
    tracked_steps,
)

DTYPES = {"float64": torch.float64, "float32": torch.float32}
OPTIMIZERS = ("gradient_descent", "gradient_flow")


class StrictError(ValueError):
    """A precondition that is a warning otherwise, under `strict`."""


@dataclass(frozen=True)
class Settings:
    """How a run is done.

    Attributes:
        optimizer: 'gradient_descent' or 'gradient_flow'.
        step_size: τ as a fraction of 2n/(s²N λ_max), or τ itself with `absolute`; for a flow it sets the horizon steps·τ.
        absolute: how step_size is meant.
        steps: at most.
        tolerance: stop when R_S is at most this.
        divergence: stop when R_S exceeds this many times R_S(0).
        stagnation: stop when R_S fell by less than this share over `window` steps.
        window: see stagnation.
        tracked: log-spaced steps at which trackers are asked.
        every: ask them every so many steps instead.
        kernel: whether K̂ is tracked.
        theory: whether predictions are made.
        delta: δ of the theorems.
        forecast_draws: draws of e₀ for the band.
        device: 'auto', 'cpu', 'cuda' or 'cuda:i'.
        dtype: 'float64' or 'float32'.
        strict: whether warnings about preconditions are errors.
    """

    optimizer: str = "gradient_descent"
    step_size: float = 0.5
    absolute: bool = False
    steps: int = 2000
    tolerance: float = 0.0
    divergence: float = 1e6
    stagnation: float = 1e-12
    window: int = 1000
    tracked: int = 40
    every: int | None = None
    kernel: bool = True
    theory: bool = True
    delta: float = 0.1
    forecast_draws: int = 1000
    device: str = "auto"
    dtype: str = "float64"
    strict: bool = False

    def __post_init__(self) -> None:
        for name, value, allowed in (("optimizer", self.optimizer, OPTIMIZERS), ("dtype", self.dtype, tuple(DTYPES))):
            if value not in allowed:
                raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")
        if not 0.0 < self.delta < 1.0:
            raise ValueError(f"delta: got {self.delta}, expected a number between 0 and 1, e.g. 0.1")
        if not (math.isfinite(self.step_size) and self.step_size > 0.0) or self.steps < 0 or self.forecast_draws < 1:
            raise ValueError(
                f"step_size, steps, forecast_draws: got {self.step_size}, {self.steps}, {self.forecast_draws}; "
                "expected a positive number, at least 0, at least 1"
            )
        tracked_steps(self.steps, self.tracked, self.every)
        self.stop_rule()

    def stop_rule(self) -> StopRule:
        """When training ends before its last step."""
        return StopRule(self.tolerance, self.divergence, self.window, self.stagnation)


def run(
    problem: Problem,
    network: TwoLayer,
    settings: Settings | None = None,
    trackers: Sequence[Tracker] = (),
    on_state: Callable[[State], None] | None = None,
    on_prediction: Callable[[Prediction], None] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Record:
    """Predict, train with tracking, compare.

    Args:
        problem: the blocks; moved to the device and dtype of the settings.
        network: where training starts; it is not changed.
        settings: how; the defaults are gradient descent with half the stability limit.
        trackers: asked beside the built-in ones.
        on_state: called with every state, for progress.
        on_prediction: called once, before the first step.
        config: kept in the record.

    Returns:
        The record; `record.save(folder)` writes it.

    Raises:
        ValueError: problem and network do not fit, or the activation is not smooth enough for the operators.
        StrictError: a warning under `strict`.
        MemoryShortageError: the kernel does not fit in memory.
    """
    settings = settings or Settings()
    begin = time.perf_counter()
    problem, network = _placed(problem, network, settings)
    notes, limit = _checked(problem, network, settings)
    prediction = _predicted(problem, network, settings, notes)
    if prediction is not None and on_prediction is not None:
        on_prediction(prediction)
    predicted = time.perf_counter()
    history, kernels = _train(problem, network, settings, limit, trackers, on_state)
    statements = compare(_Outcome(history, prediction))
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
        machine=machine(network.a0.device, kernels),
        config=config,
        warnings=(*notes, *history.notes, *_growth_warnings(history)),
    )


def _placed(problem: Problem, network: TwoLayer, settings: Settings) -> tuple[Problem, TwoLayer]:
    """Problem and network on the device and in the dtype of the settings; the network is a copy."""
    full_precision()
    device, dtype = resolve_device(settings.device), DTYPES[settings.dtype]
    return problem.to(dtype, device), network.with_weights(network.weights).to(device=device, dtype=dtype)


def _predicted(problem: Problem, network: TwoLayer, settings: Settings, notes: list[str]) -> Prediction | None:
    """The prediction; None where it is not wanted, or where the kernel is not finite: training then stops at once and says so."""
    if not settings.theory:
        return None
    try:
        return predict(problem, network, settings.delta, settings.forecast_draws, network.seed)
    except NonFiniteError as error:
        notes.append(f"no prediction: {error}")
        return None


def _checked(problem: Problem, network: TwoLayer, settings: Settings) -> tuple[list[str], float | None]:
    """Warnings about the preconditions, and the step limit of gradient descent.

    Raises:
        StrictError: there are warnings, under `strict`.
    """
    notes = [*check_smoothness(network, problem), *_preconditions(problem)]
    limit = step_limit(network, problem) if settings.optimizer == "gradient_descent" else None
    notes += _step_warnings(settings, limit) + _precision_warnings(settings)
    if settings.strict and notes:
        raise StrictError("strict: " + "; ".join(notes))
    return notes, limit


@dataclass(frozen=True)
class _Outcome:
    """What `compare` reads."""

    history: History
    prediction: Prediction | None


def check_smoothness(network: TwoLayer, problem: Problem) -> list[str]:
    """Refuse an activation whose derivatives the operators need and that are not there; warn where a delta term is dropped.

    Raises:
        ValueError: with the activations that are smooth enough.
    """
    order, activation = problem.order, network.activation
    verdict = smoothness_verdict(activation, order)
    if verdict == "refused":
        good = ", ".join(name for name, a in ACTIVATIONS.items() if smoothness_verdict(a, order) == "true")
        raise ValueError(f"activation: got {activation.name!r}, not smooth enough for an operator of order {order}; expected one of {good}")
    if verdict == "almost_everywhere":
        return [
            f"activation {activation.name} with an operator of order {order}: the gradient drops a delta term (autograd drops the same); "
            "the kernel is that of the remaining part"
        ]
    return []


def _preconditions(problem: Problem) -> list[str]:
    """Warnings about the problem; errors are raised at once."""
    findings = check_problem(problem)
    errors = [f.message for f in findings if f.severity == "error"]
    if errors:
        raise ValueError("; ".join(errors))
    return [f.message for f in findings]


def _step_warnings(settings: Settings, limit: float | None) -> list[str]:
    if limit is None:
        return []
    tau = settings.step_size if settings.absolute else settings.step_size * limit
    return (
        []
        if tau <= limit
        else [f"step size {tau:.4g} is above the stability limit 2n/(s²N λ_max) = {limit:.4g}: gradient descent may diverge"]
    )


def _growth_warnings(history: History) -> list[str]:
    """A loss that ended above its start: the step was stable for the kernel at θ⁰, not for the one it met."""
    first, last = float(history.losses[0]), float(history.losses[-1])
    if not last > first or history.status is Status.NON_FINITE:
        return []
    return [f"the loss ended {last / first:.3g} times above its start: the step is too large away from θ⁰; try a smaller step_size"]


def _precision_warnings(settings: Settings) -> list[str]:
    return [] if settings.dtype == "float64" else ["float32: λ_min is meaningful only above its floor of about 1e-7·λ_max·n"]


def _states(problem: Problem, network: TwoLayer, settings: Settings, limit: float | None) -> tuple[Iterator[State], list[int]]:
    """The generator of states and the steps at which trackers are asked."""
    rule = settings.stop_rule()
    if settings.optimizer == "gradient_flow":
        times = flow_times(network, problem, settings.steps, settings.step_size, settings.tracked) if settings.steps else [0.0]
        return gradient_flow(network, problem, times, stop=rule), list(range(len(times)))
    states = gradient_descent(network, problem, settings.step_size, settings.steps, settings.absolute, rule, limit)
    return states, tracked_steps(settings.steps, settings.tracked, settings.every)


def _train(
    problem: Problem,
    network: TwoLayer,
    settings: Settings,
    limit: float | None,
    trackers: Sequence[Tracker],
    on_state: Callable[[State], None] | None,
) -> tuple[History, dict[str, Any]]:
    """The tracked run, and the kernels at its two ends."""
    states, steps = _states(problem, network, settings, limit)
    kernel = KernelTracker(problem) if settings.kernel else None
    asked: list[Tracker] = [loss_tracker(problem), displacement_tracker, error_tracker(problem), *([kernel] if kernel else []), *trackers]
    history = track(states, asked, steps, on_state)
    if kernel is None or kernel.first is None or kernel.last is None:
        return history, {}
    return history, {"initial": kernel.first, "final": kernel.last}


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for name in ("pinn_ntk", "numpy", "scipy", "hydra-core"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine(device: torch.device, kernels: Mapping[str, Any]) -> dict[str, Any]:
    """Threads, chunk and processor: what changes the last bits."""
    chunk = kernels["initial"].chunk if kernels else None
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {"threads": torch.get_num_threads(), "chunk": chunk, "machine": {"processor": name, "cores": os.cpu_count()}}
