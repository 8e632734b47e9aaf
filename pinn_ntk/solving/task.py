"""What a solver works on: conditions it may sample, or rows that are given,
as blocks of functionals with right-hand sides.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.geometry.box import Box
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.residual import Block, Problem, drawn
from pinn_ntk.solving.nearby import drawn_about
from pinn_ntk.solving.recipe import Frame

_LEAST = 24  # points of a condition on a piece of positive dimension
_HELD_OUT = 5  # every so many of given rows are kept for probes
_ROWS: dict[int, tuple[float, float]] = {
    1: (1.6, 0.1),
    2: (1.6, 0.6),
    3: (1.6, 1.0),
}  # rows for each neuron: inside, and beside that
_ROWS_HIGH = (1.0, 1.1)
_MEAN_POINTS = 2**16
_GAUSS = {1: 200, 2: 100, 3: 40}  # nodes on each axis


@dataclass(frozen=True)
class Sample:
    """Blocks on drawn points.

    Attributes:
        blocks: block after block.
    """

    blocks: tuple[Block, ...]

    @cached_property
    def rows(self) -> tuple[Rows, ...]:
        """𝓛_b at the points, unscaled, in d coordinates."""
        return tuple(b.rows() for b in self.blocks)

    @cached_property
    def lifted(self) -> tuple[Rows, ...]:
        """The rows on (x, 1)."""
        return tuple(r.lifted() for r in self.rows)

    @property
    def points(self) -> int:
        """n."""
        return sum(len(b) for b in self.blocks)


@dataclass(frozen=True)
class Task:
    """A problem as the solver sees it.

    Attributes:
        problem: the problem.
        seed: of the points.
        columns: extra functions beside the neurons, which need rows on the boundary of their own.
    """

    problem: Problem
    seed: int = 0
    columns: int = 0

    @property
    def posed(self) -> bool:
        """Whether points may be drawn; else the rows are those of the problem's blocks."""
        return bool(self.problem.posed)

    @cached_property
    def frame(self) -> Frame:
        """The bounding box of the domain, or of the points where there is no domain."""
        domain, x = self.problem.domain, self.problem.x
        low = domain.low if domain is not None else tuple(x.amin(0).tolist())
        high = domain.high if domain is not None else tuple(x.amax(0).tolist())
        return Frame(tuple(map(float, low)), tuple(map(float, high)))

    @property
    def dim(self) -> int:
        """d, time counted."""
        return self.problem.dim

    @property
    def time(self) -> bool:
        """Whether the last coordinate is time."""
        return self.problem.time

    @cached_property
    def largest_width(self) -> int | None:
        """As many neurons as given rows can determine; None where rows may be drawn."""
        return None if self.posed else max(1, int(self.problem.points / 1.2))

    @cached_property
    def floating(self) -> bool:
        """Whether every row annihilates constants, so that u is known up to one."""
        return (self.posed or self.problem.ansatz is None) and all(_without_constants(r) for r in self.held_out.rows)

    @property
    def order(self) -> int:
        """The highest order among the operators."""
        return self.problem.order if not self.posed else max(c.order for c in self.problem.posed)

    def fit_sample(self, width: int, seed: int) -> Sample:
        """Rows to fit that many neurons to, in proportion to N, conditions by measure in the metric of the box;
        or all that are given.
        """
        if not self.posed:
            return Sample(self.problem.blocks)
        inside, beside = (max(16, int(share * width)) for share in self._rows_per_neuron)
        counts = self._counts(inside, beside + 3 * self.columns)
        domain = self.problem.domain
        if domain is None:
            return Sample(tuple(drawn(c, n, seed) for c, n in zip(self.problem.posed, counts, strict=True)))
        about = 2 * self.columns // max(1, len(domain.holes))
        blocks = (
            drawn_about(c, domain, domain.holes, n, about, seed)
            for c, n in zip(self.problem.posed, counts, strict=True)
        )
        return Sample(tuple(blocks))

    def probing_sample(self, width: int, seed: int) -> Sample:
        """Rows for probes: as `fit_sample`, but of given rows a fifth is kept out."""
        if self.posed:
            return self.fit_sample(width, seed)
        return Sample(
            tuple(
                _subset(b, torch.arange(len(b), device=b.x.device) % _HELD_OUT != _HELD_OUT - 1)
                for b in self.problem.blocks
            )
        )

    @cached_property
    def held_out(self) -> Sample:
        """Fresh rows that no fit sees."""
        if self.posed:
            return Sample(
                tuple(
                    drawn(c, n, self.seed + 700_001)
                    for c, n in zip(self.problem.posed, self._counts(400, 200), strict=True)
                )
            )
        return Sample(
            tuple(
                _subset(b, torch.arange(len(b), device=b.x.device) % _HELD_OUT == _HELD_OUT - 1)
                for b in self.problem.blocks
            )
        )

    @cached_property
    def reference(self) -> Tensor:
        """Points inside at which solutions are compared, (m, d)."""
        return self.inside(1500, self.seed + 800_003)

    def mean(self, u: Callable[[Tensor], Tensor]) -> float:
        """∫u/|Ω|: by Gauss–Legendre on boxes of up to three dimensions, else over Sobol points."""
        domain = self.problem.domain
        if not isinstance(domain, Box) or self.dim > 3:
            return float(u(self.inside(_MEAN_POINTS, self.seed + 850_007)).detach().mean())
        nodes, weights = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(_GAUSS[self.dim]))
        axes = [low + half * (nodes + 1.0) for low, half in zip(self.frame.low, self.frame.half, strict=True)]
        x = torch.cartesian_prod(*axes).reshape(-1, self.dim)
        w = torch.cartesian_prod(*[weights] * self.dim).reshape(-1, self.dim).prod(1)
        return float((u(x).detach() * w).sum() / w.sum())

    @property
    def _rows_per_neuron(self) -> tuple[float, float]:
        """Of the equation and of all conditions of lower dimension:
        the boundary has a growing share of a space of growing dimension.
        """
        return _ROWS.get(self.dim, _ROWS_HIGH)

    @property
    def rows_per_neuron(self) -> float:
        """About n/N of a fit."""
        return sum(self._rows_per_neuron)

    @cached_property
    def places(self) -> Tensor:
        """Candidates of neurons' centres, (m, d)."""
        return self.inside(4096, self.seed + 810_011)

    def inside(self, n: int, seed: int) -> Tensor:
        """n points of the domain; without one, the given points."""
        if self.problem.domain is not None:
            return self.problem.domain.interior(n, seed)
        for condition in self.problem.posed:
            if condition.kind == "interior":
                return condition.region.sample(n, seed)
        return self.problem.x

    def _counts(self, inside: int, beside: int) -> list[int]:
        """Points of each condition: `inside` for those of full dimension, `beside` shared out by measure among others,
        a few at least.
        """
        conditions, scale = self.problem.posed, math.prod(self.frame.half)
        lower = [c for c in conditions if 0 < c.region.dim < self.dim]
        total = sum(self._measure(c, scale) for c in lower) or 1.0
        count = []
        for c in conditions:
            if c.region.dim == self.dim:
                count.append(inside)
            elif c.region.dim == 0:
                count.append(max(1, round(c.region.measure)))
            else:
                count.append(max(_LEAST * min(self.dim, 2), int(beside * self._measure(c, scale) / total)))
        return count

    def _measure(self, condition: Condition, scale: float) -> float:
        """The measure of a region up to a factor, in units of the box's half lengths;
        a region at one time spans space alone.
        """
        if self.time and condition.kind in ("initial", "velocity"):
            return condition.region.measure * self.frame.half[-1] / scale
        return condition.region.measure * math.pow(scale, 1.0 / self.dim - 1.0)


def _subset(block: Block, chosen: Tensor) -> Block:
    index = chosen.nonzero().flatten()
    return block.select(index if len(index) else slice(None))


def _without_constants(rows: Rows) -> bool:
    own = _zeroth(rows)
    return own is None or not bool(own.any())


def _zeroth(rows: Rows) -> Tensor | None:
    """c, less that of the partner."""
    if rows.minus is None:
        return rows.c
    parts = [rows.x.new_zeros(1) if r.c is None else r.c for r in (rows.plus, rows.minus)]
    return parts[0] - parts[1]
