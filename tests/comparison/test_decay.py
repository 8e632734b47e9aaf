"""Fitted laws of decay give back the laws they are shown."""

import numpy as np
import pytest

from pinn_ntk.comparison import fit_exponential, fit_power_law

J = np.arange(1.0, 65.0)


@pytest.mark.parametrize(("power", "shift"), [(2.0, 1.5), (4.0, 0.5), (8.0, 2.4)])
def test_a_shifted_power_law_is_found(power, shift):
    values = np.where(shift < J, 3.0 * np.abs(J - shift) ** -power, 1.0)
    fitted = fit_power_law(values, 6, 32)
    assert fitted.slope.value == pytest.approx(-power, abs=1e-6)
    assert fitted.shift == pytest.approx(shift, abs=1e-6)


def test_without_the_shift_a_power_law_looks_too_steep():
    values = np.maximum(J - 2.0, 1.0) ** -4.0
    plain = np.polyfit(np.log(J[5:32]), np.log(values[5:32]), 1)[0]
    assert plain < -4.4
    assert fit_power_law(values, 6, 32).slope.value == pytest.approx(-4.0, abs=1e-6)


@pytest.mark.parametrize("q", [2 / 3, 1.0])
def test_a_stretched_exponential_is_found(q):
    fitted = fit_exponential(5.0 * J**1.7 * np.exp(-2.5 * J**q), q)
    assert fitted.rate == pytest.approx(2.5, rel=1e-6)
    assert fitted.power == pytest.approx(1.7, rel=1e-6)
    assert fitted.best == pytest.approx(q, abs=0.011)


def test_too_few_eigenvalues_give_no_law():
    assert np.isnan(fit_exponential([1.0, 0.1, 0.01], 1.0).rate)
    assert np.isnan(fit_power_law([1.0] * 8, 6, 8).slope.value)
    with pytest.raises(ValueError, match="first: got 2"):
        fit_power_law(J, 2, 32)
