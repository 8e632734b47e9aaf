"""Trackers: what a history says about a run is what can be computed from its states."""

import math

import numpy as np
import pytest
import torch
from cases import network_of, points, problem_of
from modules import module_of

from pinn_ntk.kernels import SpectrumError, closed_form_kernel, spectrum_of_gram
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity
from pinn_ntk.problem import Ansatz, Block, Problem
from pinn_ntk.training import (
    KernelTracker,
    Status,
    displacement_tracker,
    error_tracker,
    gradient_descent,
    loss_tracker,
    spectrum_steps,
    track,
    tracked_steps,
)

spectrum = module_of(spectrum_of_gram)


def test_tracked_steps_are_log_spaced_with_both_ends() -> None:
    steps = tracked_steps(1000, 13)
    assert steps[0] == 0
    assert steps[-1] == 1000
    assert len(steps) <= 13
    ratios = np.array(steps[4:]) / np.array(steps[3:-1])
    assert ratios.max() / ratios.min() < 1.5
    assert tracked_steps(10, every=4) == [0, 4, 8, 10]
    assert tracked_steps(0, 5) == [0]
    assert tracked_steps(1, 40) == [0, 1]


def test_block_losses_add_up() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)
    history = track(gradient_descent(net, problem, 0.5, 5), [loss_tracker(problem)], [0, 5])
    total = history.columns["loss.interior"] + history.columns["loss.data"]
    assert total == pytest.approx(history.columns["loss"], rel=1e-14)
    assert len(history.losses) == 6


def test_drift_is_measured_from_the_first_kernel() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)
    states = list(gradient_descent(net, problem, 0.5, 30))
    history = track(iter(states), [KernelTracker(problem), displacement_tracker], [0, 10, 30])
    first, last = closed_form_kernel(net, problem), closed_form_kernel(states[-1].network, problem)
    assert history.columns["drift"][0] == 0.0
    assert history.columns["drift"][-1] == pytest.approx(
        float((last.total - first.total).norm() / first.total.norm()), rel=1e-12
    )
    assert history.columns["drift_a"][-1] == pytest.approx(float((last.a - first.a).norm()), rel=1e-12)
    assert history.columns["max_delta_w"][-1] == pytest.approx(float(states[-1].weights.dw.abs().max()))
    e = states[-1].residual
    assert history.columns["quadratic"][-1] == pytest.approx(float(e @ last.total @ e), rel=1e-12)
    assert history.arrays["eigenvalues"].shape == (3, problem.points)
    assert history.arrays["alignment"].sum(1) == pytest.approx(np.ones(3))


def test_the_error_is_that_of_u_not_of_h() -> None:
    ansatz = Ansatz(phi=lambda x: x[:, 0], g=lambda x: torch.ones_like(x[:, 0]))
    x = points(50, 1)
    problem = Problem([Block(identity(1), x, 0.0)], exact=lambda p: 1.0 + 0.0 * p[:, 0], ansatz=ansatz, test_points=x)
    net = TwoLayer(1, 6, "tanh")
    history = track(gradient_descent(net, problem, steps=0), [error_tracker(problem)], [0])
    expected = float((x[:, 0] * net(x).detach()).norm() / math.sqrt(50))
    assert history.columns["relative_l2"][0] == pytest.approx(expected, rel=1e-12)


def test_row_20_a_spectrum_that_cannot_be_had_is_null_and_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)

    def fail(*_: object) -> None:
        raise SpectrumError("did not converge")

    monkeypatch.setattr(spectrum, "_with_retry", fail)
    history = track(gradient_descent(net, problem, 0.5, 4), [KernelTracker(problem)], [0, 4])
    assert history.status is Status.MAX_STEPS
    assert np.isnan(history.columns["lambda_min"]).all()
    assert any("did not converge" in note for note in history.notes)


def test_a_history_needs_a_state() -> None:
    with pytest.raises(ValueError, match="expected at least the initial one"):
        track(iter(()), [], [0])


def test_eigenvalues_are_found_as_often_as_training_pays_for() -> None:
    tracked = tracked_steps(2000, 40)
    assert spectrum_steps(tracked, 50, 1024, 3, False) is None  # small kernels cost nothing
    few = spectrum_steps(tracked, 256, 2048, 3, True)
    assert few is not None and 5 <= len(few) < len(tracked) and {0, 2000} <= set(few) <= set(tracked)
    more = spectrum_steps(tracked, 256, 2048, 3, False)
    assert more is None or len(more) > len(few)
    assert spectrum_steps(tracked_steps(10, 6), 4096, 1024, 3, True) == [0, 1, 2, 6, 10]
    assert spectrum_steps([0], 4096, 1024, 3, True) == [0]


def test_between_spectra_the_rest_is_tracked_all_the_same() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)
    every, some = (
        track(gradient_descent(net, problem, steps=8), [KernelTracker(problem, spectra)], range(9))
        for spectra in (None, [0, 4])
    )
    found = [bool(v) for v in np.isfinite(some.columns["lambda_min"])]
    assert found == [k in (0, 4, 8) for k in range(9)]  # the last state has its spectrum, whatever was planned
    for name in ("drift", "quadratic", "dissipation", "drift_a", "quadratic_a"):
        np.testing.assert_allclose(some.columns[name], every.columns[name], rtol=1e-9, atol=1e-13)
    for name in ("lambda_min", "lambda_max_a", "effective_rank"):
        np.testing.assert_array_equal(some.columns[name][found], every.columns[name][found])
    np.testing.assert_array_equal(some.arrays["mode_losses"], every.arrays["mode_losses"])
