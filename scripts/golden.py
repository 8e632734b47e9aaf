"""Golden runs: twelve problems × the optimisers that fit, recorded, so that a change of numbers is seen when made.

    python scripts/golden.py check [NAME …]     every run once more beside its record, a line each; exit code 1 where
                                                one is not as it was
    python scripts/golden.py record [NAME …]    write the records; those that are the same to the bit stay as they are

A run is the command `pinn-ntk` in this process, on one thread and without pictures. What it leaves is compared with
`tests/golden/<name>/` as `pinn-ntk-compare` compares; `tests/test_golden.py` does the same.

What is required: the same to the bit on the kind of machine that recorded (`tests/golden/machine.json`: processor,
instructions, C library, versions of torch, numpy and scipy, and what in the environment chooses between instructions),
and the same up to rounding, 10⁴ε of each quantity's scale, on any other. No run is excepted: where an optimiser
amplifies rounding, its run has more damping or fewer steps. Of what was recorded nothing may be missing; what is new is
told, and no fault.

When records may be written: when numbers are meant to change, and CHANGELOG.md says in a line which and why; when a run
is added here; when the kind of machine is another one, on a commit whose `check` finds rounding at most. Never to make
a test pass.
"""

import argparse
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from matplotlib.figure import Figure
from modules import module_of

from pinn_ntk.app import main as pinn_ntk
from pinn_ntk.experiment import machine, versions
from pinn_ntk.reporting import Difference, Record, Verdict, compare_runs

record_module = module_of(Record)

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
MACHINE = GOLDEN / "machine.json"
FILES = ("summary.json", "history.csv", "ensemble.csv", "table.csv", "network.safetensors")
"""What is recorded of a run, a sweep or a study, where it has it."""
COMMON = (
    "report=quiet", "device=cpu", "device.compile=never", "checkpoint=null", "tracker.count=6",
    "theory.forecast_draws=100", "output=run",
)  # fmt: skip
# what is solved → words
PROBLEMS: dict[str, tuple[str, ...]] = {
    "regression": ("problem=regression", "problem.target='sin(3*x)'", "problem.points=14", "network.width=20"),
    "elliptic": ("problem=full_matrix", "activation=softplus", "network.width=24", "network.init=centred"),
    "wave": (
        "problem=wave_1d", "problem.boundary=soft", "problem.points=12", "problem.boundary_points=8",
        "problem.test_points=32", "problem.weight={boundary: 10, initial: 10}", "activation=sin", "network.width=24",
        "network.scaling=ntk", "network.gamma=1",
    ),
    "periodic": ("problem=periodic", "activation=gaussian", "network.width=16", "network.init=uniform"),
    "robin": ("problem=robin", "activation=erf", "network.width=20", "network.bias=false"),
    "l_shape": ("problem=l_shape", "activation=relu3", "network.width=24"),
    "ensemble": (
        "problem=poisson_3d", "problem.points=6", "problem.test_points=32", "activation=relu3", "network.width=32",
        "ensemble.seeds=4",
    ),
    "module": (
        "problem=heat_1d", "problem.points=10", "problem.test_points=32", "network=mlp", "network.width=6",
        "network.depth=2",
    ),
    "mean_field": (
        "problem=regression", "problem.points=10", "problem.dim=2", "network=mean_field", "network.width=24",
    ),
    "sweep": (
        "-m", "problem=regression", "problem.points=6", "problem.dim=3", "activation=relu", "network.width=8,16,32",
    ),
    "study": (
        "problem=regression", "problem.points=6", "problem.dim=3", "problem.test_points=16", "study.kind=lazy_to_rich",
        "study.exponents=[0.5, 1.0]", "study.widths=[4, 8, 16]", "study.seeds=2", "study.remaining=0.3",
        "study.steps=40", "study.workers=1",
    ),
    "solver": ("problem=poisson_1d", "problem.test_points=32"),
}  # fmt: skip
# how → words; prediction is for those that theory speaks of
OPTIMISERS: dict[str, tuple[str, ...]] = {
    "gradient_descent": ("optimizer.steps=12",),
    "gradient_flow": ("optimizer=gradient_flow", "optimizer.steps=12"),
    "heavy_ball": ("optimizer=heavy_ball", "optimizer.steps=12"),
    "nesterov": ("optimizer=nesterov", "optimizer.steps=12"),
    "adam": ("optimizer=adam", "optimizer.steps=12", "optimizer.learning_rate=0.01", "theory=none"),
    "sgd": ("optimizer=sgd", "optimizer.steps=12", "optimizer.batch_size=6", "theory=none"),
    "lbfgs": ("optimizer=lbfgs", "optimizer.steps=4", "theory=none"),
    "levenberg_marquardt": (
        "optimizer=levenberg_marquardt", "optimizer.steps=6", "optimizer.damping=0.1", "theory=none",
    ),
    "spring": ("optimizer=spring", "optimizer.steps=8", "optimizer.damping=0.01", "theory=none"),
    "least_squares": ("optimizer=least_squares", "optimizer.tikhonov=0.01", "theory=none"),
    "variable_projection": (
        "optimizer=variable_projection", "optimizer.steps=6", "optimizer.damping=0.01", "optimizer.tikhonov=0.01",
        "network.width=4", "theory=none",
    ),
    "particle_flow": ("optimizer=particle_flow", "optimizer.steps=12", "optimizer.temperature=0.001"),
    "adaptive_particle_flow": (
        "optimizer=particle_flow", "optimizer.steps=12", "optimizer.method=adaptive", "theory=none",
    ),
    "auto": (
        "optimizer=auto", "optimizer.tolerance=0.05", "optimizer.widest=6", "optimizer.activations=[tanh]",
        "optimizer.effort=3.6e13",
    ),
}  # fmt: skip
# the optimisers of each problem
FITTING: dict[str, tuple[str, ...]] = {
    "regression": (
        "gradient_descent", "gradient_flow", "heavy_ball", "nesterov", "adam", "sgd", "lbfgs", "levenberg_marquardt",
        "spring", "least_squares", "variable_projection",
    ),
    "elliptic": ("gradient_descent", "adam", "lbfgs", "levenberg_marquardt", "spring", "least_squares"),
    "wave": ("gradient_descent", "gradient_flow", "heavy_ball", "nesterov", "levenberg_marquardt"),
    "periodic": ("gradient_descent", "nesterov", "spring", "variable_projection"),
    "robin": ("gradient_descent", "sgd", "lbfgs", "least_squares"),
    "l_shape": ("gradient_descent", "heavy_ball", "levenberg_marquardt"),
    "ensemble": ("gradient_descent", "heavy_ball", "nesterov"),
    "module": ("gradient_descent", "adam", "lbfgs", "levenberg_marquardt"),
    "mean_field": ("gradient_descent", "particle_flow", "adaptive_particle_flow"),
    "sweep": ("gradient_descent",),
    "study": ("gradient_descent",),
    "solver": ("auto",),
}  # fmt: skip
RUNS = {
    f"{problem}_{how}": (*PROBLEMS[problem], *OPTIMISERS[how])
    for problem, fitting in FITTING.items()
    for how in fitting
}
_CHOOSING = (
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
)
_SHOWN = 3  # faults of a run
_NOISE = ("time", "seconds", "commit", "peak_bytes")  # of a summary: what no number depends on, and no two runs share


def run(name: str, place: Path) -> Path:
    """The folder of a golden run, made anew.

    Args:
        name: of the run.
        place: an empty folder.

    Raises:
        RuntimeError: the command did not end well, with what it said.
    """
    said = io.StringIO()
    with _one_thread(), _no_pictures(), redirect_stdout(said), redirect_stderr(said), chdir(place):
        code = pinn_ntk(["--config-dir", str(GOLDEN / "conf"), *COMMON, *RUNS[name]])
    if code:
        raise RuntimeError(f"{name}: exit code {code}, expected 0: {said.getvalue()}")
    return place / "run"


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _no_pictures() -> Iterator[None]:
    """Pictures and the page of a single run take most of its time, and no number is compared in them."""

    def page(_: object, __: object, folder: Path) -> Path:
        return folder / "report.html"

    def blank(_: Figure, target: io.BytesIO, **__: object) -> None:
        target.write(b"<svg/>")

    with patch.object(Figure, "savefig", blank), patch.object(record_module, "write_report", page):
        yield


def compared(name: str) -> Difference:
    """A run's record (one) beside the run (two)."""
    with tempfile.TemporaryDirectory() as place:
        return compare_runs(GOLDEN / name, run(name, Path(place)))


def faults(difference: Difference, same_kind: bool) -> list[str]:
    """What is not as it was recorded, in words; none where all is well.

    Args:
        difference: of a record and a run.
        same_kind: whether the machine is of the kind that recorded.
    """
    allowed = (Verdict.SAME,) if same_kind else (Verdict.SAME, Verdict.ROUNDING)
    apart = sorted((m for m in difference.results if m.verdict not in allowed), key=lambda m: -(m.size or 0.0))
    told = [f"{m.name}: {m.one} recorded, {m.two} now ({m.verdict})" for m in apart]
    return told + [f"{result}: recorded, and missing now" for result, one in difference.only_one if one == 1]


def kind_of_machine() -> dict[str, Any]:
    """What the last bits of a run on one thread depend on beside its configuration."""
    about, numbers = machine(torch.device("cpu"), {})["machine"], versions()
    return {
        "processor": about["processor"],
        **_cpuinfo(),
        "instructions": about["instructions"],
        "libc": " ".join(platform.libc_ver()),
        **{name: numbers[name] for name in ("torch", "numpy", "scipy")},
        "chosen": {name: os.environ[name] for name in _CHOOSING if name in os.environ},
    }


def _cpuinfo() -> dict[str, str]:
    """Family and model, as a virtual machine's processor often has a general name, and the vector instructions."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    lines = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    vector = [flag for flag in lines.get("flags", "").split() if flag.startswith(("sse", "avx", "fma", "amx"))]
    return {
        **{key: lines[key] for key in ("cpu family", "model", "stepping") if key in lines},
        "vector": " ".join(sorted(vector)),
    }


def same_kind() -> bool:
    """Whether this machine is of the kind that recorded."""
    return bool(json.loads(MACHINE.read_text(encoding="utf-8")) == kind_of_machine())


def record(name: str) -> str:
    """Write a run's record; where there is one that is the same to the bit, it stays."""
    target = GOLDEN / name
    with tempfile.TemporaryDirectory() as place:
        folder = run(name, Path(place))
        if target.is_dir():
            difference = compare_runs(target, folder)
            if not faults(difference, True) and not difference.only_one and not difference.config:
                return "as it was"
            shutil.rmtree(target)
        target.mkdir()
        for file in FILES:
            if (folder / file).is_file():
                shutil.copyfile(folder / file, target / file)
    summary = target / "summary.json"
    plain = _without_noise(json.loads(summary.read_text(encoding="utf-8")))
    summary.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return "written"


def _without_noise(value: Any) -> Any:
    if isinstance(value, dict):  # a configuration stays as it is: optimizer.seconds is one of its keys
        return {k: v if k == "config" else _without_noise(v) for k, v in value.items() if k not in _NOISE}
    return [_without_noise(inner) for inner in value] if isinstance(value, list) else value


def check(name: str) -> tuple[str, bool]:
    """A run's verdict in a line, and whether all is well."""
    difference = compared(name)
    wrong, fresh = faults(difference, same_kind()), [result for result, run in difference.only_one if run == 2]
    more = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
    return "; ".join(
        [difference.words, *wrong[:_SHOWN], *more, *(f"new: {name}" for name in fresh[:_SHOWN])]
    ), not wrong


def main(argv: Sequence[str] | None = None) -> int:
    """0, or 1 where a run is not as it was recorded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("check", "record"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args(argv)
    if unknown := [name for name in asked.names if name not in RUNS]:
        parser.error(f"NAME: got {', '.join(unknown)}, expected some of {', '.join(RUNS)}")
    if asked.action == "record" and asked.names and not same_kind():
        parser.error("NAME: got some runs on another kind of machine than recorded, expected none: all of them anew")
    names, well, begin = asked.names or list(RUNS), 0, time.perf_counter()
    for name in names:
        start = time.perf_counter()
        words, right = check(name) if asked.action == "check" else (record(name), True)
        well += right
        print(f"{name:<36}{time.perf_counter() - start:5.1f} s  {words}", flush=True)
    if asked.action == "record":
        MACHINE.write_text(json.dumps(kind_of_machine(), indent=1) + "\n", encoding="utf-8")
        return 0
    required = "to the bit" if same_kind() else "up to rounding, as this is another kind of machine"
    print(f"{well} of {len(names)} as they were {required}, {time.perf_counter() - begin:.0f} s")
    return 0 if well == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
