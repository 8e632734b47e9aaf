"""The training step against DeepXDE, JAX and torch.func (S1), tracking (S6) and ensembles (S10).

    python scripts/bench_step.py [--rounds 3]

Peers run in environments of their own, which are made where they are missing; workers run in turns, so that ratios are
of one run. The rows go to benchmarks/speed.csv.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))

from environments import DEEPXDE, JAX, environment
from rounds import OURS, Row, Worker, compared, interleaved, machine, multiple, row, write

from pinn_ntk.experiment import Settings, run
from pinn_ntk.networks import TwoLayer, compiling
from pinn_ntk.operators import SecondOrderOperator
from pinn_ntk.problem import Block, Problem
from pinn_ntk.training import gradient_descent, train_ensemble

TARGETS = {"float64": {"DeepXDE": 18.0, "JAX": 25.0}, "float32": {"DeepXDE": 40.0, "JAX": 60.0}}


def problem_of(n: int, d: int) -> Problem:
    """Δu + u = 1 on n points of the unit cube."""
    x = torch.rand(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return Problem((Block(SecondOrderOperator(d, A=1.0, c=1.0), x, torch.ones(n, dtype=torch.float64)),))


def step(rounds: int, threads: int) -> list[Row]:
    """S1."""
    jax, deepxde, rows = environment("jax", JAX), environment("venv", DEEPXDE), list[Row]()
    for dtype, targets in TARGETS.items():
        workers = [
            Worker("pinn_ntk", OURS, "step_ours.py", ("auto",)),
            Worker("pinn_ntk, not compiled", OURS, "step_ours.py", ("never",)),
            Worker("tanh alone, twice", OURS, "step_floor.py"),
            Worker("DeepXDE", deepxde, "step_deepxde.py"),
            Worker("JAX", jax, "step_jax.py"),
            *([Worker("torch.func", OURS, "step_torch.py")] if dtype == "float64" else []),
        ]
        found = interleaved(workers, ["--dtype", dtype], rounds, threads)
        rows.append(multiple("S1", f"step {dtype}", found["pinn_ntk"], workers[2].name, found[workers[2].name]))
        for worker in (workers[1], *workers[3:]):
            rows.append(
                compared(
                    "S1",
                    f"step {dtype}",
                    found["pinn_ntk"],
                    worker.name,
                    found[worker.name],
                    targets.get(worker.name, 1.0),
                )
            )
    return rows


def seconds(call: Callable[[], object]) -> float:
    """Wall time."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def tracked(rounds: int) -> list[Row]:
    """S6: a run with full tracking against one without, n = 256, N = 2048, 2000 steps."""
    problem, network = problem_of(256, 2), TwoLayer(2, 2048, "tanh")
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        pair = [
            run(problem, network, Settings(steps=2000, theory=False, kernel=kernel)).history.seconds
            for kernel in (True, False)
        ]
        times.append((sum(pair[0].values()), sum(pair[1].values())))
        print(f"  tracked {times[-1][0]:.2f} s, not tracked {times[-1][1]:.2f} s", flush=True)
    ratios = sorted(a / b for a, b in times[1:] or times)  # the first pair compiles
    ours, theirs = (statistics.median(t[k] for t in times) for k in (0, 1))
    ratio = statistics.median(ratios)
    spread, case = (ratio, ratios[0], ratios[-1]), "tracked run, n=256, N=2048"
    return [row("S6", case, ours, "s", "not tracked", theirs, spread, "≤ 1.5", ratio <= 1.5)]


def ensemble(rounds: int) -> list[Row]:
    """S10: 64 seeds of n = 16, N = 256 as one batch against the floor of one tanh sweep,
    and against one after another.
    """
    problem, network, steps = problem_of(16, 2), TwoLayer(2, 256, "tanh"), 2000
    z = torch.randn(64 * 16, 256, dtype=torch.float64)
    together, floors, apart = [], [], []
    with compiling("always"):
        train_ensemble(network, problem, range(64), steps=3, kernel=False, errors=False)  # compiles
        for _ in range(rounds):
            batch = seconds(
                lambda: train_ensemble(network, problem, range(64), steps=steps, kernel=False, errors=False)
            )
            floors.append(1e3 * seconds(lambda: [torch.tanh(z) for _ in range(500)]) / 500)
            together.append(1e3 * batch / steps)
    for _ in range(rounds):
        one = seconds(lambda: [None for _ in gradient_descent(network, problem, steps=steps)])
        apart.append(1e3 * 64 * one / steps)
    pairs = [sorted(b / a for a, b in zip(x, y, strict=True)) for x, y in ((floors, together), (together, apart))]
    made = [(statistics.median(p), p[0], p[-1]) for p in pairs]
    ours, case = statistics.median(together), "64 seeds, n=16, N=256, one step"
    others = statistics.median(floors), statistics.median(apart)
    return [
        row("S10", case, ours, "ms", "one tanh sweep", others[0], made[0], "≤ 2", made[0][0] <= 2),
        row("S10", case, ours, "ms", "one after another", others[1], made[1], "≥ 1", made[1][0] >= 1),
    ]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", default="S1 S6 S10")
    asked = parser.parse_args()
    print(f"{machine()}, {asked.threads} threads, torch {torch.__version__}", flush=True)
    rows: list[Row] = []
    rows += step(asked.rounds, asked.threads) if "S1" in asked.only.split() else []
    rows += tracked(asked.rounds) if "S6" in asked.only else []
    rows += ensemble(asked.rounds) if "S10" in asked.only else []
    write(rows)


if __name__ == "__main__":
    main()
