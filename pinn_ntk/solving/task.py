"""What a solver works on: conditions it may sample, or rows that are given,
as blocks of functionals with right-hand sides.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.geometry.box import Box
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.constants import FreeConstant, free_constants
from pinn_ntk.problem.coverage import missing_conditions
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.residual import Block, Problem, drawn
from pinn_ntk.solving.nearby import drawn_about, drawn_at
from pinn_ntk.solving.recipe import Details, Frame

_LEAST = 24  # points of a condition on a piece of positive dimension
_HELD_OUT = 5  # every so many of given rows are kept for probes
_ROWS: dict[int, tuple[float, float]] = {
    1: (1.6, 0.1),
    2: (1.6, 0.6),
    3: (1.6, 1.0),
}  # rows for each neuron: inside, and beside that
_ROWS_HIGH = (1.0, 1.1)
_LOW, _VARIES = 0.1, 100.0  # a tenth of the rows is smaller than the largest by that factor: they are scaled one by one
_DETAILED = 0.5  # rows about details, for each row elsewhere
_MEAN_POINTS = 2**16
_GAUSS = {1: 200, 2: 100, 3: 40}  # nodes on each axis


@dataclass(frozen=True)
class Sample:
    """Blocks on drawn points.

    Attributes:
        blocks: block after block.
        half: half lengths of the box, by which the sizes of rows are told; empty for rows as they are.
        rate: g, (d,), where the rows are those of e^{−g·x}𝓛e^{g·x}; None for 0.
    """

    blocks: tuple[Block, ...]

    half: tuple[float, ...] = ()
    rate: Tensor | None = None

    @cached_property
    def rows(self) -> tuple[Rows, ...]:
        """𝓛_b at the points, in d coordinates, divided by `scales`."""
        rows = (r if s is None else r.scaled(1.0 / s) for r, s in zip(self._rows, self.scales, strict=True))
        return tuple(r if self.rate is None else r.conjugated(self.rate) for r in rows)

    @cached_property
    def targets(self) -> tuple[Tensor, ...]:
        """f_b, divided by `scales`."""
        pairs = zip(self.blocks, self.scales, strict=True)
        return tuple(b.target if s is None else b.target / s for b, s in pairs)

    @cached_property
    def scales(self) -> tuple[Tensor | None, ...]:
        """The size of 𝓛_b at every point of a block, (n_b,), where it varies so much that the rows with the largest
        coefficients would be the only ones that count; else None.
        """
        return tuple(_scales(rows, self.half) if self.half else None for rows in self._rows)

    @cached_property
    def _rows(self) -> tuple[Rows, ...]:
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
        details: places where functions of the problem vary on a small scale, which need rows of their own.
    """

    problem: Problem
    seed: int = 0
    columns: int = 0
    details: Details | None = None

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
    def wave_number(self) -> float:
        """max_j k_j half_j with k_j = (c/A_jj)^½: the waves that the equation annihilates; 0 where there are none."""
        for block, rows in zip(self.held_out.blocks, self.held_out.rows, strict=True):
            if block.order == 2 and rows.c is not None and rows.minus is None and not self.time:
                diagonal = rows.second_order().diagonal(dim1=1, dim2=2)
                ratio = rows.c[:, None] / diagonal.where(diagonal != 0.0, torch.inf)
                square = ratio.clamp(min=0.0).quantile(0.9, dim=0) * rows.x.new_tensor(self.frame.half) ** 2
                return math.sqrt(float(square.max()))
        return 0.0

    @cached_property
    def free_parts(self) -> tuple[FreeConstant, ...]:
        """The connected parts of Ω, short of all of it, on which u is known up to a constant alone."""
        posed, domain = self.problem.posed, self.problem.domain
        if not posed or domain is None:
            return ()
        return tuple(one for one in free_constants(posed, domain) if not one.whole)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Conditions without which u is not determined, in words."""
        posed, domain = self.problem.posed, self.problem.domain
        if not posed or domain is None:
            return ()
        return tuple(found.message for found in missing_conditions(posed, domain, self.time))

    @cached_property
    def floating(self) -> bool:
        """Whether every row annihilates constants, so that u is known up to one."""
        return (self.posed or self.problem.ansatz is None) and all(_without_constants(r) for r in self.held_out.rows)

    @cached_property
    def constant(self) -> float:
        """C, the mean of what is given of u itself, where the equation does not see constants; else 0.

        u − C is what is solved for then, so that kelvin and celsius are the same problem: with large C every share of u
        would be a share of C. Under u → u + K it goes over into C + K; values that are small beside their spread
        stay as they are.
        """
        if not self.posed and self.problem.ansatz is not None:
            return 0.0
        found = list[tuple[Tensor, Tensor]]()
        for block, rows in zip(self.held_out.blocks, self.held_out.rows, strict=True):
            c = zeroth(rows)
            if c is None or not bool(c.any()):
                continue
            if self._inner(block):
                return 0.0
            scale = float(c.abs().max())
            found.append((c / scale, block.target / scale))
        if not found:
            return 0.0
        mean = sum(float((c * f).mean()) for c, f in found) / sum(float(c.square().mean()) for c, _ in found)
        spread = max(float((f - mean * c).abs().max()) for c, f in found)
        return mean if abs(mean) > spread else 0.0

    def _inner(self, block: Block) -> bool:
        """Whether a block is the equation, and of an order in which a constant could be unseen."""
        kinds = {c.name: c.kind for c in self.problem.posed}
        return block.order > 1 or (block.order == 1 and kinds.get(block.name) == "interior")

    def targets(self, sample: Sample) -> list[Tensor]:
        """f_b − C𝓛_b1 at the points of each block, (n_b,)."""
        return [
            target if not self.constant or (c := zeroth(rows)) is None else target - self.constant * c
            for target, rows in zip(sample.targets, sample.rows, strict=True)
        ]

    @property
    def order(self) -> int:
        """The highest order among the operators."""
        return self.problem.order if not self.posed else max(c.order for c in self.problem.posed)

    def fit_sample(self, width: int, seed: int) -> Sample:
        """Rows to fit that many neurons to, in proportion to N, conditions by measure in the metric of the box;
        or all that are given.
        """
        if not self.posed:
            return Sample(self.problem.blocks, self.frame.half)
        inside, beside = (max(16, int(share * width)) for share in self._rows_per_neuron)
        counts = self._counts(inside, beside + 3 * self.columns)
        domain = self.problem.domain
        if domain is None:
            return Sample(
                tuple(drawn(c, n, seed) for c, n in zip(self.problem.posed, counts, strict=True)), self.frame.half
            )
        about = 2 * self.columns // max(1, len(domain.holes))
        blocks = (
            drawn_about(c, domain, domain.holes, n, about, seed)
            for c, n in zip(self.problem.posed, counts, strict=True)
        )
        return Sample(tuple(self.with_details(tuple(blocks), seed)), self.frame.half)

    def with_details(self, blocks: Sequence[Block], seed: int) -> Iterator[Block]:
        """The blocks of all conditions with half as many rows again about details."""
        domain, half = self.problem.domain, np.array(self.frame.half)
        for block, c in zip(blocks, self.problem.posed, strict=True):
            if self.details is None or domain is None or not c.region.dim or c.partner or isinstance(c.target, Tensor):
                yield block
                continue
            more = drawn_at(c, domain, self.details, half, int(_DETAILED * len(block)), seed)
            yield Block(c.operator, torch.cat([block.x, more]), c.target, c.name, c.weight)

    def rows_at(self, width: int) -> int:
        """About how many rows a fit of that width has."""
        if not self.posed:
            return self.problem.points
        inside, beside = (max(16, int(share * width)) for share in self._rows_per_neuron)
        rows = sum(self._counts(inside, beside + 3 * self.columns))
        return rows if self.details is None else int((1.0 + _DETAILED) * rows)

    def probing_sample(self, width: int, seed: int) -> Sample:
        """Rows for probes: as `fit_sample`, but of given rows a fifth is kept out."""
        if self.posed:
            return self.fit_sample(width, seed)
        return Sample(tuple(_subset(b, ~_kept_out(b)) for b in self.problem.blocks), self.frame.half)

    @cached_property
    def held_out(self) -> Sample:
        """Fresh rows that no fit sees."""
        if self.posed:
            seed, counts = self.seed + 700_001, self._counts(400, 200)
            even = tuple(drawn(c, n, seed) for c, n in zip(self.problem.posed, counts, strict=True))
            return Sample(tuple(self.with_details(even, seed)), self.frame.half)
        return Sample(tuple(_subset(b, _kept_out(b)) for b in self.problem.blocks), self.frame.half)

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


def _scales(rows: Rows, half: tuple[float, ...]) -> Tensor | None:
    """max(|A_jk|/(half_j half_k), |b_j|/half_j, |c|) of each row over its largest, (n,), where some are far below."""
    if rows.minus is not None or all(v is None or v.shape[0] == 1 for v in (rows.alpha, rows.b, rows.c)):
        return None
    unit = 1.0 / rows.x.new_tensor(half)
    size = rows.x.new_zeros(len(rows))
    if rows.alpha is not None:
        size = (rows.second_order().abs() * unit[:, None] * unit).flatten(1).amax(1)
    if rows.b is not None:
        size = torch.maximum(size, (rows.b.abs() * unit).amax(1))
    if rows.c is not None:
        size = torch.maximum(size, rows.c.abs().expand(len(rows)))
    top = float(size.max())
    if not top > 0.0 or float(size.quantile(_LOW)) * _VARIES > top:
        return None
    return size.clamp(min=1e-12 * top) / top


def _kept_out(block: Block) -> Tensor:
    """Every fifth row in the order of its points, so that it does not matter how a person ordered them, (n,)."""
    x = block.x.numpy()
    place = torch.from_numpy(np.lexsort((block.target.numpy(), *x.T[::-1])))
    kept = torch.zeros(len(block), dtype=torch.bool, device=block.x.device)
    kept[place[_HELD_OUT - 1 :: _HELD_OUT]] = True
    return kept


def _subset(block: Block, chosen: Tensor) -> Block:
    index = chosen.nonzero().flatten()
    return block.select(index if len(index) else slice(None))


def _without_constants(rows: Rows) -> bool:
    own = zeroth(rows)
    return own is None or not bool(own.any())


def zeroth(rows: Rows) -> Tensor | None:
    """𝓛1: c, less that of the partner, (n,); None for zero."""
    if rows.minus is None:
        return rows.c
    parts = [rows.x.new_zeros(len(rows)) if r.c is None else r.c for r in (rows.plus, rows.minus)]
    return parts[0] - parts[1]
