"""Every statement of the lecture that one run can test, each measured and judged."""

import math

import numpy as np
import torch

from pinn_ntk.comparison.certificate_statement import certificate_statements
from pinn_ntk.comparison.envelope import e_folds, envelope, safe_exp
from pinn_ntk.comparison.lazy_statements import forecast_band, linearised_loss
from pinn_ntk.comparison.statements import Comparable, Statement, at_least, at_most, silent
from pinn_ntk.networks.two_layer import require_two_layer
from pinn_ntk.theory.bounds import evolved_lambda_min, stopping_radius
from pinn_ntk.theory.bounds import exit_time as theory_exit_time
from pinn_ntk.theory.constants import PDE
from pinn_ntk.theory.prediction import Guarantee, Lazy, Prediction
from pinn_ntk.training.trackers import Array, History

ROUNDINGS = 10.0
"""Of λ_max(K̂^(a)): a drift below so many is none; two ways of summing the same million neurons differ by up to
seven.
"""


def compare(run: Comparable) -> tuple[Statement, ...]:
    """Prediction and history of a run as statements with verdicts.

    Args:
        run: a record, or anything with `.prediction` and `.history`.

    Examples:
        >>> from pinn_ntk import Settings, TwoLayer, box, compare, laplacian, pose, run
        >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
        >>> record = run(problem, net, Settings(steps=20, tracked=5))
        >>> {s.name: s.verdict for s in compare(record)}["inequality (2)"]  # eᵀK̂^(a)e ≤ eᵀK̂e
        'holds'
    """
    history, prediction = run.history, run.prediction
    statements = [dissipation_identity(history), inequality_2(history)]
    if prediction is None:
        return tuple(statements)
    lazy, guarantee = prediction.lazy, prediction.guarantee
    statements += [
        linear_convergence(prediction, history),
        lambda_min_at_start(lazy, guarantee, history, prediction.unavailable),
        lambda_min_before_exit(lazy, history, prediction.unavailable),
        stopping_time(lazy, history, prediction.unavailable),
        linearised_loss(prediction, history),
        forecast_band(prediction, history),
        *certificate_statements(prediction, history),
    ]
    if guarantee is None:
        reason = prediction.verdict.reason
        return (*statements, *(silent(name, claim, "not_applicable", reason) for name, claim in THEOREM_STATEMENTS))
    return (*statements, *_theorem(guarantee, prediction, history))


THEOREM_STATEMENTS = (
    ("initial loss lemma", "R_S(θ⁰) ≤ bound with probability 1 − δ"),
    ("outer weights stay", "max_k |a_k(t) − a_k(0)| ≤ q for t < t*"),
    ("inner weights stay", "max_k ‖w_k(t) − w_k(0)‖_∞ ≤ q for t < t*"),
    ("initial outer weights", "max_k |a_k(0)| ≤ γη"),
    ("initial inner weights", "max_k ‖w_k(0)‖_∞ ≤ η"),
    ("sufficient width", "N ≥ max{three terms}"),
)
NOT_THE_FLOW = "the theorem is about gradient flow, and this optimiser moves θ by another law"
_LEAST = 1e-300  # below it a quotient may overflow


def _eps(history: History) -> float:
    """Of the precision of the run."""
    return float(torch.finfo(history.final.residual.dtype).eps)


def _column(history: History, name: str) -> Array:
    """A tracked column, empty where it was not tracked."""
    return history.columns.get(name, np.empty(0))


def dissipation_identity(history: History) -> Statement:
    """dR_S/dt = −(s²N/n²)eᵀK̂e: the right-hand side from the kernel against −‖∇R_S‖² from the gradient,
    which share no code path.
    """
    name, claim = "dissipation identity", "dR_S/dt = −‖∇R_S‖² = −(s²N/n²) eᵀK̂e"
    form, norm = _column(history, "dissipation"), _column(history, "gradient_norm_squared")
    kept = (
        (norm[: len(form)] > _LEAST) & np.isfinite(norm[: len(form)]) & np.isfinite(form)
    )  # a run that diverges overflows both
    if not len(form) or not kept.any():
        return silent(name, claim, "not_applicable", "the kernel was not tracked, or the gradient is zero")
    gap = float(np.max(np.abs(form[kept] / norm[: len(form)][kept] - 1.0)))
    tolerance = 1e-8 if history.final.residual.dtype == torch.float64 else 1e-2
    return at_most(
        name, claim, gap, tolerance, "largest relative difference over tracked steps, against a rounding tolerance"
    )


def inequality_2(history: History) -> Statement:
    """eᵀK̂^(a)e ≤ eᵀK̂e: inequality (2) of the lecture; measured is the largest share of part (a)."""
    name, claim = "inequality (2)", "eᵀK̂^(a)e ≤ eᵀK̂e"
    part, total = _column(history, "quadratic_a"), _column(history, "quadratic")
    if not (total > _LEAST).any():
        return silent(name, claim, "not_applicable", "the kernel was not tracked")
    if not len(part):
        return silent(name, claim, "not_applicable", "part (a) belongs to the outer weights of two-layer networks")
    kept = (total > _LEAST) & np.isfinite(total) & np.isfinite(part)
    if not kept.any():
        return silent(name, claim, "not_applicable", "the kernel was finite at no tracked step")
    shares = part[kept] / total[kept]
    return at_most(
        name,
        claim,
        float(shares.max()),
        1.0,
        f"share of part (a): from {shares[0]:.3g} at the start to {shares[-1]:.3g} at the end",
    )


def linear_convergence(prediction: Prediction, history: History) -> Statement:
    """R_S(θ(t)) ≤ exp(−Nλ_S t/n) R_S(θ⁰), for every step up to the cut; measured is the worst ratio."""
    name, claim = "linear convergence", "R_S(t) ≤ e^{−(s²Nλ_S/n) t} R_S(0)"
    if prediction.lazy is None:
        return silent(name, claim, "not_applicable", prediction.unavailable)
    if not history.dynamics.gradient_flow:
        return silent(name, claim, "not_applicable", NOT_THE_FLOW)
    if prediction.lazy.rate == 0.0:
        return silent(name, claim, "not_applicable", "λ_S is below its rounding floor: no rate")
    result = envelope(prediction, history)
    if result is None:
        return silent(name, claim, "vacuous", "no step before the envelope meets rounding")
    worst = safe_exp(result.worst_log_ratio)
    if result.holds is None:
        words = f"the bound fell by {result.e_folds:.2g} e-folds only: compare with the linearised prediction instead"
        words += (
            ""
            if result.worst_log_ratio <= 1e-9
            else "; the loss rose above its start, as no gradient flow does: the step is too large"
        )
        return silent(name, claim, "vacuous", words, 1.0, worst, result.e_folds)
    note = "" if prediction.guarantee else f"outside the theorem ({prediction.verdict.reason})"
    return at_most(name, claim, worst, 1.0, note, e_folds=result.e_folds)


def _why_not(lazy: Lazy | None, tracked: Array, unavailable: str) -> str:
    """Why a statement about λ_S and a tracked quantity cannot be judged; empty when it can."""
    if lazy is None:
        return unavailable
    if not len(tracked):
        return "the kernel was not tracked"
    if not np.isfinite(tracked).any():
        return "the eigensolver failed there"
    return "λ_S is below its floor" if lazy.lambda_s == 0.0 else ""


def lambda_min_at_start(
    lazy: Lazy | None, guarantee: Guarantee | None, history: History, unavailable: str
) -> Statement:
    """λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S."""
    name, claim = "λ_min at initialisation", "λ_min(K̂^(a)(θ⁰)) ≥ ¾ λ_S"
    values = _column(history, "lambda_min_a")
    reason = _why_not(lazy, values[:1], unavailable)
    if lazy is None or reason:
        return silent(name, claim, "not_applicable", reason)
    if guarantee is None:
        note = "no theorem promises it here"
    else:
        met = "met" if history.final.start.width >= guarantee.lambda_min.width else "not met"
        note = f"promised from its own width {guarantee.lambda_min.width:.2e} on, {met}"
    return at_least(name, claim, float(values[0]), 0.75 * lazy.lambda_s, note)


def _exit_index(lazy: Lazy, history: History) -> int | None:
    """Index of the first tracked step outside the ball of radius λ_S/4, None if there is none."""
    left = _exit_time(lazy, history)
    return None if left is None else int(np.searchsorted(history.columns["time"], left))


def _exit_time(lazy: Lazy, history: History) -> float | None:
    # on the CPU: the history is numpy's
    times, drift = (torch.from_numpy(_column(history, name)) for name in ("time", "drift_a"))
    return theory_exit_time(times, drift, lazy.lambda_s)


def exit_time(prediction: Prediction, history: History) -> float | None:
    """t* = inf{t : ‖K̂^(a)(t) − K̂^(a)(0)‖_F > λ_S/4} as tracked; None when never, or when there is no λ_S."""
    if prediction.lazy is None or prediction.lazy.lambda_s == 0.0:
        return None
    return _exit_time(prediction.lazy, history)


def lambda_min_before_exit(lazy: Lazy | None, history: History, unavailable: str) -> Statement:
    """λ_min(K̂^(a)(θ(t))) ≥ λ_S/2 for t < t*."""
    name, claim = "λ_min during training", "λ_min(K̂^(a)(θ(t))) ≥ λ_S/2 for t < t*"
    values = _column(history, "lambda_min_a")
    reason = _why_not(lazy, values, unavailable)
    if lazy is None or reason:
        return silent(name, claim, "not_applicable", reason)
    before = values[: _exit_index(lazy, history)]
    covered = e_folds(lazy, history, len(before) - 1)
    note = f"over {len(before)} of {len(values)} tracked steps before t*"
    smallest, bound = float(np.nanmin(before)), evolved_lambda_min(lazy.lambda_s)
    if float(values[0]) < 0.75 * lazy.lambda_s:
        return silent(
            name, claim, "not_applicable", "its premise λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S did not hold", bound, smallest, covered
        )
    return at_least(name, claim, smallest, bound, note, e_folds=covered)


def stopping_time(lazy: Lazy | None, history: History, unavailable: str) -> Statement:
    """t* = ∞: ‖K̂^(a)(θ(t)) − K̂^(a)(θ⁰)‖_F ≤ λ_S/4 throughout; vacuous when the drift is at rounding level."""
    name, claim = "stopping time", "t* = ∞: ‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ λ_S/4"
    drift = _column(history, "drift_a")
    reason = _why_not(lazy, drift, unavailable)
    if lazy is None or reason:
        return silent(name, claim, "not_applicable", reason)
    largest, radius = float(np.nanmax(drift)), stopping_radius(lazy.lambda_s)
    covered = e_folds(lazy, history)
    if len(drift) < 2 or largest <= ROUNDINGS * _eps(history) * float(_column(history, "lambda_max_a")[0]):
        return silent(name, claim, "vacuous", "the drift is at rounding level", radius, largest, covered)
    left = _exit_time(lazy, history)
    return at_most(name, claim, largest, radius, "" if left is None else f"t* = {left:.4g}", e_folds=covered)


def _theorem(guarantee: Guarantee, prediction: Prediction, history: History) -> list[Statement]:
    """The lemmas of the theorem that applies, each under its own width."""
    start = require_two_layer(history.final.start, "the theorem")
    drift, names = guarantee.drift, dict(THEOREM_STATEMENTS)
    width_note = f"promised from width {drift.width:.2e} on, {'met' if drift.holds else 'not met'}"
    width_note += "; q is derived: the lecture gives none for operators" if guarantee.premises.theorem is PDE else ""
    exit_at = _exit_index(prediction.lazy, history) if prediction.lazy else None
    moved_a, moved_w = (_column(history, c)[:exit_at] for c in ("max_delta_a", "max_delta_w"))
    statements = [_initial_loss(guarantee, prediction, names["initial loss lemma"])]
    for name, moved in (("outer weights stay", moved_a), ("inner weights stay", moved_w)):
        most, covered = float(np.max(moved, initial=0.0)), e_folds(prediction.lazy, history, len(moved) - 1)
        if history.dynamics.gradient_flow:
            statements.append(at_most(name, names[name], most, drift.q, width_note, e_folds=covered))
        else:
            statements.append(silent(name, names[name], "not_applicable", NOT_THE_FLOW, drift.q, most))
    a, w = float(start.a0.abs().max()), float(start.w0.abs().max())  # read back: bounds of the lemmas
    statements.append(
        at_most("initial outer weights", names["initial outer weights"], a, drift.gamma_eta, "with probability 1 − δ")
    )
    statements.append(
        at_most("initial inner weights", names["initial inner weights"], w, drift.eta, "with probability 1 − δ")
    )
    return [*statements, _sufficient_width(guarantee, start.width, names["sufficient width"])]


def _initial_loss(guarantee: Guarantee, prediction: Prediction, claim: str) -> Statement:
    if guarantee.loss_bound is None:
        return silent("initial loss lemma", claim, "not_applicable", "the lemma needs |f| ≤ 1")
    return at_most("initial loss lemma", claim, prediction.initial_loss, guarantee.loss_bound)


def _sufficient_width(guarantee: Guarantee, width: int, claim: str) -> Statement:
    least = guarantee.least.width
    if width >= guarantee.terms.largest:
        return Statement(
            "sufficient width", claim, guarantee.terms.largest, float(width), width / guarantee.terms.largest, "holds"
        )
    words = (
        f"sufficient width not met: least width {least:.2e}, N is {width / least:.1e} of it; the theorem then "
        "promises nothing"
    )
    return silent("sufficient width", claim, "not_applicable", words, guarantee.terms.largest, float(width))


def least_ratio(guarantee: Guarantee | None, width: int) -> float | None:
    """N over the least width of the theorem."""
    return None if guarantee is None or not math.isfinite(guarantee.least.width) else width / guarantee.least.width
