"""Particles: the lecture's flow in other coordinates, gradient descent at another clock,
and Langevin's stationary law.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import network_of, points, problem_of

from pinn_ntk.experiment import Settings, run
from pinn_ntk.networks import TwoLayer, features, residual_and_gradient
from pinn_ntk.operators import identity
from pinn_ntk.problem import Block, Problem
from pinn_ntk.theory import cloud
from pinn_ntk.training import State, Status, StopRule, gradient_descent, gradient_flow, particle_flow, step_limit

EQUIVALENT = [
    ("relu", "identity", 1),
    ("relu2", "identity", 2),
    ("relu3", "identity", 3),
    ("relu3", "laplacian", 3),
    ("relu3", "full", 3),
]


def last(states: Iterable[State]) -> State:
    *_, state = states
    return state


def clock(width: int, degree: int) -> float:
    """t_MF/t = N^{(1−p)/(1+p)}: the lecture's flow of h = Σ a σ(w·x), σ = ReLUᵖ, started at
    a, w ~ N^{−1/(p+1)} N(0, 1), is the mean-field flow by that clock.
    """
    return math.pow(width, (1 - degree) / (1 + degree))


def twins(activation: str, degree: int) -> tuple[TwoLayer, TwoLayer, float]:
    """The mean-field network with a, w ~ N(0, 1), the lecture's with the same neurons times c = N^{−1/(p+1)}, and c."""
    # of this seed no neuron crosses a point under ReLU: a flow that jumps there has no one solution
    field = TwoLayer(2, 8, activation, gamma=1.0, scaling="mean_field", seed=0)
    c, weights = math.pow(field.width, -1.0 / (degree + 1)), field.weights
    lecture = TwoLayer(2, 8, activation, gamma=1.0, seed=0).with_weights(
        replace(weights, a0=c * weights.a0, w0=c * weights.w0)
    )
    return field, lecture, c


@pytest.mark.parametrize(("activation", "name", "degree"), EQUIVALENT)
def test_the_lectures_flow_from_a_small_start_is_the_mean_field_flow(activation: str, name: str, degree: int) -> None:
    problem = problem_of(name, 2)
    field, lecture, c = twins(activation, degree)
    horizon = 2.0 * step_limit(field, problem) / field.width
    there = last(particle_flow(field, problem, method="adaptive", dt=horizon, steps=1, rtol=1e-11, atol=1e-12))
    t = horizon / clock(field.width, degree)
    here = last(gradient_flow(lecture, problem, [0.0, t], rtol=1e-11, atol=1e-12))
    assert there.loss < 0.5 * problem.loss(field)
    torch.testing.assert_close(here.residual, there.residual, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(here.weights.a, c * there.weights.a, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(here.weights.w, c * there.weights.w, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("activation", "name", "degree"), EQUIVALENT)
def test_so_are_their_euler_steps(activation: str, name: str, degree: int) -> None:
    problem = problem_of(name, 2)
    field, lecture, c = twins(activation, degree)
    dt = 0.05 * step_limit(field, problem) / field.width
    there = last(particle_flow(field, problem, dt=dt, steps=50))
    here = last(gradient_descent(lecture, problem, dt / clock(field.width, degree), 50, absolute=True))
    assert there.loss < 0.5 * problem.loss(field)
    torch.testing.assert_close(here.weights.a, c * there.weights.a, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(here.weights.w, c * there.weights.w, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("step", [{"step_size": 0.4}, {"dt": 0.02}, {"step_size": 0.6, "absolute": True}])
def test_euler_without_noise_and_decay_is_gradient_descent(step: dict) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=30, scaling="mean_field")
    end = last(particle_flow(net, problem, steps=25, **step))
    twin = last(gradient_descent(net, problem, end.step_size, 25, absolute=True))
    torch.testing.assert_close(end.weights.w, twin.weights.w, rtol=1e-12, atol=1e-13)
    assert end.dynamics == twin.dynamics
    assert end.time == pytest.approx(twin.time, rel=1e-14)
    assert (end.loss, end.gradient_norm, end.status) == (
        pytest.approx(twin.loss),
        pytest.approx(twin.gradient_norm),
        twin.status,
    )


def test_dt_is_mean_field_time() -> None:
    problem, net = problem_of("identity", 1), network_of("tanh", 1, width=30, scaling="mean_field")
    for method in ("euler", "adaptive"):
        assert last(particle_flow(net, problem, dt=0.25, steps=4, method=method)).time / net.width == pytest.approx(
            1.0, rel=1e-14
        )


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_euler_has_order_one_and_the_adaptive_method_its_tolerance(decay: float) -> None:
    problem, net = problem_of("laplacian", 1), network_of("sin", 1, width=8, scaling="mean_field")
    horizon = 2.0 * step_limit(net, problem) / net.width

    def end(steps: int, **options: object) -> torch.Tensor:
        options = {"dt": horizon / steps, "steps": steps, "weight_decay": decay, **options}
        return last(particle_flow(net, problem, **options)).weights.w  # type: ignore[arg-type]

    exact = end(1, method="adaptive", rtol=1e-12, atol=1e-14)
    coarse, fine = (float((end(steps) - exact).norm()) for steps in (400, 800))
    assert coarse / fine == pytest.approx(2.0, rel=0.1)
    loose, tight = (float((end(1, method="adaptive", rtol=rtol, atol=rtol) - exact).norm()) for rtol in (1e-4, 1e-8))
    assert tight < 1e-7 < fine
    assert tight < loose < 1e-3


@pytest.mark.parametrize("name", ["identity", "full"])
def test_particles_fall_down_the_potential_that_they_make(name: str) -> None:
    problem, net = problem_of(name, 2), network_of("gelu", 2, width=6, scaling="mean_field")
    first, second = particle_flow(net, problem, dt=1e-3, steps=1)
    system, place = problem.system(net), cloud(first.weights).requires_grad_()
    V = place[:, 0] * (features(system, place[:, 1:]).mT @ first.residual) / problem.points  # (1/n) Σ_i e_i a φ(w; x_i)
    (slope,) = torch.autograd.grad(V.sum(), place)
    torch.testing.assert_close(cloud(second.weights) - cloud(first.weights), -1e-3 * slope, rtol=1e-9, atol=1e-12)


def silent(d: int = 1) -> Problem:
    """A potential that is zero everywhere."""
    return Problem([Block(0.0 * identity(d), points(3, d), 1.0)])


def test_pure_decay_is_exponential() -> None:
    net = TwoLayer(1, 50, gamma=1.0, scaling="mean_field")
    start = net.weights
    state = last(
        particle_flow(net, silent(), dt=0.5, steps=4, method="adaptive", weight_decay=0.7, rtol=1e-11, atol=1e-13)
    )
    torch.testing.assert_close(state.weights.a, math.exp(-1.4) * start.a, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(state.weights.w, math.exp(-1.4) * start.w, rtol=1e-9, atol=1e-10)


def test_noise_and_decay_alone_settle_at_the_variance_T_over_kappa() -> None:
    temperature, kappa, dt = 0.3, 2.0, 0.05
    net = TwoLayer(1, 20_000, gamma=1.0, scaling="mean_field")
    state = last(particle_flow(net, silent(), dt=dt, steps=60, temperature=temperature, weight_decay=kappa))
    stationary = temperature / kappa / (1.0 - 0.5 * kappa * dt)  # Euler–Maruyama's own; T/κ as dt → 0
    spread = math.sqrt(2.0 / net.width)
    for values in (state.weights.a, *state.weights.w.T):
        assert float(values.var()) == pytest.approx(stationary, rel=4.0 * spread)
        assert float(values.mean()) == pytest.approx(0.0, abs=4.0 * math.sqrt(stationary / net.width))
    assert state.dynamics.kind == "other"
    assert state.status is Status.MAX_STEPS


def test_noise_without_a_potential_is_brownian() -> None:
    net = TwoLayer(1, 20_000, gamma=1.0, scaling="mean_field")
    state = last(particle_flow(net, silent(), dt=0.01, steps=20, temperature=0.5))
    assert float(state.weights.da.var()) == pytest.approx(2 * 0.5 * 0.2, rel=4.0 * math.sqrt(2.0 / net.width))


def test_a_wider_cloud_of_the_same_seed_shakes_its_first_particles_alike() -> None:
    narrow, wide = (TwoLayer(1, n, gamma=1.0, scaling="mean_field") for n in (10, 20))
    ends = [
        last(particle_flow(net, silent(), dt=0.1, steps=5, temperature=1.0, noise_seed=7)).weights
        for net in (narrow, wide)
    ]
    torch.testing.assert_close(ends[0].w, ends[1].w[:10], rtol=0, atol=0)
    other = last(particle_flow(narrow, silent(), dt=0.1, steps=5, temperature=1.0, noise_seed=8)).weights
    assert not torch.allclose(ends[0].w, other.w)


def test_extra_functions_are_no_particles_and_move_at_their_own_rate() -> None:
    problem = problem_of("identity", 1)
    net = TwoLayer(1, 10, gamma=1.0, scaling="mean_field", extra=[lambda x: x[:, 0]])
    first, second = particle_flow(net, problem, dt=0.1, steps=1)
    by_extra = residual_and_gradient(problem.system(net), net.weights)[1][2]
    torch.testing.assert_close(second.weights.extra, first.weights.extra - 0.1 * by_extra)
    assert second.dynamics.kind == "other"


@pytest.mark.parametrize(
    "options",
    [
        {"method": "heun"},
        {"dt": 0.0},
        {"dt": math.inf},
        {"step_size": -1.0},
        {"steps": -1},
        {"temperature": -1.0},
        {"weight_decay": math.nan},
        {"temperature": 0.1, "method": "adaptive"},
    ],
)
def test_bad_options_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="got .*, expected"):
        next(particle_flow(network_of("tanh", 1, scaling="mean_field"), problem_of("identity", 1), **options))


@pytest.mark.parametrize("scaling", ["sum", "ntk", 0.75])
def test_a_network_without_the_factor_one_over_n_is_refused(scaling: str | float) -> None:
    with pytest.raises(ValueError, match="expected 'mean_field'"):
        next(particle_flow(network_of("tanh", 1, scaling=scaling), problem_of("identity", 1)))


def test_every_end_has_its_name() -> None:
    problem, net = problem_of("identity", 1), network_of("tanh", 1, width=50, scaling="mean_field")
    assert last(particle_flow(net, problem, steps=0)).status is Status.MAX_STEPS
    assert last(particle_flow(net, problem, method="adaptive", steps=3)).status is Status.MAX_STEPS
    assert last(particle_flow(net, problem, stop=StopRule(tolerance=1e9))).status is Status.CONVERGED
    noisy = last(particle_flow(net, problem, steps=3, stop=StopRule(tolerance=1e9), temperature=1e-3))
    assert (noisy.status, noisy.step) == (Status.MAX_STEPS, 3)  # noise leaves again what it came upon
    assert last(particle_flow(net, silent())).status is Status.STAGNATED
    stagnant = StopRule(window=5, stagnation=1e-3)
    assert last(particle_flow(net, problem, 1e-9, steps=100, stop=stagnant)).status is Status.STAGNATED
    assert (
        last(particle_flow(net, problem, 1e-9, steps=100, stop=stagnant, temperature=1e-30)).status is Status.MAX_STEPS
    )
    huge = Problem([Block(1e200 * identity(1), points(3, 1), 1.0)])
    assert last(particle_flow(net, huge)).status is Status.NON_FINITE


def test_device_and_dtype_stay(device: torch.device, dtype: torch.dtype) -> None:
    problem, net = (
        problem_of("full", 2, dtype=dtype, device=device),
        network_of("tanh", 2, scaling="mean_field", dtype=dtype, device=device),
    )
    for options in ({"temperature": 0.01, "weight_decay": 0.1}, {"method": "adaptive", "rtol": 1e-4}):
        state = last(particle_flow(net, problem, steps=3, **options))  # type: ignore[arg-type]
        assert state.weights.w.dtype == dtype
        assert state.weights.w.device.type == device.type
        assert np.isfinite(state.loss)


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, "descent"), ({"method": "adaptive"}, "flow"), ({"temperature": 1e-3, "weight_decay": 1e-3}, "other")],
)
def test_a_run_judges_particles_by_the_clock_of_the_theory(options: dict, kind: str) -> None:
    problem, net = problem_of("laplacian", 1), TwoLayer(1, 400, "tanh", gamma=1.0, scaling="mean_field")
    settings = Settings(
        optimizer="particle_flow", step_size=0.1, steps=4, tracked=4, forecast_draws=20, options=options
    )
    record = run(problem, net, settings)
    assert record.history.dynamics.kind == kind
    found = {s.name: s for s in record.statements}
    assert found["dissipation identity"].verdict == "holds"
    linear = found["linearised prediction"]
    if kind == "other":
        assert linear.verdict == "not_applicable"
    else:  # four small steps are still close to the linearisation, but in its own time only
        assert linear.measured is not None
        assert linear.measured < 1.3
