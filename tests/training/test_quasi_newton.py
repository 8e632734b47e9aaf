"""L-BFGS: quadratic problems in few steps, stiff ones far down, and the reasons why it ends."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import network_of, points, problem_of
from modules import module_of

from pinn_ntk.activations import Activation
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity
from pinn_ntk.problem import PROBLEMS, Block, Problem
from pinn_ntk.training import State, Status, StopRule, gradient_descent, lbfgs

quasi_newton = module_of(lbfgs)


def last(states: Iterable[State]) -> State:
    *_, state = states
    return state


def test_a_small_pde_is_solved_to_a_millionth_of_its_loss() -> None:
    problem, net = PROBLEMS["poisson_1d"](points=16), TwoLayer(1, 64, "tanh")
    states = list(lbfgs(net, problem, steps=120))
    assert states[-1].loss < 1e-6 * states[0].loss
    assert last(gradient_descent(net, problem, 0.5, 120)).loss > 1e3 * states[-1].loss


def test_the_loss_never_rises() -> None:
    problem, net = problem_of("full", 2), network_of("gelu", 2, width=20)
    losses = np.array([s.loss for s in lbfgs(net, problem, steps=60)])
    assert (np.diff(losses) < 0.0).all()


def test_it_goes_on_where_differences_are_far_below_1e_10() -> None:
    """torch drops its pairs when y·s ≤ 1e-10: a loss that starts there would be descended by gradients alone."""
    x = points(12, 1)
    small = Problem([Block(1e-7 * identity(1), x, 1e-7 * torch.sin(3.0 * x[:, 0]))])
    large = Problem([Block(identity(1), x, torch.sin(3.0 * x[:, 0]))])
    net = network_of("tanh", 1, width=20)
    reached = [last(lbfgs(net, p, steps=60)).loss for p in (small, large)]
    assert reached[0] < 1e-14 * 1e-5
    assert math.log10(reached[0] / reached[1]) == pytest.approx(-14.0, abs=2.0)


def test_a_quadratic_loss_ends_at_its_minimum() -> None:
    """A neuron with a = 0 and w = 0 never moves: the loss is quadratic in the coefficients of the extra functions."""
    functions = [lambda p: p[:, 0], lambda p: p[:, 0] ** 2, lambda p: torch.ones_like(p[:, 0])]
    x = points(20, 1)
    problem = Problem([Block(identity(1), x, torch.exp(x[:, 0]))])
    net = TwoLayer(1, 1, "tanh", extra=functions)
    still = net.with_weights(replace(net.weights, a0=0.0 * net.weights.a0, w0=0.0 * net.weights.w0))
    Psi = torch.stack([psi(x) for psi in functions], 1)
    best = torch.linalg.lstsq(Psi, torch.exp(x[:, 0])[:, None]).solution[:, 0]
    end = last(lbfgs(still, problem, steps=40))
    torch.testing.assert_close(end.weights.extra, best, rtol=1e-6, atol=1e-6)
    assert end.status is Status.STAGNATED


def test_it_says_when_no_step_is_left() -> None:
    problem = Problem([Block(identity(1), points(3, 1), lambda x: torch.sin(3.0 * x[:, 0]))])
    states = list(lbfgs(network_of("tanh", 1, width=10), problem, steps=500))
    end = states[-1]
    assert end.status is Status.STAGNATED
    assert "line search" in end.note
    assert end.step == states[-2].step + 1
    assert torch.equal(end.weights.dw, states[-2].weights.dw)
    assert end.loss < 1e-24 * states[0].loss


def test_the_gradient_tolerance_is_a_share_of_the_first_gradient() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=20)
    end = last(states := list(lbfgs(net, problem, steps=2000, gradient_tolerance=1e-3)))
    assert end.status is Status.CONVERGED
    assert end.note == "the gradient met its tolerance"
    assert end.gradient_norm <= 1e-3 * states[0].gradient_norm < states[-2].gradient_norm


def test_a_wall_of_infinities_is_no_end() -> None:
    """σ = exp(1000z) overflows where the first trial of the line search leads; the search has to come back."""
    steep = Activation(
        "steep", lambda z, k: tuple(1000.0**j * torch.exp(1000.0 * z) for j in range(k + 1)), None, math.inf, ""
    )
    problem = Problem([Block(identity(1), points(6, 1), 3.0)])
    net = TwoLayer(1, 2, steep, gamma=1.0, seed=1)
    near = net.with_weights(replace(net.weights, w0=1e-4 * net.weights.w0))
    objective = quasi_newton._Objective(problem.system(near), near.weights, 6)
    objective.ceiling = 7.0
    objective.moving[1].fill_(10.0)
    assert objective() == 7.0
    assert not any(p.grad.any() for p in objective.moving)
    states = list(lbfgs(near, problem, steps=20, stop=StopRule(divergence=math.inf)))
    assert states[-1].loss < 1e-2 * states[0].loss
    assert all(math.isfinite(s.loss) for s in states)
