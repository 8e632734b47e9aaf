"""SPRING: a proximal least-squares step about the one before; without momentum a damped Gauss–Newton step."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from cases import network_of, points, problem_of
from modules import module_of

from pinn_ntk.kernels import MemoryShortageError, available_bytes
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity
from pinn_ntk.problem import PROBLEMS, Block, Problem
from pinn_ntk.training import DampedSteps, State, Status, jacobian, remembered, spring

memory = module_of(available_bytes)


def last(states: Iterable[State]) -> State:
    *_, state = states
    return state


def flat(state: State) -> torch.Tensor:
    return torch.cat([p.reshape(-1) for p in state.weights.displacement])


@pytest.mark.parametrize("shape", [(20, 50), (50, 20)])
@pytest.mark.parametrize("dual", [True, False])
def test_the_step_is_the_proximal_least_squares_step(shape: tuple[int, int], dual: bool) -> None:
    """δ minimises ‖e + Jδ‖² + nλ‖δ − μδ₋₁‖²."""
    n, parameters = shape
    generator = torch.Generator().manual_seed(1)
    J, e, before = (
        torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((n, parameters), (n,), (parameters,))
    )
    damping, momentum = 1e-3, 0.7
    root = math.sqrt(n * damping)
    stacked = torch.cat([J, root * torch.eye(parameters, dtype=torch.float64)])
    expected = torch.linalg.lstsq(stacked, torch.cat([-e, root * momentum * before])[:, None], driver="gelsd").solution[
        :, 0
    ]
    torch.testing.assert_close(remembered(J, e, before, damping, momentum, dual), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("width", [2, 20])
def test_without_momentum_it_is_a_damped_gauss_newton_step(width: int) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=width)
    states = list(spring(net, problem, damping=1e-4, momentum=0.0, learning_rate=0.7, norm_limit=1e9, steps=3))
    J = jacobian(problem.system(net), net.weights)
    damping = 1e-4 * float((J * J).sum(0).max()) / problem.points
    for here, there in zip(states, states[1:], strict=False):
        J = jacobian(problem.system(net), here.weights)
        torch.testing.assert_close(
            flat(there) - flat(here), 0.7 * DampedSteps(J, here.residual).step(damping), rtol=1e-9, atol=1e-11
        )


def test_primal_and_dual_take_the_same_steps() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=5)
    primal, dual = (last(spring(net, problem, damping=1e-4, steps=5, form=form)) for form in ("primal", "dual"))
    torch.testing.assert_close(flat(primal), flat(dual), rtol=1e-8, atol=1e-10)


def test_no_move_is_longer_than_the_norm_limit_and_the_remembered_step_is_not_cut() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=5)
    free, held = (list(spring(net, problem, norm_limit=c, steps=3)) for c in (1e9, 1e-3))
    moves = [float((flat(b) - flat(a)).norm()) for a, b in zip(held, held[1:], strict=False)]
    assert moves == pytest.approx([1e-3] * 3, rel=1e-9)
    first = flat(free[1])
    torch.testing.assert_close(flat(held[1]), 1e-3 * first / first.norm(), rtol=1e-9, atol=1e-15)
    J, e = jacobian(problem.system(net), held[1].weights), held[1].residual
    start = jacobian(problem.system(net), net.weights)
    second = remembered(J, e, first, 1e-8 * float((start * start).sum(0).max()) / problem.points, 0.9)
    torch.testing.assert_close(flat(held[2]) - flat(held[1]), 1e-3 * second / second.norm(), rtol=1e-6, atol=1e-12)


def test_a_linear_residual_obeys_the_three_term_recurrence() -> None:
    """e_{k+1} = R((1 + μ)e_k − μe_{k−1}), R = nλ(JJᵀ + nλI)⁻¹: Nesterov's extrapolation of proximal steps.
    A neuron a = 0, w = 0 rests.
    """
    functions = [lambda p: p[:, 0], lambda p: torch.sin(5.0 * p[:, 0]), lambda p: torch.ones_like(p[:, 0])]
    x = points(20, 1)
    problem, net = Problem([Block(identity(1), x, torch.exp(x[:, 0]))]), TwoLayer(1, 1, "tanh", extra=functions)
    still = net.with_weights(replace(net.weights, a0=0.0 * net.weights.a0, w0=0.0 * net.weights.w0))
    states = list(spring(still, problem, damping=1e-2, momentum=0.8, norm_limit=1e9, steps=6))
    J = jacobian(problem.system(still), still.weights)
    shift = 1e-2 * float((J * J).sum(0).max())
    R = shift * torch.linalg.inv(J @ J.mT + shift * torch.eye(20, dtype=torch.float64))
    e = [state.residual for state in states]
    torch.testing.assert_close(e[1], R @ e[0], rtol=1e-10, atol=1e-10)
    for before, here, after in zip(e, e[1:], e[2:], strict=False):
        torch.testing.assert_close(after, R @ (1.8 * here - 0.8 * before), rtol=1e-10, atol=1e-10)


def test_it_solves_a_pde() -> None:
    problem, net = PROBLEMS["poisson_1d"](points=20), TwoLayer(1, 20, "tanh")
    assert last(spring(net, problem, steps=30)).loss < 1e-7 * problem.loss(net)


def test_the_gradient_tolerance_ends_it() -> None:
    problem = Problem([Block(identity(1), points(6, 1), lambda x: torch.sin(3.0 * x[:, 0]))])
    state = last(spring(TwoLayer(1, 20, "tanh"), problem, steps=100, gradient_tolerance=1e-3))
    assert (state.status, state.note) == (Status.CONVERGED, "the gradient met its tolerance")


def test_a_jacobian_that_cannot_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1000)
    with pytest.raises(MemoryShortageError, match="the Jacobian of 9 rows by 60 parameters"):
        next(spring(network_of("tanh", 1, width=20), problem_of("identity", 1)))
