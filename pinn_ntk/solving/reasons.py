"""Why the solver stopped, and what that claims: only what residuals and refinement show.

CONVERGED wants an estimate within the tolerance and residuals that do not deny it. UNDERDETERMINED is shown by a
function that no row sees (`null_function`); where, beside that, a residual of u stays or u explodes, there is no
solution: the data are not orthogonal to what the adjoint leaves open (Fredholm's alternative). INCONSISTENT is a
residual that no refinement lowers and that is the same function for all neurons. What is none of these and not solved
is UNRESOLVED.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from torch import Tensor

from pinn_ntk.solving.search import Trial
from pinn_ntk.solving.task import Task
from pinn_ntk.solving.uniqueness import NullFunction

_UNSOLVED = 0.1  # an estimate, or a share of residual, above which nobody should take u for a solution
_LEFT = 1e-3  # a share of residual that is no rounding and no small error
_STAYS = 0.9  # of the share two levels before: a residual that refinement does not lower
_ALIKE = 0.99  # correlation of two residuals that are the same function
_EXPLODES = 1e5  # times what the data tell of u's size


class Reason(StrEnum):
    """Why the solver stopped."""

    CONVERGED = "CONVERGED"
    ROUNDING = "ROUNDING"
    NOISE = "NOISE"
    BUDGET = "BUDGET"
    WIDTH = "WIDTH"
    UNDERDETERMINED = "UNDERDETERMINED"
    INCONSISTENT = "INCONSISTENT"
    UNRESOLVED = "UNRESOLVED"


REASONS = {
    Reason.CONVERGED: "the estimated error met the tolerance",
    Reason.ROUNDING: "more neurons gained nothing: rounding is reached",
    Reason.NOISE: "the noise of the data is reached: they do not tell more of u",
    Reason.BUDGET: "the effort was spent",
    Reason.WIDTH: "the largest width was reached",
    Reason.UNDERDETERMINED: "the conditions do not determine u",
    Reason.INCONSISTENT: "no u satisfies the equation and all conditions",
    Reason.UNRESOLVED: "u was not resolved: what is here is not to be used",
}
USABLE = (Reason.CONVERGED, Reason.ROUNDING, Reason.NOISE, Reason.BUDGET, Reason.WIDTH)
"""Reasons with which u may be used, with its estimate."""


class Outcome(NamedTuple):
    """A reason, and what was seen.

    Attributes:
        reason: one word.
        words: sentences, with what would help.
    """

    reason: Reason
    words: tuple[str, ...] = ()


def outcome(
    task: Task, null: NullFunction | None, reason: Reason, final: Trial, levels: Sequence[Trial], tolerance: float
) -> Outcome:
    """What a search came to.

    Args:
        task: the problem.
        null: what may be added to u.
        reason: why growth stopped.
        final: the last pair.
        levels: the best trial at each width.
        tolerance: on the relative L² error.
    """
    seen = [*levels, final]
    if task.free_parts:
        places = ", ".join(f"x = ({', '.join(f'{v:.3g}' for v in one.place.tolist())})" for one in task.free_parts)
        words = f"a constant is free on the part of Ω about {places}: give a value of u there"
        return Outcome(Reason.UNDERDETERMINED, (words,))
    if task.missing:
        return Outcome(Reason.UNDERDETERMINED, task.missing)
    if null is not None:
        return _open(task, null, final, seen)
    if final.estimate <= tolerance:
        return Outcome(Reason.CONVERGED)
    if reason in (Reason.CONVERGED, Reason.UNDERDETERMINED):  # not confirmed by the last pair
        reason = Reason.BUDGET
    if contradicts(seen):
        return Outcome(
            Reason.INCONSISTENT,
            (
                f"of {largest_block(final)} a share of {final.share:.2g} is left as residual, the same function "
                f"from N = {seen[-3].width} to {seen[-1].width}: conditions contradict one another there; drop or "
                "correct one of them",
            ),
        )
    if final.grown > _UNSOLVED * final.size and final.grown >= final.error:
        return Outcome(
            Reason.UNRESOLVED,
            (
                f"errors grow so much, in time or along b, that what is {final.grown / final.size:.2g} times as large "
                f"as u may hide in a residual of {final.share:.2g}: solve over shorter times, each from the end of the "
                "one before, or give u also where it is large",
            ),
        )
    if max(final.estimate, final.share) > _UNSOLVED:
        return Outcome(
            Reason.UNRESOLVED,
            (
                f"two fits differ by {final.disagreement:.2g} of u, and {final.share:.2g} of the terms of "
                f"{largest_block(final)} is left as residual at points that no fit has seen, most of it about "
                f"x = ({', '.join(f'{v:.3g}' for v in final.place)}): u varies there on a scale that these neurons do "
                "not resolve, or conditions contradict one another there; look at them, allow more effort, or give "
                "the problem in pieces",
            ),
        )
    return Outcome(reason)


def _open(task: Task, null: NullFunction, final: Trial, seen: Sequence[Trial]) -> Outcome:
    """UNDERDETERMINED, or no solution."""
    what = free_function(task, null.values)
    if final.spread > _EXPLODES * final.natural > 0.0 or (final.share > _LEFT and stays(seen)):
        return Outcome(
            Reason.INCONSISTENT,
            (
                f"no solution: with zero data the equation and its conditions are satisfied by {what} (an eigenvalue), "
                f"and f and the data have a part along it: fits of them are {final.spread:.2g} large where the data "
                f"are of the size {final.natural:.2g}, and leave a share of {final.share:.2g} as residual; change the "
                "source, the data or the zeroth-order term",
            ),
        )
    return Outcome(
        Reason.UNDERDETERMINED,
        (
            f"with zero data the equation and its conditions are satisfied by {what}, so that any multiple of it may "
            "be added to u; add a condition that tells it",
        ),
    )


def stays(seen: Sequence[Trial]) -> bool:
    """Whether the last levels did not lower the residual."""
    shares = [t.share for t in seen]
    return len(shares) > 2 and shares[-1] > _STAYS * max(shares[-3:])


def contradicts(seen: Sequence[Trial]) -> bool:
    """Whether a residual is there that refinement does not lower, and that is the same function in every fit."""
    if len(seen) < 3 or seen[-1].share <= _LEFT:
        return False
    last = seen[-3:]
    if last[-1].width < 1.5 * last[0].width or min(t.share for t in last) < _STAYS * max(t.share for t in last):
        return False
    if last[-1].gap > 0.05 * last[-1].share * last[-1].spread:
        return False
    residuals = [t.residual for t in last]
    return all(_correlation(residuals[-1], r) > _ALIKE for r in residuals[:-1])


def _correlation(a: Tensor, b: Tensor) -> float:
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size > 0.0 and math.isfinite(size) else 0.0


def largest_block(final: Trial) -> str:
    """The block with the largest residual, by name."""
    return f"block {final.worst!r}" if final.worst else "a row"


def free_function(task: Task, values: Tensor) -> str:
    """w in words: a constant (on a part of Ω), or where it is large."""
    x = task.reference[: len(values)]
    size, mean = values.abs().max(), values.mean()
    if float((values - mean).abs().max()) < 1e-2 * float(size):
        return "a constant"
    large = values.abs() > 0.5 * size
    centre = ", ".join(f"{v:.3g}" for v in x[large].mean(0).tolist())
    top = values[large]
    if float((top - top.mean()).abs().max()) < 1e-2 * float(size) and float(values[~large].abs().max()) < 1e-2 * float(
        size
    ):
        return f"a constant on the part of Ω about x = ({centre})"
    place = ", ".join(f"{v:.3g}" for v in x[int(values.abs().argmax())].tolist())
    changes = "without a change of sign" if bool((values.sign() == values.sign()[0]).all()) else "that changes its sign"
    return f"a function {changes}, largest about x = ({place})"
