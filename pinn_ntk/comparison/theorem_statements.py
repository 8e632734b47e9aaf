"""The lemmas of the theorem that applies, each under its own width."""

import math

import numpy as np

from pinn_ntk.comparison.claim import Claim, Evidence, Premise, Reading
from pinn_ntk.comparison.envelope import step_share
from pinn_ntk.comparison.kernel_statements import exit_index
from pinn_ntk.comparison.premises import AT_ANY_WIDTH, DRIFT_WIDTH, THEOREM, other_law
from pinn_ntk.comparison.vacuity import INNER, OUTER
from pinn_ntk.networks.two_layer import TwoLayer, require_two_layer
from pinn_ntk.theory.constants import PDE
from pinn_ntk.theory.prediction import Guarantee


def _start(evidence: Evidence) -> TwoLayer:
    return require_two_layer(evidence.history.final.start, "the theorem")


INITIAL_LOSS = Claim(
    "initial loss lemma",
    "R_S(θ⁰) ≤ bound with probability 1 − δ",
    "R_S(θ⁰) is at most the lemma's bound",
    lambda e: Reading(e.theory.initial_loss, e.guarantee.loss_bound),
    premises=(
        THEOREM,
        Premise(
            "|Sf| ≤ 1 in regression, row scales included",
            lambda e: "the lemma needs |Sf| ≤ 1" if e.guarantee.loss_bound is None else "",
        ),
    ),
    promise=AT_ANY_WIDTH,
)


def _moved(evidence: Evidence, column: str) -> Reading:
    """The largest displacement before t* against q."""
    guarantee = evidence.guarantee
    note = f"promised from width {guarantee.drift.width:.2e} on, {'met' if guarantee.drift.holds else 'not met'}"
    note += "; q is derived: the lecture gives none for operators" if guarantee.premises.theorem is PDE else ""
    moved = evidence.column(column)[: exit_index(evidence)]
    largest = float(np.max(moved, initial=0.0))
    if not evidence.history.dynamics.gradient_flow:
        return Reading(largest, guarantee.drift.q)
    return Reading(largest, guarantee.drift.q, note, evidence.e_folds(len(moved) - 1))


def _step_to_blame(evidence: Evidence, reading: Reading) -> str:
    """The flow's q is not asked of descent that is beyond its limit, or whose way is longer by its step alone: the rate
    being (1−f) times the flow's, at most q/(1−f).
    """
    if why := other_law(evidence, reading):
        return why
    share, q, moved = step_share(evidence.theory, evidence.history), reading.bound or 0.0, reading.measured or 0.0
    if share is None or not q < moved <= q / (1.0 - share):
        return ""
    return f"the step is to blame: q is the flow's, and descent with measured f = τβ/2 = {share:.3g} may go q/(1−f)"


OUTER_WEIGHTS_STAY = Claim(
    "outer weights stay",
    "max_k |a_k(t) − a_k(0)| ≤ q for t < t*",
    "the largest tracked |Δa_k| before t* is at most q; θ has to move by gradient flow",
    lambda e: _moved(e, "max_delta_a"),
    premises=(THEOREM,),
    condition=_step_to_blame,
    follows=OUTER,
    promise=DRIFT_WIDTH,
)
INNER_WEIGHTS_STAY = Claim(
    "inner weights stay",
    "max_k ‖w_k(t) − w_k(0)‖_∞ ≤ q for t < t*",
    "the largest tracked |Δw_kj| before t* is at most q; θ has to move by gradient flow",
    lambda e: _moved(e, "max_delta_w"),
    premises=(THEOREM,),
    condition=_step_to_blame,
    follows=INNER,
    promise=DRIFT_WIDTH,
)
INITIAL_OUTER_WEIGHTS = Claim(
    "initial outer weights",
    "max_k |a_k(0)| ≤ γη",
    "the largest |a_k(0)| is at most γη",
    # read back: a statement is a number
    lambda e: Reading(float(_start(e).a0.abs().max()), e.guarantee.drift.gamma_eta, "with probability 1 − δ"),
    premises=(THEOREM,),
    promise=AT_ANY_WIDTH,
)
INITIAL_INNER_WEIGHTS = Claim(
    "initial inner weights",
    "max_k ‖w_k(0)‖_∞ ≤ η",
    "the largest |w_kj(0)| is at most η",
    # read back: a statement is a number
    lambda e: Reading(float(_start(e).w0.abs().max()), e.guarantee.drift.eta, "with probability 1 − δ"),
    premises=(THEOREM,),
    promise=AT_ANY_WIDTH,
)


def _width_not_met(evidence: Evidence, _: Reading) -> str:
    width, least = _start(evidence).width, evidence.guarantee.least.width
    if width >= evidence.guarantee.terms.largest:
        return ""
    return (
        f"sufficient width not met: least width {least:.2e}, N is {width / least:.1e} of it; the theorem then "
        "promises nothing"
    )


WIDTH = Claim(
    "sufficient width",
    "N ≥ max{three terms}",
    "N is at least the largest of the three terms at this width; below it the theorem promises nothing",
    lambda e: Reading(float(_start(e).width), e.guarantee.terms.largest),
    premises=(THEOREM,),
    relation="≥",
    condition=_width_not_met,
)

THEOREM_CLAIMS = (
    INITIAL_LOSS,
    OUTER_WEIGHTS_STAY,
    INNER_WEIGHTS_STAY,
    INITIAL_OUTER_WEIGHTS,
    INITIAL_INNER_WEIGHTS,
    WIDTH,
)


def least_ratio(guarantee: Guarantee | None, width: int) -> float | None:
    """N over the least width of the theorem."""
    return None if guarantee is None or not math.isfinite(guarantee.least.width) else width / guarantee.least.width
