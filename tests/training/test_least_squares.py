"""Least squares for the outer weights: one state after θ⁰, a minimum with inner weights frozen,
its note telling rank and residual.
"""

import math
from collections.abc import Iterable

import pytest
import torch
from cases import FEW, network_of, points, problem_of
from modules import module_of
from torch import nn

from pinn_ntk.experiment import Settings, run
from pinn_ntk.kernels import MemoryShortageError, available_bytes
from pinn_ntk.networks import AnyModule, TwoLayer, features, outer_matrix, residual, residual_and_gradient
from pinn_ntk.operators import identity
from pinn_ntk.problem import PROBLEMS, Block, Problem
from pinn_ntk.training import State, Status, StopRule, least_squares

memory = module_of(available_bytes)


def last(states: Iterable[State]) -> State:
    *_, state = states
    return state


@pytest.mark.parametrize(("name", "activation", "d"), FEW)
def test_the_matrix_is_what_the_residual_is_linear_by(name: str, activation: str, d: int) -> None:
    problem, net = problem_of(name, d), network_of(activation, d, extra=[lambda x: x[:, 0]], scaling="ntk")
    system, weights = problem.system(net), net.weights
    matrix = outer_matrix(system, weights.w)
    outer = torch.cat([weights.a, weights.extra])
    torch.testing.assert_close(matrix @ outer - system.target, residual(system, weights), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(matrix[:, : net.width], system.scale * features(system, weights.w), rtol=0.0, atol=0.0)


@pytest.mark.parametrize(("n", "width"), [(40, 7), (6, 30)])
def test_the_solution_is_the_minimum_over_the_outer_weights(n: int, width: int) -> None:
    """∇_aR = ∇_βR = 0 with w as it was: below n neurons a minimum, above them no residual is left."""
    problem = problem_of("full", 2, n=n)
    net = network_of("tanh", 2, width=width, extra=[lambda x: torch.exp(x[:, 0])])
    first, state = least_squares(net, problem)
    _, (by_a, _, by_extra) = residual_and_gradient(problem.system(net), state.weights)
    assert max(float(by_a.abs().max()), float(by_extra.abs().max())) < 1e-11 * first.gradient_norm
    assert not state.weights.dw.any()
    assert problem.loss(state.network) == pytest.approx(state.loss, rel=1e-9, abs=1e-25)
    assert (state.loss < 1e-20) == (width > n)


def test_it_solves_poisson_to_rounding_and_the_kernel_is_tracked() -> None:
    record = run(
        PROBLEMS["poisson_1d"](points=64), TwoLayer(1, 200, "tanh"), Settings(optimizer="least_squares", steps=1)
    )
    columns = record.history.columns
    assert columns["relative_l2"][-1] < 1e-14
    assert list(columns["step"]) == [0.0, 1.0]
    assert columns["drift"][-1] > 0.0
    assert columns["max_delta_w"][-1] == 0.0
    assert "rank" in record.history.final.note


def test_a_target_in_the_span_gives_its_coefficients_back() -> None:
    net, x = TwoLayer(1, 4, "tanh", gamma=1.0), points(30, 1)
    wanted = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    target = torch.tanh(torch.cat([x, torch.ones_like(x)], 1) @ net.weights.w.mT) @ wanted
    state = last(least_squares(net, Problem([Block(identity(1), x, target)]), stop=StopRule(tolerance=1e-24)))
    torch.testing.assert_close(state.weights.a, wanted, rtol=1e-9, atol=1e-9)
    assert state.status is Status.CONVERGED
    assert "rank 4 of 4" in state.note


def test_every_end_has_its_name() -> None:
    problem, net = problem_of("identity", 1), network_of("tanh", 1, width=3)
    state = last(least_squares(net, problem))
    assert (state.step, state.status) == (1, Status.STAGNATED)
    assert state.note.startswith("the outer weights are at their least-squares minimum: rank 3 of 3, ‖e‖ = ")
    (only,) = least_squares(net, problem, steps=0)
    assert only.status is Status.MAX_STEPS
    (near,) = least_squares(net, problem, stop=StopRule(tolerance=1e9))
    assert near.status is Status.CONVERGED
    (broken,) = least_squares(net, Problem([Block(1e200 * identity(1), points(3, 1), 1.0)]))
    assert broken.status is Status.NON_FINITE


def test_the_cutoff_drops_directions() -> None:
    problem, net = PROBLEMS["poisson_1d"](points=40), TwoLayer(1, 60, "tanh")
    coarse, fine = (last(least_squares(net, problem, cutoff=c)) for c in (1e-2, 1e-10))
    assert fine.loss < 1e-4 * coarse.loss
    assert float(coarse.weights.a.norm()) < float(fine.weights.a.norm())


def test_other_networks_are_told_to_use_two_layers() -> None:
    module = AnyModule(nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double(), 1)
    with pytest.raises(ValueError, match="use network=two_layer"):
        next(least_squares(module, problem_of("identity", 1)))


@pytest.mark.parametrize("options", [{"tikhonov": 0.0}, {"tikhonov": math.inf}, {"cutoff": 1.0}, {"steps": -1}])
def test_bad_options_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="got .*, expected"):
        last(least_squares(network_of("tanh", 1), problem_of("identity", 1), **options))


def test_features_that_cannot_fit_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1000)
    with pytest.raises(MemoryShortageError, match="9 rows by 30 columns"):
        last(least_squares(network_of("tanh", 1, width=30), problem_of("identity", 1)))
