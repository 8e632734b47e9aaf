"""`pinn-ntk` with a study: its options are keys, its cells vary the configuration, its document is printed last."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pinn_ntk.studies import STUDIES, Cell, Document, Factory, Measured, Results, Study


def counting(factory: Factory, *, widths: Sequence[int] = (3, 5), seeds: int = 2, problem: str = "poisson_1d") -> Study:
    """Parameters of networks over widths, on another problem than the base one."""
    if not widths:
        raise ValueError(f"widths: got {widths!r}, expected at least one")

    def measure(cell: Cell) -> Measured:
        experiment = factory(
            {"network.width": cell.parameters["width"], "problem": problem, "problem.points": 6, "seed": 4}
        )
        return Measured(
            [
                {
                    "parameters": experiment.network.parameter_count,
                    "name": experiment.problem.name,
                    "seed": experiment.network.seed,
                }
            ]
        )

    def document(results: Results) -> Document:
        return Document((), ())

    return Study(
        "counting",
        "Counting",
        "How many?",
        tuple(Cell({"width": w, "seeds": seeds}) for w in widths),
        measure,
        document,
    )


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STUDIES, "counting", counting)


def rows(folder: Path) -> list[dict[str, object]]:
    found = [json.loads(p.read_text(encoding="utf-8"))["rows"][0] for p in (folder / "cells").glob("*/rows.json")]
    return sorted(found, key=lambda row: row["parameters"])


def test_a_study_varies_the_configuration_of_the_command(ran, workplace: Path) -> None:
    outcome = ran("study.kind=counting", "study.widths=[2,7]", "study.problem=heat_1d")
    assert outcome.code == 0, outcome.err
    assert outcome.report == workplace / "sweeps" / "counting" / "report.html"
    assert [(r["parameters"], r["name"], r["seed"]) for r in rows(outcome.folder)] == [
        (2 * 4, "heat_1d", 4),
        (7 * 4, "heat_1d", 4),
    ]
    assert json.loads((outcome.folder / "summary.json").read_text(encoding="utf-8"))["status"] == "DONE"
    assert all(len(line) <= 80 for line in outcome.out.splitlines()[:-1])


def test_the_same_command_again_keeps_the_cells(ran, workplace: Path) -> None:
    ran("study.kind=counting", "output=here")
    outcome = ran("study.kind=counting", "study.widths=[3,5,9]", "output=here", "device=cpu")
    assert outcome.err.count(" kept in ") == 2
    assert outcome.err.count(" measured in ") == 1


def test_wrong_options_are_named_before_any_compute(refused) -> None:
    assert "study.seeds: got 'x', expected a whole number" in refused("study.kind=counting", "study.seeds=x")
    assert "study.width: no such key; did you mean study.widths?" in refused("study.kind=counting", "study.width=3")
    assert "study.widths: got []" in refused("study.kind=counting", "study.widths=[]")
    assert "study.kind: got 'count'" in refused("study.kind=count")


def test_cells_that_all_fail_are_a_numerical_stop_with_a_report(ran, workplace: Path) -> None:
    outcome = ran("study.kind=counting", "study.problem=nothing_like_it")
    assert outcome.code == 3
    assert "got 'nothing_like_it', expected one of" in outcome.err
    assert (workplace / "sweeps" / "counting" / "report.html").exists()


def test_a_study_says_that_it_tells_no_logger(ran) -> None:
    outcome = ran("study.kind=counting", "logger=tensorboard")
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("logger: a study keeps tables and pictures of its own") == 1
