"""What the study of looseness says: least widths by the theorem beside measured ones, case by case,
and shares of seeds against width.
"""

import math
from collections.abc import Sequence

import numpy as np

from pinn_ntk.comparison.finding import Finding
from pinn_ntk.reporting.scaling_plots import Series, scaling_picture
from pinn_ntk.reporting.style import (
    ENVELOPE,
    LINEAR,
    MEASURED,
    QUIET,
    THEORY,
    Picture,
    Section,
    legend,
    number,
    panel,
    render,
)
from pinn_ntk.studies.study import Document, Results, Row, Value

MEASURED_BEFORE: dict[str, tuple[int, int]] = {
    "unit_1": (32, 32),
    "unit_2": (32, 32),
    "ends": (32, 32),
    "unit_3": (32, 64),
    "laplace_unit_2": (256, 256),
}
"""First widths at which the conclusion held in 90 % of seeds, γ = 1/√N, by an earlier measurement."""
_GAMMAS = {"inv_sqrt_width": "1/√N", "inv_width": "1/N"}
_SHARPER = ("variance", "whitened")


def document(results: Results) -> Document:
    """One picture of all least widths, one of shares against width, one finding for each case."""
    groups = _groups(results)
    trained = [rows for rows in groups if rows[0].get("width") is not None]
    shares = [_shares(group[1], f"shares_{i}") for i, group in enumerate(_by_gamma(trained))]
    words = (
        "Black: the first width from which on the conclusion held in 1 − δ of the seeds. Blue: what the "
        "theorem asks for; green: the same "
        "with its sharper first term; orange: from where on the kernel also stayed within λ_S/4 throughout (t* = ∞)."
    )
    sections = (
        Section("Least widths", words, (_picture(groups),)),
        Section(
            "In what share of the seeds",
            "At each width, with the 95 % interval of Clopper and Pearson shaded.",
            tuple(shares),
        ),
    )
    return Document(sections, (*[_finding(rows) for rows in groups], *_factors(groups)))


def _groups(results: Results) -> list[list[Row]]:
    """The rows of each case and γ."""
    pairs = dict.fromkeys((row["case"], row["gamma"]) for row in results.rows)
    return [results.where({"case": case, "gamma": gamma}) for case, gamma in pairs]


def _by_gamma(groups: Sequence[list[Row]]) -> list[tuple[Value, list[list[Row]]]]:
    found: dict[Value, list[list[Row]]] = {}
    for rows in groups:
        found.setdefault(rows[0]["gamma"], []).append(rows)
    return list(found.items())


def _gamma(row: Row) -> str:
    return f"γ = {_GAMMAS.get(str(row['gamma']), row['gamma'])}"


def _name(row: Row) -> str:
    return f"{'Δu = f' if row['operator'] == 'laplacian' else 'u = f'}, {row['words']}, {_gamma(row)}"


def _value(row: Row, key: str) -> float:
    """A number of the table, NaN where there is none."""
    value = row.get(key)
    return math.nan if value is None or isinstance(value, str) else float(value)


def _sharpest(row: Row, suffix: str = "") -> float:
    """The smaller of the two least widths with sharper first terms, or of those terms themselves."""
    return float(np.nanmin([_value(row, name + suffix) for name in _SHARPER]))


def _picture(groups: Sequence[list[Row]]) -> Picture:
    """A line for each case, from the measured to the promised width."""
    figure, axes = panel("the width that is asked for, and the one that is enough", "width N", "", wide=True)
    heads, height = [rows[0] for rows in groups], 1.2 + 0.27 * len(groups)
    figure.set_size_inches(8.4, height)
    axes.set_position((2.9 / 8.4, 0.56 / height, 5.2 / 8.4, 1 - 0.96 / height))
    y = np.arange(len(heads))[::-1]
    widths = {
        key: np.array([_value(row, key) for row in heads]) for key in ("first_width", "theorem", "first_still_width")
    }
    for at, low, high in zip(y, widths["first_width"], widths["theorem"], strict=True):
        axes.plot([low, high], [at, at], color=QUIET, lw=0.8)
    axes.plot(widths["theorem"], y, "s", color=THEORY, ms=6, label="theorem")
    axes.plot([_sharpest(row) for row in heads], y, "D", color=ENVELOPE, ms=5, label="with a sharper first term")
    axes.plot(
        [_sharpest(row, "_term") for row in heads],
        y,
        "D",
        color=ENVELOPE,
        ms=4,
        mfc="none",
        label="that first term alone",
    )
    axes.plot(widths["first_still_width"], y, "^", color=LINEAR, ms=5, mfc="none", label="t* = ∞, measured")
    axes.plot(widths["first_width"], y, "o", color=MEASURED, ms=6, label="conclusion, measured")
    axes.set_xscale("log")
    axes.set_yticks(y, [_name(row) for row in heads], fontsize=8)
    legend(axes)
    words = (
        "The distance from black to blue is how loose the theorem is. The hollow diamond is what its first "
        "term would be with a sharper "
    )
    words += (
        "estimate of the fluctuations of K̂^(a) at the start; the full one keeps the other two terms, which "
        "are then what is lost."
    )
    return Picture("widths", words, render(figure), wide=True)


def _shares(groups: list[list[Row]], name: str) -> Picture:
    series = []
    for rows in groups:
        x, share, low, high = (
            np.array([_value(row, key) for row in rows]) for key in ("width", "share", "low", "high")
        )
        label = _name(rows[0]).removesuffix(f", {_gamma(rows[0])}")
        series.append(
            Series(label, x, share, None, low if len(groups) <= 3 else None, high if len(groups) <= 3 else None)
        )
    delta = _value(groups[0][0], "delta")
    words = (
        f"The share of seeds in which the bound held throughout, {_gamma(groups[0][0])}; the dotted line is the "
        "1 − δ of the theorem."
    )
    title = f"the conclusion against width, {_gamma(groups[0][0])}"
    return scaling_picture(
        name, title, "width N", "share of seeds", series, words, wide=True, logarithmic=False, level=1.0 - delta
    )


def _finding(rows: list[Row]) -> Finding:
    """The first width of one case; in brackets the widest that surely falls short,
    and the narrowest that surely is enough.
    """
    head, promised = rows[0], 1.0 - _value(rows[0], "delta")
    first, asked = _value(head, "first_width"), _value(head, "theorem")
    short = [_value(row, "width") for row in rows if _value(row, "high") < promised]
    enough = [_value(row, "width") for row in rows if _value(row, "low") > promised]
    before = MEASURED_BEFORE.get(str(head["case"])) if head["gamma"] == "inv_sqrt_width" else None
    expected = f"at most {number(asked)}, what the theorem asks for"
    holds = first <= asked
    if before is not None:
        expected = f"{' to '.join(str(v) for v in dict.fromkeys(before))} within a factor of 2"
        holds = before[0] / 2 <= first <= 2 * before[1]
    if head.get("width") is None:
        steps = f"not measured: it would take about {number(_value(head, 'steps'))} steps, λ_max/λ_S being so large"
        return Finding(
            _name(head), "first width with the conclusion", None, None, None, expected, "not_applicable", f"{steps}."
        )
    still = head["first_still_width"]
    reason = (
        f"The theorem asks for {number(asked)} ({head['binding']} term), with a sharper first term "
        f"{number(_sharpest(head))}; "
    )
    reason += (
        f"t* = ∞ as well from {number(_value(head, 'first_still_width'))} on."
        if still is not None
        else "t* = ∞ at none of them."
    )
    before_it = [row for row in rows if _value(row, "width") == first / 2 and _value(row, "given_up") > 0]
    for row in before_it:
        reason += (
            f" An upper bound: at half that width {row['given_up']} seeds that may have held could not be "
            "followed to their end."
        )
    return Finding(
        _name(head),
        f"first width with the conclusion in at least {promised:.0%} of {head['seeds']} seeds, there and at "
        "twice that width",
        None if math.isnan(first) else first,
        max(short, default=None),
        min(enough, default=None),
        expected,
        "vacuous" if math.isnan(first) else "holds" if holds else "fails",
        reason if not math.isnan(first) else f"{reason} No width up to {number(_value(rows[-1], 'width'))} was enough.",
    )


def _factors(groups: Sequence[list[Row]]) -> tuple[Finding, ...]:
    """By how much the theorem's width is larger than the measured one, over all cases."""
    factors = [_value(rows[0], "theorem") / _value(rows[0], "first_width") for rows in groups]
    factors = [f for f in factors if math.isfinite(f)]
    if not factors:
        return ()
    claim = "width that the theorem asks for over the measured one; the median, least and greatest over all cases"
    middle = float(np.median(factors))
    expected = "10² … 10¹² was measured before, on fewer cases"
    return (
        Finding(
            "looseness factor",
            claim,
            middle,
            min(factors),
            max(factors),
            expected,
            "holds" if min(factors) >= 1.0 else "fails",
        ),
    )
