"""Training of modules: depth 1 goes the way of the two-layer network,
every method either takes a module or says why not.
"""

import pytest
import torch
from cases import problem_of
from torch import nn

from pinn_ntk.networks import MLP, AnyModule, TwoLayer
from pinn_ntk.training import (
    METHODS,
    KernelTracker,
    displacement_tracker,
    gradient_descent,
    gradient_flow,
    step_limit,
    track,
)


def pair(activation: str = "tanh") -> tuple[AnyModule, TwoLayer]:
    return AnyModule(MLP(2, 8, 1, activation, seed=1), 2), TwoLayer(2, 8, activation, scaling="ntk", gamma=1.0, seed=1)


@pytest.mark.parametrize("activation", ["tanh", "relu3"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_depth_one_descends_like_the_two_layer_network(activation: str, momentum: float) -> None:
    problem = problem_of("full", 2)
    mine, theirs = pair(activation)
    limit = step_limit(theirs, problem)
    assert step_limit(mine, problem) == pytest.approx(limit, rel=1e-12)
    states = [
        list(gradient_descent(net, problem, 0.4, 40, momentum=momentum, limit=limit))[-1] for net in (mine, theirs)
    ]
    torch.testing.assert_close(states[0].residual, states[1].residual, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(states[0].weights.values["a"], states[1].weights.a, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(states[0].weights.values["W.0"], states[1].weights.w, rtol=1e-10, atol=1e-10)
    assert states[0].gradient_norm == pytest.approx(states[1].gradient_norm, rel=1e-9)


def test_depth_one_flows_like_the_two_layer_network() -> None:
    problem = problem_of("laplacian", 2)
    mine, theirs = pair()
    times = [0.0, 0.01, 0.05]
    ends = [list(gradient_flow(net, problem, times))[-1].residual for net in (mine, theirs)]
    torch.testing.assert_close(*ends, rtol=1e-8, atol=1e-8)


def test_training_leaves_the_given_network_alone() -> None:
    problem, net = problem_of("laplacian", 2), AnyModule(MLP(2, 6, 3), 2)
    before = [p.clone() for p in net.module.parameters()]
    last = list(gradient_descent(net, problem, steps=5))[-1]
    assert all(torch.equal(p, q) for p, q in zip(net.module.parameters(), before, strict=True))
    assert problem.loss(last.network) == pytest.approx(last.loss, rel=1e-12)


def test_trackers_of_a_module_have_no_part_a() -> None:
    problem, net = problem_of("laplacian", 2), AnyModule(MLP(2, 6, 2), 2)
    history = track(gradient_descent(net, problem, steps=6), [displacement_tracker, KernelTracker(problem)], [0, 3, 6])
    names = set(history.columns) | set(history.arrays)
    assert {
        "max_delta",
        "relative_delta",
        "drift",
        "lambda_min",
        "lambda_max",
        "floor",
        "dissipation",
        "eigenvalues",
        "alignment",
    } <= names
    assert not [name for name in names if name.endswith(("_a", "_w"))]
    assert history.columns["drift"][0] == history.columns["max_delta"][0] == 0.0
    assert (history.columns["drift"][1:] > 0.0).all()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_takes_a_module_or_says_why_not(name: str) -> None:
    torch.manual_seed(0)
    net = AnyModule(nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double(), 2)
    problem, known = problem_of("laplacian", 2), METHODS[name].arguments
    try:
        states = list(METHODS[name].states(net, problem, steps=3, **({"tracked": 3} if "tracked" in known else {})))
    except ValueError as error:
        assert "TwoLayer" in str(error)  # noqa: PT017 - the other outcome is a descent
    else:
        assert states[-1].loss < states[0].loss
        assert states[-1].weights.movement(states[0].weights)["max_delta"] > 0.0
