"""A run that chooses for itself: a = 0 and the solver's solution are its two states,
and it has everything that a run has.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from pinn_ntk.comparison.compare import compare
from pinn_ntk.devices import full_precision
from pinn_ntk.experiment.checks import preconditions
from pinn_ntk.experiment.provenance import commits, machine, versions
from pinn_ntk.experiment.run import Measured, tracked_run
from pinn_ntk.experiment.settings import AUTO, Settings, Solver, StrictError
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.networks.two_layer import Weights
from pinn_ntk.problem.finding import ProblemWarning
from pinn_ntk.problem.residual import Problem
from pinn_ntk.reporting.record import Record
from pinn_ntk.rules import checked
from pinn_ntk.solving.reasons import REASONS, USABLE, Reason
from pinn_ntk.solving.solution import Solution
from pinn_ntk.training.path import Path
from pinn_ntk.training.states import State, Status, StopRule
from pinn_ntk.training.trackers import KernelTracker, Tracker

_KERNEL = 1024  # rows up to which the kernel at the solution is worth its n³
_AS_CONVERGED = (Reason.ROUNDING, Reason.NOISE)  # u is as good as numbers or data allow


@checked
def solved_run(
    problem: Problem,
    solver: Solver | None = None,
    settings: Settings | None = None,
    trackers: Sequence[Tracker] = (),
    on_state: Callable[[State], None] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Record:
    """Solve, and keep a record as of any run; `record.solution` tells what was chosen and how right it is.

    Args:
        problem: the conditions.
        solver: tolerance and time; the defaults are those of `solve`.
        settings: whether the kernel is tracked, and `strict`; the rest is about training.
        trackers: asked beside the built-in ones, at a = 0 and at the solution.
        on_state: called with both states.
        config: kept in the record.

    Raises:
        ValueError: an argument of the solver out of its range.
        StrictError: a warning about the problem, under `strict`.

    Examples:
        >>> from pinn_ntk import Solver, box, dirichlet, laplacian, pose, solved_run
        >>> problem = pose(-laplacian(1), box(0, 1), 2, [dirichlet(0)])  # u = x(1 − x)
        >>> record = solved_run(problem, Solver(tolerance=1e-8))
        >>> print(record.history.status, round(float(record.answer.u([[0.5]])), 6))
        CONVERGED 0.25
    """
    settings, begin = settings or Settings(), time.perf_counter()
    full_precision()
    commits()
    looks_wrong, remarks = preconditions(problem)
    if settings.strict and looks_wrong:
        raise StrictError("strict: " + "; ".join(looks_wrong))
    notes = looks_wrong + remarks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)  # they are in the record, and said from there
        solution = (solver or Solver()).solve(problem.to(torch.float64, "cpu"))  # on the CPU: the solver is LAPACK's
    spent, own = time.perf_counter() - begin, solution.problem
    kernel = settings.kernel and own.points <= _KERNEL
    start = solution.network.with_weights(_at_zero(solution.network.weights))
    measured: Measured = tracked_run(
        own, _states(solution), [0, 1], KernelTracker(own) if kernel else None, trackers, on_state
    )
    history = replace(measured.history, seconds={**measured.history.seconds, "training": spent})
    seconds = {**history.seconds, "theory": 0.0, "report": 0.0, "total": time.perf_counter() - begin}
    return Record(
        problem=own,
        network=start,
        trained=solution.network,
        optimizer=AUTO,
        history=history,
        prediction=None,
        statements=compare(measured),
        kernels=measured.kernels,
        step_limit=None,
        seconds=seconds,
        versions=versions(),
        machine=machine(solution.network.device, measured.kernels),
        config=settings.described(config),
        warnings=tuple(dict.fromkeys((*notes, *solution.warnings, *history.notes, *_warnings(solution)))),
        solution=solution,
    )


def _at_zero(weights: Weights) -> Weights:
    """The same inner weights, a = 0 and β = 0."""
    return replace(
        weights, a0=torch.zeros_like(weights.a0), da=torch.zeros_like(weights.da), extra=torch.zeros_like(weights.extra)
    )


def _states(solution: Solution) -> Iterator[State]:
    """a = 0, and the solution."""
    network, problem = solution.network, solution.problem
    start = network.with_weights(_at_zero(network.weights))
    system, path = problem.system(network), Path(problem, start, 1, StopRule())
    for k, weights in enumerate((start.weights, replace(network.weights, a0=start.weights.a0, da=network.weights.a))):
        e, gradient = residual_and_gradient(system, weights)
        state = path.state(k, weights, e, gradient, float(k))
        end = Status.CONVERGED if solution.reason in _AS_CONVERGED else Status(solution.reason)
        status = Status.RUNNING if k == 0 else end
        yield replace(state, status=status, note=solution.words if k else "")


def _warnings(solution: Solution) -> list[str]:
    """What a person should know before they use u."""
    found = []
    if solution.reason not in USABLE:
        words = "; ".join([REASONS[solution.reason], *solution.notes])
        found.append(f"{solution.reason}, not to be used: {words}")
    return found
