"""Errors that grow: e with 𝓛e = f − 𝓛h, by neurons that follow an exponential, e ≈ e^{gt} Σ c_k sin(w_k·(x, 1)).

Where c makes u grow in time, a residual below rounding at the start is as large as u at the end, and fits of smooth
neurons leave it there alike. e^{−gt}𝓛e^{gt} has b + 2A∇(gt) and c + g b_t + g² A_tt in the place of b and c: for the
rates g from 0 to that at which c is cancelled, its rows are fitted to the residual. The rate that explains most of it
tells how large e is; where none explains half of it, nothing is told.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from pinn_ntk.networks.least_squares import OuterFactor
from pinn_ntk.operators.rows import Rows
from pinn_ntk.solving.effort import pair_operations
from pinn_ntk.solving.fit import Bench, Fit
from pinn_ntk.solving.recipe import isotropic
from pinn_ntk.solving.task import Sample, Task
from pinn_ntk.solving.waves import rms

_WAVE, _SCALE, _WIDTH = "sin", 4.0, 400
_STEP = 10.0  # of gT between two rates: sines follow what is left
_NO_GROWTH = 6.0  # gT up to which sines follow the exponential itself
_MOST = 60.0  # gT: beyond, e^{gT} is more than float64 can hold beside 1
_EXPLAINED = 0.5  # of the residual
_PROBED = 200  # rows that tell the rate


def grown_error(bench: Bench, fit: Fit) -> tuple[float, float]:
    """(rms of e, operations spent); 0 where nothing can grow, or where no rate explains the residual.

    Args:
        bench: where the fit was made.
        fit: whose error is asked for.
    """
    task = bench.task
    fastest = fastest_growth(task)
    length = 2.0 * task.frame.half[-1]
    total = min(float(fastest.abs().sum()) * length, _MOST)
    if not total > _NO_GROWTH:
        return 0.0, 0.0
    width = min(_WIDTH, task.largest_width or _WIDTH)
    sample = task.fit_sample(width, task.seed + 601)
    bench.prepare(sample)
    matrix, right, weights = bench.system(fit.recipe, fit.inner, sample)
    left = right[:, 0] - matrix @ torch.cat([fit.outer, fit.extra])
    steps = math.ceil(total / _STEP)
    rates = [fastest.sign() * _STEP * k / length for k in range(steps + 1)]
    share, error = min(_corrected(task, sample, left, weights, rate, width) for rate in rates)
    spent = 0.5 * len(rates) * pair_operations(len(left), width)
    return (error if share < _EXPLAINED else 0.0), spent


def fastest_growth(task: Task) -> Tensor:
    """g, (d,): along time, the largest rate with A_tt g² + b_t g + c = 0 at some point of the equation; 0 for none.

    An equation of first order on an interval has its only coordinate as time, from the end where u is given.
    """
    along, ordinary = torch.zeros(task.dim, dtype=torch.float64, device="cpu"), task.dim == 1 and task.order == 1
    if not (task.time or ordinary) or not task.posed:
        return along
    kinds = {c.name: c.kind for c in task.problem.posed}
    sample = task.fit_sample(_PROBED, task.seed + 600)
    given = [b.x.mean() for b in sample.blocks if kinds.get(b.name) != "interior"]
    back = ordinary and bool(given) and float(given[0]) > task.frame.low[0] + task.frame.half[0]
    for block, rows in zip(sample.blocks, sample.rows, strict=True):
        if kinds.get(block.name) == "interior" and rows.minus is None:
            along[-1] = max(float(along[-1]), float(_rates(rows, -1.0 if back else 1.0).max()))
    return -along if back else along


def _rates(rows: Rows, sign: float) -> Tensor:
    """The larger root of each row in the last coordinate times the sign, (n,) or (1,); 0 where none is positive."""
    nothing = rows.x.new_zeros(1)
    a = nothing if rows.alpha is None else rows.second_order()[:, -1, -1]
    b = nothing if rows.b is None else sign * rows.b[:, -1]
    a, b, c = torch.broadcast_tensors(a, b, nothing if rows.c is None else rows.c)
    slow = torch.where(b != 0, -c / b, 0.0)
    root = (b.square() - 4.0 * a * c).clamp(min=0.0).sqrt()
    fast = torch.where(a * c < 0, torch.maximum((root - b) / (2.0 * a), (-root - b) / (2.0 * a)), 0.0)
    return torch.where(a != 0, fast, slow).clamp(min=0.0)


def _corrected(
    task: Task, sample: Sample, left: Tensor, weights: tuple[float, ...], along: Tensor, width: int
) -> tuple[float, float]:
    """(share of the residual that stays, rms of the correction)."""
    low, half = (torch.tensor(v, dtype=torch.float64, device="cpu") for v in (task.frame.low, task.frame.half))
    end = float(torch.maximum(along * low, along * (low + 2.0 * half)).sum())
    bench, recipe = Bench(task), isotropic(_WAVE, _SCALE, task.dim)
    w = recipe.draw(width, task.frame, task.seed + 13)
    bent = replace(sample, rate=along)
    bench.prepare(bent)
    rows, _, own = bench.system(recipe, w, bent)
    growth = [
        math.sqrt(weight / mine) * torch.exp(block.x @ along - end)
        for block, weight, mine in zip(sample.blocks, weights, own, strict=True)
    ]
    rows *= torch.cat(growth)[:, None]
    c = OuterFactor.of(rows).solve(left)
    terms = bench.terms(Fit(recipe, 0, w, c, c.new_zeros(0), (), own, bent))
    error = torch.exp(task.reference @ along - end) * (terms @ c)
    return float((left - rows @ c).norm() / left.norm().clamp(min=1e-300)), rms(error)
