"""Power laws: exact ones are found exactly, and the interval covers the true slope as often as it says."""

import math

import numpy as np
import pytest

from pinn_ntk.comparison import fit_slope


def test_an_exact_power_law_is_found_to_rounding() -> None:
    x = np.array([16.0, 64.0, 256.0, 1024.0])
    slope = fit_slope(x, 3.0 * x**-0.5)
    assert slope.value == pytest.approx(-0.5, abs=1e-12)
    assert math.exp(slope.intercept) == pytest.approx(3.0, rel=1e-12)
    assert slope.at(100.0) == pytest.approx(0.3, rel=1e-12)
    assert slope.high - slope.low < 1e-10
    assert slope.within(-0.5, 0.01)
    assert not slope.within(-0.4, 0.05)


def test_the_interval_covers_the_true_slope_in_95_percent_of_draws() -> None:
    rng, x = np.random.default_rng(0), np.repeat([8.0, 32.0, 128.0, 512.0], 5)
    fits = [fit_slope(x, x**-1.0 * np.exp(0.3 * rng.standard_normal(len(x)))) for _ in range(400)]
    covered = np.mean([f.low <= -1.0 <= f.high for f in fits])
    assert 0.92 <= covered <= 0.98


def test_what_has_no_logarithm_is_left_out_and_counted() -> None:
    slope = fit_slope([1.0, 2.0, 4.0, 8.0, 16.0], [1.0, 0.0, 4.0, math.nan, 16.0])
    assert slope.points == 3
    assert slope.value == pytest.approx(1.0)


def test_two_points_have_a_slope_and_no_interval_one_has_neither() -> None:
    two, one = fit_slope([1.0, 2.0], [1.0, 4.0]), fit_slope([2.0, 2.0], [1.0, 4.0])
    assert two.value == pytest.approx(2.0)
    assert math.isnan(two.low)
    assert math.isnan(one.value)
    assert str(two) == "2.00"


def test_wrong_lengths_and_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="one y for each x"):
        fit_slope([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="level"):
        fit_slope([1.0, 2.0], [1.0, 2.0], level=95)
