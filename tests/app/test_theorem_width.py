"""The theorem at its own width, by the command: every statement about it holds or is named vacuous."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from modules import module_of

import pinn_ntk
from pinn_ntk.reporting import Record

record = module_of(Record)

THEOREM = (
    "linear convergence",
    "λ_min at initialisation",
    "λ_min during training",
    "stopping time",
    "initial loss lemma",
    "outer weights stay",
    "inner weights stay",
    "initial outer weights",
    "initial inner weights",
    "sufficient width",
)


@pytest.fixture
def summary(command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    def page(_: object, __: object, folder: Path) -> Path:
        (folder / "report.html").write_text("a page", encoding="utf-8")
        return folder / "report.html"

    monkeypatch.setattr(record, "write_report", page)

    def call(*words: str) -> dict[str, Any]:
        outcome = command(*words)
        assert outcome.code == 0, outcome.err
        return outcome.summary

    return call


def check(summary: dict[str, Any], vacuous: tuple[str, ...] = ()) -> dict[str, Any]:
    theory = summary["theory"]
    assert theory["applicable"]
    assert theory["bound_holds"] is True
    assert theory["exit_time"] is None
    assert theory["worst_ratio"] < 1.0
    assert summary["width"] >= max(theory["width_terms"])
    statements = {s["name"]: s for s in theory["statements"]}
    assert {name: statements[name]["verdict"] for name in THEOREM} == {
        n: "vacuous" if n in vacuous else "holds" for n in THEOREM
    }
    assert all(s["verdict"] != "fails" for s in statements.values())
    return statements


def test_one_point_at_its_own_width(summary) -> None:
    result = summary("experiment=theorem_width_1")
    assert result["width"] >= 14_284
    statements = check(result)
    over_time = (
        "linear convergence",
        "λ_min during training",
        "stopping time",
        "outer weights stay",
        "inner weights stay",
    )
    for name in over_time:
        assert statements[name]["e_folds"] > 20.0
    assert statements["sufficient width"]["e_folds"] is None
    assert 2.0 <= result["theory"]["rate_measured"] / result["theory"]["rate"] <= 2.3
    assert result["displacement"]["max_delta_a"] < statements["outer weights stay"]["predicted"]


@pytest.mark.slow
def test_two_unit_vectors_at_their_own_width(summary) -> None:
    result = summary("experiment=theorem_width")
    assert result["width"] == 1_331_989
    check(result)
    assert 2.0 <= result["theory"]["rate_measured"] / result["theory"]["rate"] <= 2.3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", ["theorem_width", "theorem_width_bias"])
def test_no_seed_of_the_theorem_fails_a_statement(summary, name: str, seed: int) -> None:
    """At its width, with whatever seed: what is random holds at its stated rate, 1 − δ at least, and here always."""
    statements = check(summary(f"experiment={name}", f"seed={seed}"))
    assert statements["forecast before training"]["verdict"] == "not_applicable"
    assert 0.0 <= statements["forecast before training"]["measured"] <= 1.0
    assert statements["linear convergence of descent"]["verdict"] == "holds"


@pytest.mark.slow
def test_a_pde_at_its_own_width_whose_kernel_moves_by_less_than_rounding(summary) -> None:
    result = summary("experiment=theorem_width_pde")
    assert result["width"] == 946_177
    check(result, vacuous=("stopping time", "λ_min during training", "inner weights stay"))
    assert (
        0.0 < result["displacement"]["max_delta_w"] < 1e-18
    )  # stored apart: beside weights of order one it would be rounded away


def test_every_experiment_at_the_theorems_width_is_documented() -> None:
    found = list((Path(pinn_ntk.__file__).parents[1] / "conf" / "experiment").glob("theorem_width*.yaml"))
    assert len(found) == 5
    assert all("width: sufficient" in p.read_text(encoding="utf-8") for p in found)


def test_a_width_that_cannot_be_had_is_bad_input(refused) -> None:
    words = ("problem=points", "activation=relu", "network.width=sufficient")
    message = refused(*words, "problem.points=[1/11, 2/11, 3/11, 4/11, 5/11, 6/11, 7/11, 8/11, 9/11, 10/11]")
    assert re.search(r"network\.width: the theorem asks for N = 1\.97e\+18", message)
    assert "no theorem applies" in refused("problem=points", "network.width=sufficient")
    assert "expected a whole number, at least 1 or one of sufficient" in refused("network.width=enough")


def test_delta_decides_the_width(summary) -> None:
    small = ("experiment=theorem_width_1", "optimizer.steps=1", "tracker.count=2", "theory.forecast_draws=4")
    wide, narrow = (summary(*small, f"theory.delta={delta}")["width"] for delta in (0.01, 0.5))
    assert wide > narrow
    assert json.dumps(wide).isdigit()
