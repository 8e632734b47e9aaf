"""What theory says of a deep network before training: its own linearisation, and why it says nothing else."""

import math

import pytest
import torch

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels import tangent_kernel
from pinn_ntk.networks import MLP, AnyModule, TwoLayer
from pinn_ntk.problem import PROBLEMS, Problem
from pinn_ntk.theory import Prediction, predict
from pinn_ntk.training import gradient_descent


@pytest.fixture(scope="module")
def problem() -> Problem:
    return PROBLEMS["poisson_1d"](points=8, test_points=16)


def solution(prediction: Prediction, law: Dynamics, at: int) -> torch.Tensor:
    """u at the test points, as the linearised network has it."""
    return prediction.linear.at_under(prediction.cross, prediction.initial_solution, law, at)


def test_only_the_linearisation_is_predicted(problem: Problem) -> None:
    prediction = predict(problem, AnyModule(MLP(1, 16, 3), 1))
    assert prediction.lazy is None and prediction.guarantee is None
    assert prediction.unavailable == "the infinite-width kernel is for two-layer networks"
    assert (
        prediction.verdict.reason
        == "the theorems are about two-layer networks, and this is a tanh network with 3 hidden layers"
    )
    assert prediction.scale == 1.0


def test_depth_one_is_predicted_like_the_two_layer_network(problem: Problem) -> None:
    mine, theirs = (
        predict(problem, net)
        for net in (AnyModule(MLP(1, 16, 1, seed=4), 1), TwoLayer(1, 16, scaling="ntk", gamma=1.0, seed=4))
    )
    law = Dynamics("descent", 0.4 * theirs.linear.step_limit)
    steps = torch.tensor([0, 1, 10, 100])
    torch.testing.assert_close(
        mine.linear.loss_under(law, steps), theirs.linear.loss_under(law, steps), rtol=1e-9, atol=0.0
    )
    torch.testing.assert_close(solution(mine, law, 100), solution(theirs, law, 100), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scaling", ["ntk", "standard"])
def test_the_first_steps_of_any_deep_network_are_its_linearisation_to_second_order(
    problem: Problem, scaling: str
) -> None:
    net = AnyModule(MLP(1, 12, 3, scaling=scaling, seed=1), 1)
    prediction, gaps = predict(problem, net), []
    for tau in (1e-3 * prediction.linear.step_limit, 5e-4 * prediction.linear.step_limit):
        states = list(gradient_descent(net, problem, tau, 1, absolute=True))
        predicted = prediction.linear.residual_under(Dynamics("descent", tau), 1)
        gaps.append(float(torch.linalg.vector_norm(states[-1].residual - predicted)))
    assert math.log2(gaps[0] / gaps[1]) == pytest.approx(2.0, abs=0.1)


def test_a_wide_deep_network_trains_as_predicted(problem: Problem) -> None:
    net = AnyModule(MLP(1, 512, 2, seed=3), 1)
    prediction = predict(problem, net)
    last = list(gradient_descent(net, problem, 0.2, 20))[-1]
    law = Dynamics("descent", last.step_size)
    assert last.loss == pytest.approx(float(prediction.linear.loss_under(law, 20)), rel=0.1)
    assert last.loss < 0.3 * prediction.initial_loss
    predicted = solution(prediction, law, 20)
    with torch.no_grad():
        u = problem.solution(last.network)(problem.test_points)
    assert float((u - predicted).abs().max()) < 0.05 * float(u.abs().max())


def test_the_drift_of_a_deep_kernel_falls_with_width(problem: Problem) -> None:
    """Between N^{−1/2}, which is proved, and N^{−1}, which is expected of smooth activations (Dyer and Gur-Ari
    2020).
    """
    drifts = []
    for width in (32, 128, 512):
        found = []
        for seed in range(4):
            net = AnyModule(MLP(1, width, 2, seed=seed), 1)
            start, last = tangent_kernel(net, problem).total, list(gradient_descent(net, problem, 0.2, 15))[-1]
            moved = tangent_kernel(last.network, problem).total - start
            found.append(math.log(float(torch.linalg.norm(moved) / torch.linalg.norm(start))))
        drifts.append(sum(found) / len(found))
    assert drifts[0] > drifts[1] > drifts[2]
    slope = (drifts[2] - drifts[0]) / math.log(16)
    assert -1.3 < slope < -0.4
