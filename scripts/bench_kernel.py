"""The kernel against JAX, neural-tangents and torch.func (S2), its floor (S4) and memory (S3), the infinite width (S5),
two processes (S7).

    python scripts/bench_kernel.py [--rounds 3]

Peers run in environments of their own, which are made where they are missing; workers run in turns, so that ratios are
of one run. The rows go to benchmarks/speed.csv.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))

from environments import JAX, environment
from rounds import OURS, Row, Timing, Worker, compared, interleaved, machine, multiple, row, write

from pinn_ntk.kernels import infinite_width_kernel
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import SecondOrderOperator
from pinn_ntk.problem import Block, Problem

TARGETS = {2: 3.0, 10: 5.0, 50: 20.0}
N, POINTS = 1024, 512


def dense(rounds: int, threads: int) -> list[Row]:
    """S2 and S4."""
    jax, rows, own = environment("jax", JAX), list[Row](), dict[int, list[Timing]]()
    for d, target in TARGETS.items():
        workers = [
            Worker("pinn_ntk", OURS, "kernel_ours.py"),
            Worker("JAX Jacobian", jax, "kernel_jax.py", ("jacobian",)),
            Worker("neural-tangents", jax, "kernel_jax.py", ("neural-tangents",)),
            Worker("torch.func", OURS, "kernel_torch.py"),
            *([Worker("d + 1 products", OURS, "kernel_floor.py")] if d == 2 else []),
        ]
        found = interleaved(
            workers, ["--n", str(POINTS), "--N", str(N), "--d", str(d), "--seconds", "1"], rounds, threads
        )
        own[d] = found["pinn_ntk"]
        for worker in workers[1:4]:
            rows.append(compared("S2", f"kernel d={d}", own[d], worker.name, found[worker.name], target))
        if d == 2:
            rows.append(multiple("S4", "kernel d=2", own[2], "d + 1 products", found["d + 1 products"], 1.3))
    return [*rows, multiple("S2", "kernel d=50 against d=2", own[50], "kernel d=2", own[2], 2.5)]


def shared(rounds: int) -> list[Row]:
    """S7: two processes of one thread against one."""
    workers = [
        Worker("two processes", OURS, "kernel_ours.py", processes=2),
        Worker("one process", OURS, "kernel_ours.py"),
    ]
    found = interleaved(workers, ["--n", "2048", "--N", "8192", "--d", "2", "--seconds", "1"], rounds, 1)
    one, two = found["one process"], found["two processes"]
    return [compared("S7", "kernel n=2048, N=8192, two processes", two, "pinn_ntk, one process", one, 1.7)]


def problem_of(n: int, d: int, b: float = 1.0) -> Problem:
    """Δu + b·∇u + u on n points of the unit cube."""
    x = torch.rand(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return Problem((Block(SecondOrderOperator(d, A=1.0, b=[b] * d, c=1.0), x, torch.ones(n, dtype=torch.float64)),))


def memory() -> list[Row]:
    """S3, in a process of its own: how far the peak rises in making the kernel."""
    done = subprocess.run([sys.executable, __file__, "--peak"], capture_output=True, text=True, check=True)
    risen, allowed = float(done.stdout.split()[-1]), (3 * 8 * 2048**2 + 100e6) / 1e6
    ratio = risen / allowed
    return [
        row(
            "S3",
            "peak, n=2048, N=65536",
            risen,
            "MB",
            "3 n² doubles + 100 MB",
            allowed,
            (ratio,) * 3,
            "≤ 1",
            ratio <= 1,
        )
    ]


def peak() -> None:
    """The rise of this process's peak memory, in MB."""
    from pinn_ntk.kernels import closed_form_kernel

    problem, network = problem_of(2048, 2), TwoLayer(2, 65536, "tanh")
    small, few = problem_of(64, 2), TwoLayer(2, 64, "tanh")
    closed_form_kernel(few, small)  # what libraries allocate once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    closed_form_kernel(network, problem)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6)


def infinite() -> list[Row]:
    """S5 and S5b: seconds."""
    rows = []
    for what, case, n, d, activation, bias, most in (
        ("S5", "K^∞ ReLU³/6, n=256, d=3", 256, 3, "relu3", False, 2.0),
        ("S5b", "K^∞ tanh, n=256, d=2 + bias", 256, 2, "tanh", True, 8.0),
    ):
        problem = problem_of(n, d, 0.0)
        begin = time.perf_counter()
        infinite_width_kernel(problem, activation, bias)
        taken = time.perf_counter() - begin
        rows.append(row(what, case, taken, "s", "allowed", most, (taken / most,) * 3, "≤ 1", taken <= most))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", default="S2 S3 S5 S7")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak:
        peak()
        return
    print(f"{machine()}, {asked.threads} threads, torch {torch.__version__}", flush=True)
    rows = memory() if "S3" in asked.only else []
    rows += infinite() if "S5" in asked.only else []
    rows += shared(asked.rounds) if "S7" in asked.only else []
    rows += dense(asked.rounds, asked.threads) if "S2" in asked.only else []
    write(rows)


if __name__ == "__main__":
    main()
