"""Variable projection: the Jacobian of the projected residual, the gradient of R_S,
and fewer steps than with damping alone.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from cases import network_of, points, problem_of
from modules import module_of
from torch import Tensor, nn

from pinn_ntk.experiment import Settings, run
from pinn_ntk.kernels import MemoryShortageError, available_bytes
from pinn_ntk.networks import AnyModule, TwoLayer, Weights, residual_and_gradient
from pinn_ntk.operators import identity
from pinn_ntk.problem import PROBLEMS, Block, Problem
from pinn_ntk.training import (
    Eliminated,
    State,
    Status,
    StopRule,
    least_squares,
    levenberg_marquardt,
    variable_projection,
)

memory = module_of(available_bytes)


def last(states: Iterable[State]) -> State:
    *_, state = states
    return state


def displaced(weights: Weights, j: int, step: float) -> Weights:
    moved = weights.dw.clone()
    moved.view(-1)[j] += step
    return replace(weights, dw=moved)


@pytest.mark.parametrize("name", ["identity", "full", "wave", "paired"])
def test_the_jacobian_is_what_central_differences_leave_outside_the_span(name: str) -> None:
    """Kaufman's Jacobian and the whole one differ in the span of M only; so Jᵀe/n is the gradient of R_S."""
    problem = problem_of(name, 2, n=20)
    net = network_of("tanh", 2, width=4, extra=[lambda x: torch.exp(x[:, 1])])
    system, step = problem.system(net), 1e-5
    here = Eliminated.at(system, net.weights, 1e-15)
    J = here.jacobian()
    gradient = J.mT @ here.e / problem.points
    for j in range(J.shape[1]):
        ahead, behind = (Eliminated.at(system, displaced(here.weights, j, s), 1e-15).e for s in (step, -step))
        outside = here.factor.remainder(((ahead - behind) / (2 * step))[:, None])[:, 0]
        torch.testing.assert_close(outside, J[:, j], rtol=1e-5, atol=1e-6 * float(J.abs().max()))
        change = float((ahead - behind) @ (ahead + behind)) / (4 * step * problem.points)
        assert change == pytest.approx(float(gradient[j]), rel=1e-5, abs=1e-7 * float(gradient.abs().max()))


def test_every_state_has_the_outer_weights_of_least_squares_and_a_lower_loss() -> None:
    problem, net = problem_of("full", 2, n=40), network_of("tanh", 2, width=5, extra=[lambda x: x[:, 0]])
    states = list(variable_projection(net, problem, steps=6))
    assert [s.step for s in states] == list(range(7))
    assert not states[0].weights.displacement[0].any()
    assert states[-1].status is Status.MAX_STEPS
    assert states[1].loss == pytest.approx(last(least_squares(net, problem)).loss, rel=1e-9)
    assert all(b.loss < a.loss for a, b in zip(states, states[1:], strict=False))
    for state in states[1:]:
        _, (by_a, by_w, by_extra) = residual_and_gradient(problem.system(net), state.weights)
        assert max(float(by_a.abs().max()), float(by_extra.abs().max())) < 1e-9 * states[0].gradient_norm
        assert state.gradient_norm == pytest.approx(float(by_w.norm()), rel=1e-6)
        assert problem.loss(state.network) == pytest.approx(state.loss, rel=1e-8)


@pytest.mark.parametrize(("name", "n", "width"), [("poisson_1d", 64, 10), ("poisson_2d", 256, 20)])
def test_it_leaves_less_than_levenberg_marquardt_in_as_many_steps(name: str, n: int, width: int) -> None:
    problem = PROBLEMS[name](points=n)
    net = TwoLayer(problem.dim, width, "tanh", gamma=1.0)
    eliminated, joint = (
        last(variable_projection(net, problem, steps=20)),
        last(levenberg_marquardt(net, problem, steps=20)),
    )
    assert eliminated.loss < 3e-2 * joint.loss
    assert eliminated.loss < 1e-4 * last(least_squares(net, problem)).loss


def test_a_function_that_is_three_neurons_is_recovered() -> None:
    """Up to order and the sign (a, w) → (−a, −w), from a start that leads to no other minimum."""
    w = torch.tensor([[-0.7, 1.0], [1.5, 0.3], [2.5, -1.5]], dtype=torch.float64)
    a = torch.tensor([-2.0, 1.0, 0.5], dtype=torch.float64)
    x = torch.linspace(-2.0, 2.0, 60, dtype=torch.float64)[:, None]
    problem = Problem([Block(identity(1), x, torch.tanh(torch.cat([x, torch.ones_like(x)], 1) @ w.mT) @ a)])
    state = last(variable_projection(TwoLayer(1, 3, "tanh", seed=9), problem, steps=60, stop=StopRule(tolerance=1e-28)))
    assert state.status is Status.CONVERGED
    torch.testing.assert_close(_sorted(state.weights.w, state.weights.a), _sorted(w, a), rtol=1e-9, atol=1e-9)


def _sorted(w: Tensor, a: Tensor) -> Tensor:
    table = torch.cat([w, a[:, None]], 1) * torch.sign(w[:, :1])
    return table[table[:, 0].argsort()]


def test_the_kernel_is_tracked() -> None:
    settings = Settings(optimizer="variable_projection", steps=12, tracked=6)
    record = run(PROBLEMS["poisson_1d"](points=64), TwoLayer(1, 12, "tanh"), settings)
    columns = record.history.columns
    assert columns["relative_l2"][-1] < 1e-8
    assert columns["drift"][-1] > 0.0
    assert columns["max_delta_w"][-1] > 0.0


def test_the_same_seed_gives_the_same_numbers() -> None:
    problem, net = problem_of("full", 2, n=40), network_of("tanh", 2, width=5)
    first, second = (last(variable_projection(net, problem, steps=4)) for _ in range(2))
    assert torch.equal(first.weights.dw, second.weights.dw)
    assert torch.equal(first.weights.da, second.weights.da)


def test_every_end_has_its_name() -> None:
    problem, net = problem_of("identity", 1, n=30), network_of("tanh", 1, width=3)
    assert last(variable_projection(net, problem, steps=0)).status is Status.MAX_STEPS
    assert last(variable_projection(net, problem, stop=StopRule(tolerance=1e9))).status is Status.CONVERGED
    stuck = last(variable_projection(net, problem, steps=300, stop=StopRule(window=1000)))
    assert (stuck.status, bool(stuck.note)) == (Status.STAGNATED, True)
    met = last(variable_projection(net, problem, steps=100, gradient_tolerance=1e-3))
    assert (met.status, met.note) == (Status.CONVERGED, "the gradient met its tolerance")
    (broken,) = variable_projection(net, Problem([Block(1e200 * identity(1), points(3, 1), 1.0)]))
    assert broken.status is Status.NON_FINITE


def test_as_many_neurons_as_rows_leave_nothing_to_train() -> None:
    _, state = variable_projection(network_of("tanh", 1, width=9), problem_of("identity", 1), steps=20)
    assert state.status is Status.STAGNATED
    assert "9 outer weights meet all 9 rows" in state.note
    assert not state.weights.dw.any()


def test_device_and_dtype_stay(device: torch.device, dtype: torch.dtype) -> None:
    for kind in {dtype, torch.float32}:
        problem = problem_of("full", 2, n=40, dtype=kind, device=device)
        net = network_of("tanh", 2, width=5, dtype=kind, device=device)
        states = list(variable_projection(net, problem, steps=4))
        assert states[-1].loss < states[0].loss
        assert states[-1].residual.dtype == states[-1].weights.dw.dtype == kind
        assert states[-1].weights.dw.device.type == device.type


@pytest.mark.parametrize(
    "options", [{"tikhonov": 0.0}, {"damping": -1.0}, {"step_tolerance": math.inf}, {"gradient_tolerance": -1.0}]
)
def test_bad_options_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="got .*, expected"):
        next(variable_projection(network_of("tanh", 1), problem_of("identity", 1), **options))


def test_other_networks_and_too_large_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = AnyModule(nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double(), 1)
    with pytest.raises(ValueError, match="use network=two_layer"):
        next(variable_projection(module, problem_of("identity", 1)))
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1000)
    with pytest.raises(MemoryShortageError, match="9 rows by 10 inner weights"):
        next(variable_projection(network_of("tanh", 1), problem_of("identity", 1)))
