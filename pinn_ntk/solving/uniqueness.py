"""Whether the rows determine u: is there a w ≠ 0 with 𝓛_b w ≈ 0 for all conditions?

Uniqueness belongs to the rows, not to u or its data: two fits of zero data agree whatever is open. Sines with frozen
phases span smooth functions; with Φ their rows (scaled as in a fit) and P their values at reference points,
[Φ; P] = UΣVᵀ, truncated where Σ is rounding, the least singular value of the rows of U that belong to Φ is
min ‖Φc‖/‖(Φc, Pc)‖. The w of that minimum is looked at on fresh rows, as n rows can be met by what is none. For a
well-posed problem it is the constant of its stability; where w exists it is as small as sines approximate w well.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.solving.fit import Bench, Fit
from pinn_ntk.solving.recipe import Recipe, isotropic
from pinn_ntk.solving.search import Search
from pinn_ntk.solving.task import Sample

_WIDTHS = {1: 150, 2: 300}
_WIDTH = 400
_SCALES = (4.0, 8.0)
_WITHIN, _FINEST = 0.75, 24.0  # of the scale: a wave that sines of it tell well; the finest that so few can tell
_WAVE = "sin"
_POINTS = 500
_TRUNCATED = 1e-11  # of the largest singular value
_SMALL = 1e-8  # of rows that are not seen: a problem so near to that leaves no more than half of the digits anyway


@dataclass(frozen=True)
class NullFunction:
    """w, of size 1, that no row sees.

    Attributes:
        size: of its rows, on points that it was not made for.
        values: at the first of the reference points, (m,).
    """

    size: float
    values: Tensor


def null_function(search: Search) -> NullFunction | None:
    """What may be added to u; None where the rows determine it, as far as these sines tell.

    Args:
        search: its bench and its effort, of which two or three small pairs are taken.
    """
    task = search.bench.task
    width, number = _WIDTHS.get(task.dim, _WIDTH), task.wave_number
    asked = [(scale, width) for scale in _SCALES]
    if _SCALES[0] < number / _WITHIN <= _FINEST:  # as fine as what the equation itself annihilates
        asked.append((number / _WITHIN, 2 * width))
    least = min((_least_seen(search, *one) for one in asked), key=lambda one: one.size)
    return least if least.size < _SMALL else None


def _least_seen(search: Search, scale: float, most: int) -> NullFunction:
    """The function that rows see least, among sines of that scale."""
    task, bench = search.bench.task, search.bench
    width = min(most, task.largest_width or most)
    search.effort.spend(search.predicted(width))
    recipe = isotropic(_WAVE, scale, task.dim)
    w = recipe.draw(width, task.frame, task.seed + 11)
    (rows, fit), (fresh, _) = (_rows(bench, recipe, w, task.fit_sample(width, task.seed + k)) for k in (1, 77))
    values = bench.terms(fit)[:_POINTS]
    values = (values - values.mean(0) if task.floating else values) / math.sqrt(len(values))
    stacked = torch.cat([rows, values])
    norms = stacked.norm(dim=0).clamp(min=1e-300)
    left, sizes, right = torch.linalg.svd(stacked / norms, full_matrices=False)
    kept = sizes > _TRUNCATED * sizes[0]
    basis = left[:, kept]
    _, _, least = torch.linalg.svd(basis[: len(rows)], full_matrices=False)
    c = (right[kept].mT / sizes[kept]) @ least[-1] / norms
    return NullFunction(float((fresh @ c).norm()), basis[len(rows) :] @ least[-1])


def _rows(bench: Bench, recipe: Recipe, w: Tensor, sample: Sample) -> tuple[Tensor, Fit]:
    """The rows of those neurons, scaled as in a fit, and the fit that is zero."""
    bench.prepare(sample)
    rows, _, weights = bench.system(recipe, w, sample)
    zeros = w.new_zeros(len(w)), w.new_zeros(len(bench.functions))
    return rows, Fit(recipe, 0, w, *zeros, bench.functions, weights, sample)
