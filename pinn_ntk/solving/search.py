"""Trials and their order: what a person would guess is found by pairs of small fits,
the best of which is the one whose two draws agree.

Two fits of independently drawn neurons differ by about the error of either: over many problems within a factor of
three, where a residual may be off by orders. So a recipe is judged by that disagreement, raised where the residual on
rows that no fit has seen is large.

Neurons that see k of d axes cannot approximate everything: what they lack is the same in both fits. The residual tells
it, by the ratio of disagreement to residual that fits with neurons of all axes have.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from pinn_ntk.solving.defect import Amplification
from pinn_ntk.solving.effort import Effort, pair_operations
from pinn_ntk.solving.fit import Bench, Fit
from pinn_ntk.solving.recipe import Recipe, limited
from pinn_ntk.solving.task import Sample
from pinn_ntk.solving.waves import rms

_UNRESOLVED = 0.1  # a share of the residual at which a disagreement counts √2 times
_BOTH = 1.5  # times the gap: of two fits that err by alike amounts one may well err by more than they differ
_SURE = 1.5  # deviations: noise and the prior leave that much with nine chances in ten
_TOLD = 1e-3  # a share of the residual from which on no estimate is below it
_CLEARLY = 0.3  # of the score before: one of the criterion, which is off by a factor of three, may be luck
_HALF = 0.5  # of ‖u‖: with a larger error the size of u is not known either
_OTHER = 1.25  # of the scales in the second fit of the last pair
SCALES = (1.0 / 32.0, 256.0)
_FRESH = 1000  # seeds of the last pair are this far from those of the probes


@dataclass(frozen=True)
class Trial:
    """Two fits of one recipe, or of two.

    All errors are in u's own units; shares are of the terms of a row, u's free constant being removed.

    Attributes:
        recipe: of the neurons.
        width: N.
        points: n of the rows.
        pair: the fits.
        values: the first of them at the reference points.
        size: ‖u‖, rms there.
        spread: ‖u − C‖, rms there, with the constant that the equation does not see.
        gap: ‖u₁ − u₂‖, rms there.
        share: of the terms of a row, left as residual on rows that no fit has seen (`View.share`).
        bias: what both fits may lack, by their residual, relative to ‖u‖; 0 of neurons that see all axes.
        natural: the size of u that the data tell (`View.natural`).
        rounding: ε(Σ (a_kφ_k)²)^½, rms there.
        residual: on those rows, as a share of the terms of the block, over √n_b, (n,).
        worst: the block with the largest share.
        place: where its residual is largest.
        operations: of both.
        deviation: what noise of the data leaves open, rms; 0 without noise.
        grown: what the residual has grown to where errors grow in time, rms (`Amplification`).
        doubt: how far off it is by a trial that meets the rows better, rms (`beside_rivals`).
        least: size of u that is as likely, rms.
        seconds: wall time of both.
    """

    recipe: Recipe
    width: int
    points: int
    pair: tuple[Fit, Fit]
    values: Tensor
    size: float
    spread: float
    gap: float
    share: float
    bias: float
    natural: float
    rounding: float
    residual: Tensor
    worst: str
    place: tuple[float, ...]
    operations: float
    seconds: float
    deviation: float = 0.0
    grown: float = 0.0
    doubt: float = 0.0
    least: float = math.inf

    @property
    def disagreement(self) -> float:
        """‖u₁ − u₂‖/‖u‖."""
        return _ratio(self.gap, self.size)

    @property
    def error(self) -> float:
        """In u's units: the gap, raised where the residual says that nothing is resolved; from a share of 10⁻³ on
        at least that share of u; never below rounding.
        """
        raised = _BOTH * self.gap * math.sqrt(1.0 + (self.share / _UNRESOLVED) ** 2)
        told = self.share * self.spread if self.share > _TOLD else 0.0
        value = max(raised, told, self.bias * self.size, self.rounding, self.grown, self.doubt, _SURE * self.deviation)
        return value if math.isfinite(value) else math.inf

    @property
    def estimate(self) -> float:
        """The error relative to ‖u‖; to the least size that u may have, where u is not resolved."""
        return _ratio(self.error, min(self.size, self.least) if self.error > _HALF * self.size else self.size)

    @property
    def criterion(self) -> float:
        """The error relative to ‖u − C‖, so that no offset of u makes a fit good enough."""
        return _ratio(self.error, self.spread)

    @property
    def offset(self) -> float:
        """ε‖u‖/‖u − C‖: what rounding of u leaves of u − C."""
        return _ratio(torch.finfo(self.values.dtype).eps * self.size, self.spread)

    @property
    def score(self) -> float:
        """√(criterion · share), by which recipes are chosen: one pair's disagreement is off by a factor of three,
        and few residuals are.
        """
        value = math.sqrt(self.criterion * self.share)
        return value if math.isfinite(value) else math.inf


def _ratio(error: float, size: float) -> float:
    return error / size if size > 0.0 and math.isfinite(error) else 0.0 if error == 0.0 else math.inf


@dataclass
class Search:
    """An effort, and every trial so far.

    Attributes:
        bench: where fits are made.
        effort: what may be spent, and what was.
        trials: in the order in which they were made.
        ratio: of disagreement to residual, of fits with neurons of all axes.
    """

    bench: Bench
    effort: Effort
    trials: list[Trial] = field(default_factory=list)
    ratio: float = 0.1
    _samples: dict[tuple[int, int], Sample] = field(default_factory=dict)
    _done: dict[tuple[Recipe, int], Trial] = field(default_factory=dict)

    @cached_property
    def amplification(self) -> Amplification:
        """How errors grow."""
        return Amplification.of(self.bench, self.effort)

    @property
    def left(self) -> float:
        """Operations left; none once the clock has ended the search."""
        return 0.0 if self.effort.late else self.effort.left

    @property
    def best(self) -> Trial:
        """The trial whose criterion is least."""
        return min(self.trials, key=lambda t: t.criterion)

    def trial(self, recipe: Recipe, width: int) -> Trial:
        """The recipe at that width, from memory where it was tried before."""
        if (recipe, width) not in self._done:
            seeds = 2 * len(self._done) % _FRESH
            self._done[recipe, width] = self._tried((recipe,) * 2, width, seeds, (self._sample(width, 0),) * 2)
        return self._done[recipe, width]

    def fresh(self, recipe: Recipe, width: int) -> Trial:
        """The recipe with neurons and points of their own in both fits, which no trial before has seen; the second
        fit has other scales, too: what a recipe lacks everywhere, two fits of it lack alike.
        """
        task = self.bench.task
        samples = tuple(task.fit_sample(width, task.seed + _FRESH * (2 + k) + len(self.trials)) for k in range(2))
        other = limited(recipe.scaled(_OTHER), *SCALES)
        made = self._tried((recipe, other), width, _FRESH + 2 * len(self.trials), (samples[0], samples[1]))
        grown = self.amplification.error(self.bench, self.effort, made.pair[0], made.share, made.spread)
        self.trials[-1] = replace(made, grown=grown)
        return self.trials[-1]

    def beside(self, bench: Bench, recipe: Recipe, width: int) -> Trial | None:
        """The recipe on another bench, which takes the place of this one if the trial is clearly better;
        None if it is not.
        """
        before, own = self.trial(recipe, width), (self.bench, self._samples, self._done)
        self.bench, self._samples, self._done = bench, {}, {}
        made = self.trial(recipe, width)
        if made.score < _CLEARLY * before.score:
            return made
        self.bench, self._samples, self._done = own
        return None

    def best_of(self, recipes: Sequence[Recipe], width: int, enough: float = 0.0) -> list[Trial]:
        """Trials of those recipes from the best on, ending early at one that is good enough or where effort or time is
        over.
        """
        made: list[Trial] = []
        for recipe in recipes:
            made.append(self.trial(recipe, width))
            if made[-1].criterion <= enough or self.left <= 0.0 or not self.in_time(width):
                break
        return sorted(made, key=lambda t: t.score)

    def predicted(self, width: int) -> float:
        """Operations that a trial of that width takes."""
        return pair_operations(self.bench.task.rows_at(width), width, len(self.bench.functions))

    def in_time(self, width: int) -> bool:
        """Whether the clock allows for a trial of that width."""
        return self.effort.in_time(self.predicted(width))

    def _sample(self, width: int, seed: int) -> Sample:
        key = (width, seed)
        if key not in self._samples:
            if len(self._samples) > 3:
                self._samples.clear()
            self._samples[key] = self.bench.task.probing_sample(width, self.bench.task.seed + seed)
        return self._samples[key]

    def _tried(self, recipes: tuple[Recipe, Recipe], width: int, seed: int, samples: tuple[Sample, Sample]) -> Trial:
        begin, bench = self.effort.elapsed, self.bench
        for sample in dict.fromkeys(samples):
            bench.prepare(sample)
        seeds = (bench.task.seed + seed, bench.task.seed + seed + 1)
        with halved_threads() as pool:
            pair = tuple(pool.map(lambda r, s, k: bench.fit(r, width, k, s), recipes, samples, seeds))
        self.effort.spend(self.predicted(width))
        made = make_trial(self, recipes, samples, (pair[0], pair[1]), seconds=self.effort.elapsed - begin)
        self.trials.append(made)
        return made


def make_trial(
    search: Search,
    recipes: tuple[Recipe, Recipe],
    samples: Sequence[Sample],
    pair: tuple[Fit, Fit],
    noisy: frozenset[str] = frozenset(),
    seconds: float = 0.0,
) -> Trial:
    """Two fits, compared.

    Args:
        search: where they were made.
        recipes: of both.
        samples: of both.
        pair: the fits.
        noisy: blocks whose residual is noise.
        seconds: that they took.
    """
    bench, width = search.bench, pair[0].width
    view, other = bench.view(pair[0], noisy), bench.values(pair[1])
    whole = view.values + bench.task.constant
    bias = search.ratio * view.share if recipes[0].axes < bench.task.dim else 0.0
    return Trial(
        recipe=recipes[0],
        width=width,
        points=samples[0].points,
        pair=pair,
        values=whole,
        size=max(rms(whole), rms(other + bench.task.constant)),
        spread=rms(view.values),
        gap=rms(view.values - other),
        share=view.share,
        bias=bias,
        natural=view.natural,
        rounding=view.rounding,
        residual=view.residual,
        worst=view.worst,
        place=view.place,
        operations=search.predicted(width),
        seconds=seconds,
    )


def beside_rivals(final: Trial, trials: Sequence[Trial]) -> Trial:
    """The trial, where its residual stays or its fits are apart, in the light of those that meet the rows as well:
    its error is no smaller than that of the one that meets them best, and than its distance from it.

    Args:
        final: whose error is asked for.
        trials: every one that was made.
    """
    if final.share <= _TOLD and final.gap <= _HALF * final.size:
        return final
    rivals = [t for t in trials if t is not final and t.share <= final.share and math.isfinite(t.error)]
    sizes = [size for size in (final.natural, *(t.size for t in rivals)) if size > 0.0]
    best, doubt = min(rivals, key=lambda t: t.share, default=final), 0.0
    if best.share < final.share:
        doubt = max(best.error, rms(best.values - final.values))
    return replace(final, doubt=doubt, least=min(sizes, default=math.inf))


@contextmanager
def halved_threads() -> Iterator[ThreadPoolExecutor]:
    """Two workers with half of torch's threads each: two factorisations side by side are faster than one after another
    on all.
    """
    before = torch.get_num_threads()
    share = max(1, before // 2)
    torch.set_num_threads(share)
    try:
        with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def distinct(trials: Sequence[Trial], count: int) -> list[Trial]:
    """The best trial of every activation and sparsity, steep or not, the best `count` of these."""
    best: dict[tuple[str, int, bool], Trial] = {}
    for trial in sorted(trials, key=lambda t: t.score):
        best.setdefault((trial.recipe.activation, trial.recipe.axes, trial.recipe.details is not None), trial)
    return list(best.values())[:count]
