"""Errors that grow: e with 𝓛e = f − 𝓛h, by neurons that follow an exponential, e ≈ e^{g·x} Σ c_k sin(w_k·(x, 1)).

Where c makes u grow, in time or along b, a residual below rounding at the start is as large as u at the end, and fits
of smooth neurons leave it there alike. The rows of e^{−g·x}𝓛e^{g·x} (`Rows.conjugated`), for rates from 0 to that at
which c is cancelled, tell two things: the least size σ of what has size 1 and grows so (`least_seen`), and what the
residual of h has grown to where it is fitted. With a share s of residual and s/σ above a tenth, what grows may be as
large as u and hide in the residual: then nothing is known of the error.
"""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pinn_ntk.networks.least_squares import OuterFactor
from pinn_ntk.operators.rows import Rows
from pinn_ntk.solving.effort import Effort, pair_operations
from pinn_ntk.solving.fit import Bench, Fit
from pinn_ntk.solving.recipe import isotropic
from pinn_ntk.solving.task import Task
from pinn_ntk.solving.uniqueness import WAVES, growth, least_seen
from pinn_ntk.solving.waves import rms

_SCALE, _WIDTHS, _WIDTH = 4.0, {1: 150}, 400
_STEP = 10.0  # of g·x between two rates: sines follow what is left
_NO_GROWTH = 6.0  # of g·x up to which sines follow the exponential itself
_MOST = 600.0  # of g·x: e to that is nearly the largest number
_HIDDEN = 1e-12  # σ below which every residual hides what grows
_SHARE = 0.1  # of u that may hide
_PROBED = 200  # rows that tell the rate


@dataclass
class Amplification:
    """How much larger than what rows see of it a function can grow.

    Attributes:
        least: σ; 1 where nothing grows by more than e⁶.
        rates: g that were tried, (d,) each.
    """

    least: float = 1.0
    rates: list[Tensor] = field(default_factory=list)

    @staticmethod
    def of(bench: Bench, effort: Effort) -> "Amplification":
        """That of a task, the fastest rate first; it ends where σ is as good as zero."""
        task = bench.task
        fastest = fastest_growth(task)
        total = float((fastest.abs() * 2.0 * fastest.new_tensor(task.frame.half)).sum())
        found = Amplification()
        if not total > _NO_GROWTH:
            return found
        if total > _MOST:
            return Amplification(0.0)
        steps = math.ceil(total / _STEP)
        for k in range(steps, -1, -1):
            rate = fastest * (_STEP * k / total)
            found.rates.append(rate)
            width = _WIDTHS.get(task.dim, _WIDTH)
            found.least = min(found.least, least_seen(Bench(task), effort, _SCALE, width, rate).size)
            if found.least < _HIDDEN:
                break
        return found

    def error(self, bench: Bench, effort: Effort, fit: Fit, share: float, spread: float) -> float:
        """What the residual of a fit has grown to, rms; in units of what may hide where that is too much to tell.

        Args:
            bench: where the fit was made.
            effort: of which a fit for each rate is taken.
            fit: whose error is asked for.
            share: s, of the terms of a row, left as residual.
            spread: size of the fit, rms.
        """
        if not self.rates and self.least == 1.0:
            return 0.0
        if share > _SHARE * self.least:
            return spread * min(share / max(self.least, 1e-300), 1.0 / _HIDDEN)
        task = bench.task
        width = min(_WIDTHS.get(task.dim, _WIDTH), task.largest_width or _WIDTH)
        sample = task.fit_sample(width, task.seed + 601)
        bench.prepare(sample)
        matrix, right, weights = bench.system(fit.recipe, fit.inner, sample)
        left = right[:, 0] - matrix @ torch.cat([fit.outer, fit.extra])
        effort.spend(0.5 * len(self.rates) * pair_operations(len(left), width))
        smooth, recipe = Bench(task), isotropic(WAVES, _SCALE, task.dim)
        w = recipe.draw(width, task.frame, task.seed + 13)
        errors = []
        for rate in self.rates:
            bent = replace(sample, rate=rate)
            smooth.prepare(bent)
            rows, _, own = smooth.system(recipe, w, bent)
            units = [
                math.sqrt(weight / mine) * growth(task, rate, block.x)
                for block, weight, mine in zip(sample.blocks, weights, own, strict=True)
            ]
            rows *= torch.cat(units)[:, None]
            c = OuterFactor.of(rows).solve(left)
            terms = smooth.terms(Fit(recipe, 0, w, c, c.new_zeros(0), (), own, bent))
            errors.append(rms(growth(task, rate, task.reference) * (terms @ c)))
        return max(errors)


def fastest_growth(task: Task) -> Tensor:
    """g = γn, (d,): in the direction n in which the equation marches, the largest real part of a root γ of
    (nᵀAn)γ² + (b·n)γ + c = 0 at some point of it; 0 for none.

    n is time; for an equation of first order b; for an interval the way from the end where all is given.
    """
    nothing = torch.zeros(task.dim, dtype=torch.float64, device="cpu")
    if not task.posed:
        return nothing
    kinds = {c.name: c.kind for c in task.problem.posed}
    sample = task.fit_sample(_PROBED, task.seed + 600)
    pairs = list(zip(sample.blocks, sample.rows, strict=True))
    inside = [r for block, r in pairs if kinds.get(block.name) == "interior" and r.minus is None]
    given = [block.x for block, _ in pairs if kinds.get(block.name) != "interior"]
    n = _direction(task, inside, given)
    return max((float(_rates(rows, n).max()) for rows in inside), default=0.0) * n


def _direction(task: Task, inside: list[Rows], given: list[Tensor]) -> Tensor:
    """n, (d,), of length 1; 0 where the equation does not march."""
    n = torch.zeros(task.dim, dtype=torch.float64, device="cpu")
    if task.time:
        n[-1] = 1.0
    elif task.dim == 1 and given:
        x, middle = torch.cat(given)[:, 0], task.frame.low[0] + task.frame.half[0]
        n[0] = 1.0 if bool((x < middle).all()) else -1.0 if bool((x > middle).all()) else 0.0
    elif task.order == 1 and inside and inside[0].b is not None:
        n = torch.nn.functional.normalize(inside[0].b.mean(0), dim=0)
    return n


def _rates(rows: Rows, n: Tensor) -> Tensor:
    """The largest real part of a root of each row, (n,) or (1,); 0 where none is positive."""
    nothing = rows.x.new_zeros(1)
    a = nothing if rows.alpha is None else rows.second_order() @ n @ n
    b = nothing if rows.b is None else rows.b @ n
    a, b, c = torch.broadcast_tensors(a, b, nothing if rows.c is None else rows.c)
    slow = torch.where(b != 0, -c / b, 0.0)
    fast = -b / (2.0 * a) + (b.square() - 4.0 * a * c).clamp(min=0.0).sqrt() / (2.0 * a.abs())
    return torch.where(a != 0, fast, slow).clamp(min=0.0)
