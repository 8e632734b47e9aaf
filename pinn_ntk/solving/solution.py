"""A solution: the network, the problem as it was drawn, an estimate of the error,
and everything that was tried on the way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.answer import Answer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.solving.assessment import Assessment, assess
from pinn_ntk.solving.fit import Fit
from pinn_ntk.solving.growth import Grown
from pinn_ntk.solving.level import Level
from pinn_ntk.solving.reasons import REASONS, Reason
from pinn_ntk.solving.saved import SavedSolution, load_solution
from pinn_ntk.solving.search import Trial
from pinn_ntk.solving.spread import Fits, spreads_of
from pinn_ntk.solving.task import Task
from pinn_ntk.solving.through_time import Slab
from pinn_ntk.solving.uncertain_answer import UncertainAnswer

_NONE = (Reason.UNDERDETERMINED, Reason.INCONSISTENT)  # nothing bounds what u may be off by
_SMALL = 1e-16  # two fits may agree to the last bit; u is not better than its format


@dataclass(frozen=True)
class Solution(UncertainAnswer):
    """u ≈ h(x) = Σ_k a_k σ(w_k·(x, 1)) + Σ_j β_j ψ_j(x).

    Attributes:
        problem: the conditions on the points that h was fitted to, each with its weight λ_b.
        network: h.
        reason: why the solver stopped.
        notes: what was seen beside that, and what would help.
        trials: every pair of fits, in order.
        levels: the best one at each width, and the last pair.
        extras: what extra functions were added and why.
        floating: whether u is determined up to a constant, so that the one of mean zero was taken.
        seconds: wall time.
        operations: that it took (`effort`).
        warnings: what was said against the problem, as `pose` and the command say it.
        task: the problem as the solver saw it.
        through_time: the estimate in spans of time; none without time.
    """

    problem: Problem
    network: TwoLayer
    reason: Reason
    notes: tuple[str, ...]
    trials: tuple[Trial, ...]
    levels: tuple[Level, ...]
    extras: tuple[str, ...]
    floating: bool
    seconds: float
    operations: float
    warnings: tuple[str, ...]
    task: Task
    through_time: tuple[Slab, ...] = ()

    @cached_property
    def networks(self) -> tuple[TwoLayer, ...]:
        """The independent fits, of which the first is the answer; each of mean zero where u is known up to a
        constant.
        """
        return self.network, *(fit_of_u(self.task, fit).network for fit in self.final.pair[1:])

    @cached_property
    def fits(self) -> Fits:
        """u by each of `networks`, and how far they are apart."""
        answers = tuple(Answer(self.problem, network) for network in self.networks)
        return Fits(answers, self.error, spreads_of(answers, self.task.reference))

    def save(self, path: str | Path) -> None:
        """Write the solution into one file, from which `load_solution` gives back u, ∇u, ±, estimate and reason.

        Args:
            path: of the file; it appears whole or not at all. No code is stored, only tensors, numbers and names.

        Raises:
            ValueError: a folder that is not there.
        """
        fits, final = self.fits, self.final
        SavedSolution(
            name=self.problem.name,
            dim=self.problem.dim,
            box=(self.task.frame.low, self.task.frame.high),
            ansatz=self.problem.ansatz is not None,
            networks=self.networks,
            reason=self.reason,
            words=self.words,
            estimate=self.estimate,
            error=self.error,
            spreads=fits.spreads,
            levels=self.levels,
            extras=self.extras,
            recipe=str(final.recipe),
            floating=self.floating,
            seconds=self.seconds,
        ).save(path)

    @staticmethod
    def load(path: str | Path, problem: Problem | None = None) -> SavedSolution:
        """What `save` wrote; see `load_solution`."""
        return load_solution(path, problem)

    @property
    def final(self) -> Trial:
        """The last pair of fits, of which the first is the solution."""
        return self.trials[-1]

    @property
    def estimate(self) -> float:
        """Of ‖u − h‖/‖u‖ in L²: the distance of two fits with other neurons, other scales and other points,
        raised where a residual stays; at least 1 where no one u is told.
        """
        return max(self.final.estimate, _SMALL if self.reason not in _NONE else 1.0)

    @property
    def error(self) -> float:
        """The estimate in u's own units: of the rms of u − h over Ω."""
        return max(self.final.error, self.final.size if self.reason in _NONE else 0.0)

    @cached_property
    def assessment(self) -> Assessment:
        """What is known of the error without the exact solution."""
        return assess(self.task, self.problem, self.network, self.final)

    @property
    def words(self) -> str:
        """The outcome in a sentence or two."""
        found = f"estimated relative L² error {self.estimate:.2g} with {self.network.width} neurons"
        return "; ".join([REASONS[self.reason], *self.notes, found])


def fit_of_u(task: Task, fit: Fit) -> Fit:
    """u of a fit: with the constant that was left aside, or of mean zero where u is known up to a constant."""
    return fit.shifted(-task.mean(fit.network) if task.floating else task.constant)


def drawn_problem(task: Task, fit: Fit) -> Problem:
    """The problem with the rows and weights of a fit; conditions about u itself need no ansatz."""
    blocks = [replace(block, weight=weight) for block, weight in zip(fit.sample.blocks, fit.weights, strict=True)]
    weights = {block.name: block.weight for block in blocks}
    posed = tuple(replace(c, weight=weights[c.name]) for c in task.problem.posed)
    ansatz, exact = None if task.posed else task.problem.ansatz, task.problem.exact
    if task.floating and exact is not None:
        u, mean = exact, task.mean(exact)
        exact = lambda x: u(x) - mean  # noqa: E731  the solution of mean zero is what is compared
    return replace(task.problem, blocks=tuple(blocks), ansatz=ansatz, posed=posed, exact=exact)


def levels_of(grown: Grown) -> tuple[Level, ...]:
    """The table of convergence."""
    rows: list[Level] = []
    for trial in (*grown.levels, *((grown.final,) if grown.final not in grown.levels else ())):
        rows.append(level_of(rows[-1] if rows else None, trial))
    return tuple(rows)


def level_of(before: Level | None, trial: Trial) -> Level:
    """A row of that table."""
    order, recipe = _order(before, trial), str(trial.recipe)
    return Level(trial.width, trial.points, trial.estimate, order, recipe, trial.seconds)


def _order(before: Level | None, now: Trial) -> float | None:
    if (
        before is None
        or now.width <= before.width
        or not (0.0 < now.estimate < math.inf and 0.0 < before.error < math.inf)
    ):
        return None
    return math.log(before.error / now.estimate) / math.log(now.width / before.width)


def solver_summary(solution: Solution) -> dict[str, Any]:
    """The solution in plain numbers and texts, as `summary.json` keeps it under `solver`."""
    final, known = solution.final, solution.assessment
    return {
        "reason": str(solution.reason),
        "words": solution.words,
        "notes": list(solution.notes),
        "estimate": solution.estimate,
        "error": solution.error,
        "operations": solution.operations,
        "through_time": [
            {"start": s.start, "end": s.end, "error": s.error, "size": s.size} for s in solution.through_time
        ],
        "disagreement": final.disagreement,
        "residual_share": final.share,
        "bound": None if known.bound is None else known.bound.value,
        "bound_relative": None if known.bound is None else known.bound.relative,
        "bound_words": known.why_not if known.bound is None else known.bound.words,
        "residuals": {r.name: {"rms": r.rms, "max": r.largest, "points": r.points} for r in known.residuals},
        "activation": final.recipe.activation,
        "scales": list(final.recipe.scales),
        "axes": final.recipe.axes,
        "focus": final.recipe.focus is not None,
        "extra_functions": len(solution.network.extra),
        "extras": list(solution.extras),
        "weights": {b.name: b.weight for b in solution.problem.blocks},
        "trials": len(solution.trials),
        "levels": [
            {
                "width": v.width,
                "points": v.points,
                "error": v.error,
                "order": v.order,
                "recipe": v.recipe,
                "seconds": v.seconds,
            }
            for v in solution.levels
        ],
    }


def choices(solution: Solution) -> list[tuple[str, str]]:
    """What was chosen and why, for a report."""
    final, tried = solution.final, solution.trials
    pairs = [
        ("activation and scales", f"{final.recipe}: of {len(tried)} pairs of fits, {_beaten(tried)}"),
        ("width", f"N = {final.width}: {REASONS[solution.reason]}"),
        (
            "points",
            f"n = {final.points}, drawn from the conditions"
            if solution.task.posed
            else f"n = {final.points}, all that are given",
        ),
        (
            "weights",
            "; ".join(f"{b.name} {b.weight:.3g}" for b in solution.problem.blocks)
            + ": λ_b = 1/max|𝓛_bσ(w·x)|², so that no units count",
        ),
    ]
    return [*pairs, *[("found and added", words) for words in solution.extras], *_mean(solution)]


def _mean(solution: Solution) -> list[tuple[str, str]]:
    return (
        [("constant", "the conditions determine u up to a constant: this is the solution of mean zero")]
        if solution.floating
        else []
    )


def _beaten(tried: Sequence[Trial]) -> str:
    """The best of every other activation at the width of the first probes."""
    first = [t for t in tried if t.width == tried[0].width]
    names = list(dict.fromkeys(t.recipe.activation for t in first))
    best = {name: min(t.criterion for t in first if t.recipe.activation == name) for name in names}
    return f"with N = {tried[0].width} the best agreed to " + ", ".join(
        f"{error:.1e} ({name})" for name, error in best.items()
    )
