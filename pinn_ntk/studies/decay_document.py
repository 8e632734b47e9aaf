"""What the study of eigenvalues says: fitted laws beside the ones expected,
and e-folding times beside their predictions.
"""

import math
from typing import Any

import numpy as np

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.comparison.decay import Exponential, fit_exponential, fit_power_law
from pinn_ntk.comparison.finding import Finding, slope_finding
from pinn_ntk.reporting.scaling_plots import Series, scaling_picture
from pinn_ntk.reporting.style import QUIET, Picture, Section, number, positive
from pinn_ntk.studies.study import Arrays, Document, Results, Row

ORDERS = ("u", "u'", "u''")
STRETCHED = {"tanh": 2.0 / 3.0, "gaussian": 1.0, "erf": 1.0, "gelu": 1.0}
"""q of exp(−c j^q). tanh(wx) has poles at distance π/(2|w|), so frequency ω of it has the weight exp(−πω/|w|),
and against exp(−w²/2) the best w is (πω)^{1/3}: exp(−c ω^{2/3}). The transforms of the others fall like exp(−ω²/w²):
exp(−cω)."""
_FIRST = 6  # index from which eigenvalues follow a power law
_TOLERANCE = 0.2
_SAME = 0.06  # relative spread of c over the orders
_FAST = 3.0  # steps: a faster mode is gone before it can be timed
_SHARE = 0.05  # of the residual: what other modes leave behind hides a fainter one
_WITHIN = 1.1  # factor


def document(results: Results) -> Document:
    """Spectra by activation, and times by activation."""
    spectra = [(dict(cell.parameters), arrays) for cell, arrays in results.arrays if arrays]
    sections, findings = [], []
    for activation in dict.fromkeys(str(p["activation"]) for p, _ in spectra):
        mine = [(p, arrays) for p, arrays in spectra if p["activation"] == activation]
        sections.append(
            Section(f"Eigenvalues of the limit kernel: {activation}", _lead(activation), _pictures(activation, mine))
        )
        findings += _laws(results, activation, mine)
    timed = results.where({"what": "modes"})
    for activation in dict.fromkeys(str(row["activation"]) for row in timed):
        rows = [row for row in timed if row["activation"] == activation]
        lead = "Every dot is one mode of one network; on the broken line theory is exact, modes above were slower."
        sections.append(Section(f"Which modes are learnt when: {activation}", lead, (_times(activation, rows),)))
        orders = dict.fromkeys(int(row["order"]) for row in rows)  # type: ignore[arg-type]
        findings += [_timing(activation, order, rows) for order in orders]
    return Document(tuple(sections), tuple(findings))


def _lead(activation: str) -> str:
    degree = ACTIVATIONS[activation].degree
    if degree is not None:
        return (
            f"On the line the kernel of ReLU^{degree} under an operator of order o falls like "
            f"j^{{−2({degree} − o)}}, its part (a) two "
            "powers faster: each derivative in the operator takes two powers away."
        )
    return (
        "An analytic activation: the eigenvalues fall like j^{m} exp(−c j^{q}). The operator's order changes m, not c."
    )


def _pictures(activation: str, spectra: list[tuple[dict[str, Any], Arrays]]) -> tuple[Picture, ...]:
    made = []
    for conditions in dict.fromkeys(p["conditions"] for p, _ in spectra):
        series = [
            Series(ORDERS[p["order"]], np.arange(1, len(arrays["total"]) + 1), positive(arrays["total"]), style="")
            for p, arrays in spectra
            if p["conditions"] == conditions
        ]
        caption = "All eigenvalues, largest first. The flatter the curve, the more modes are learnt in a given time."
        name = f"spectrum_{activation}_{conditions}"
        made.append(
            scaling_picture(
                name, f"{_shown(conditions)} conditions", "index j", "eigenvalue of the limit kernel", series, caption
            )
        )
    return tuple(made)


def _shown(conditions: str) -> str:
    return "no" if conditions == "none" else conditions


def _laws(results: Results, activation: str, spectra: list[tuple[dict[str, Any], Arrays]]) -> list[Finding]:
    """The power of each spectrum for ReLUᵖ; for analytic σ one finding over the orders, and q."""
    floors = {
        (row["order"], row["conditions"]): row for row in results.where({"what": "spectrum", "activation": activation})
    }
    degree = ACTIVATIONS[activation].degree
    if degree is not None:
        return [
            _power(activation, degree, p, part, _above(arrays[part], floors[p["order"], p["conditions"]], part))
            for p, arrays in spectra
            for part in ("total", "a")
            if part == "total" or p["conditions"] == "none"
        ]
    if activation not in STRETCHED:
        return []
    fits = [
        (
            p,
            fit_exponential(
                _above(arrays["total"], floors[p["order"], p["conditions"]], "total"), STRETCHED[activation]
            ),
        )
        for p, arrays in spectra
        if p["conditions"] == "none"
    ]
    return _exponential(activation, fits) if fits else []


def _above(eigenvalues: np.ndarray, row: Row, part: str) -> np.ndarray:
    """Those far above their rounding floor."""
    kept: np.ndarray = eigenvalues[: int((eigenvalues > 100.0 * float(row[f"floor_{part}"] or 0.0)).sum())]
    return kept


def _power(activation: str, degree: int, p: dict[str, Any], part: str, eigenvalues: np.ndarray) -> Finding:
    fitted = fit_power_law(eigenvalues, _FIRST, max(2 * _FIRST, p["points"] // 8))
    expected = -2.0 * (degree - p["order"]) - (2.0 if part == "a" else 0.0)
    name = (
        f"{activation}, {ORDERS[p['order']]}, {_shown(p['conditions'])} conditions: power of "
        f"{'K^(a)' if part == 'a' else 'K^∞'}"
    )
    claim = "λ_j ~ (j − δ)^{−2(p − o)}" if part == "total" else "λ_j ~ (j − δ)^{−2(p − o) − 2}"
    why = f"{fitted.slope.points} eigenvalues, δ = {number(fitted.shift)} by search."
    return slope_finding(name, claim, fitted.slope, expected, _TOLERANCE, why)


def _exponential(activation: str, fits: list[tuple[dict[str, Any], Exponential]]) -> list[Finding]:
    rates, q = [f.rate for _, f in fits], STRETCHED[activation]
    mean, each = float(np.mean(rates)), ", ".join(f"{ORDERS[p['order']]} {number(f.rate)}" for p, f in fits)
    powers = ", ".join(f"{ORDERS[p['order']]} {number(f.power)}" for p, f in fits)
    spread = (max(rates) - min(rates)) / mean
    best = [f.best for _, f in fits]
    judged = all(math.isfinite(r) for r in rates)
    one = Finding(
        f"{activation}: decay constant c of exp(−c j^{{{q:.3g}}})",
        "the same for u, u' and u''",
        mean,
        min(rates),
        max(rates),
        f"equal within {_SAME:.0%}",
        "vacuous" if not judged or len(fits) < 2 else "holds" if spread <= _SAME else "fails",
        f"c: {each}; in brackets the smallest and the largest. The factor j^{{m}} has m: {powers}.",
    )
    two = Finding(
        f"{activation}: power q in the exponent",
        "λ_j ~ j^{m} exp(−c j^{q})",
        float(np.median(best)),
        min(best),
        max(best),
        f"{q:.3g} ± 0.05",
        "vacuous" if not judged else "holds" if abs(float(np.median(best)) - q) <= 0.05 else "fails",
        "The q of the smallest misfit for each operator; median, smallest and largest.",
    )
    return [one, two]


def _times(activation: str, rows: list[Row]) -> Picture:
    series, ends = [], [math.inf, 0.0]
    for order in dict.fromkeys(int(row["order"]) for row in rows):  # type: ignore[arg-type]
        x, y = _pairs([row for row in rows if row["order"] == order])
        series.append(Series(ORDERS[order], x, y, style=""))
        if len(x):
            ends = [min(ends[0], float(x.min())), max(ends[1], float(x.max()))]
    if ends[1] > 0.0:
        series.append(Series("theory", ends, ends, colour=QUIET, style="--"))
    words = (
        "Steps until a mode of the residual has fallen to 1/e, measured against predicted from the kernel "
        "before training."
    )
    return scaling_picture(
        f"modes_{activation}", "e-folding times of modes", "predicted steps", "measured steps", series, words
    )


def _pairs(rows: list[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and measured steps of the modes that could be timed."""
    shown = [
        r
        for r in rows
        if r["predicted"] is not None and r["measured"] is not None and float(r["share"] or 0.0) >= _SHARE
    ]
    table = [(float(r["predicted"]), float(r["measured"])) for r in shown]  # type: ignore[arg-type]
    pairs = np.array([pair for pair in table if pair[0] >= _FAST]).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _timing(activation: str, order: int, rows: list[Row]) -> Finding:
    mine = [row for row in rows if row["order"] == order]
    x, y = _pairs(mine)
    reach = sum(bool(row["within_reach"]) for row in mine) / max(1, len({row["seed"] for row in mine}))
    learnt = sum(row["measured"] is not None for row in mine) / max(1, len({row["seed"] for row in mine}))
    ratio = y / x
    middle = float(np.exp(np.mean(np.log(ratio)))) if len(ratio) else math.nan
    good = bool(len(ratio)) and bool((ratio < _WITHIN).all() and (ratio > 1.0 / _WITHIN).all())
    return Finding(
        f"{activation}, {ORDERS[order]}: measured over predicted e-folding time",
        "mode j of K̂₀ falls to 1/e in n/(s²Nλ_j); geometric mean, smallest and largest over modes and seeds",
        middle,
        float(ratio.min()) if len(ratio) else None,
        float(ratio.max()) if len(ratio) else None,
        f"1, each mode within a factor of {_WITHIN:g}",
        "vacuous" if not len(ratio) else "holds" if good else "fails",
        f"{number(reach)} modes were predicted to be learnt in this time, {number(learnt)} were; predictions "
        "span a factor "
        f"{number(float(x.max() / x.min())) if len(x) else '–'} in time. λ_j(K̂₀)/λ_j(K^∞) lies between "
        f"{_against_limit(mine)}.",
    )


def _against_limit(rows: list[Row]) -> str:
    """The smallest and the largest ratio of λ_j(K̂₀) to λ_j(K^∞), over the modes within reach."""
    reached = [r for r in rows if r["within_reach"] and r.get("over_limit") is not None]
    ratios = [float(r["over_limit"]) for r in reached]  # type: ignore[arg-type]
    return f"{number(min(ratios))} and {number(max(ratios))}" if ratios else "–"
