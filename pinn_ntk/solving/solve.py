"""solve(problem, tolerance): scale, activation, width and points are found;
what comes back is a network with an estimate of its error.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.arguments import MAX_POINTS, MAX_SEED
from pinn_ntk.networks.extra import extra_function
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.finding import ERROR, tell
from pinn_ntk.problem.residual import Problem
from pinn_ntk.problem.validation import check_problem
from pinn_ntk.problem.wellposed import ill_posed
from pinn_ntk.rules import checked, flag, one_of, positive, several, whole
from pinn_ntk.solving.details import look
from pinn_ntk.solving.effort import Effort
from pinn_ntk.solving.extras import Chosen, called_for, corners_besides
from pinn_ntk.solving.fit import Bench
from pinn_ntk.solving.growth import Grown, Growth, widest_for
from pinn_ntk.solving.level import Level
from pinn_ntk.solving.noise import DataFit, data_fit
from pinn_ntk.solving.reasons import Reason, outcome
from pinn_ntk.solving.search import Search
from pinn_ntk.solving.solution import Solution, drawn_problem, fit_of_u, level_of, levels_of
from pinn_ntk.solving.task import Task
from pinn_ntk.solving.through_time import growth_words, through_time
from pinn_ntk.solving.uniqueness import NullFunction, null_function

ACTIVATIONS_TRIED = ("sin", "gaussian", "tanh")
TOLERANCE = 1e-13
ErrorTolerance = Annotated[float, positive("on the estimated relative L² error")]
Operations = Annotated[
    float | None,
    positive(
        "operations to spend; null for what an idle two-core machine does in `seconds`, or in 60 s (3.6e12)",
    ),
]
Seconds = Annotated[
    float | None, positive("wall time at which to stop in any case; null for none: then a run is repeatable")
]
Activations = Annotated[Sequence[str], several("activations to choose from", one_of("", ACTIVATIONS))]
Extra = Annotated[bool, flag("add singular functions where holes and corners call for them")]
Widest = Annotated[int | None, whole("N at most; null for what memory allows", 1, MAX_POINTS)]
DrawSeed = Annotated[int, whole("of points and neurons", high=MAX_SEED)]


@checked
def solve(
    problem: Problem,
    tolerance: ErrorTolerance = TOLERANCE,
    seconds: Seconds = None,
    activations: Activations = ACTIVATIONS_TRIED,
    extra: Extra = True,
    widest: Widest = None,
    seed: DrawSeed = 0,
    effort: Operations = None,
    on_level: Callable[[Level], object] | None = None,
    start: Solution | None = None,
) -> Solution:
    """u ≈ h(x) = Σ_k a_k σ(w_k·(x, 1)) + Σ_j β_j ψ_j(x) with an estimate of ‖u − h‖/‖u‖ of at most the tolerance,
    or the reason why not.

    Neurons are drawn and frozen, outer weights solve one least-squares problem over the conditions on points;
    activation, scales of the inner weights by axis, their sparsity, extra functions, width and points are chosen by
    fits that are made twice (see `Search`).

    Args:
        problem: posed conditions, from which points are drawn as densely as is needed (its own blocks and ansatz are
            left aside), or blocks of given rows where nothing is posed.
        tolerance: on the relative L² error, as estimated.
        seconds: wall time at which to stop in any case, the last fit may take a little longer; None for none.
        activations: σ to choose from, by name.
        extra: whether singular functions are added where the domain has holes or re-entrant corners.
        widest: N at most; None for what memory allows.
        seed: of points and neurons.
        effort: floating-point operations to spend, as counted for the fits; None for what an idle two-core machine
            does in `seconds`, or in a minute. It ends a run at the same place on every machine, so that a run is
            repeatable, to the bit with the same number of threads, unless the clock ended it.
        on_level: called with the best `Level` of every width; where it returns True, the solver ends there.
        start: a solution of the same problem to go on from: its neurons' recipe and width, without probes.

    Returns:
        The solution; `.u(x)`, `.gradient(x)`, `.residual(x)`, `.estimate`, `.reason`.

    Raises:
        ValueError: an argument out of its range, an activation that is not smooth enough for the operators, or a
            problem that has no solution, or none that its data determine (see `check_problem`).

    Examples:
        >>> from pinn_ntk import box, dirichlet, laplacian, pose, solve
        >>> solution = solve(pose(-laplacian(1), box(0, 1), 2, [dirichlet(0)]), tolerance=1e-8)  # u = x(1 − x)
        >>> print(solution.reason, solution.estimate <= 1e-8, round(float(solution.u([[0.5]])), 6))
        CONVERGED True 0.25
    """
    findings = check_problem(problem)
    if errors := [f.message for f in findings if f.severity == ERROR]:
        raise ValueError(f"problem: {'; '.join(errors)}")
    told, task = tell(findings), Task(problem, seed)
    check_solvable(task, activations)
    _check_start(start, task)
    task = replace(task, details=look(task))
    chosen = called_for(task) if extra else Chosen()
    more = chosen + corners_besides(task) if extra else chosen
    bench, spare = _bench(task, chosen), _bench(task, more) if more.functions != chosen.functions else None
    spent = Effort.of(effort, seconds)
    search, heard = Search(bench, spent), None if on_level is None else lambda trial: on_level(level_of(None, trial))
    again = None if start is None else (start.final.recipe, start.final.width)
    found, null = data_fit(search, activations), null_function(search.bench, search.effort)
    growth = Growth(search, tuple(activations), tolerance, _widest(task, widest), spare, heard, again, null)
    grown = growth.run() if found is None else _told_by_data(task, null, found, tolerance)
    words = (*_looked(task), *(more.words if search.bench is spare else chosen.words))
    fit = fit_of_u(task, grown.final.pair[0])
    trials = (*(t for t in search.trials if t.pair is not grown.final.pair), grown.final)
    problem = drawn_problem(task, fit)
    slabs = through_time(task, grown.final, search.bench.values(grown.final.pair[1]))
    return Solution(
        problem,
        fit.network,
        grown.reason,
        (*grown.words, *growth_words(slabs, grown.final.estimate)),
        trials,
        levels_of(grown),
        words,
        task.floating,
        spent.elapsed,
        spent.spent,
        (*told, *_free_constant(task)),
        task,
        slabs,
    )


def _check_start(start: Solution | None, task: Task) -> None:
    if start is not None and (start.task.dim, start.task.frame) != (task.dim, task.frame):
        raise ValueError(
            f"start: got a solution of {start.problem.name!r} on another domain, expected one of the same problem"
        )


def _told_by_data(task: Task, null: NullFunction | None, found: DataFit, tolerance: float) -> Grown:
    """What data with noise came to."""
    reason, words = outcome(task, null, Reason.NOISE, found.trial, (), tolerance)
    return Grown(found.trial, reason, (*found.words, *words), ())


def _looked(task: Task) -> tuple[str, ...]:
    """What was found before anything was solved."""
    words = () if task.details is None else task.details.words
    return tuple(f"{w}: points and steep neurons were put there" for w in words)


def _free_constant(task: Task) -> tuple[str, ...]:
    """What a person should know of a u that is known up to a constant."""
    words = (
        "the conditions determine u up to a constant: the solution of mean zero was computed; give a value of u to fix "
        "it"
    )
    return (words,) if task.floating else ()


def _bench(task: Task, chosen: Chosen) -> Bench:
    """Where fits with those functions are made; the last one is the constant, where u is determined up to it."""
    functions = chosen.functions + ((extra_function("constant", (), task.dim),) if task.floating else ())
    return Bench(replace(task, columns=len(functions)), functions)


def check_solvable(task: Task, activations: Sequence[str]) -> None:
    """Refuse activations that are not smooth enough for the operators, and problems that are ill-posed.

    Args:
        task: the problem.
        activations: σ, by name.

    Raises:
        ValueError: the first of them.
    """
    rows = task.held_out.rows
    for name in activations:
        try:
            TwoLayer(task.dim, 1, name).check(rows)
        except ValueError as error:
            raise ValueError(f"activations: {str(error).removeprefix('activation: ')}") from error
    if found := ill_posed(task.problem):
        raise ValueError(f"problem: {'; '.join(finding.message for finding in found)}")


def _widest(task: Task, asked: int | None) -> int:
    """N at most: by memory, by what was asked, and by the rows where these are given."""
    bounds = [
        widest_for(task.rows_per_neuron, task.dim),
        *([asked] if asked else []),
        *([task.largest_width] if task.largest_width else []),
    ]
    return max(1, min(bounds))
