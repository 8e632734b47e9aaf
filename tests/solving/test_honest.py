"""An answer that does not lie: estimates go along with u, reasons claim what was seen, efforts repeat."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ntk.experiment import Settings, Solver, solved_run
from pinn_ntk.expressions import parse
from pinn_ntk.geometry import Box, box, difference
from pinn_ntk.operators import SecondOrderOperator, heat, laplacian
from pinn_ntk.problem import (
    Block,
    Problem,
    ProblemWarning,
    dirichlet,
    initial_value,
    measured,
    neumann,
    pose,
)
from pinn_ntk.solving import REASONS, Reason, Solution, solve

SQUARE = box([0.0, 0.0], [1.0, 1.0])
EFFORT = 6e10  # of a second of two idle cores


def true_error(solution: Solution, exact: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Relative L² at fresh points."""
    domain = solution.problem.domain
    assert domain is not None
    x = domain.test_points(3000)
    return float((solution.u(x) - exact(x)).norm() / exact(x).norm())


def hard(scale: float = 1.0, offset: float = 0.0, size: float = 1.0, origin: float = 0.0, row: float = 1.0) -> Problem:
    """−Δu = f on a box, u a peak that 300 neurons do not resolve; the same problem in other units."""
    low, high = origin * scale, (origin + 1.0) * scale
    y = f"((x - {low!r})/{scale!r})", f"((y - {low!r})/{scale!r})"
    exact = f"{offset!r} + {size!r}/(1 + 40*(({y[0]} - 0.4)**2 + ({y[1]} - 0.6)**2))"
    return pose(row * -laplacian(2), box([low, low], [high, high]), exact=exact, given=[dirichlet()])


def estimate_of(problem: Problem) -> float:
    return solve(problem, widest=300, activations=["gaussian"], tolerance=1e-12, effort=0.4 * EFFORT).error


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
    offset=st.sampled_from([0.0, 300.0, -1e4]),
    size=st.sampled_from([1e-8, 1.0, 1e5]),
    origin=st.sampled_from([0.0, 3.0]),
    row=st.sampled_from([1e-7, 1.0, 1e6]),
)
def test_the_estimate_is_the_same_in_all_units(
    scale: float, offset: float, size: float, origin: float, row: float
) -> None:
    """u → su + C where c = 0, x → Lx + x₀, a row times a number: within a factor of two."""
    plain = estimate_of(hard())
    found = estimate_of(hard(scale, offset * size, size, origin, row)) / size
    assert plain / 2.0 < found < 2.0 * plain


def test_the_order_of_points_does_not_count() -> None:
    x, edge = SQUARE.interior(400), SQUARE.boundary(100)
    u = lambda p: torch.exp(p[:, 0]) * torch.sin(3 * p[:, 1])  # noqa: E731
    f = lambda p: 8.0 * torch.exp(p[:, 0]) * torch.sin(3 * p[:, 1])  # noqa: E731

    def estimate(order: torch.Tensor) -> float:
        blocks = [Block(-laplacian(2), x[order], f), Block(SecondOrderOperator(2, c=1.0), edge, u, "edge")]
        return solve(Problem(blocks, domain=SQUARE), tolerance=1e-12, effort=EFFORT, widest=200).error

    shuffled = torch.randperm(400, generator=torch.Generator().manual_seed(3))
    first, again = estimate(torch.arange(400)), estimate(shuffled)
    assert first / 2.0 < again < 2.0 * first


def test_a_spot_that_no_point_of_a_fit_meets_is_found() -> None:
    """−Δu = 1 + a unit of heat within σ = 0.001; u(0.3, 0.7) by its double sine series."""
    source = "1 + 159154.9430918953*exp(-((x-0.3)**2+(y-0.7)**2)/(2*0.001**2))"
    solution = solve(pose(-laplacian(2), SQUARE, source, [dirichlet(0)]), tolerance=1e-10, effort=3 * EFFORT)
    assert any("near x = (0.3, 0.7)" in words and "scale" in words for words in solution.extras)
    assert abs(float(solution.u([[0.3, 0.7]])) - 1.002542) < 1e-3
    assert solution.reason is not Reason.CONVERGED


def test_a_layer_of_a_coefficient_is_resolved_or_not_claimed() -> None:
    """(k u′)′ = 0 with k from 1 to 100 within 10⁻³: u′ = flux/k, so u(1) = ∫dy/k."""
    k, slope = "(50.5 + 49.5*tanh((x-0.5)/0.001))", "49500*(1 - tanh((x-0.5)/0.001)**2)"

    operator = SecondOrderOperator(1, A=parse(f"-{k}", 1), b=[parse(f"-{slope}", 1)])
    problem = pose(operator, box(0, 1), 0.0, [dirichlet(0, "x=0"), neumann(0.01, "x=1")])
    solution = solve(problem, tolerance=1e-8, effort=3 * EFFORT)
    y = torch.linspace(0, 1, 400_001, dtype=torch.float64)
    right = float(torch.trapezoid(1.0 / (50.5 + 49.5 * torch.tanh((y - 0.5) / 0.001)), y))
    gap = abs(float(solution.u([[1.0]])) - right)
    assert gap < 10.0 * solution.error or solution.reason is Reason.UNRESOLVED


def resonance(source: float) -> Problem:
    return pose(SecondOrderOperator(1, A=1.0, c=math.pi**2), box(0, 1), source, [dirichlet(0)])


def test_zero_data_at_an_eigenvalue_determine_nothing() -> None:
    solution = solve(resonance(0.0), tolerance=1e-10, effort=EFFORT)
    assert solution.reason is Reason.UNDERDETERMINED and "largest about x = (0.5)" in solution.words


def test_zero_data_at_a_high_eigenvalue_determine_nothing_either() -> None:
    """w = sin 4πx sin 4πy: finer than the neurons that find u = 0 good enough."""
    operator = SecondOrderOperator(2, A=torch.eye(2, dtype=torch.float64), c=32.0 * math.pi**2)
    solution = solve(pose(operator, SQUARE, 0.0, [dirichlet(0)]), tolerance=1e-6, effort=EFFORT)
    assert solution.reason is Reason.UNDERDETERMINED


def test_a_start_of_another_problem_is_refused() -> None:
    one = solve(pose(-laplacian(1), box(0, 1), 2, [dirichlet(0)]), tolerance=1e-6)
    with pytest.raises(ValueError, match="start: got a solution of"):
        solve(pose(-laplacian(1), box(0, 2), 2, [dirichlet(0)]), start=one)


def test_no_solution_at_an_eigenvalue_is_said() -> None:
    solution = solve(resonance(1.0), tolerance=1e-10, effort=EFFORT)
    assert solution.reason is Reason.INCONSISTENT and "no solution" in solution.words


def test_next_to_an_eigenvalue_there_is_one() -> None:
    near = SecondOrderOperator(1, A=1.0, c=math.pi**2 * (1.0 + 1e-4))
    exact = "x*(1-x)*exp(x)"
    solution = solve(pose(near, box(0, 1), exact=exact, given=[dirichlet(0)]), tolerance=1e-6, effort=EFFORT)
    assert solution.reason is Reason.CONVERGED
    assert true_error(solution, lambda p: p[:, 0] * (1 - p[:, 0]) * torch.exp(p[:, 0])) < 1e-5


def test_a_missing_start_is_no_answer() -> None:
    domain = box([0, 0], [1, 1])
    with pytest.warns(ProblemWarning, match="start of time"):
        solution = solve(pose(heat(1), domain, 0.0, [dirichlet(0)], time=True), effort=EFFORT)
    assert solution.reason is Reason.UNDERDETERMINED and any("start of time" in words for words in solution.warnings)


@pytest.mark.filterwarnings("ignore::pinn_ntk.problem.ProblemWarning")
def test_exit_and_status_follow_the_reason() -> None:
    problem = resonance(0.0)
    record = solved_run(problem, Solver(effort=EFFORT), Settings(kernel=False))
    assert str(record.status) == "UNDERDETERMINED"
    assert any("not to be used" in words for words in record.warnings)


def test_the_same_effort_gives_the_same_bits_whatever_the_clock() -> None:
    problem = pose(-laplacian(2), SQUARE, exact="sin(5*x)*exp(y)", given=[dirichlet()])
    first, again = (solve(problem, 1e-13, effort=0.5 * EFFORT, seconds=seconds) for seconds in (None, 1e4))
    assert torch.equal(first.network.a, again.network.a) and first.operations == again.operations


def test_the_clock_is_said_where_it_ends_a_run() -> None:
    problem = pose(-laplacian(2), SQUARE, exact="1/(1 + 200*(x-0.3)**2 + 300*(y-0.6)**2)", given=[dirichlet()])
    solution = solve(problem, 1e-13, effort=1e14, seconds=1.0)
    assert solution.reason in (Reason.BUDGET, Reason.UNRESOLVED) and "clock" in solution.words


def test_a_solve_is_watched_stopped_and_goes_on() -> None:
    problem = pose(-laplacian(2), SQUARE, exact="1/(1 + 25*(x-0.3)**2 + 30*(y-0.6)**2)", given=[dirichlet()])
    seen: list[int] = []

    def watch(level: object) -> bool:
        seen.append(level.width)  # type: ignore[attr-defined]
        return len(seen) == 2

    stopped = solve(problem, 1e-12, effort=3 * EFFORT, on_level=watch)
    assert len(seen) == 2 and stopped.reason in (Reason.BUDGET, Reason.UNRESOLVED)
    further = solve(problem, 1e-12, effort=3 * EFFORT, start=stopped)
    assert further.levels[0].width == stopped.final.width
    assert further.estimate < stopped.estimate


def noisy(sigma: float, said: float | None, count: int = 60) -> tuple[Problem, Callable[[torch.Tensor], torch.Tensor]]:
    u = lambda p: torch.sin(3 * p[:, 0]) * torch.cos(2 * p[:, 1])  # noqa: E731
    x = SQUARE.interior(count)
    random = torch.Generator().manual_seed(7)
    y = u(x) + sigma * torch.randn(count, dtype=torch.float64, generator=random)
    walls = dirichlet("sin(3*x)*cos(2*y)", ["x=0", "x=1", "y=0"])
    return pose(-laplacian(2), SQUARE, "13*sin(3*x)*cos(2*y)", [walls, measured(x, y, noise=said)]), u


@pytest.mark.parametrize("said", [None, 0.02])
def test_noise_is_not_fitted_and_is_covered(said: float | None) -> None:
    problem, u = noisy(0.02, said)
    solution = solve(problem, tolerance=1e-10, effort=2 * EFFORT)
    assert solution.reason is Reason.NOISE
    assert true_error(solution, u) < min(3.0 * solution.estimate, 0.1)
    assert "scatter by 0.0" in solution.words


def test_data_without_noise_are_fitted() -> None:
    problem, u = noisy(0.0, None)
    assert true_error(solve(problem, tolerance=1e-9, effort=2 * EFFORT), u) < 1e-8


def test_kelvin_is_as_accurate_as_celsius() -> None:
    """Walls at 293.15 and a source: what counts is u less the constant that −Δ does not see."""
    problem = pose(-laplacian(2), SQUARE, exact="293.15 + sin(3*x)*exp(y)/50", given=[dirichlet()])
    solution = solve(problem, tolerance=1e-9, effort=2 * EFFORT)
    x = SQUARE.test_points(2000)
    rise = torch.sin(3 * x[:, 0]) * torch.exp(x[:, 1]) / 50
    assert float((solution.u(x) - 293.15 - rise).norm() / rise.norm()) < 1e-8


def test_errors_are_told_against_time() -> None:
    domain = box([0, 0], [1, 2])
    problem = pose(heat(1, 0.1), domain, exact="exp(-t)*sin(4*x)", given=[dirichlet(), initial_value()], time=True)
    slabs = solve(problem, tolerance=1e-6, effort=EFFORT).through_time
    assert len(slabs) == 8 and slabs[0].start == 0.0 and slabs[-1].end == 2.0
    assert all(0.0 < slab.error < slab.size for slab in slabs)


def grown(kind: str, total: float) -> tuple[Problem, Callable[[torch.Tensor], torch.Tensor]]:
    """u = 1000 + 10⁻⁶ w(x) e^{γs}, γ times the length of s being `total`: the data tell w beside 1000 alone."""
    end, wave = 10.0, 0.05 * math.pi**2
    rate = total / end
    shape, along = (lambda x: torch.ones_like(x[:, 0])), (lambda x: x[:, 0])
    domain, start = box([0.0], [end]), [dirichlet(1000.0 + 1e-6, on=["x=0"])]
    operator = SecondOrderOperator(1, b=[1.0], c=-rate)
    if kind == "heat":
        domain = box([0, 0], [1, end])
        operator = SecondOrderOperator(2, A=[[-0.05, 0.0], [0.0, 0.0]], b=[0.0, 1.0], c=-wave - rate)
        start = [dirichlet(1000.0, on=["x=0", "x=1"]), initial_value("1000 + 1e-6*sin(pi*x)")]
        shape, along = (lambda x: torch.sin(math.pi * x[:, 0])), (lambda x: x[:, 1])
    elif kind == "from the right":
        operator, start = SecondOrderOperator(1, b=[1.0], c=rate), [dirichlet(1000.0 + 1e-6, on=["x=10"])]
        along = lambda x: end - x[:, 0]  # noqa: E731
    elif kind == "second order":
        operator = SecondOrderOperator(1, A=1.0, c=-rate * rate)
        start = [*start, neumann(-1e-6 * rate, on=["x=0"])]
    elif kind == "advection":
        domain, start = box([0, 0], [end, 1]), [dirichlet("1000 + 1e-6*(1 + y)", on=["x=0"])]
        operator = SecondOrderOperator(2, b=[1.0, 0.0], c=-rate)
        shape = lambda x: 1.0 + x[:, 1]  # noqa: E731
    c = operator.coefficients(torch.zeros(1, operator.dim, dtype=torch.float64))[2]

    def exact(x: torch.Tensor) -> torch.Tensor:
        return 1000.0 + 1e-6 * shape(x) * torch.exp(rate * along(x))

    return pose(operator, domain, source=1000.0 * float(c), given=start, time=kind == "heat"), exact


@pytest.mark.parametrize("total", [3.0, 20.0, 40.0, 75.0])
@pytest.mark.parametrize("kind", ["heat", "ordinary", "from the right", "second order", "advection"])
def test_what_grows_from_below_the_residual_is_in_the_estimate(kind: str, total: float) -> None:
    """To e²⁰ its size is told; beyond, that it may hide."""
    problem, exact = grown(kind, total)
    solution = solve(problem, tolerance=1e-9, effort=0.3 * EFFORT)
    if total <= 20.0:
        assert true_error(solution, exact) <= 5.0 * solution.estimate
    else:
        assert solution.reason is Reason.UNRESOLVED
        assert "errors grow so much" in solution.words


def test_a_growth_that_was_met_raises_nothing() -> None:
    domain = box([0, 0], [1, 3])
    operator = SecondOrderOperator(2, A=[[-0.1, 0.0], [0.0, 0.0]], b=[0.0, 1.0], c=-4.0)
    problem = pose(operator, domain, exact="sin(pi*x)*cos(2*t) + x", given=[dirichlet(), initial_value()], time=True)
    solution = solve(problem, tolerance=1e-8, effort=EFFORT)
    assert solution.reason is Reason.CONVERGED


def test_every_reason_has_words() -> None:
    assert set(REASONS) == set(Reason)


def test_a_hole_is_no_contradiction() -> None:
    """A charge in an eccentric hole of a plate: well posed, whatever is resolved."""
    domain = difference(Box([-1, -1], [1, 1]), box([0.2, 0.1], [0.4, 0.3]))
    problem = pose(laplacian(2), domain, exact="log((x-0.29)**2 + (y-0.21)**2) + x*y", given=[dirichlet()])
    solution = solve(problem, tolerance=1e-10, effort=EFFORT)
    assert solution.reason not in (Reason.INCONSISTENT, Reason.UNDERDETERMINED)
