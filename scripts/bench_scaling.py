"""How cost grows with n, N and d, for the compiled step and the kernel, and the cold start (S9).

    python scripts/bench_scaling.py

Writes benchmarks/scaling.csv, benchmarks/speed.csv (S9) and docs/benchmarks/scaling.svg, and puts the table of
speed.csv into the README.
"""

import argparse
import csv
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))

from rounds import RESULTS, ROOT, Row, machine, row, table, write
from timing import median_ms

from pinn_ntk.kernels import closed_form_kernel
from pinn_ntk.networks import TwoLayer, accelerated, compiling, residual_and_gradient
from pinn_ntk.operators import SecondOrderOperator
from pinn_ntk.problem import Block, Problem
from pinn_ntk.reporting import BLOCKS, MEASURED, THEORY, panels, render

BASE = {"n": 512, "N": 1024, "d": 2}
SWEPT = {"n": (64, 128, 256, 512, 1024, 2048), "N": (64, 256, 1024, 4096, 16384), "d": (1, 2, 4, 8, 16, 32, 64)}
PICTURE = ROOT / "docs" / "benchmarks" / "scaling.svg"
START, END = "<!-- speed -->", "<!-- /speed -->"


def problem_of(n: int, d: int) -> Problem:
    """Δu + b·∇u + u = 1 on n points of the unit cube."""
    x = torch.rand(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return Problem((Block(SecondOrderOperator(d, A=1.0, b=[1.0] * d, c=1.0), x, torch.ones(n, dtype=torch.float64)),))


def costs(n: int, N: int, d: int) -> dict[str, float]:
    """ms of a step, compiled and not, and of a kernel."""
    problem, network = problem_of(n, d), TwoLayer(d, N, "tanh", bias=False)
    system, weights = problem.system(network), network.weights
    found = {}
    for name, preference in (("compiled step", "always"), ("step", "never")):
        with compiling(preference):
            own = accelerated(system, network, 1)
            if name == "step" or own.compiled:
                found[name] = median_ms(lambda own=own: residual_and_gradient(own, weights), 0.3)
    return found | {"kernel": median_ms(lambda: closed_form_kernel(network, problem), 0.3)}


def sweep() -> list[dict[str, str]]:
    """One size after the other, the rest as in BASE."""
    rows = []
    for name, values in SWEPT.items():
        for value in values:
            sizes = {**BASE, name: value}
            for what, ms in costs(**sizes).items():
                rows.append({"swept": name, **{k: str(v) for k, v in sizes.items()}, "what": what, "ms": f"{ms:.4g}"})
            print("  ".join(f"{r['what']} {r['ms']} ms" for r in rows[-3:]), sizes, flush=True)
    with (RESULTS / "scaling.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("swept", "n", "N", "d", "what", "ms"), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def draw(rows: Sequence[dict[str, str]]) -> None:
    """Three log-log panels, with a line of slope 1."""
    labels = {"n": "rows n", "N": "neurons N", "d": "coordinates d"}
    figure, axes = panels(
        [f"cost against {labels[k]}" for k in SWEPT], [(labels[k], "ms") for k in SWEPT], 1.0, "cost of one call", True
    )
    for panel, name in zip(axes, SWEPT, strict=True):
        panel.set(xscale="log", yscale="log")
        for what, colour in (("compiled step", MEASURED), ("step", THEORY), ("kernel", BLOCKS[1][0])):
            points = [(float(r[name]), float(r["ms"])) for r in rows if r["swept"] == name and r["what"] == what]
            panel.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=what)
        if name != "d":
            x = np.array([float(v) for v in SWEPT[name]])
            at = next(
                float(r["ms"]) for r in rows if r["swept"] == name and r["what"] == "step" and float(r[name]) == x[-1]
            )
            panel.plot(x, at * x / x[-1], color="0.6", ls=":", label="slope 1")
    times = [float(r["ms"]) for r in rows]
    for panel in axes:  # one scale, which the first panel labels
        panel.set_ylim(0.7 * min(times), 1.4 * max(times))
    axes[0].legend(frameon=False, fontsize=7)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(render(figure))
    print(PICTURE)


def cold_start(rounds: int) -> list[Row]:
    """S9: the command's help and the import, against importing torch."""

    def seconds(words: Sequence[str]) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        return time.perf_counter() - begin

    calls: dict[str, Callable[[], float]] = {
        "import torch": lambda: seconds(["-c", "import torch"]),
        "import pinn_ntk": lambda: seconds(["-c", "import pinn_ntk"]),
        "pinn-ntk --help": lambda: seconds(["-m", "pinn_ntk", "--help"]),
    }
    for call in calls.values():
        call()  # what is not in the page cache yet
    found = [{name: call() for name, call in calls.items()} for _ in range(2 * rounds + 1)]
    rows = []
    for name in ("import pinn_ntk", "pinn-ntk --help"):
        ratios = sorted(f[name] / f["import torch"] for f in found)
        middle = statistics.median(ratios)
        ours, torchs = (statistics.median(f[k] for f in found) for k in (name, "import torch"))
        rows.append(
            row("S9", name, ours, "s", "import torch", torchs, (middle, ratios[0], ratios[-1]), "≤ 1.6", middle <= 1.6)
        )
    return rows


def into_readme() -> None:
    """The table of speed.csv between the README's markers."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    path.write_text(f"{before}{START}\n{table()}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Measure, print, write, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="only the table and the picture, from the rows there are")
    asked = parser.parse_args()
    if asked.table:
        with (RESULTS / "scaling.csv").open(encoding="utf-8", newline="") as file:
            draw(list(csv.DictReader(file)))
    else:
        print(f"{machine()}, torch {torch.__version__}", flush=True)
        write(cold_start(asked.rounds))
        draw(sweep())
    into_readme()


if __name__ == "__main__":
    main()
