"""The linear model against the linearised network itself: its Jacobian formed by autograd,
its parameters moved step by step.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.geometry import box
from pinn_ntk.kernels import NotAvailableError, infinite_width_kernel
from pinn_ntk.networks import TwoLayer, model_of, row_jacobian
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Block, Problem, poisson_1d, regression, wave_1d
from pinn_ntk.theory import LinearModel, linearise
from pinn_ntk.training import gradient_descent

PROBLEMS: dict[str, Callable[[int], Problem]] = {
    "regression": lambda n: regression(target="sin(3*x1)", points=n, test_points=9),
    "hard": lambda n: poisson_1d(points=n, boundary="hard", test_points=9),
    "soft": lambda n: poisson_1d(points=n, boundary="soft", test_points=9),
    "wave": lambda n: wave_1d(points=n, boundary="soft", boundary_points=2, test_points=9),
}
CASES = [
    pytest.param(name, n, id=f"{name}-{n}") for name in PROBLEMS for n in (4, 40)
]  # fewer and more points than parameters


class Simulation:
    """h(x; θ⁰) + J_x(θ − θ⁰): e₀, J and J_x from autograd."""

    def __init__(self, problem: Problem, net: TwoLayer, x: Tensor) -> None:
        theta = {name: p.detach() for name, p in net.named_parameters()}

        def jacobian(rows: tuple) -> Tensor:
            return torch.cat([torch.cat(list(row_jacobian(net, theta, r).values()), 1) for r in rows])

        self.n, self.e0, self.u0 = problem.points, problem.residual(net), problem.solution(net)(x).detach()
        self.J, self.J_x = jacobian(problem.rows()), jacobian((problem.solution_rows(x),))

    def gradient(self, theta: Tensor) -> Tensor:
        return self.J.mT @ (self.e0 + self.J @ theta) / self.n

    def after(self, k: int, step: float, momentum: float = 0.0, nesterov: bool = False) -> Tensor:
        theta, velocity = torch.zeros(self.J.shape[1], dtype=torch.float64), 0.0
        for _ in range(k):
            push = -step * self.gradient(theta)
            velocity = momentum * velocity + push
            theta = theta + (momentum * velocity + push if nesterov else velocity)
        return theta

    def flow(self, t: float) -> Tensor:
        P = self.J.shape[1]
        system = torch.zeros(P + 1, P + 1, dtype=torch.float64)
        system[:P, :P], system[:P, P] = (
            -self.J.mT @ self.J / self.n,
            -self.gradient(torch.zeros(P, dtype=torch.float64)),
        )
        return torch.from_numpy(expm(t * system.numpy()))[:P, P]

    def agrees(self, model: LinearModel, theta: Tensor, state, tolerance: float) -> None:
        e, u = self.e0 + self.J @ theta, self.u0 + self.J_x @ theta
        size = float(self.e0.abs().max())
        torch.testing.assert_close(state.residual, e, rtol=0, atol=tolerance * size)
        torch.testing.assert_close(
            state.loss, e.square().sum() / (2 * self.n), rtol=tolerance, atol=tolerance * size**2
        )
        torch.testing.assert_close(state.u, u, rtol=0, atol=tolerance * max(1.0, float(u.abs().max())))


def made(name: str, n: int) -> tuple[LinearModel, Simulation]:
    problem = PROBLEMS[name](n)
    net, x = TwoLayer(problem.dim, 8, "tanh", gamma=0.5), problem.test_points
    assert x is not None
    return linearise(problem, net, x), Simulation(problem, net, x)


@pytest.mark.parametrize(("name", "n"), CASES)
def test_steps_are_those_of_the_linearised_network(name: str, n: int) -> None:
    model, simulation = made(name, n)
    assert (simulation.n > simulation.J.shape[1]) == (n > 30)
    for momentum, nesterov in ((0.0, False), (0.9, False), (0.9, True)):
        law = model.descent(0.6, momentum, nesterov)
        theta = simulation.after(50, law.step, momentum, nesterov)
        simulation.agrees(model, theta, model.under(law).state(50), 1e-12)
        assert model.descent(law.step, momentum, nesterov, absolute=True) == law


@pytest.mark.parametrize(("name", "n"), CASES)
def test_the_flow_is_that_of_the_linearised_network(name: str, n: int) -> None:
    model, simulation = made(name, n)
    for t in (0.5, 30.0):
        t = t / float(model.eigenvalues[0])
        simulation.agrees(model, simulation.flow(t), model.predict(t), 1e-10)


def test_the_end_of_training_is_least_squares() -> None:
    """Where modes are far above rounding: the least-norm solution for n < P, the least-squares one for n > P."""
    for n, width in ((3, 8), (40, 2)):
        problem = regression(target="cos(2*x1)", points=n, low=-2.0, high=2.0, test_points=9)
        net = TwoLayer(1, width, "tanh", gamma=1.0)
        assert problem.test_points is not None
        simulation = Simulation(problem, net, problem.test_points)
        theta = torch.from_numpy(np.linalg.lstsq(simulation.J.numpy(), -simulation.e0.numpy(), rcond=1e-12)[0])
        simulation.agrees(
            linearise(problem, net, problem.test_points),
            theta,
            linearise(problem, net, problem.test_points).predict(math.inf),
            1e-7,
        )


def test_many_times_give_many_states() -> None:
    model, _ = made("hard", 4)
    times = torch.linspace(0.0, 1.0, 6, dtype=torch.float64)
    states = model.predict(times)
    assert states.residual.shape == (6, 4)
    assert states.loss.shape == (6,)
    assert states.u is not None and states.u.shape == (6, 9)
    torch.testing.assert_close(model.losses(times), states.loss)
    torch.testing.assert_close(model.mode_losses(times).sum(1), states.loss)
    assert linearise(PROBLEMS["hard"](4), TwoLayer(1, 8, "tanh")).predict(1.0).u is None


def test_a_narrow_step_of_training_is_a_step_of_the_linear_model() -> None:
    """Real training leaves its linearisation by second order in the step."""
    problem, net = PROBLEMS["soft"](6), TwoLayer(1, 64, "tanh")
    model = linearise(problem, net)
    for momentum, nesterov in ((0.0, False), (0.8, False), (0.8, True)):
        gaps = []
        for fraction in (1e-2, 1e-3):
            *_, state = gradient_descent(net, problem, fraction, 3, momentum=momentum, nesterov=nesterov)
            assert state.dynamics.step == pytest.approx(model.descent(fraction, momentum, nesterov).step, rel=1e-12)
            predicted = model.under(model.descent(fraction, momentum, nesterov)).state(3).residual
            gaps.append(float((state.residual - predicted).norm()))
        assert gaps[0] / gaps[1] == pytest.approx(100.0, rel=0.2)


def test_losses_follow_the_law_of_the_model() -> None:
    model, _ = made("soft", 4)
    law = model.descent(0.7, 0.9)
    ball = model.under(law)
    torch.testing.assert_close(ball.losses(30), ball.state(30).loss)
    assert ball.step_limit == pytest.approx(law.step / 0.7)
    assert model.step_limit == pytest.approx(2.0 / float(model.eigenvalues[0]))
    assert model.under(model.descent(0.7, 0.9, nesterov=True)).step_limit < model.step_limit < ball.step_limit


def test_modes_fall_by_e_at_one_over_their_rate() -> None:
    model, _ = made("hard", 4)
    torch.testing.assert_close(model.times_to(), 1.0 / model.eigenvalues)
    times = model.times_to(0.1)
    fallen = torch.stack([model.mode_losses(t)[j] / model.mode_losses(0.0)[j] for j, t in enumerate(times)])
    torch.testing.assert_close(fallen, torch.full_like(fallen, 0.01))
    steps = model.under(model.descent(0.1)).times_to()
    torch.testing.assert_close(steps, -1.0 / torch.log1p(-0.2 * model.eigenvalues / model.eigenvalues[0]))
    law = model.descent(1e-3, 0.9)
    assert float(model.under(law).times_to()[-1]) * law.pace == pytest.approx(float(model.times_to()[-1]), rel=1e-3)
    assert math.isinf(float(model.under(model.descent(1.1)).times_to()[0]))
    zero = linearise(
        Problem([Block(0.0 * identity(1), torch.rand(2, 1, dtype=torch.float64), 1.0)]), TwoLayer(1, 4, "tanh")
    )
    assert zero.times_to().tolist() == [math.inf, math.inf]


@pytest.mark.parametrize("name", ["regression", "hard", "soft"])
def test_the_kernel_of_infinite_width_is_the_limit_of_the_networks(name: str) -> None:
    """Predictions with K̂(θ⁰) and with K_γ of the same networks differ by N^(−1/2)."""
    problem, widths, gaps = PROBLEMS[name](5), (256, 4096), []
    limit = linearise(
        problem, TwoLayer(1, 1, "tanh", gamma=1.0, scaling="ntk"), problem.test_points, "infinite"
    )  # the same at every width
    t = 5.0 / float(limit.eigenvalues[0])
    for width in widths:
        each = []
        for seed in range(width, width + 32):  # no network begins with the neurons of another
            net = TwoLayer(1, width, "tanh", gamma=1.0, scaling="ntk", seed=seed)
            own = linearise(problem, net, problem.test_points)
            a, b = own.predict(t).u, started_as(limit, own, problem.residual(net)).predict(t).u
            assert a is not None and b is not None
            each.append(float((a - b).norm()))
        gaps.append(float(np.mean(each)))
    slope = np.polyfit(np.log(widths), np.log(gaps), 1)[0]
    assert -0.65 < slope < -0.35
    assert gaps[-1] < 0.35 * gaps[0]


def started_as(limit: LinearModel, own: LinearModel, e: Tensor) -> LinearModel:
    """The model with another network's e₀ and u₀."""
    return replace(limit, linear=replace(limit.linear, coefficients=limit.linear.vectors.mT @ e), initial=own.initial)


@pytest.mark.parametrize("init", ["lecture", "uniform"])
def test_infinite_width_has_gamma_and_scaling_of_the_network(init: str) -> None:
    problem = PROBLEMS["soft"](4)
    for scaling, gamma in (("sum", 0.3), ("ntk", 1.0)):
        net = TwoLayer(1, 20_000, "tanh", gamma=gamma, scaling=scaling, init=init)
        own, limit = linearise(problem, net), linearise(problem, net, kernel="infinite")
        torch.testing.assert_close(limit.eigenvalues[0], own.eigenvalues[0], rtol=0.05, atol=0)


def test_the_expectation_is_the_mean_over_seeds_and_ends_in_kernel_regression() -> None:
    x, at = box([-1.0], [1.0]).interior(5), torch.linspace(-1, 1, 7, dtype=torch.float64)[:, None]
    problem = Problem([Block(laplacian(1) - identity(1), x, lambda p: torch.sin(2 * p[:, 0]))])
    model = linearise(problem, TwoLayer(1, 400, "tanh"), at, "infinite")
    t = 2.0 / float(model.eigenvalues[1])
    nets = [TwoLayer(1, 400, "tanh", seed=s) for s in range(200)]
    values = [started_as(model, linearise(problem, net, at), problem.residual(net)).predict(t).u for net in nets]
    u, mean = torch.stack(values), model.expectation().predict(t).u  # type: ignore[arg-type]
    assert mean is not None
    assert bool(((u.mean(0) - mean).abs() < 4 * u.std(0) / math.sqrt(len(u))).all())
    K, cross = (infinite_width_kernel(problem, "tanh", at=rows) for rows in (None, (identity(1).rows(at),)))
    K_gamma, cross_gamma = (k.a + k.w / 400 for k in (K, cross))  # type: ignore[operator]
    end = model.expectation().predict(math.inf).u
    torch.testing.assert_close(end, cross_gamma @ torch.linalg.solve(K_gamma, problem.target), rtol=1e-6, atol=1e-8)


def test_the_expectation_of_a_hard_problem_starts_at_g() -> None:
    problem = poisson_1d(points=4, boundary="hard", test_points=9)
    model = linearise(problem, TwoLayer(1, 8, "tanh", init="centred"), problem.test_points)
    mean = model.expectation()
    torch.testing.assert_close(mean.predict(1.0).u, model.predict(1.0).u)
    torch.testing.assert_close(mean.predict(0.0).residual, -problem.target)


def test_single_precision_networks_are_linearised_in_double(device: torch.device) -> None:
    problem = PROBLEMS["regression"](4).to(torch.float32, device)
    model = linearise(
        problem, TwoLayer(1, 8, "tanh").to(dtype=torch.float32, device=device), torch.rand(3, 1, device=device)
    )
    u = model.predict(1.0).u
    assert u is not None
    assert (u.dtype, u.device.type) == (torch.float64, device.type)


def test_what_cannot_be_is_refused_in_words() -> None:
    problem, net = PROBLEMS["regression"](4), TwoLayer(1, 8, "tanh")
    with pytest.raises(ValueError, match="expected one of 'network', 'infinite'"):
        linearise(problem, net, kernel="other")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no closed form"):
        linearise(problem, net, dynamics=Dynamics("other", 0.1))
    with pytest.raises(ValueError, match=r"expected \(p, 1\)"):
        linearise(problem, net, torch.zeros(3, 2))
    with pytest.raises(ValueError, match="between 0 and 1"):
        linearise(problem, net).times_to(1.0)
    for options in ({"step_size": 0.0}, {"momentum": 1.0}):
        with pytest.raises(ValueError, match="expected"):
            linearise(problem, net).descent(**options)
    with pytest.raises(NotAvailableError, match="extra functions"):
        linearise(problem, TwoLayer(1, 8, "tanh", extra=(lambda x: x[:, 0],)), kernel="infinite")


def test_any_module_can_be_linearised() -> None:
    problem = poisson_1d(points=5, boundary="soft", test_points=9)
    torch.manual_seed(1)
    net = model_of(
        torch.nn.Sequential(
            torch.nn.Linear(1, 6), torch.nn.Tanh(), torch.nn.Linear(6, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)
        ).double(),
        1,
    )
    assert problem.test_points is not None
    model, theta = linearise(problem, net, problem.test_points), dict(net.module.named_parameters())

    def jacobian(rows: tuple) -> Tensor:
        return torch.cat([torch.cat(list(row_jacobian(net.module, theta, r).values()), 1) for r in rows]).detach()

    J, J_x, e = jacobian(problem.rows()), jacobian((problem.solution_rows(problem.test_points),)), problem.residual(net)
    moved, law = torch.zeros(J.shape[1], dtype=torch.float64), model.descent(0.5)
    for _ in range(20):
        moved = moved - law.step / problem.points * J.mT @ (e + J @ moved)
    state = model.under(law).state(20)
    torch.testing.assert_close(state.residual, e + J @ moved, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(
        state.u, problem.solution(net)(problem.test_points).detach() + J_x @ moved, rtol=1e-10, atol=1e-10
    )
    with pytest.raises(NotAvailableError, match="two layers"):
        linearise(problem, net, kernel="infinite")
