"""The page itself: one self-contained HTML file, no scripts, nothing from the network;
everything from the record is escaped.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

from pinn_ntk.comparison.statements import Statement, Verdict
from pinn_ntk.reporting.style import Picture, Section, number

BADGES: Mapping[Verdict, tuple[str, str]] = {
    "holds": ("good", "✓ holds"),
    "fails": ("bad", "✗ fails"),
    "vacuous": ("info", "○ says nothing"),
    "not_applicable": ("flat", "– not applicable"),
}
_BELOW = re.compile(
    r"((?<![A-Za-z0-9])(?:max|min|[a-z])|[A-ZΑ-Ωα-ω𝓛‖Σ∂]\u0302?|\u0302)_(min|max|(?:x[0-9]{1,2}){1,2}t?|[A-Za-z0-9∞]{1,2}|γ)(?![A-Za-z0-9])"
)
_ABOVE = re.compile(r"\^(?:\{([^{}]*)\}|(\([aw]\)|[∞*]|[0-9]+|[a-z](?![A-Za-z0-9])))")


def mathematics(text: str) -> str:
    """Text with R_S, λ_min, K̂^(a), e^{−λt} as subscripts and superscripts;
    everything else is escaped and left alone.
    """
    return _ABOVE.sub(lambda m: f"<sup>{m[1] or m[2]}</sup>", _BELOW.sub(r"\1<sub>\2</sub>", escape(text)))


def badge(kind: str, text: str) -> str:
    """A coloured word; the word says it without the colour."""
    return f'<span class="badge {kind}">{escape(text)}</span>'


def cards(pairs: Iterable[tuple[str, str]]) -> str:
    """Key numbers, each with what it is."""
    return (
        '<div class="cards">'
        + "".join(f'<div class="card"><b>{escape(v)}</b><span>{mathematics(k)}</span></div>' for v, k in pairs)
        + "</div>"
    )


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of terms and their values."""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{mathematics(v)}</dd>" for k, v in pairs) + "</dl>"


def section(title: str, *parts: str) -> str:
    """A part of the page under its heading."""
    return f"<section><h2>{escape(title)}</h2>" + "\n".join(parts) + "</section>"


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{mathematics(text)}</p>"


def illustrated(part: Section) -> str:
    """A section of pictures, two abreast where there is room."""
    grid = f'<div class="grid">{"".join(map(_figure, part.pictures))}</div>' if part.pictures else ""
    return section(part.title, paragraph(part.lead), grid)


def _figure(picture: Picture) -> str:
    kind = ' class="wide"' if picture.wide else ""
    image = f'<img alt="{escape(picture.name.replace("_", " "))}" src="{picture.data_uri}">'
    caption = f"<figcaption>{mathematics(picture.caption)}</figcaption>"
    return f'<figure{kind} id="{picture.name}"><div class="scroll">{image}</div>{caption}</figure>'


def statements_table(statements: Iterable[Statement]) -> str:
    """Name, claim, predicted, measured, slack, verdict, reason."""
    rows, last = [], ""
    for s in statements:
        rows.append(_statement(s, "for the same reason" if s.reason and s.reason == last else s.reason))
        last = s.reason
    return (
        '<table class="statements"><thead><tr><th>statement</th><th class="number">predicted</th><th '
        'class="number">measured</th>'
        f'<th class="number">slack</th><th>verdict</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _statement(s: Statement, why: str) -> str:
    slack = "–" if s.slack is None else f"{number(s.slack)} ×"
    numbers = (("predicted", number(s.predicted)), ("measured", number(s.measured)), ("slack", slack))
    cells = "".join(f'<td class="number" data-label="{label}">{escape(text)}</td>' for label, text in numbers)
    horizon = "" if s.e_folds is None else f"over {number(s.e_folds)} e-folds of the bound"
    reason = f"<small>{mathematics('; '.join(w for w in (horizon, why) if w))}</small>" if horizon or why else ""
    statement = f"<td>{mathematics(s.name)}<small>{mathematics(s.claim)}</small></td>"
    return f"<tr>{statement}{cells}<td>{badge(*BADGES[s.verdict])}{reason}</td></tr>"


def two_columns(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and numbers."""
    body = "".join(
        f'<tr><td>{mathematics(name)}</td><td class="number">{escape(value)}</td></tr>' for name, value in rows
    )
    names = f'<th>{mathematics(head[0])}</th><th class="number">{escape(head[1])}</th>'
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a heading; all columns but the first hold numbers or short texts."""
    names = "".join(
        f"<th>{mathematics(h)}</th>" if k == 0 else f'<th class="number">{mathematics(h)}</th>'
        for k, h in enumerate(head)
    )
    body = "".join("<tr>" + "".join(_cell(k, text) for k, text in enumerate(row)) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(column: int, text: str) -> str:
    return f"<td>{mathematics(text)}</td>" if column == 0 else f'<td class="number">{mathematics(text)}</td>'


def page(title: str, parts: Iterable[str]) -> str:
    """The whole document."""
    style = files("pinn_ntk.reporting").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head><body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )
