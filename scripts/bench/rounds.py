"""Rounds of workers, one process after another and interleaved, so that whatever else the machine does falls on all of
them.
"""

import csv
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WORKERS, RESULTS = ROOT / "scripts" / "bench", ROOT / "benchmarks"
COLUMNS = ("id", "case", "ours", "unit", "other", "theirs", "ratio", "low", "high", "target", "met", "versions")
OURS = Path(sys.executable)
Row = dict[str, str]


@dataclass(frozen=True)
class Worker:
    """A process that times one thing.

    Attributes:
        name: for the table.
        python: of its environment.
        script: in scripts/bench.
        words: its own arguments, before the sizes.
        processes: that share the work, by torchrun.
    """

    name: str
    python: Path
    script: str
    words: tuple[str, ...] = ()
    processes: int = 1


@dataclass(frozen=True)
class Timing:
    """What one process said: the median ms of a call, a number that all have to agree on, versions."""

    ms: float
    check: float
    version: str


def timed(worker: Worker, sizes: Sequence[str], threads: int) -> Timing:
    """One process.

    Raises:
        SystemExit: it failed.
    """
    own = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    flags = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
    launcher = (
        []
        if worker.processes == 1
        else ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={worker.processes}", "--"]
    )
    command = [str(worker.python), *launcher, str(WORKERS / worker.script), *worker.words, *sizes]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**plain, **own, "XLA_FLAGS": flags}
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("result,")]
    if done.returncode or not lines:
        raise SystemExit(
            f"bench: {worker.name} {' '.join(sizes)} ended with exit code {done.returncode}:\n{done.stderr[-2000:]}"
        )
    _, ms, check, version = lines[-1].split(",", 3)
    return Timing(float(ms), float(check), version)


def interleaved(workers: Sequence[Worker], sizes: Sequence[str], rounds: int, threads: int) -> dict[str, list[Timing]]:
    """Every worker once in each round.

    Raises:
        SystemExit: two of them do not compute the same number.
    """
    found: dict[str, list[Timing]] = {worker.name: [] for worker in workers}
    for _ in range(rounds):
        for worker in workers:
            found[worker.name].append(timed(worker, sizes, threads))
            print(f"  {' '.join(sizes)}  {worker.name:24s} {found[worker.name][-1].ms:10.3f} ms", flush=True)
    checks = {name: each[0].check for name, each in found.items() if each[0].check == each[0].check}
    first = next(iter(checks.values()), 0.0)
    tolerance = 1e-3 if "float32" in sizes else 1e-8
    if any(abs(value - first) > tolerance * abs(first) for value in checks.values()):
        raise SystemExit(f"bench: the workers do not compute the same: {checks}")
    return found


def compared(what: str, case: str, ours: Sequence[Timing], other: str, theirs: Sequence[Timing], target: float) -> Row:
    """A row: how many times longer the other takes, round by round."""
    ratios = sorted(t.ms / o.ms for o, t in zip(ours, theirs, strict=True))
    ratio = statistics.median(ratios)
    medians = [statistics.median(t.ms for t in each) for each in (ours, theirs)]
    return row(
        what,
        case,
        medians[0],
        "ms",
        other,
        medians[1],
        (ratio, ratios[0], ratios[-1]),
        f"≥ {target:g}",
        ratio >= target,
        theirs[0].version,
    )


def multiple(
    what: str, case: str, ours: Sequence[Timing], other: str, theirs: Sequence[Timing], most: float | None = None
) -> Row:
    """A row: ours as a multiple of something, round by round; without a target it is a floor to be known."""
    ratios = sorted(o.ms / t.ms for o, t in zip(ours, theirs, strict=True))
    medians = [statistics.median(t.ms for t in each) for each in (ours, theirs)]
    ratio = statistics.median(ratios)
    target = "floor" if most is None else f"≤ {most:g}"
    return row(
        what,
        case,
        medians[0],
        "ms",
        other,
        medians[1],
        (ratio, ratios[0], ratios[-1]),
        target,
        most is None or ratio <= most,
    )


def row(
    what: str,
    case: str,
    ours: float,
    unit: str,
    other: str,
    theirs: float,
    ratio: tuple[float, float, float],
    target: str,
    met: bool,
    versions: str = "",
) -> Row:
    """One line of the table."""
    numbers = [f"{v:.4g}" for v in (ours, theirs, *ratio)]
    values = (what, case, numbers[0], unit, other, *numbers[1:], target, "yes" if met else "no", versions)
    return dict(zip(COLUMNS, values, strict=True))


def write(rows: Sequence[Row], path: Path = RESULTS / "speed.csv") -> None:
    """The table, in which rows of the same id, case and other are replaced."""

    def key(r: Row) -> tuple[str, str, str]:
        return r["id"], r["case"], r["other"]

    old: list[Row] = []
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            old = list(csv.DictReader(file))
    fresh = {key(r): r for r in rows}
    kept = [fresh.pop(key(r), r) for r in old]
    merged = sorted([*kept, *fresh.values()], key=lambda r: (int(r["id"].strip("Sb")), r["id"], r["case"]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(merged)
    for r in rows:
        print(
            f"{r['id']:4s} {r['case']:34s} ours {r['ours']:>8s} {r['unit']:3s} {r['other']:26s} "
            f"{r['theirs']:>8s}  {r['ratio']:>6s}×"
            f" ({r['low']} … {r['high']})  target {r['target']}  {r['met']}",
            flush=True,
        )


def machine() -> str:
    """For the table."""
    return f"{platform.machine()}, {os.cpu_count()} cores"


def table(path: Path = RESULTS / "speed.csv") -> str:
    """The rows in Markdown."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["| | what | ours | beside | theirs | ratio (spread) | target |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        named = not r["versions"] or r["other"].startswith("pinn_ntk")
        other = r["other"] if named else r["versions"].split(",")[0]
        met = "" if r["met"] == "yes" else ", **not met**"
        spread = "" if r["low"] == r["high"] else f" ({r['low']} … {r['high']})"
        cells = (
            r["id"],
            r["case"],
            f"{r['ours']} {r['unit']}",
            other,
            f"{r['theirs']} {r['unit']}",
            f"{r['ratio']}{spread}",
            r["target"] + met,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
