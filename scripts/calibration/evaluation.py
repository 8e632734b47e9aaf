"""Whether the estimate tells the truth: the goals over a table of rows, and truth against estimate in one picture."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pinn_ntk.reporting import BLOCKS, ENVELOPE, LINEAR, MEASURED, THEORY, panel, render

Row = Mapping[str, str]
ROUNDING = 5 * 2.0**-52
"""An estimate below this is read as this: nobody is told more of a float."""
GIVEN = ("CONVERGED", "ROUNDING", "BUDGET", "WIDTH")
"""Reasons whose u may be used."""
ANSWERED = ("CONVERGED", "ROUNDING")
ACCUSING = ("INCONSISTENT", "UNDERDETERMINED", "NO_SOLUTION", "ILL_POSED")
"""Reasons that blame the problem."""
CONSTANT = "up to a constant"
_LEAST, _MOST = 1e-17, 1e3


@dataclass(frozen=True)
class Goal:
    """One line of the table.

    Attributes:
        what: is counted.
        found: the number.
        wanted: what is asked for; empty where it is only told.
        met: whether it is.
        names: of the rows that count against it.
    """

    what: str
    found: str
    wanted: str
    met: bool
    names: tuple[str, ...] = ()


def goals(rows: Sequence[Row]) -> list[Goal]:
    """The goals of issue 17, and what else would be a lie."""
    judged = [r for r in rows if number(r, "truth") is not None and number(r, "estimate") is not None]
    given = [r for r in judged if r["reason"] in GIVEN]
    wrong = [r for r in judged if r["reason"] == "CONVERGED" and excess(r) > 10.0]
    low = [r for r in judged if excess(r) > 3.0]
    low_given = [r for r in given if excess(r) > 3.0]
    posed = [r for r in rows if r["expected"] in ("unique", "noise")]
    accused = [r for r in posed if accusation(r)]
    resolvable = [r for r in rows if r["resolvable"] == "True"]
    unresolved = [r for r in resolvable if r["reason"] == "UNRESOLVED"]
    others = [r for r in rows if r["expected"] not in ("unique", "noise")]
    answered, handed = ([r for r in others if r["reason"] in some] for some in (ANSWERED, GIVEN))
    refused = [r for r in posed if r["reason"].startswith("refused")]
    broken = [r for r in rows if r["reason"].startswith(("failed", "timeout"))]
    ratios = [1.0 / max(excess(r), 1e-300) for r in given]
    middle = statistics.median(ratios) if ratios else math.nan
    return [
        Goal("problems", f"{len(rows)}", "", True),
        _none("CONVERGED with truth > 10 × estimate", wrong, [r for r in judged if r["reason"] == "CONVERGED"]),
        _share("truth > 3 × estimate, of all with both", low, judged, 0.02, strict=True),
        _share("the same, of those whose u may be used", low_given, given),
        _none("well posed, and called INCONSISTENT or UNDERDETERMINED", accused, posed),
        _share("resolvable, and called UNRESOLVED", unresolved, resolvable, 0.10),
        Goal("median of estimate / truth", f"{middle:.2g}", "< 3", middle < 3.0),
        _share("without one answer, and called CONVERGED or ROUNDING", answered, others),
        _share("without one answer, and u given all the same", handed, others),
        _share("well posed, and refused", refused, posed),
        _share("failed, or ended by the guard", broken, rows),
    ]


def excess(row: Row) -> float:
    """truth / estimate; infinite where the estimate or the answer is no number."""
    truth, estimate = number(row, "truth"), number(row, "estimate")
    if truth is None or estimate is None or math.isnan(truth) or math.isnan(estimate):
        return math.inf
    return truth / max(estimate, ROUNDING) if math.isfinite(estimate) else 0.0


def accusation(row: Row) -> bool:
    """Whether a problem with one answer is blamed; of u up to a constant, UNDERDETERMINED is right."""
    return row["reason"] in ACCUSING and not (row["reason"] == "UNDERDETERMINED" and CONSTANT in row["tags"])


def number(row: Row, key: str) -> float | None:
    """The cell as a number; None where it is empty."""
    return float(row[key]) if row.get(key) else None


def table(rows: Sequence[Row]) -> str:
    """The goals, who counts against them, and what was said of which class."""
    lines = []
    for goal in goals(rows):
        mark = " " if not goal.wanted else "ok" if goal.met else "NO"
        lines.append(f"{mark:3}{goal.what:58}{goal.found:>18}  {goal.wanted}")
        lines += [f"      {name}" for name in goal.names] if goal.wanted else []
    reasons = Counter((r["expected"], r["reason"].split(":")[0]) for r in rows)
    lines += ["", *(f"{expected:14}{reason:18}{count:5}" for (expected, reason), count in sorted(reasons.items()))]
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> list[dict[str, str]]:
    """The goals as rows of a CSV for the page."""
    return [
        {"what": g.what, "found": g.found, "goal": g.wanted, "met": "" if not g.wanted else "yes" if g.met else "no"}
        for g in goals(rows)
    ]


def picture(rows: Sequence[Row], path: Path) -> None:
    """Truth against estimate, a mark for each reason, lines where truth is 1, 3 and 10 times the estimate."""
    figure, axes = panel("truth against estimate", "estimate of the relative error", "relative error", wide=True)
    axes.set(xscale="log", yscale="log", xlim=(_LEAST, _MOST), ylim=(_LEAST, _MOST))
    for factor, style in ((1.0, "-"), (3.0, "--"), (10.0, ":")):
        ends = [_LEAST, _MOST]
        axes.plot(ends, [factor * v for v in ends], color="0.6", lw=1.0, ls=style, label=f"×{factor:g}")
    judged = [r for r in rows if number(r, "truth") is not None]
    for reason in dict.fromkeys([*MARKS, *(r["reason"] for r in judged)]):
        pairs = [(_shown(number(r, "estimate")), _shown(number(r, "truth"))) for r in judged if r["reason"] == reason]
        if pairs:
            colour, marker = MARKS.get(reason, OTHER)
            axes.plot(*zip(*pairs, strict=True), color=colour, marker=marker, ms=4, ls="none", label=reason)
    axes.legend(loc="lower right", fontsize=8)  # what lies lies at the upper left
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(figure))


MARKS = {
    "CONVERGED": (THEORY, "o"),
    "ROUNDING": (ENVELOPE, "s"),
    "BUDGET": (MEASURED, "."),
    "WIDTH": (BLOCKS[2][0], "."),
    "UNRESOLVED": (BLOCKS[0][0], "^"),
    "UNDERDETERMINED": (LINEAR, "x"),
    "INCONSISTENT": (BLOCKS[3][0], "+"),
}
OTHER = ("0.5", "d")


def _shown(value: float | None) -> float:
    """Inside the axes; what is no number is at their end."""
    return min(max(_MOST if value is None or math.isnan(value) else value, _LEAST), _MOST)


def _names(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(
        f"{r['name']}: {r['reason'][:60]}, estimate {r['estimate'] or '–'}, truth {r['truth'] or '–'}" for r in rows
    )


def _none(what: str, rows: Sequence[Row], of: Sequence[Row]) -> Goal:
    return Goal(what, f"{len(rows)} of {len(of)}", "0", not rows, _names(rows))


def _share(what: str, some: Sequence[Row], of: Sequence[Row], most: float | None = None, strict: bool = False) -> Goal:
    share = len(some) / len(of) if of else 0.0
    wanted = "" if most is None else f"{'<' if strict else '≤'} {100 * most:.0f} %"
    met = most is None or (share < most if strict else share <= most)
    return Goal(what, f"{len(some)} of {len(of)}, {100 * share:.1f} %", wanted, met, _names(some))
