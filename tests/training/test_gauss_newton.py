"""Levenberg–Marquardt: its Jacobian is the kernel's, its steps are least squares, its last steps quadratic,
and its ends have names.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import FEW, network_of, points, problem_of
from modules import module_of
from torch import nn

from pinn_ntk.kernels import MemoryShortageError, available_bytes, closed_form_kernel
from pinn_ntk.networks import AnyModule, TwoLayer, residual_and_gradient
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import PROBLEMS, Block, Problem
from pinn_ntk.training import DampedSteps, State, Status, StopRule, jacobian, lbfgs, levenberg_marquardt

memory = module_of(available_bytes)


def last(states: Iterable[State]) -> State:
    *_, state = states
    return state


def smooth_problem(n: int = 6) -> Problem:
    return Problem([Block(laplacian(1) + 2.0 * identity(1), points(n, 1), lambda x: torch.sin(3.0 * x[:, 0]))])


@pytest.mark.parametrize(("name", "activation", "d"), FEW)
def test_the_jacobian_is_the_gradient_and_the_kernel(name: str, activation: str, d: int) -> None:
    problem, net = problem_of(name, d), network_of(activation, d, extra=[lambda x: x[:, 0]], scaling="ntk")
    J = jacobian(problem.system(net), net.weights)
    e, gradient = residual_and_gradient(problem.system(net), net.weights)
    flat = torch.cat([g.reshape(-1) for g in gradient])
    torch.testing.assert_close(J.mT @ e / problem.points, flat, rtol=1e-11, atol=1e-12)
    K = closed_form_kernel(net, problem)
    torch.testing.assert_close(DampedSteps(J, e, dual=True).gram, K.scale * K.total, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["identity", "full", "wave", "paired"])
def test_the_jacobian_is_that_of_central_differences(name: str) -> None:
    problem, net = problem_of(name, 2), network_of("tanh", 2, width=3)
    J, step = jacobian(problem.system(net), net.weights), 1e-6
    for j in range(J.shape[1]):
        delta = torch.zeros(J.shape[1], dtype=torch.float64)
        delta[j] = step
        moves = [sign * delta for sign in (1.0, -1.0)]
        ahead, behind = (
            problem.residual(net.with_weights(net.weights.moved(m[:3], m[3:12].reshape(3, 3), m[12:]))) for m in moves
        )
        torch.testing.assert_close((ahead - behind) / (2 * step), J[:, j], rtol=1e-6, atol=1e-6 * float(J.abs().max()))


def spread(n: int, parameters: int, decades: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix whose singular values fall evenly over so many decades, and a right-hand side."""
    generator = torch.Generator().manual_seed(3)
    make = [torch.randn(k, min(n, parameters), generator=generator, dtype=torch.float64) for k in (n, parameters)]
    left, right = (torch.linalg.qr(m).Q for m in make)
    sizes = torch.logspace(0.0, -decades, min(n, parameters), dtype=torch.float64)
    return left @ (sizes[:, None] * right.mT), torch.randn(n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30)])
@pytest.mark.parametrize("mu", [1e-2, 1e-6, 1e-10, 1e-13])
def test_both_forms_solve_the_stacked_least_squares_problem(shape: tuple[int, int], mu: float) -> None:
    n, parameters = shape
    J, e = spread(n, parameters, 8.0)
    stacked = torch.cat([J, math.sqrt(n * mu) * torch.eye(parameters, dtype=torch.float64)])
    exact = torch.linalg.lstsq(stacked, -torch.cat([e, e.new_zeros(parameters)])[:, None], driver="gelsd").solution[
        :, 0
    ]
    for dual in (True, False):
        delta = DampedSteps(J, e, dual).step(mu)
        assert float((delta - exact).norm() / exact.norm()) < 1e-8


def test_without_damping_the_step_is_the_least_squares_solution_of_least_norm() -> None:
    for shape in ((20, 50), (50, 20)):
        J, e = spread(*shape, decades=4.0)
        expected = -torch.linalg.lstsq(J, e[:, None], driver="gelsd").solution[:, 0]
        torch.testing.assert_close(DampedSteps(J, e).step(0.0), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("damping", [0.0, 1e-14])
def test_linear_least_squares_takes_one_step(damping: float) -> None:
    """A neuron with a = 0 and w = 0 never moves: the residual is linear in the coefficients of the extra functions."""
    functions = [lambda p: p[:, 0], lambda p: torch.sin(p[:, 0]), lambda p: torch.ones_like(p[:, 0])]
    x = points(20, 1)
    problem = Problem([Block(identity(1), x, torch.exp(x[:, 0]))])
    net = TwoLayer(1, 1, "tanh", extra=functions)
    still = net.with_weights(replace(net.weights, a0=0.0 * net.weights.a0, w0=0.0 * net.weights.w0))
    best = torch.linalg.lstsq(torch.stack([psi(x) for psi in functions], 1), torch.exp(x[:, 0])[:, None]).solution[:, 0]
    _, state = levenberg_marquardt(still, problem, damping, steps=1)
    torch.testing.assert_close(state.weights.extra, best, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("damping", [0.0, 1e-12, 1e-6])
def test_the_last_steps_are_quadratic(damping: float) -> None:
    problem, net = smooth_problem(), TwoLayer(1, 60, "tanh", gamma=1.0)
    sizes = [math.sqrt(2.0 * s.loss) for s in levenberg_marquardt(net, problem, damping, 30) if s.loss > 1e-28]
    near = [(a, b) for a, b in zip(sizes, sizes[1:], strict=False) if 1e-7 < a < 1e-2]
    assert near
    assert all(b < 1e3 * a**2 + 1e-14 for a, b in near)
    assert sizes[-1] < 1e-10


@pytest.mark.parametrize(("n", "width"), [(6, 20), (60, 4)])
def test_every_state_lowers_the_loss_for_n_below_and_above_P(n: int, width: int) -> None:
    losses = np.array([s.loss for s in levenberg_marquardt(TwoLayer(1, width, "tanh"), smooth_problem(n), steps=25)])
    assert (np.diff(losses) <= 0.0).all()
    assert losses[-1] < 1e-3 * losses[0]


def test_it_solves_a_pde_in_steps_where_first_order_methods_need_thousands() -> None:
    problem, net = PROBLEMS["poisson_1d"](points=24), TwoLayer(1, 64, "tanh")
    second, quasi = last(levenberg_marquardt(net, problem, steps=12)), last(lbfgs(net, problem, steps=12))
    assert second.loss < 1e-8 * problem.loss(net)
    assert second.loss < 1e-4 * quasi.loss


def test_it_finds_the_same_minimum_as_lbfgs_where_one_neuron_is_too_few() -> None:
    problem, net = smooth_problem(40), TwoLayer(1, 1, "tanh", gamma=0.5)
    ends = [last(levenberg_marquardt(net, problem, steps=100)), last(lbfgs(net, problem, steps=100))]
    assert ends[0].loss == pytest.approx(ends[1].loss, rel=1e-9)
    assert ends[0].loss > 1e-3
    assert ends[0].status is Status.STAGNATED
    assert ends[0].note
    assert ends[0].gradient_norm < 1e-8


@pytest.mark.parametrize(("n", "width"), [(6, 20), (40, 4)])
def test_primal_and_dual_take_the_same_steps(n: int, width: int) -> None:
    problem, net = smooth_problem(n), TwoLayer(1, width, "tanh")
    primal, dual, auto = (
        list(levenberg_marquardt(net, problem, 1e-4, 5, form=form)) for form in ("primal", "dual", "auto")
    )
    for one, other, chosen in zip(primal, dual, auto, strict=True):
        torch.testing.assert_close(one.weights.dw, other.weights.dw, rtol=1e-7, atol=1e-9)
        assert torch.equal(chosen.weights.dw, (dual if n < 3 * width else primal)[chosen.step].weights.dw)
    with pytest.raises(ValueError, match="form: got 'both', expected one of auto, primal, dual"):
        next(levenberg_marquardt(net, problem, form="both"))


def test_the_gradient_tolerance_ends_it() -> None:
    states = list(levenberg_marquardt(TwoLayer(1, 20, "tanh"), smooth_problem(), steps=50, gradient_tolerance=1e-3))
    assert states[-1].status is Status.CONVERGED
    assert states[-1].gradient_norm <= 1e-3 * states[0].gradient_norm < states[-2].gradient_norm


def test_a_jacobian_that_cannot_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1000)
    with pytest.raises(MemoryShortageError, match="the Jacobian of 6 rows by 60 parameters"):
        next(levenberg_marquardt(TwoLayer(1, 20, "tanh"), smooth_problem()))


def test_a_step_into_infinity_is_a_trial_that_failed() -> None:
    """From a start whose linear model overshoots, damping grows until the loss falls."""
    problem = Problem([Block(identity(1), points(8, 1), 1e6)])
    net = TwoLayer(1, 4, "relu3", gamma=1e-3)
    states = list(levenberg_marquardt(net, problem, steps=40, stop=StopRule(divergence=math.inf)))
    assert states[-1].loss < states[0].loss
    assert all(math.isfinite(s.loss) for s in states)


def test_any_module_takes_the_same_steps() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=6)
    module = AnyModule(_Plain(net), 2)
    for ours, theirs in zip(
        levenberg_marquardt(net, problem, 1e-3, 4), levenberg_marquardt(module, problem, 1e-3, 4), strict=True
    ):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-7, abs=1e-20)


class _Plain(nn.Module):
    """The same function with parameters of its own, of which nothing is known."""

    def __init__(self, net: TwoLayer) -> None:
        super().__init__()
        self.a, self.w = nn.Parameter(net.weights.a.clone()), nn.Parameter(net.weights.w.clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.cat([x, torch.ones_like(x[:, :1])], 1) @ self.w.mT) @ self.a
