"""Cells on disk: each is measured once and kept, one after another or by several processes;
a cell that fails leaves the others alone.
"""

import json
import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinn_ntk.kernels.memory import MemoryShortageError
from pinn_ntk.networks.storage import replacing
from pinn_ntk.reporting.files import write_text
from pinn_ntk.studies.study import Cell, Measured, Row, Study

ROWS, ARRAYS = "rows.json", "arrays.npz"
_FAILURES = (ValueError, ArithmeticError, MemoryShortageError, MemoryError)
_PATIENCE = 0.5  # seconds between two looks whether a process is still alive


@dataclass(frozen=True)
class Attempt:
    """What became of one cell.

    Attributes:
        index: of the cell.
        state: 'measured', 'kept' from an earlier run, or 'failed'.
        reason: why it failed.
        seconds: it took.
    """

    index: int
    state: str
    reason: str
    seconds: float


def read(folder: Path) -> Measured | None:
    """A finished cell; None where there is none that can be read whole."""
    try:
        rows: list[Row] = json.loads((folder / ROWS).read_text(encoding="utf-8"))["rows"]
        if not (folder / ARRAYS).exists():
            return Measured(rows)
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            return Measured(rows, {name: stored[name] for name in stored.files})
    except (OSError, ValueError, KeyError):
        return None


def keep(folder: Path, cell: Cell, measured: Measured) -> None:
    """Write a cell, its arrays first: one with rows is a finished one."""
    folder.mkdir(parents=True, exist_ok=True)
    if measured.arrays:
        with replacing(folder / ARRAYS) as aside, aside.open("wb") as file:
            np.savez_compressed(file, **dict(measured.arrays))  # type: ignore[arg-type]
    text = json.dumps({"parameters": dict(cell.parameters), "rows": measured.rows}, indent=1, ensure_ascii=False)
    write_text(folder / ROWS, text + "\n")


def attempts(study: Study, folders: Sequence[Path], workers: int = 1) -> Iterator[Attempt]:
    """Every cell in turn, or as they are finished by several processes.

    Args:
        study: whose cells they are.
        folders: one for each cell.
        workers: processes; more than one where the system can fork. Each has one thread.

    Yields:
        One attempt per cell; what was measured is in its folder.
    """
    missing = [i for i, folder in enumerate(folders) if read(folder) is None]
    for index in range(len(folders)):
        if index not in missing:
            yield Attempt(index, "kept", "", 0.0)
    workers = min(workers, len(missing)) if hasattr(os, "fork") else 1
    if workers > 1:
        yield from _forked(study, folders, missing, workers)
    else:
        yield from (_attempt(study, folders, index) for index in missing)


def _attempt(study: Study, folders: Sequence[Path], index: int) -> Attempt:
    start, cell = time.perf_counter(), study.cells[index]
    try:
        keep(folders[index], cell, study.measure(cell))
    except _FAILURES as error:
        return Attempt(index, "failed", f"{type(error).__name__}: {error}", time.perf_counter() - start)
    return Attempt(index, "measured", "", time.perf_counter() - start)


def _forked(study: Study, folders: Sequence[Path], missing: Sequence[int], workers: int) -> Iterator[Attempt]:
    """Forked processes inherit the study, whose closures nothing could send them;
    results come back through the folders.
    """
    context = multiprocessing.get_context("fork")
    tasks, results = context.SimpleQueue(), context.Queue()
    for index in [*missing, *[-1] * workers]:
        tasks.put(index)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a pool of threads does not survive a fork
    processes = [
        context.Process(target=_work, args=(study, folders, tasks, results), daemon=True) for _ in range(workers)
    ]
    left = set(missing)
    try:
        for process in processes:
            process.start()
        while left:
            attempt = _next(results, processes)
            if attempt is None:
                break
            left.discard(attempt.index)
            yield attempt
        for index in sorted(left):
            yield Attempt(
                index,
                "failed",
                "its process was ended by the system, perhaps for want of memory; try study.workers=1",
                0.0,
            )
    finally:
        for process in processes:
            process.terminate()
            process.join()
        torch.set_num_threads(threads)


def _next(results: Any, processes: Sequence[ForkProcess]) -> Attempt | None:
    """The next attempt; None when nobody is left to make one. A bug in a cell is raised here as it would be in one
    process.
    """
    while True:
        alive = any(process.is_alive() for process in processes)
        try:
            found: Attempt | BaseException = results.get(timeout=_PATIENCE)
        except queue.Empty:
            if not alive:
                return None
            continue
        if isinstance(found, BaseException):
            raise found
        return found


def _work(study: Study, folders: Sequence[Path], tasks: Any, results: Any) -> None:
    """One process: cell after cell until there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    while (index := tasks.get()) >= 0:
        try:
            results.put(_attempt(study, folders, index))
        except Exception as error:
            results.put(RuntimeError(f"{type(error).__name__}: {error}, in the cell {study.cells[index].words}"))
            return
