"""Data with noise: y_i = u(x_i) + ξ_i beside equations that are exact.

The outer weights get a prior, c ~ N(0, I/μ²): with neurons at random h is then a Gaussian process whose scale is that
of the recipe. The equation and all exact conditions weigh 10⁵ times as much as data, which are divided by their σ. With
M = [exact; D; μI] = QR, leaving out the i-th datum changes its residual r_i to r_i/(1 − ‖Q_i‖²) (the leave-one-out
formula); recipe and μ are those with the least rms of these. σ̂² = ‖r‖²/(n − Σ‖Q_i‖²), where it is not given, and the
variance of h(x) is σ̂²‖R⁻ᵀφ(x)‖². Few data do not tell which prior is right: all that leave about the same error are
heard, with their variances and by how far they are from the best. Data count as noisy where what is left out is missed
by far more than the known v is, whose data are exact.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.solving.effort import Effort, pair_operations
from pinn_ntk.solving.fit import Bench, Fit
from pinn_ntk.solving.recipe import Recipe, isotropic
from pinn_ntk.solving.search import Search, Trial, make_trial
from pinn_ntk.solving.task import Sample, Task
from pinn_ntk.solving.waves import rms

_EXACT = 1e5  # the weight of exact rows beside data over σ
_PRIORS = tuple(10.0**k for k in range(-6, 3))
_SCALES = (0.5, 1.0, 2.0, 4.0, 8.0)
_WIDTH, _FINAL = 240, 480
_FEWEST = 8  # data from which noise can be told
_FAR = 30.0  # times as badly missed as the known v: noise
_EXACTLY = 1e-6  # of the data: what is missed by less is not noise
_SEED = 5000


@dataclass(frozen=True)
class Smooth:
    """One regularised fit.

    Attributes:
        fit: with the μ of the least leave-one-out error.
        error: its leave-one-out error, rms, in units of the data's scale.
        known: the same of the known v.
        sigma: σ̂ of each unit of noise: 1 where σ is given and true.
        values: h at the reference points, (m,).
        deviation: of it, rms.
    """

    fit: Fit
    error: float
    known: float
    sigma: float
    values: Tensor
    deviation: float


@dataclass(frozen=True)
class DataFit:
    """What the data tell.

    Attributes:
        trial: the last pair, its deviation being part of its error.
        words: what was found.
    """

    trial: Trial
    words: tuple[str, ...]


def noisy(task: Task) -> dict[str, float | None]:
    """The blocks of data whose values may have noise, with σ where it is given.

    Args:
        task: the problem; of interpolation alone only what says so itself.
    """
    equation = any(c.kind != "data" for c in task.problem.posed)
    found: dict[str, float | None] = {}
    for c in task.problem.posed:
        if c.kind == "data" and c.noise != 0.0 and (c.noise is not None or equation):
            found[c.name] = c.noise
    count = sum(int(c.region.measure) for c in task.problem.posed if c.name in found)
    return found if any(found.values()) or count >= _FEWEST else {}


def data_fit(search: Search, activations: Sequence[str]) -> DataFit | None:
    """The solution of data with noise; None where no noise is seen.

    Args:
        search: its bench, and the effort that is spent.
        activations: σ by name.
    """
    bench = search.bench
    blocks = noisy(bench.task)
    if not blocks:
        return None
    sample = bench.task.fit_sample(_WIDTH, bench.task.seed + _SEED)
    found = list(_tried(bench, search.effort, activations, sample, blocks))
    least = min(one.error for one in found)
    count = sum(len(b) for b in sample.blocks if b.name in blocks)
    enough = (1.0 + 1.0 / math.sqrt(2.0 * count)) * least
    best = min((one for one in found if one.error <= enough), key=lambda one: one.known)  # as good, and more exact
    recipe, told = best.fit.recipe, all(sigma is not None for sigma in blocks.values())
    plain = least <= max(_EXACTLY, _FAR * min(one.known for one in found))
    if plain and not told:
        return None
    search.effort.spend(pair_operations(bench.task.rows_at(_FINAL) + _FINAL, _FINAL))
    samples = [bench.task.fit_sample(_FINAL, bench.task.seed + _SEED + k) for k in (1, 2)]
    pairs = [list(_smooth(bench, recipe, _FINAL, _SEED + k, s, blocks)) for k, s in enumerate(samples)]
    pair = [min(one, key=lambda smooth: smooth.error) for one in pairs]
    trial = make_trial(search, (recipe, recipe), samples, (pair[0].fit, pair[1].fit), frozenset(blocks))
    near = [one for one in (*found, *pairs[0]) if one.error <= enough]
    deviation = max(math.hypot(one.deviation, rms(one.values - pair[0].values)) for one in near)
    return DataFit(replace(trial, deviation=deviation), tuple(_words(bench.task, blocks, pair[0], told)))


def _tried(
    bench: Bench, effort: Effort, activations: Sequence[str], sample: Sample, blocks: dict[str, float | None]
) -> Iterator[Smooth]:
    bench.prepare(sample)
    for activation in activations[:2]:
        for scale in _SCALES:
            recipe = isotropic(activation, scale, bench.task.dim)
            effort.spend(pair_operations(sample.points + _WIDTH, _WIDTH))
            yield from _smooth(bench, recipe, _WIDTH, _SEED, sample, blocks)


def _smooth(
    bench: Bench, recipe: Recipe, width: int, seed: int, sample: Sample, blocks: dict[str, float | None]
) -> Iterator[Smooth]:
    """Fits with every prior."""
    bench.prepare(sample)
    w = recipe.draw(width, bench.task.frame, bench.task.seed + seed)
    matrix, right, weights = bench.system(recipe, w, sample)
    exact, data = torch.ones(len(matrix), dtype=torch.bool, device=matrix.device), list[Tensor]()
    start, targets = 0, bench.task.targets(sample)
    for block, target, weight in zip(sample.blocks, targets, weights, strict=True):
        part = torch.arange(start, start + len(block), device=matrix.device)
        start += len(block)
        if block.name in blocks:
            sigma = blocks[block.name] or max(rms(target), 1e-300)
            unit = sigma * math.sqrt(weight / len(block))
            matrix[part], right[part] = matrix[part] / unit, right[part] / unit
            exact[part] = False
            data.append(part)
    rows = torch.cat(data)
    head = torch.linalg.qr(torch.cat([_EXACT * matrix[exact], _EXACT * right[exact]], 1), mode="r").R
    body = torch.cat([head, torch.cat([matrix[rows], right[rows]], 1)])
    size, columns = len(rows), matrix.shape[1]
    told = all(value is not None for value in blocks.values())
    for mu in _PRIORS:
        prior = mu * torch.eye(columns, dtype=matrix.dtype, device=matrix.device)
        Q, R = torch.linalg.qr(torch.cat([body[:, :columns], prior]))
        whole = torch.cat([body[:, columns:], prior.new_zeros(columns, 2)])
        c = torch.linalg.solve_triangular(R, Q.mT @ whole, upper=True)
        left = right[rows] - matrix[rows] @ c
        lever = Q[len(head) : len(head) + size].square().sum(1).clamp(max=1.0 - 1e-9)
        missed, known = (left / (1.0 - lever)[:, None]).square().mean(0).sqrt().tolist()
        sigma = math.sqrt(float(left[:, 0].square().sum()) / max(size - float(lever.sum()), 1.0))
        outer, extra = c[:width, 0], c[width:, 0]
        fit = Fit(recipe, bench.task.seed + seed, w, outer, extra, bench.functions, weights, sample)
        spread = torch.linalg.solve_triangular(R.mT, bench.terms(fit).mT, upper=False).norm(dim=0)
        deviation = rms(spread) * (max(sigma, 1.0) if told else sigma)
        yield Smooth(fit, missed, known, sigma, bench.values(fit), deviation)


def _words(task: Task, blocks: dict[str, float | None], one: Smooth, told: bool) -> Iterator[str]:
    """σ̂, and whether it is what was said."""
    sizes = {c.name: rms(b.target) for c, b in zip(task.problem.posed, task.held_out.blocks, strict=True)}
    for name, sigma in blocks.items():
        found = one.sigma * (sigma or sizes[name])
        yield f"data of block {name!r} scatter by {found:.2g} about u, and are not fitted closer"
        if told and sigma and found > 2.0 * sigma:
            yield f"that is more than their noise={sigma:.2g}: the equation or a condition does not fit them"
