"""First-, quasi-second- and second-order methods on one problem: error at new points against time and steps,
drift of the kernel.

Each method gets the same seconds on the same networks; its clock runs in its steps only, not while errors and kernels
are measured.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.devices import full_precision, resolve_device, threads_for
from pinn_ntk.experiment.settings import DTYPES, Experiment
from pinn_ntk.kernels.tangent import tangent_kernel
from pinn_ntk.problem.residual import Problem
from pinn_ntk.reporting.style import number
from pinn_ntk.rules import checked, fraction, one_of, positive, several, whole
from pinn_ntk.studies.arguments import (
    Seeds,
    Steps,
    StepSize,
    distinct,
)
from pinn_ntk.studies.optimizers_document import CLASSES, document
from pinn_ntk.studies.study import Cell, Factory, Measured, Row, Study
from pinn_ntk.training.methods import METHODS
from pinn_ntk.training.states import State, Status, StopRule
from pinn_ntk.training.trackers import error_tracker, tracked_steps

_OPTIONS = {
    "heavy_ball": ("step_size", "momentum"),
    "nesterov": ("step_size", "momentum"),
    "adam": ("learning_rate",),
    "lbfgs": (),
    "levenberg_marquardt": (),
    "spring": (),
    "variable_projection": (),
}
"""Options of the study that a method takes; the others take the step size."""
_COURSE = ("step", "seconds", "error", "loss", "drift")


@checked
def optimizers(
    factory: Factory,
    *,
    methods: Annotated[Sequence[str], several("optimisers", one_of("", CLASSES))] = (
        "gradient_descent",
        "heavy_ball",
        "nesterov",
        "adam",
        "lbfgs",
        "levenberg_marquardt",
    ),
    seeds: Seeds = 3,
    seconds: Annotated[float, positive("of training for each method and seed")] = 6.0,
    steps: Steps = 100_000,
    tracked: Annotated[int, whole("log-spaced steps at which is measured", 2, high=100_000)] = 50,
    step_size: StepSize = 0.5,
    momentum: Annotated[float, fraction("β of the methods with momentum")] = 0.99,
    learning_rate: Annotated[float, positive("of Adam")] = 0.001,
) -> Study:
    """The same problem and networks under every method for the same time.

    Args:
        factory: configuration → experiment; its problem is solved, its network trained from each seed.
        methods: names of `CLASSES`.
        seeds: networks and sets of points.
        seconds: of training for each method and seed.
        steps: at most.
        tracked: log-spaced steps, of at most `steps`, at which errors and kernels are measured; the last state is
            measured too.
        step_size: of gradient descent, heavy ball, Nesterov and SGD, as a fraction of each one's step limit.
        momentum: of heavy ball and Nesterov.
        learning_rate: of Adam.

    Raises:
        ValueError: an option that is not allowed.
    """
    common = {
        "seconds": seconds,
        "steps": steps,
        "tracked": tracked,
        "step_size": step_size,
        "momentum": momentum,
        "learning_rate": learning_rate,
    }
    wanted = distinct(methods)
    return Study(
        "optimizers",
        "First-, quasi-second- and second-order methods",
        "“First order methods usually have the best performance in terms of the computational speed and "
        "generalization error”, says the "
        f"lecture. Every method trains the same networks for {number(seconds)} s each, with {seeds} seeds; "
        "which reaches the smallest "
        "error at points that were not trained on, and how far does the tangent kernel move under it?",
        tuple(Cell({"method": m, "seed": s, **common}) for m in wanted for s in range(seeds)),
        lambda cell: measure(factory, cell),
        document,
        timed=True,
    )


def measure(factory: Factory, cell: Cell) -> Measured:
    """One row for the end of the run, and its course as the arrays step, seconds, error, loss and drift.

    error is the relative L² error at the test points, or √(R_S/R_S(θ⁰)) where no solution is known; drift is ‖K̂_t −
    K̂_0‖_F/‖K̂_0‖_F.
    """
    p: dict[str, Any] = dict(cell.parameters)
    made = factory({"seed": p["seed"]})
    full_precision()
    device, dtype = resolve_device(made.settings.device), DTYPES[made.settings.dtype]
    made = Experiment(made.problem.to(dtype, device), made.network.to(dtype=dtype, device=device), made.settings)
    with threads_for(made.problem.points * made.network.width):
        return _measured(made, p)


def _measured(made: Experiment, p: dict[str, Any]) -> Measured:
    problem, own = made.problem, {name: p[name] for name in _OPTIONS.get(p["method"], ("step_size",))}
    never = StopRule(
        window=p["steps"] + 1
    )  # a loss that swings has not stagnated, and the race is over when the time is
    states = METHODS[p["method"]].states(made.network, problem, steps=p["steps"], stop=never, **own)
    wanted, ask, course = set(tracked_steps(p["steps"], p["tracked"])), error_tracker(problem), []
    start, kernel, last = problem.loss(made.network), None, None
    for state, spent, over in timed(states, p["seconds"], made.network.device):
        last = state
        ends = over or state.status is not Status.RUNNING
        if ends or state.step in wanted:
            drift, kernel = _drift(problem, state, kernel)
            remaining = math.sqrt(state.loss / start) if start > 0.0 else 0.0
            course.append((state.step, spent, float(ask(state).get("relative_l2", remaining)), state.loss, drift))
        if ends:
            break
    assert last is not None
    arrays = {
        name: np.array(values, dtype=np.float64)
        for name, values in zip(_COURSE, zip(*course, strict=True), strict=True)
    }
    row: Row = {
        "class": CLASSES[p["method"]],
        "steps_taken": last.step,
        "seconds_taken": float(arrays["seconds"][-1]),
        "milliseconds_per_step": 1e3 * float(arrays["seconds"][-1]) / max(1, last.step),
        **{name: float(arrays[name][-1]) for name in ("error", "loss", "drift")},
        "error_is": "relative L² error at new points" if "relative_l2" in ask(last) else "√(R_S/R_S(θ⁰))",
        "status": last.status.value,
        "note": last.note,
    }
    return Measured([row], arrays)


def _drift(problem: Problem, state: State, first: Tensor | None) -> tuple[float, Tensor | None]:
    """‖K̂_t − K̂_0‖_F/‖K̂_0‖_F and K̂_0; NaN where θ is not finite."""
    if not math.isfinite(state.loss) or not math.isfinite(state.gradient_norm):
        return math.nan, first
    total = tangent_kernel(state.network, problem).total
    first = total if first is None else first
    return float((total - first).norm() / first.norm()), first


def timed(states: Iterator[State], seconds: float, device: torch.device) -> Iterator[tuple[State, float, bool]]:
    """(state, seconds spent in the generator since θ⁰, whether they are used up):
    nothing that is done between states is counted.

    Args:
        states: of a method.
        seconds: to spend.
        device: whose work has to be finished before the clock is read.
    """
    spent = 0.0
    state = next(states, None)
    while state is not None:
        yield state, spent, spent >= seconds
        begin = time.perf_counter()
        state = next(states, None)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        spent += time.perf_counter() - begin
