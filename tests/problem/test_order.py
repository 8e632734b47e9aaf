"""A network and a problem that are given in each other's place are told so, by whatever takes both."""

import pytest

from pinn_ntk import (
    PROBLEMS,
    TwoLayer,
    adam,
    autograd_kernel,
    closed_form_kernel,
    gradient_descent,
    gradient_flow,
    kernel_spectrum,
    lbfgs,
    least_squares,
    levenberg_marquardt,
    linearise,
    predict,
    run,
    run_ensemble,
    sgd,
    solution_kernel,
    spring,
    step_limit,
    sufficient_width,
    tangent_kernel,
    tangent_spectrum,
    variable_projection,
)  # fmt: skip

PROBLEM, NETWORK = PROBLEMS["poisson_1d"](points=4), TwoLayer(1, 8)
NETWORK_FIRST = (
    autograd_kernel, closed_form_kernel, kernel_spectrum, step_limit, tangent_kernel, tangent_spectrum,
    gradient_descent, adam, sgd, lbfgs,
    least_squares, levenberg_marquardt, spring, variable_projection,
)  # fmt: skip


@pytest.mark.parametrize("function", NETWORK_FIRST, ids=lambda f: f.__name__)
def test_the_problem_in_the_place_of_the_network(function) -> None:
    with pytest.raises(ValueError, match="exchange the two: network comes first"):
        next(function(PROBLEM, NETWORK))  # of a generator, the first state


@pytest.mark.parametrize("function", [predict, linearise, sufficient_width], ids=lambda f: f.__name__)
def test_the_network_in_the_place_of_the_problem(function) -> None:
    with pytest.raises(ValueError, match="exchange the two"):
        function(NETWORK, PROBLEM)


def test_those_with_more_arguments() -> None:
    for call in (
        lambda: run_ensemble(NETWORK, PROBLEM, range(2)),
        lambda: solution_kernel(PROBLEM, NETWORK, PROBLEM.x),
        lambda: next(gradient_flow(PROBLEM, NETWORK, [0.0, 1.0])),
    ):
        with pytest.raises(ValueError, match="exchange the two"):
            call()
    with pytest.raises(ValueError, match="exchange the two: problem comes first"):
        run(NETWORK, PROBLEM)


def test_what_is_no_problem() -> None:
    with pytest.raises(ValueError, match="problem: got 1.0, expected a Problem"):
        closed_form_kernel(NETWORK, 1.0)
