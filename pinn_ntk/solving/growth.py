"""Growth: width and points go up, and scales with them, until two fits agree to the tolerance, rounding is met,
or the effort is spent.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pinn_ntk.kernels.memory import available_bytes
from pinn_ntk.solving.fit import Bench
from pinn_ntk.solving.probing import Prober, around, whole_ladder
from pinn_ntk.solving.reasons import Reason, outcome
from pinn_ntk.solving.recipe import Recipe
from pinn_ntk.solving.search import Search, Trial, beside_rivals, distinct
from pinn_ntk.solving.uniqueness import NullFunction

_FIRST, _FIRST_HIGH = 300, 400  # widths of probes, up to three coordinates and above
_GROWTH = 1.7
_DECIDED = 1000  # width up to which four scales are compared at every level, from there on two
_LOST = 1e-6  # a criterion above which, at a width of _LOOK or more, every activation and scale is tried once more
_LOOK = 800
_ROUNDING = 1e-11  # a criterion below which a level that gains nothing has met rounding
_SEPARATE = 30.0  # a factor by which the second best recipe is dropped
_CORNERED = 1e-9  # a criterion above which extra functions for convex corners are tried
_SHARP = 1e-7  # a criterion above which neurons are also tried where u bends
_LEVEL = 0.4  # share of the effort left that a level may take
_PROBES = 0.3  # share of the effort for probes
_SPEND = 0.85  # share of the effort left that the last pair may take
_WORSE = 1.5  # a factor by which the last pair may be worse than what was hoped
_OFFSETS = 10.0  # times ε‖u‖ is as good as u − C can be
_STOPPED = "on_level asked to stop"
_COPIES = 4.0  # arrays of rows × neurons alive in one fit


@dataclass(frozen=True)
class Grown:
    """What growth came to.

    Attributes:
        final: the last pair of fits, or the best level where nothing more could be made.
        reason: why it stopped.
        words: what was seen, and what would help.
        levels: the best trial at each width.
    """

    final: Trial
    reason: Reason
    words: tuple[str, ...]
    levels: tuple[Trial, ...]


@dataclass
class Growth:
    """A search that grows.

    Attributes:
        search: the effort and the trials.
        activations: σ by name.
        tolerance: on the relative L² error.
        widest: N at most.
        spare: a bench with more extra functions, which is taken where it is better.
        on_level: called with the best trial of every level; true ends the search there.
        start: a recipe and a width to go on from, without probes.
        null: a function that no row sees; it ends the search at the third level.
        notes: what the outcome should say of the search itself.
    """

    search: Search
    activations: tuple[str, ...]
    tolerance: float
    widest: int
    spare: Bench | None = None
    on_level: Callable[[Trial], object] | None = None
    start: tuple[Recipe, int] | None = None
    null: NullFunction | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def enough(self) -> float:
        """A criterion that leaves room for the last pair to be a little worse, and that rounding of u allows."""
        offset = self.search.trials[-1].offset if self.search.trials else 0.0
        return max(0.6 * self.tolerance, _OFFSETS * offset)

    def run(self) -> Grown:
        """Probe, grow, and make the last pair."""
        search, tops = self.search, self._first()
        levels, looked, stop = [tops[0]], False, self._stopped(tops[0])
        while (reason := self._reason(levels, stop)) is None:
            width = min(self.widest, round(levels[-1].width * _GROWTH / 20) * 20)
            recipes = self._candidates(tops, width)
            affordable = int(_LEVEL * search.left / search.predicted(width))
            if affordable == 0 or not search.in_time(width):
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
            stop = self._stopped(tops[0])
        return self._finished(levels, reason)

    def _first(self) -> list[Trial]:
        """The probes; or the recipe to go on from."""
        search, dim = self.search, self.search.bench.task.dim
        if self.start is not None:
            recipe, width = self.start
            return [search.trial(recipe, min(self.widest, width))]
        width = min(self.widest, _FIRST if dim <= 3 else _FIRST_HIGH)
        return Prober(search, self.activations, self.enough, _PROBES * search.effort.operations).run(width)

    def _stopped(self, level: Trial) -> bool:
        """Tell of a level, and hear whether to end there."""
        return self.on_level is not None and self.on_level(level) is True

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
        again = Prober(search, self.activations, self.enough, search.effort.spent + _PROBES * search.left).run(
            best.width
        )
        return sorted([beside, *again], key=lambda t: t.score)

    def _once_more(self, tops: Sequence[Trial], width: int) -> list[Trial]:
        """Where nothing is resolved, a probe of few neurons told nothing: all activations and scales at this width,
        as time allows.
        """
        search, found, best = self.search, list[Trial](), tops[0]
        for recipe in whole_ladder(
            self.activations, search.bench.task.dim, best.recipe.axes, search.bench.task.details
        ):
            recipe = replace(recipe, focus=best.recipe.focus)
            if search.predicted(width) > 0.1 * search.left or not search.in_time(width):
                break
            found.append(search.trial(recipe, width))
        return found

    def _reason(self, levels: Sequence[Trial], stop: bool) -> Reason | None:
        """Why not to grow any more."""
        best, last = min(levels, key=lambda t: t.criterion), levels[-1]
        if best.criterion <= self.enough:
            return Reason.CONVERGED
        if stop:
            self.notes.append(_STOPPED)
            return Reason.BUDGET
        if (
            len(levels) > 1
            and best.criterion < max(_ROUNDING, 1e3 * best.offset)
            and last.criterion > 0.5 * min(t.criterion for t in levels[:-1])
        ):
            return Reason.ROUNDING
        if last.width >= self.widest:
            return Reason.WIDTH
        if len(levels) < 3:
            return None
        return Reason.UNDERDETERMINED if self.null is not None or self.search.bench.task.missing else None

    def _finished(self, levels: list[Trial], reason: Reason) -> Grown:
        """The last pair: at the width that was best, or as wide as effort and time allow; grown on where it is not as
        good as was hoped; the better of two levels.
        """
        search, best = self.search, min(levels, key=lambda t: t.criterion)
        width = best.width
        if reason is Reason.BUDGET and _STOPPED not in self.notes:
            width = self._affordable(levels, best.width)
        final = best
        if search.in_time(width) and search.predicted(width) <= max(search.left, search.predicted(best.width)):
            final = search.fresh(best.recipe, width)
        if reason is Reason.CONVERGED and final.estimate > self.tolerance:
            final, reason = self._wider(final)
        elif final.criterion > _WORSE * best.criterion and width > best.width and search.in_time(best.width):
            again = search.fresh(best.recipe, best.width)  # where u is not smooth, more neurons need not be better
            if again.criterion < final.criterion:
                self.notes.append(
                    f"N = {final.width} was tried and is not better (estimate {final.estimate:.2g}): "
                    f"N = {again.width} is returned"
                )
                final = again
        final = beside_rivals(final, search.trials)
        found = outcome(search.bench.task, self.null, reason, final, levels, self.tolerance)
        return Grown(final, found.reason, (*found.words, *self._spent(found.reason, final)), tuple(levels))

    def _affordable(self, levels: Sequence[Trial], least: int) -> int:
        """The widest last pair that effort and time pay for, no wider than the tolerance is expected to need."""
        search = self.search
        width = least
        while (wider := round(1.05 * width) + 1) <= self._needed(levels):
            if search.predicted(wider) > _SPEND * search.left or not search.effort.allows(search.predicted(wider)):
                break
            width = wider
        return width

    def _spent(self, reason: Reason, final: Trial) -> list[str]:
        """What ended the search, in words: its notes, the clock, or what the next level would have taken."""
        search, effort = self.search, self.search.effort
        if effort.late:
            self.notes.append(
                f"the clock ended it: {effort.elapsed:.3g} s of optimizer.seconds={effort.seconds:g} are over and the "
                "next fit would take more than what is left; without `seconds` effort ends a run, and it is repeatable"
            )
        elif reason in (Reason.BUDGET, Reason.UNRESOLVED) and not self.notes:
            wider = search.predicted(min(self.widest, round(final.width * _GROWTH)))
            self.notes.append(
                f"the next level would take {wider:.2g} operations of the {max(search.left, 0.0):.2g} left of "
                f"effort={effort.operations:.2g}"
            )
        return self.notes

    def _wider(self, final: Trial) -> tuple[Trial, Reason]:
        """Wider by steps of 1.3 until the last pair meets the tolerance, too."""
        search, width, best = self.search, final.width, final
        while best.estimate > self.tolerance:
            wider = min(self.widest, round(width * 1.3))
            if wider == width:
                return best, Reason.WIDTH
            if search.predicted(wider) > search.left or not search.in_time(wider):
                return best, Reason.BUDGET
            width, before = wider, final
            final = search.fresh(final.recipe, width)
            best = min(best, final, key=lambda t: t.criterion)
            if final.criterion > 0.5 * before.criterion and final.criterion < _ROUNDING:
                return best, Reason.CONVERGED if best.estimate <= self.tolerance else Reason.ROUNDING
        return best, Reason.CONVERGED

    def _needed(self, levels: Sequence[Trial]) -> int:
        """N at which the tolerance would be met if the error went on falling by the order of the last two levels."""
        if len(levels) < 2:
            return self.widest
        before, last = levels[-2:]
        if last.width <= before.width or not 0.0 < last.criterion < math.inf:
            return self.widest
        order = math.log(before.criterion / last.criterion) / math.log(last.width / before.width)
        if not order >= 1.0:
            return self.widest
        return min(self.widest, int(1.1 * last.width * max(1.0, last.criterion / self.enough) ** (1.0 / order)))


def widest_for(task_rows: float, dim: int) -> int:
    """N at which two fits side by side fill half of the free memory, with `task_rows` rows for each neuron."""
    free = 0.5 * available_bytes("cpu") / (2 * 8 * _COPIES)
    return int(math.sqrt(free / task_rows)) if dim else 1
