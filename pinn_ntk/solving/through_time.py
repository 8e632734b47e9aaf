"""The estimate against time: what is right at the start may have grown by the end."""

from dataclasses import dataclass

import torch

from pinn_ntk.solving.search import Trial
from pinn_ntk.solving.task import Task

_SLABS = 8
_LARGE = 0.1  # of u in a slab: an estimate above which it is said


@dataclass(frozen=True)
class Slab:
    """A span of time.

    Attributes:
        start: of it.
        end: of it.
        error: the estimate there, rms, in u's units.
        size: ‖u‖ there, rms.
    """

    start: float
    end: float
    error: float
    size: float


def through_time(task: Task, final: Trial, other: torch.Tensor) -> tuple[Slab, ...]:
    """The estimate in eight spans of time; none where there is no time.

    Two fits differ by gap(t), and the estimate of all of Ω is shared out by it.

    Args:
        task: the problem.
        final: the last pair.
        other: the second fit at the reference points, (m,).
    """
    if not task.time:
        return ()
    t, start, length = task.reference[:, -1], task.frame.low[-1], 2.0 * task.frame.half[-1]
    gap = final.values - task.constant - other
    factor = final.error / final.gap if final.gap > 0.0 else 0.0
    found = []
    for k in range(_SLABS):
        ends = start + length * k / _SLABS, start + length * (k + 1) / _SLABS
        there = (t >= ends[0]) & (t <= ends[1])
        if not bool(there.any()):
            continue
        error, size = (float(v[there].square().mean().sqrt()) for v in (gap, final.values))
        found.append(Slab(*ends, factor * error if factor else final.error, size))
    return tuple(found)


def growth_words(slabs: tuple[Slab, ...], estimate: float) -> tuple[str, ...]:
    """From when on u is not right to a tenth, where it is on the whole."""
    bad = next((slab for slab in slabs if slab.error > _LARGE * slab.size > 0.0), None)
    if bad is None or estimate > _LARGE:
        return ()
    return (f"errors grow: from t = {bad.start:.3g} on the estimate is above a tenth of u there",)
