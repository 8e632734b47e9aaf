"""Error against seconds of scikit-fem and DeepXDE on A1, A6 and A8, beside ours in one picture:
`python scripts/peers.py [--seconds 60]`.

Peers live in an environment of their own, .peers/venv, which this script makes; one process runs at a time, each with
as many threads as are asked for. The rows go to benchmarks/peers.csv; `--draw` only draws docs/benchmarks/peers.svg
from the rows that there are, ours being those of benchmarks/convergence.csv and benchmarks/accuracy.csv.
"""

import argparse
import csv
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from environments import DEEPXDE, environment

ROOT = Path(__file__).resolve().parent.parent
WORKERS, RESULTS = ROOT / "scripts" / "peers", ROOT / "benchmarks"
PICTURE = ROOT / "docs" / "benchmarks" / "peers.svg"
CASES = {"A1": "A1: Δu = f, two sines", "A6": "A6: Δu = 0, four holes", "A8": "A8: A(x):∇²u = f, a peak"}
COLUMNS = ("case", "solver", "seconds", "relative_l2", "degrees")
SOLVERS: dict[str, tuple[str, ...]] = {
    "scikit-fem": ("finite_elements.py", "{seconds}", "{case}"),
    "DeepXDE": ("pinns.py", "{seconds}", "float32", "{case}"),
    "DeepXDE float64": ("pinns.py", "{seconds}", "float64", "{case}"),
}
OURS = {"all": ("pinn_ntk", "*"), "no_sines": ("pinn_ntk without sines", "d")}
Row = dict[str, str]


def measure(python: Path, solver: str, case: str, seconds: float, threads: int) -> list[Row]:
    """The rows that one peer prints on one case, in a process of its own."""
    script, *rest = (part.format(seconds=seconds, case=case) for part in SOLVERS[solver])
    own = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    command = [str(python), str(WORKERS / script), *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **own})
    if done.returncode:
        raise SystemExit(f"peers: {solver} on {case} ended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return [
        dict(zip(COLUMNS, line.split(",")[1:], strict=True))
        for line in done.stdout.splitlines()
        if line.startswith("row,")
    ]


def rows_of(path: Path) -> list[Row]:
    """The rows of a CSV file; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(rows: Iterable[Row], path: Path) -> None:
    """A CSV file with our columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def run(solvers: Sequence[str], cases: Sequence[str], seconds: float, threads: int) -> None:
    """Measure, print and write; rows of what is not measured this time stay."""
    python, path = environment("venv", DEEPXDE), RESULTS / "peers.csv"
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, {threads} threads, {time.strftime('%Y-%m-%d')}", flush=True
    )
    for case in cases:
        for solver in solvers:
            found = measure(python, solver, case, seconds, threads)
            for row in found:
                print("  ".join(f"{row[name]:>16}" for name in COLUMNS), flush=True)
            replaced = {(case, row["solver"]) for row in found}
            kept = [row for row in rows_of(path) if (row["case"], row["solver"]) not in replaced]
            write(sorted(kept + found, key=lambda row: (row["case"], row["solver"], float(row["seconds"]))), path)


def short(name: str) -> str:
    """A1 of A1, a1 or a01_poisson."""
    found = re.match(r"a0*(\d+)", name.strip().lower())
    return f"A{found.group(1)}" if found else name


def points(rows: Iterable[Row], case: str) -> list[tuple[float, float]]:
    """(seconds, error) of a case, by seconds; rows without either are left out."""
    chosen = [row for row in rows if short(row.get("case", "")) == case]
    pairs = [(row.get("seconds"), row.get("relative_l2") or row.get("relative_l2_median")) for row in chosen]
    numbers = [(float(s), float(e)) for s, e in pairs if s and e]
    return sorted((s, e) for s, e in numbers if s > 0 and e > 0)


def best_so_far(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The least error up to each time."""
    best: list[tuple[float, float]] = []
    for seconds, error in pairs:
        best.append((seconds, min(error, best[-1][1]) if best else error))
    return best


def draw(results: Path = RESULTS, picture: Path = PICTURE) -> None:
    """The relative L² error of ours and of peers against seconds, a panel for each case."""
    from pinn_ntk.reporting import BLOCKS, ENVELOPE, LINEAR, MEASURED, THEORY, panels, render

    peers, curves, marks = (rows_of(results / name) for name in ("peers.csv", "convergence.csv", "accuracy.csv"))
    names = sorted({row["solver"] for row in peers}, key=lambda name: (not name.startswith("scikit"), name))
    colours = dict(zip(names, (THEORY, ENVELOPE, LINEAR, BLOCKS[1][0], BLOCKS[2][0]), strict=False))
    title = "relative L² error against seconds"
    figure, axes = panels(list(CASES.values()), [("seconds", "error")] * len(CASES), 1.0, title, True)
    for panel, case in zip(axes, CASES, strict=True):
        panel.set(xscale="log", yscale="log")
        for name in names:
            line(
                panel,
                best_so_far(points([row for row in peers if row["solver"] == name], case)),
                colours.get(name, BLOCKS[4][0]),
                name,
                "--",
            )
        line(panel, points(curves, case), MEASURED, "pinn_ntk, growing width", "-")
        for features, (label, marker) in OURS.items():
            line(
                panel,
                points([row for row in marks if row.get("features", "all") == features], case),
                MEASURED,
                label,
                "",
                marker,
            )
    alike(axes)
    named(axes)
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(render(figure))
    print(picture)


def line(
    axes: Any, pairs: Sequence[tuple[float, float]], colour: str, label: str, style: str, marker: str = "o"
) -> None:
    """Points, joined where there is a style of lines; nothing without points."""
    if pairs:
        size = {"o": 2.5, "*": 8.0}.get(marker, 5.0)
        axes.plot(
            *zip(*pairs, strict=True),
            color=colour,
            label=label,
            linestyle=style or "none",
            marker=marker,
            markersize=size,
        )


def named(axes: Sequence[Any]) -> None:
    """One legend for all panels, in the corner of the middle one, which no curve of A6 reaches."""
    handles = {
        label: handle for panel in axes for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    if handles:
        axes[1].legend(handles.values(), handles, loc="lower left", fontsize=7.5, frameon=False)


def alike(axes: Sequence[Any]) -> None:
    """The same axes everywhere, wide enough for all that is drawn."""
    drawn = [panel for panel in axes if panel.lines]
    if drawn:
        every = [(*panel.get_xlim(), *panel.get_ylim()) for panel in drawn]
        left, right, low, high = (
            pick(column) for pick, column in zip((min, max, min, max), zip(*every, strict=True), strict=True)
        )
        for panel in axes:
            panel.set(xlim=(left, right), ylim=(low, high))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help="of training for each DeepXDE run, and after which no finer mesh is tried",
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=tuple(CASES))
    parser.add_argument("--solvers", nargs="+", choices=tuple(SOLVERS), default=tuple(SOLVERS))
    parser.add_argument("--draw", action="store_true", help="only draw")
    given = parser.parse_args()
    if not given.draw:
        run(given.solvers, given.cases, given.seconds, given.threads)
    draw()


if __name__ == "__main__":
    main()
