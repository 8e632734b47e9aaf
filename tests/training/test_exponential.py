"""Exponential Euler steps: exact where the kernel stands still, of first order elsewhere,
and the flow of an explicit integrator.
"""

import math

import pytest
import torch

from pinn_ntk.kernels import batched_kernel
from pinn_ntk.networks import TwoLayer, residual
from pinn_ntk.problem import given_points
from pinn_ntk.training import FlowState, Modes, exponential_flow, exponential_step, gradient_flow, stacked

POINTS = ["1/4", "1/2", "3/4"]


def ensemble(width: int, operator: str = "laplacian", count: int = 3):
    problem = given_points(operator=operator, points=POINTS)
    nets = [TwoLayer(1, width, "tanh", seed=s) for s in range(count)]
    return problem, nets, problem.system(nets[0]), stacked(nets)


def modes_of(system, weights) -> Modes:
    kernel, _ = batched_kernel(system, weights)
    return Modes(*torch.linalg.eigh(kernel * (system.scale**2 * weights.a0.shape[1] / system.points)))


def test_response_and_decay_of_a_diagonal_kernel() -> None:
    rates = torch.tensor([[0.0, 0.5, 40.0]], dtype=torch.float64)
    modes, e, h = (
        Modes(rates, torch.eye(3, dtype=torch.float64)[None]),
        torch.ones(1, 3, dtype=torch.float64),
        torch.tensor([2.0]).double(),
    )
    assert modes.decayed(e, h)[0].tolist() == pytest.approx([1.0, math.exp(-1.0), math.exp(-80.0)])
    assert modes.response(e, h)[0].tolist() == pytest.approx([2.0, (1 - math.exp(-1.0)) / 0.5, 1 / 40.0])
    torch.testing.assert_close(e - rates * modes.response(e, h), modes.decayed(e, h))


def test_the_error_of_a_step_is_of_second_order() -> None:
    _, _, system, weights = ensemble(32)
    e, modes = residual(system, weights), modes_of(system, weights)
    errors = [
        exponential_step(system, weights, e, modes, torch.full((3,), h, dtype=torch.float64))[2] for h in (1e-3, 5e-4)
    ]
    assert torch.log2(errors[0] / errors[1]).tolist() == pytest.approx([2.0] * 3, abs=0.15)


def test_a_wide_network_needs_few_steps_for_a_stiff_kernel() -> None:
    """At N = 16384 and γ = 1/√N the kernel hardly moves: e(t) = U e^{−Λt}Uᵀe₀ in a dozen rounds,
    where explicit steps number λ_max t.
    """
    _, _, system, weights = ensemble(1 << 14, count=1)
    modes, rounds = modes_of(system, weights), []
    end = 2.0 / modes.rates[:, 0]
    expected = modes.decayed(residual(system, weights), end)

    def ended(state: FlowState) -> torch.Tensor:
        rounds.append(state.residual.clone())
        return torch.zeros_like(state.time, dtype=torch.bool)

    assert len(exponential_flow(system, weights, end, ended)) == 0
    assert len(rounds) < 20 < float(modes.rates[0, -1] * end)
    torch.testing.assert_close(rounds[-1], expected, rtol=0.05, atol=1e-4)


def test_the_flow_is_that_of_an_explicit_integrator() -> None:
    problem, nets, system, weights = ensemble(64)
    last: dict[int, float] = {}

    def ended(state: FlowState) -> torch.Tensor:
        losses = (state.residual**2).sum(1) / (2 * problem.points)
        last.update(zip(state.members.tolist(), losses.tolist(), strict=True))
        return state.members == 1  # ends at once: only the others go on

    start = problem.loss(nets[1])
    assert (
        len(exponential_flow(system, weights, torch.full((3,), 0.5, dtype=torch.float64), ended, tolerance=1e-3)) == 0
    )
    assert last[1] == pytest.approx(start)
    for k in (0, 2):
        exact = list(gradient_flow(nets[k], problem, [0.0, 0.5]))[-1].loss
        assert last[k] == pytest.approx(exact, rel=0.05)


def test_members_that_do_not_get_there_are_named() -> None:
    _, _, system, weights = ensemble(16)
    left = exponential_flow(
        system, weights, torch.full((3,), 1e9, dtype=torch.float64), lambda s: s.members == 2, most=2
    )
    assert left.tolist() == [0, 1]
