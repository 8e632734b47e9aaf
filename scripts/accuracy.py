"""How right is u, and how long did it take? `python scripts/accuracy.py [CASE …] [--seeds 5] [--features
all|no_sines|both]`.

Every case of benchmarks/conf/problem is one command with default settings of optimizer=auto:

    pinn-ntk --config-dir benchmarks/conf problem=a01_poisson optimizer=auto seed=0

Its error is measured on 20,000 scrambled Sobol points (seed 99) in the domain, its time is the wall time of the whole
command, report and all; what the solver took of it is in the last column. Every run is a row of
benchmarks/accuracy_runs.csv, where a second call finds it; medians and worsts of the seeds go to
benchmarks/accuracy.csv and into the README, and error against width (with `--convergence`) to
benchmarks/convergence.csv. One process at a time.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import qmc
from torch import Tensor

from pinn_ntk.app import stored_answer
from pinn_ntk.geometry import Domain
from pinn_ntk.problem import Answer

Function = Callable[[Tensor], Tensor]
ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
RUNS, TABLE, CONVERGENCE = (BENCHMARKS / f"{name}.csv" for name in ("accuracy_runs", "accuracy", "convergence"))
REFERENCE = {"a06_perforated": BENCHMARKS / "data" / "perforated_square.csv"}
_MEASURED = ("relative_linf", "seconds", "width", "points", "estimate")
RUN_COLUMNS = ("case", "features", "seed", "relative_l2", *_MEASURED, "reason", "activation", "solver_seconds")
COLUMNS = (
    "case",
    "features",
    "relative_l2_median",
    "relative_l2_worst",
    *_MEASURED,
    "record",
    "target",
    "solver_seconds",
)
# case → (best published neural result, target, where both are from: benchmarks.md §1)
CASES: dict[str, tuple[str, str]] = {
    "a01_poisson": ("1e-6", "1e-13 in 5 s"),
    "a02_heat": ("1e-6", "1e-13 in 5 s"),
    "a03_wave": ("9.8e-2", "1e-12"),
    "a04_helmholtz": ("2.3e-3", "1e-13"),
    "a05_poisson_5d": ("1.7e-7", "1e-13 in 10 s"),
    "a06_perforated": ("1.23e-2", "2e-7"),
    "a07_heat_5d": ("1.2e-4", "1e-5"),
    "a08_full_matrix": ("", "1e-8"),
    "a09_boundary_layer": ("", "1e-10"),
    "a10_variable_heat": ("", "1e-12"),
    "g1_general": ("", ""),
    "g2_l_shape": ("", ""),
    "g3_wave_2d": ("", ""),
    "g4_anisotropic_heat": ("", ""),
    "g5_heat_4d": ("", ""),
    "g6_annulus_helmholtz": ("", ""),
    "g7_periodic": ("", ""),
}
TITLES = {
    "a01_poisson": "Poisson on a square, two sines",
    "a02_heat": "heat, one sine",
    "a03_wave": "wave, two modes, four periods",
    "a04_helmholtz": "Helmholtz on a square",
    "a05_poisson_5d": "Poisson in five dimensions",
    "a06_perforated": "Laplace with four holes",
    "a07_heat_5d": "heat in the five-dimensional ball, Neumann",
    "a08_full_matrix": "full A(x), a sharp peak",
    "a09_boundary_layer": "advection and diffusion, a layer",
    "a10_variable_heat": "heat with variable diffusivity",
    "g1_general": "full A(x), b(x), c(x); Dirichlet, Robin, Neumann pieces",
    "g2_l_shape": "L-shape, singular at the corner",
    "g3_wave_2d": "wave in two dimensions of space",
    "g4_anisotropic_heat": "heat, 100 times faster along x than along y",
    "g5_heat_4d": "heat in four dimensions of space",
    "g6_annulus_helmholtz": "Helmholtz in an eccentric ring",
    "g7_periodic": "advection and diffusion on a circle",
}
README, BEGIN, END = ROOT / "README.md", "<!-- accuracy: written by scripts/accuracy.py -->", "<!-- end of accuracy -->"
FEATURES: dict[str, tuple[str, ...]] = {"all": (), "no_sines": ("optimizer.activations=[gaussian,tanh]",)}
WIDTHS = (100, 170, 300, 520, 880, 1500, 2560, 4400)
POINTS, SEED = 20_000, 99


def main(arguments: Sequence[str]) -> int:
    """Run what is missing, then write and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", help="beginnings of names; none: all of them")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--features", choices=(*FEATURES, "both"), default="both")
    parser.add_argument("--convergence", action="store_true", help="error against width instead, by optimizer.widest")
    asked = parser.parse_args(arguments)
    cases = [c for c in CASES if not asked.cases or any(c.startswith(name) for name in asked.cases)]
    if not cases:
        parser.error(f"got {' '.join(asked.cases)}, expected beginnings of {', '.join(CASES)}")
    if asked.convergence:
        convergence(cases)
        return 0
    done = {(r["case"], r["features"], r["seed"]) for r in read(RUNS)}
    for seed in range(asked.seeds):  # seed after seed, so that a call that is cut short has something on every case
        for features in FEATURES if asked.features == "both" else (asked.features,):
            for case in cases:
                if (case, features, str(seed)) not in done:
                    row = {"case": case, "features": features, "seed": seed, **measured(case, seed, FEATURES[features])}
                    append(RUNS, RUN_COLUMNS, row)
                    say(row)
    write(TABLE, COLUMNS, summarised(read(RUNS)))
    report()
    into_readme(read(TABLE))
    return 0


def measured(case: str, seed: int, more: Sequence[str]) -> dict[str, Any]:
    """One command, and the error of its answer."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "--config-dir",
            str(BENCHMARKS / "conf"),
            f"problem={case}",
            "optimizer=auto",
            "tracker.kernel=false",
            "report=quiet",
        ]
        begin = time.perf_counter()
        command = [sys.executable, "-m", "pinn_ntk", *words, f"seed={seed}", f"output={folder}", *more]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        seconds = time.perf_counter() - begin
        summary = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
        l2, largest = error(case, stored_answer(Path(folder)))
    solver = summary["solver"]
    return {
        "relative_l2": l2,
        "relative_linf": largest,
        "seconds": round(seconds, 2),
        "width": summary["width"],
        "points": summary["points"],
        "estimate": solver["estimate"],
        "reason": solver["reason"],
        "activation": solver["activation"],
        "solver_seconds": round(summary["time"]["training"], 2),
    }


def error(case: str, answer: Answer) -> tuple[float, float]:
    """Relative L² and L∞ of an answer."""
    return error_of(case, lambda x: answer.u(x, outside=True), answer.problem.domain, answer.problem.exact)


def error_of(case: str, h: Function, domain: Domain | None, exact: Function | None) -> tuple[float, float]:
    """Relative L² and L∞ over the Sobol points in the domain, or over the points of the reference."""
    if case in REFERENCE:
        table = np.loadtxt(REFERENCE[case], delimiter=",", skiprows=4)
        x, u = torch.from_numpy(table[:, :2].copy()), torch.from_numpy(table[:, 2].copy())
    else:
        if domain is None or exact is None:
            raise ValueError(
                f"{case}: got no domain or no exact solution, expected both, or a reference in {REFERENCE}"
            )
        unit = qmc.Sobol(domain.dim, scramble=True, seed=SEED).random(2**19)
        low, high = (torch.tensor(ends, dtype=torch.float64) for ends in (domain.low, domain.high))
        x = low + (high - low) * torch.from_numpy(unit)
        x = x[domain.inside(x)][:POINTS]
        u = exact(x)
    gap = h(x) - u
    return float(gap.norm() / u.norm()), float(gap.abs().max() / u.abs().max())


def convergence(cases: Iterable[str]) -> None:
    """Error against the largest width allowed, with the order observed between two of them."""
    rows: list[dict[str, Any]] = []
    for case in cases:
        before: dict[str, Any] | None = None
        for width in WIDTHS:
            found = measured(
                case, 0, [f"optimizer.widest={width}", "optimizer.tolerance=1e-16", "optimizer.effort=5.4e12"]
            )
            if before is not None and found["width"] <= before["width"]:
                break  # more is not wanted
            order = ""
            if before is not None and min(found["relative_l2"], before["relative_l2"]) > 0.0:
                fall = np.log(before["relative_l2"] / found["relative_l2"])
                order = f"{fall / np.log(found['width'] / before['width']):.2f}"
            row = {
                "case": case,
                "width": found["width"],
                "relative_l2": found["relative_l2"],
                "estimate": found["estimate"],
            }
            rows.append({**row, "order": order, "seconds": found["seconds"]})
            say(rows[-1])
            before = found
    kept = [r for r in read(CONVERGENCE) if r["case"] not in {row["case"] for row in rows}]
    write(CONVERGENCE, ("case", "width", "relative_l2", "estimate", "order", "seconds"), [*kept, *rows])


def summarised(runs: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Median and worst of the seeds of each case."""
    rows = []
    for features in FEATURES:
        for case, (record, target) in CASES.items():
            some = [r for r in runs if r["case"] == case and r["features"] == features]
            if not some:
                continue
            l2 = [float(r["relative_l2"]) for r in some]
            middle = {k: statistics.median(float(r[k]) for r in some) for k in (*_MEASURED, "solver_seconds")}
            first = {
                "case": case,
                "features": features,
                "relative_l2_median": statistics.median(l2),
                "relative_l2_worst": max(l2),
            }
            rows.append({**first, **middle, "record": record, "target": target})
    return rows


def report() -> None:
    """The table, and how estimates compare with errors."""
    for row in read(TABLE):
        l2, worst, linf = (f"{float(row[k]):.1e}" for k in ("relative_l2_median", "relative_l2_worst", "relative_linf"))
        seconds, size = float(row["seconds"]), f"N = {float(row['width']):.0f}, n = {float(row['points']):.0f}"
        print(
            f"{row['case']:22}{row['features']:10}{l2:>9} (worst {worst}, L∞ {linf}){seconds:7.1f} s  "
            f"{size:24}{row['target']}"
        )
    ratios = sorted(float(r["estimate"]) / max(float(r["relative_l2"]), 1e-17) for r in read(RUNS))
    if ratios:
        within = sum(0.1 <= r <= 10.0 for r in ratios) / len(ratios)
        spread = f"{ratios[0]:.2g} … {ratios[-1]:.2g}, median {statistics.median(ratios):.2g}"
        print(f"estimate / error over {len(ratios)} runs: {spread}, {100 * within:.0f} % within a factor of ten")


def into_readme(rows: Sequence[Mapping[str, str]]) -> None:
    """The medians as a table, all features beside none of sines."""
    found = {(r["case"], r["features"]): r for r in rows}
    lines = [
        "| problem | best published network | error | without sines | estimate | command |",
        "|---|---|---|---|---|---|",
    ]
    for case, title in TITLES.items():
        own, other = (found.get((case, features)) for features in FEATURES)
        if own is not None:
            errors = [f"{float(r['relative_l2_median']):.0e}" if r is not None else "" for r in (own, other)]
            name = case.split("_")[0].upper().replace("A0", "A")
            record, estimate, seconds = (
                own["record"] or "–",
                f"{float(own['estimate']):.0e}",
                f"{float(own['seconds']):.0f} s",
            )
            lines.append(f"| {name}: {title} | {record} | **{errors[0]}** | {errors[1]} | {estimate} | {seconds} |")
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    README.write_text(before + "\n".join([BEGIN, "", *lines, "", END]) + rest.split(END)[1], encoding="utf-8")


def say(row: Mapping[str, Any]) -> None:
    """One row on the terminal."""
    print(
        "  ".join(f"{k} {v:.2e}" if isinstance(v, float) and k != "seconds" else f"{k} {v}" for k, v in row.items()),
        flush=True,
    )


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, columns: Sequence[str], row: Mapping[str, Any]) -> None:
    """One more row."""
    new = not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """The whole table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
