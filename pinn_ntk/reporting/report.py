"""One self-contained report of a run: what was asked, the answer, the pictures, the theory beside the measurement,
the versions.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from pinn_ntk.reporting.files import write_text
from pinn_ntk.reporting.narrative import (
    STATUS,
    answer,
    finite_elements,
    key_numbers,
    provenance,
    question,
    theorem_words,
    widths,
)
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.page import (
    badge,
    cards,
    definitions,
    illustrated,
    mathematics,
    page,
    paragraph,
    section,
    statements_table,
    two_columns,
)
from pinn_ntk.reporting.plots import sections
from pinn_ntk.reporting.solver_plots import solver_sections
from pinn_ntk.reporting.style import Section


def write_report(record: Outcome, summary: Mapping[str, Any], folder: Path) -> Path:
    """Write figures/*.svg and report.html.

    Args:
        record: the run.
        summary: of that record.
        folder: the run's folder, which exists.

    Returns:
        The path of the report.
    """
    drawn = sections(record)
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    for picture in (p for part in drawn for p in part.pictures):
        picture.write(figures)
    path = folder / "report.html"
    write_text(path, report_html(record, summary, drawn))
    return path


def report_html(record: Outcome, summary: Mapping[str, Any], drawn: Sequence[Section]) -> str:
    """The page as text.

    Args:
        record: the run.
        summary: of that record.
        drawn: its pictures.
    """
    asked, name = record.problem, record.problem.name
    parts = [
        _header(record, summary),
        section("What was asked", definitions(question(record))),
        *(solver_sections(record.solution) if record.solution is not None else []),
        *(
            [section("Beside finite elements", definitions(finite_elements(record.compared)))]
            if record.compared is not None
            else []
        ),
        *map(illustrated, drawn),
    ]
    if record.solution is None:
        parts.append(
            section("Theory beside measurement", paragraph(theorem_words(record)), statements_table(record.statements))
        )
    if rows := widths(record):
        lead = paragraph("What the theorem and the certificate ask of the number of neurons N.")
        parts.append(section("Width", lead, two_columns(("condition", "N ≥"), rows)))
    parts.append(section("How this was made", definitions(provenance(record)), _configuration(record)))
    return page(f"{name} · {asked.equation or record.status}", parts)


def _header(record: Outcome, summary: Mapping[str, Any]) -> str:
    problem = record.problem
    warnings = [f'<div class="warn"><b>Note.</b> {mathematics(text)}</div>' for text in record.warnings]
    return (
        '<header><p class="where">pinn_ntk · '
        f"{escape(problem.name)}</p><h1>{mathematics(problem.equation or problem.name)}</h1>"
        f'<p class="answer">{mathematics(answer(record, summary))} '
        f"{badge(STATUS[record.status][0], str(record.status))}</p></header>"
        + cards(key_numbers(record, summary))
        + "".join(warnings)
    )


def _configuration(record: Outcome) -> str:
    if record.config is None:
        return ""
    text = json.dumps(record.config, indent=2, ensure_ascii=False, default=str)
    return f"<details><summary>The configuration</summary><pre>{escape(text)}</pre></details>"
