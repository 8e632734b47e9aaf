"""`optimizer=auto` and `reference=fem` by the command: what they leave behind, what travels,
and what they refuse before any compute.
"""

import importlib.util

import numpy as np
import pytest
import xarray
from test_evaluate import evaluated, points, table  # noqa: F401 - a fixture among them

from pinn_ntk.app import closing_table

AUTO = ("optimizer=auto", "problem=poisson_2d", "tracker.kernel=false")
PLATE = """\
kind: text
domain: {kind: difference, of: [{kind: box, low: [0, 0], high: [2, 1]}, {kind: ball, center: [1, 0.5], radius: 0.2}]}
operator: {A: [["1 + x*x/4", 0.1], [0.1, 1]], b: ["y", 0], c: -1}
exact: "exp(x/2)*sin(y)"
conditions:
  - {type: dirichlet, on: ["x=0", "x=2", circle]}
  - {type: neumann, on: "y=0"}
  - {type: robin, on: "y=1", alpha: "1 + x"}
"""
FLUXES = "kind: text\ndomain: {kind: box, low: [0, 0], high: [1, 1]}\noperator: {kind: laplacian}\n"
MINE = ("--config-dir", "my_conf", "problem=mine")


def test_the_run_says_what_was_chosen_and_how_right_it_is(pageless) -> None:
    outcome = pageless(*AUTO)
    assert outcome.code == 0, outcome.err
    summary = outcome.summary
    assert {"estimate", "reason", "activation", "scales", "extras", "residuals", "trials", "levels", "bound"} <= set(
        summary["solver"]
    )
    assert summary["solver"]["reason"] == "CONVERGED"
    assert summary["status"] == "CONVERGED"
    assert summary["solver"]["estimate"] <= 1e-13
    assert summary["error"]["relative_l2"] <= 1e-12
    assert summary["width"] >= 100
    assert summary["optimizer"] == "auto"
    for name in ("network.safetensors", "solution.nc", "history.csv", "arrays.nc"):
        assert (outcome.folder / name).is_file(), name
    solver = summary["solver"]
    assert f"± {solver['error']:.4g} (rms, in u's units)" in " ".join(outcome.out.split())
    assert solver["error"] == pytest.approx(0.5 * solver["estimate"], rel=0.1)  # the rms of sin πx sin πy
    assert "sin" in outcome.out


@pytest.mark.parametrize(("bound", "shown"), [(99.0, True), (101.0, False)])
def test_a_bound_far_above_the_estimate_is_not_in_the_table(pageless, bound: float, shown: bool) -> None:
    summary = pageless(*AUTO, "optimizer.tolerance=1e-6").summary
    summary["solver"] |= {"estimate": 1e-9, "bound_relative": 1e-9 * bound}
    assert ("error bound" in closing_table(summary)) is shown


def test_hard_problems_are_solved_as_they_are_posed_and_travel(pageless, evaluated, workplace) -> None:  # noqa: F811
    """poisson_2d is posed with an ansatz; the solver's answer has none,
    and the folder says so by giving back the same u.
    """
    folder = pageless(*AUTO).folder
    code, out, err = evaluated(
        folder, points(workplace, "x,y\n0.5,0.25\n0,0.3\n1,1\n"), "--gradient", "--residual", "--exact"
    )
    assert code == 0, err
    found = table(out)
    np.testing.assert_allclose(found["u"], found["exact"], atol=1e-12)
    assert np.abs(found["residual"]).max() < 1e-8
    with xarray.open_dataset(folder / "solution.nc", engine="h5netcdf") as stored:
        assert float(np.abs(stored["error"]).max()) < 1e-12


def test_a_problem_in_text_with_a_hole_and_mixed_conditions(pageless, mine, evaluated, workplace) -> None:  # noqa: F811
    mine(PLATE)
    outcome = pageless(*MINE, "optimizer=auto", "optimizer.tolerance=1e-8", "tracker.kernel=false")
    assert outcome.code == 0, outcome.err
    summary = outcome.summary
    assert summary["error"]["relative_l2"] <= 1e-7
    assert any("hole" in words for words in summary["solver"]["extras"])
    assert set(summary["solver"]["residuals"]) == {
        "interior",
        *(k for k in summary["solver"]["weights"] if k != "interior"),
    }
    code, out, err = evaluated(outcome.folder, points(workplace, "x,y\n0.25,0.75\n1.5,0.5\n"), "--exact")
    assert code == 0, err
    np.testing.assert_allclose(table(out)["u"], table(out)["exact"], rtol=1e-6)


def test_what_the_conditions_leave_open_is_told(pageless, mine) -> None:
    mine(FLUXES + 'exact: "cos(pi*x)"\nconditions: [{type: neumann}]\n')
    outcome = pageless(*MINE, "optimizer=auto", "tracker.kernel=false")
    assert outcome.code == 0, outcome.err
    assert "mean zero" in outcome.err + outcome.out
    assert any("mean zero" in words for words in outcome.summary["warnings"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("optimizer.steps=5",), "steps"),
        (("optimizer.tolerance=0",), "optimizer.tolerance"),
        (("optimizer.seconds=-1",), "optimizer.seconds"),
        (("optimizer.seconds=nan",), "optimizer.seconds"),
        (("optimizer.activations=[relu]",), "relu"),
        (("optimizer.activations=[sinus]",), "sinus"),
        (("optimizer.activations=[]",), "activations"),
        (("optimizer.activations=sin",), "activations"),
        (("optimizer.widest=0",), "widest"),
        (("optimizer.extra=maybe",), "optimizer.extra"),
        (("dtype=float32",), "optimizer=auto works in float64"),
        (("device=cuda",), "solves on the CPU"),
        (("ensemble.seeds=3",), "sweep over seeds with -m seed=0,1,2"),
    ],
)
def test_what_it_cannot_do_is_refused(refused, words: tuple[str, ...], expected: str) -> None:
    assert expected in refused(*AUTO, *words)


def test_contradicting_fluxes_are_refused(refused, mine) -> None:
    mine(FLUXES + 'source: "1"\nconditions: [{type: neumann, value: "0"}]\n')
    assert "∫" in refused(*MINE, "optimizer=auto")


def test_what_is_ill_posed_is_refused_once_and_trained_with_a_warning(refused, pageless, mine) -> None:
    given = "conditions: [{type: dirichlet, value: 0}, {type: initial, value: x*(1-x)}]\n"
    backwards = FLUXES.replace("kind: laplacian", "A: [[1, 0], [0, 0]], b: [0, 1]")
    mine(f"{backwards}time: true\nsource: 0\npoints: 9\n{given}")
    for words in (("optimizer=auto",), ("optimizer=auto", "strict=true"), ("strict=true",)):
        assert refused(*MINE, *words).count("problem: backward heat: u depends on the data without bound") == 1
    outcome = pageless(*MINE, "network.width=12", "optimizer.steps=6", "theory=none")
    assert outcome.code == 0, outcome.err
    assert any("backward heat" in words for words in outcome.summary["warnings"])


@pytest.mark.skipif(importlib.util.find_spec("skfem") is None, reason="scikit-fem is not installed")
def test_finite_elements_beside_a_run(pageless) -> None:
    outcome = pageless(*AUTO, "reference=fem", "reference.degrees=2000")
    assert outcome.code == 0, outcome.err
    found = outcome.summary["reference"]
    assert found["difference"] < 1e-4
    assert found["degrees"] > 1000
    assert "finite elements" in outcome.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("problem=heat_1d", "problem.dim=4"), "dim"),
        (("reference.degrees=0",), "reference.degrees"),
        (("reference.degrees=many",), "reference.degrees"),
        (("reference=fdm",), "reference"),
        (("ensemble.seeds=2",), "compares one run"),
    ],
)
def test_what_finite_elements_cannot_do_is_refused(refused, words: tuple[str, ...], expected: str) -> None:
    chosen = () if any(w.startswith("reference=") for w in words) else ("reference=fem",)
    assert expected in refused("problem=poisson_2d", *chosen, *words)


def test_a_missing_package_is_named(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, package=None: None if name == "skfem" else find(name, package)
    )
    assert "pip install 'pinn_ntk[fem]'" in refused("problem=poisson_2d", "reference=fem")
