"""The document of a study or a sweep: the question, the findings beside what was expected, pictures, the table,
how it was made.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from pinn_ntk.comparison.finding import Finding
from pinn_ntk.reporting.page import BADGES, badge, definitions, illustrated, mathematics, page, paragraph, section
from pinn_ntk.reporting.style import Section, number
from pinn_ntk.reporting.tables import Rows, table_html


def study_html(
    title: str,
    question: str,
    findings: Sequence[Finding],
    sections: Iterable[Section],
    rows: Rows,
    facts: Iterable[tuple[str, str]],
    config: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    further: str = "",
) -> str:
    """The page as text.

    Args:
        title: heading.
        question: what was asked and how it was measured.
        findings: the numbers that the study was made for.
        sections: pictures.
        rows: the table.
        facts: versions, times, sizes.
        config: the base configuration.
        notes: what went wrong, such as cells that failed.
        further: a section after the pictures.
    """
    warnings = "".join(f'<div class="warn"><b>Note.</b> {mathematics(text)}</div>' for text in notes)
    header = (
        f'<header><p class="where">pinn_ntk</p><h1>{mathematics(title)}</h1><p '
        f'class="answer">{mathematics(question)}</p></header>'
    )
    parts = [header + warnings]
    if findings:
        parts.append(section("Findings", findings_table(findings)))
    parts += [*map(illustrated, sections), further]
    if rows:
        parts.append(
            section(
                "All numbers", paragraph(f"{len(rows)} rows; table.csv has them in full precision."), table_html(rows)
            )
        )
    parts.append(section("How this was made", definitions(facts), _configuration(config)))
    return page(title, parts)


def findings_table(findings: Iterable[Finding]) -> str:
    """Name, measured with its interval, expected, verdict."""
    rows = "".join(_finding(f) for f in findings)
    head = '<th>finding</th><th class="number">measured</th><th>expected</th><th>verdict</th>'
    return f'<table class="statements"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def interval_words(finding: Finding) -> str:
    """The value with its 95 % interval."""
    return number(finding.value) + (
        "" if finding.low is None or finding.high is None else f" ({number(finding.low)} … {number(finding.high)})"
    )


def _finding(f: Finding) -> str:
    reason = f"<small>{mathematics(f.reason)}</small>" if f.reason else ""
    return (
        f"<tr><td>{mathematics(f.name)}<small>{mathematics(f.claim)}</small></td>"
        f'<td class="number" data-label="measured">{escape(interval_words(f))}</td>'
        f'<td data-label="expected">{mathematics(f.expected)}</td><td>{badge(*BADGES[f.verdict])}{reason}</td></tr>'
    )


def _configuration(config: Mapping[str, Any] | None) -> str:
    if config is None:
        return ""
    text = json.dumps(config, indent=2, ensure_ascii=False, default=str)
    return f"<details><summary>The configuration</summary><pre>{escape(text)}</pre></details>"
