"""The command as a process of its own: what cannot be seen from inside."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pinn_ntk
from pinn_ntk.app import conf_dir

PACKAGE = Path(pinn_ntk.__file__).parent
SMALL = (
    "experiment=quick",
    "activation=tanh",
    "optimizer.step_size=0.1",
    "optimizer.steps=20",
    "network.width=16",
    "problem.points=5",
    "device=cpu",
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}


def start(place: Path, *words: str, environment: dict[str, str] = ENVIRONMENT) -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "pinn_ntk", *words]
    return subprocess.Popen(call, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(place: Path, *words: str, environment: dict[str, str] = ENVIRONMENT) -> tuple[int, str, str]:
    process = start(place, *words, environment=environment)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def test_a_tiny_run_from_end_to_end_as_a_wheel_would_do_it_in_an_empty_folder(tmp_path: Path) -> None:
    """The package with what the wheel puts inside it, and nothing beside it."""
    wheel = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]
    site, place = tmp_path / "site", tmp_path / "empty"
    place.mkdir()
    shutil.copytree(PACKAGE, site / "pinn_ntk", ignore=shutil.ignore_patterns("__pycache__"))
    for source, target in wheel["force-include"].items():
        shutil.copytree(PACKAGE.parent / source, site / target)
    code, out, err = finished(place, *SMALL, environment={**ENVIRONMENT, "PYTHONPATH": str(site)})
    assert code == 0, err
    report = Path(out.splitlines()[-1])
    assert report.is_relative_to(place / "outputs")
    assert "<html" in report.read_text(encoding="utf-8").lower()
    summary = json.loads((report.parent / "summary.json").read_text(encoding="utf-8"))
    assert summary["status"] == "MAX_STEPS"
    assert summary["loss"]["final"] < summary["loss"]["initial"]
    assert summary["theory"]["statements"]
    made = {p.name for p in report.parent.iterdir()}
    assert made >= {"report.html", "summary.json", "history.csv", "arrays.nc", "figures", "run.log", ".hydra"}
    assert list((report.parent / "figures").glob("*.svg"))


def test_an_operator_in_python_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "my_problem.py").write_text(
        "import torch\n"
        "from pinn_ntk import SecondOrderOperator\n\n"
        "def screened(dim: int, kappa: float = 1.0) -> SecondOrderOperator:\n"
        "    return SecondOrderOperator(dim, A=-1.0, c=lambda x: kappa * torch.exp(x[:, 0]), name='−Δu + κeˣu')\n\n"
        "OPERATORS = {'screened': screened}\n",
        encoding="utf-8",
    )
    words = (
        "plugins=[my_problem.py]",
        "problem=text",
        "problem.operator={kind: screened, kappa: 2}",
        "output=mine",
        "theory=none",
    )
    code, out, err = finished(tmp_path, *SMALL, *words)
    assert code == 0, err
    assert out.splitlines()[-1] == str(tmp_path / "mine" / "report.html")


def test_a_problem_in_yaml_by_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "my_conf" / "problem"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(
        "kind: text\nname: mine\n"
        "domain: {kind: box, low: [0, 0], high: [1, 1]}\n"
        'operator: {A: [["1 + x*x", 0.3], [0.3, 1]], b: ["y", "-x"], c: "-exp(x*y)"}\n'
        'exact: "sin(pi*x)*y*(1 - y)"\n'
        "points: 9\ntest_points: 50\n",
        encoding="utf-8",
    )
    code, out, err = finished(tmp_path, *SMALL, "--config-dir", "my_conf", "problem=mine", "theory=none")
    assert code == 0, err
    summary = json.loads((Path(out.splitlines()[-1]).parent / "summary.json").read_text(encoding="utf-8"))
    assert (summary["problem"], summary["points"]) == ("mine", 5)
    assert not any("exact solution" in w for w in summary["warnings"])


def test_row_41_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    process = start(tmp_path, *SMALL, "theory=none", "output=a")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert "Broken" not in err
    assert "Traceback" not in err
    assert (tmp_path / "a" / "summary.json").is_file()


def test_row_29_the_first_ctrl_c_ends_training_and_keeps_the_record(tmp_path: Path) -> None:
    words = (
        *SMALL,
        "theory=none",
        "output=a",
        "optimizer.steps=100000000",
        "tracker.count=2",
        "tracker.kernel=false",
        "checkpoint=0.1",
    )
    process = start(tmp_path, *words)
    deadline = (
        time.monotonic() + 60
    )  # steps are being made once one is kept, which compiling for the first time may put off
    while not any(int(p.stem) > 0 for p in tmp_path.glob("a/checkpoints/*.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 75, err  # with a checkpoint
    assert "Traceback" not in err
    assert out.splitlines()[-1] == str(tmp_path / "a" / "report.html")
    summary = json.loads((tmp_path / "a" / "summary.json").read_text(encoding="utf-8"))
    assert summary["status"] == "INTERRUPTED"
    assert summary["steps"] > 0
    assert summary["loss"]["final"] < summary["loss"]["initial"]


def test_bad_input_by_the_command(tmp_path: Path) -> None:
    code, out, err = finished(tmp_path, "network.widht=3", "optimizer.steps=-1")
    assert (code, out) == (2, "")
    assert err.startswith("pinn-ntk: 2 problems with the input:")
    assert not list(tmp_path.iterdir())


def test_the_shipped_configuration_is_found() -> None:
    assert (conf_dir() / "config.yaml").is_file()


def test_row_38_a_sweep_of_parallel_jobs_does_not_take_more_threads_than_there_are_cores(tmp_path: Path) -> None:
    """Through joblib's launcher: as many jobs at once as there are cores, one thread each,
    whatever OMP_NUM_THREADS asks for.
    """
    cores = len(os.sched_getaffinity(0))
    words = (
        "-m",
        "hydra/launcher=joblib",
        f"hydra.launcher.n_jobs={cores}",
        "name=side",
        "seed=0,1",
        "report=quiet",
        "theory=none",
    )
    code, out, err = finished(tmp_path, *words, *SMALL, environment={**ENVIRONMENT, "OMP_NUM_THREADS": str(cores + 1)})
    assert code == 0, err
    assert f"{cores} jobs side by side, 1 thread each, not {cores + 1} as OMP_NUM_THREADS asks: {cores} cores" in err
    assert "2 of 2 jobs done" in out
    summaries = [
        json.loads(p.read_text(encoding="utf-8")) for p in (tmp_path / "sweeps" / "side").glob("*/summary.json")
    ]
    assert [s["threads"] for s in summaries] == [1, 1]
    assert len({s["loss"]["final"] for s in summaries}) == 2
