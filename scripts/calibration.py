"""Does the solver's estimate tell the truth? `python scripts/calibration.py [NAME …] [--effort 1e11] [--shard 1/2]`.

A1–A10 and G1–G7 of scripts/accuracy.py, the cases of tests/cases and problems of a generator that knows no solver
(scripts/calibration/generator.py; `--seeds 1000:1200` for fresh ones) are solved, each to its own tolerance, and the
estimate is put beside ‖u − h‖/‖u‖ on thousands of fresh points. Every row of benchmarks/calibration.csv stays: a call
that was cut short goes on where it was (same effort, same commit), shards share the work. `--table` runs nothing: it
prints the goals of the rows of one commit and effort, those of the last row without a word, and writes
benchmarks/calibration_goals.csv and docs/benchmarks/calibration.svg.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent / "calibration"))

from accuracy import read, write
from collection import ROOT, collection
from evaluation import picture, summary, table
from generator import SEEDS
from running import PER_SECOND, Worker, append, settings

ROWS = ROOT / "benchmarks" / "calibration.csv"
GOALS = ROOT / "benchmarks" / "calibration_goals.csv"
PICTURE = ROOT / "docs" / "benchmarks" / "calibration.svg"


def main(arguments: Sequence[str]) -> int:
    """Solve what is missing of this shard, then print the goals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of names; none: all of them")
    parser.add_argument("--seeds", type=seeds_of, default=SEEDS, help="of the generator, such as 1000:1200")
    parser.add_argument("--effort", type=positive, help="operations for each problem, as solve takes them")
    parser.add_argument("--seconds", type=positive, help="for each problem, a hard stop")
    parser.add_argument("--shard", type=shard_of, default=(1, 1), help="i/k: every k-th problem from the i-th on")
    parser.add_argument("--commit", help="what rows are filed under; without a word, HEAD")
    parser.add_argument("--guard", type=positive, help="seconds after which the process is ended")
    parser.add_argument("--table", action="store_true", help="only the goals and the picture, from the rows there are")
    asked = parser.parse_args(arguments)
    if not asked.table:
        run(asked)
    commit, effort = chosen(asked)
    rows = [r for r in read(ROWS) if (r["commit"], r["effort"]) == (commit, effort)]
    print(f"{len(rows)} rows of {commit}, effort {effort}\n{table(rows)}")
    if asked.table and rows:
        write(GOALS, ("what", "found", "goal", "met"), summary(rows))
        picture(rows, PICTURE)
        print(GOALS, PICTURE, sep="\n")
    return 0


def run(asked: argparse.Namespace) -> None:
    """Every problem of the shard that has no row yet."""
    first, step = asked.shard
    entries = [e for e in collection(asked.seeds) if not asked.names or e.name.startswith(tuple(asked.names))]
    how, commit = settings(asked.effort, asked.seconds), asked.commit or head()
    effort = word(asked.effort, asked.seconds)
    done = {(r["name"], r["effort"], r["commit"]) for r in read(ROWS)}
    expected = how.get("seconds", max(60.0, (asked.effort or 0.0) / PER_SECOND))
    worker = Worker(how, asked.guard or 4.0 * expected + 120.0)
    try:
        for entry in entries[first - 1 :: step]:
            if (entry.name, effort, commit) not in done:
                row = {**worker.row(entry), "effort": effort, "commit": commit}
                append(ROWS, row)
                print(said(row), flush=True)
    finally:
        worker.stop()


def said(row: Mapping[str, object]) -> str:
    """A row on the terminal."""
    numbers = "  ".join(f"{k} {row[k]:.1e}" for k in ("estimate", "truth") if isinstance(row.get(k), float))
    return f"{row['name']:44} {row['expected']:13} {row['reason']}  {numbers}  {row['seconds']} s"


def word(effort: float | None, seconds: float | None) -> str:
    """What was asked for, as rows are filed."""
    asked = [f"{effort:g}"] if effort is not None else []
    return " ".join([*asked, *([f"{seconds:g}s"] if seconds is not None else [])]) or "default"


def chosen(asked: argparse.Namespace) -> tuple[str, str]:
    """Commit and effort of the rows that are judged: those just run; of a table what is asked for, else the last."""
    last = (read(ROWS) or [{"commit": "", "effort": ""}])[-1]
    told = asked.effort is not None or asked.seconds is not None or not asked.table
    effort = word(asked.effort, asked.seconds) if told else last["effort"]
    return asked.commit or (last["commit"] if asked.table else head()), effort


def head() -> str:
    """The commit that is checked out."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def seeds_of(text: str) -> range:
    """a:b."""
    first, last = (int(part) for part in text.split(":"))
    return range(first, last)


def shard_of(text: str) -> tuple[int, int]:
    """i/k with 1 ≤ i ≤ k."""
    first, step = (int(part) for part in text.split("/"))
    if not 1 <= first <= step:
        raise ValueError(text)
    return first, step


def positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not value > 0.0:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
