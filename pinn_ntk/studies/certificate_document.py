"""The certificate against width, as pictures and findings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pinn_ntk.comparison.coverage import clopper_pearson
from pinn_ntk.comparison.finding import Finding
from pinn_ntk.comparison.statements import Verdict
from pinn_ntk.reporting.scaling_plots import Series, scaling_picture
from pinn_ntk.reporting.style import Section, number
from pinn_ntk.studies.study import Document, Results, Row
from pinn_ntk.studies.width_statistics import medians

_LARGE_SHARE = 0.9
_SHARES = {"certified": "certified", "by_ball": "in a ball alone", "stays": "t* = ∞ too"}
_RATES = {
    "rate": "certified",
    "initial_rate": "linearised, for t → ∞",
    "measured_rate": "measured, second half of the run",
    "theorem_rate": "s²Nλ_S/n",
}


def document(results: Results) -> Document:
    """Two pictures and the findings of each problem."""
    sections, findings = [], []
    for problem in dict.fromkeys(str(row["problem"]) for row in results.rows):
        rows = [row for row in results.where({"problem": problem}) if "width" in row]
        theorem = next((row for row in results.where({"problem": problem}) if row.get("theorem")), None)
        if not rows:
            continue
        sections.append(Section(problem, "", (_shares(problem, rows), _rates(problem, results))))
        findings += [
            _width(problem, rows, theorem),
            _estimate(problem, rows),
            _obeyed(problem, rows),
            _loss(problem, rows),
        ]
    return Document(tuple(sections), tuple(findings))


def _by_width(rows: Sequence[Row], name: str) -> tuple[list[int], list[int], list[int]]:
    """Widths, at how many seeds the entry is true, and how many have one."""
    widths = sorted({int(row["width"]) for row in rows})  # type: ignore[arg-type]
    entries = [[row[name] for row in rows if row["width"] == w and row.get(name) is not None] for w in widths]
    return widths, [sum(map(bool, e)) for e in entries], [len(e) for e in entries]


def _shares(problem: str, rows: Sequence[Row]) -> Any:
    series = []
    for name, label in _SHARES.items():
        widths, yes, of = _by_width(rows, name)
        kept = [i for i, count in enumerate(of) if count]
        bands = [clopper_pearson(yes[i], of[i]) for i in kept]
        shares = [yes[i] / of[i] for i in kept]
        low, high = ([b[side] for b in bands] for side in (0, 1))
        series.append(Series(label, [widths[i] for i in kept], shares, None, low, high))
    return scaling_picture(
        f"certified_{problem}",
        "seeds with a certificate",
        "width N",
        "share of seeds",
        series,
        "Shaded: 95 % intervals of Clopper and Pearson. Where the share reaches 1, linear convergence is "
        "proved for every network drawn.",
        logarithmic=False,
    )


def _rates(problem: str, results: Results) -> Any:
    series = []
    for column, label in _RATES.items():
        widths, quartiles = medians(results, column, {"problem": problem})
        if widths:
            series.append(Series(label, widths, quartiles[1], None, quartiles[0], quartiles[2]))
    return scaling_picture(
        f"rates_{problem}",
        "rates of the loss",
        "width N",
        "rate of R_S",
        series,
        "Medians over seeds with the quartiles shaded; the certified rate over the seeds that have one. A run "
        "begins with its fast modes, "
        "so the measured rate is above what any certificate about all times can say.",
    )


def _width(problem: str, rows: Sequence[Row], theorem: Row | None) -> Finding:
    """The first width from which on nearly all seeds are certified."""
    widths, yes, of = _by_width(rows, "certified")
    enough = [count >= _LARGE_SHARE * all_ for count, all_ in zip(yes, of, strict=True)]
    first = next((w for i, w in enumerate(widths) if all(enough[i:])), None)
    least = float(theorem["least_width"]) if theorem and theorem.get("least_width") else None  # type: ignore[arg-type]
    asked = "no theorem applies"
    if theorem and least:
        asked = f"the theorem asks for {number(least)} with {theorem['theorem_activation']}"
    claim = f"at least {100 * _LARGE_SHARE:.0f} % of seeds are certified from this width on"
    if first is None:
        return Finding(
            f"{problem}: certified width", claim, None, None, None, asked, "vacuous", f"not up to N = {widths[-1]}"
        )
    gain = f"{number(least / first)} times narrower, for the same points but another activation" if least else ""
    below = widths[widths.index(first) - 1] if widths.index(first) else None
    return Finding(
        f"{problem}: certified width", claim, float(first), below and float(below), float(first), asked, "holds", gain
    )


def _estimate(problem: str, rows: Sequence[Row]) -> Finding:
    """The width at which a narrow network says that wider ones are certified:
    within a factor of two of where seeds begin to be.
    """
    values = np.array([float(width) for row in rows if (width := row.get("estimated_width"))])
    balls = np.array([float(row["ball_width"]) for row in rows if row.get("ball_width")])  # type: ignore[arg-type]
    name, claim = (
        f"{problem}: estimated width",
        "N·ν, from each network alone; median over all seeds and widths, 5 % and 95 % quantiles",
    )
    if not len(values):
        return Finding(name, claim, None, None, None, "", "not_applicable", "σ_min is below its floor everywhere")
    low, middle, high = (float(q) for q in np.quantile(values, (0.05, 0.5, 0.95)))
    ball = f"By the ball alone: {number(float(np.median(balls)))}." if len(balls) else ""
    widths, yes, of = _by_width(rows, "certified")
    none = max((w for w, y in zip(widths, yes, strict=True) if y == 0), default=0)
    every = min((w for w, y, n in zip(widths, yes, of, strict=True) if y == n), default=None)
    if every is None:
        return Finding(name, claim, middle, low, high, f"above {none}, where no seed is certified", "vacuous", ball)
    expected = f"between {none} (no seed) and {every} (every seed), within a factor of 2"
    return Finding(
        name, claim, middle, low, high, expected, "holds" if none / 2 <= middle <= 2 * every else "fails", ball
    )


def _obeyed(problem: str, rows: Sequence[Row]) -> Finding:
    """A proved bound has no exception."""
    worst = [float(row["worst_ratio"]) for row in rows if row.get("worst_ratio") is not None]  # type: ignore[arg-type]
    name, claim = (
        f"{problem}: certified runs obey",
        "the largest R_S(t)/(e^{−rate·t}R_S(0)) over all certified runs and steps",
    )
    if not worst:
        return Finding(name, claim, None, None, None, "at most 1", "not_applicable", "no certified network was trained")
    folds = max(float(row["e_folds"]) for row in rows if row.get("worst_ratio") is not None)  # type: ignore[arg-type]
    reason = f"{len(worst)} runs, up to {number(folds)} e-folds of the bound"
    verdict: Verdict = "fails" if max(worst) > 1.0 + 1e-9 else "holds" if folds >= 1.0 else "vacuous"
    return Finding(name, claim, max(worst), None, None, "at most 1", verdict, reason)


def _loss(problem: str, rows: Sequence[Row]) -> Finding:
    """How much of the rate that J₀ alone would have is certified."""
    kept = [row for row in rows if row.get("rate")]
    shares = np.array([float(row["rate"]) / float(row["initial_rate"]) for row in kept])  # type: ignore[arg-type]
    name, claim = (
        f"{problem}: share of the rate",
        "certified rate over that of the linearised network's slowest mode; median, smallest and largest over "
        "certified seeds",
    )
    if not len(shares):
        return Finding(name, claim, None, None, None, "between 0 and 1", "not_applicable", "no network was certified")
    low, middle, high = float(shares.min()), float(np.median(shares)), float(shares.max())
    return Finding(name, claim, middle, low, high, "between 0 and 1", "holds" if high <= 1 + 1e-9 else "fails")
