"""Every statement of the lecture that one run can test, each measured and judged."""

import math
from typing import Any

import numpy as np
import torch

from pinn_ntk.comparison.envelope import envelope, safe_exp
from pinn_ntk.comparison.statements import Comparable, Statement, at_least, at_most, silent
from pinn_ntk.theory.bounds import evolved_lambda_min, stopping_radius
from pinn_ntk.theory.bounds import exit_time as theory_exit_time
from pinn_ntk.theory.prediction import Guarantee, Lazy, Prediction
from pinn_ntk.training.trackers import Array, History

EPS = float(np.finfo(np.float64).eps)
ROUNDING = 1e-24
"""A loss below this share of its start is a residual below 1e-12 of its start: rounding, not dynamics."""


def compare(run: Comparable) -> tuple[Statement, ...]:
    """Prediction and history of a run as statements with verdicts.

    Args:
        run: a record, or anything with `.prediction` and `.history`.
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


def _column(history: History, name: str) -> Array:
    """A tracked column, empty where it was not tracked."""
    return history.columns.get(name, np.empty(0))


def dissipation_identity(history: History) -> Statement:
    """dR_S/dt = −(s²N/n²)eᵀK̂e: the right-hand side from the kernel against −‖∇R_S‖² from the gradient, which share no code path."""
    name, claim = "dissipation identity", "dR_S/dt = −‖∇R_S‖² = −(s²N/n²) eᵀK̂e"
    form, norm = _column(history, "dissipation"), _column(history, "gradient_norm_squared")
    kept = norm[: len(form)] > 0.0
    if not len(form) or not kept.any():
        return silent(name, claim, "not_applicable", "the kernel was not tracked, or the gradient is zero")
    gap = float(np.max(np.abs(form[kept] / norm[: len(form)][kept] - 1.0)))
    tolerance = 1e-8 if history.final.residual.dtype == torch.float64 else 1e-2
    return at_most(name, claim, gap, tolerance, "largest relative difference over tracked steps, against a rounding tolerance")


def inequality_2(history: History) -> Statement:
    """eᵀK̂^(a)e ≤ eᵀK̂e: inequality (2) of the lecture; measured is the largest share of part (a)."""
    name, claim = "inequality (2)", "eᵀK̂^(a)e ≤ eᵀK̂e"
    part, total = _column(history, "quadratic_a"), _column(history, "quadratic")
    kept = total > 0.0
    if not kept.any():
        return silent(name, claim, "not_applicable", "the kernel was not tracked")
    shares = part[kept] / total[kept]
    return at_most(
        name, claim, float(shares.max()), 1.0, f"share of part (a): from {shares[0]:.3g} at the start to {shares[-1]:.3g} at the end"
    )


def linear_convergence(prediction: Prediction, history: History) -> Statement:
    """R_S(θ(t)) ≤ exp(−Nλ_S t/n) R_S(θ⁰), for every step up to the cut; measured is the worst ratio."""
    name, claim = "linear convergence", "R_S(t) ≤ e^{−(s²Nλ_S/n) t} R_S(0)"
    if prediction.lazy is None:
        return silent(name, claim, "not_applicable", prediction.unavailable)
    if prediction.lazy.rate == 0.0:
        return silent(name, claim, "not_applicable", "λ_S is below its rounding floor: no rate")
    result = envelope(prediction, history)
    if result is None:
        return silent(name, claim, "vacuous", "no step before the envelope meets rounding")
    worst = safe_exp(result.worst_log_ratio)
    if result.holds is None:
        words = f"the bound fell by {result.e_folds:.2g} e-folds only: compare with the linearised prediction instead"
        words += (
            "" if result.worst_log_ratio <= 1e-9 else "; the loss rose above its start, as no gradient flow does: the step is too large"
        )
        return silent(name, claim, "vacuous", words, 1.0, worst)
    note = "" if prediction.guarantee else f"outside the theorem ({prediction.verdict.reason})"
    return at_most(name, claim, worst, 1.0, f"{result.e_folds:.3g} e-folds{'; ' if note else ''}{note}")


def _why_not(lazy: Lazy | None, tracked: Array, unavailable: str) -> str:
    """Why a statement about λ_S and a tracked quantity cannot be judged; empty when it can."""
    if lazy is None:
        return unavailable
    if not len(tracked):
        return "the kernel was not tracked"
    if not np.isfinite(tracked).any():
        return "the eigensolver failed there"
    return "λ_S is below its floor" if lazy.lambda_s == 0.0 else ""


def lambda_min_at_start(lazy: Lazy | None, guarantee: Guarantee | None, history: History, unavailable: str) -> Statement:
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
    note = f"over {len(before)} of {len(values)} tracked steps before t*"
    smallest, bound = float(np.nanmin(before)), evolved_lambda_min(lazy.lambda_s)
    if float(values[0]) < 0.75 * lazy.lambda_s:
        return silent(name, claim, "not_applicable", "its premise λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S did not hold", bound, smallest)
    return at_least(name, claim, smallest, bound, note)


def stopping_time(lazy: Lazy | None, history: History, unavailable: str) -> Statement:
    """t* = ∞: ‖K̂^(a)(θ(t)) − K̂^(a)(θ⁰)‖_F ≤ λ_S/4 throughout; vacuous when the drift is at rounding level."""
    name, claim = "stopping time", "t* = ∞: ‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ λ_S/4"
    drift = _column(history, "drift_a")
    reason = _why_not(lazy, drift, unavailable)
    if lazy is None or reason:
        return silent(name, claim, "not_applicable", reason)
    largest, radius = float(np.nanmax(drift)), stopping_radius(lazy.lambda_s)
    if len(drift) < 2 or largest <= 10 * EPS * float(_column(history, "lambda_max_a")[0]):
        return silent(name, claim, "vacuous", "the drift is at rounding level", radius, largest)
    left = _exit_time(lazy, history)
    return at_most(name, claim, largest, radius, "" if left is None else f"t* = {left:.4g}")


def linearised_losses(prediction: Prediction, history: History) -> Array:
    """R_S of the linearised network at the tracked steps."""
    steps = torch.from_numpy(history.columns["step"]).to(prediction.linear.eigenvalues)
    times = torch.from_numpy(history.columns["time"]).to(prediction.linear.eigenvalues)
    descent = history.step_size > 0.0
    values = prediction.linear.loss_after(steps, history.step_size) if descent else prediction.linear.loss(times)
    return values.cpu().numpy()


def above_rounding(loss: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where a loss is finite and above its rounding level: what is below cannot follow any prediction."""
    kept: np.ndarray[Any, np.dtype[np.bool_]] = np.isfinite(loss) & (loss > max(ROUNDING * float(loss[0]), 1e-300))
    return kept


def linearised_loss(prediction: Prediction, history: History) -> Statement:
    """R_S(t) ≈ ‖e^{−(s²N/n)K̂₀t}e₀‖²/(2n): measured is the largest |log₁₀| distance over tracked steps, judged against a factor of two."""
    name, claim = "linearised prediction", "R_S(t) ≈ ‖(I − τ(s²N/n)K̂₀)^k e₀‖²/(2n) within a factor of 2"
    loss, predicted = _column(history, "loss"), linearised_losses(prediction, history)
    kept = above_rounding(loss) & np.isfinite(predicted)
    if kept.sum() < 2:
        return silent(name, claim, "vacuous", "fewer than two tracked steps above rounding")
    floor = ROUNDING * float(loss[0])
    gap = safe_exp(float(np.max(np.abs(np.log(loss[kept]) - np.log(np.maximum(predicted[kept], floor))))))
    return at_most(name, claim, gap, 2.0, "the largest factor between measured and linearised loss over tracked steps")


def forecast_losses(prediction: Prediction, history: History) -> tuple[Array, Array] | None:
    """E R_S at the tracked steps, and its 5 %, 50 %, 95 % quantiles over seeds; None when not available."""
    if prediction.lazy is None:
        return None
    forecast = prediction.lazy.forecast
    like = forecast.eigenvalues
    steps, times = (torch.from_numpy(history.columns[c]).to(like) for c in ("step", "time"))
    tau = history.step_size
    if tau > 0.0:
        return forecast.after(steps, tau).cpu().numpy(), forecast.band_after(steps, tau).cpu().numpy()
    return forecast.mean(times).cpu().numpy(), forecast.band(times).cpu().numpy()


def forecast_band(prediction: Prediction, history: History) -> Statement:
    """The forecast drawn before training: measured is the share of tracked steps whose loss lies in the 5–95 % band over seeds."""
    name, claim = "forecast before training", "R_S(t) within the 5–95 % band of the lazy limit (90 % of seeds at each t)"
    curves = forecast_losses(prediction, history)
    if curves is None:
        return silent(name, claim, "not_applicable", prediction.unavailable)
    loss, band = _column(history, "loss"), curves[1]
    kept = above_rounding(loss)
    if not kept.any():
        return silent(name, claim, "vacuous", "the loss is at rounding level from the start")
    inside = ((loss >= band[0] * (1 - 1e-9)) & (loss <= band[2] * (1 + 1e-9)))[kept]
    words = "share of tracked steps inside; one seed in ten leaves the band, which also leaves out the kernel's own fluctuation"
    return at_least(name, claim, float(inside.mean()), 0.9, words)


def _theorem(guarantee: Guarantee, prediction: Prediction, history: History) -> list[Statement]:
    """The lemmas of the theorem that applies, each under its own width."""
    start = history.final.start
    drift, names = guarantee.drift, dict(THEOREM_STATEMENTS)
    width_note = f"promised from width {drift.width:.2e} on, {'met' if drift.holds else 'not met'}"
    exit_at = _exit_index(prediction.lazy, history) if prediction.lazy else None
    moved_a, moved_w = (_column(history, c)[:exit_at] for c in ("max_delta_a", "max_delta_w"))
    statements = [_initial_loss(guarantee, prediction, names["initial loss lemma"])]
    for name, moved in (("outer weights stay", moved_a), ("inner weights stay", moved_w)):
        statements.append(at_most(name, names[name], float(np.max(moved, initial=0.0)), drift.q, width_note))
    a, w = float(start.a0.abs().max()), float(start.w0.abs().max())
    statements.append(at_most("initial outer weights", names["initial outer weights"], a, drift.gamma_eta, "with probability 1 − δ"))
    statements.append(at_most("initial inner weights", names["initial inner weights"], w, drift.eta, "with probability 1 − δ"))
    return [*statements, _sufficient_width(guarantee, start.width, names["sufficient width"])]


def _initial_loss(guarantee: Guarantee, prediction: Prediction, claim: str) -> Statement:
    if guarantee.loss_bound is None:
        return silent("initial loss lemma", claim, "not_applicable", "the lemma needs |f| ≤ 1")
    return at_most("initial loss lemma", claim, prediction.initial_loss, guarantee.loss_bound)


def _sufficient_width(guarantee: Guarantee, width: int, claim: str) -> Statement:
    least = guarantee.least.width
    if width >= guarantee.terms.largest:
        return Statement("sufficient width", claim, guarantee.terms.largest, float(width), width / guarantee.terms.largest, "holds")
    words = f"sufficient width not met: least width {least:.2e}, N is {width / least:.1e} of it; the theorem then promises nothing"
    return silent("sufficient width", claim, "not_applicable", words, guarantee.terms.largest, float(width))


def least_ratio(guarantee: Guarantee | None, width: int) -> float | None:
    """N over the least width of the theorem."""
    return None if guarantee is None or not math.isfinite(guarantee.least.width) else width / guarantee.least.width
