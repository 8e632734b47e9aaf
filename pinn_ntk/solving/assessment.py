"""How right is u, when nobody knows it: residuals on fresh points, a second solve, and a bound where theory has one."""

from dataclasses import dataclass

from torch import Tensor

from pinn_ntk.networks.sums import residual
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.residual import Problem, drawn
from pinn_ntk.solving.barrier import best_bound, obstacle
from pinn_ntk.solving.search import Trial
from pinn_ntk.solving.task import Task

_POINTS = 2000  # fresh points of each condition
_SEED = 900_007
TELLING = 100.0  # times the estimate up to which a bound is worth showing


@dataclass(frozen=True)
class Residuals:
    """𝓛_b h − f_b at points that no fit has seen.

    Attributes:
        name: of the condition.
        points: how many.
        rms: √(mean |e|²).
        largest: max |e|.
        size: rms of f_b.
    """

    name: str
    points: int
    rms: float
    largest: float
    size: float


@dataclass(frozen=True)
class Bound:
    """‖u − h‖ ≤ value in L∞, from residuals.

    Attributes:
        value: the bound.
        relative: to max|h|.
        words: by what theorem, with what assumption.
    """

    value: float
    relative: float
    words: str

    def loose(self, estimate: float) -> str:
        """Why the bound says nothing beside an estimate a hundred times smaller, in a sentence; empty where it does.

        Args:
            estimate: of ‖u − h‖/‖u‖.
        """
        if not self.relative > TELLING * estimate:
            return ""
        return (
            f"The bound by the maximum principle, {self.relative:.1e} of max|h|, is more than {TELLING:g} times the "
            "estimate and is not shown beside it: it lets the largest residual of every condition stand everywhere "
            "with one sign, where the true ones change sign from point to point."
        )


@dataclass(frozen=True)
class Assessment:
    """What is known of the error.

    Attributes:
        residuals: of each condition.
        agreement: ‖u₁ − u₂‖/‖u‖ of two solves with other neurons and other points.
        bound: from the maximum principle, where it holds.
        why_not: why there is no bound; empty where there is one.
    """

    residuals: tuple[Residuals, ...]
    agreement: float
    bound: Bound | None
    why_not: str


def assess(task: Task, problem: Problem, network: TwoLayer, final: Trial) -> Assessment:
    """Residuals on fresh points, and what follows from them.

    Args:
        task: the problem as posed.
        problem: as it was drawn.
        network: h.
        final: the last pair of fits.
    """
    blocks = list(problem.blocks)
    if task.posed:  # about details too, which points spread evenly do not meet
        seed = task.seed + _SEED
        blocks = list(task.with_details(tuple(drawn(c, _POINTS, seed) for c in problem.posed), seed))
    rows = {block.name: block.rows() for block in blocks}
    errors = {block.name: _error(rows[block.name], block.target, network) for block in blocks}
    table = tuple(_row(block.name, errors[block.name], block.target) for block in blocks)
    why_not = obstacle(problem, rows)
    found = None if why_not else best_bound(problem.posed, rows, errors, task.frame, task.time)
    if found is None:
        return Assessment(table, final.disagreement, None, why_not or "no barrier of the family is a supersolution")
    value, words = found
    size = float(final.values.abs().max())
    text = (
        f"by the maximum principle with the barrier {words}, the residuals being taken at {_POINTS} points or more of "
        "each condition: "
        "sampled, not certified"
    )
    return Assessment(table, final.disagreement, Bound(value, value / size if size > 0.0 else float("inf"), text), "")


def _error(rows: Rows, target: Tensor, network: TwoLayer) -> Tensor:
    """𝓛h − f at the points of a block."""
    return residual(network.system((rows,), target), network.weights)


def _row(name: str, e: Tensor, target: Tensor) -> Residuals:
    return Residuals(
        name, len(e), float(e.square().mean().sqrt()), float(e.abs().max()), float(target.square().mean().sqrt())
    )
