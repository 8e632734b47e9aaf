"""Stopped anywhere and gone on with, a run ends with the bits of one that was not stopped;
nothing foreign or damaged is taken.
"""

import csv
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app.conftest import TINY, Outcome
from app.test_process import ENVIRONMENT
from modules import module_of
from safetensors.torch import load_file

from pinn_ntk.app import Interrupt, main
from pinn_ntk.experiment import Keeper

checkpoint = module_of(Keeper)

RUN = (
    "problem=poisson_1d",
    "network.width=64",
    "theory=none",
    "report=quiet",
    "device=cpu",
    "optimizer.steps=4000",
    "problem.points=48",
)
METHODS: dict[str, tuple[str, ...]] = {
    "gradient_descent": (),
    "adam": ("optimizer=adam",),
    "sgd": ("optimizer=sgd", "optimizer.batch_size=12", "optimizer.steps=1500"),
    "lbfgs": ("optimizer=lbfgs", "optimizer.steps=1500"),
}
Ran = Callable[..., Outcome]


def started(place: Path, *words: str) -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "pinn_ntk", *words]
    return subprocess.Popen(call, cwd=place, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def same_end(one: Path, two: Path) -> None:
    """Parameters, losses, history and spectra, all but seconds."""
    nets = [load_file(folder / "network.safetensors") for folder in (one, two)]
    assert all(nets[0][key].equal(nets[1][key]) for key in nets[0])
    tables = [
        list(csv.DictReader((folder / "history.csv").read_text(encoding="utf-8").splitlines())) for folder in (one, two)
    ]
    assert [{**row, "seconds": ""} for row in tables[0]] == [{**row, "seconds": ""} for row in tables[1]]
    summaries = [json.loads((folder / "summary.json").read_text(encoding="utf-8")) for folder in (one, two)]
    for key in ("status", "loss", "error", "kernel", "displacement"):
        assert summaries[0][key] == summaries[1][key]


def killed_at_random(place: Path, words: tuple[str, ...], chance: random.Random) -> None:
    """SIGKILL some moments after the first checkpoint, or the end where that comes first."""
    process = started(place, *words)
    end = time.monotonic() + 120
    while not list((place / "cut").glob("checkpoints/*.json")) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(chance.uniform(0.0, 0.6))
    process.kill()
    process.communicate()


def killed_and_gone_on_with(place: Path, method: str, seed: int) -> None:
    chance, words = random.Random(seed), (*RUN, *METHODS[method])
    assert main((*words, f"output={place / 'whole'}")) == 0
    killed_at_random(place, (*words, "output=cut", "checkpoint=0.05"), chance)
    assert list((place / "cut" / "checkpoints").glob("*.json"))
    assert not (place / "cut" / "summary.json").exists()
    assert main((f"resume={place / 'cut'}", "report=quiet")) == 0
    same_end(place / "whole", place / "cut")


@pytest.mark.parametrize("method", ["gradient_descent", "adam", "sgd"])
def test_row_28_and_30_killed_at_a_random_moment_and_gone_on_with(method: str, tmp_path: Path, pageless: Ran) -> None:
    killed_and_gone_on_with(tmp_path, method, seed=len(method))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_row_28_killed_many_times(method: str, seed: int, tmp_path: Path) -> None:
    killed_and_gone_on_with(tmp_path, method, 100 + seed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_row_29_a_signal_leaves_a_checkpoint_and_a_report(
    number: signal.Signals, tmp_path: Path, pageless: Ran
) -> None:
    process = started(tmp_path, *RUN, "optimizer.steps=2000000", "output=cut", "checkpoint=0.05", "tracker.count=5")
    end = time.monotonic() + 120
    while not list((tmp_path / "cut").glob("checkpoints/*.json")) and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
    assert f"go on with: pinn-ntk resume={tmp_path / 'cut'}" in err
    summary = json.loads((tmp_path / "cut" / "summary.json").read_text(encoding="utf-8"))
    assert summary["status"] == "INTERRUPTED"
    steps = sorted(int(p.stem) for p in (tmp_path / "cut" / "checkpoints").glob("*.json"))
    assert len(steps) == 2
    done = steps[-1]
    assert main((f"resume={tmp_path / 'cut'}", f"optimizer.steps={done + 5}", "report=quiet")) == 0
    assert json.loads((tmp_path / "cut" / "summary.json").read_text(encoding="utf-8"))["steps"] == done + 5


def interrupted(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ctrl-C is pressed at that step of the next run."""

    def at_step(self: Interrupt) -> None:
        self.steps += 1
        if self.steps == step + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Interrupt, "at_step", at_step)


@pytest.mark.parametrize(
    "words",
    [
        (), ("optimizer=adam",), ("optimizer=lbfgs",), ("optimizer=levenberg_marquardt",), ("optimizer=spring",),
        ("optimizer=nesterov",),
        ("optimizer=gradient_flow", "tracker.count=8"), ("optimizer=variable_projection", "network.width=2"),
        ("network=mlp", "network.width=4"),
        ("optimizer=particle_flow", "network=mean_field", "network.width=12", "optimizer.temperature=0.001"),
        ("theory=predict",), ("dtype=float32",),
    ],
)  # fmt: skip
def test_row_30_every_method_ends_with_the_same_bits(
    words: tuple[str, ...], pageless: Ran, monkeypatch: pytest.MonkeyPatch, workplace: Path
) -> None:
    tiny = tuple(w for w in TINY if not any(w.split("=")[0] == v.split("=")[0] for v in words))
    tiny = tuple(
        w for w in tiny if not (words and words[0].startswith("optimizer=") and w.startswith("optimizer.step_size"))
    )
    assert pageless(*words, *tiny, "output=whole").code == 0
    with monkeypatch.context() as patch:
        interrupted(patch, 3)
        assert pageless(*words, *tiny, "output=cut").code == 75
    outcome = pageless("resume=cut")
    assert outcome.code == 0, outcome.err
    same_end(workplace / "whole", workplace / "cut")
    assert (workplace / "cut" / "earlier").is_dir()  # the report of the interrupted run


def a_checkpoint_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 100.0)
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: next(clock))


@pytest.fixture
def cut(pageless: Ran, monkeypatch: pytest.MonkeyPatch, workplace: Path) -> Path:
    """A run that was interrupted after step 4, with checkpoints of steps 3 and 4."""
    a_checkpoint_every_step(monkeypatch)
    with monkeypatch.context() as patch:
        interrupted(patch, 4)
        assert pageless(*TINY, "output=cut").code == 75
    assert sorted(p.name for p in (workplace / "cut" / "checkpoints").iterdir()) == [
        f"{step:012d}.{kind}" for step in (3, 4) for kind in ("json", "safetensors")
    ]
    return workplace / "cut"


@pytest.mark.parametrize(
    "words", [("network.width=13",), ("seed=1",), ("optimizer=adam",), ("optimizer.step_size=0.2",), ("dtype=float32",)]
)
def test_row_31_only_steps_and_what_is_shown_may_change(words: tuple[str, ...], cut: Path, pageless: Ran) -> None:
    outcome = pageless(f"resume={cut}", *words)
    assert outcome.code == 2
    assert words[0] in outcome.err
    assert "optimizer.steps" in outcome.err
    assert pageless(f"resume={cut}", "optimizer.steps=8", "report=quiet", "checkpoint=null").code == 0


@pytest.mark.parametrize(
    "damage", ["flipped bit", "truncated", "empty", "missing", "manifest flipped", "manifest foreign", "manifest empty"]
)
def test_row_32_a_damaged_checkpoint_gives_way_to_the_one_before(
    damage: str, cut: Path, pageless: Ran, workplace: Path
) -> None:
    kind = ".json" if damage.startswith("manifest") else ".safetensors"
    last, before = ((cut / "checkpoints" / f"{step:012d}").with_suffix(kind) for step in (4, 3))
    _damaged(last, damage)
    outcome = pageless(f"resume={cut}")
    assert outcome.code == 0, outcome.err
    assert "checkpoint 000000000004 is damaged" in outcome.err
    assert pageless(*TINY, "output=whole").code == 0
    same_end(workplace / "whole", cut)
    for path in (cut / "checkpoints").iterdir():
        if path.suffix == kind:
            _damaged(path, damage)
    outcome = pageless(f"resume={cut}")
    assert outcome.code == 2
    assert "expected the folder of a run with a checkpoint" in outcome.err
    assert not before.exists() or damage != "missing"


def _damaged(path: Path, damage: str) -> None:
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
        return
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    kinds = {
        "flipped bit": flipped,
        "manifest flipped": flipped,
        "truncated": data[:middle],
        "manifest foreign": b'{"a": 1}',
    }
    path.write_bytes(kinds.get(damage, b""))


def test_row_33_another_version_a_pickle_and_another_runs_checkpoint(cut: Path, pageless: Ran, workplace: Path) -> None:
    manifest = cut / "checkpoints" / "000000000004.json"
    text = manifest.read_text(encoding="utf-8")
    about: dict[str, Any] = {k: v for k, v in json.loads(text).items() if k != "seal"}
    manifest.write_text(
        json.dumps({**about, "version": 2, "seal": checkpoint._seal({**about, "version": 2})}), encoding="utf-8"
    )
    outcome = pageless(f"resume={cut}")
    assert (outcome.code, "of version 2, expected 1" in outcome.err) == (2, True)
    manifest.write_text(text, encoding="utf-8")
    assert pageless(*TINY, "network.width=14", "output=other").code == 0
    shutil.rmtree(cut / "checkpoints")
    shutil.copytree(workplace / "other" / "checkpoints", cut / "checkpoints")
    outcome = pageless(f"resume={cut}")
    assert (outcome.code, "network.width: 14 then, 12 now" in outcome.err) == (2, True)
    shutil.rmtree(cut / "checkpoints")
    (cut / "checkpoints").mkdir()
    (cut / "checkpoints" / "000000000004.json").write_bytes(b"\x80\x04\x95cposix\nsystem\n")
    assert pageless(f"resume={cut}").code == 2


def test_row_34_a_disk_that_is_full(pageless: Ran, monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    """The run goes on without checkpoints, says so once, and leaves nothing half-written."""
    tries = []

    def full(self: Path, data: bytes) -> int:
        tries.append(self.name)
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    a_checkpoint_every_step(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        outcome = pageless(*TINY, "output=full")
    assert sum(name.endswith(".safetensors.part") and name[0] == "0" for name in tries) >= 2 * 4  # each twice
    assert outcome.err.count("warning: no checkpoint") == 1
    assert outcome.code == 4  # as the network could not be written either
    assert not list((workplace / "full" / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("resume=nowhere",), "expected the folder of a run"),
        (("resume=nowhere", "-m"), "the same sweep again goes on with its jobs"),
        (("resume=",), "expected the folder of a run"),
    ],
)
def test_what_cannot_be_gone_on_with(words: tuple[str, ...], told: str, pageless: Ran) -> None:
    outcome = pageless(*words)
    assert outcome.code == 2
    assert told in outcome.err


def test_fewer_steps_than_were_done_are_refused(cut: Path, pageless: Ran) -> None:
    outcome = pageless(f"resume={cut}", "optimizer.steps=3")
    assert (outcome.code, "got 3, expected at least 4" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    "words", [("ensemble.seeds=3",), ("experiment=kernel_scaling", "study.widths=[8]", "study.seeds=1")]
)
def test_what_has_no_checkpoints_says_so(words: tuple[str, ...], pageless: Ran, cut: Path) -> None:
    stored = cut / ".hydra" / "config.yaml"
    text = stored.read_text(encoding="utf-8")
    key = words[0].partition("=")[0]
    stored.write_text(
        text.replace("seeds: 1", "seeds: 3")
        if key == "ensemble.seeds"
        else text.replace("kind: null", "kind: kernel_scaling"),
        "utf-8",
    )
    outcome = pageless(f"resume={cut}")
    assert outcome.code == 2
    assert "which has no checkpoints" in outcome.err or "study" in outcome.err


def test_code_comes_from_the_command_line_only(pageless: Ran, monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    """The copy of a plugin in a run's folder is never run; it has to be given again, and be the same."""
    (workplace / "mine.py").write_text(
        "from pinn_ntk.activations import ACTIVATIONS as A\nACTIVATIONS = {'own': A['sin']}\n", "utf-8"
    )
    words = tuple(w for w in TINY if not w.startswith("activation"))
    with monkeypatch.context() as patch:
        interrupted(patch, 2)
        assert pageless(*words, "activation=own", "plugins=[mine.py]", "output=cut").code == 75
    outcome = pageless("resume=cut")
    assert (outcome.code, "code comes from the command line only" in outcome.err) == (2, True)
    (workplace / "mine.py").write_text("raise SystemExit(7)\n", "utf-8")
    assert pageless("resume=cut").code == 2
    (workplace / "mine.py").write_text((workplace / "cut" / ".hydra" / "mine.py").read_text("utf-8"), "utf-8")
    assert pageless("resume=cut", "plugins=[mine.py]").code == 0


def test_an_interrupted_job_of_a_sweep_goes_on_where_it_was(
    command: Ran, monkeypatch: pytest.MonkeyPatch, workplace: Path
) -> None:
    sweep = ("-m", "name=s", "seed=0,1", *TINY)
    with monkeypatch.context() as patch:
        interrupted(patch, 3)
        assert command(*sweep).code == 130
    outcome = command(*sweep)
    assert "2 of 2 jobs done" in outcome.out
    logs = [p.read_text(encoding="utf-8") for p in (workplace / "sweeps" / "s").glob("*/run.log")]
    assert sum("going on after step 3" in log for log in logs) == 1
    assert os.path.exists(workplace / "sweeps" / "s" / "report.html")


def test_a_job_without_a_whole_checkpoint_begins_again(
    pageless: Ran, monkeypatch: pytest.MonkeyPatch, workplace: Path
) -> None:
    """Killed between the making of the folder and the first manifest, a job must not be refused for ever."""
    sweep = ("-m", "name=s", "seed=0", *TINY)
    with monkeypatch.context() as patch:
        interrupted(patch, 3)
        assert pageless(*sweep).code == 130
    (manifest,) = (workplace / "sweeps" / "s").glob("*/checkpoints/*.json")
    manifest.unlink()
    assert "1 of 1 jobs done" in pageless(*sweep).out


def test_a_problem_of_ones_own_keeps_its_name(pageless: Ran, monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    mine = workplace / "conf" / "problem"
    mine.mkdir(parents=True)
    text = "kind: text\ndomain: {kind: box, low: [0], high: [1]}\noperator: {kind: laplacian}\nexact: x*x\npoints: 5\n"
    (mine / "mine.yaml").write_text(text, encoding="utf-8")
    words = ("--config-dir", str(workplace / "conf"), "problem=mine", *(w for w in TINY if not w.startswith("problem")))
    for place in (3, 4):  # and once more
        with monkeypatch.context() as patch:
            interrupted(patch, place if place == 3 else 1)
            outcome = pageless(*words, "output=cut") if place == 3 else pageless("resume=cut")
            assert outcome.code == 75, outcome.err
    outcome = pageless("resume=cut")
    assert (outcome.code, outcome.summary["problem"]) == (0, "mine")


def test_a_hostile_configuration_in_a_runs_folder(cut: Path, pageless: Ran) -> None:
    stored = cut / ".hydra" / "config.yaml"
    stored.write_text("a: !!python/object/apply:os.system ['true']\n", encoding="utf-8")
    assert pageless(f"resume={cut}").code == 2
