"""What is said before the first step: the forecast's expectation and the kernels it is made of,
for every initialisation and scaling.
"""

import math

import pytest
import torch
from cases import points

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels import closed_form_kernel
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Block, Problem
from pinn_ntk.theory import Prediction, predict, shared_prediction


def problem() -> Problem:
    inside = Block(laplacian(1) + 2.0 * identity(1), points(3, 1), lambda x: torch.sin(3.0 * x[:, 0]))
    return Problem(
        [inside, Block(identity(1), torch.tensor([[0.0], [1.0]], dtype=torch.float64), 0.2, name="ends", weight=3.0)]
    )


@pytest.mark.parametrize("init", ["lecture", "uniform", "centred"])
@pytest.mark.parametrize("scaling", ["sum", "ntk", "mean_field"])
def test_expected_initial_loss_is_the_mean_over_seeds(init: str, scaling: str) -> None:
    """E R_S(θ⁰) = (‖f‖² + s²Nγ² tr K^(a))/(2n), exact at every width."""
    gamma = 0.3 if scaling == "sum" else 1.0
    losses = [
        problem().loss(TwoLayer(1, 20, "tanh", gamma=gamma, init=init, scaling=scaling, seed=s)) for s in range(400)
    ]
    sample = torch.tensor(losses, dtype=torch.float64)
    prediction = predict(problem(), TwoLayer(1, 20, "tanh", gamma=gamma, init=init, scaling=scaling))
    assert prediction.lazy is not None
    assert float(sample.mean()) == pytest.approx(prediction.lazy.expected_loss, abs=4 * float(sample.std()) / 20 + 1e-9)
    assert float(prediction.lazy.forecast.mean_under(Dynamics("flow"), 0.0)) == pytest.approx(
        prediction.lazy.expected_loss, rel=1e-9
    )


@pytest.mark.parametrize("init", ["lecture", "uniform", "centred"])
def test_rates_of_the_forecast_are_those_of_the_mean_kernel(init: str) -> None:
    """(s²N/n)(K^(a) + γ²K^(w)) against the kernel of one very wide network."""
    net = TwoLayer(1, 400_000, "tanh", gamma=0.8, init=init, scaling="ntk")
    prediction = predict(problem(), net)
    assert prediction.lazy is not None
    wide = closed_form_kernel(net, problem())
    rates = torch.linalg.eigvalsh(wide.total * wide.scale / problem().points).flip(0)
    torch.testing.assert_close(prediction.lazy.forecast.eigenvalues[:3], rates[:3], rtol=0.02, atol=0.0)


def test_row_weights_enter_the_bound_M() -> None:
    net = TwoLayer(1, 50, "relu3")
    plain, heavy = (
        predict(Problem([Block(laplacian(1), points(3, 1), 1.0), Block(identity(1), points(1, 1), 0.0, "v", w)]), net)
        for w in (1.0, 900.0)
    )
    bounds = [p.guarantee.premises.M for p in (plain, heavy) if p.guarantee is not None]
    assert bounds == pytest.approx([2.0, 60.0])


def test_an_activation_without_infinite_width_kernel_is_said_so() -> None:
    net = TwoLayer(1, 20, "tanh", extra=(lambda x: x[:, 0],))
    prediction = predict(problem(), net)
    assert prediction.lazy is None
    assert "extra functions" in prediction.unavailable
    assert not prediction.verdict.applicable
    assert math.isinf(prediction.cut_time)


@pytest.mark.parametrize("delta", [0.0, 1.0, math.nan])
def test_delta_is_a_probability(delta: float) -> None:
    with pytest.raises(ValueError, match="delta: got"):
        predict(problem(), TwoLayer(1, 4), delta)


def test_linearised_solution_starts_at_the_network() -> None:
    net = TwoLayer(1, 30, "tanh")
    tested = Problem(problem().blocks, test_points=points(9, 1, seed=5))
    prediction: Prediction = predict(tested, net)
    start = net(points(9, 1, seed=5)).detach()
    assert prediction.cross is not None and prediction.initial_solution is not None
    for law in (Dynamics("descent", 1e-3), Dynamics("flow")):
        value = prediction.linear.at_under(prediction.cross, prediction.initial_solution, law, 0)
        torch.testing.assert_close(value, start)
    assert predict(problem(), net).cross is None


def test_what_seeds_share_is_what_each_would_find_alone() -> None:
    one, other = (TwoLayer(1, 50, "relu3", seed=s) for s in (0, 1))
    alone, together = (
        predict(problem(), other),
        predict(problem(), other, shared=shared_prediction(problem(), one), fields=False),
    )
    assert alone.guarantee is not None
    assert together.guarantee == alone.guarantee
    assert (together.initial_loss, together.cut_time, together.verdict) == (
        alone.initial_loss,
        alone.cut_time,
        alone.verdict,
    )
    torch.testing.assert_close(together.linear.eigenvalues, alone.linear.eigenvalues)
    assert together.lazy is not None and alone.lazy is not None
    torch.testing.assert_close(together.lazy.forecast.drawn, alone.lazy.forecast.drawn)
    assert together.cross is None
