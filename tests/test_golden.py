"""Every golden run once more: the same to the bit on the kind of machine that recorded, up to rounding on any other.

What is a golden run, what is required of it and when it may be recorded anew: the head of scripts/golden.py.
"""

import csv
import json
import runpy
import shutil
from pathlib import Path

import pytest

from pinn_ntk.reporting import compare_runs
from pinn_ntk.training import METHODS

ROOT = Path(__file__).parent.parent
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "golden.py"))
GOLDEN, RUNS = SCRIPT["GOLDEN"], SCRIPT["RUNS"]


@pytest.mark.parametrize("name", RUNS)
def test_a_golden_run_is_as_it_was(name: str) -> None:
    assert SCRIPT["faults"](SCRIPT["compared"](name), SCRIPT["same_kind"]()) == []


def test_every_run_has_a_record_and_every_record_a_run() -> None:
    assert {path.name for path in GOLDEN.iterdir() if path.is_dir()} == {*RUNS, "conf"}


def test_every_optimiser_has_a_golden_run() -> None:
    summaries = [json.loads(path.read_text(encoding="utf-8")) for path in GOLDEN.glob("*/summary.json")]
    assert {summary.get("optimizer") for summary in summaries} >= {*METHODS, "auto"}


def changed(place: Path, factor: float) -> Path:
    """A record with another last loss."""
    shutil.copytree(GOLDEN / "wave_nesterov", place / "changed")
    path = place / "changed" / "history.csv"
    table = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    table[-1]["loss"] = repr(float(table[0]["loss"]) * (factor - 1.0) + float(table[-1]["loss"]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return place / "changed"


@pytest.mark.parametrize(
    ("factor", "here", "elsewhere"), [(1.0, False, False), (1 + 1e-14, True, False), (1 + 1e-9, True, True)]
)
def test_a_change_is_a_fault_here_and_more_than_rounding_is_one_everywhere(
    factor: float, here: bool, elsewhere: bool, tmp_path: Path
) -> None:
    difference = compare_runs(GOLDEN / "wave_nesterov", changed(tmp_path, factor))
    assert bool(SCRIPT["faults"](difference, True)) is here
    assert bool(SCRIPT["faults"](difference, False)) is elsewhere


def test_what_was_recorded_and_is_missing_is_a_fault(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "wave_nesterov", tmp_path / "new")
    path = tmp_path / "new" / "summary.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    summary["theory"]["statements"].pop()
    path.write_text(json.dumps(summary), encoding="utf-8")
    lost, fresh = (
        compare_runs(GOLDEN / "wave_nesterov", tmp_path / "new"),
        compare_runs(tmp_path / "new", GOLDEN / "wave_nesterov"),
    )
    assert "recorded, and missing now" in "".join(SCRIPT["faults"](lost, False))
    assert SCRIPT["faults"](fresh, True) == []
