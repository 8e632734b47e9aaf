"""Ensembles: every member is the single run of its seed, whatever happens to the others."""

import math

import numpy as np
import pytest
import torch
from cases import network_of, points, problem_of

from pinn_ntk.networks import TwoLayer, draw
from pinn_ntk.operators import identity
from pinn_ntk.problem import Block, Problem
from pinn_ntk.training import (
    EnsembleState,
    History,
    KernelTracker,
    Status,
    StopRule,
    batch_size,
    displacement_tracker,
    error_tracker,
    gradient_descent,
    loss_tracker,
    residual_tracker,
    stacked,
    step_limit,
    step_limits,
    track,
    tracked_steps,
    train_ensemble,
)

STEPS = 60


def single(net: TwoLayer, problem: Problem, stop: StopRule | None = None, **options: object) -> History:
    """The run of one network, as an experiment tracks it."""
    trackers = [loss_tracker(problem), displacement_tracker, error_tracker(problem), KernelTracker(problem)]
    states = gradient_descent(net, problem, steps=STEPS, stop=stop, **options)
    return track(states, trackers, tracked_steps(STEPS))


def assert_same(one: History, other: History, rtol: float = 1e-12) -> None:
    """Equal to rounding: every column relative to its largest value."""
    assert other.status is one.status
    assert other.losses == pytest.approx(one.losses, rel=rtol)
    assert set(other.columns) == set(one.columns)
    assert set(other.arrays) == set(one.arrays)
    for name in (n for n in one.columns if n != "seconds"):
        a, b = one.columns[name], other.columns[name]
        # a smallest eigenvalue comes from a singular value, right to rounding of the largest one
        size = np.sqrt(a * one.columns[name.replace("min", "max")]) if name.startswith("lambda_min") else np.abs(a)
        np.testing.assert_allclose(b, a, rtol=0, atol=rtol * max(np.nanmax(size), 1e-300), err_msg=name)
    for name, a in one.arrays.items():
        np.testing.assert_allclose(other.arrays[name], a, rtol=0, atol=rtol * np.nanmax(np.abs(a)), err_msg=name)
    torch.testing.assert_close(other.final.weights.w, one.final.weights.w, rtol=1e-10, atol=1e-12)
    assert other.final.gradient_norm == pytest.approx(one.final.gradient_norm, rel=1e-10)
    assert other.final.step_size == pytest.approx(one.final.step_size, rel=1e-13)


def with_solution(problem: Problem) -> Problem:
    return Problem(problem.blocks, exact=lambda x: torch.cos(x[:, 0]), test_points=points(9, problem.dim, seed=5))


@pytest.mark.parametrize("name", ["identity", "full", "hard", "heat", "paired"])
@pytest.mark.parametrize(
    "options", [{}, {"init": "centred", "scaling": "ntk"}, {"init": "uniform", "bias": False}], ids=str
)
def test_every_member_is_the_single_run_of_its_seed(name: str, options: dict) -> None:
    problem, net = with_solution(problem_of(name, 2)), network_of("tanh", 2, width=40, **options)
    histories = train_ensemble(net, problem, [3, 1, 7], steps=STEPS, chunk=2)
    for seed, history in zip([3, 1, 7], histories, strict=True):
        own = network_of("tanh", 2, width=40, seed=seed, **options)
        assert_same(single(own, problem), history)
        assert history.final.start.seed == seed
        assert torch.equal(history.final.start.a0, own.a0)


def test_members_are_drawn_as_networks_of_their_seeds() -> None:
    net = TwoLayer(2, 6, "relu3", bias=False, gamma=0.3, init="uniform", scaling="ntk", extra=(lambda x: x[:, 0],))
    other = net.like(seed=11)
    a, w = draw(6, 2, 0.3, "uniform", 11)
    assert torch.equal(other.a0, a) and torch.equal(other.w0, w)
    assert (other.scale, other.gamma, len(other.extra), other.seed) == (net.scale, net.gamma, 1, 11)


def test_extra_functions_and_relu_are_trained_as_alone() -> None:
    problem = problem_of("laplacian", 2)
    net = TwoLayer(2, 30, "relu3", extra=(lambda x: x[:, 0] ** 2, lambda x: torch.sin(x[:, 1])))
    for seed, history in enumerate(train_ensemble(net, problem, range(2), steps=STEPS)):
        assert_same(single(net.like(seed=seed), problem), history, rtol=1e-11)


def test_absolute_steps_and_step_limits_are_those_of_each_member() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=20)
    networks = [net.like(seed=s) for s in range(4)]
    limits = step_limits(problem.system(net), stacked(networks))
    assert limits.tolist() == pytest.approx([step_limit(n, problem) for n in networks], rel=1e-13)
    tau = 0.3 * float(limits.min())
    for seed, history in enumerate(train_ensemble(net, problem, range(4), steps=STEPS, step_size=tau, absolute=True)):
        assert_same(single(networks[seed], problem, step_size=tau, absolute=True), history)
        assert history.step_size == tau


def test_members_stop_one_by_one_and_the_others_go_on() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=40)
    rule = StopRule(tolerance=0.6 * problem.loss(net.like(seed=0)))
    histories = train_ensemble(net, problem, range(6), steps=STEPS, stop=rule)
    assert len({len(h.losses) for h in histories}) > 2
    for seed, history in enumerate(histories):
        assert_same(single(net.like(seed=seed), problem, stop=rule), history)


def test_stagnation_and_divergence_are_judged_by_member() -> None:
    problem, net = problem_of("identity", 1), network_of("tanh", 1, width=50)
    rule = StopRule(window=7, stagnation=0.02)
    for seed, history in enumerate(train_ensemble(net, problem, range(4), steps=STEPS, stop=rule)):
        assert_same(single(net.like(seed=seed), problem, stop=rule), history)
    diverging = train_ensemble(net, problem, range(3), step_size=30.0, steps=STEPS, stop=StopRule(divergence=10.0))
    assert {h.status for h in diverging} == {Status.DIVERGED}


def test_a_member_that_is_not_finite_does_not_touch_the_others() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=20)
    seen: list[tuple[int, ...]] = []
    untracked = next(k for k in range(STEPS) if k not in tracked_steps(STEPS))

    def spoil(state: EnsembleState) -> None:
        seen.append(state.members)
        if state.step == untracked:
            state.weights.da[state.members.index(1)] = math.nan  # the iterate after this one is NaN for member 1

    histories = train_ensemble(net, problem, range(3), steps=STEPS, on_state=spoil)
    assert [h.status for h in histories] == [Status.MAX_STEPS, Status.NON_FINITE, Status.MAX_STEPS]
    assert len(histories[1].losses) == untracked + 2 and math.isnan(histories[1].losses[-1])
    assert seen[untracked] == (0, 1, 2) and seen[-1] == (0, 2)
    for seed in (0, 2):
        assert_same(single(net.like(seed=seed), problem), histories[seed])
    last = {name: column[-1] for name, column in histories[1].columns.items()}
    assert last["step"] == untracked + 1 and math.isnan(last["lambda_min"])


def test_kernels_that_are_zero_or_not_finite_leave_one_state() -> None:
    for factor, status in ((0.0, Status.STAGNATED), (1e200, Status.NON_FINITE)):
        problem = Problem([Block(factor * identity(1), points(3, 1), 1.0)])
        histories = train_ensemble(network_of("tanh", 1), problem, range(2))
        assert {(h.status, len(h.losses)) for h in histories} == {(status, 1)}


@pytest.mark.parametrize("nesterov", [False, True])
def test_with_momentum_every_member_is_the_single_run_of_its_seed(nesterov: bool) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=40)
    for seed, history in enumerate(
        train_ensemble(net, problem, range(3), steps=STEPS, momentum=0.7, nesterov=nesterov)
    ):
        assert_same(single(net.like(seed=seed), problem, momentum=0.7, nesterov=nesterov), history)
        assert history.dynamics == history.final.dynamics


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_the_recursion_of_torch(nesterov: bool) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=20)
    (history,) = train_ensemble(net, problem, [4], steps=25, momentum=0.7, nesterov=nesterov, step_size=0.2)
    trained = net.like(seed=4)
    optimizer = torch.optim.SGD(trained.parameters(), lr=history.step_size, momentum=0.7, nesterov=nesterov)
    n = problem.points
    for expected in history.losses:
        optimizer.zero_grad()
        e = torch.cat(
            [
                s * (b.operator.apply(trained, b.x) - b.target)
                for s, b in zip(problem.row_scales, problem.blocks, strict=True)
            ]
        )
        loss = e @ e / (2 * n)
        assert loss.item() == pytest.approx(expected, rel=1e-11)
        loss.backward()
        optimizer.step()
    assert (history.dynamics.kind, history.dynamics.momentum) == ("nesterov" if nesterov else "heavy_ball", 0.7)


def test_momentum_survives_members_that_leave() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=40)
    rule = StopRule(tolerance=0.6 * problem.loss(net.like(seed=0)))
    together = train_ensemble(net, problem, range(6), steps=STEPS, momentum=0.8, stop=rule)
    alone = [train_ensemble(net, problem, [s], steps=STEPS, momentum=0.8, stop=rule)[0] for s in range(6)]
    assert len({len(h.losses) for h in together}) > 2
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_trackers_of_ones_own_become_columns_and_arrays() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)
    histories = train_ensemble(
        net,
        problem,
        range(2),
        steps=4,
        tracked=[2],
        trackers=[residual_tracker, lambda s: {"twice": 2 * s.loss}],
        kernel=False,
    )
    for history in histories:
        assert history.columns["step"].tolist() == [0, 2, 4]
        e = history.arrays["residual"]
        assert (e**2).sum(1) / (2 * problem.points) == pytest.approx(history.columns["loss"], rel=1e-13)
        assert history.columns["twice"] == pytest.approx(2 * history.columns["loss"])
        assert "lambda_min" not in history.columns


def test_an_interrupt_keeps_what_there_is() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)

    def stop(state: EnsembleState) -> None:
        if state.step == 3:
            raise KeyboardInterrupt

    histories = train_ensemble(net, problem, range(4), steps=9, chunk=2, on_state=stop)
    assert {h.status for h in histories} == {Status.INTERRUPTED}
    assert [len(h.losses) for h in histories] == [4, 4, 1, 1]
    assert [h.columns["step"][-1] for h in histories] == [3, 3, 0, 0]


@pytest.mark.parametrize("options", [{"step_size": 0.0}, {"steps": -1}, {"momentum": 1.0}, {"seeds": []}])
def test_bad_arguments_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="got .*, expected"):
        train_ensemble(network_of("tanh", 1), problem_of("identity", 1), **{"seeds": [0], **options})


def test_batches_hold_at_least_one_member() -> None:
    assert batch_size(1 << 20, 1 << 20, torch.device("cpu")) == 1
    assert batch_size(16, 256, torch.device("cpu")) > 1


def test_device_and_dtype_stay(device: torch.device, dtype: torch.dtype) -> None:
    problem, net = problem_of("full", 2, dtype=dtype, device=device), network_of("tanh", 2, dtype=dtype, device=device)
    (history,) = train_ensemble(net, problem, [0], steps=3)
    assert history.final.residual.dtype == history.final.weights.a.dtype == dtype
    assert history.final.residual.device.type == device.type
