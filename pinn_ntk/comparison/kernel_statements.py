"""What the tracked kernel says: dissipation, the lecture's inequality (2), and K̂^(a) against λ_S until t*."""

import math

import numpy as np
import torch

from pinn_ntk.comparison.claim import Claim, Evidence, Premise, Reading
from pinn_ntk.comparison.premises import (
    LAMBDA_MIN_WIDTH,
    LAMBDA_S,
    LAZY_LIMIT,
    SUFFICIENT_WIDTH,
    other_law,
    started_too_low,
    tracked,
)
from pinn_ntk.comparison.rounding import Mask, above_rounding, still
from pinn_ntk.comparison.vacuity import INNER
from pinn_ntk.networks.rounding import ROUNDINGS
from pinn_ntk.theory.bounds import evolved_lambda_min, stopping_radius
from pinn_ntk.theory.bounds import exit_time as first_exit
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import History

_LEAST = 1e-300  # below it a quotient may overflow


def exit_time(prediction: Prediction, history: History) -> tuple[float, float] | None:
    """t* = inf{t : ‖K̂^(a)(t) − K̂^(a)(0)‖_F > λ_S/4} between the last tracked time inside and the first one outside;
    None when never, or when there is no λ_S.
    """
    if prediction.lazy is None or prediction.lazy.lambda_s == 0.0:
        return None
    # on the CPU: the history is numpy's
    times, drift = (torch.from_numpy(history.columns.get(name, np.empty(0))) for name in ("time", "drift_a"))
    return first_exit(times, drift, prediction.lazy.lambda_s)


def exit_index(evidence: Evidence) -> int | None:
    """Index of the first tracked step outside the ball of radius λ_S/4, None if there is none."""
    left = None if evidence.theory.lazy is None else exit_time(evidence.theory, evidence.history)
    return None if left is None else int(np.searchsorted(evidence.column("time"), left[1]))


def _resolved(evidence: Evidence) -> Mask:
    """Tracked steps at which eᵀK̂e has digits: R_S above its floor, and eᵀK̂e above c nε λ_max‖e‖², so that half of the
    digits are left.
    """
    form, loss, n = evidence.column("quadratic"), evidence.column("loss"), evidence.history.final.residual.shape[-1]
    largest = float(np.nanmax(evidence.column("lambda_max"), initial=0.0))
    lost = ROUNDINGS * n * evidence.eps * largest * 2.0 * n * loss[: len(form)]
    # a run that diverges overflows
    kept: Mask = (form > _LEAST) & np.isfinite(form) & (lost <= math.sqrt(evidence.eps) * form)
    return kept & above_rounding(evidence.prediction, evidence.history)[: len(form)]


def _dissipated(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """(s²N/n²)eᵀK̂e and ‖∇R_S‖² where both can be divided and are above rounding."""
    form, norm = evidence.column("dissipation"), evidence.column("gradient_norm_squared")
    if not len(form):
        return form, norm
    norm = norm[: len(form)]
    kept = _resolved(evidence) & (norm > _LEAST) & np.isfinite(norm) & np.isfinite(form)
    return form[kept], norm[kept]


def _dissipation(evidence: Evidence) -> Reading:
    form, norm = _dissipated(evidence)
    words = "largest relative difference over tracked steps above rounding, against half of the digits"
    return Reading(float(np.max(np.abs(form / norm - 1.0))), math.sqrt(evidence.eps), words)


DISSIPATION = Claim(
    "dissipation identity",
    "dR_S/dt = −‖∇R_S‖² = −(s²N/n²) eᵀK̂e",
    "the largest relative difference between the form of the kernel and the norm of the gradient, which share no code",
    _dissipation,
    premises=(
        Premise(
            "the kernel is tracked, and the gradient is above rounding",
            lambda e: "" if len(_dissipated(e)[0]) else "the kernel was not tracked, or the gradient is below rounding",
        ),
    ),
    about_theory=False,
)


def _shares(evidence: Evidence) -> np.ndarray:
    """eᵀK̂^(a)e/eᵀK̂e where both can be divided."""
    part, total = evidence.column("quadratic_a"), evidence.column("quadratic")
    kept = _resolved(evidence) & np.isfinite(part)
    return part[kept] / total[kept]


def _share_of_part_a(evidence: Evidence) -> Reading:
    shares = _shares(evidence)
    words = f"share of part (a): from {shares[0]:.3g} at the start to {shares[-1]:.3g} at the end"
    return Reading(float(shares.max()), 1.0, words, tolerance=math.sqrt(evidence.eps))


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
            "the kernel is finite, and eᵀK̂e above rounding",
            lambda e: "" if len(_shares(e)) else "eᵀK̂e was finite and above rounding at no tracked step",
        ),
    ),
    about_theory=False,
)


def _lambda_min_at_start(evidence: Evidence) -> Reading:
    guarantee = evidence.theory.guarantee
    if guarantee is None:
        note = "no theorem promises it here"
    else:
        met = "met" if evidence.history.final.start.width >= guarantee.lambda_min.width else "not met"
        note = f"promised from its own width {guarantee.lambda_min.width:.2e} on, {met}"
    return Reading(float(evidence.column("lambda_min_a")[0]), 0.75 * evidence.lazy.lambda_s, note)


def _unresolved(evidence: Evidence) -> str:
    floor = evidence.column("floor_a")
    if not len(floor) or not 0.75 * evidence.lazy.lambda_s <= floor[0]:
        return ""
    return f"λ_S is below the rounding floor {floor[0]:.1e} of K̂^(a) in the precision of the run"


RESOLVED = Premise("λ_S is above the rounding of the tracked kernel", _unresolved)
LAMBDA_MIN_AT_START = Claim(
    "λ_min at initialisation",
    "λ_min(K̂^(a)(θ⁰)) ≥ ¾ λ_S",
    "λ_min of the tracked K̂^(a) at θ⁰ is at least ¾λ_S",
    _lambda_min_at_start,
    premises=(LAZY_LIMIT, tracked("lambda_min_a", first=True), LAMBDA_S, RESOLVED),
    relation="≥",
    promise=LAMBDA_MIN_WIDTH,
)


def _lambda_min_before_exit(evidence: Evidence) -> Reading:
    values = evidence.column("lambda_min_a")
    before = values[: exit_index(evidence)]
    note = f"over {len(before)} of {len(values)} tracked steps before t*"
    bound = evolved_lambda_min(evidence.lazy.lambda_s)
    return Reading(float(np.nanmin(before)), bound, note, evidence.e_folds(len(before) - 1))


LAMBDA_MIN_BEFORE_EXIT = Claim(
    "λ_min during training",
    "λ_min(K̂^(a)(θ(t))) ≥ λ_S/2 for t < t*",
    "the smallest λ_min of K̂^(a) over tracked steps before t* is at least λ_S/2",
    _lambda_min_before_exit,
    premises=(LAZY_LIMIT, tracked("lambda_min_a"), LAMBDA_S, RESOLVED),
    relation="≥",
    condition=lambda e, reading: other_law(e, reading) or started_too_low(e, reading),
    follows=INNER,
    promise=SUFFICIENT_WIDTH,
)


def _drift(evidence: Evidence) -> Reading:
    left = exit_time(evidence.theory, evidence.history)
    largest = float(np.nanmax(evidence.column("drift_a")))
    note = "" if left is None else f"t* lies between {left[0]:.4g}, tracked inside, and {left[1]:.4g}, tracked outside"
    return Reading(largest, stopping_radius(evidence.lazy.lambda_s), note, evidence.e_folds())


def _below_rounding(evidence: Evidence, reading: Reading) -> str:
    size = float(evidence.column("lambda_max_a")[0])
    return "the drift is at rounding level" if still(reading.measured or 0.0, size, evidence.eps) else ""


STOPPING_TIME = Claim(
    "stopping time",
    "t* = ∞: ‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ λ_S/4",
    "the largest tracked drift is at most λ_S/4",
    _drift,
    premises=(LAZY_LIMIT, tracked("drift_a"), LAMBDA_S),
    condition=other_law,
    vacuous=_below_rounding,
    vacuous_when=f"the drift is below {ROUNDINGS:g} ε λ_max(K̂^(a))",
    follows=INNER,
    promise=SUFFICIENT_WIDTH,
)
