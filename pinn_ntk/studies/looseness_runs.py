"""Networks of many seeds trained until the bound of the theorem is broken, has fallen far enough,
or can no longer be met from above.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.kernels.batched import batched_kernel
from pinn_ntk.networks.features import System
from pinn_ntk.networks.sums import residual, residual_and_gradient
from pinn_ntk.networks.two_layer import TwoLayer, Weights
from pinn_ntk.problem.residual import Problem
from pinn_ntk.theory.bounds import convergence_rate, stopping_radius
from pinn_ntk.training.ensemble import batch_size, step_limits
from pinn_ntk.training.ensemble_states import selected, stacked
from pinn_ntk.training.exponential import FlowState, exponential_flow

FINEST = 0.05
"""E-folds of the bound in one step of gradient descent at most: the slow modes then fall as they would under the
flow.
"""
_LOOKS = 1.3  # ratio of the steps at which the kernel is looked at


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Attributes:
        lambda_s: λ_S.
        e_folds: E, over which the bound has to hold.
        step_size: of gradient descent, as a share of each network's limit.
        descend: whether gradient descent is affordable for those whose flow was given up.
    """

    lambda_s: float
    e_folds: float
    step_size: float
    descend: bool = True


class Judge:
    """Who has broken the bound, left the ball of radius λ_S/4, or begun below ¾λ_S.

    Attributes:
        held: whether the bound has held so far, (S,).
        still: whether ‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ λ_S/4 so far.
        start: whether λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S.
        given_up: members whose flow did not get to its end; of them nothing is known.
    """

    def __init__(self, loss: Tensor, kernel_a: Tensor, trial: Trial) -> None:
        self.loss, self.kernel, self.lambda_s, self.e_folds = loss, kernel_a, trial.lambda_s, trial.e_folds
        self.given_up = torch.zeros_like(loss, dtype=torch.bool)
        self.held, self.still = torch.ones_like(loss, dtype=torch.bool), torch.ones_like(loss, dtype=torch.bool)
        self.start = torch.linalg.eigvalsh(kernel_a)[:, 0] >= 0.75 * self.lambda_s

    def counts(self) -> tuple[int, int, int, int]:
        """In how many the bound held, t* = ∞ as well, λ_min at the start was large enough;
        and how many were given up.
        """
        masks = (self.held & ~self.given_up, self.held & self.still & ~self.given_up, self.start, self.given_up)
        held, still, start, given_up = (int(mask.sum()) for mask in masks)
        return held, still, start, given_up

    def ended(self, members: Tensor, loss: Tensor, folds: Tensor) -> Tensor:
        """Who needs no further step: the bound is broken, has fallen by all its e-folds,
        or will stay above a loss that falls on.

        Args:
            members: (S,) whose losses these are.
            loss: R_S(t).
            folds: rate·t.
        """
        logs = torch.log(loss / self.loss[members])
        broken = ~(logs <= 1e-9 - folds)
        self.held[members] &= ~broken
        return broken | (logs <= -self.e_folds) | (folds >= self.e_folds)

    def drifted(self, members: Tensor, kernel_a: Tensor) -> None:
        """Look how far part (a) of the kernel is from where it was."""
        drift = torch.linalg.matrix_norm(kernel_a - self.kernel[members])
        self.still[members] &= drift <= stopping_radius(self.lambda_s)


def judged(problem: Problem, network: TwoLayer, seeds: Sequence[int], trial: Trial) -> list[Judge]:
    """All seeds, trained and judged batch by batch.

    Args:
        problem: n rows.
        network: its shape, γ, initialisation and scaling.
        seeds: one member each.
        trial: what is tried.
    """
    system, rate = problem.system(network), convergence_rate(network.kernel_scale, trial.lambda_s, problem.points)
    size = batch_size(problem.points, network.width, network.device)
    batches = [stacked([network.like(seed=seed) for seed in seeds[i : i + size]]) for i in range(0, len(seeds), size)]
    run = _descended if kinked(network) else _flowed
    return [run(system, weights, rate, trial) for weights in batches]


def kinked(network: TwoLayer) -> bool:
    """Whether features have kinks, which no step of an exponential integrator crosses:
    small explicit steps do not mind them.
    """
    return network.activation.smoothness < 1


def _flowed(system: System, weights: Weights, rate: float, trial: Trial) -> Judge:
    """Gradient flow until every member has ended; whoever is given up on the way descends by small steps,
    where that is affordable.
    """
    judge = Judge(_losses(residual(system, weights)), batched_kernel(system, weights)[1], trial)

    def ended(state: FlowState) -> Tensor:
        judge.drifted(state.members, state.kernel_a)
        return judge.ended(state.members, _losses(state.residual), rate * state.time)

    left = exponential_flow(system, weights, torch.full_like(judge.loss, trial.e_folds / rate), ended)
    if len(left) and trial.descend:
        again = _descended(system, selected(weights, left), rate, trial)
        judge.held[left], judge.still[left] = again.held, again.still
    else:
        judge.given_up[left] = True
    return judge


def _descended(system: System, weights: Weights, rate: float, trial: Trial) -> Judge:
    """Gradient descent until every member has ended, in steps that are fine for the modes that the bound is about."""
    folds = (rate * trial.step_size * step_limits(system, weights)).clamp(max=FINEST)
    tau, members, k, look = folds / rate, torch.arange(len(folds), device=folds.device), 0, 1
    e, gradient = residual_and_gradient(system, weights)
    judge = Judge(_losses(e), batched_kernel(system, weights)[1], trial)
    while len(members):
        weights = weights.moved(*(g * -tau[members].reshape(-1, *[1] * (g.ndim - 1)) for g in gradient))
        e, gradient = residual_and_gradient(system, weights)
        k += 1
        ended = judge.ended(members, _losses(e), k * folds[members])
        if k >= look or bool(ended.any()):
            judge.drifted(members, batched_kernel(system, weights)[1])
            look, on = math.ceil(_LOOKS * k), ~ended
            members, weights, gradient = (
                members[on],
                selected(weights, on),
                (gradient[0][on], gradient[1][on], gradient[2][on]),
            )
    return judge


def _losses(e: Tensor) -> Tensor:
    """R_S = ‖e‖²/(2n), (S,)."""
    return (e * e).sum(-1) / (2 * e.shape[-1])
