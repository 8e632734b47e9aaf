"""Details: places where f, A, b, c or the data vary on a scale much smaller than Ω, looked for before anything is
solved.

They are functions: 10⁵ values cost milliseconds, where a fit meets a few thousand points and may miss a spot, a layer
or a jump. Values that differ by a quarter of a function's range within 4 % of Ω are followed by bisection down to the
scale on which they differ. Points and neurons are put there, at all distances from that scale on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.problem.posed import Condition
from pinn_ntk.solving.recipe import Array, Details
from pinn_ntk.solving.task import Task
from pinn_ntk.solving.waves import WAVE, known_waves, rms

_POINTS, _BESIDE = 2**17, 2**15  # values of every function inside, and on a boundary piece
_CELL = 0.08  # in half lengths of the box: two points of one cell are compared
_STEP = 0.25  # of a function's range: what differs by less within a cell is no detail
_NARROW = 0.03  # in half lengths: a scale that neurons and points spread evenly do not meet
_MOST = 2000  # places that are followed
_PART = 0.6  # of a difference: the half of a segment with that much of it is followed
_HALVINGS = 40
_SHARP = 1e-6  # a scale that is no scale: the function jumps
_EVERYWHERE = 0.3  # of the pairs: a function that differs that often oscillates; it has no details
_PEAKS, _ROUNDS, _TRIES = 16, 14, 48
_FAR, _MASS = 3.0, 0.05  # ranges from the median at which a value is a peak, and the part of ∫|g − median| that counts
_SEED = 870_011
_RIGHT, _NOTHING = "the right-hand side", 1e-9
_FEWEST = 4


@dataclass(frozen=True)
class _Cloud:
    """A function on many points of a region.

    Attributes:
        name: of the function, for words.
        g: (n, d) points → (n,) values.
        x: points (m, d).
        low: of the box, (d,).
        half: half lengths, (d,).
        inside: whether the region has the dimension of Ω.
        seed: of what is drawn.
        least: a range below which it is rounding of other terms.
    """

    name: str
    g: Callable[[Tensor], Tensor]
    x: Tensor
    low: Tensor
    half: Tensor
    inside: bool
    seed: int
    least: float

    @cached_property
    def values(self) -> Tensor:
        return self.g(self.x)

    @cached_property
    def median(self) -> float:
        return float(self.values.median())

    @cached_property
    def spread(self) -> float:
        """From the first to the ninety-ninth percentile."""
        some = self.values[:: max(1, len(self.values) // 20000)]
        low, high = torch.quantile(some, torch.tensor([0.01, 0.99], dtype=some.dtype, device=some.device)).tolist()
        return float(high - low)

    @cached_property
    def peaked(self) -> bool:
        """Whether few values, far from all others, have a good part of ∫|g − median|: a spot."""
        away = (self.values - self.median).abs()
        high = away > _FAR * self.spread
        return bool(high.any()) and float(away[high].sum()) >= _MASS * float(away.sum())

    @cached_property
    def range(self) -> float:
        """What counts as its range: the spread, and of a function with a spot a tenth of that spot."""
        return max(self.spread, 0.1 * float((self.values - self.median).abs().max()) if self.peaked else 0.0)

    def details(self) -> Details | None:
        """Where it varies so fast, how fast, and in which direction."""
        if not self.range > max(1e-12 * abs(self.median), self.least):
            return None
        peaks = self._peaks() if self.inside and self.peaked else self.x[:0]
        start, end, share = self._pairs(torch.cat([self.x, peaks]))
        if share > _EVERYWHERE or len(start) < _FEWEST:
            return None
        try:
            start, end = self._followed(start, end)
        except ValueError:  # data that are known on the boundary alone, such as fluxes
            if self.inside:
                raise
            return None
        middle = 0.5 * (start + end)
        width = ((end - start) / self.half).norm(dim=1)
        if not float(width.median()) < _NARROW:
            return None
        kept = width < 2.0 * _NARROW
        normal = self._normals(middle[kept], width[kept], (end - start)[kept])
        where = ", ".join(f"{v:.3g}" for v in middle[int(width.argmin())].tolist())
        narrow = float(width[kept].median())
        words = f"{self.name} varies on a scale of {narrow / 2.0:.1g} of Ω near x = ({where})"
        inner = np.full(len(normal), self.inside)
        return Details(_array(middle[kept]), _array(width[kept]), _array(normal), inner, (words,))

    def _peaks(self) -> Tensor:
        """The highest places, climbed: a spot that few points met."""
        away = (self.values - self.median).abs()
        best = self.x[away.topk(_PEAKS).indices]
        rng, reach = np.random.default_rng((self.seed, 5)), 2.0 / len(self.x) ** (1.0 / self.x.shape[1])
        cloud = [best]
        for _ in range(_ROUNDS):
            stray = torch.from_numpy(rng.standard_normal((len(best), _TRIES, best.shape[1])))
            tries = torch.cat([best[:, None], best[:, None] + reach * self.half * stray], 1)
            tries = tries.clamp(self.low, self.low + 2.0 * self.half)
            flat = tries.flatten(0, 1)
            rise = (self.g(flat) - self.median).abs().nan_to_num(0.0, 0.0, 0.0).reshape(len(best), -1)
            best = tries[torch.arange(len(best), device=best.device), rise.argmax(1)]
            cloud.append(flat)
            reach *= 0.6
        return torch.cat(cloud)

    def _pairs(self, x: Tensor) -> tuple[Tensor, Tensor, float]:
        """Two points of one cell whose values differ, and the share of such pairs among the evenly spread."""
        rng, d = np.random.default_rng((self.seed, 7)), x.shape[1]
        cell = max(_CELL, 3.0 / len(self.x) ** (1.0 / d))
        code = torch.floor((x - self.low) / (cell * self.half)).to(torch.int64).numpy()
        order = torch.from_numpy(np.lexsort((rng.random(len(x)), *code.T)))
        one, other = order[:-1], order[1:]
        same = torch.from_numpy((code[one] == code[other]).all(1))
        one, other = one[same], other[same]
        values = torch.cat([self.values, self.g(x[len(self.x) :])]) if len(x) > len(self.x) else self.values
        differ = (values[one] - values[other]).abs() > _STEP * self.range
        even = (one < len(self.x)) & (other < len(self.x))
        share = float(differ[even].double().mean()) if bool(even.any()) else 0.0
        found = differ.nonzero().flatten()
        if len(found) > _MOST:
            found = found[torch.from_numpy(rng.permutation(len(found))[:_MOST])]
        return x[one[found]], x[other[found]], share

    def _followed(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Segments bisected while one half has most of the difference."""
        ga, gb = self.g(a), self.g(b)
        active = torch.ones(len(a), dtype=torch.bool, device=a.device)
        for _ in range(_HALVINGS):
            m = 0.5 * (a + b)
            gm, whole = self.g(m), (gb - ga).abs()
            left, right = (gm - ga).abs(), (gb - gm).abs()
            active &= torch.isfinite(gm) & (torch.maximum(left, right) >= _PART * whole)
            if not bool(active.any()):
                break
            lower, upper = active & (left >= right), active & (left < right)
            b, gb = torch.where(lower[:, None], m, b), torch.where(lower, gm, gb)
            a, ga = torch.where(upper[:, None], m, a), torch.where(upper, gm, ga)
        return a, b

    def _normals(self, x: Tensor, width: Tensor, along: Tensor) -> Tensor:
        """Unit vectors of steepest change, in half lengths; along the segment where differences say nothing."""
        h, columns = 1e-3 * width.clamp(min=1e-6), []
        for j in range(x.shape[1]):
            step = torch.zeros_like(x)
            step[:, j] = h * self.half[j]
            columns.append((self.g(x + step) - self.g(x - step)).nan_to_num(0.0, 0.0, 0.0))
        slope, segment = torch.stack(columns, 1), along / self.half
        flat = slope.norm(dim=1, keepdim=True) <= 1e-12 * self.range
        found = torch.where(flat, segment, slope)
        unit: Tensor = found / found.norm(dim=1, keepdim=True).clamp(min=1e-300)
        sharp = width < _SHARP
        if int(sharp.sum()) > 4 * x.shape[1]:
            unit[sharp] = _planes(x[sharp] / self.half)
        return unit


def _planes(y: Tensor) -> Tensor:
    """Normals of the surface that points lie on, where a function jumps: what their neighbours spread least along."""
    from scipy.spatial import cKDTree  # where it is used: few runs need it

    points = y.numpy()
    _, near = cKDTree(points).query(points, k=3 * y.shape[1])
    around = points[near] - points[near].mean(1, keepdims=True)
    return torch.from_numpy(np.linalg.svd(around)[2][:, -1])


def look(task: Task) -> Details | None:
    """Every detail of the functions of a problem; None where there is none, or where no condition is posed.

    Args:
        task: the problem.
    """
    found = [d for cloud in _clouds(task) if (d := cloud.details()) is not None]
    if not found:
        return None
    least = min(float(np.median(d.widths)) for d in found)
    kept = [d for d in found if float(np.median(d.widths)) < 100.0 * least or len(found) < 3]
    return Details(
        np.concatenate([d.points for d in kept]),
        np.concatenate([d.widths for d in kept]),
        np.concatenate([d.normals for d in kept]),
        np.concatenate([d.inner for d in kept]),
        tuple(dict.fromkeys(w for d in kept for w in d.words)),
    )


def _clouds(task: Task) -> Iterator[_Cloud]:
    low = torch.tensor(task.frame.low, dtype=torch.float64, device="cpu")
    half = torch.tensor(task.frame.half, dtype=torch.float64, device="cpu")
    least = _rounding(task)
    for k, condition in enumerate(task.problem.posed):
        inside = condition.region.dim == task.dim
        if condition.region.dim == 0:
            continue
        x: Tensor | None = None
        for name, g in _functions(condition, task.dim):
            x = condition.region.sample(_POINTS if inside else _BESIDE, task.seed + _SEED + k) if x is None else x
            target = name.startswith(_RIGHT)
            yield _Cloud(name, g, x, low, half, inside, task.seed + k, least[condition.name] if target else 0.0)


def _rounding(task: Task) -> dict[str, float]:
    """What of each right-hand side would be rounding, had u the size that the others tell: 10⁻⁹ rms(𝓛_b v)U."""
    w, alpha = known_waves(task.frame, task.seed)
    v = lambda x: WAVE(x @ w[:, :-1].mT + w[:, -1]) @ alpha  # noqa: E731
    blocks = {b.name: (b.rows().apply(v), b.target) for b in task.held_out.blocks}
    sizes = {name: (max(rms(own), 1e-300), rms(target)) for name, (own, target) in blocks.items()}
    U = max(given / own for own, given in sizes.values())
    return {name: _NOTHING * own * U for name, (own, _) in sizes.items()}


def _functions(condition: Condition, dim: int) -> Iterator[tuple[str, Callable[[Tensor], Tensor]]]:
    """The target and the coefficients that are not constant, by name."""
    target, operator = condition.target, condition.operator
    of = f"of block {condition.name!r}"
    if callable(target) and not isinstance(target, Tensor):
        yield f"{_RIGHT} {of}", lambda x: target(x).detach()
    if operator.constant or condition.kind != "interior":
        return

    def entry(k: int) -> Callable[[Tensor], Tensor]:
        def values(x: Tensor) -> Tensor:
            A, b, c = operator.coefficients(x)
            return torch.cat([A.flatten(1), b, c[:, None]], 1)[:, k].detach()

        return values

    sample = condition.region.sample(512, 3)
    A, b, c = operator.coefficients(sample)
    whole = torch.cat([A.flatten(1), b, c[:, None]], 1)
    names = [
        *(f"A[{i + 1},{j + 1}]" for i in range(dim) for j in range(dim)),
        *(f"b[{i + 1}]" for i in range(dim)),
        "c",
    ]
    for k, name in enumerate(names):
        i, j = divmod(k, dim)
        if (k < dim * dim and j < i) or not bool(torch.isfinite(whole[:, k]).all()):
            continue
        if bool((whole[:, k] != whole[0, k]).any()):
            yield f"{name} {of}", entry(k)


def _array(values: Tensor) -> Array:
    return values.numpy()
