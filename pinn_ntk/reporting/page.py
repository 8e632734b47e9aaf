"""The page itself: one self-contained HTML file, no scripts, nothing from the network; everything from the record is escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from pinn_ntk.reporting.style import Picture

CSS = """
:root{--ink:#1d2129;--soft:#5b6270;--line:#e3e5ea;--tint:#f6f7f9;--blue:#0072b2}
*{box-sizing:border-box}
body{margin:0;background:#fff;color:var(--ink);font:16px/1.58 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:1000px;margin:0 auto;padding:40px 24px 72px}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .35em;font-weight:650;letter-spacing:-.01em}
h2{font-size:1.22rem;margin:2.4em 0 .5em;font-weight:620;border-top:1px solid var(--line);padding-top:1.3em}
p{margin:.5em 0 1em;max-width:74ch}
.answer{font-size:1.1rem;color:#2c3340}
.badge{display:inline-block;padding:.16em .7em;border-radius:99px;font-size:.82rem;font-weight:600;border:1px solid;vertical-align:middle;white-space:nowrap}
.good{color:#00664b;border-color:#009e73;background:#ecf8f4}.bad{color:#9b3a00;border-color:#d55e00;background:#fdf1ea}
.flat{color:#4d5460;border-color:#b9bec8;background:#f4f5f7}.info{color:#004f7d;border-color:#0072b2;background:#eaf4fa}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(138px,1fr));gap:12px;margin:1.5em 0}
.card{background:var(--tint);border-radius:10px;padding:12px 14px}
.card b{display:block;font-size:1.16rem;font-weight:620;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.card span{font-size:.8rem;color:var(--soft)}
figure{margin:1.2em 0 1.6em}figure img{width:100%;height:auto;display:block}
figcaption{color:var(--soft);font-size:.92rem;max-width:80ch;margin-top:.5em}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.5em .7em .5em 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:550}td.n{white-space:nowrap}
td small{color:var(--soft);display:block;max-width:46ch}
dl{display:grid;grid-template-columns:minmax(110px,180px) 1fr;gap:.25em 1em;font-size:.93rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.warn{border-left:3px solid #d55e00;background:#fdf6f1;padding:.55em .9em;margin:.5em 0;font-size:.93rem}
pre{background:var(--tint);padding:12px 14px;border-radius:8px;overflow-x:auto;font-size:.8rem}
summary{cursor:pointer;color:var(--blue)}
@media(max-width:640px){main{padding:22px 16px 48px}h1{font-size:1.45rem}dl{grid-template-columns:1fr}dt{margin-top:.5em}
.scroll table{min-width:620px}figure .scroll img{min-width:640px}}
@media print{h2{break-after:avoid}figure{break-inside:avoid}}
"""

BADGES = {"holds": ("good", "✓ holds"), "fails": ("bad", "✗ fails"), "vacuous": ("info", "○ vacuous"), "not_applicable": ("flat", "– n/a")}


def badge(kind: str, text: str) -> str:
    """A coloured word; the word says it without the colour."""
    return f'<span class="badge {kind}">{escape(text)}</span>'


def card(value: str, label: str) -> str:
    """One key number."""
    return f'<div class="card"><b>{escape(value)}</b><span>{escape(label)}</span></div>'


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of terms and their values."""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs) + "</dl>"


def figure(picture: Picture) -> str:
    """A section with one picture and its caption."""
    return (
        f'<h2>{escape(picture.title)}</h2><figure><div class="scroll"><img alt="{escape(picture.caption)}" src="{picture.data_uri}"></div>'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are HTML already."""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{"".join(f"<th>{escape(h)}</th>" for h in head)}</tr></thead><tbody>{body}</tbody></table></div>'


def page(title: str, parts: Iterable[str]) -> str:
    """The whole document."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )
