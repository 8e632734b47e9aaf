"""A solution: the network, the problem as it was drawn, an estimate of the error,
and everything that was tried on the way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.answer import Answer, Points
from pinn_ntk.problem.residual import Problem
from pinn_ntk.solving.assessment import Assessment, assess
from pinn_ntk.solving.fit import Fit
from pinn_ntk.solving.growth import Grown
from pinn_ntk.solving.reasons import REASONS, Reason
from pinn_ntk.solving.search import Trial
from pinn_ntk.solving.task import Task

_SMALL = 1e-16  # two fits may agree to the last bit; u is not better than its format


@dataclass(frozen=True)
class Level:
    """One row of the table of convergence.

    Attributes:
        width: N.
        points: n.
        error: estimated, relative L².
        order: p of N^(−p) since the row before; None in the first.
        recipe: of the neurons, in words.
        seconds: of the two fits.
    """

    width: int
    points: int
    error: float
    order: float | None
    recipe: str
    seconds: float


@dataclass(frozen=True)
class Solution:
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

    @cached_property
    def answer(self) -> Answer:
        """u, ∇u and 𝓛u − f at any points."""
        return Answer(self.problem, self.network)

    def u(self, x: Points) -> Tensor:
        """The values of u at points, (n,)."""
        return self.answer.u(x)

    def gradient(self, x: Points) -> Tensor:
        """∇u(x), (n, d)."""
        return self.answer.gradient(x)

    def residual(self, x: Points) -> Tensor:
        """(𝓛u − f)(x), (n,)."""
        return self.answer.residual(x)

    @property
    def final(self) -> Trial:
        """The last pair of fits, of which the first is the solution."""
        return self.trials[-1]

    @property
    def estimate(self) -> float:
        """Of ‖u − h‖/‖u‖ in L²: the distance of two fits with other neurons, other scales and other points,
        raised where a residual stays.
        """
        return max(self.final.estimate, _SMALL)

    @property
    def error(self) -> float:
        """The estimate in u's own units: of the rms of u − h over Ω."""
        return self.final.error

    @cached_property
    def assessment(self) -> Assessment:
        """What is known of the error without the exact solution."""
        return assess(self.task, self.problem, self.network, self.final)

    @property
    def words(self) -> str:
        """The outcome in a sentence or two."""
        found = f"estimated relative L² error {self.estimate:.2g} with {self.network.width} neurons"
        return "; ".join([REASONS[self.reason], *self.notes, found])


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
    return [*pairs, *[("extra functions", words) for words in solution.extras], *_mean(solution)]


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
