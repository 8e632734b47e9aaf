"""What made a run is in its record, and looking it up starts nothing."""

import subprocess
from pathlib import Path

import pytest
import torch

from pinn_ntk import PROBLEMS, Settings, TwoLayer, run, run_ensemble
from pinn_ntk.experiment import commit_of


def git(folder: Path, *words: str) -> None:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *own, "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One commit with one file."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "kept.py").write_text("x = 1\n", encoding="utf-8")
    git(folder, "add", "kept.py")
    git(folder, "commit", "-qm", "one")
    return folder


def test_a_commit_is_forty_digits_and_a_plus_for_changes(repository: Path) -> None:
    clean = commit_of(repository, "kept.py")
    assert clean is not None and len(clean) == 40 and int(clean, 16)
    (repository / "loose.py").write_text("", encoding="utf-8")  # what git does not follow is not the code of the commit
    commit_of.cache_clear()
    assert commit_of(repository) == clean
    (repository / "kept.py").write_text("x = 2\n", encoding="utf-8")
    commit_of.cache_clear()
    assert commit_of(repository) == f"{clean}+"


def test_an_environment_inside_a_repository_of_something_else_does_not_count(repository: Path) -> None:
    (repository / "site-packages").mkdir()
    (repository / "site-packages" / "__init__.py").write_text("", encoding="utf-8")
    assert commit_of(repository / "site-packages", "__init__.py") is None


def test_no_repository_and_no_git(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit_of(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    commit_of.cache_clear()
    assert commit_of(repository) is None


def test_a_program_that_a_repository_names_is_not_started(repository: Path) -> None:
    git(repository, "config", "core.fsmonitor", f"touch {repository.parent / 'owned'}; false")
    assert commit_of(repository) is not None
    assert not (repository.parent / "owned").exists()


def test_every_record_says_what_made_it() -> None:
    problem, network, settings = (
        PROBLEMS["poisson_1d"](points=4),
        TwoLayer(1, 8, "tanh"),
        Settings(steps=2, theory=False),
    )
    for record in (run(problem, network, settings), run_ensemble(problem, network, [3, 4], settings)):
        summary = record.summary()
        assert set(summary["commit"]) == {"pinn_ntk", "project"}
        assert summary["versions"]["torch"] == torch.__version__
        assert summary["machine"]["instructions"] and summary["machine"]["processor"] and summary["machine"]["system"]
        assert summary["threads"] == torch.get_num_threads()
        assert summary["config"]["settings"]["steps"] == 2
        assert "chunk" in summary and "seed" in summary
