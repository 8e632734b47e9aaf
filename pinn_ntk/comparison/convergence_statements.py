"""Linear convergence, twice: the bound of the flow, and the bound of gradient descent with the step that it takes."""

from collections.abc import Callable

from pinn_ntk.comparison.claim import Claim, Evidence, Reading
from pinn_ntk.comparison.envelope import Envelope, below, descent_bound, envelope, safe_exp, step_share
from pinn_ntk.comparison.kernel_statements import exit_index
from pinn_ntk.comparison.premises import (
    DESCENT,
    GRADIENT_FLOW,
    LAZY_LIMIT,
    RATE,
    STARTED,
    SUFFICIENT_WIDTH,
    other_law,
    tracked,
)
from pinn_ntk.comparison.rounding import share_tolerance
from pinn_ntk.comparison.statements import Statement
from pinn_ntk.comparison.vacuity import ANY

NO_STEP = "no step before the bound meets rounding"
AT_ONCE = "no step before the first one tracked outside, or before the bound meets rounding"


def _flow(evidence: Evidence) -> Reading | str:
    result = envelope(evidence.theory, evidence.history)
    if result is None:
        return NO_STEP
    theory = evidence.theory
    note = "" if theory.guarantee else f"outside the theorem ({theory.verdict.reason})"
    return Reading(safe_exp(result.worst_log_ratio), 1.0, note, result.e_folds)


def _descended(evidence: Evidence, end: int | None = None) -> Envelope | None:
    bound = descent_bound(evidence.theory, evidence.history)
    return None if bound is None else below(evidence.theory, evidence.history, bound, end)


def _step_to_blame(evidence: Evidence, reading: Reading) -> str:
    """The flow's bound is not asked of descent that is beyond its limit, or breaks it and keeps the bound of its own
    step.
    """
    if why := other_law(evidence, reading):
        return why
    share = step_share(evidence.theory, evidence.history)
    tolerance = share_tolerance(evidence.eps)
    if share is None or reading.measured is None or reading.measured <= 1.0 + tolerance:
        return ""
    own = _descended(evidence)
    if own is not None and safe_exp(own.worst_log_ratio) > 1.0 + tolerance:
        return ""
    return (
        f"the step is to blame: the bound is the flow's, and with measured f = τβ/2 = {share:.3g} the loss kept the "
        "bound of descent"
    )


def _bound_words(statement: Statement, _: Callable[[float], str]) -> str:
    said = {
        "holds": "The bound of linear convergence held.",
        "fails": "The bound of linear convergence did not hold.",
        "vacuous": "The bound of linear convergence falls too slowly to say anything over this run.",
    }
    return said.get(statement.verdict, "")


LINEAR_CONVERGENCE = Claim(
    "linear convergence",
    "R_S(t) ≤ e^{−(s²Nλ_S/n) t} R_S(0)",
    "the largest ratio of loss, less its rounding, to bound over all steps up to where the bound meets rounding is at "
    "most 1; of descent that breaks it only where the bound with its step is broken too",
    _flow,
    premises=(LAZY_LIMIT, GRADIENT_FLOW, RATE),
    condition=_step_to_blame,
    vacuous_when="the bound meets rounding at once",
    follows=ANY,
    promise=SUFFICIENT_WIDTH,
    sentence=_bound_words,
)


def _stepped(evidence: Evidence) -> Reading | str:
    share = step_share(evidence.theory, evidence.history) or 0.0
    note = f"with measured f = τβ/2 = {share:.3g}"
    if share >= 1.0:
        return Reading(None, 1.0, note)
    left = exit_index(evidence)
    end = None if left is None else int(evidence.column("step")[left])
    result = _descended(evidence, end)
    if result is None:
        return AT_ONCE
    before = "" if end is None else f"; over the {end} steps before the first one tracked outside"
    return Reading(safe_exp(result.worst_log_ratio), 1.0, note + before, result.e_folds)


def _beyond(_: Evidence, reading: Reading) -> str:
    if reading.measured is not None:
        return ""
    return f"{reading.note}: descent is promised nothing from f = 1 on; take a shorter step"


def _descent_words(statement: Statement, _: Callable[[float], str]) -> str:
    said = {
        "holds": f"Descent kept the bound of its own step ({statement.reason}).",
        "fails": f"Descent broke the bound of its own step ({statement.reason}).",
    }
    return said.get(statement.verdict, "")


DESCENT_CONVERGENCE = Claim(
    "linear convergence of descent",
    "R_S(θ_k) ≤ [1 − (1−f)τ·s²Nλ_S/n]^k R_S(θ⁰) for kτ < t*, f = τβ/2 < 1, with measured f",
    "the largest ratio of loss, less its rounding, to bound over the steps before the first one tracked outside is at "
    "most 1; β is measured: the largest λ_max(JJᵀ/n) at θ⁰ and the tracked steps, in place of its supremum on the way",
    _stepped,
    premises=(LAZY_LIMIT, DESCENT, RATE, tracked("drift_a"), tracked("lambda_min_a", first=True), STARTED),
    condition=_beyond,
    vacuous_when="the bound meets rounding, or the kernel leaves its ball, at once",
    follows=ANY,
    sentence=_descent_words,
)
