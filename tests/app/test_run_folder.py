"""A run's folder: what is in it, who may write it, and what its path may look like."""

import errno
import json
import logging
import os
import re
from pathlib import Path

import pytest
import yaml

from pinn_ntk.app import LOCK, Exit, FolderError, default_folder, guarded, run_folder
from pinn_ntk.reporting import Outcome

TEXT = 'kind: text\nname: {name}\ndim: 1\noperator: {{kind: laplacian}}\nexact: "sin(3*x)"\npoints: 5\ntest_points: 9\n'


def test_a_run_leaves_its_folder_and_prints_the_reports_path_last(ran, workplace: Path) -> None:
    outcome = ran("seed=3")
    assert outcome.code == 0
    folder = outcome.folder
    assert folder.parent == workplace / "outputs" / "poisson_1d"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}", folder.name)
    written = {
        "report.html",
        "summary.json",
        "history.csv",
        "arrays.nc",
        "network.safetensors",
        "solution.nc",
        "checkpoints",
    }
    assert {p.name for p in folder.iterdir()} == written | {".hydra", "run.log"}
    config = yaml.safe_load((folder / ".hydra" / "config.yaml").read_text(encoding="utf-8"))
    assert (config["seed"], config["problem"]["kind"], config["network"]["width"]) == (3, "poisson_1d", 12)
    assert "seed=3" in yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load((folder / ".hydra" / "hydra.yaml").read_text(encoding="utf-8"))["hydra"]["mode"] == "RUN"
    assert "MAX_STEPS" in (folder / "run.log").read_text(encoding="utf-8")
    assert (outcome.summary["status"], outcome.summary["seed"]) == ("MAX_STEPS", 3)
    assert all(len(line) <= 80 for line in outcome.out.splitlines()[:-1])
    assert "loss" in outcome.out


def test_a_command_sums_its_run_up_once(ran, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, summed = [], Outcome.summary
    monkeypatch.setattr(Outcome, "summary", lambda self: calls.append(self) or summed(self))
    assert ran().code == 0
    assert len(calls) == 1


def test_quick_runs_do_not_meet() -> None:
    assert len({default_folder("p") for _ in range(50)}) > 1
    assert default_folder("a/b: c").parts[:2] == ("outputs", "a_b_c")
    assert default_folder("../..").parts[:2] == ("outputs", "problem")


def test_the_same_words_give_the_same_numbers(ran) -> None:
    first, second = ran("output=a").summary, ran("output=b").summary
    assert first["loss"] == second["loss"]
    assert first["error"] == second["error"]


def test_a_folder_named_twice_loses_nothing(ran, workplace: Path) -> None:
    first = ran("output=again", "seed=1").summary
    second = ran("output=again", "seed=2").summary
    (earlier,) = (workplace / "again" / "earlier").iterdir()
    assert json.loads((earlier / "summary.json").read_text(encoding="utf-8")) == first
    assert {"report.html", "history.csv", "arrays.nc", "network.safetensors", "solution.nc", ".hydra", "run.log"} <= {
        p.name for p in earlier.iterdir()
    }
    assert second["seed"] == 2
    assert "seed=1" not in (workplace / "again" / "run.log").read_text(encoding="utf-8")


def test_row_34_a_folder_that_cannot_be_made_is_4_and_a_file_in_its_place_2(ran, workplace: Path) -> None:
    assert ran("output=/proc/here").code == 4
    (workplace / "file").write_text("precious", encoding="utf-8")
    outcome = ran("output=file")
    assert outcome.code == 2
    assert "output: got 'file'" in outcome.err
    assert (workplace / "file").read_text(encoding="utf-8") == "precious"


def test_row_34_a_full_disk_is_4(capsys) -> None:
    def write() -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert guarded(write) == Exit.RESOURCES
    assert "No space left" in capsys.readouterr().err


def test_row_35_a_folder_in_use_is_refused_and_left_alone(ran, workplace: Path) -> None:
    with run_folder(workplace / "shared", chdir=False):
        outcome = ran("output=shared")
        assert outcome.code == 2
        assert f"alive (process {os.getpid()})" in outcome.err
        assert {p.name for p in (workplace / "shared").iterdir()} == {LOCK, "run.log"}
    assert not (workplace / "shared" / LOCK).exists()


def test_row_35_a_dead_runs_lock_is_taken_over(ran, workplace: Path) -> None:
    (workplace / "shared").mkdir()
    (workplace / "shared" / LOCK).write_text("999999999\n", encoding="utf-8")
    assert ran("output=shared").code == 0
    assert not (workplace / "shared" / LOCK).exists()


@pytest.mark.parametrize("name", ["with spaces", "ünï-Δu", "it's", "a,b(c)=[d]", "deep/er"])
def test_row_36_output_paths(ran, workplace: Path, name: str) -> None:
    outcome = ran(f"output={name}")
    assert outcome.code == 0
    assert outcome.folder == workplace / name
    assert outcome.summary["status"] == "MAX_STEPS"


def test_row_36_a_symlink_and_a_job_that_changes_directory(ran, workplace: Path) -> None:
    (workplace / "real").mkdir()
    (workplace / "link").symlink_to("real")
    (workplace / "data.csv").write_text("x1,value\n0.0,1.0\n1.0,2.0\n", encoding="utf-8")
    outcome = ran(
        "output=link", "hydra.job.chdir=true", "problem=regression", "~problem.points", "problem.csv=data.csv"
    )
    assert outcome.code == 0, outcome.err
    assert (workplace / "real" / "summary.json").is_file()
    assert Path.cwd() == workplace


def test_a_folder_is_undone_but_for_its_files(workplace: Path) -> None:
    handlers = list(logging.getLogger("pinn_ntk").handlers)

    def fail_inside() -> None:
        with run_folder(workplace / "a", chdir=True) as path:
            assert Path.cwd() == path
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert Path.cwd() == workplace
    assert logging.getLogger("pinn_ntk").handlers == handlers


def test_a_path_that_is_too_long_is_bad_input_and_an_unwritable_one_is_not(workplace: Path) -> None:
    with pytest.raises(FolderError), run_folder(Path("/proc/self/x"), chdir=False):
        pass
    assert guarded(lambda: run_folder(Path("x" * 5000), chdir=False).__enter__() and 0) == Exit.BAD_INPUT
