"""Quasi-second order: L-BFGS on R_S = ‖e‖²/(2n), with the strong Wolfe conditions.

torch.optim.LBFGS keeps its memory between calls, works on any device, and got as far as scipy's L-BFGS-B on stiff
problems once R_S is multiplied by a large power of two: it drops a pair (s, y) when y·s ≤ 1e-10, an absolute number
that small losses meet too soon.

Examples:
    >>> from pinn_ntk import TwoLayer, box, laplacian, lbfgs, pose
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> *_, last = lbfgs(net, problem, steps=50)
    >>> last.loss < 1e-4 * problem.loss(net)
    True
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from pinn_ntk.networks.fused import accelerated
from pinn_ntk.networks.model import Model, Theta
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, whole
from pinn_ntk.training.memory import Memory, copied
from pinn_ntk.training.options import GradientTolerance, Steps
from pinn_ntk.training.path import Path
from pinn_ntk.training.states import State, Status, StopRule

_LOSS = {torch.float64: 2.0**48, torch.float32: 2.0**16}
"""What R_S(θ⁰) becomes: far above 1e-10/ε, and far from overflow."""
_TRIALS = 40
"""Evaluations in one line search, at most."""


class _Objective:
    """c·R_S and its gradient at displacements that torch moves in place; the last few evaluations are remembered.

    Args:
        system: the rows.
        weights: θ⁰.
        points: n.
    """

    def __init__(self, system: Any, weights: Theta, points: int) -> None:
        self.system, self.weights, self.points = system, weights, points
        self.moving = [p.clone() for p in weights.displacement]
        self.scale, self.ceiling = 1.0, math.inf
        self._known: tuple[list[Tensor], Tensor, tuple[Tensor, ...]] | None = None

    def evaluate(self) -> tuple[Theta, Tensor, tuple[Tensor, ...]]:
        """θ, e and ∇R_S where the displacements are now."""
        if self._known is None or not _same(self._known[0], self.moving):
            here = [p.clone() for p in self.moving]
            e, gradient = residual_and_gradient(self.system, self.weights.displaced(*here))
            self._known = here, e, tuple(gradient)
        here, e, gradient = self._known
        return self.weights.displaced(*here), e, gradient

    def __call__(self) -> float:
        """c·R_S, its gradient left where torch looks for it; above the ceiling is a level wall,
        as the cubes of what is there overflow.
        """
        _, e, gradient = self.evaluate()
        looked = torch.stack([e @ e, *(torch.isfinite(g).all().to(e) for g in gradient)])
        square, *finite = looked.tolist()  # read back: the line search of torch decides in numbers
        loss = square / (2 * self.points)
        below = loss < self.ceiling and all(finite)
        for parameter, g in zip(self.moving, gradient, strict=True):
            parameter.grad = self.scale * g if below else torch.zeros_like(g)
        return self.scale * (loss if below else self.ceiling)


def _same(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    """Whether two lists of tensors are equal."""
    equal = torch.stack([(a == b).all() for a, b in zip(first, second, strict=True)]).all()
    return bool(equal)  # read back: whether an evaluation is known


@checked
def lbfgs(
    network: Model,
    problem: Problem,
    history_size: Annotated[int, whole("pairs of steps and gradient changes that are kept", 1)] = 100,
    steps: Steps = 1000,
    gradient_tolerance: GradientTolerance = 0.0,
    stop: StopRule | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ_{k+1} = θ_k − t_k H_k ∇R_S(θ_k), H_k from the last pairs of steps and gradient changes,
    t_k by strong Wolfe (Liu & Nocedal 1989).

    Args:
        network: where training starts; it is not changed.
        problem: the blocks.
        history_size: pairs that are kept.
        steps: iterations at most; each takes one gradient or a few.
        gradient_tolerance: CONVERGED when ‖∇R_S‖ is at most this share of its first value.
        stop: when to end earlier.
        memory: of an earlier run of it, to go on where that was.

    Yields:
        States, the first one θ⁰; `time` counts iterations. When a line search fails, the memory is dropped once; when
        it fails from −∇R_S too, the last state repeats θ with status STAGNATED.

    Raises:
        ValueError: an option out of its range.
    """
    held = memory or Memory()
    path = Path(problem, network, steps, stop or StopRule(), gradient_tolerance, held)
    objective = _Objective(
        accelerated(problem.system(network), network, steps), held.weights(network.weights), problem.points
    )
    objective.scale, objective.ceiling = held.get("scale", 1.0), held.get("ceiling", math.inf)
    minimiser, fresh = _minimiser(objective, history_size), held.get("fresh", True)
    minimiser.state[objective.moving[0]].update(copied(held.get("pairs", {})))
    for k in path.coming:
        weights, e, gradient = objective.evaluate()
        pairs = dict(minimiser.state[objective.moving[0]])
        path.keep(k, weights, {"scale": objective.scale, "ceiling": objective.ceiling, "fresh": fresh, "pairs": pairs})
        state = path.state(k, weights, e, gradient, float(k))
        if k == 0 and state.loss > 0.0 and math.isfinite(state.loss):
            objective.scale = 2.0 ** round(math.log2(_LOSS.get(e.dtype, 1.0) / state.loss))
            objective.ceiling = 1e6 * state.loss
        yield state
        if state.status is not Status.RUNNING:
            return
        moved = _moves(minimiser, objective)
        if not moved and not fresh:
            minimiser = _minimiser(objective, history_size)
            moved = _moves(minimiser, objective)
        if not moved:
            yield path.stuck(state, "the line search found no lower loss, along −∇R_S either")
            return
        fresh = False


def _minimiser(objective: _Objective, history_size: int) -> torch.optim.LBFGS:
    """L-BFGS without memory, which stops for no reason of its own."""
    return torch.optim.LBFGS(
        objective.moving,
        max_iter=1,
        max_eval=_TRIALS,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        history_size=history_size,
        line_search_fn="strong_wolfe",
    )


def _moves(minimiser: torch.optim.LBFGS, objective: _Objective) -> bool:
    """One iteration; whether it went down."""
    before, value = [p.clone() for p in objective.moving], objective()
    # read back: the line search of torch decides in numbers
    minimiser.step(objective)  # type: ignore[no-untyped-call, unused-ignore]
    if objective() < value:
        return True
    for parameter, old in zip(objective.moving, before, strict=True):
        parameter.copy_(old)
    return False
