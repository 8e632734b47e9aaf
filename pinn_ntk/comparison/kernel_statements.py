"""What the tracked kernel says: dissipation, the lecture's inequality (2), linear convergence,
and K̂^(a) against λ_S until t*.
"""

from collections.abc import Callable

import numpy as np
import torch

from pinn_ntk.comparison.claim import Claim, Evidence, Premise, Reading
from pinn_ntk.comparison.envelope import envelope, safe_exp
from pinn_ntk.comparison.premises import (
    GRADIENT_FLOW,
    LAMBDA_MIN_WIDTH,
    LAMBDA_S,
    LAZY_LIMIT,
    RATE,
    SUFFICIENT_WIDTH,
    tracked,
)
from pinn_ntk.comparison.statements import Statement
from pinn_ntk.theory.bounds import evolved_lambda_min, stopping_radius
from pinn_ntk.theory.bounds import exit_time as first_exit
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import History

ROUNDINGS = 10.0
"""Of λ_max(K̂^(a)): a drift below so many is none;
two ways of summing the same million neurons differ by up to seven.
"""
_LEAST = 1e-300  # below it a quotient may overflow


def exit_time(prediction: Prediction, history: History) -> float | None:
    """t* = inf{t : ‖K̂^(a)(t) − K̂^(a)(0)‖_F > λ_S/4} as tracked; None when never, or when there is no λ_S."""
    if prediction.lazy is None or prediction.lazy.lambda_s == 0.0:
        return None
    # on the CPU: the history is numpy's
    times, drift = (torch.from_numpy(history.columns.get(name, np.empty(0))) for name in ("time", "drift_a"))
    return first_exit(times, drift, prediction.lazy.lambda_s)


def exit_index(evidence: Evidence) -> int | None:
    """Index of the first tracked step outside the ball of radius λ_S/4, None if there is none."""
    left = None if evidence.theory.lazy is None else exit_time(evidence.theory, evidence.history)
    return None if left is None else int(np.searchsorted(evidence.column("time"), left))


def _dissipated(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """(s²N/n²)eᵀK̂e and ‖∇R_S‖² where both can be divided."""
    form, norm = evidence.column("dissipation"), evidence.column("gradient_norm_squared")
    norm = norm[: len(form)]
    # a run that diverges overflows both
    kept = (norm > _LEAST) & np.isfinite(norm) & np.isfinite(form)
    return form[kept], norm[kept]


def _dissipation(evidence: Evidence) -> Reading:
    form, norm = _dissipated(evidence)
    tolerance = 1e-8 if evidence.history.final.residual.dtype == torch.float64 else 1e-2
    words = "largest relative difference over tracked steps, against a rounding tolerance"
    return Reading(float(np.max(np.abs(form / norm - 1.0))), tolerance, words)


DISSIPATION = Claim(
    "dissipation identity",
    "dR_S/dt = −‖∇R_S‖² = −(s²N/n²) eᵀK̂e",
    "the largest relative difference between the form of the kernel and the norm of the gradient, which share no code",
    _dissipation,
    premises=(
        Premise(
            "the kernel is tracked, and the gradient is not zero",
            lambda e: "" if len(_dissipated(e)[0]) else "the kernel was not tracked, or the gradient is zero",
        ),
    ),
    about_theory=False,
)


def _shares(evidence: Evidence) -> np.ndarray:
    """eᵀK̂^(a)e/eᵀK̂e where both can be divided."""
    part, total = evidence.column("quadratic_a"), evidence.column("quadratic")
    kept = (total > _LEAST) & np.isfinite(total) & np.isfinite(part)
    return part[kept] / total[kept]


def _share_of_part_a(evidence: Evidence) -> Reading:
    shares = _shares(evidence)
    words = f"share of part (a): from {shares[0]:.3g} at the start to {shares[-1]:.3g} at the end"
    return Reading(float(shares.max()), 1.0, words)


INEQUALITY_2 = Claim(
    "inequality (2)",
    "eᵀK̂^(a)e ≤ eᵀK̂e",
    "the largest share of part (a) over tracked steps is at most 1",
    _share_of_part_a,
    premises=(
        Premise(
            "the kernel is tracked",
            lambda e: "" if (e.column("quadratic") > _LEAST).any() else "the kernel was not tracked",
        ),
        Premise(
            "the network has two layers",
            lambda e: (
                "" if len(e.column("quadratic_a")) else "part (a) belongs to the outer weights of two-layer networks"
            ),
        ),
        Premise(
            "the kernel is finite",
            lambda e: "" if len(_shares(e)) else "the kernel was finite at no tracked step",
        ),
    ),
    about_theory=False,
)


def _envelope(evidence: Evidence) -> Reading | str:
    result = envelope(evidence.theory, evidence.history)
    if result is None:
        return "no step before the envelope meets rounding"
    theory = evidence.theory
    note = "" if theory.guarantee else f"outside the theorem ({theory.verdict.reason})"
    return Reading(safe_exp(result.worst_log_ratio), 1.0, note, result.e_folds)


def _too_few_folds(evidence: Evidence, reading: Reading) -> str:
    result = envelope(evidence.theory, evidence.history)
    if result is None or result.holds is not None:
        return ""
    words = f"the bound fell by {reading.e_folds:.2g} e-folds only: compare with the linearised prediction instead"
    rose = "; the loss rose above its start, as no gradient flow does: the step is too large"
    return words + ("" if result.worst_log_ratio <= 1e-9 else rose)


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
    "the largest ratio of loss to bound over all steps up to where the bound meets rounding is at most 1",
    _envelope,
    premises=(LAZY_LIMIT, GRADIENT_FLOW, RATE),
    vacuous=_too_few_folds,
    vacuous_when="the bound falls by less than one e-fold, or meets rounding at once",
    promise=SUFFICIENT_WIDTH,
    sentence=_bound_words,
)


def _lambda_min_at_start(evidence: Evidence) -> Reading:
    guarantee = evidence.theory.guarantee
    if guarantee is None:
        note = "no theorem promises it here"
    else:
        met = "met" if evidence.history.final.start.width >= guarantee.lambda_min.width else "not met"
        note = f"promised from its own width {guarantee.lambda_min.width:.2e} on, {met}"
    return Reading(float(evidence.column("lambda_min_a")[0]), 0.75 * evidence.lazy.lambda_s, note)


LAMBDA_MIN_AT_START = Claim(
    "λ_min at initialisation",
    "λ_min(K̂^(a)(θ⁰)) ≥ ¾ λ_S",
    "λ_min of the tracked K̂^(a) at θ⁰ is at least ¾λ_S",
    _lambda_min_at_start,
    premises=(LAZY_LIMIT, tracked("lambda_min_a", first=True), LAMBDA_S),
    relation="≥",
    promise=LAMBDA_MIN_WIDTH,
)


def _lambda_min_before_exit(evidence: Evidence) -> Reading:
    values = evidence.column("lambda_min_a")
    before = values[: exit_index(evidence)]
    note = f"over {len(before)} of {len(values)} tracked steps before t*"
    bound = evolved_lambda_min(evidence.lazy.lambda_s)
    return Reading(float(np.nanmin(before)), bound, note, evidence.e_folds(len(before) - 1))


def _started_too_low(evidence: Evidence, _: Reading) -> str:
    low = float(evidence.column("lambda_min_a")[0]) < 0.75 * evidence.lazy.lambda_s
    return "its premise λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S did not hold" if low else ""


LAMBDA_MIN_BEFORE_EXIT = Claim(
    "λ_min during training",
    "λ_min(K̂^(a)(θ(t))) ≥ λ_S/2 for t < t*",
    "the smallest λ_min of K̂^(a) over tracked steps before t* is at least λ_S/2",
    _lambda_min_before_exit,
    premises=(LAZY_LIMIT, tracked("lambda_min_a"), LAMBDA_S),
    relation="≥",
    condition=_started_too_low,
    promise=SUFFICIENT_WIDTH,
)


def _drift(evidence: Evidence) -> Reading:
    left = exit_time(evidence.theory, evidence.history)
    largest = float(np.nanmax(evidence.column("drift_a")))
    note = "" if left is None else f"t* = {left:.4g}"
    return Reading(largest, stopping_radius(evidence.lazy.lambda_s), note, evidence.e_folds())


def _below_rounding(evidence: Evidence, reading: Reading) -> str:
    drift, size = reading.measured or 0.0, float(evidence.column("lambda_max_a")[0])
    still = len(evidence.column("drift_a")) < 2 or drift <= ROUNDINGS * evidence.eps * size
    return "the drift is at rounding level" if still else ""


STOPPING_TIME = Claim(
    "stopping time",
    "t* = ∞: ‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ λ_S/4",
    "the largest tracked drift is at most λ_S/4",
    _drift,
    premises=(LAZY_LIMIT, tracked("drift_a"), LAMBDA_S),
    vacuous=_below_rounding,
    vacuous_when=f"the drift is below {ROUNDINGS:g} ε λ_max(K̂^(a))",
    promise=SUFFICIENT_WIDTH,
)
