"""The certificate beside the run that it was written for: rate, kernel drift and distance from the linearised network,
for all times.
"""

import math
from typing import Any

import numpy as np

from pinn_ntk.comparison.envelope import safe_exp, step_times
from pinn_ntk.comparison.lazy_statements import linearised_losses
from pinn_ntk.comparison.statements import Statement, at_most, silent
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.theory.certificate import Certificate
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import Array, History

RATE = (
    "certificate",
    "R_S(t) ≤ e^{−rate·t} R_S(0) for all t, for this seed; rate from σ_min(J₀), e₀ and bounds of ∇²φ",
)
DRIFT = ("certified drift", "‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ d for all t, for this seed; t* = ∞ where d ≤ λ_S/4")
GAP = ("certified linearisation", "|√R_S(t) − √R_S^lin(t)| ≤ g/√(2n) for all t, for this seed")
TWO_LAYERS = "the certificate is about two-layer networks"
_EPS = float(np.finfo(np.float64).eps)
_FLOOR = 1e-20  # in float64: a residual below 1e-10 of its start has lost the digits that a proved bound is about


def certificate_statements(prediction: Prediction, history: History) -> tuple[Statement, Statement, Statement]:
    """Rate, drift of K̂^(a) and distance from the linearised loss, each against its certified bound.

    Args:
        prediction: with the certificate; None in it for a module.
        history: of the run.
    """
    found = prediction.certificate
    rate = None if found is None else found.rate_under(history.dynamics)
    if found is None or not rate:
        reason = TWO_LAYERS if found is None else misses(found, history)
        rate_, drift_, gap_ = (silent(name, claim, "not_applicable", reason) for name, claim in (RATE, DRIFT, GAP))
        return rate_, drift_, gap_
    return certified_rate(rate, history), certified_drift(found, history), certified_gap(found, prediction, history)


def _precision(history: History) -> float:
    """ε of the run over that of float64."""
    return float(np.finfo(str(history.final.residual.dtype).removeprefix("torch.")).eps) / _EPS


def certified_rate(rate: float, history: History) -> Statement:
    """R_S(t) ≤ e^{−rate·t}R_S(0); measured is the worst ratio over all steps above rounding."""
    times, precision = step_times(history), _precision(history)
    losses = history.losses[: len(times)]
    kept = np.isfinite(losses) & (losses > max(_FLOOR * precision**2 * float(losses[0]), 1e-300))
    if kept.sum() < 2:
        return silent(*RATE, "vacuous", "fewer than two steps above rounding")
    times, logs = times[kept], np.log(losses[kept])
    worst, folds = safe_exp(float(np.max((logs - logs[0] + rate * times)[1:]))), rate * float(times[-1])
    words = f"certified rate {rate:.3g}, measured {float((logs[0] - logs[-1]) / times[-1]):.3g}"
    judged = at_most(*RATE, worst, 1.0, words, tolerance=_tolerance(history), e_folds=folds)
    if folds < 1.0 and judged.verdict == "holds":
        return silent(*RATE, "vacuous", f"{words}: the bound fell by {folds:.2g} e-folds only", 1.0, worst)
    return judged


def _tolerance(history: History) -> float:
    return max(1e-9, 1e4 * _EPS * _precision(history))


def certified_drift(found: Certificate, history: History) -> Statement:
    """‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ d; measured is the largest tracked drift."""
    drift, radius = _column(history, "drift_a"), found.stopping_radius
    share = "λ_S is not known" if radius is None else f"d is {found.drift_a / radius:.2g} of λ_S/4: t* = ∞ is "
    words = share if radius is None else share + ("proved" if found.never_leaves else "not proved")
    if not np.isfinite(drift).any():
        return silent(*DRIFT, "not_applicable", f"the kernel was not tracked; {words}", found.drift_a)
    rounding = 1e2 * _EPS * _precision(history) * float(_column(history, "lambda_max_a")[0])
    measured = float(np.nanmax(drift))
    if measured <= rounding:
        return silent(*DRIFT, "vacuous", f"the drift is at rounding level; {words}", found.drift_a, measured)
    return at_most(*DRIFT, measured, found.drift_a, words)


def certified_gap(found: Certificate, prediction: Prediction, history: History) -> Statement:
    """|√R_S − √R_S^lin| ≤ g/√(2n), which ‖e − e^lin‖ ≤ g implies; measured is the largest tracked distance."""
    linear = linearised_losses(prediction, history)
    loss = _column(history, "loss")
    if linear is None or found.modes is None or not found.modes.certified:
        return silent(*GAP, "not_applicable", "only the way through the modes bounds it, and it was not certified")
    kept = np.isfinite(loss) & np.isfinite(linear)
    bound = found.modes.gap / math.sqrt(2.0 * found.points)
    if kept.sum() < 2:
        return silent(*GAP, "vacuous", "fewer than two tracked steps", bound)
    measured = float(np.max(np.abs(np.sqrt(loss[kept]) - np.sqrt(linear[kept]))))
    start = math.sqrt(float(loss[0]))
    if measured <= 1e3 * _EPS * _precision(history) * start:
        return silent(*GAP, "vacuous", "the distance is at rounding level", bound, measured)
    return at_most(*GAP, measured, bound, f"g/√(2n) is {bound / start:.2g} of √R_S(0)")


def misses(found: Certificate, history: History) -> str:
    """Why there is no certified rate for the dynamics of that run."""
    if not history.dynamics.gradient_flow:
        return (
            "the certificate is about gradient flow and gradient descent, not about "
            f"{history.dynamics.kind.replace('_', ' ')}"
        )
    if found.reason:
        return found.reason
    if found.certified:
        return (
            f"it was written for {found.dynamics.kind} with step {found.dynamics.step:.3g}, and does not cover "
            "this step"
        )
    ball = f"σ_min² falls short of 2L‖e₀‖ by a factor {found.ball.margin:.2g}" if found.ball is not None else ""
    if not math.isfinite(found.width_factor):
        return f"it misses: {ball}; more neurons do not help at this scaling"
    return (
        f"it misses by a factor of about {found.width_factor:.2g} in width (N = {found.estimated_width:.1e}); in "
        f"a ball, {ball}"
    )


def certificate_summary(found: Certificate | None, dynamics: Dynamics) -> dict[str, Any] | None:
    """The certificate as plain numbers, for a summary; None of a module."""
    if found is None:
        return None
    modes, ball = found.modes, found.ball
    through_modes = (
        {
            "certified": modes.certified,
            "turn": modes.turn,
            "gap": modes.gap,
            "width_factor": modes.width_factor,
        }
        if modes
        else None
    )
    in_a_ball = (
        {
            "certified": ball.certified,
            "lipschitz": ball.lipschitz,
            "radius": ball.radius,
            "margin": ball.margin,
            "width_factor": ball.width_factor,
        }
        if ball
        else None
    )
    return {
        "certified": bool(found.rate_under(dynamics)),
        "reason": found.reason,
        "rate": found.rate_under(dynamics) or None,
        "sigma_min": found.sigma_min,
        "sigma_max": found.sigma_max,
        "initial_residual": found.residual,
        "width_factor": found.width_factor,
        "estimated_width": found.estimated_width,
        "drift_a": found.drift_a,
        "stopping_time_infinite": found.never_leaves,
        "modes": through_modes,
        "ball": in_a_ball,
    }


def _column(history: History, name: str) -> Array:
    """A tracked column, empty where it was not tracked."""
    return history.columns.get(name, np.empty(0))
