"""The solver as a person meets it: right to many digits, its estimate near the truth, its reasons named."""

import math
from collections.abc import Callable

import pytest
import torch

from pinn_ntk.geometry import Box, annulus, ball, difference, l_shape, over_time
from pinn_ntk.operators import SecondOrderOperator, heat, helmholtz, identity, laplacian, wave
from pinn_ntk.problem import (
    PROBLEMS,
    Block,
    Problem,
    dirichlet,
    initial_value,
    initial_velocity,
    measured,
    neumann,
    periodic,
    pose,
    robin_condition,
)
from pinn_ntk.solving import Reason, Solution, solve

SQUARE = Box([0.0, 0.0], [1.0, 1.0])


def error(solution: Solution) -> float:
    """Relative L² at test points of the domain."""
    problem = solution.problem
    assert problem.domain is not None and problem.exact is not None
    x = problem.domain.test_points(3000)
    u = problem.exact(x)
    return float((solution.u(x) - u).norm() / u.norm())


def general() -> Problem:
    operator = SecondOrderOperator(
        2,
        A=lambda x: torch.stack(
            [torch.stack([1 + x[:, 0] ** 2, 0.3 * x[:, 1]], 1), torch.stack([0.3 * x[:, 1], 2 + x[:, 1]], 1)], 1
        ),
        b=lambda x: torch.stack([x[:, 1], -x[:, 0]], 1),
        c=lambda x: -1.0 - x[:, 0] ** 2,
    )
    given = [dirichlet(on=["x=0", "y=0"]), robin_condition(on="x=1", alpha=2.0), neumann(on="y=1")]
    return pose(operator, SQUARE, given=given, exact="exp(-x)*cos(2*y) + log(1 + x + y)")


CASES: dict[str, tuple[Callable[[], Problem], float]] = {
    "full A, Dirichlet, Robin, Neumann": (general, 1e-11),
    "disc": (lambda: pose(laplacian(2), ball([0.3, -1.0], 2.0), exact="exp(x/2)*sin(y)"), 1e-11),
    "ring, Helmholtz": (
        lambda: pose(
            helmholtz(2, 3.0),
            annulus([0, 0], 0.4, 1),
            given=[dirichlet(on="outer"), neumann(on="inner")],
            exact="cos(3*x) + y",
        ),
        1e-11,
    ),
    "hole of a square": (
        lambda: pose(
            laplacian(2), difference(Box([-1, -1], [1, 1]), ball([0, 0], 0.3)), exact="log(x**2 + y**2) + x*y"
        ),
        1e-10,
    ),
    "heat over a disc": (
        lambda: pose(heat(2), over_time(ball([0, 0], 1.0), 0, 0.5), exact="exp(-t)*cos(x + y)"),
        1e-10,
    ),
    "wave": (lambda: pose(wave(1, 2.0), SQUARE, time=True, exact="sin(3*x)*cos(2*t) + x*t"), 1e-10),
    "periodic": (
        lambda: pose(
            heat(1, 0.1), SQUARE, given=[periodic("x"), initial_value()], exact="sin(2*pi*x)*exp(-t)", time=True
        ),
        1e-10,
    ),
    "one dimension": (
        lambda: pose(SecondOrderOperator(1, A=0.01, b=[1.0]), Box([0.0], [1.0]), exact="exp(-10*x) + x**2"),
        1e-11,
    ),
    "far from the origin": (lambda: pose(laplacian(1), Box([1e3], [1e3 + 1e-2]), exact="sin(500*(x - 1000))"), 1e-9),
    "five dimensions": (
        lambda: pose(laplacian(5), Box([0.0] * 5, [1.0] * 5), exact="cos(x1) + sin(2*x2) + x3*x3 + x4 + exp(x5)"),
        1e-11,
    ),
    "identity": (lambda: pose(identity(2), SQUARE, given=[], exact="sin(3*x)*y"), 1e-12),
}


@pytest.mark.parametrize("name", CASES)
def test_many_digits_and_an_estimate_near_the_truth(name: str) -> None:
    make, most = CASES[name]
    solution = solve(make(), tolerance=1e-12, effort=1.2e12)
    found = error(solution)
    assert found <= most
    assert found / 20.0 <= solution.estimate <= max(20.0 * found, 5e-13)


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name != "points"])
def test_every_ready_problem(name: str) -> None:
    solution = solve(PROBLEMS[name](), tolerance=1e-9, effort=1.2e12)
    assert solution.reason is Reason.CONVERGED
    assert error(solution) <= 1e-8


def test_the_singular_corner_of_the_l_shape() -> None:
    """u = r^(2/3) sin(2θ/3) times smooth functions; without extra functions it is far away."""
    exact = "cos(pi*x/2)*cos(pi*y/2)*(x**2 + y**2)**(1/3)*sin(2*(atan2(-x - y, y - x) + 3*pi/4)/3)"
    problem = pose(laplacian(2), l_shape(), exact=exact)
    with_them, without = (solve(problem, widest=520, extra=extra) for extra in (True, False))
    assert error(with_them) < 1e-8 < 1e-4 < error(without)
    assert "270°" in with_them.extras[0] and not without.extras


def test_convex_corners_are_looked_after_where_the_data_ask_for_it() -> None:
    """Δu = −1 on the square: r² log r at every corner; u(0, 0) = 0.29468541312605..., by its series."""
    problem = pose(laplacian(2), Box([-1, -1], [1, 1]), source=-1.0, given=[dirichlet(0)])
    solution = solve(problem, tolerance=1e-12, widest=880)
    series = sum((-1) ** k / ((2 * k + 1) ** 3 * math.cosh((2 * k + 1) * math.pi / 2)) for k in range(40))
    assert abs(float(solution.u([[0.0, 0.0]])) - (0.5 - 16 / math.pi**3 * series)) < 1e-12


def test_the_same_seed_gives_the_same_solution() -> None:
    first, again, other = (solve(PROBLEMS["poisson_2d"](), seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.network.w, again.network.w) and torch.equal(first.network.a, again.network.a)
    assert not torch.equal(first.network.w, other.network.w)


def test_neumann_alone_gives_the_solution_of_mean_zero() -> None:
    solution = solve(pose(laplacian(2), SQUARE, exact="cos(pi*x)*cos(2*pi*y) + 3", given=[neumann()]), tolerance=1e-11)
    assert solution.floating and error(solution) < 1e-10  # `exact` of the problem that was solved has mean zero, too
    x = SQUARE.test_points(1000)
    assert float((solution.u(x) - torch.cos(math.pi * x[:, 0]) * torch.cos(2 * math.pi * x[:, 1])).abs().max()) < 1e-9


def test_contradicting_fluxes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"∫f = 1 in Ω and 0 as the flux"):
        solve(pose(laplacian(2), SQUARE, source=1.0, given=[neumann(0)]))


def test_what_the_conditions_do_not_determine_is_named() -> None:
    solution = solve(pose(laplacian(2), SQUARE, source=1.0, given=[dirichlet(0, "x=0")]), effort=9e11, widest=600)
    assert solution.reason is Reason.UNDERDETERMINED and solution.estimate > 1e-3
    assert "do not determine u" in solution.words


def test_contradicting_data_are_refused() -> None:
    """u = 0 and u = 1 on the same side."""
    given = [dirichlet(0, name="zero"), dirichlet(1, "x=0", name="one")]
    with pytest.raises(ValueError, match="no u takes both"):
        solve(pose(laplacian(2), SQUARE, source=0.0, given=given))


def test_measured_data_take_the_place_of_a_boundary() -> None:
    x = SQUARE.boundary(400, seed=5)
    problem = pose(laplacian(2), SQUARE, given=[measured(x, x[:, 0] * x[:, 1])], exact="x*y")
    assert error(solve(problem, tolerance=1e-10)) < 1e-9


def test_given_rows_are_solved_as_they_are() -> None:
    x, edge = SQUARE.interior(500), SQUARE.boundary(120)
    u = lambda p: torch.exp(p[:, 0]) * torch.sin(p[:, 1])  # noqa: E731
    problem = Problem([Block(laplacian(2), x, 0.0), Block(identity(2), edge, u, "edge")], exact=u, domain=SQUARE)
    solution = solve(problem, tolerance=1e-10)
    assert error(solution) < 1e-8
    assert solution.problem.points == 620 and solution.network.width <= 620 / 1.2


def test_ansatz_of_given_rows_is_kept() -> None:
    hard = PROBLEMS["poisson_1d"](points=60)
    rows = Problem(hard.blocks, exact=hard.exact, ansatz=hard.ansatz, domain=hard.domain)
    solution = solve(rows, tolerance=1e-10)
    assert solution.problem.ansatz is hard.ansatz
    assert error(solution) < 1e-8


@pytest.mark.parametrize(
    ("problem", "holds"),
    [
        (general(), True),
        (pose(heat(1), SQUARE, exact="exp(-t)*sin(x)", time=True), True),
        (
            pose(
                heat(2, 0.2), over_time(ball([0, 0], 1), 0, 1), given=[neumann(), initial_value()], exact="exp(x/2 + t)"
            ),
            True,
        ),
        (pose(wave(1), SQUARE, exact="sin(x)*cos(t)", time=True), False),
        (pose(helmholtz(2, 5.0), SQUARE, exact="sin(x)*y"), False),
    ],
    ids=["elliptic", "heat", "heat, Neumann", "wave", "Helmholtz"],
)
def test_the_bound_is_above_the_error_where_there_is_one(problem: Problem, holds: bool) -> None:
    solution = solve(problem, tolerance=1e-8, widest=300)
    known = solution.assessment
    if not holds:
        assert known.bound is None and known.why_not
        return
    assert known.bound is not None and "sampled, not certified" in known.bound.words
    assert problem.exact is not None and problem.domain is not None
    x = problem.domain.test_points(3000)
    assert float((solution.u(x) - problem.exact(x)).abs().max()) <= known.bound.value


def test_derivatives_and_residuals_of_the_answer() -> None:
    solution = solve(
        pose(
            wave(1), SQUARE, given=[dirichlet(), initial_value(), initial_velocity()], exact="sin(x)*cos(t)", time=True
        )
    )
    x = SQUARE.test_points(200)
    assert torch.allclose(solution.gradient(x)[:, 0], torch.cos(x[:, 0]) * torch.cos(x[:, 1]), atol=1e-9)
    assert float(solution.residual(x).abs().max()) < 1e-6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tolerance": 0.0}, "tolerance: got 0.0"),
        ({"seconds": -1.0}, "seconds: got -1.0"),
        ({"activations": "sin"}, "activations: got 'sin', expected a list"),
        ({"activations": ["sinn"]}, "did you mean"),
        ({"activations": ["relu"]}, "activations: got 'relu', not smooth enough"),
        ({"widest": 0}, "widest: got 0"),
    ],
)
def test_arguments_out_of_range(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        solve(PROBLEMS["poisson_1d"](), **options)  # type: ignore[arg-type]
