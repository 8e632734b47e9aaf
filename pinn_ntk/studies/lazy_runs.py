"""Networks of many seeds trained beside their own linearisations at θ⁰: how far the kernel,
the residual and the solution go from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.batched import batched_kernel
from pinn_ntk.kernels.closed_form import closed_form_kernel, solution_kernel
from pinn_ntk.networks.sums import residual
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.studies.study import Row
from pinn_ntk.theory.linearised import Linearisation
from pinn_ntk.training.ensemble import EnsembleState, EnsembleTracker, train_ensemble
from pinn_ntk.training.ensemble import residual_tracker as track_residual
from pinn_ntk.training.states import StopRule
from pinn_ntk.training.trackers import History, tracked_steps


@dataclass(frozen=True)
class Training:
    """How all members are trained.

    Attributes:
        steps: of gradient descent.
        step_size: fraction of each member's limit 2n/(s²Nλ_max).
        tracked: log-spaced steps at which network and linearisation are compared.
    """

    steps: int
    step_size: float
    tracked: int = 20


def member_seeds(width: int, count: int) -> list[int]:
    """Seeds that no other width shares: equal seeds would share neurons,
    and points of a fitted slope are to be independent.
    """
    return [1000 * width + j for j in range(count)]


def lazy_runs(
    network: TwoLayer, problem: Problem, seeds: Sequence[int], how: Training, points: Tensor | None = None
) -> list[Row]:
    """Train every seed and compare it, step by step, with e_k^lin = U(1 − τΛ)ᵏUᵀe₀ and with the linearised solution at
    new points.

    Args:
        network: its shape, γ, initialisation and scaling.
        problem: n rows.
        seeds: one member each.
        how: steps and step size.
        points: (m, d), where the solutions are compared too; None leaves that out.

    Returns:
        One row per seed: drift = max_t ‖K̂_t − K̂_0‖_F/‖K̂_0‖_F, residual_gap = max_t ‖e_t − e_t^lin‖/‖e₀‖,
            solution_gap = max_t of the
        root mean square of u_t − u_t^lin over the points as a share of ‖e₀‖/√n, max_delta_a, max_delta_w, remaining =
        ‖e_T‖/‖e₀‖, status.
    """
    trackers: list[EnsembleTracker] = [track_residual, KernelDrift()]
    if points is not None:
        trackers.append(solution_tracker(problem, network, points))
    # a member that has learnt all it can goes on as the others do: maxima over time are to cover the same times
    never = StopRule(window=how.steps + 1)
    steps = tracked_steps(how.steps, how.tracked)
    histories = train_ensemble(
        network,
        problem,
        seeds,
        step_size=how.step_size,
        steps=how.steps,
        tracked=steps,
        stop=never,
        kernel=False,
        errors=False,
        trackers=trackers,
    )
    return [
        _row(network.like(seed=seed), problem, history, points) | {"seed": seed}
        for seed, history in zip(seeds, histories, strict=True)
    ]


class KernelDrift:
    """‖K̂_t − K̂_0‖_F/‖K̂_0‖_F of every member."""

    def __init__(self) -> None:
        self.first: dict[int, Tensor] = {}

    def __call__(self, state: EnsembleState) -> dict[str, Tensor]:
        """The column 'drift'."""
        total, _ = batched_kernel(state.system, state.weights)
        for member, kernel in zip(state.members, total, strict=True):
            self.first.setdefault(member, kernel)
        first = torch.stack([self.first[m] for m in state.members])
        return {"drift": torch.linalg.matrix_norm(total - first) / torch.linalg.matrix_norm(first)}


def solution_tracker(problem: Problem, network: TwoLayer, points: Tensor) -> EnsembleTracker:
    """u − g at points, as the array 'solution'."""
    system = network.system((problem.solution_rows(points),), points.new_zeros(len(points)))

    def track(state: EnsembleState) -> dict[str, Tensor]:
        """The values of all members."""
        return {"solution": residual(system, state.weights)}

    return track


def _row(start: TwoLayer, problem: Problem, history: History, points: Tensor | None) -> Row:
    """One member beside its linearisation."""
    e = torch.as_tensor(history.arrays["residual"], dtype=start.a0.dtype, device=start.a0.device)
    kernel = closed_form_kernel(start, problem)
    linear = Linearisation.from_kernel(kernel.scale / problem.points * kernel.total, e[0])
    k, law = torch.from_numpy(history.columns["step"]).to(e.device), Dynamics("descent", history.step_size)
    size = torch.linalg.vector_norm(e[0])
    row: Row = {
        "drift": float(history.columns["drift"].max()),
        "residual_gap": _largest(e - linear.residual_under(law, k)) / float(size),
        "max_delta_a": float(history.columns["max_delta_a"].max()),
        "max_delta_w": float(history.columns["max_delta_w"].max()),
        "remaining": float(torch.linalg.vector_norm(e[-1]) / size),
        "status": history.status.value,
    }
    if points is not None:
        u = torch.from_numpy(history.arrays["solution"]).to(e)
        cross = solution_kernel(start, problem, points)
        u_lin = linear.at_under(cross.scale / problem.points * cross.total, u[0], law, k)
        row["solution_gap"] = _largest(u - u_lin) / float(size) * (problem.points / len(points)) ** 0.5
    return row


def _largest(difference: Tensor) -> float:
    """max_t of the Euclidean norm."""
    return float(torch.linalg.vector_norm(difference, dim=1).max())
