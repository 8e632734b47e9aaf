"""The floor of R_S: the size of what a residual sums, in the precision of the run."""

import pytest
import torch
from torch import nn

from pinn_ntk import Block, Problem, Settings, TwoLayer, identity, laplacian, run
from pinn_ntk.experiment import run_ensemble
from pinn_ntk.networks import features, model_of, rounding_loss, term_sizes


def problem(weight: float = 1.0, target: float = 0.7) -> Problem:
    x = torch.tensor([[0.2], [0.9]], dtype=torch.float64)
    return Problem([Block(laplacian(1), x, target), Block(identity(1), x[:1], 0.1, name="b", weight=weight)])


@pytest.mark.parametrize("scaling", ["sum", "ntk"])
def test_terms_are_those_of_the_neurons_and_the_target(scaling: str) -> None:
    net, asked = TwoLayer(1, 9, "tanh", gamma=2.0, scaling=scaling), problem(30.0)
    system = asked.system(net)
    each = system.scale * features(system, net.weights.w) * net.weights.a
    expected = each.square().sum(1).sqrt() + asked.target.abs()
    torch.testing.assert_close(term_sizes(system, net.weights), expected)
    eps = torch.finfo(torch.float64).eps
    assert float(rounding_loss(system, net.weights)) == pytest.approx(3 * (10 * eps * float(expected.max())) ** 2)
    assert float(rounding_loss(system, net.weights, 2 * eps)) == pytest.approx(
        12 * (10 * eps * float(expected.max())) ** 2
    )


def test_extra_functions_count() -> None:
    net = TwoLayer(1, 9, "tanh", extra=(lambda x: x[:, 0] ** 2,))
    weights = net.weights.moved(0 * net.weights.da, 0 * net.weights.dw, torch.full((1,), 1e6, dtype=torch.float64))
    largest = float(term_sizes(problem().system(net), weights).max())
    assert largest == pytest.approx(1.5**0.5 * 2e6, rel=1e-3)  # with the row scale √(n/n_b)


def test_a_module_is_as_large_as_what_it_says() -> None:
    model = model_of(nn.Linear(1, 1, dtype=torch.float64), 1)
    asked = problem(target=3.0)
    said = asked.residual(model) + asked.target
    torch.testing.assert_close(term_sizes(asked.system(model), model.weights), said.abs() + asked.target.abs())


def test_it_is_tracked_alone_and_in_an_ensemble() -> None:
    settings = Settings(steps=5, tracked=3, forecast_draws=5)
    together = run_ensemble(problem(), TwoLayer(1, 9, "tanh"), [2, 3], settings).members
    for member in together:
        alone = run(problem(), TwoLayer(1, 9, "tanh", seed=member.seed), settings)
        floors = alone.history.columns["loss_floor"]
        assert member.history.columns["loss_floor"] == pytest.approx(floors, rel=1e-12)
        assert floors[0] == pytest.approx(alone.prediction.loss_floor, rel=1e-12)
        single = run(problem(), TwoLayer(1, 9, "tanh", seed=member.seed), Settings(steps=1, dtype="float32"))
        ratio = torch.finfo(torch.float32).eps / torch.finfo(torch.float64).eps
        assert single.prediction.loss_floor == pytest.approx(floors[0] * ratio**2, rel=1e-4)
