"""Tables of many runs: rows of plain values as CSV and as HTML."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from pinn_ntk.reporting.files import write_text
from pinn_ntk.reporting.page import mathematics
from pinn_ntk.reporting.style import number

Value = float | int | str | bool | None
Rows = Sequence[Mapping[str, Value]]
_SHOWN = 400  # rows of a page; the CSV has all


def columns_of(rows: Rows) -> list[str]:
    """Every column that some row has, in the order of first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def write_table(rows: Rows, path: Path) -> None:
    """One line per row, columns by name; numbers as the shortest text that reads back the same,
    what is not there empty.
    """
    names = columns_of(rows)
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(
        [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    )
    write_text(path, buffer.getvalue())


def _cell(value: Value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def table_html(rows: Rows) -> str:
    """The rows as a table that scrolls sideways; beyond a few hundred rows it says how many are left out."""
    names = columns_of(rows)
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    body = "".join("<tr>" + "".join(_html(row.get(name)) for name in names) + "</tr>" for row in rows[:_SHOWN])
    rest = f"<p>{len(rows) - _SHOWN} further rows are in table.csv.</p>" if len(rows) > _SHOWN else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}'


def _html(value: Value) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'<td class="number">{escape(number(float(value)))}</td>'
    return f"<td>{'' if value is None else mathematics(str(value))}</td>"
