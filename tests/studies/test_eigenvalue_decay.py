"""Spectra by the operator's order fall as theory says, and modes are learnt when theory says."""

import numpy as np
import pytest
import torch

from pinn_ntk.comparison import fit_exponential, fit_power_law
from pinn_ntk.studies import eigenvalue_decay, first_crossing, line_problem, run_study


def spectra(factory, **options):
    study = eigenvalue_decay(
        factory(), points=128, bias_activations=["tanh"], bias_points=4, steps=10, seeds=1, **options
    )
    cells = [cell for cell in study.cells if cell.parameters["what"] == "spectrum"]
    return {(c.parameters["order"], c.parameters["conditions"]): study.measure(c).arrays for c in cells}


def test_each_derivative_takes_two_powers_of_the_index_away(factory):
    for (order, _), arrays in spectra(factory, activations=["relu3"], conditions=["none"]).items():
        assert fit_power_law(arrays["total"], 6, 16).slope.value == pytest.approx(-2.0 * (3 - order), abs=0.2)
        assert fit_power_law(arrays["a"], 6, 16).slope.value == pytest.approx(-2.0 * (3 - order) - 2.0, abs=0.25)


def test_conditions_do_not_change_the_power(factory):
    found = spectra(factory, activations=["relu2"], conditions=["hard", "soft"])
    assert set(found) == {(0, "hard"), (0, "soft"), (1, "hard"), (1, "soft")}
    for (order, _), arrays in found.items():
        assert fit_power_law(arrays["total"], 6, 16).slope.value == pytest.approx(-2.0 * (2 - order), abs=0.2)


def test_the_exponential_decay_of_an_analytic_activation_is_that_of_every_order(factory):
    found = spectra(factory, activations=["gaussian"], conditions=["none"])
    fits = [
        fit_exponential(arrays["total"][arrays["total"] > 1e-22 * arrays["total"][0]], 1.0) for arrays in found.values()
    ]
    rates = [fit.rate for fit in fits]
    assert max(rates) - min(rates) < 0.06 * np.mean(rates)
    assert [fit.best for fit in fits] == pytest.approx([1.0] * 3, abs=0.05)
    assert fits[0].power < fits[1].power < fits[2].power


def test_modes_are_learnt_when_their_eigenvalues_say(factory, tmp_path):
    options = {
        "activations": ["gaussian"],
        "conditions": ["none"],
        "points": 64,
        "bias_activations": ["tanh"],
        "bias_points": 8,
    }
    finished = run_study(eigenvalue_decay(factory(), width=128, seeds=1, steps=400, **options), tmp_path)
    assert not finished.failed
    timed = [f for f in finished.summary["findings"] if "e-folding" in f["name"]]
    assert [f["verdict"] for f in timed] == ["holds"] * 3
    assert all(f["value"] == pytest.approx(1.0, abs=0.05) for f in timed)


def test_first_crossing_interpolates():
    x = np.array([0.0, 1.0, 3.0, 5.0])
    assert first_crossing(x, np.array([1.0, 0.8, 0.4, 0.1]), 0.5) == pytest.approx(2.5)
    assert first_crossing(x, np.array([1.0, 0.8, 0.6, 0.55]), 0.5) is None
    assert first_crossing(x, np.array([0.3, 0.8, 0.6, 0.55]), 0.5) is None


def test_hard_conditions_on_the_line_vanish_at_the_ends():
    hard, plain = (line_problem(2, conditions, 64) for conditions in ("hard", "none"))
    u = lambda x: torch.sin(3.0 * x[:, 0])  # noqa: E731
    bubble = lambda x: 4.0 * x[:, 0] * (1.0 - x[:, 0]) * u(x)  # noqa: E731
    assert torch.allclose(hard.blocks[0].operator.apply(u, hard.x), plain.blocks[0].operator.apply(bubble, plain.x))
