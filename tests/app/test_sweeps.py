"""A sweep is one document: its jobs in folders named by their configuration, finished ones kept, slopes fitted."""

import csv
import json
from pathlib import Path

import pytest
from modules import module_of

from pinn_ntk.app import Job

job = module_of(Job)

SWEEP = ("-m", "name=widths", "network.width=8,16,32", "seed=0,1", "report=quiet")


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "table.csv").read_text(encoding="utf-8").splitlines()))


def test_a_sweep_leaves_a_table_pictures_and_a_report(ran, workplace: Path) -> None:
    outcome = ran(*SWEEP)
    folder = workplace / "sweeps" / "widths"
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-2:] == ["6 of 6 jobs done", str(folder / "report.html")]
    rows = list(csv.DictReader((folder / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert [(r["network.width"], r["seed"]) for r in rows] == [(w, s) for w in ("8", "16", "32") for s in ("0", "1")]
    assert all(float(r["loss_final"]) > 0 for r in rows)
    assert (folder / "figures" / "loss_final_against_network_width.svg").exists()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Slopes" in page
    assert "network.width" in page
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["varied"] == ["network.width", "seed"]


def test_the_same_command_again_runs_only_what_is_missing(ran, workplace: Path) -> None:
    ran(*SWEEP[:2], "network.width=8,16", *SWEEP[4:])
    before = {p: p.stat().st_mtime_ns for p in (workplace / "sweeps" / "widths").glob("*/summary.json")}
    outcome = ran(*SWEEP[:2], "network.width=8,16,32", *SWEEP[4:])
    after = {p: p.stat().st_mtime_ns for p in (workplace / "sweeps" / "widths").glob("*/summary.json")}
    assert outcome.out.count("done before") == len(before) == 2
    assert len(after) == 3
    assert all(after[p] == moment for p, moment in before.items())
    assert "3 of 3 jobs done" in outcome.out


def test_what_the_numbers_do_not_depend_on_makes_no_new_job(ran, workplace: Path) -> None:
    ran("-m", "name=a", "seed=0,1", "report=quiet")
    outcome = ran("-m", "name=a", "seed=0,1", "report=quiet", "device=cpu", "report.bar=false", "checkpoint=5")
    assert outcome.out.count("done before") == 2
    assert "0 of" not in outcome.out


def test_failed_jobs_are_rows_of_the_table(ran, workplace: Path) -> None:
    outcome = ran("-m", "name=a", "network.width=8,-1", "report=quiet")
    assert outcome.code == 1
    rows = list(csv.DictReader((workplace / "sweeps" / "a" / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert [r["status"] for r in rows] == ["MAX_STEPS", "FAILED, exit 2"]
    assert "network.width=-1" in rows[1]["job"]
    assert "network.width: got -1, expected" in rows[1]["reason"]


def test_a_run_that_diverged_is_one_row_and_one_that_was_never_reached_none(ran, workplace: Path, monkeypatch) -> None:
    """A partial sweep is told as it is, and the same command completes it."""
    words = (
        "-m",
        "name=a",
        "optimizer.step_size=0.5,50",
        "optimizer.steps=400",
        "optimizer.divergence=10",
        "report=quiet",
    )
    assert ran(*words).code == 1
    assert [r["status"] for r in table(workplace / "sweeps" / "a")] == ["MAX_STEPS", "DIVERGED"]
    with monkeypatch.context() as patched:
        reached = []

        def stopped(*_: object, **__: object) -> int:
            reached.append(1)
            if len(reached) == 2:
                raise KeyboardInterrupt
            return performed(*_, **__)

        performed = job._perform
        patched.setattr(job, "_perform", stopped)
        assert ran("-m", "name=b", "seed=0,1,2", "report=quiet").code == 130
    assert len(table(workplace / "sweeps" / "b")) == 1
    outcome = ran("-m", "name=b", "seed=0,1,2", "report=quiet")
    assert outcome.out.count("done before") == 1
    assert [r["seed"] for r in table(workplace / "sweeps" / "b")] == ["0", "1", "2"]


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden"])
def test_a_name_is_the_name_of_a_folder(ran, name: str) -> None:
    outcome = ran("-m", f"name='{name}'", "seed=0,1")
    assert outcome.code == 2
    assert "name: got" in outcome.err
