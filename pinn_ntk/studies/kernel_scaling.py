"""How the tangent kernel of eleven linear PDEs converges with width, and how much it moves: ‖K̂₀ − K^∞‖ ~ N^{-1/2},
drift ~ N^{-1}.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from torch import Tensor

from pinn_ntk.kernels.closed_form import closed_form_kernel
from pinn_ntk.kernels.infinite_width import infinite_width_kernel
from pinn_ntk.networks.two_layer import TwoLayer, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, whole
from pinn_ntk.studies.arguments import (
    Pairs,
    Problems,
    Seeds,
    Steps,
    StepSize,
    Widths,
    ascending,
    distinct,
)
from pinn_ntk.studies.lazy_runs import Training, lazy_runs, member_seeds
from pinn_ntk.studies.scaling_document import document
from pinn_ntk.studies.study import Cell, Factory, Measured, Row, Study

ELEVEN = (
    "poisson_1d",
    "poisson_2d",
    "poisson_3d",
    "helmholtz_2d",
    "advection_diffusion_2d",
    "elliptic",
    "heat_1d",
    "wave_1d",
    "transport_1d",
    "klein_gordon_1d",
    "fokker_planck_1d",
)
SETUPS: dict[str, dict[str, object]] = {
    "lecture": {"network.init": "lecture", "network.scaling": "ntk", "network.gamma": 1.0},
    "uniform": {"network.init": "uniform", "network.scaling": "ntk", "network.gamma": 1.0},
    "sum": {"network.init": "lecture", "network.scaling": "sum", "network.gamma": "inv_sqrt_width"},
}
"""The first two are h = N^{-1/2} Σ a_k σ(w_k·x) with normal and with uniform weights,
the last is the lecture's own scaling.
"""
_NARROW = 4096  # up to which every seed is trained


@checked
def kernel_scaling(
    factory: Factory,
    *,
    problems: Problems = ELEVEN,
    widths: Widths = (16, 64, 256, 1024, 4096, 16384),
    sum_widths: Widths = (16, 64, 256, 1024),
    seeds: Seeds = 10,
    wide_seeds: Annotated[int, whole("seeds that are trained above N = 4096", 1)] = 3,
    points: Pairs = 8,
    steps: Steps = 1000,
    step_size: StepSize = 0.3,
    fit_widths: Annotated[int, whole("slopes are those of so many of the widest networks", 3)] = 3,
) -> Study:
    """Slopes of log ‖K̂₀ − K^∞_γ‖, log drift and log distance to the frozen-kernel trajectory against log N.

    Args:
        factory: configuration → experiment.
        problems: the PDEs.
        widths: N.
        sum_widths: N under the lecture's own scaling.
        seeds: runs per PDE and width.
        wide_seeds: how many of them are trained above N = 4096; of the others only the kernel at θ⁰ is measured.
        points: n of each PDE, hard conditions.
        steps: of gradient descent.
        step_size: fraction of 2n/(s²Nλ_max).
        fit_widths: slopes are those of so many of the widest networks: in narrow ones the kernel moves by more than a
            tenth.
    """
    equations, widest = distinct(problems), fit_widths
    common = {
        "seeds": seeds,
        "points": points,
        "steps": steps,
        "step_size": step_size,
    }
    fewer = {**common, "trained": min(wide_seeds, seeds)}
    plan = [(s, n, common if n <= _NARROW else fewer) for s in ("lecture", "uniform") for n in ascending(widths)]
    plan += [("sum", n, common if n <= _NARROW else fewer) for n in ascending(sum_widths)]
    cells = tuple(
        Cell({"setup": setup, "problem": p, "width": width, **how}) for setup, width, how in plan for p in equations
    )
    return Study(
        "kernel_scaling",
        "The tangent kernel against width, for eleven linear PDEs",
        f"{len(equations)} linear PDEs with {points} points each, {seeds} seeds for each PDE and width: how far "
        "is the kernel at θ⁰ from "
        f"its limit of infinite width, how far does it move in {steps} steps of {step_size:g} of the stability "
        "limit, and how far does the "
        "residual go from the one with the kernel frozen? Medians over all runs of a width; expected are the "
        "slopes −½, −1 and −1.",
        cells,
        lambda cell: measure(factory, cell),
        lambda results: document(results, widest, step_size * steps),
    )


def measure(factory: Factory, cell: Cell) -> Measured:
    """One row per seed: kernel_error, and for those that are trained everything of `lazy_runs`."""
    p: dict[str, Any] = dict(cell.parameters)
    made = factory(
        {
            "problem": p["problem"],
            "activation": "tanh",
            "problem.points": p["points"],
            "problem.test_points": 1,
            "network.width": p["width"],
            **SETUPS[p["setup"]],
        }
    )
    seeds, network = member_seeds(p["width"], p["seeds"]), require_two_layer(made.network, "kernel_scaling")
    limit = limit_kernel(network, made.problem)
    problem = of_size(made.problem, limit.a)
    errors = kernel_errors(network, problem, seeds, limit.total)
    rows: list[Row] = [{"seed": seed, "kernel_error": error} for seed, error in zip(seeds, errors, strict=True)]
    trained = lazy_runs(network, problem, seeds[: p.get("trained", p["seeds"])], Training(p["steps"], p["step_size"]))
    return Measured([row | (trained[i] if i < len(trained) else {}) for i, row in enumerate(rows)])


@dataclass(frozen=True)
class LimitKernel:
    """At infinite width.

    Attributes:
        a: s²Nγ²K^(a), the covariance of h(X;θ⁰) under 𝓛.
        total: K_γ = K^(a) + γ²K^(w).
    """

    a: Tensor
    total: Tensor


def limit_kernel(network: TwoLayer, problem: Problem) -> LimitKernel:
    """The kernel of the network's rows as N → ∞."""
    limit = infinite_width_kernel(problem, network.activation, network.bias, network.init, tolerance=1e-8)
    assert limit.a is not None and limit.w is not None  # both parts were asked for
    second_moment = network.gamma**2 * (1.0 / 3.0 if network.init == "uniform" else 1.0)
    return LimitKernel(network.scale**2 * network.width * second_moment * limit.a, limit.a + network.gamma**2 * limit.w)


def of_size(problem: Problem, covariance: Tensor) -> Problem:
    """The same linear equation for a multiple of its solution, so that ‖f‖² = E‖𝓛h(X;θ⁰)‖²:
    the target is as large as the first output.
    """
    size = float(torch.sqrt(covariance.trace()) / torch.linalg.vector_norm(problem.target))
    blocks = [replace(b, target=size * b.target) for b in problem.blocks]
    return Problem(blocks, problem.name)


def kernel_errors(network: TwoLayer, problem: Problem, seeds: Sequence[int], limit: Tensor) -> list[float]:
    """‖K̂₀ − K_γ‖_F/‖K_γ‖_F of every seed."""
    norm = torch.linalg.matrix_norm
    return [float(norm(closed_form_kernel(network.like(seed=s), problem).total - limit) / norm(limit)) for s in seeds]
