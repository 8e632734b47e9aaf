"""Pictures of modes: times read off a table are those of exponentials,
and every kind of run has its section or a reason for none.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from pinn_ntk.comparison import linearised_mode_losses
from pinn_ntk.experiment import Settings, run
from pinn_ntk.networks import TwoLayer
from pinn_ntk.problem import poisson_1d
from pinn_ntk.reporting import Record, fall_times, mode_rates, mode_section

NAMES = [
    "1d",
    "no_theory",
    "flow",
    "heavy_ball",
    "zero_steps",
    "one_point_one_neuron",
    "float32",
    "diverged",
    "not_finite",
    "singular",
]


def test_fall_times_of_exponentials_are_exact_between_tracked_times() -> None:
    t, rates = np.geomspace(0.1, 100.0, 12), np.array([3.0, 0.5, 0.02, 1e-6])
    at = np.concatenate([[0.0], t])
    times = fall_times(np.exp(-2.0 * np.outer(at, rates)), at)
    assert times[:3] == pytest.approx(1.0 / rates[:3], rel=1e-12)
    assert math.isnan(times[3])


def test_a_mode_that_vanishes_or_grows_has_a_time_or_none() -> None:
    at = np.array([0.0, 1.0, 2.0])
    table = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, math.nan], [0.0, 4.0, 0.01]])
    times = fall_times(table, at)
    assert times[0] == 1.0
    assert math.isnan(times[1])
    assert times[2] == 2.0


def momentum(name: str = "heavy_ball") -> Record:
    settings = Settings(optimizer=name, steps=100, tracked=20, forecast_draws=20, options={"momentum": 0.8})
    return run(poisson_1d(points=6, test_points=20), TwoLayer(1, 2048, "tanh", seed=1), settings)


@pytest.mark.parametrize("name", ["heavy_ball", "nesterov"])
def test_measured_modes_of_a_wide_network_are_the_linearised_ones(name: str) -> None:
    record = momentum(name)
    measured = record.history.arrays["mode_losses"]
    assert measured.sum(1) == pytest.approx(record.history.columns["loss"], rel=1e-12)
    assert record.prediction is not None
    predicted = linearised_mode_losses(record.prediction, record.history)
    assert predicted is not None
    assert predicted[0] == pytest.approx(measured[0], rel=1e-6, abs=1e-12 * measured[0].max())
    assert np.abs(measured - predicted).max() < 2e-2 * measured[0].max()
    assert mode_rates(record)[:3] == pytest.approx(record.prediction.linear.eigenvalues[:3].numpy(), rel=1e-8)
    assert [p.name for p in mode_section(record).pictures] == ["mode_losses", "mode_times"]


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_run_has_a_section(name: str, record_of: Callable[[str], Record]) -> None:
    section = mode_section(record_of(name))
    assert section.lead
    assert all(p.svg.startswith(b"<?xml") and len(p.caption) > 20 for p in section.pictures)


def test_without_a_kernel_the_section_says_so(record_of: Callable[[str], Record]) -> None:
    section = mode_section(record_of("no_kernel"))
    assert not section.pictures
    assert "not tracked" in section.lead


def test_modes_are_fixed_at_the_start(record_of: Callable[[str], Record]) -> None:
    """The share along the initial eigenvectors, though the kernel's own eigenvectors move."""
    record = record_of("1d")
    vectors = torch.linalg.eigh(record.kernels["initial"].total).eigenvectors
    e = record.history.final.residual
    expected = (vectors.mT @ e).square() / (2 * record.problem.points)
    last = record.history.arrays["mode_losses"][-1]
    assert last[-2:] == pytest.approx(expected[-2:].numpy(), rel=1e-6)
