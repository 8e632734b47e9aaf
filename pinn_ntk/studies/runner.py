"""Runs a study into a folder: each cell once, whatever happens to the others,
then one document of all that is finished.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinn_ntk.experiment.provenance import versions
from pinn_ntk.networks.storage import replacing
from pinn_ntk.reporting.files import write_summary, write_text
from pinn_ntk.reporting.outcome import finite
from pinn_ntk.reporting.study_page import study_html
from pinn_ntk.reporting.tables import write_table
from pinn_ntk.studies.cells import Attempt, attempts, read
from pinn_ntk.studies.study import Cell, Document, Measured, Results, Row, Study


@dataclass(frozen=True)
class Progress:
    """Told after every cell.

    Attributes:
        done: cells finished, those of an earlier run among them.
        total: of all.
        cell: the one just finished; None before the first.
        state: 'measured', 'kept' from an earlier run, or 'failed'.
        seconds: it took.
    """

    done: int
    total: int
    cell: Cell | None
    state: str
    seconds: float


@dataclass(frozen=True)
class Finished:
    """A study that was run.

    Attributes:
        report: path of report.html.
        summary: as in summary.json.
        failed: cells without a result, and why.
    """

    report: Path
    summary: Mapping[str, Any]
    failed: tuple[tuple[Cell, str], ...]


def run_study(
    study: Study,
    folder: str | Path,
    context: str = "",
    on_cell: Callable[[Progress], None] | None = None,
    config: Mapping[str, Any] | None = None,
    workers: int = 1,
) -> Finished:
    """Measure the cells that have no result yet and write table.csv, figures/, report.html and summary.json.

    Args:
        study: what to do.
        folder: made when missing; results of an earlier run in it are kept.
        context: what all cells depend on beside their parameters, such as the base configuration; another one is
            another cell.
        on_cell: called after every cell.
        config: kept in the report.
        workers: processes that measure cells at the same time; a study that takes times has one.

    Returns:
        Where the report is, and which cells failed: a cell that raises is a row of the table, and the others go on.
        Ctrl-C ends the work with the document of what is finished.
    """
    path, begin = Path(folder), time.perf_counter()
    path.mkdir(parents=True, exist_ok=True)
    context = f"{study.name}\n{versions()['pinn_ntk']}\n{context}"
    folders = [path / "cells" / cell.identity(context) for cell in study.cells]
    done: dict[int, Attempt] = {}
    interrupted = False
    try:
        for attempt in attempts(study, folders, 1 if study.timed else workers):
            done[attempt.index] = attempt
            if on_cell is not None:
                on_cell(
                    Progress(len(done), len(study.cells), study.cells[attempt.index], attempt.state, attempt.seconds)
                )
    except KeyboardInterrupt:
        interrupted = True
    order = [done[index] for index in sorted(done)]
    failed = [(study.cells[a.index], a.reason) for a in order if a.state == "failed"]
    found = [
        (study.cells[a.index], kept)
        for a in order
        if a.state != "failed" and (kept := read(folders[a.index])) is not None
    ]
    rows = [_joined(cell, row) for cell, measured in found for row in measured.rows]
    document = study.document(Results(rows, [(cell, m.arrays) for cell, m in found])) if rows else Document((), ())
    status = "INTERRUPTED" if interrupted else "FAILED" if not rows else "PARTIAL" if failed else "DONE"
    summary = _summary(study, document, status, found, failed, time.perf_counter() - begin)
    return Finished(_write(study, path, document, rows, summary, failed, config), summary, tuple(failed))


def _joined(cell: Cell, row: Row) -> Row:
    plain = {k: v for k, v in cell.parameters.items() if v is None or isinstance(v, (str, int, float, bool))}
    return {**plain, **row}


def _summary(
    study: Study,
    document: Document,
    status: str,
    found: Sequence[tuple[Cell, Measured]],
    failed: Sequence[tuple[Cell, str]],
    seconds: float,
) -> dict[str, Any]:
    nonfinite: list[str] = []
    values = {
        "study": study.name,
        "title": study.title,
        "status": status,
        "cells": {
            "total": len(study.cells),
            "done": len(found),
            "failed": [{**c.parameters, "error": why} for c, why in failed],
        },
        "findings": [vars(finding) for finding in document.findings],
        "time": {"total": seconds},
        "versions": versions(),
    }
    clean: dict[str, Any] = finite(values, "", nonfinite)
    return {**clean, "nonfinite": nonfinite}


def _write(
    study: Study,
    path: Path,
    document: Document,
    rows: list[Row],
    summary: Mapping[str, Any],
    failed: Sequence[tuple[Cell, str]],
    config: Mapping[str, Any] | None,
) -> Path:
    write_table(rows, path / "table.csv")
    figures = path / "figures"
    figures.mkdir(exist_ok=True)
    for picture in (p for part in document.sections for p in part.pictures):
        picture.write(figures)
    for name, data in document.files.items():
        with replacing(figures / name) as aside:
            aside.write_bytes(data)
    facts = [
        ("cells", f"{summary['cells']['done']} of {summary['cells']['total']} finished"),
        ("time of this run", f"{summary['time']['total']:.1f} s"),
        ("versions", ", ".join(f"{k} {v}" for k, v in summary["versions"].items())),
    ]
    notes = [f"no result for {cell.words}: {why}" for cell, why in failed]
    if summary["status"] == "INTERRUPTED":
        notes.append("interrupted: the same command measures the cells that are missing")
    text = study_html(study.title, study.question, document.findings, document.sections, rows, facts, config, notes)
    report = path / "report.html"
    write_text(report, text)
    write_summary(summary, path / "summary.json")
    return report
