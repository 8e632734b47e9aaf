"""What diffusion is like at its start: similarity functions solve it, are read back,
and make incompatible data harmless.
"""

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from pinn_ntk.geometry import Box
from pinn_ntk.networks import ExtraFunction, extra_rows
from pinn_ntk.operators import SecondOrderOperator, heat, laplacian, wave
from pinn_ntk.problem import Problem, dirichlet, initial_value, initial_velocity, periodic, pose
from pinn_ntk.solving import Task, corners_besides, solve, starting_layers

STRIP, PRISM = Box([0.0, 0.0], [1.0, 0.5]), Box([0.0, 0.0, 1.0], [1.0, 2.0, 1.5])
pytestmark = pytest.mark.filterwarnings("ignore:.*contradict")


def hot(operator: SecondOrderOperator | None = None) -> Problem:
    return pose(operator or heat(1), STRIP, given=[dirichlet(0), initial_value(1)], time=True)


def layers(problem: Problem, plain: bool) -> list[ExtraFunction]:
    operator = next(c.operator for c in problem.posed if c.kind == "interior")
    return starting_layers(Task(problem), operator, plain)[0]


def single(psi: ExtraFunction, x: Tensor) -> Tensor:
    """At one point (d,)."""
    return psi(x[None])[0]


def by_series(x: Tensor) -> Tensor:
    """u(x, t) for u_t = u_xx, 0 on both walls, 1 at the start: Σ 4/(kπ) sin(kπx) exp(−k²π²t) over odd k."""
    k = torch.arange(1, 4001, 2, dtype=torch.float64) * math.pi
    return (4.0 / k * torch.sin(k * x[:, :1]) * torch.exp(-(k**2) * x[:, 1:])).sum(1)


@pytest.mark.parametrize("plain", [True, False])
def test_closed_derivatives_are_those_of_automatic_differentiation(plain: bool) -> None:
    problem = pose(heat(2, 0.3), PRISM, given=[dirichlet(0), initial_value(1)], time=True)
    functions = layers(problem, plain)
    x = PRISM.interior(24, seed=3)
    for psi in functions[:: max(1, len(functions) // 40)]:
        value, slope, curvature = psi.jet(x)
        one = partial(single, psi)
        first, second = torch.func.vmap(torch.func.grad(one))(x), torch.func.vmap(torch.func.hessian(one))(x)
        assert torch.allclose(value, psi(x), rtol=1e-13, atol=0.0)
        assert float((slope - first).abs().max()) <= 1e-12 * max(1.0, float(first.abs().max()))
        assert float((curvature - second).abs().max()) <= 1e-12 * max(1.0, float(second.abs().max()))


def test_they_solve_the_equation_they_are_made_for() -> None:
    operator = heat(2, 0.3)
    functions = layers(pose(operator, PRISM, given=[dirichlet(0), initial_value(1)], time=True), True)
    rows = operator.rows(PRISM.interior(50))
    alone = [psi for psi in functions if psi.parameters[3::9].count(0.0) == 0]  # those without a power along the face
    assert len(alone) > 50
    for psi in alone:
        assert float(extra_rows(rows, psi).abs().max()) <= 1e-12 * max(1.0, float(psi.jet(rows.x)[2].abs().max()))


def test_one_on_its_face_and_nothing_at_the_start() -> None:
    first = layers(hot(), True)[0]
    on_face = torch.tensor([[0.0, 0.1], [0.0, 0.5]], dtype=torch.float64)
    at_start = torch.tensor([[0.1, 0.0], [0.9, 0.0]], dtype=torch.float64)
    assert torch.equal(first(on_face), torch.ones(2, dtype=torch.float64)) and not first(at_start).any()
    corner = first.jet(torch.zeros(1, 2, dtype=torch.float64))
    assert all(bool(part.isfinite().all()) for part in corner)


@pytest.mark.parametrize(
    "problem",
    [
        pose(laplacian(2), STRIP, source=1.0, given=[dirichlet(0)]),
        pose(wave(1), STRIP, given=[dirichlet(0), initial_value("sin(pi*x)"), initial_velocity(0)], time=True),
        pose(heat(1), STRIP, given=[periodic("x"), initial_value("sin(2*pi*x)")], time=True),
    ],
    ids=["elliptic", "hyperbolic", "periodic"],
)
def test_nothing_where_nothing_diffuses_from_a_wall(problem: Problem) -> None:
    operator = next(c.operator for c in problem.posed if c.kind == "interior")
    assert starting_layers(Task(problem), operator, True) == ([], [])


def test_a_start_that_contradicts_the_walls() -> None:
    """Ten digits, of which one is there without similarity functions."""
    solution, without = solve(hot(), tolerance=1e-11, widest=1500), solve(hot(), widest=520, extra=False)
    x = STRIP.interior(2000, seed=9)
    u = by_series(x)
    assert float((solution.u(x) - u).norm() / u.norm()) < 1e-10
    assert float((without.u(x) - u).norm() / u.norm()) > 1e-2
    assert any("erfc" in words for words in solution.extras)


def test_a_variable_diffusivity_gets_powers_of_the_distance() -> None:
    operator = SecondOrderOperator(
        2, A=lambda x: torch.diag_embed(torch.stack([-1 - x[:, 0], 0 * x[:, 0]], 1)), b=[-1.0, 1.0], c=1.0
    )
    chosen = corners_besides(Task(hot(operator)))
    assert {f.parameters[5] for f in chosen.functions} == set(range(7))
    assert "κ = 1" in chosen.words[0] and "κ = 2" in chosen.words[1]
