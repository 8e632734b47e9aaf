"""The lazy limit beside runs of every law: momentum follows its own closed form, and what has none is not judged."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from pinn_ntk.comparison import (
    Statement,
    compare,
    envelope,
    forecast_losses,
    linearised_losses,
    linearised_mode_losses,
    step_times,
)
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity
from pinn_ntk.problem import Block, Problem
from pinn_ntk.theory import FLOW, Prediction, predict
from pinn_ntk.training import (
    History,
    KernelTracker,
    displacement_tracker,
    gradient_descent,
    loss_tracker,
    track,
    tracked_steps,
)

FLOW_ONLY = ("linear convergence", "λ_min during training", "stopping time", "outer weights stay", "inner weights stay")


@dataclass(frozen=True)
class Run:
    prediction: Prediction | None
    history: History


def run_with(momentum: float, nesterov: bool) -> Run:
    problem = Problem(
        [Block(identity(2), torch.eye(2, dtype=torch.float64), torch.tensor([0.8, -0.6], dtype=torch.float64))]
    )
    net, steps = TwoLayer(2, 4096, "relu", bias=False), 60
    states = gradient_descent(net, problem, 0.2, steps, momentum=momentum, nesterov=nesterov)
    history = track(
        states, [loss_tracker(problem), displacement_tracker, KernelTracker(problem)], tracked_steps(steps, 12)
    )
    return Run(predict(problem, net), history)


@pytest.fixture(scope="module", params=[(0.8, False), (0.8, True)], ids=["heavy_ball", "nesterov"])
def run(request: pytest.FixtureRequest) -> Run:
    return run_with(*request.param)


def by_name(run: Run) -> dict[str, Statement]:
    return {s.name: s for s in compare(run)}


def test_momentum_follows_its_own_linearisation(run: Run) -> None:
    statements = by_name(run)
    assert statements["linearised prediction"].verdict == "holds"
    assert statements["linearised prediction"].measured == pytest.approx(1.0, abs=0.2)
    plain = replace(run.history, dynamics=Dynamics("descent", run.history.step_size))
    assert by_name(replace(run, history=plain))["linearised prediction"].verdict == "fails"


def test_the_forecast_knows_momentum(run: Run) -> None:
    assert run.prediction is not None
    mean, band = forecast_losses(run.prediction, run.history)  # type: ignore[misc]
    assert band.shape == (3, *mean.shape)
    forecast = run.prediction.lazy.forecast  # type: ignore[union-attr]
    k = torch.from_numpy(run.history.columns["step"])
    assert mean == pytest.approx(forecast.mean_under(run.history.dynamics, k).numpy(), rel=1e-12)
    assert mean[0] == pytest.approx(float(forecast.mean_under(FLOW, 0.0)), rel=1e-12)


def test_theorems_about_the_flow_are_not_asked_of_momentum(run: Run) -> None:
    assert run.prediction is not None
    statements = by_name(run)
    for name in FLOW_ONLY:
        assert statements[name].verdict == "not_applicable"
        assert "about gradient flow" in statements[name].reason
    for name in FLOW_ONLY[1:]:
        assert statements[name].measured is not None  # without a verdict, not without a number
    assert "descent with one step" in statements["linear convergence of descent"].reason
    assert envelope(run.prediction, run.history) is None
    for name in (
        "dissipation identity",
        "inequality (2)",
        "λ_min at initialisation",
        "initial outer weights",
    ):
        assert statements[name].verdict == "holds", name


def test_modes_add_up_to_the_linearised_loss(run: Run) -> None:
    assert run.prediction is not None
    modes, losses = (f(run.prediction, run.history) for f in (linearised_mode_losses, linearised_losses))
    assert modes is not None and losses is not None
    assert modes.sum(1) == pytest.approx(losses, rel=1e-12)
    assert modes[0] == pytest.approx(run.history.arrays["mode_losses"][0], rel=1e-9)


def test_without_a_closed_form_nothing_is_judged_by_one(run: Run) -> None:
    assert run.prediction is not None
    other = replace(run, history=replace(run.history, dynamics=Dynamics("other")))
    assert linearised_losses(run.prediction, other.history) is None
    assert linearised_mode_losses(run.prediction, other.history) is None
    assert forecast_losses(run.prediction, other.history) is None
    statements = by_name(other)
    for name in ("linearised prediction", "forecast before training"):
        assert statements[name].verdict == "not_applicable"
        assert "no closed form" in statements[name].reason
    for name in FLOW_ONLY:
        assert statements[name].verdict == "not_applicable"


def test_a_step_without_a_size_still_has_its_place_in_time() -> None:
    history = replace(run_with(0.5, False).history, dynamics=Dynamics("other"))
    assert step_times(history).shape == np.shape(history.losses)
