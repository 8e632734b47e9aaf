"""Adam and SGD: torch's own through autograd, gradient descent as a special case, unbiased mini-batches."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import network_of, points, problem_of

from pinn_ntk.networks import TwoLayer, residual_and_gradient
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Block, Problem
from pinn_ntk.training import State, Status, StopRule, adam, batches, gradient_descent, sgd


def last(states: Iterable[State]) -> State:
    *_, state = states
    return state


def loss_by_autograd(problem: Problem, net: TwoLayer) -> torch.Tensor:
    """R_S written down anew: 𝓛h from the Hessian of h."""
    total = torch.zeros((), dtype=torch.float64)
    for block in problem.blocks:
        rows = block.operator.rows(block.x)
        x = block.x.clone().requires_grad_(True)
        h = net(x)
        (slope,) = torch.autograd.grad(h.sum(), x, create_graph=True)
        value = torch.zeros_like(h) if rows.c is None else rows.c * h
        if rows.b is not None:
            value = value + (rows.b * slope).sum(1)
        if rows.order == 2:
            hessian = torch.stack(
                [torch.autograd.grad(slope[:, j].sum(), x, create_graph=True)[0] for j in range(x.shape[1])], 2
            )
            value = value + (rows.second_order() * hessian).sum((1, 2))
        total = total + block.weight / (2 * len(block)) * ((value - block.target) ** 2).sum()
    return total


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_adam_is_torchs_through_autograd(decay: float) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=7)
    ours = list(adam(net, problem, learning_rate=0.01, steps=20, decay=decay, decay_every=7))
    twin = net.with_weights(net.weights)
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.01)
    for k, state in enumerate(ours):
        loss = loss_by_autograd(problem, twin)
        assert state.loss == pytest.approx(float(loss.detach()), rel=1e-11)
        torch.testing.assert_close(state.weights.da, twin.delta_a.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(state.weights.dw, twin.delta_w.detach(), rtol=1e-12, atol=1e-12)
        optimizer.param_groups[0]["lr"] = 0.01 * decay ** (k / 7)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ours[-1].status is Status.MAX_STEPS
    assert ours[-1].time == pytest.approx(sum(s.step_size for s in ours[:-1]), rel=1e-12)


def test_one_batch_without_momentum_is_gradient_descent() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=7)
    whole = list(sgd(net, problem, 0.4, 15, batch_size=problem.points))
    for ours, theirs in zip(whole, gradient_descent(net, problem, 0.4, 15), strict=True):
        torch.testing.assert_close(ours.weights.dw, theirs.weights.dw, rtol=1e-11, atol=1e-14)
        assert (ours.loss, ours.time, ours.gradient_norm) == pytest.approx(
            (theirs.loss, theirs.time, theirs.gradient_norm), rel=1e-11
        )


def test_one_batch_with_momentum_is_the_heavy_ball() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=7)
    ours = last(sgd(net, problem, 0.3, 15, batch_size=problem.points, momentum=0.8))
    theirs = last(gradient_descent(net, problem, 0.3, 15, momentum=0.8))
    torch.testing.assert_close(ours.weights.dw, theirs.weights.dw, rtol=1e-11, atol=1e-14)


class Given:
    """A source of randomness whose every draw is prescribed."""

    def __init__(self, offsets: list[float], orders: list[tuple[int, ...]]) -> None:
        self.offsets, self.orders = iter(offsets), iter(orders)

    def random(self) -> float:
        return next(self.offsets)

    def permutation(self, _: int) -> np.ndarray:
        return np.array(next(self.orders))


@pytest.mark.parametrize(("sizes", "count"), [((4, 2), 2), ((3, 1), 2), ((3, 2), 3), ((2, 1, 1), 3)])
def test_the_expected_gradient_of_every_batch_is_the_full_one(sizes: tuple[int, ...], count: int) -> None:
    """Over all orders of the rows, and over u: the dealing changes at multiples of 1/count only,
    so the midpoints are all there is.
    """
    x = points(sum(sizes), 1)
    starts = np.cumsum((0, *sizes))
    blocks = [
        Block(laplacian(1) if b % 2 else identity(1), x[lo:hi], 0.3 + b, f"block {b}", 1.0 + 2.0 * b)
        for b, (lo, hi) in enumerate(itertools.pairwise(starts))
    ]
    problem, net = Problem(blocks), network_of("tanh", 1, width=3)
    system, n = problem.system(net), problem.points
    _, full = residual_and_gradient(system, net.weights)
    single = [residual_and_gradient(_only(system, i, starts), net.weights)[1][1] for i in range(n)]  # e_i ∇e_i
    expected, trials = torch.zeros(count, *full[1].shape, dtype=torch.float64), 0
    middles = [(j + 0.5) / count for j in range(count)]
    for orders in itertools.product(*(itertools.permutations(range(s)) for s in sizes)):
        for offsets in itertools.product(middles, repeat=len(sizes)):
            dealt = batches(sizes, count, Given(list(offsets), list(orders)))  # type: ignore[arg-type]
            assert sorted(np.concatenate(dealt).tolist()) == list(range(n))
            grads = torch.stack(
                [count / n * sum((single[i] for i in rows), torch.zeros_like(full[1])) for rows in dealt]
            )
            torch.testing.assert_close(grads.mean(0), full[1], rtol=1e-12, atol=1e-13)
            expected, trials = expected + grads, trials + 1
    for gradient in expected / trials:
        torch.testing.assert_close(gradient, full[1], rtol=1e-11, atol=1e-13)


def _only(system, i: int, starts: np.ndarray):  # type: ignore[no-untyped-def]
    block = int(np.searchsorted(starts, i, side="right")) - 1
    own = i - int(starts[block])
    return replace(system, rows=(system.rows[block].select(slice(own, own + 1)),), target=system.target[i : i + 1])


def test_blocks_are_dealt_out_evenly() -> None:
    for seed in range(20):
        dealt = batches((64, 10), 7, np.random.default_rng(seed))
        assert all(9 <= sum(r < 64 for r in rows) <= 10 for rows in dealt)
        assert all(1 <= sum(r >= 64 for r in rows) <= 2 for rows in dealt)


def test_small_steps_of_sgd_follow_the_full_gradient() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=20)
    gaps = []
    for tau in (1e-3, 5e-4):
        state = last(sgd(net, problem, tau, round(1.0 / tau / 20), batch_size=3, batch_seed=1))
        twin = last(gradient_descent(net, problem, state.step_size, round(state.time / state.step_size), absolute=True))
        gaps.append(float((state.weights.dw - twin.weights.dw).norm() / twin.weights.dw.norm()))
    assert gaps[0] < 0.02
    assert gaps[1] < 0.75 * gaps[0]


def test_extra_functions_are_batched_too() -> None:
    problem = problem_of("identity", 1)
    net = TwoLayer(1, 10, extra=[lambda x: x[:, 0], lambda x: torch.ones_like(x[:, 0])])
    state = last(sgd(net, problem, 0.1, 200, batch_size=2))
    assert state.loss < 0.5 * problem.loss(net)
    assert state.weights.extra.abs().min() > 0.0
    assert state.loss == pytest.approx(problem.loss(state.network), rel=1e-11)


def test_a_rate_that_is_too_large_diverges_or_overflows_by_name() -> None:
    problem, net = problem_of("identity", 1), network_of("tanh", 1, width=30)
    assert last(adam(net, problem, learning_rate=1e5, steps=50)).status is Status.DIVERGED
    assert last(sgd(net, problem, 100.0, 50, batch_size=3)).status is Status.DIVERGED
    linear = TwoLayer(1, 5, "softplus")
    free = StopRule(divergence=math.inf)
    assert last(adam(linear, problem, learning_rate=1e300, steps=50, stop=free)).status is Status.NON_FINITE
    assert last(sgd(linear, problem, 1e300, 50, absolute=True, batch_size=3, stop=free)).status is Status.NON_FINITE
