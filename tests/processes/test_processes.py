"""Several processes: the same numbers as one, whoever dies is named, and only the first one speaks and writes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from processes import shared_sums
from safetensors.torch import load_file

from pinn_ntk import devices, parallel
from pinn_ntk.app import main

HERE = Path(__file__).parent
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parents[1])]),
}
BY_NEURONS = ("kernel, few rows", "kernel, fewer rows than processes")
SMALL = (
    "problem.points=600",
    "network.width=2048",
    "optimizer.steps=20",
    "tracker.count=3",
    "theory=none",
    "device=cpu",
    "report=quiet",
)


def launched(count: int, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """torchrun with that many processes on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", *words]
    return subprocess.run(command, env=ENVIRONMENT, cwd=cwd, capture_output=True, text=True, timeout=500, check=False)


def compare_with_one(count: int, folder: Path) -> None:
    """Every case, in `count` processes and in this one."""
    done = launched(count, str(HERE / "shared_sums.py"), str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    one = shared_sums.compute(list(shared_sums.CASES))
    for rank in range(count):
        found = load_file(folder / f"{count}-{rank}.safetensors")
        assert found.keys() == one.keys()
        for key, truth in one.items():
            if key.split(":")[0] in BY_NEURONS:
                assert float((found[key] - truth).abs().max()) <= 2e-13 * float(truth.abs().max()), key
            else:
                assert torch.equal(found[key], truth), f"{key}, rank {rank} of {count}"


def test_row_40_two_processes_have_the_numbers_of_one_to_the_bit(tmp_path: Path) -> None:
    compare_with_one(2, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 5])
def test_row_40_uneven_and_empty_shares(count: int, tmp_path: Path) -> None:
    compare_with_one(count, tmp_path)


def test_every_case_but_the_small_ones_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exchange broken, the numbers of one process of two are wrong: it did not do all of the work itself."""
    monkeypatch.setattr(parallel, "_group", parallel._Group(0, 2))
    for name in ("exchange", "summed"):
        monkeypatch.setattr(parallel, name, lambda value, *_: value)
    monkeypatch.setattr(parallel, "least", lambda value: value)
    for name in shared_sums.CASES:
        if name.startswith(("kernel", "sums")):
            half = shared_sums.compute([name])
            with monkeypatch.context() as patch:
                patch.setattr(parallel, "_group", parallel._Group())
                whole = shared_sums.compute([name])
            alike = all(torch.equal(half[key], whole[key]) for key in whole)
            assert alike == ("small" in name), name


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("dies", "rank 2 does not answer"),
        ("hangs", "rank 2 does not answer"),
        ("fails", "rank 2 ended with ValueError: three is too many"),
    ],
)
def test_row_39_a_rank_that_dies_or_hangs_ends_all_and_is_named(fault: str, words: str) -> None:
    """Without torchrun, which would end the others by itself."""
    own = {**ENVIRONMENT, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "3"}
    command = [sys.executable, str(HERE / "faulty_rank.py"), fault, "4"]
    started = [
        subprocess.Popen(command, env={**own, "RANK": str(r)}, stderr=subprocess.PIPE, text=True) for r in range(3)
    ]
    try:
        for process in started[:2]:
            _, err = process.communicate(timeout=120)
            assert process.returncode == 4, err
            assert words in err
    finally:
        for process in started:
            process.kill()
            process.communicate()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_the_command_in_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder, one voice, the numbers of one process."""
    done = launched(2, "-m", "pinn_ntk", *SMALL, "output=two", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == [str(tmp_path / "two" / "report.html")]
    monkeypatch.chdir(tmp_path)
    assert main((*SMALL, "output=one")) == 0
    one, two = (
        {**json.loads((tmp_path / name / "summary.json").read_text(encoding="utf-8"))} for name in ("one", "two")
    )
    assert (one["processes"], two["processes"]) == (1, 2)
    for key in ("loss", "error", "kernel", "displacement", "status"):
        assert one[key] == two[key]
    nets = [load_file(tmp_path / name / "network.safetensors") for name in ("one", "two")]
    assert all(torch.equal(nets[0][key], nets[1][key]) for key in nets[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torchrun tells the second process of two."""
    for name, value in {
        "RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "x",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("experiment=kernel_scaling",), "study.workers=2"),
        (("optimizer=auto",), "one process"),
        (("network.widht=3",), "did you mean network.width?"),
    ],
)
def test_what_processes_cannot_share_is_refused_once(
    words: tuple[str, ...],
    remedy: str,
    second_of_two: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err == ""  # the second process is silent
    monkeypatch.setenv("RANK", "0")
    assert main(words) == 2
    assert remedy in capsys.readouterr().err


def test_devices_of_several_processes(second_of_two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "devices_seen", lambda: ["cpu", "cuda:0", "cuda:1"])
    assert str(devices.resolve_device("auto")) == "cuda:1"
    assert str(devices.resolve_device("cuda")) == "cuda:1"
    monkeypatch.setattr(devices, "devices_seen", lambda: ["cpu", "cuda:0"])
    assert str(devices.resolve_device("auto")) == "cpu"
    with pytest.raises(ValueError, match=r"got 'cuda' for 2 processes, expected 'cpu', or 'cuda' with a GPU for each"):
        devices.resolve_device("cuda")


def test_shares_cover_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(parallel, "_group", parallel._Group(0, size))
        for count in (0, 1, 63, 64, 65, 1000):
            spans = parallel.spans(count)
            assert len(spans) == size
            assert [i for span in spans for i in range(count)[span]] == list(range(count))
            assert all(span.start % 64 == 0 or span.start == count for span in spans)
        owners = parallel.dealt([float(i + 1) for i in range(16)])
        loads = [sum(i + 1 for i, owner in enumerate(owners) if owner == r) for r in range(size)]
        assert max(loads) <= 1.1 * 136 / size
