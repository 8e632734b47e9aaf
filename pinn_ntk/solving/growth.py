"""Growth: width and points go up, and scales with them, until two fits agree to the tolerance, rounding is met,
or the time is over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pinn_ntk.kernels.memory import available_bytes
from pinn_ntk.solving.fit import Bench
from pinn_ntk.solving.probing import Prober, around, whole_ladder
from pinn_ntk.solving.recipe import Recipe
from pinn_ntk.solving.search import Search, Trial, distinct

_FIRST, _FIRST_HIGH = 300, 400  # widths of probes, up to three coordinates and above
_GROWTH = 1.7
_DECIDED = 1000  # width up to which four scales are compared at every level, from there on two
_LOST = 1e-6  # a criterion above which, at a width of _LOOK or more, every activation and scale is tried once more
_LOOK = 800
_ROUNDING = 1e-11  # a criterion below which a level that gains nothing has met rounding
_SEPARATE = 30.0  # a factor by which the second best recipe is dropped
_CORNERED = 1e-9  # a criterion above which extra functions for convex corners are tried
_SHARP = 1e-7  # a criterion above which neurons are also tried where u bends
_LEVEL = 0.4  # share of the time left that a level may take
_PROBES = 0.3  # share of the time for probes
_SPEND = 0.85  # share of the time left that the last pair may be predicted to take
_SILENT = 1e-7  # a share of residual at which the rows are satisfied
_APART = 1e-3  # a disagreement at which they do not tell u
_WORSE = 1.5  # a factor by which the last pair may be worse than what was hoped
_COPIES = 4.0  # arrays of rows × neurons alive in one fit


class Reason(StrEnum):
    """Why the solver stopped."""

    CONVERGED = "CONVERGED"
    ROUNDING = "ROUNDING"
    BUDGET = "BUDGET"
    WIDTH = "WIDTH"
    UNDERDETERMINED = "UNDERDETERMINED"
    INCONSISTENT = "INCONSISTENT"


REASONS = {
    Reason.CONVERGED: "the estimated error met the tolerance",
    Reason.ROUNDING: "more neurons gained nothing: rounding is reached",
    Reason.BUDGET: "the time was over",
    Reason.WIDTH: "the largest width was reached",
    Reason.UNDERDETERMINED: "all equations are satisfied, and yet two fits differ: the conditions do not determine u",
    Reason.INCONSISTENT: "two fits agree, and yet a residual stays: the conditions contradict one another",
}


@dataclass(frozen=True)
class Grown:
    """What growth came to.

    Attributes:
        final: a pair of fits with neurons and points that no trial before has seen.
        reason: why it stopped.
        levels: the best trial at each width.
    """

    final: Trial
    reason: Reason
    levels: tuple[Trial, ...]


@dataclass
class Growth:
    """A search that grows.

    Attributes:
        search: the clock and the trials.
        activations: σ by name.
        tolerance: on the relative L² error.
        widest: N at most.
        spare: a bench with more extra functions, which is taken where it is better.
    """

    search: Search
    activations: tuple[str, ...]
    tolerance: float
    widest: int
    spare: Bench | None = None

    @property
    def enough(self) -> float:
        """A criterion that leaves room for the last pair to be a little worse."""
        return 0.6 * self.tolerance

    def run(self) -> Grown:
        """Probe, grow, and make the last pair."""
        search, dim = self.search, self.search.bench.task.dim
        width = min(self.widest, _FIRST if dim <= 3 else _FIRST_HIGH)
        tops = Prober(search, self.activations, self.enough, _PROBES * search.seconds).run(width)
        levels, looked = [tops[0]], False
        while (reason := self._reason(levels)) is None:
            width = min(self.widest, round(width * _GROWTH / 20) * 20)
            recipes = self._candidates(tops, width)
            affordable = int(_LEVEL * search.left / search.predicted(width))
            if affordable == 0:
                reason = Reason.BUDGET
                break
            recipes = recipes[:affordable]
            found = search.best_of(recipes, width, self.enough)
            if len(levels) == 1 and found[0].criterion > _CORNERED:
                found = self._cornered(found)
            if not looked and width >= _LOOK and found[0].criterion > _LOST:
                looked = True
                found = sorted([*found, *self._once_more(found, width)], key=lambda t: t.score)
            tops = [t for t in distinct(found, 2) if t.score <= _SEPARATE * found[0].score]
            levels.append(tops[0])
        return self._finished(levels, reason)

    def _candidates(self, tops: Sequence[Trial], width: int) -> list[Recipe]:
        """The best recipes with their scales about what they were; where u is not simple, also more focus,
        or more axes for each neuron.
        """
        dim, best = self.search.bench.task.dim, tops[0]
        factors = (1.0, 1.4, 0.7, 2.0) if width <= _DECIDED else (1.0, 1.4)
        recipes = [recipe for top in tops for recipe in around(top.recipe, factors)]
        if dim > 3:
            axes = [k for k in (best.recipe.axes + 1, best.recipe.axes - 1) if 1 <= k <= dim]
            return recipes[: len(factors)] + [replace(best.recipe, axes=k) for k in axes] + recipes[len(factors) :][:1]
        if width >= _LOOK and best.criterion > _SHARP:
            focused = replace(best.recipe, focus=self.search.bench.focus(best.pair[0]))
            recipes = [focused, *around(focused, (1.4,)), *recipes[: len(factors)], *recipes[len(factors) :][:1]]
        return recipes

    def _cornered(self, found: list[Trial]) -> list[Trial]:
        """The best once more beside what the convex corners may call for; where that helps,
        everything is probed again beside it.
        """
        search, best = self.search, found[0]
        beside = None if self.spare is None else search.beside(self.spare, best.recipe, best.width)
        if beside is None or beside.criterion <= self.enough:
            return found if beside is None else [beside]
        again = Prober(search, self.activations, self.enough, search.elapsed + _PROBES * search.left).run(best.width)
        return sorted([beside, *again], key=lambda t: t.score)

    def _once_more(self, tops: Sequence[Trial], width: int) -> list[Trial]:
        """Where nothing is resolved, a probe of few neurons told nothing: all activations and scales at this width,
        as time allows.
        """
        search, found, best = self.search, list[Trial](), tops[0]
        for recipe in whole_ladder(self.activations, search.bench.task.dim, best.recipe.axes):
            recipe = replace(recipe, focus=best.recipe.focus)
            if search.predicted(width) > 0.1 * search.left:
                break
            found.append(search.trial(recipe, width))
        return found

    def _reason(self, levels: Sequence[Trial]) -> Reason | None:
        """Why not to grow any more."""
        best, last = min(levels, key=lambda t: t.criterion), levels[-1]
        if best.criterion <= self.enough:
            return Reason.CONVERGED
        if (
            len(levels) > 1
            and best.criterion < _ROUNDING
            and last.criterion > 0.5 * min(t.criterion for t in levels[:-1])
        ):
            return Reason.ROUNDING
        if last.width >= self.widest:
            return Reason.UNDERDETERMINED if undetermined(last) else Reason.WIDTH
        if len(levels) < 3:
            return None
        if all(undetermined(level) for level in levels[-3:]):
            return Reason.UNDERDETERMINED
        least = min(
            t.share for t in self.search.trials if t.width > levels[-3].width
        )  # what contradicts is the same for all neurons
        stays = least > 0.7 * levels[-3].share and last.share > 1e-6
        return Reason.INCONSISTENT if stays and last.disagreement < 1e-2 * last.share else None

    def _finished(self, levels: list[Trial], reason: Reason) -> Grown:
        """The last pair: at the width that was best, or as wide as the time allows;
        grown on where it is not as good as was hoped.
        """
        search, best = self.search, min(levels, key=lambda t: t.criterion)
        width = best.width
        if reason is Reason.BUDGET:
            last = max(search.trials, key=lambda t: t.width)
            room = max(_SPEND * search.left, 0.0) / max(last.seconds, 1e-3)
            width = min(self._needed(levels), max(best.width, int(last.width * room ** (1.0 / 3.0))))
        final = search.fresh(best.recipe, width)
        if reason is Reason.CONVERGED and final.criterion > self.tolerance:
            final, reason = self._wider(final)
        elif (
            final.criterion > _WORSE * best.criterion
            and width > best.width
            and search.predicted(best.width) < search.left
        ):
            again = search.fresh(best.recipe, best.width)  # where u is not smooth, more neurons need not be better
            final = min(final, again, key=lambda t: t.criterion)
        if reason is Reason.BUDGET:
            reason = Reason.CONVERGED if final.criterion <= self.tolerance else reason
            reason = Reason.UNDERDETERMINED if undetermined(final) else reason
        return Grown(final, reason, tuple(levels))

    def _wider(self, final: Trial) -> tuple[Trial, Reason]:
        """Wider by steps of 1.3 until the last pair meets the tolerance, too."""
        search, width = self.search, final.width
        while final.criterion > self.tolerance:
            wider = min(self.widest, round(width * 1.3))
            if wider == width:
                return final, Reason.WIDTH
            if search.predicted(wider) > search.left:
                return final, Reason.BUDGET
            width, before = wider, final
            final = search.fresh(final.recipe, width)
            if final.criterion > 0.5 * before.criterion and final.criterion < _ROUNDING:
                best = min(before, final, key=lambda t: t.criterion)
                return best, Reason.CONVERGED if best.criterion <= self.tolerance else Reason.ROUNDING
        return final, Reason.CONVERGED

    def _needed(self, levels: Sequence[Trial]) -> int:
        """N at which the tolerance would be met if the error went on falling by the order of the last two levels."""
        if len(levels) < 2:
            return self.widest
        before, last = levels[-2:]
        order = (
            math.log(before.criterion / last.criterion) / math.log(last.width / before.width)
            if last.criterion > 0.0
            else 0.0
        )
        if not order >= 1.0:
            return self.widest
        return min(self.widest, int(1.1 * last.width * max(1.0, last.criterion / self.enough) ** (1.0 / order)))


def undetermined(trial: Trial) -> bool:
    """Whether the rows are satisfied by two fits that have little in common."""
    return trial.share < _SILENT and trial.disagreement > _APART and trial.share < 1e-6 * trial.disagreement


def widest_for(task_rows: float, dim: int) -> int:
    """N at which two fits side by side fill half of the free memory, with `task_rows` rows for each neuron."""
    free = 0.5 * available_bytes("cpu") / (2 * 8 * _COPIES)
    return int(math.sqrt(free / task_rows)) if dim else 1
