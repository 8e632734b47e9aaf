"""The answer at N = ∞: kernel regression that training ends in, with error bars that vanish where values are known."""

import math

import pytest
import torch
from cases import points, problem_of
from torch import Tensor

from pinn_ntk.kernels import (
    InfiniteWidthSolution,
    NotAvailableError,
    SpectrumError,
    infinite_width_diagonal,
    infinite_width_kernel,
    infinite_width_solve,
)
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity
from pinn_ntk.problem import PROBLEMS, Block, Problem
from pinn_ntk.theory import linearise


def values(n: int = 5) -> tuple[Problem, Tensor]:
    x = torch.linspace(0.1, 0.9, n, dtype=torch.float64)[:, None]
    return Problem([Block(identity(1), x, torch.sin(3.0 * x[:, 0]))]), x


def gap(u: Tensor, exact: Tensor) -> float:
    return float((u - exact).norm() / exact.norm())


@pytest.mark.parametrize("init", ["lecture", "uniform"])
@pytest.mark.parametrize("name", ["relu3", "tanh"])
def test_the_diagonal_is_that_of_the_whole_kernel(name: str, init: str) -> None:
    problem = problem_of("paired", 2, n=40)
    whole, diagonal = (
        infinite_width_kernel(problem, name, init=init),
        infinite_width_diagonal(problem.rows(), name, init=init),
    )
    for part, other in ((whole.a, diagonal.a), (whole.w, diagonal.w)):
        torch.testing.assert_close(other, part.diagonal(), rtol=1e-10, atol=1e-11 * float(part.max()))


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_values_that_are_given_are_met_and_have_no_error_bar(name: str) -> None:
    problem, x = values()
    solution = infinite_width_solve(problem, name)
    u, deviation = solution.posterior(x)
    away = solution.standard_deviation(torch.tensor([[0.2], [3.0]], dtype=torch.float64))
    torch.testing.assert_close(u, problem.target, rtol=1e-8, atol=1e-8)
    assert float(deviation.max()) < 1e-5 * solution.amplitude
    assert 1e2 * float(deviation.max()) < float(away[0]) < float(away[1])
    assert solution.residual_norm < 1e-8


def test_it_is_the_gaussian_process_of_its_kernel() -> None:
    """Mean, variance and evidence from the joint normal density of rows and values, K inverted as a matrix."""
    problem, x = values(4)
    solution = infinite_width_solve(problem, "relu", gamma=0.5, nugget=1e-3)
    at = points(6, 1, seed=5)
    both = Problem([Block(identity(1), torch.cat([x, at]), 0.0)])
    parts = infinite_width_kernel(both, "relu")
    joint = parts.a + 0.25 * parts.w
    K = joint[:4, :4] + 1e-3 * torch.diag(joint.diagonal()[:4])
    inverse = torch.linalg.inv(K)
    amplitude = math.sqrt(float(problem.target @ inverse @ problem.target) / 4)
    torch.testing.assert_close(solution.u(at), joint[4:, :4] @ inverse @ problem.target, rtol=1e-9, atol=1e-9)
    covariance = amplitude**2 * (joint[4:, 4:] - joint[4:, :4] @ inverse @ joint[:4, 4:])
    torch.testing.assert_close(solution.standard_deviation(at), covariance.diagonal().sqrt(), rtol=1e-7, atol=1e-9)
    density = torch.distributions.MultivariateNormal(torch.zeros(4, dtype=torch.float64), amplitude**2 * K)
    assert solution.log_evidence == pytest.approx(float(density.log_prob(problem.target)), rel=1e-9)


@pytest.mark.parametrize("name", ["poisson_1d", "heat_1d"])
def test_it_is_where_the_linearised_flow_ends_at_infinite_width(name: str) -> None:
    problem = PROBLEMS[name](points=12)
    net, x = TwoLayer(problem.dim, 8, "relu3", gamma=0.7), problem.test_points[::97]
    end = linearise(problem, net, x, kernel="infinite").expectation().predict(math.inf)
    torch.testing.assert_close(infinite_width_solve(problem, "relu3", gamma=0.7).u(x), end.u, rtol=1e-5, atol=1e-6)


def test_wide_networks_approach_it() -> None:
    """h(·;θ⁰) = 0 under init 'centred': u_N(∞) → u_∞ like 1/√N."""
    problem = PROBLEMS["poisson_1d"](points=8)
    x = problem.test_points[::7]
    limit = infinite_width_solve(problem, "relu3").u(x)

    def distance(width: int) -> float:
        nets = (TwoLayer(1, width, "relu3", gamma=1.0, init="centred", seed=seed) for seed in range(6))
        return sum(gap(linearise(problem, net, x).predict(math.inf).u, limit) for net in nets) / 6

    near, far = distance(4096), distance(128)
    assert near < 0.4 * far
    assert near < 0.1


@pytest.mark.parametrize(("name", "error"), [("tanh", 1e-6), ("relu3", 1e-3)])
def test_it_solves_poisson_within_its_error_bars(name: str, error: float) -> None:
    problem = PROBLEMS["poisson_1d"](points=32)
    x = problem.test_points[::5]
    u, deviation = infinite_width_solve(problem, name).posterior(x)
    exact = problem.exact(x)
    assert gap(u, exact) < error
    assert bool(((u - exact).abs() < 3.0 * deviation + 1e-12).all())


def test_hard_conditions_hold_and_are_certain() -> None:
    problem = PROBLEMS["poisson_1d"](points=10, boundary="hard")
    edge = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    u, deviation = infinite_width_solve(problem, "tanh").posterior(edge)
    torch.testing.assert_close(u, problem.exact(edge), rtol=0.0, atol=1e-12)
    assert not deviation.any()


def test_the_evidence_prefers_the_smoother_activation_for_a_smooth_solution() -> None:
    problem = PROBLEMS["poisson_1d"](points=24)
    smooth, rough = (infinite_width_solve(problem, name, gamma=0.1).log_evidence for name in ("tanh", "relu3"))
    assert smooth > rough + 10.0


def test_single_precision_is_solved_in_double() -> None:
    problem, x = values()
    solution = infinite_width_solve(problem.to(torch.float32, "cpu"), "relu")
    assert isinstance(solution, InfiniteWidthSolution)
    assert solution.coefficients.dtype == torch.float64
    assert solution.u(x.float()).dtype == torch.float32


def test_what_cannot_be_solved_is_told() -> None:
    problem, _ = values()
    for options, words in (
        ({"nugget": 0.0}, "nugget: got 0"),
        ({"gamma": -1.0}, "gamma: got -1"),
        ({"activation": "sigmoidal"}, "sigmoidal"),
    ):
        with pytest.raises(ValueError, match=words):
            infinite_width_solve(problem, **options)
    with pytest.raises(ValueError, match=r"x: got shape \(3, 2\), expected \(p, 1\)"):
        infinite_width_solve(problem, "relu").u(points(3, 2))
    with pytest.raises(NotAvailableError):
        infinite_width_solve(problem, "tanh", init="uniform").u(1e6 * points(3, 1))
    twice = Problem([Block(identity(1), torch.full((400, 1), 0.3, dtype=torch.float64), 1.0)])
    with pytest.raises(SpectrumError, match="not positive definite with the nugget 1e-18"):
        infinite_width_solve(twice, "relu", nugget=1e-18)
    assert infinite_width_solve(twice, "relu").residual_norm < 1e-6
