"""A finding: one number that a study of many runs was made for, beside what was expected of it."""

from dataclasses import dataclass

from pinn_ntk.comparison.slopes import Slope
from pinn_ntk.comparison.statements import Verdict


@dataclass(frozen=True)
class Finding:
    """One number and its expectation.

    Attributes:
        name: of the number.
        claim: what is expected, in symbols or words.
        value: measured.
        low: lower end of its confidence interval.
        high: upper end.
        expected: in words, such as '−0.5 ± 0.1' or a published figure with its source.
        verdict: 'holds' | 'fails' | 'vacuous' | 'not_applicable'.
        reason: every difference from the expectation, in a sentence.
    """

    name: str
    claim: str
    value: float | None
    low: float | None
    high: float | None
    expected: str
    verdict: Verdict
    reason: str = ""


def slope_finding(name: str, claim: str, slope: Slope, expected: float, tolerance: float, reason: str = "") -> Finding:
    """The finding that a fitted slope is `expected` within `tolerance`; vacuous with fewer than three points.

    Args:
        name: of the number.
        claim: in symbols.
        slope: fitted.
        expected: the predicted slope.
        tolerance: allowed distance.
        reason: further words.
    """
    words = f"{expected:g} ± {tolerance:g}".replace("-", "−")
    if slope.points < 3:
        return Finding(name, claim, slope.value, None, None, words, "vacuous", "fewer than three points")
    verdict: Verdict = "holds" if slope.within(expected, tolerance) else "fails"
    return Finding(name, claim, slope.value, slope.low, slope.high, words, verdict, reason)
