"""Whether the rows determine u: is there a w ≠ 0 with 𝓛_b w ≈ 0 for all conditions?

Uniqueness belongs to the rows, not to u or its data: two fits of zero data agree whatever is open. Sines with frozen
phases span smooth functions; with Φ their rows (scaled as in a fit) and P their values at reference points,
[Φ; P] = UΣVᵀ, truncated where Σ is rounding, the least singular value of the rows of U that belong to Φ is
min ‖Φc‖/‖(Φc, Pc)‖. The w of that minimum is looked at on fresh rows, as n rows can be met by what is none. For a
well-posed problem it is the constant of its stability; where w exists it is as small as sines approximate w well.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.solving.effort import Effort, pair_operations
from pinn_ntk.solving.fit import Bench, Fit
from pinn_ntk.solving.recipe import Recipe, isotropic
from pinn_ntk.solving.task import Sample, Task

_WIDTHS = {1: 150, 2: 300}
_WIDTH = 400
_SCALES = (4.0, 8.0)
_WITHIN, _FINEST = 0.75, 24.0  # of the scale: a wave that sines of it tell well; the finest that so few can tell
WAVES = "sin"
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


def null_function(bench: Bench, effort: Effort) -> NullFunction | None:
    """What may be added to u; None where the rows determine it, as far as these sines tell.

    Args:
        bench: where fits are made.
        effort: of which two or three small pairs are taken.
    """
    task = bench.task
    width, number = _WIDTHS.get(task.dim, _WIDTH), task.wave_number
    asked = [(scale, width) for scale in _SCALES]
    if _SCALES[0] < number / _WITHIN <= _FINEST:  # as fine as what the equation itself annihilates
        asked.append((number / _WITHIN, 2 * width))
    least = min((least_seen(bench, effort, *one) for one in asked), key=lambda one: one.size)
    return least if least.size < _SMALL else None


def least_seen(bench: Bench, effort: Effort, scale: float, most: int, rate: Tensor | None = None) -> NullFunction:
    """The function that rows see least, among sines of that scale times e^{g·x}.

    Args:
        bench: where fits are made.
        effort: of which a small pair is taken.
        scale: of the sines.
        most: of them.
        rate: g, (d,); None for 0.
    """
    task = bench.task
    width = min(most, task.largest_width or most)
    effort.spend(pair_operations(task.rows_at(width), width, len(bench.functions)))
    recipe = isotropic(WAVES, scale, task.dim)
    w = recipe.draw(width, task.frame, task.seed + 11)
    samples = (replace(task.fit_sample(width, task.seed + k), rate=rate) for k in (1, 77))
    (rows, fit), (fresh, _) = (_rows(bench, recipe, w, sample) for sample in samples)
    values = bench.terms(fit)[:_POINTS] * growth(task, rate, task.reference[:_POINTS])[:, None]
    values = (values - values.mean(0) if task.floating else values) / math.sqrt(len(values))
    stacked = torch.cat([rows, values])
    norms = stacked.norm(dim=0).clamp(min=1e-300)
    left, sizes, right = torch.linalg.svd(stacked / norms, full_matrices=False)
    kept = sizes > _TRUNCATED * sizes[0]
    basis = left[:, kept]
    _, _, least = torch.linalg.svd(basis[: len(rows)], full_matrices=False)
    c = (right[kept].mT / sizes[kept]) @ least[-1] / norms
    return NullFunction(float((fresh @ c).norm()), basis[len(rows) :] @ least[-1])


def growth(task: Task, rate: Tensor | None, x: Tensor) -> Tensor:
    """e^{g·x} over its largest in the box, (n,); 1 without a rate."""
    if rate is None:
        return torch.ones_like(x[:, 0])
    low = x.new_tensor(task.frame.low)
    ends = rate * torch.stack([low, low + 2.0 * x.new_tensor(task.frame.half)])
    return torch.exp(x @ rate - ends.amax(0).sum())


def _rows(bench: Bench, recipe: Recipe, w: Tensor, sample: Sample) -> tuple[Tensor, Fit]:
    """The rows of those neurons, scaled as in a fit, times e^{g·x}, and the fit that is zero."""
    bench.prepare(sample)
    rows, _, weights = bench.system(recipe, w, sample)
    rows *= torch.cat([growth(bench.task, sample.rate, block.x) for block in sample.blocks])[:, None]
    zeros = w.new_zeros(len(w)), w.new_zeros(len(bench.functions))
    return rows, Fit(recipe, 0, w, *zeros, bench.functions, weights, sample)
