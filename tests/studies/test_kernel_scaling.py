"""The study of the kernel against width, at small sizes: slopes −½ and −1, targets of the size of outputs."""

import pytest
import torch

from pinn_ntk.networks import TwoLayer
from pinn_ntk.problem import PROBLEMS
from pinn_ntk.studies import ELEVEN, Results, kernel_scaling, limit_kernel, medians, of_size, run_study, slope_of

SMALL = {
    "problems": ["transport_1d"],
    "widths": [16, 64, 256],
    "sum_widths": [16, 64, 256],
    "points": 5,
    "seeds": 20,
    "steps": 20,
}


def test_eleven_distinct_equations():
    assert len(set(ELEVEN)) == 11
    assert {PROBLEMS[name](points=4).order for name in ELEVEN} == {1, 2}


def test_the_kernel_converges_like_the_root_and_drifts_like_the_inverse_of_the_width(factory, tmp_path):
    study = kernel_scaling(factory(), **SMALL)
    finished = run_study(study, tmp_path)
    assert not finished.failed
    by_name = {f["name"]: f for f in finished.summary["findings"]}
    assert -0.65 < by_name["uniform: slope of initial error"]["value"] < -0.35
    assert -0.7 < by_name["lecture: slope of initial error"]["value"] < -0.3
    assert -1.3 < by_name["uniform: slope of drift"]["value"] < -0.7
    assert -2.4 < by_name["sum: slope of drift"]["value"] < -1.6
    assert "uniform: median drift at N = 256" in by_name
    assert by_name["sum: slope of max |Δa| over (log N)^{1}"]["verdict"] in ("holds", "fails")


@pytest.mark.parametrize(("init", "gamma"), [("lecture", 1.0), ("lecture", 0.3), ("uniform", 0.7)])
def test_the_target_is_as_large_as_the_first_output(init, gamma):
    """‖f‖² = E‖𝓛h(X;θ⁰)‖²: the mean over seeds agrees within three standard errors."""
    network = TwoLayer(2, 50, "tanh", gamma=gamma, init=init, scaling="ntk")
    plain = PROBLEMS["heat_1d"](points=6)
    problem = of_size(plain, limit_kernel(network, plain).a)
    assert torch.allclose(problem.target / problem.target[0], plain.target / plain.target[0])
    still = of_size(plain, limit_kernel(network, plain).a * 1e-300)  # so that e₀ is the output
    outputs = [TwoLayer(2, 50, "tanh", gamma=gamma, init=init, scaling="ntk", seed=s) for s in range(200)]
    squares = torch.stack([still.residual(net).square().sum() for net in outputs])
    error = float(squares.std() / len(squares) ** 0.5)
    assert abs(float(squares.mean() - problem.target.square().sum())) < 3.0 * error


def test_wide_networks_are_trained_for_a_few_seeds_only(factory):
    study = kernel_scaling(
        factory(), problems=["heat_1d"], widths=[5000], sum_widths=[4], points=3, seeds=4, wide_seeds=2, steps=2
    )
    wide = study.cells[0]
    assert wide.parameters["width"] == 5000
    rows = study.measure(wide).rows
    assert [("drift" in row) for row in rows] == [True, True, False, False]
    assert all(row["kernel_error"] < 0.3 for row in rows)
    assert "trained" not in study.cells[-1].parameters


def test_medians_and_slopes_of_an_exact_law():
    rows = [{"width": n, "y": factor * n**-1.5, "z": None} for n in (10, 100, 1000) for factor in (0.5, 1.0, 2.0)]
    results = Results(rows, [])
    widths, quartiles = medians(results, "y", {})
    assert widths == [10, 100, 1000]
    assert quartiles[1] == pytest.approx([10**-1.5, 1e-3, 1000**-1.5])
    assert slope_of(results, "y", {}).value == pytest.approx(-1.5)
    assert slope_of(results, "y", {}, widest=2).points == 6
    assert medians(results, "z", {})[0] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": []}, "widths: got"),
        ({"seeds": 0}, "seeds: got 0"),
        ({"problems": ["heat"]}, "problems: got"),
        ({"step_size": -1.0}, "step_size: got"),
        ({"fit_widths": 2}, "fit_widths: got 2"),
    ],
)
def test_mistakes_are_named(factory, options, words):
    with pytest.raises(ValueError, match=words):
        kernel_scaling(factory(), **options)
