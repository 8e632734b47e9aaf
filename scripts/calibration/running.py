"""One row for each problem: solved in a process of its own, which is ended when it takes far too long."""

import csv
import fcntl
import inspect
import math
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from collection import ROOT, Entry, entry_of

from pinn_ntk import solve

COLUMNS = (
    "name", "effort", "commit", "tags", "expected", "resolvable", "tolerance", "reason", "estimate", "truth", "ratio",
    "share", "seconds", "width", "words",
)  # fmt: skip
PER_SECOND = 1e10
"""Operations that count as a second where `solve` has no `effort` yet."""
_WORDS = 160


def settings(effort: float | None, seconds: float | None) -> dict[str, float]:
    """What `solve` takes of the two; effort becomes seconds where it is not known there."""
    known = inspect.signature(solve).parameters
    found: dict[str, float] = {}
    if effort is not None and "effort" in known:
        found["effort"] = effort
    elif effort is not None:
        found["seconds"] = effort / PER_SECOND
    if seconds is not None:
        found["seconds"] = min(seconds, found.get("seconds", math.inf))
    return found


def solved(entry: Entry, how: Mapping[str, float]) -> dict[str, Any]:
    """One row: the reason, the estimate and the truth; a refusal and a crash are answers, too."""
    row = known(entry)
    begin, words = time.perf_counter(), ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            posed, truth_of = entry.pose()
            solution = solve(posed.problem, tolerance=entry.tolerance, **how)
        except ValueError as error:
            return {**row, "reason": _line(f"refused: {error}"), "seconds": _seconds(begin)}
        except Exception as error:
            return {**row, "reason": _line(f"failed: {type(error).__name__}: {error}"), "seconds": _seconds(begin)}
        row |= {"reason": str(solution.reason), "seconds": _seconds(begin)}
        row |= {"share": solution.final.share, "width": solution.network.width, "estimate": solution.estimate}
        truth = truth_of(solution)
        words = "; ".join(
            dict.fromkeys([*map(str, getattr(solution, "warnings", ())), *(str(w.message) for w in caught)])
        )
    if truth is not None:
        row |= {"truth": truth, "ratio": solution.estimate / max(truth, 1e-300)}
    return {**row, "words": _line(words)}


def known(entry: Entry) -> dict[str, Any]:
    """What a row says before anything is solved."""
    tags = "; ".join(entry.tags)
    row = {"name": entry.name, "tags": tags, "expected": entry.expected, "resolvable": entry.resolvable}
    return {**row, "tolerance": entry.tolerance}


def _seconds(begin: float) -> float:
    return round(time.perf_counter() - begin, 2)


def _line(words: str) -> str:
    return " ".join(words.split())[:_WORDS]


class Worker:
    """A process that solves one problem after another; a new one after one that was ended."""

    def __init__(self, how: Mapping[str, float], guard: float) -> None:
        self.how, self.guard = dict(how), guard
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def row(self, entry: Entry) -> dict[str, Any]:
        """The row of a problem, with reason 'timeout' or 'failed' where the process gave none."""
        pipe = self._started()
        begin = time.perf_counter()
        pipe.send((entry.key, self.how))
        try:
            if pipe.poll(self.guard):
                return dict(pipe.recv())
            reason = f"timeout: {self.guard:.0f} s"
        except (EOFError, OSError):
            reason = "failed: the process ended"
        self.stop()
        return {**known(entry), "reason": reason, "seconds": _seconds(begin)}

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _started(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=work, args=(theirs, list(sys.path)), daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe


def work(pipe: Connection, path: list[str]) -> None:
    """Rows for what comes through the pipe, until it is closed."""
    sys.path[:] = path
    os.chdir(ROOT)
    while True:
        try:
            key, how = pipe.recv()
        except EOFError:
            return
        pipe.send(solved(entry_of(key), how))


def append(path: Path, row: Mapping[str, Any]) -> None:
    """One more row, also while other shards write theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not file.seek(0, os.SEEK_END):
            writer.writeheader()
        writer.writerow(row)
