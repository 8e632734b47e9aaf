"""The certificate: what it proves holds in every run, on all operators, activations, scalings and steps;
else it says why it is silent.
"""

import math

import pytest
import torch
from cases import OPERATORS, network_of, points, problem_of
from modules import module_of

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels import closed_form_kernel, kernel_factor
from pinn_ntk.networks import TwoLayer, jacobian_columns
from pinn_ntk.operators import identity
from pinn_ntk.problem import Block, Problem
from pinn_ntk.theory import (
    Linearisation,
    Whitened,
    ball_certificate,
    certify,
    mode_rate,
    scaling_powers,
    spectral_radius,
)
from pinn_ntk.training import gradient_descent, gradient_flow

module = module_of(Whitened)

FLOW = Dynamics("flow")


def small_problem(name: str, n: int = 2) -> Problem:
    """n points of the operator and a weighted value elsewhere."""
    inside = Block(OPERATORS[name](2), points(n, 2), lambda p: torch.sin(3 * p.sum(1)))
    return Problem([inside, Block(identity(2), points(1, 2, seed=3), 0.3, name="data", weight=2.0)])


def step_of(certificate, fraction: float) -> float:
    """τ as a fraction of 2n/σ_max²."""
    return fraction * 2 * certificate.points / certificate.sigma_max**2


RUNS = [
    pytest.param(name, activation, options, id=f"{name}-{activation}-{'-'.join(map(str, options.values())) or 'sum'}")
    for name in OPERATORS
    for activation, options in (
        ("tanh", {}),
        ("gaussian", {"scaling": "ntk", "gamma": 1.0}),
        ("softplus", {"init": "centred"}),
        ("erf", {"gamma": 0.3}),
        ("relu3" if OPERATORS[name](2).order < 2 else "gelu", {}),
    )
]


@pytest.mark.parametrize(("name", "activation", "options"), RUNS)
def test_what_is_certified_holds_step_by_step(name, activation, options):
    """Loss, displacement, distance from the linearised network, kernel sandwich and drift,
    at small and at large steps.
    """
    problem = small_problem(name)
    for width in (256, 2048, 8192):
        network = TwoLayer(2, width, activation, seed=1, **options)
        if (found := certify(problem, network)).certified:
            break
    if not found.certified:
        assert found.reason or found.width_factor > 1.0
        return
    first = closed_form_kernel(network, problem)
    linear = Linearisation.from_jacobian_factor(kernel_factor(network, problem), problem.residual(network))
    for fraction in (0.1, 0.9):
        dynamics = Dynamics("descent", step_of(found, fraction))
        certificate = certify(problem, network, dynamics)
        if not certificate.certified:
            continue
        check_run(problem, network, certificate, first, linear)


def check_run(problem, network, certificate, first, linear):
    tau, modes, ball = certificate.dynamics.step, certificate.modes, certificate.ball
    start = None
    for state in gradient_descent(network, problem, tau, 15, absolute=True):
        start = start or state.loss
        if state.loss < 1e-20 * start:
            break
        assert state.loss <= math.exp(-certificate.rate * state.time) * start * (1 + 1e-9)
        moved = state.weights
        if modes.certified:
            gap = float(
                torch.linalg.norm(state.residual - linear.residual_under(certificate.dynamics, float(state.step)))
            )
            assert gap <= modes.gap * (1 + 1e-9) + 1e-13
            assert float(torch.linalg.norm(moved.dw, dim=1).max()) <= modes.longest * (1 + 1e-9)
        if ball.certified:
            assert float(torch.sqrt(moved.da.square().sum() + moved.dw.square().sum())) <= ball.radius * (1 + 1e-9)
    kernel = closed_form_kernel(state.network, problem)
    assert float(torch.linalg.norm(kernel.a - first.a)) <= certificate.drift_a + 1e-13
    if modes.certified:
        ratio = torch.linalg.eigvals(torch.linalg.solve(first.total, kernel.total)).real
        assert 1 - modes.turn - 1e-7 <= float(ratio.min()) <= float(ratio.max()) <= 1 + modes.turn + 1e-7


@pytest.mark.parametrize("name", ["identity", "laplacian"])
def test_the_flow_obeys_its_certificate(name):
    problem = small_problem(name)
    network = TwoLayer(2, 512, "tanh", seed=0)
    certificate = certify(problem, network)
    assert certificate.certified
    horizon = 2.0 / certificate.rate
    states = gradient_flow(
        network, problem, [0.0, *torch.linspace(0.1, 1, 4).mul(horizon).tolist()], rtol=1e-6, atol=1e-9
    )
    losses = [(s.time, s.loss) for s in states]
    assert all(loss <= math.exp(-certificate.rate * t) * losses[0][1] for t, loss in losses[1:])


def test_the_ball_is_exact_for_one_point_far_from_its_limit():
    """n = 1: the kernel is a number, σ² = ‖J₀‖², and with N → ∞ the certified rate is that of the linearised
    network.
    """
    problem = Problem([Block(identity(1), torch.tensor([[0.7]], dtype=torch.float64), 0.5)])
    network = TwoLayer(1, 65536, "tanh", seed=0)
    certificate = certify(problem, network)
    assert certificate.ball.certified
    assert certificate.rate == pytest.approx(2 * certificate.sigma_max**2, rel=1e-3)
    assert certificate.ball.radius == pytest.approx(certificate.residual / certificate.sigma_max, rel=1e-3)


def test_ball_conditions_are_those_of_the_formula():
    """σ_min(J) ≥ √(σ₀² − 2L‖e₀‖), s* = (σ₀ − √…)/L, and the margin is 2L‖e₀‖/σ₀²."""
    problem, network = problem_of("identity", 1, n=1), network_of("tanh", 1, 1024)
    singular = torch.linalg.svdvals(kernel_factor(network, problem))
    system, e, residual = problem.system(network), 1e-6, problem.residual(network)
    found = ball_certificate(
        system, network.weights, (float(singular[-1]), float(singular[0])), e * residual / residual.norm(), FLOW
    )
    root = math.sqrt(float(singular[-1]) ** 2 - 2 * found.lipschitz * e)
    assert found.certified
    assert found.sigma == pytest.approx(root, rel=1e-9)
    assert found.radius == pytest.approx((float(singular[-1]) - root) / found.lipschitz, rel=1e-4)
    assert found.margin == pytest.approx(2 * found.lipschitz * e / float(singular[-1]) ** 2)


def test_small_steps_have_the_rate_of_the_flow():
    problem, network = small_problem("laplacian"), TwoLayer(2, 8192, "tanh", seed=0)
    flow = certify(problem, network)
    descent = certify(problem, network, Dynamics("descent", step_of(flow, 1e-6)))
    assert descent.modes.turn == pytest.approx(flow.modes.turn)
    assert descent.modes.rate == pytest.approx(flow.modes.rate, rel=1e-4)


def test_rate_of_descent_is_that_of_the_slowest_mode_without_coupling():
    """ε = 0: q = max (1 − s)² over the two ends, −log(q)/τ is −2 log(1 − s)/τ."""
    tau, n = 0.1, 4
    slow = mode_rate(1.0, 3.0, 0.0, n, Dynamics("descent", tau))
    assert slow == pytest.approx(-2 * math.log(1 - tau / n) / tau)
    fast = mode_rate(5.9, 8.9, 0.0, n, Dynamics("descent", tau))  # s_max = 1.98 is the slower one
    assert fast == pytest.approx(-2 * math.log(abs(1 - tau * 8.9**2 / n)) / tau)
    assert mode_rate(1.0, 3.0, 0.99, n, Dynamics("descent", 0.4)) == 0.0


def test_spectral_radius_of_a_weighted_coupling():
    matrix, gain = torch.rand(5, 5, dtype=torch.float64), torch.rand(5, dtype=torch.float64) + 1
    matrix = matrix + matrix.mT
    assert spectral_radius(gain, matrix) == pytest.approx(
        float(torch.linalg.eigvals(gain[:, None] * matrix).abs().max())
    )


def whitened_network(width: int = 40, activation: str = "tanh"):
    problem, network = small_problem("full"), TwoLayer(2, width, activation, seed=2)
    _, singular, right = torch.linalg.svd(kernel_factor(network, problem), full_matrices=False)
    return problem, network, Whitened.of(problem.system(network), network.weights, singular, right.mT)


def test_travel_bounds_every_jacobian_of_its_balls():
    """Δa, Δw drawn from the balls of a way T: |J̃'J̃ᵀ − I| ≤ Ē for pairs of Jacobians, entry by entry,
    and rows turn by α and β at most.
    """
    problem, network, neurons = whitened_network()
    way = 1e-3 * torch.ones(3, dtype=torch.float64)
    travel, (group,) = neurons.travel(way), neurons.groups()
    A, B, closed = module._balls(group, way, float((way / neurons.sigma).sum()))
    assert closed
    assert travel.closed
    system, turn = problem.system(network), neurons.modes.mT / neurons.sigma[:, None]

    def jacobian(da, dw):
        moved = network.weights.moved(da, dw, network.weights.extra)
        return turn @ (system.scale * torch.cat(list(jacobian_columns(system, moved.w, moved.a)), -1))

    zero = jacobian(torch.zeros_like(A), torch.zeros_like(network.w0))
    assert torch.allclose(zero @ zero.mT, torch.eye(3, dtype=torch.float64), atol=1e-10)
    before, largest = zero, 0.0
    for _ in range(40):
        direction = torch.randn_like(network.w0)
        moved = jacobian(
            A * torch.sign(torch.randn_like(A)), B[:, None] * direction / direction.norm(dim=1, keepdim=True)
        )
        error = (moved @ before.mT - torch.eye(3, dtype=torch.float64)).abs()
        assert bool((error <= travel.coupling + 1e-12).all())
        assert bool(((moved - zero)[:, :40].norm(dim=1) <= travel.outer).all())
        assert bool(((moved - zero)[:, 40:].norm(dim=1) <= travel.inner).all())
        largest = max(largest, float(((moved - zero)[:, 40:].norm(dim=1) / travel.inner).max()))
        before = moved
    assert largest > 0.3


def test_neurons_that_are_not_held_give_the_same(monkeypatch):
    _, _, held = whitened_network(100)
    monkeypatch.setattr(module, "HELD_ELEMENTS", 10)
    monkeypatch.setattr(module, "_GROUP", 30)
    _, _, streamed = whitened_network(100)
    way = 0.01 * torch.ones(3, dtype=torch.float64)
    assert streamed.held is None
    assert torch.allclose(held.travel(way).coupling, streamed.travel(way).coupling, rtol=1e-12)
    assert held.travel(way).feature_drift == pytest.approx(streamed.travel(way).feature_drift)


def test_replicated_neurons_are_those_of_the_doubled_network():
    """Every neuron twice with a/√2 (γ = 1/√N): J₀ has singular values √2 σ, and the same modes."""
    problem, network, neurons = whitened_network(60)
    twice = network.like(width=120)
    weights = network.weights
    double = type(weights)(
        weights.a0.repeat(2) / math.sqrt(2),
        weights.w0.repeat(2, 1),
        weights.da.repeat(2),
        weights.dw.repeat(2, 1),
        weights.extra,
    )
    twice = twice.with_weights(double)
    _, singular, right = torch.linalg.svd(kernel_factor(twice, problem), full_matrices=False)
    # the part (w) of the kernel does not double; it is small
    real = Whitened.of(problem.system(twice), twice.weights, singular, right.mT)
    way = 1e-3 * torch.ones(3, dtype=torch.float64)
    guess = neurons.replicated(2.0, 0.0, 0.5).travel(way)
    assert torch.allclose(guess.coupling, real.travel(way).coupling, rtol=0.2)
    assert torch.allclose(guess.inner, real.travel(way).inner, rtol=0.2)


def test_estimated_width_is_where_wider_networks_are_certified():
    problem = small_problem("laplacian")
    narrow = certify(problem, TwoLayer(2, 32, "tanh", seed=0))
    widths = [int(16 * 2 ** (k / 2)) for k in range(18)]
    tried = {width: certify(problem, TwoLayer(2, width, "tanh", seed=0)) for width in widths}
    first = next(width for width, c in tried.items() if c.certified)
    assert first / 3 < narrow.estimated_width < 3 * first
    assert all(c.width_factor <= 1.0 for c in tried.values() if c.certified)


def test_the_modes_do_not_pay_for_a_small_eigenvalue():
    """Two points that come closer: σ_min² falls by 10⁴, the ball's width grows alike, that of the modes hardly."""

    def certificate(distance: float):
        x = torch.tensor([[0.3, 0.4], [0.3 + distance, 0.4]], dtype=torch.float64)
        return certify(
            Problem([Block(identity(2), x, lambda p: torch.sin(p[:, 0]))]), TwoLayer(2, 1024, "tanh", seed=0)
        )

    far, near = certificate(0.5), certificate(0.005)
    assert near.sigma_min**2 < 1e-3 * far.sigma_min**2
    assert near.ball.width_factor > 100 * far.ball.width_factor
    assert near.modes.width_factor < 10 * far.modes.width_factor


def test_wide_mean_field_networks_are_never_certified():
    found = certify(small_problem("identity"), TwoLayer(2, 4096, "tanh", gamma=1.0, scaling="mean_field"))
    assert not found.certified
    assert found.width_factor == math.inf


@pytest.mark.parametrize(
    ("scaling", "gamma", "powers"),
    [("sum", "inv_width", (0.0, 1.0)), ("ntk", 1.0, (0.5, 0.0)), (0.7, "inv_sqrt_width", (0.7, 0.5))],
)
def test_powers_of_a_scaling(scaling, gamma, powers):
    assert scaling_powers(TwoLayer(1, 4, gamma=gamma, scaling=scaling)) == powers


def test_extra_functions_are_part_of_the_jacobian():
    """They add constant columns: σ_min grows, and what is certified holds."""
    problem = small_problem("laplacian")
    plain = certify(problem, TwoLayer(2, 4096, "tanh", seed=0))
    network = TwoLayer(2, 4096, "tanh", seed=0, extra=[lambda x: x[:, 0] ** 2, lambda x: torch.ones_like(x[:, 0])])
    found = certify(problem, network)
    assert found.certified
    assert found.sigma_min >= plain.sigma_min
    for state in gradient_descent(network, problem, step_of(found, 0.4), 30, absolute=True):
        rate = found.rate_under(state.dynamics)
        assert state.loss <= math.exp(-rate * state.time) * found.residual**2 / (2 * problem.points) * (1 + 1e-9)


def test_reasons():
    """Every case in which nothing can be said says why."""
    problem, network = small_problem("laplacian"), TwoLayer(2, 256, "tanh", seed=0)
    found = certify(problem, network)
    assert "not Lipschitz" in certify(problem, TwoLayer(2, 256, "relu3")).reason
    assert "heavy ball" in certify(problem, network, Dynamics("heavy_ball", 0.1, 0.9)).reason
    assert "stability limit" in certify(problem, network, Dynamics("descent", step_of(found, 1.0))).reason
    assert "more points" in certify(problem_of("identity", 1, n=60), network_of("tanh", 1, 2)).reason
    close = Problem([Block(identity(1), torch.tensor([[0.5], [0.5 + 1e-15]], dtype=torch.float64), 1.0)])
    assert "rounding floor" in certify(close, TwoLayer(1, 256, "tanh")).reason
    silent = certify(close, TwoLayer(1, 256, "tanh"))
    assert (silent.certified, silent.rate, silent.estimated_width, silent.never_leaves) == (False, 0.0, math.inf, None)


def test_single_precision_is_certified_in_double():
    problem, network = small_problem("laplacian"), TwoLayer(2, 4096, "tanh", seed=0)
    single = certify(problem.to(torch.float32, "cpu"), network.to(torch.float32))
    assert single.certified
    assert single.sigma_min == pytest.approx(certify(problem, TwoLayer(2, 4096, "tanh", seed=0)).sigma_min, rel=1e-3)


def test_stopping_time_is_certified_against_the_given_eigenvalue():
    problem, network = small_problem("identity"), TwoLayer(2, 16384, "tanh", seed=0)
    drift = certify(problem, network).drift_a
    assert certify(problem, network, lambda_s=4.01 * drift).never_leaves is True
    assert certify(problem, network, lambda_s=3.99 * drift).never_leaves is False


def test_a_certificate_covers_the_steps_it_covers():
    problem, network = small_problem("laplacian"), TwoLayer(2, 8192, "tanh", seed=0)
    flow = certify(problem, network)
    half, more = Dynamics("descent", step_of(flow, 0.49)), Dynamics("descent", step_of(flow, 0.6))
    assert flow.rate_under(half) == pytest.approx(certify(problem, network, half).modes.rate)
    assert flow.rate_under(more) is None
    assert flow.rate_under(Dynamics("nesterov", 1e-3, 0.9)) is None
