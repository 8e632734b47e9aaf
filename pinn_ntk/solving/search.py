"""Trials and their order: what a person would guess is found by pairs of small fits,
the best of which is the one whose two draws agree.

Two fits of independently drawn neurons differ by about the error of either: over many problems within a factor of
three, where a residual may be off by orders. So a recipe is judged by that disagreement, raised where the residual on
rows that no fit has seen is large.

Neurons that see k of d axes cannot approximate everything: what they lack is the same in both fits. The residual tells
it, by the ratio of disagreement to residual that fits with neurons of all axes have.
"""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pinn_ntk.solving.fit import Bench, Fit, difference
from pinn_ntk.solving.recipe import Recipe
from pinn_ntk.solving.task import Sample

_UNRESOLVED = 0.1  # a share of the residual at which a disagreement counts √2 times
_CLEARLY = 0.3  # of the score before: one of the criterion, which is off by a factor of three, may be luck
_FRESH = 1000  # seeds of the last pair are this far from those of the probes


@dataclass(frozen=True)
class Trial:
    """Two fits of one recipe.

    Attributes:
        recipe: of the neurons.
        width: N.
        points: n of the rows.
        pair: the fits.
        values: the first of them at the reference points.
        disagreement: ‖u₁ − u₂‖/‖u‖ there.
        share: of the terms of a row, left as residual on rows that no fit has seen (`Bench.residual_share`).
        bias: what both fits may lack, by their residual; 0 of neurons that see all axes.
        seconds: wall time of both.
    """

    recipe: Recipe
    width: int
    points: int
    pair: tuple[Fit, Fit]
    values: Tensor
    disagreement: float
    share: float
    bias: float
    seconds: float

    @property
    def criterion(self) -> float:
        """The disagreement, raised where the residual says that nothing is resolved."""
        value = max(self.disagreement * math.sqrt(1.0 + (self.share / _UNRESOLVED) ** 2), self.bias)
        return value if math.isfinite(value) else math.inf

    @property
    def score(self) -> float:
        """√(criterion · share), by which recipes are chosen: one pair's disagreement is off by a factor of three,
        and few residuals are.
        """
        value = math.sqrt(self.criterion * self.share)
        return value if math.isfinite(value) else math.inf


@dataclass
class Search:
    """A clock, and every trial so far.

    Attributes:
        bench: where fits are made.
        seconds: of all of it; a trial that would take longer than what is left is not begun.
        trials: in the order in which they were made.
        ratio: of disagreement to residual, of fits with neurons of all axes.
    """

    bench: Bench
    seconds: float
    trials: list[Trial] = field(default_factory=list)
    ratio: float = 0.1
    _begun: float = field(default_factory=time.perf_counter)
    _samples: dict[tuple[int, int], Sample] = field(default_factory=dict)
    _done: dict[tuple[Recipe, int], Trial] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._begun

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.seconds - self.elapsed

    @property
    def best(self) -> Trial:
        """The trial whose criterion is least."""
        return min(self.trials, key=lambda t: t.criterion)

    def trial(self, recipe: Recipe, width: int) -> Trial:
        """The recipe at that width, from memory where it was tried before."""
        if (recipe, width) not in self._done:
            self._done[recipe, width] = self._tried(
                recipe, width, 2 * len(self._done) % _FRESH, (self._sample(width, 0),) * 2
            )
        return self._done[recipe, width]

    def fresh(self, recipe: Recipe, width: int) -> Trial:
        """The recipe with neurons and points of their own in both fits, which no trial before has seen."""
        task = self.bench.task
        samples = tuple(task.fit_sample(width, task.seed + _FRESH * (2 + k) + len(self.trials)) for k in range(2))
        return self._tried(recipe, width, _FRESH + 2 * len(self.trials), (samples[0], samples[1]))

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
        """Trials of those recipes from the best on, ending early at one that is good enough or where the time is
        over.
        """
        made: list[Trial] = []
        for recipe in recipes:
            made.append(self.trial(recipe, width))
            if made[-1].criterion <= enough or self.left <= 0.0:
                break
        return sorted(made, key=lambda t: t.score)

    def predicted(self, width: int) -> float:
        """Seconds that a trial of that width will take, from the widest so far by N³ (the points growing with N)."""
        last = max(self.trials, key=lambda t: (t.width, t.seconds))
        return last.seconds * (width / last.width) ** 3

    def _sample(self, width: int, seed: int) -> Sample:
        key = (width, seed)
        if key not in self._samples:
            if len(self._samples) > 3:
                self._samples.clear()
            self._samples[key] = self.bench.task.probing_sample(width, self.bench.task.seed + seed)
        return self._samples[key]

    def _tried(self, recipe: Recipe, width: int, seed: int, samples: tuple[Sample, Sample]) -> Trial:
        begin, bench = time.perf_counter(), self.bench
        for sample in dict.fromkeys(samples):
            bench.prepare(sample)
        seeds = (bench.task.seed + seed, bench.task.seed + seed + 1)
        with halved_threads() as pool:
            pair = tuple(pool.map(lambda s, k: bench.fit(recipe, width, k, s), samples, seeds))
        values, other = (bench.values(fit) for fit in pair)
        gap, share = difference(values, other), bench.residual_share(pair[0])
        spent = time.perf_counter() - begin
        bias = self.ratio * share if recipe.axes < bench.task.dim else 0.0
        made = Trial(recipe, width, samples[0].points, (pair[0], pair[1]), values, gap, share, bias, spent)
        self.trials.append(made)
        return made


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
    """The best trial of every activation and sparsity, the best `count` of these."""
    best: dict[tuple[str, int], Trial] = {}
    for trial in sorted(trials, key=lambda t: t.score):
        best.setdefault((trial.recipe.activation, trial.recipe.axes), trial)
    return list(best.values())[:count]


def isotropic(activation: str, scale: float, dim: int, axes: int | None = None) -> Recipe:
    """One scale for every axis."""
    return Recipe(activation, (scale,) * dim, dim if axes is None else axes)


def limited(recipe: Recipe, low: float, high: float) -> Recipe:
    """The recipe with its scales kept between those."""
    return replace(recipe, scales=tuple(min(max(s, low), high) for s in recipe.scales))
