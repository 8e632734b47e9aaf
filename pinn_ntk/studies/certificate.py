"""From which width on a network's own weights prove linear convergence, beside the width that the theorem asks for."""

import math
from typing import Annotated, Any

import numpy as np
import torch

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.closed_form import kernel_factor
from pinn_ntk.networks.rounding import rounding_loss
from pinn_ntk.networks.two_layer import TwoLayer, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, whole
from pinn_ntk.studies.arguments import (
    Points,
    Problems,
    Seeds,
    Sigma,
    Steps,
    StepSize,
    Widths,
    ascending,
    distinct,
)
from pinn_ntk.studies.certificate_document import document
from pinn_ntk.studies.lazy_runs import member_seeds
from pinn_ntk.studies.study import Cell, Factory, Measured, Row, Study
from pinn_ntk.theory.certificate import Certificate, certify
from pinn_ntk.theory.constants import PDE, REGRESSION
from pinn_ntk.theory.mode_certificate import mode_rate
from pinn_ntk.theory.shared import shared_prediction
from pinn_ntk.training.descent import gradient_descent

IN_FIVE_DIMENSIONS: dict[str, dict[str, object]] = {"regression": {"problem.dim": 5}}
"""The kernel of points of an interval is ill-conditioned: its slowest mode would not be seen in a run."""


@checked
def certificate(
    factory: Factory,
    *,
    problems: Problems = ("regression", "poisson_3d"),
    activation: Sigma = "tanh",
    widths: Widths = (64, 256, 512, 1024, 2048, 4096, 16384, 65536),
    seeds: Seeds = 8,
    points: Points = 8,
    trained: Annotated[int, whole("widest network that is trained too", 1)] = 2048,
    steps: Steps = 1500,
    step_size: StepSize = 0.5,
) -> Study:
    """Share of seeds certified, and certified, measured and predicted rates, against width.

    Args:
        factory: configuration → experiment.
        problems: ready problems.
        activation: σ.
        widths: N.
        seeds: networks of each width; no two widths share neurons.
        points: n.
        trained: widest network that is trained too.
        steps: of gradient descent.
        step_size: fraction of 2n/(s²Nλ_max).
    """
    common = {
        "activation": activation,
        "points": points,
        "seeds": seeds,
        "trained": trained,
        "steps": steps,
        "step_size": step_size,
    }
    listed, sizes = distinct(problems), ascending(widths)
    theorem = [Cell({"problem": p, "points": points, "theorem": True}) for p in listed]
    return Study(
        "certificate",
        "A certificate of linear convergence at practical width",
        f"{seeds} networks for each width, {activation}, {points} points. The certificate is computed from J₀ "
        "and e₀ before the first "
        f"step; networks of up to {trained} neurons are trained for {steps} steps, each of which is held "
        "against the certified bound.",
        (*theorem, *(Cell({"problem": p, "width": n, **common}) for p in listed for n in sizes)),
        lambda cell: measure(factory, cell),
        document,
    )


def measure(factory: Factory, cell: Cell) -> Measured:
    """The theorem's least width for a problem, or one row per seed of a width."""
    p: dict[str, Any] = dict(cell.parameters)
    here = {"problem": p["problem"], "problem.points": p["points"], **IN_FIVE_DIMENSIONS.get(p["problem"], {})}
    if p.get("theorem"):
        return Measured([_theorem(factory, here)])
    made = factory({**here, "activation": p["activation"], "network.width": p["width"]})
    network, problem = require_two_layer(made.network, "certificate"), made.problem
    lazy = shared_prediction(problem, network, draws=1).lazy
    lambda_s = lazy.lambda_s if lazy else None
    train = p["steps"] if p["width"] <= p["trained"] else 0
    seeds = member_seeds(p["width"], p["seeds"])
    rows = [_row(problem, network.like(seed=seed), lambda_s, p["step_size"], train) | {"seed": seed} for seed in seeds]
    return Measured([row | {"theorem_rate": lazy.rate if lazy and lazy.rate else None} for row in rows])


def _theorem(factory: Factory, here: dict[str, object]) -> Row:
    """The least width of the theorem for the problem's points, whose activation is another one."""
    order = factory(here).problem.order
    theorem = REGRESSION if order == 0 else PDE
    made = factory({**here, "activation": theorem.activation})
    promised = shared_prediction(made.problem, made.network, draws=1)
    least = None if promised.guarantee is None else promised.guarantee.least.width
    return {"least_width": least, "theorem_activation": theorem.activation, "reason": promised.verdict.reason}


def _row(problem: Problem, network: TwoLayer, lambda_s: float | None, step_size: float, steps: int) -> Row:
    """Certificate of one network, and its training beside it."""
    factor = kernel_factor(network, problem)
    tau = step_size * 2.0 * problem.points / float(torch.linalg.matrix_norm(factor, 2)) ** 2
    found = certify(problem, network, dynamics := Dynamics("descent", tau), lambda_s, factor)
    row: Row = {
        "certified": found.certified,
        "by_modes": bool(found.modes and found.modes.certified),
        "by_ball": bool(found.ball and found.ball.certified),
        "stays": found.never_leaves,
        "rate": found.rate or None,
        "initial_rate": mode_rate(found.sigma_min, found.sigma_max, 0.0, problem.points, dynamics),
        "estimated_width": _finite(found.estimated_width),
        "ball_width": _finite(found.width * found.ball.width_factor) if found.ball else None,
        "turn": found.modes.turn if found.modes and found.modes.certified else None,
        "reason": found.reason,
    }
    return row | (_trained(problem, network, found, tau, steps) if steps else {})


def _trained(problem: Problem, network: TwoLayer, found: Certificate, tau: float, steps: int) -> Row:
    """measured_rate over the second half of the run, and the worst ratio of the loss to its certified bound."""
    states = gradient_descent(network, problem, tau, steps, absolute=True)
    losses = np.array([state.loss for state in states])
    # read back: a number that a verdict depends on
    losses = losses[losses > float(rounding_loss(problem.system(network), network.weights))]
    times = tau * np.arange(len(losses))
    logs = np.log(losses / losses[0])
    if len(losses) < 2:
        return {}
    worst = float(np.exp(np.max((logs + found.rate * times)[1:]))) if found.certified else None
    half = (len(logs) - 1) // 2
    seen = float((logs[half] - logs[-1]) / (times[-1] - times[half]))
    return {"measured_rate": seen, "worst_ratio": worst, "e_folds": found.rate * float(times[-1])}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
