"""What every method without a closed form owes: a first state, weights of its own, the same numbers again,
names for its ends.
"""

import math
from collections.abc import Iterable

import pytest
import torch
from cases import network_of, points, problem_of

from pinn_ntk.kernels import closed_form_kernel
from pinn_ntk.networks import residual_and_gradient
from pinn_ntk.operators import identity
from pinn_ntk.problem import Block, Problem
from pinn_ntk.training import METHODS, KernelTracker, State, Status, StopRule, track

DEAD = Problem([Block(0.0 * identity(1), points(3, 1), 1.0)])
HUGE = Problem([Block(1e200 * identity(1), points(3, 1), 1.0)])
NEW = ("adam", "sgd", "lbfgs", "levenberg_marquardt", "spring")


def last(states: Iterable[State]) -> State:
    *_, state = states
    return state


@pytest.mark.parametrize("name", NEW)
def test_the_same_seed_gives_the_same_numbers(name: str) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=9)
    first, second = (last(METHODS[name].states(net, problem, steps=6)) for _ in range(2))
    assert first.loss == second.loss
    assert torch.equal(first.weights.dw, second.weights.dw)


@pytest.mark.parametrize("name", NEW)
def test_the_first_state_is_the_start_and_states_keep_their_own_weights(name: str) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=9)
    states = list(METHODS[name].states(net, problem, steps=4))
    assert [s.step for s in states] == list(range(5))
    assert not states[0].weights.dw.any()
    assert not net.weights.dw.any()
    for state in states:
        assert problem.loss(state.network) == pytest.approx(state.loss, rel=1e-9, abs=1e-25)
        _, gradient = residual_and_gradient(problem.system(net), state.weights)
        assert state.gradient_norm == pytest.approx(
            math.sqrt(sum(float((g * g).sum()) for g in gradient)), rel=1e-7, abs=1e-14
        )
        assert not state.dynamics.solvable
    assert states[-1].status is Status.MAX_STEPS
    assert states[-1].loss < states[0].loss


@pytest.mark.parametrize("name", NEW)
def test_the_kernel_is_tracked_under_every_method(name: str) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=9)
    states = list(METHODS[name].states(net, problem, steps=4))
    history = track(iter(states), [KernelTracker(problem)], [0, 2, 4])
    start, end = closed_form_kernel(net, problem), closed_form_kernel(states[-1].network, problem)
    assert history.columns["drift"][-1] == pytest.approx(
        float((end.total - start.total).norm() / start.total.norm()), rel=1e-10
    )
    assert history.columns["drift"][-1] > 0.0


@pytest.mark.parametrize("name", NEW)
def test_every_stop_reason_has_its_name(name: str) -> None:
    problem, net, method = problem_of("identity", 1), network_of("tanh", 1, width=30), METHODS[name].states
    assert last(method(net, problem, steps=0)).status is Status.MAX_STEPS
    assert last(method(net, problem, stop=StopRule(tolerance=1e9))).status is Status.CONVERGED
    (frozen,) = method(network_of("tanh", 1), DEAD, steps=5)
    assert (frozen.status, frozen.note) == (Status.STAGNATED, "the gradient is zero")
    (broken,) = method(network_of("tanh", 1), HUGE, steps=5)
    assert broken.status is Status.NON_FINITE
    with pytest.raises(ValueError, match="steps: got -1"):
        next(method(net, problem, steps=-1))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adam", {"learning_rate": 0.0}),
        ("adam", {"beta1": 1.0}),
        ("adam", {"decay": 1.5}),
        ("adam", {"decay_every": 0}),
        ("sgd", {"batch_size": 0}),
        ("sgd", {"step_size": math.nan}),
        ("sgd", {"momentum": -0.1}),
        ("lbfgs", {"history_size": 0}),
        ("levenberg_marquardt", {"damping": -1.0}),
        ("levenberg_marquardt", {"step_tolerance": math.inf}),
        ("levenberg_marquardt", {"form": "tall"}),
        ("spring", {"damping": 0.0}),
        ("spring", {"momentum": 1.0}),
        ("spring", {"learning_rate": 0.0}),
        ("spring", {"norm_limit": 0.0}),
        ("spring", {"form": "wide"}),
    ],
)
def test_bad_options_are_refused(name: str, options: dict) -> None:
    with pytest.raises(ValueError, match="got .*, expected"):
        next(METHODS[name].states(network_of("tanh", 1), problem_of("identity", 1), **options))


@pytest.mark.parametrize("name", NEW)
def test_device_and_dtype_stay(name: str, device: torch.device, dtype: torch.dtype) -> None:
    for kind in {dtype, torch.float32}:
        problem = problem_of("full", 2, dtype=kind, device=device)
        net = network_of("tanh", 2, width=9, dtype=kind, device=device)
        states = list(METHODS[name].states(net, problem, steps=5))
        assert states[-1].loss < states[0].loss
        assert states[-1].residual.dtype == states[-1].weights.dw.dtype == kind
        assert states[-1].weights.dw.device.type == device.type
