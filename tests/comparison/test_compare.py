"""Statements: each verdict arises where it should, on real runs and on histories made to break one claim at a time."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from pinn_ntk.comparison import Statement, compare, envelope, exit_time, forecast_losses, least_ratio, linearised_losses
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity
from pinn_ntk.problem import Block, Problem
from pinn_ntk.theory import Prediction, predict
from pinn_ntk.training import (
    History,
    KernelTracker,
    displacement_tracker,
    gradient_descent,
    loss_tracker,
    track,
    tracked_steps,
)


@dataclass(frozen=True)
class Run:
    prediction: Prediction | None
    history: History


def lecture_problem() -> Problem:
    """n = 2, x_i = e_i, ReLU: the set-up whose λ_S = ½ − 1/(2π)."""
    return Problem(
        [Block(identity(2), torch.eye(2, dtype=torch.float64), torch.tensor([0.8, -0.6], dtype=torch.float64))]
    )


@pytest.fixture(scope="module")
def run() -> Run:
    problem, net = lecture_problem(), TwoLayer(2, 4096, "relu", bias=False)
    steps = 60
    states = gradient_descent(net, problem, 0.2, steps)
    history = track(
        states, [loss_tracker(problem), displacement_tracker, KernelTracker(problem)], tracked_steps(steps, 12)
    )
    return Run(predict(problem, net), history)


def by_name(run: Run) -> dict[str, Statement]:
    return {s.name: s for s in compare(run)}


def altered(run: Run, **columns: float) -> Run:
    """The run with the last entry of some columns replaced."""
    new = {name: np.append(run.history.columns[name][:-1], value) for name, value in columns.items()}
    return replace(run, history=replace(run.history, columns={**run.history.columns, **new}))


def test_the_lecture_holds_on_its_own_example(run: Run) -> None:
    statements = by_name(run)
    assert run.prediction is not None
    assert run.prediction.lazy is not None
    assert run.prediction.lazy.lambda_s == pytest.approx(0.5 - 1 / (2 * math.pi), rel=1e-10)
    good = (
        "dissipation identity",
        "inequality (2)",
        "linear convergence",
        "λ_min at initialisation",
        "λ_min during training",
        "stopping time",
    )
    assert {name: statements[name].verdict for name in good} == dict.fromkeys(good, "holds")
    assert statements["linearised prediction"].verdict == "holds"
    lemmas = (
        "initial loss lemma",
        "outer weights stay",
        "inner weights stay",
        "initial outer weights",
        "initial inner weights",
    )
    assert {name: statements[name].verdict for name in lemmas} == dict.fromkeys(lemmas, "holds")
    width = statements["sufficient width"]
    assert width.verdict == "not_applicable"
    assert "sufficient width not met" in width.reason
    assert least_ratio(run.prediction.guarantee, 4096) == pytest.approx(4096 / 1.33e6, rel=0.01)


def test_row_23_a_width_below_the_theorem_is_reported_and_fails_nothing(run: Run) -> None:
    assert not any(s.verdict == "fails" for s in compare(run))


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("dissipation", 1e9, "dissipation identity"),
        ("quadratic_a", 1e9, "inequality (2)"),
        ("lambda_min_a", 0.01, "λ_min during training"),
        ("drift_a", 5.0, "stopping time"),
        ("loss", 1e9, "linearised prediction"),
        ("max_delta_a", 1e9, "outer weights stay"),
        ("max_delta_w", 1e9, "inner weights stay"),
    ],
)
def test_a_claim_that_is_broken_fails(run: Run, column: str, value: float, name: str) -> None:
    assert by_name(altered(run, **{column: value}))[name].verdict == "fails"


def test_a_loss_above_the_envelope_fails_linear_convergence(run: Run) -> None:
    losses = np.full_like(run.history.losses, run.history.losses[0])
    broken = replace(run, history=replace(run.history, losses=losses))
    assert by_name(broken)["linear convergence"].verdict == "fails"
    assert by_name(broken)["linear convergence of descent"].verdict == "fails"
    result = envelope(broken.prediction, broken.history)
    assert result is not None
    assert result.worst_log_ratio > 1.0


def test_a_loss_that_rises_is_the_fault_of_the_step(run: Run) -> None:
    """No flow's loss rises, nor that of descent with f < 1."""
    losses = run.history.losses.copy()
    losses[-1] = 10.0 * losses[0]
    statements = by_name(replace(run, history=replace(run.history, losses=losses)))
    for name in ("linear convergence", "linear convergence of descent", "stopping time", "outer weights stay"):
        assert statements[name].verdict == "not_applicable"
        assert "f = τβ/2 = 1" in statements[name].reason


def test_exit_time_lies_between_the_last_time_inside_the_ball_and_the_first_outside(run: Run) -> None:
    assert run.prediction is not None
    assert exit_time(run.prediction, run.history) is None
    left = altered(run, drift_a=5.0)
    assert exit_time(run.prediction, left.history) == tuple(run.history.columns["time"][-2:])
    assert "t* lies between" in by_name(left)["stopping time"].reason


def test_before_the_exit_only_earlier_steps_count(run: Run) -> None:
    """λ_min may do what it likes after t*."""
    assert by_name(altered(run, drift_a=5.0, lambda_min_a=0.01))["λ_min during training"].verdict == "holds"


def test_a_short_run_is_vacuous(run: Run) -> None:
    problem, net = lecture_problem(), TwoLayer(2, 512, "relu", bias=False)
    history = track(gradient_descent(net, problem, 0.01, 3), [loss_tracker(problem), KernelTracker(problem)], [0, 3])
    statement = by_name(Run(predict(problem, net), history))["linear convergence"]
    assert statement.verdict == "vacuous"
    assert "e-folds" in statement.reason


def test_displacements_below_rounding_make_the_drift_vacuous(run: Run) -> None:
    problem, net = lecture_problem(), TwoLayer(2, 64, "relu", bias=False)
    history = track(gradient_descent(net, problem, 1e-18, 3), [loss_tracker(problem), KernelTracker(problem)], [0, 3])
    assert by_name(Run(predict(problem, net), history))["stopping time"].verdict == "vacuous"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scaling": "ntk"}, "scaling is ntk"),
        ({"gamma": 1.5}, "0 < γ < 1"),
        ({"init": "centred"}, "initialisation is centred"),
        ({"activation": "tanh"}, "the activation is tanh"),
        ({"extra": (lambda x: x[:, 0],)}, "extra functions"),
    ],
)
def test_row_17_a_theorem_that_does_not_apply_says_why(options: dict, words: str) -> None:
    problem = lecture_problem()
    net = TwoLayer(**{"dim": 2, "width": 64, "activation": "relu", "bias": False, **options})
    history = track(gradient_descent(net, problem, 0.2, 2), [loss_tracker(problem), KernelTracker(problem)], [0, 2])
    statement = by_name(Run(predict(problem, net), history))["sufficient width"]
    assert statement.verdict == "not_applicable"
    assert words in statement.reason


def test_parallel_points_without_bias_have_no_rate() -> None:
    x = torch.tensor([[0.2, 0.2], [0.4, 0.4]], dtype=torch.float64)
    problem, net = Problem([Block(identity(2), x, 1.0)]), TwoLayer(2, 64, "relu", bias=False)
    prediction = predict(problem, net)
    assert prediction.lazy is not None
    assert prediction.lazy.lambda_s == 0.0
    assert "below the rounding floor" in prediction.verdict.reason


def test_without_prediction_what_needs_none_is_still_judged(run: Run) -> None:
    names = [s.name for s in compare(Run(None, run.history))]
    assert names == ["dissipation identity", "inequality (2)"]


def test_curves_have_one_value_per_tracked_step(run: Run) -> None:
    assert run.prediction is not None
    tracked = len(run.history.columns["step"])
    assert linearised_losses(run.prediction, run.history).shape == (tracked,)
    curves = forecast_losses(run.prediction, run.history)
    assert curves is not None
    assert curves[0].shape == (tracked,)
    assert curves[1].shape == (3, tracked)
    assert linearised_losses(run.prediction, run.history)[0] == pytest.approx(run.history.columns["loss"][0], rel=1e-12)


def test_the_forecast_is_the_mean_of_a_hundred_wide_networks() -> None:
    """E R_S(t) of the lazy limit against 100 seeds at N = 8192: the mean of the seeds to three standard errors,
    the band as promised.
    """
    problem, steps = lecture_problem(), 30
    nets = [TwoLayer(2, 8192, "relu", bias=False, seed=s) for s in range(100)]
    prediction = predict(problem, nets[0], draws=4000)
    tau = 0.3 * prediction.linear.step_limit
    table = np.array(
        [
            [s.loss for s in gradient_descent(problem=problem, network=net, step_size=tau, steps=steps, absolute=True)]
            for net in nets
        ]
    )
    assert prediction.lazy is not None
    k = torch.arange(steps + 1.0, dtype=torch.float64)
    forecast, law = prediction.lazy.forecast, Dynamics("descent", tau)
    expected, band = forecast.mean_under(law, k).numpy(), forecast.band_under(law, k).numpy()
    error, mean = table.std(0, ddof=1) / 10.0, table.mean(0)
    # beyond sampling: the kernel fluctuates by about N^(-1/2), which the lazy limit leaves out
    assert (np.abs(mean - expected) <= 3.5 * error + 0.02 * expected).all()
    assert ((mean > band[0]) & (mean < band[2])).all()
    inside = ((table >= band[0]) & (table <= band[2])).mean(0)
    assert (inside[:10] >= 0.82).all()  # 0.9 less 2.7 standard errors of a hundred seeds


def test_row_20_without_any_spectrum_nothing_is_said_of_eigenvalues(run: Run) -> None:
    columns = {**run.history.columns, "lambda_min_a": np.full_like(run.history.columns["lambda_min_a"], math.nan)}
    statements = by_name(replace(run, history=replace(run.history, columns=columns)))
    for name in ("λ_min at initialisation", "λ_min during training"):
        assert statements[name].verdict == "not_applicable"
        assert "eigensolver failed" in statements[name].reason
