"""Everything that needs a GPU, as one command of under eight minutes: the chain on the device beside the CPU, S8, the
tests that take a device.

    python scripts/gpu.py [--device cuda] [--seconds 450] [--only draws,runs,…] [--small] [--csv benchmarks/gpu.csv]

One line for each check, as it goes. Exit code 0: all passed; 1: one did not, or there was no time for it; 2: no such
device. `--device cpu` is a dry run: `--small`, which measures nothing that counts and misses no target, and which
appends to no table unless one is named.
"""

import argparse
import csv
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import pinn_ntk  # before torch: it sets how threads wait

import torch  # isort: skip
from torch import Tensor

from pinn_ntk.devices import full_precision, resolve_device
from pinn_ntk.experiment import DTYPES, Held, Settings, read_checkpoint, run, run_ensemble, write_checkpoint
from pinn_ntk.kernels import (
    autograd_kernel,
    closed_form_kernel,
    extreme_eigenvalues,
    infinite_width_kernel,
    kernel_spectrum,
)
from pinn_ntk.networks import MLP, TwoLayer, compiling
from pinn_ntk.operators import SecondOrderOperator
from pinn_ntk.problem import PROBLEMS, Answer, Block, Problem
from pinn_ntk.training import METHODS, gradient_descent

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "benchmarks" / "gpu.csv"
COLUMNS = ("date", "device", "id", "what", "value", "unit", "target", "met", "versions")
NEAR = {"float64": 1e-6, "float32": 2e-2}
"""How far a loss after some steps may be from the CPU's, in shares of the first loss: other sums round otherwise."""
TESTS = (
    *("tests/networks/test_sums.py", "tests/networks/test_two_layer.py", "tests/networks/test_module.py"),
    *("tests/networks/test_outer_solve.py", "tests/networks/test_fused.py", "tests/kernels/test_closed_form.py"),
    *("tests/kernels/test_forms.py", "tests/kernels/test_tangent.py", "tests/kernels/test_matrix_free.py"),
    *("tests/training/test_descent.py", "tests/training/test_methods.py", "tests/training/test_ensemble.py"),
    *("tests/training/test_particles.py", "tests/training/test_variable_projection.py"),
    *("tests/theory/test_linear_model.py", "tests/theory/test_momentum.py", "tests/theory/test_mean_field.py"),
    "tests/test_experiment.py",
)
"""Those with the arguments `device` and `dtype`."""
LEAST = 20.0
"""Seconds without which no part is begun."""


@dataclass
class Session:
    """One call of the command.

    Attributes:
        device: that is checked.
        end: when its time is over.
        table: to which figures are appended; None for none.
        small: whether this is the dry run.
        failed: checks that did not pass.
    """

    device: torch.device
    end: float
    table: Path | None
    small: bool
    failed: int = 0

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def say(self, name: str, passed: bool, words: str) -> None:
        """One line."""
        self.failed += not passed
        print(f"{'ok  ' if passed else 'FAIL'} {name:44s} {words}", flush=True)

    def near(self, name: str, there: Tensor, here: Tensor, tolerance: float) -> None:
        """Whether the device has what the CPU has, to rounding."""
        gap = float((there.cpu().double() - here.double()).norm() / here.double().norm())
        self.say(name, there.device.type == self.device.type and gap <= tolerance, f"differs by {gap:.1e}")

    def note(self, what: str, value: float, unit: str, target: str, met: bool) -> None:
        """A figure of S8, said and appended to the table."""
        self.say(f"S8 {what}", met or self.small, f"{value:.4g} {unit}, target {target}")
        if self.table is None:
            return
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        name += ", dry run" if self.small else ""
        versions = f"pinn_ntk {pinn_ntk.__version__}, torch {torch.__version__}"
        date = datetime.now(UTC).strftime("%Y-%m-%d")
        row = (date, name, "S8", what, f"{value:.4g}", unit, target, "yes" if met else "no", versions)
        fresh = not self.table.exists()
        with self.table.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([COLUMNS, row] if fresh else [row])


def poisson(**options: object) -> Problem:
    """A small problem on the CPU in float64."""
    return PROBLEMS["poisson_1d"](points=8, test_points=32, **options)  # type: ignore[arg-type]


def network(method: str) -> TwoLayer:
    """A network that the method takes."""
    scaling = "mean_field" if method == "particle_flow" else "sum"
    return TwoLayer(1, 4 if method == "variable_projection" else 16, scaling=scaling)


def draws(session: Session) -> None:
    """Random numbers are the CPU's to the bit, whatever the device."""
    own = {"device": session.device, "dtype": torch.float64}
    for init in ("lecture", "uniform", "centred"):
        net = TwoLayer(2, 64, init=init, seed=3)
        there = TwoLayer(2, 64, init=init, seed=3).to(**own)
        session.say(f"θ⁰, {init}", torch.equal(there.w0.cpu(), net.w0) and torch.equal(there.a0.cpu(), net.a0), "bits")
    session.say("points", torch.equal(poisson().to(torch.float64, session.device).x.cpu(), poisson().x), "bits")
    deep, moved = MLP(2, 8, 2, seed=1), MLP(2, 8, 2, seed=1).to(**own)
    same = all(torch.equal(p, q.cpu()) for p, q in zip(deep.parameters(), moved.parameters(), strict=True))
    session.say("θ⁰ of three layers", same, "bits")


def kernels(session: Session) -> None:
    """Kernels and spectra are the CPU's, to rounding."""
    problem, net = PROBLEMS["elliptic"](points=16, test_points=32), TwoLayer(2, 64)
    moved = problem.to(torch.float64, session.device), TwoLayer(2, 64).to(device=session.device)
    session.near("kernel in closed form", closed_form_kernel(moved[1], moved[0]).total,
                 closed_form_kernel(net, problem).total, 1e-12)  # fmt: skip
    session.near("kernel by autograd", autograd_kernel(moved[1], moved[0]).total,
                 autograd_kernel(net, problem).total, 1e-12)  # fmt: skip
    session.near("spectrum", kernel_spectrum(moved[1], moved[0]).eigenvalues,
                 kernel_spectrum(net, problem).eigenvalues, 1e-10)  # fmt: skip
    session.near("kernel of infinite width", infinite_width_kernel(moved[0], "tanh").total,
                 infinite_width_kernel(problem, "tanh").total, 1e-10)  # fmt: skip
    ends = [pair.value for pair in extreme_eigenvalues(moved[1], moved[0])]
    known = [pair.value for pair in extreme_eigenvalues(net, problem)]
    session.say("eigenvalues by products", np.allclose(ends, known, rtol=1e-8, atol=1e-9 * known[1]), f"{ends}")
    x = torch.rand(9, 2, generator=torch.Generator(device="cpu").manual_seed(0), dtype=torch.float64)
    values = torch.cat([Answer(*moved).u(x), Answer(*moved).gradient(x).flatten()])
    session.say("an answer is where its points are", values.device.type == "cpu", "")
    known_values = torch.cat([Answer(problem, net).u(x), Answer(problem, net).gradient(x).flatten()])
    session.say("answer", torch.allclose(values, known_values, rtol=1e-10), "")


def runs(session: Session) -> None:
    """Every optimiser in both precisions, theory, ensembles and modules: losses are the CPU's, to rounding."""

    def losses(method: str, dtype: str, device: str) -> np.ndarray:
        settings = Settings(optimizer=method, steps=5, tracked=3, theory=False, compile="never", dtype=dtype,
                            device=device)  # fmt: skip
        return run(poisson(), network(method), settings).history.losses

    for dtype in DTYPES:
        for method in METHODS:
            if (method, dtype) == ("gradient_flow", "float32"):  # its tolerances are below that rounding
                continue
            here, there = losses(method, dtype, "cpu"), losses(method, dtype, str(session.device))
            gap = float(np.abs(here - there).max() / here[0]) if here.shape == there.shape else float("inf")
            session.say(f"{method}, {dtype}", gap <= NEAR[dtype], f"losses differ by {gap:.1e} of the first")
    records = [run(poisson(boundary="soft"), TwoLayer(1, 64), Settings(steps=20, tracked=4, compile="never", device=d))
               for d in ("cpu", str(session.device))]  # fmt: skip
    verdicts = [[(s.name, s.verdict) for s in record.statements] for record in records]
    session.say("prediction and measurement", verdicts[0] == verdicts[1], f"{len(verdicts[0])} statements")
    with tempfile.TemporaryDirectory() as folder:
        session.say("a run is written", records[1].save(Path(folder) / "run").exists(), "")
    deep = [run(poisson(), MLP(1, 8, 2), Settings(steps=5, theory=False, device=d)).history.losses
            for d in ("cpu", str(session.device))]  # fmt: skip
    session.say("a module", bool(np.allclose(*deep, rtol=1e-8)), "")
    batches = [run_ensemble(poisson(), TwoLayer(1, 16), range(5), Settings(steps=5, theory=False, device=d))
               for d in ("cpu", str(session.device))]  # fmt: skip
    ends = [[member.history.losses[-1] for member in record.members] for record in batches]
    session.say("an ensemble", bool(np.allclose(*ends, rtol=1e-8)), "")


def checkpoints(session: Session) -> None:
    """A run that goes on from a checkpoint has the bits of one that was not interrupted."""
    problem, net = poisson().to(torch.float64, session.device), network("adam").to(device=session.device)

    def states(held: Held) -> Iterator[float]:
        for state in METHODS["adam"].states(net, problem, steps=8, memory=held.memory):
            held.journal.losses.append(state.loss)
            held.journal.ask([], state, 0.0)
            yield state.loss

    whole, first = list(states(Held())), Held()
    for _ in zip(range(5), states(first), strict=False):
        pass
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), first, {})
        again, _ = read_checkpoint(Path(folder), {}, session.device)
    session.say("a checkpoint goes on", again.memory.losses + list(states(again)) == whole, "bits")


def seconds_of(call: Callable[[], object], device: torch.device, least: int, spent: float = 3.0) -> float:
    """The median time of a call, the device waited for, after one to warm up."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    call()
    wait()
    taken: list[float] = []
    end = time.perf_counter() + spent
    while len(taken) < least or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        wait()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def sized(n: int, width: int, device: torch.device) -> tuple[Problem, TwoLayer]:
    """Δu + b·∇u + u = 1 on n points of the square, and a network without a bias, as in S2."""
    x = torch.rand(n, 2, dtype=torch.float64, generator=torch.Generator(device="cpu").manual_seed(0))
    block = Block(SecondOrderOperator(2, A=1.0, b=[1.0, 1.0], c=1.0), x, torch.ones(n, dtype=torch.float64))
    return Problem((block,)).to(torch.float64, device), TwoLayer(2, width, "tanh", bias=False).to(device=device)


def s8_kernel(session: Session) -> None:
    """The float64 kernel as a share of the float64 GEMM rate of the same run, and its memory."""
    n, width = (256, 512) if session.small else (8192, 16384)
    problem, net = sized(n, width, session.device)
    left = torch.randn(n, width, dtype=torch.float64, generator=torch.Generator(device="cpu").manual_seed(1))
    left = left.to(session.device)
    if session.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(session.device)
        before = torch.cuda.memory_allocated(session.device)
    shares, rate, spent = [], 0.0, 0.05 if session.small else 2.0
    for _ in range(2):  # in turns
        product = seconds_of(lambda: left @ left.mT, session.device, 3, spent)
        kernel = seconds_of(lambda: closed_form_kernel(net, problem), session.device, 3, spent)
        rate, share = 2e-12 * n * n * width / product, 3.0 * product / kernel
        shares.append(share)
    if session.device.type == "cuda":
        del left
        torch.cuda.reset_peak_memory_stats(session.device)
        before = torch.cuda.memory_allocated(session.device)
        closed_form_kernel(net, problem)
        peak, most = torch.cuda.max_memory_allocated(session.device) - before, 3 * 8 * n * n + 100 * 2**20
        session.note(f"kernel memory, n={n}, N={width}", peak / 2**20, "MiB", f"≤ {most / 2**20:.0f}", peak <= most)
    session.note(f"GEMM rate float64, n={n}, N={width}", rate, "TFLOP/s", "–", True)
    share = 100.0 * statistics.median(shares)
    session.note(f"kernel, d + 1 = 3 products of it, n={n}, N={width}", share, "% of GEMM", "≥ 70", share >= 70.0)


def s8_step(session: Session) -> None:
    """A step of gradient descent against the CPU of the same machine, each compiled where it can be."""
    n, width = (512, 256) if session.small else (65536, 16384)
    times = {}
    for device in (session.device, torch.device("cpu")):
        problem, net = sized(n, width, device)
        with compiling("never" if session.small else "always") as used:
            states = gradient_descent(net, problem, 1e-9, steps=10_000, absolute=True)  # reads its loss in every step
            next(states)
            on_gpu = device.type == "cuda"
            times[device.type] = seconds_of(
                lambda it=states: next(it), device, 3, 0.05 if session.small else 3.0 if on_gpu else 1.0
            )
        how = "compiled" if used else "not compiled"
        print(f"     step on {device.type}: {1e3 * times[device.type]:.3f} ms, {how}", flush=True)
        del problem, net, states
    ratio = times["cpu"] / times[session.device.type]
    words = f"GD step, n={n}, N={width}, {os.cpu_count()} cores"
    session.note(words, ratio, "× the CPU", "≥ 50", ratio >= 50.0)


def tests(session: Session) -> None:
    """The tests that take a device, in both precisions at once."""
    missing = [name for name in ("pytest", "hypothesis", "scipy") if importlib.util.find_spec(name) is None]
    if missing:
        session.say("tests", False, f"not run: {', '.join(missing)} not installed")
        return
    files = TESTS[:1] if session.small else TESTS
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--tb=line"]
    own = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    with tempfile.TemporaryDirectory() as folder:
        started = {}
        for dtype in DTYPES:
            log = (Path(folder) / dtype).open("w+", encoding="utf-8")
            words = [*command, *files, "--device", str(session.device), "--dtype", dtype]
            started[dtype] = subprocess.Popen(words, cwd=ROOT, env=own, stdout=log, stderr=log), log
        for dtype, (process, log) in started.items():
            try:
                code = process.wait(max(1.0, session.left))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = -1
            log.seek(0)
            lines = log.read().splitlines()
            log.close()
            end = next((line for line in reversed(lines) if line.strip()), "no output")
            session.say(f"tests, {dtype}", code == 0, end if code >= 0 else f"stopped, no time left: {end}")
            for line in [line for line in lines if line.startswith(("FAILED", "ERROR"))][:20] if code else []:
                print(f"     {line[:180]}", flush=True)


PARTS: dict[str, Callable[[Session], None]] = {
    "draws": draws,
    "kernels": kernels,
    "runs": runs,
    "checkpoints": checkpoints,
    "s8_kernel": s8_kernel,
    "s8_step": s8_step,
    "tests": tests,
}


def main(words: Sequence[str] | None = None) -> int:
    """Check, measure, print; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:i, or cpu for a dry run")
    parser.add_argument("--seconds", type=float, default=450.0, help="after which nothing new is begun")
    parser.add_argument("--only", default=",".join(PARTS), help="some parts, by name")
    parser.add_argument("--small", action="store_true", help="the sizes of a dry run")
    parser.add_argument("--csv", type=Path, help="table of S8; benchmarks/gpu.csv for a GPU")
    asked = parser.parse_args(words)
    try:
        device = resolve_device(asked.device)
    except ValueError as error:
        print(f"gpu: no GPU to check here: {error}; `--device cpu` is a dry run", flush=True)
        return 2
    names = asked.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"--only: got {', '.join(unknown)}, expected some of {', '.join(PARTS)}")
    full_precision()
    small = asked.small or device.type == "cpu"
    session = Session(device, time.monotonic() + asked.seconds, asked.csv or (None if small else TABLE), small)
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
    what += ", a dry run of small sizes" if small else ""
    print(f"{device}: {what}; torch {torch.__version__}, {os.cpu_count()} cores, {asked.seconds:g} s", flush=True)
    for name in names:
        if session.left < LEAST:
            session.say(name, False, f"not begun: {max(0.0, session.left):.0f} s left, {LEAST:.0f} s wanted")
            continue
        begin = time.monotonic()
        try:
            PARTS[name](session)
        except Exception as error:  # the other parts are still worth their seconds
            session.say(name, False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        print(f"     {name}: {time.monotonic() - begin:.1f} s", flush=True)
    print(
        f"{'all passed' if not session.failed else f'{session.failed} failed'}, {session.left:.0f} s left", flush=True
    )
    return 1 if session.failed else 0


if __name__ == "__main__":
    sys.exit(main())
