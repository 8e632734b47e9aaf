"""Premises and conditions that several claims share, and the promises of the theorem."""

import numpy as np

from pinn_ntk.comparison.claim import Evidence, Premise, Reading, WidthPremise
from pinn_ntk.comparison.envelope import step_share

NOT_THE_FLOW = "the theorem is about gradient flow, and this optimiser moves θ by another law"
NO_DESCENT = "the theorem is about gradient descent with one step τ"


def _limit(evidence: Evidence) -> str:
    return evidence.theory.unavailable if evidence.theory.lazy is None else ""


def _descends(evidence: Evidence) -> str:
    return "" if evidence.history.dynamics.gradient_flow else NOT_THE_FLOW


def _steps(evidence: Evidence) -> str:
    return "" if step_share(evidence.theory, evidence.history) is not None else NO_DESCENT


def _rate(evidence: Evidence) -> str:
    return "λ_S is below its rounding floor: no rate" if evidence.lazy.rate == 0.0 else ""


def _eigenvalue(evidence: Evidence) -> str:
    return "λ_S is below its floor" if evidence.lazy.lambda_s == 0.0 else ""


def _theorem(evidence: Evidence) -> str:
    return evidence.theory.verdict.reason if evidence.theory.guarantee is None else ""


def tracked(name: str, first: bool = False) -> Premise:
    """The premise that a column was tracked, and is finite somewhere (with `first`, at the start)."""

    def why_not(evidence: Evidence) -> str:
        values = evidence.column(name)[: 1 if first else None]
        if not len(values):
            return "the kernel was not tracked"
        return "" if np.isfinite(values).any() else "the eigensolver failed there"

    return Premise(f"the kernel is tracked ({name})", why_not)


def other_law(evidence: Evidence, _: Reading) -> str:
    """Why what was measured along the way is given without a verdict: θ moves by another law than the flow,
    with a clock of its own, or in steps that do not follow it.
    """
    if not evidence.history.dynamics.gradient_flow:
        return NOT_THE_FLOW
    share = step_share(evidence.theory, evidence.history)
    if share is None or share < 1.0:
        return ""
    return f"the step is to blame: measured f = τβ/2 = {share:.3g}, and from 1 on descent does not follow the flow"


def started_too_low(evidence: Evidence, _: Reading) -> str:
    """Why a claim that starts from the ¾ lemma is not asked: it did not hold for this seed."""
    low = float(evidence.column("lambda_min_a")[0]) < 0.75 * evidence.lazy.lambda_s
    return "its premise λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S did not hold" if low else ""


def _from_the_lemma(evidence: Evidence) -> str:
    return started_too_low(evidence, Reading(None, None))


STARTED = Premise("λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S", _from_the_lemma)
LAZY_LIMIT = Premise("the infinite-width kernel is known", _limit)
GRADIENT_FLOW = Premise("θ moves by gradient flow, or by descent that follows it", _descends)
DESCENT = Premise("θ moves by gradient descent", _steps)
RATE = Premise("λ_S is above its rounding floor", _rate)
LAMBDA_S = Premise("λ_S is above its rounding floor", _eigenvalue)
THEOREM = Premise("one of the lecture's theorems applies", _theorem)

AT_ANY_WIDTH = WidthPremise("at any width", lambda guarantee, width: True)  # noqa: ARG005
LAMBDA_MIN_WIDTH = WidthPremise("from the width of the ¾ lemma on", lambda g, width: width >= g.lambda_min.width)
DRIFT_WIDTH = WidthPremise("from the width of the drift lemma on", lambda g, width: g.drift.holds)  # noqa: ARG005
SUFFICIENT_WIDTH = WidthPremise("from the theorem's width on", lambda g, width: width >= g.terms.largest)
