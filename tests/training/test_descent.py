"""Gradient descent and flow: the first-order facts of the dynamics, the linearisation as a limit,
and every stop reason.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import network_of, points, problem_of

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels import closed_form_kernel, kernel_factor, solution_kernel
from pinn_ntk.networks import TwoLayer, residual_and_gradient, row_jacobian
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Block, Problem, regression
from pinn_ntk.theory import FLOW, Linearisation
from pinn_ntk.training import (
    State,
    Status,
    StopRule,
    flow_times,
    gradient_descent,
    gradient_flow,
    heavy_ball,
    law,
    nesterov,
    step_limit,
)


def last(states) -> State:
    *_, state = states
    return state


@pytest.mark.parametrize("name", ["identity", "laplacian", "full", "hard", "wave"])
def test_one_step_is_I_minus_tau_K_to_second_order(name: str) -> None:
    problem, net = problem_of(name, 2), network_of("tanh", 2, width=30)
    K = closed_form_kernel(net, problem)
    e0, n = problem.residual(net), problem.points
    gaps = []
    for tau in (1e-3, 1e-4):
        tau *= step_limit(net, problem)
        state = last(gradient_descent(net, problem, tau, 1, absolute=True))
        gaps.append(float(torch.linalg.norm(state.residual - (e0 - tau * K.scale / n * K.total @ e0))))
    assert gaps[0] / gaps[1] == pytest.approx(100.0, rel=0.1)


@pytest.mark.parametrize("name", ["identity", "full", "hard"])
def test_dissipation_is_minus_the_quadratic_form_of_the_kernel(name: str) -> None:
    problem, net = problem_of(name, 2), network_of("gelu", 2, width=20, scaling="ntk")
    K, e, n = closed_form_kernel(net, problem), problem.residual(net), problem.points
    predicted = -K.scale / n**2 * float(e @ K.total @ e)
    state = next(iter(gradient_descent(net, problem, steps=0)))
    assert -(state.gradient_norm**2) == pytest.approx(predicted, rel=1e-12)
    losses = []
    for sign in (1.0, -1.0):  # a central difference along the flow, whose error is of second order
        tau = sign * 1e-5 * step_limit(net, problem)
        _, gradient = residual_and_gradient(problem.system(net), net.weights)
        losses.append((tau, problem.loss(net.with_weights(net.weights.moved(*(-tau * g for g in gradient))))))
    (t1, r1), (t2, r2) = losses
    assert (r1 - r2) / (t1 - t2) == pytest.approx(predicted, rel=1e-7)


def test_the_stability_limit_is_where_one_step_factors_reach_minus_one() -> None:
    problem, net = problem_of("laplacian", 2), network_of("tanh", 2, width=40)
    K, n = closed_form_kernel(net, problem), problem.points
    vectors = torch.linalg.eigh(K.total * K.scale / n)[1]
    top = vectors[:, -1]
    target = problem.residual(net) + problem.target - 1e-4 * top
    parts = [target[problem.slices[b.name]] / s for b, s in zip(problem.blocks, problem.row_scales, strict=True)]
    shifted = Problem(
        [Block(b.operator, b.x, part, b.name, b.weight) for b, part in zip(problem.blocks, parts, strict=True)]
    )
    for fraction in (0.99, 1.01):
        state = last(gradient_descent(net, shifted, fraction, 1))
        factor = float(top @ state.residual) / 1e-4
        assert factor == pytest.approx(1.0 - 2.0 * fraction, abs=1e-3)
        assert (abs(factor) < 1.0) == (fraction < 1.0)


def jacobian(net: TwoLayer, rows) -> torch.Tensor:
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    return torch.cat([torch.cat(list(row_jacobian(net, parameters, r).values()), 1) for r in rows])


@pytest.mark.parametrize("n", [4, 60])
def test_linearised_prediction_is_the_simulation_of_the_linearised_network(n: int) -> None:
    """h₀ + J(θ − θ₀) with J from autograd, trained by plain iteration and by the matrix exponential,
    for n < P and n > P.
    """
    problem = Problem([Block(laplacian(1) + 2.0 * identity(1), points(n, 1), lambda x: torch.sin(3 * x[:, 0]))])
    net, x = TwoLayer(1, 12, "tanh"), points(7, 1, seed=3)
    e0, J, J_x = problem.residual(net), jacobian(net, problem.rows()), jacobian(net, (identity(1).rows(x),))
    linear = Linearisation.from_jacobian_factor(kernel_factor(net, problem), e0)
    K = solution_kernel(net, problem, x)
    cross, start = K.total * K.scale / n, net(x).detach()
    tau, moved = 0.5 * step_limit(net, problem), torch.zeros(J.shape[1], dtype=torch.float64)
    for _ in range(300):
        moved = moved - tau / n * J.mT @ (e0 + J @ moved)
    torch.testing.assert_close(
        linear.residual_under(Dynamics("descent", tau), 300), e0 + J @ moved, rtol=1e-10, atol=1e-10
    )
    torch.testing.assert_close(
        linear.at_under(cross, start, Dynamics("descent", tau), 300), start + J_x @ moved, rtol=1e-10, atol=1e-10
    )
    time = 300 * tau
    torch.testing.assert_close(
        linear.residual_under(FLOW, time), torch.linalg.matrix_exp(-time / n * J @ J.mT) @ e0, rtol=1e-9, atol=1e-10
    )


def test_wide_lazy_networks_follow_their_linearisation() -> None:
    problem = Problem([Block(laplacian(1) + 2.0 * identity(1), points(6, 1), lambda x: torch.sin(3 * x[:, 0]))])
    gaps = []
    for width in (1 << 10, 1 << 14):
        net = TwoLayer(1, width, "tanh")
        linear = Linearisation.from_jacobian_factor(kernel_factor(net, problem), problem.residual(net))
        tau = 0.5 * step_limit(net, problem)
        state = last(gradient_descent(net, problem, tau, 100, absolute=True))
        predicted = linear.residual_under(Dynamics("descent", tau), 100)
        gaps.append(float(torch.linalg.norm(state.residual - predicted) / torch.linalg.norm(predicted)))
    assert gaps[1] < gaps[0] / 4
    assert gaps[1] < 1e-2


def test_flow_is_the_limit_of_small_steps() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=8)
    horizon = 20 * step_limit(net, problem)
    exact = last(gradient_flow(net, problem, [0.0, horizon], rtol=1e-11, atol=1e-13))
    gaps = []
    for steps in (400, 800):
        state = last(gradient_descent(net, problem, horizon / steps, steps, absolute=True))
        gaps.append(float(torch.linalg.norm(state.residual - exact.residual)))
    assert gaps[0] / gaps[1] == pytest.approx(2.0, rel=0.1)


def test_flow_decreases_the_loss_at_the_rate_of_the_gradient() -> None:
    problem, net = problem_of("laplacian", 1), network_of("sin", 1, width=8)
    times = flow_times(net, problem, 1000, 0.5, 12)
    states = list(gradient_flow(net, problem, times))
    losses = np.array([s.loss for s in states])
    assert (np.diff(losses) < 0).all()
    assert states[-1].status is Status.MAX_STEPS
    assert len(times) == 12
    with pytest.raises(ValueError, match="begin with 0"):
        next(gradient_flow(net, problem, [1.0, 2.0]))


def test_row_22_a_flow_that_slides_along_a_kink_ends_with_its_reason() -> None:
    problem = regression(points=8, seed=0)
    net = TwoLayer(problem.dim, width=4, activation="relu", seed=0)
    times = flow_times(net, problem, 1000, 0.5, 40)
    states = list(gradient_flow(net, problem, times, most=3000))
    end = states[-1]
    assert end.status is Status.MAX_STEPS
    assert "3,000 evaluations of the gradient" in end.note
    assert states[-2].time < end.time < times[end.step]  # what was reached is what is said
    assert end.loss < states[-2].loss
    assert not any(state.note for state in states[:-1])


def test_an_unknown_integrator_is_refused() -> None:
    with pytest.raises(ValueError, match="method: got 'odeint', expected one of DOP853"):
        next(gradient_flow(network_of("sin", 1, width=8), problem_of("laplacian", 1), [0.0, 1.0], method="odeint"))


def test_training_leaves_the_network_it_was_given() -> None:
    problem, net = problem_of("laplacian", 1), network_of("tanh", 1)
    before = net.weights
    state = last(gradient_descent(net, problem, 0.5, 10))
    assert not net.weights.da.any()
    assert torch.equal(net.weights.a, before.a)
    assert state.network.weights.da.any()
    assert problem.loss(state.network) == pytest.approx(state.loss, rel=1e-12)


def test_row_22_every_stop_reason_has_its_name() -> None:
    problem, net = problem_of("identity", 1), network_of("tanh", 1, width=50)
    assert last(gradient_descent(net, problem, 0.5, 3)).status is Status.MAX_STEPS
    assert last(gradient_descent(net, problem, 0.5, 100, stop=StopRule(tolerance=1e9))).status is Status.CONVERGED
    assert last(gradient_descent(net, problem, 30.0, 1000, stop=StopRule(divergence=1e3))).status is Status.DIVERGED
    assert (
        last(gradient_descent(net, problem, 1e-9, 1000, stop=StopRule(window=5, stagnation=1e-3))).status
        is Status.STAGNATED
    )
    linear = TwoLayer(1, 5, "softplus")
    states = list(gradient_descent(linear, problem, 1e300, 50, absolute=True, stop=StopRule(divergence=math.inf)))
    assert states[-1].status is Status.NON_FINITE


def test_zero_steps_yield_the_initial_state() -> None:
    problem, net = problem_of("laplacian", 2), network_of("tanh", 2)
    (state,) = gradient_descent(net, problem, steps=0)
    assert (state.step, state.status) == (0, Status.MAX_STEPS)


@pytest.mark.parametrize("options", [{"step_size": 0.0}, {"step_size": math.nan}, {"step_size": -1.0}, {"steps": -1}])
def test_row_3_bad_step_sizes_and_steps_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="got .*, expected"):
        next(gradient_descent(network_of("tanh", 1), problem_of("identity", 1), **options))


def test_a_kernel_that_is_zero_or_not_finite_leaves_one_state() -> None:
    dead = Problem([Block(0.0 * identity(1), points(3, 1), 1.0)])
    assert math.isinf(step_limit(network_of("tanh", 1), dead))
    (state,) = gradient_descent(network_of("tanh", 1), dead)
    assert state.status is Status.STAGNATED
    huge = Problem([Block(1e200 * identity(1), points(3, 1), 1.0)])
    assert math.isnan(step_limit(network_of("tanh", 1), huge))
    (state,) = gradient_descent(network_of("tanh", 1), huge)
    assert state.status is Status.NON_FINITE


@pytest.mark.parametrize("nesterov", [False, True], ids=["heavy_ball", "nesterov"])
def test_momentum_is_that_of_torch(nesterov: bool) -> None:
    """Every state of fifty steps, its loss and gradient, against torch.optim.SGD on the same residual."""
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=10)
    states = list(gradient_descent(net, problem, 0.3, 50, momentum=0.9, nesterov=nesterov))
    other = net.with_weights(net.weights)
    optimiser = torch.optim.SGD(other.parameters(), states[0].step_size, 0.9, nesterov=nesterov)
    for state in states:
        assert state.weights.a.tolist() == pytest.approx(other.a.tolist(), rel=1e-11, abs=1e-13)
        assert state.weights.w.flatten().tolist() == pytest.approx(other.w.flatten().tolist(), rel=1e-11, abs=1e-13)
        optimiser.zero_grad()
        values = torch.cat([rows.apply(other) for rows in problem.rows()])
        loss = (values - problem.target).square().sum() / (2 * problem.points)
        loss.backward()
        norm = math.sqrt(sum(float(p.grad.square().sum()) for p in other.parameters() if p.grad is not None))
        assert (state.loss, state.gradient_norm) == pytest.approx((loss.item(), norm), rel=1e-9)
        optimiser.step()
    assert states[-1].dynamics == Dynamics("nesterov" if nesterov else "heavy_ball", states[0].step_size, 0.9)
    assert states[-1].time == pytest.approx(50 * states[0].step_size)


@pytest.mark.parametrize(("method", "kind"), [(heavy_ball, "heavy_ball"), (nesterov, "nesterov")])
def test_a_step_size_is_a_share_of_the_methods_own_limit(method, kind: str) -> None:
    problem, net = problem_of("laplacian", 1), network_of("tanh", 1, width=40)
    state = next(method(net, problem, 0.5, 0, momentum=0.8))
    factor = {"heavy_ball": 1.8, "nesterov": 1.8 / 2.6}[kind]
    assert state.step_size == pytest.approx(0.5 * factor * step_limit(net, problem), rel=1e-12)
    assert step_limit(net, problem, state.dynamics) == pytest.approx(2.0 * state.step_size, rel=1e-12)
    known = next(method(net, problem, 0.5, 0, momentum=0.8, limit=4.0))
    assert known.step_size == 2.0


@pytest.mark.parametrize("method", [heavy_ball, nesterov])
def test_the_limit_of_momentum_is_where_a_linear_network_starts_to_grow(method) -> None:
    """Only the coefficients of fixed functions move: the network is its own linearisation."""
    problem = Problem([Block(identity(1), points(6, 1), lambda x: torch.sin(9 * x[:, 0]))])
    dead = replace(
        ACTIVATIONS["tanh"], name="nothing", jet=lambda z, k: tuple(torch.zeros_like(z) for _ in range(k + 1))
    )
    net = TwoLayer(1, 1, dead, extra=tuple(lambda x, p=p: x[:, 0] ** p for p in range(4)))
    losses = {f: [s.loss for s in method(net, problem, f, 3000, momentum=0.7)] for f in (0.99, 1.01)}
    assert losses[0.99][-1] < losses[0.99][0]
    assert losses[1.01][-1] > 1e3 * losses[1.01][0]
    linear = Linearisation.from_jacobian_factor(kernel_factor(net, problem), problem.residual(net))
    *_, state = method(net, problem, 0.9, 400, momentum=0.7)
    torch.testing.assert_close(linear.residual_under(state.dynamics, 400), state.residual, rtol=1e-10, atol=1e-12)


def test_without_momentum_nothing_changes() -> None:
    problem, net = problem_of("identity", 1), network_of("tanh", 1)
    plain, zero = (
        last(gradient_descent(net, problem, 0.5, 20, **o)) for o in ({}, {"momentum": 0.0, "nesterov": True})
    )
    assert zero.dynamics == plain.dynamics
    assert torch.equal(zero.residual, plain.residual)
    with pytest.raises(ValueError, match="momentum"):
        next(gradient_descent(net, problem, momentum=1.0))


def test_the_law_of_a_method_is_read_from_its_options() -> None:
    assert law("gradient_descent", {}) == Dynamics("descent")
    assert law("gradient_descent", {"momentum": 0.5, "nesterov": True}) == Dynamics("nesterov", 0.0, 0.5)
    assert law("heavy_ball", {}) == Dynamics("heavy_ball", 0.0, 0.9)
    assert law("nesterov", {"momentum": 0.3}) == Dynamics("nesterov", 0.0, 0.3)


def test_device_and_dtype_stay(device: torch.device, dtype: torch.dtype) -> None:
    problem, net = problem_of("full", 2, dtype=dtype, device=device), network_of("tanh", 2, dtype=dtype, device=device)
    state = last(gradient_descent(net, problem, 0.5, 5))
    assert state.residual.dtype == state.weights.a.dtype == dtype
    assert state.residual.device.type == device.type
    assert replace(state).loss == state.loss
