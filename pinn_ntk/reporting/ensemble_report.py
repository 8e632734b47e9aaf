"""One self-contained page of an ensemble: what was asked, how the seeds fared,
and in what share of them each statement held.
"""

import json
from collections.abc import Iterable, Sequence
from html import escape

from pinn_ntk.comparison.coverage import Coverage
from pinn_ntk.comparison.lazy_statements import FORECAST
from pinn_ntk.reporting.ensemble_outcome import EnsembleOutcome
from pinn_ntk.reporting.ensemble_plots import lemma_section, loss_section
from pinn_ntk.reporting.narrative import STATUS, Pairs, provenance, question, widths
from pinn_ntk.reporting.page import (
    BADGES,
    badge,
    cards,
    definitions,
    illustrated,
    mathematics,
    page,
    paragraph,
    section,
    two_columns,
)
from pinn_ntk.reporting.style import Section, number
from pinn_ntk.reporting.tables import table_html
from pinn_ntk.training.states import Status

_WORDS = {
    Status.CONVERGED: "converged",
    Status.MAX_STEPS: "took all steps",
    Status.STAGNATED: "stagnated",
    Status.DIVERGED: "diverged",
}
_LINE = 150  # pixels from share 0 to share 1


def ensemble_sections(outcome: EnsembleOutcome) -> tuple[Section, ...]:
    """All pictures."""
    return loss_section(outcome), lemma_section(outcome)


def ensemble_html(outcome: EnsembleOutcome, drawn: Sequence[Section]) -> str:
    """The page as text.

    Args:
        outcome: the ensemble.
        drawn: its pictures.
    """
    record, size = outcome.median, len(outcome.members)
    asked = [
        (k, f"{v.rpartition(', seed')[0]}, seeds {_seeds(outcome)}") if k == "start" else (k, v)
        for k, v in question(record)
    ]
    asked = [(k, f"{v} (the seed of the median)") if k == "training" else (k, v) for k, v in asked]
    shares = (
        "Dots are shares of the seeds that could be judged, bars 95 % intervals (Clopper–Pearson), blue "
        "strokes the promised 1 − δ."
    )
    rule = "A promise counts as broken only when the whole interval lies below it; without one the share stands alone."
    parts = [
        _header(outcome),
        section("What was asked", definitions(asked)),
        *map(illustrated, drawn),
        section("Statements over seeds", paragraph(f"{shares} {rule}"), coverage_table(outcome.coverage)),
    ]
    if rows := widths(record):
        lead = "What the theorem asks of the number of neurons N, with R_S(θ⁰) of the median seed."
        parts.append(section("Width", paragraph(lead), two_columns(("condition", "N ≥"), rows)))
    note = (
        f"{number(size)} rows, also in ensemble.csv. λ_min ratio is λ_min(K̂^(a)(θ⁰))/λ_S; drift ratio is "
        "drift_a/(λ_S/4)."
    )
    parts.append(section("All seeds", paragraph(note), table_html(outcome.rows())))
    parts.append(section("How this was made", definitions(_made(outcome)), _configuration(outcome)))
    return page(f"{record.problem.name} · {size} seeds", parts)


def _seeds(outcome: EnsembleOutcome) -> str:
    seeds = [member.seed for member in outcome.members]
    if seeds == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]}…{seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
    return ", ".join(map(str, seeds))


def _header(outcome: EnsembleOutcome) -> str:
    problem = outcome.median.problem
    warnings = [f'<div class="warn"><b>Note.</b> {mathematics(text)}</div>' for text in outcome.warnings]
    marks = " ".join(
        badge(STATUS[status][0], f"{count} × {status}") for status, count in outcome.statuses.most_common()
    )
    return (
        f'<header><p class="where">pinn_ntk · {escape(problem.name)} · '
        f"ensemble</p><h1>{mathematics(problem.equation or problem.name)}</h1>"
        f'<p class="answer">{mathematics(_answer(outcome))} {marks}</p></header>'
        + cards(_key_numbers(outcome))
        + "".join(warnings)
    )


def _answer(outcome: EnsembleOutcome) -> str:
    """How the seeds fared, and what became of the promises, in two or three sentences."""
    about, size = outcome.median.network.about, len(outcome.members)
    fared = ", ".join(
        f"{count} {_WORDS.get(status, f'ended as {status}')}" for status, count in outcome.statuses.most_common()
    )
    words = [f"{number(size)} seeds of {about.words} were trained together: {fared}."]
    shared = [c for c in outcome.coverage if c.promised is not None and c.share is not None]
    promised = [c for c in shared if c.name != FORECAST.name]
    broken = [c.name for c in promised if c.verdict == "fails"]
    if promised and not broken:
        words.append(
            f"All {len(promised)} statements that theory promises with probability "
            f"{number(promised[0].promised)} held as promised."
        )
    elif promised:
        words.append(
            f"Of {len(promised)} statements that theory promises with a probability, {len(broken)} broke it: "
            f"{', '.join(broken)}."
        )
    else:
        words.append("Theory promises nothing with a probability at this width: the shares below stand alone.")
    words += [
        f"The forecast was {'calibrated' if c.verdict == 'holds' else 'not calibrated'}: {c.reason}."
        for c in shared
        if c.name == FORECAST.name
    ]
    return " ".join(words)


def _key_numbers(outcome: EnsembleOutcome) -> Pairs:
    quantiles = outcome.quantiles()

    def spread(name: str) -> str:
        low, middle, high = quantiles[name].values()
        return f"{number(middle)} ({number(low)} … {number(high)})"

    labels = (
        ("relative_l2", "relative L² error: median (5 … 95 % of seeds)"),
        ("loss_final", "loss R_S at the end"),
        ("lambda_min_ratio", "λ_min(K̂^(a)(θ⁰))/λ_S"),
        ("drift_ratio", "largest drift over λ_S/4"),
        ("worst_ratio", "largest loss over its bound"),
        ("rate_measured", "measured rate of the loss"),
    )
    pairs = [(spread(name), label) for name, label in labels if name in quantiles]
    return [*pairs[:5], (f"{number(outcome.seconds['total'])} s", "wall time of all seeds")]


def coverage_table(coverage: Iterable[Coverage]) -> str:
    """Statement, counts, share with its interval drawn, promise, verdict."""
    head = (
        '<th>statement</th><th class="number">holds</th><th class="number">fails</th><th>share of '
        "seeds</th><th>verdict</th>"
    )
    rows, last = [], ""
    for c in coverage:
        rows.append(
            _covered(c, "for the same reason" if c.reason and c.reason == last and c.share is None else c.reason)
        )
        last = c.reason
    return f'<table class="statements"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _covered(c: Coverage, why: str) -> str:
    mark = badge(*BADGES[c.verdict]) if c.verdict is not None else badge("flat", "share only")
    silent = [
        f"{count} {word}"
        for count, word in ((c.vacuous, "say nothing"), (c.not_applicable, "not applicable"))
        if count and c.share is not None
    ]
    reason = f"<small>{mathematics('; '.join([*silent, *([why] if why else [])]))}</small>" if silent or why else ""
    return (
        f"<tr><td>{mathematics(c.name)}<small>{mathematics(c.claim)}</small></td>"
        f'<td class="number" data-label="holds">{c.holds}</td><td class="number" data-label="fails">{c.fails}</td>'
        f'<td data-label="share">{_interval(c)}</td><td>{mark}{reason}</td></tr>'
    )


def _interval(c: Coverage) -> str:
    """The share with its interval as a small drawing, and in numbers."""
    if c.share is None or c.low is None or c.high is None:
        return "–"
    at = [6 + _LINE * v for v in (c.share, c.low, c.high)]
    promise = "" if c.promised is None else _stroke(6 + _LINE * c.promised)
    words = f"{number(c.share)} ({number(c.low)} … {number(c.high)})"
    return (
        f'<svg width="{_LINE + 12}" height="16" viewBox="0 0 {_LINE + 12} 16" role="img" aria-label="{escape(words)}">'
        f'<line x1="6" y1="8" x2="{_LINE + 6}" y2="8" stroke="#e2e4e9" stroke-width="2"/>{promise}'
        f'<line x1="{at[1]:.1f}" y1="8" x2="{at[2]:.1f}" y2="8" stroke="#8a8f98" stroke-width="5"/>'
        f'<circle cx="{at[0]:.1f}" cy="8" r="3.6" fill="#1a1a1a"/></svg><small>{escape(words)}</small>'
    )


def _stroke(x: float) -> str:
    return f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="16" stroke="#0072b2" stroke-width="2"/>'


def _made(outcome: EnsembleOutcome) -> Pairs:
    """Versions, machine and times of the whole."""
    pairs = dict(provenance(outcome.median))
    pairs["time"] = ", ".join(f"{name} {number(value)} s" for name, value in outcome.seconds.items() if value > 0.0)
    pairs["files"] = (
        "summary.json (medians, quantiles, coverage), ensemble.csv (one row per seed), history.csv (quantiles "
        "at the tracked steps), "
        "arrays.nc (all of it by seed), figures/"
    )
    return list(pairs.items())


def _configuration(outcome: EnsembleOutcome) -> str:
    if outcome.median.config is None:
        return ""
    text = json.dumps(outcome.median.config, indent=2, ensure_ascii=False, default=str)
    return f"<details><summary>The configuration</summary><pre>{escape(text)}</pre></details>"
