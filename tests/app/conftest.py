"""The command in-process: in an empty folder, with what it said and left behind."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from modules import module_of

from pinn_ntk.app import main
from pinn_ntk.reporting import Record

record = module_of(Record)

TINY = (
    "problem=poisson_1d", "activation=tanh", "problem.points=4", "problem.test_points=16", "network.width=12",
    "optimizer.steps=6",
    "optimizer.step_size=0.1", "tracker.count=3", "theory=none", "device=cpu",
    "study.workers=1",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What one call of the command did."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> Path:
        return Path(self.out.splitlines()[-1])

    @property
    def folder(self) -> Path:
        return self.report.parent

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def command(workplace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*words: str) -> Outcome:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Outcome(code, said.out, said.err)

    return call


@pytest.fixture
def refused(command: Callable[..., Outcome], workplace: Path) -> Callable[..., str]:
    """Bad input: code 2, a message, and no trace in the working directory."""

    def call(*words: str) -> str:
        before = sorted(workplace.rglob("*"))
        outcome = command(*words)
        assert outcome.code == 2, outcome
        assert not outcome.out
        assert sorted(workplace.rglob("*")) == before
        return outcome.err

    return call


@pytest.fixture
def pageless(command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """The command without pictures, which take seconds and are tested where they are made."""

    def page(_: object, __: object, folder: Path) -> Path:
        (folder / "report.html").write_text("a page", encoding="utf-8")
        return folder / "report.html"

    monkeypatch.setattr(record, "write_report", page)
    return command


@pytest.fixture
def ran(pageless: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """A tiny run of everything but the pictures."""
    return lambda *words: pageless(*TINY, *words)


@pytest.fixture
def mine(workplace: Path) -> Callable[..., Path]:
    """Writes my_conf/problem/mine.yaml (or another file there) and returns its path."""

    def write(text: str | bytes, name: str = "problem/mine.yaml") -> Path:
        path = workplace / "my_conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write
