"""Probes: activation, scales by axis and sparsity of the inner weights, by pairs of fits of a few hundred neurons."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pinn_ntk.solving.recipe import Details, Recipe, isotropic, limited
from pinn_ntk.solving.search import SCALES, Search, Trial, distinct

_LADDER = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_LADDER_HIGH = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # from four coordinates on
_JUMPS = (4.0, 0.25, 2.0, 0.5)  # of one axis: the disagreement may be flat until an axis is resolved
_FINE = (2.0**0.5, 2.0**-0.5)
WAVES = ("sin", "cos")  # σ that do not decay
_LOW = 3  # coordinates up to which every neuron sees all of them
_SPARSE = (1, 2, 3)


@dataclass(frozen=True)
class Prober:
    """Where probes are made.

    Attributes:
        search: the clock and the trials.
        activations: σ by name, the first is tried on every sparsity.
        enough: a criterion at which there is nothing left to look for.
        share: operations after which no more probes are made, counted from the start.
    """

    search: Search
    activations: tuple[str, ...]
    enough: float
    share: float

    @property
    def dim(self) -> int:
        """d."""
        return self.search.bench.task.dim

    @property
    def details(self) -> Details | None:
        """Of the problem."""
        return self.search.bench.task.details

    @property
    def over(self) -> bool:
        """Whether a probe was good enough, or the effort for probes is spent."""
        return (
            self.search.effort.spent > self.share
            or not self.search.in_time(self.search.trials[-1].width)
            or self.search.best.criterion <= self.enough
        )

    def run(self, width: int) -> list[Trial]:
        """The best recipes, of different activations where there are several: isotropic first, then axis by axis."""
        found = self._ladder(width) if self.dim <= _LOW else self._sparse(width)
        for start in distinct(found, 2):
            if not self.over:
                found.append(self._by_axis(start, width))
        return distinct(found, 2)

    def _ladder(self, width: int) -> list[Trial]:
        """Every activation with one scale for all axes; where the problem has details, with steep neurons there and
        without.
        """
        found: list[Trial] = []
        for activation, details in steep_or_not(self.activations, self.details):
            for scale in _LADDER:
                if found and self.over:
                    return found
                found.append(self.search.trial(isotropic(activation, scale, self.dim, None, details), width))
        return found

    def _sparse(self, width: int) -> list[Trial]:
        """The first activation with one to three axes for each neuron, or all; the others about what was best."""
        found: list[Trial] = []
        for axes in (self.dim, *_SPARSE):
            for scale in _LADDER_HIGH:
                if found and self.over:
                    return found
                found.append(
                    self.search.trial(isotropic(self.activations[0], scale, self.dim, axes, self.details), width)
                )
            if axes == self.dim:
                whole = min(found, key=lambda t: t.share)
                self.search.ratio = whole.disagreement / whole.share if whole.share > 0.0 else self.search.ratio
        best = min(found, key=lambda t: t.score).recipe
        for activation in self.activations[1:]:
            for factor in (0.25, 0.5, 1.0):
                if self.over:
                    return found
                recipe = isotropic(activation, best.scales[0] * factor, self.dim, best.axes)
                found.append(self.search.trial(recipe, width))
        return found

    def _by_axis(self, start: Trial, width: int) -> Trial:
        """Coordinate search over the scales, in full jumps and then in fine ones."""
        best = start
        for factors in (_JUMPS, _JUMPS[2:], _FINE):
            moved = False
            for axes in self._groups():
                better = self._line(best, axes, factors, width)
                moved, best = moved or better is not best, better
            if self.over or (not moved and factors is _FINE):
                break
        return best

    def _line(self, best: Trial, axes: tuple[int, ...], factors: Sequence[float], width: int) -> Trial:
        """The best of the scales of those axes times those factors."""
        for factor in factors:
            if self.over:
                return best
            recipe = limited(best.recipe.scaled(factor, *axes), *SCALES)
            trial = self.search.trial(recipe, width)
            if trial.score < best.score:
                best = trial
        return best

    def _groups(self) -> list[tuple[int, ...]]:
        """Axes that are scaled together: each on its own, from four coordinates on space and time."""
        d, time = self.dim, self.search.bench.task.time
        if d == 1:
            return [(0,)]
        if d <= _LOW:
            return [(j,) for j in range(d)]
        return [tuple(range(d - 1)), (d - 1,)] if time else [tuple(range(d))]


def around(recipe: Recipe, factors: Sequence[float]) -> list[Recipe]:
    """The recipe with all scales times each factor."""
    return [limited(recipe.scaled(f), *SCALES) for f in factors]


def steep_or_not(activations: Sequence[str], details: Details | None) -> Iterator[tuple[str, Details | None]]:
    """Activations, with details where there are any and σ is flat away from one place, and without."""
    for activation in activations:
        if details is not None and activation not in WAVES:
            yield activation, details
    yield from ((activation, None) for activation in activations)


def whole_ladder(activations: Sequence[str], dim: int, axes: int, details: Details | None = None) -> list[Recipe]:
    """Every activation with every scale."""
    pairs = list(steep_or_not(activations, details))
    return [isotropic(a, s, dim, axes, steep) for s in (_LADDER if dim <= _LOW else _LADDER_HIGH) for a, steep in pairs]
