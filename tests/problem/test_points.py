"""Problems on given points: any operator, targets in four ways, and every fault under its key."""

import math

import pytest
import torch

from pinn_ntk.operators import laplacian
from pinn_ntk.problem import PROBLEMS, check_problem, given_points


def test_the_default_is_regression_on_unit_vectors_with_mean_square_one_half() -> None:
    problem = PROBLEMS["points"]()
    assert torch.equal(problem.x, torch.eye(2, dtype=torch.float64))
    assert problem.order == 0
    assert float(problem.target.square().mean()) == pytest.approx(0.5)
    assert float(problem.target.sum()) == 0.0


def test_texts_are_numbers() -> None:
    problem = given_points(points=["1/3", "sqrt(2)/2"], target=["1/2", -1])
    assert problem.x[:, 0].tolist() == pytest.approx([1 / 3, math.sqrt(0.5)], rel=1e-15)
    assert problem.target.tolist() == [0.5, -1.0]


def test_a_target_is_a_number_a_formula_a_list_or_follows_from_the_solution() -> None:
    points = [[0.25, 0.5], [0.5, 0.75], [1.0, 0.0]]
    assert given_points(points=points, target=3).target.tolist() == [3.0] * 3
    assert given_points(points=points, target="x*y").target.tolist() == pytest.approx([0.125, 0.375, 0.0])
    solved = given_points(operator="laplacian", points=points, exact="x**3*y")
    assert solved.target.tolist() == pytest.approx([6 * x * y for x, y in points])
    assert solved.test_points is not None
    assert check_problem(solved) == []


def test_operators_are_those_of_any_specification() -> None:
    x = [[0.2, 0.3], [0.7, 0.1]]
    by_name = given_points(operator="laplacian", points=x).blocks[0].operator
    by_sum = (
        given_points(operator=[{"kind": "laplacian", "factor": 2}, {"A": [["-1", 0], [0, -1]], "c": "x"}], points=x)
        .blocks[0]
        .operator
    )
    u = lambda p: torch.sin(p[:, 0]) * p[:, 1] ** 2  # noqa: E731
    at = torch.tensor(x, dtype=torch.float64)
    torch.testing.assert_close(by_name.apply(u, at), laplacian(2).apply(u, at))
    torch.testing.assert_close(by_sum.apply(u, at), by_name.apply(u, at) + at[:, 0] * u(at))
    assert given_points(operator="heat", points=x, time=True, target="t").target.tolist() == pytest.approx([0.3, 0.1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"points": [[1, 0], [2, 0]]}, "points: got \\[2.0, 0.0\\], expected points in"),
        ({"points": [1, [1, 2]]}, "as many in each"),
        ({"points": []}, "expected a list of points"),
        ({"points": ["x"]}, "expected a number"),
        ({"target": [1]}, "target: got 1 values for 2 points"),
        ({"target": "foo"}, "target: unknown name foo"),
        ({"operator": "laplace"}, "did you mean laplacian"),
        ({"operator": {"A": [1]}}, "operator"),
        ({"low": [0.0]}, "one end for each"),
        ({"weights": {"boundary": 1.0}}, "weights: got one for 'boundary'"),
    ],
)
def test_faults_are_told_with_what_was_expected(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        given_points(**options)
