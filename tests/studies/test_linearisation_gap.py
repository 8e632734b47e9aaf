"""The study of network against linearisation, at small sizes: steeper where theory says so,
kinks only where they are allowed.
"""

import pytest

from pinn_ntk.studies import SCALINGS, linearisation_gap, run_study


def test_the_gap_closes_faster_with_small_outer_weights(factory, tmp_path):
    options = {
        "problems": ["regression"],
        "activations": ["tanh"],
        "widths": [32, 128, 512],
        "seeds": 6,
        "points": 8,
        "steps": 20,
    }
    finished = run_study(linearisation_gap(factory(), **options), tmp_path)
    assert not finished.failed
    slopes = {f["name"]: f["value"] for f in finished.summary["findings"] if "slope" in f["name"]}
    ntk, one, root, inverse = (next(v for k, v in slopes.items() if SCALINGS[s][0] + ":" in k) for s in SCALINGS)
    assert -1.4 < ntk < -0.6
    assert -1.4 < one < -0.6
    assert root < -1.6
    assert inverse < -1.6
    assert (tmp_path / "figures" / "solution_gap_regression_tanh.svg").exists()


def test_a_kink_is_left_out_under_a_second_order_operator(factory):
    study = linearisation_gap(factory(), problems=["regression", "poisson_1d"], widths=[8])
    pairs = {(c.parameters["problem"], c.parameters["activation"]) for c in study.cells}
    assert pairs == {("regression", "tanh"), ("regression", "relu"), ("poisson_1d", "tanh")}


def test_mistakes_are_named(factory):
    with pytest.raises(ValueError, match=r"activations: got \['swish'\]"):
        linearisation_gap(factory(), activations=["swish"])
