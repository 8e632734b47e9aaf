"""The certificate beside the run that it was written for: rate, kernel drift and distance from the linearised network,
for all times.
"""

import math
from typing import Any

import numpy as np

from pinn_ntk.comparison.claim import Claim, Evidence, Premise, Reading
from pinn_ntk.comparison.envelope import below, falling, safe_exp
from pinn_ntk.comparison.lazy_statements import linearised_losses
from pinn_ntk.comparison.rounding import above_rounding, loss_floors, still
from pinn_ntk.comparison.vacuity import ANY, INNER
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks.rounding import ROUNDINGS
from pinn_ntk.theory.certificate import Certificate
from pinn_ntk.training.trackers import History

TWO_LAYERS = "the certificate is about two-layer networks"


def _certificate(evidence: Evidence) -> Certificate:
    """The certificate, for a claim whose premises ask for it."""
    found = evidence.theory.certificate
    if found is None:
        raise LookupError(TWO_LAYERS)
    return found


def _not_certified(evidence: Evidence) -> str:
    found = evidence.theory.certificate
    if found is None:
        return TWO_LAYERS
    return "" if found.rate_under(evidence.history.dynamics) else misses(found, evidence.history)


CERTIFIED = Premise("the certificate covers this network and its dynamics", _not_certified)


def _rate(evidence: Evidence) -> Reading | str:
    """The worst ratio of R_S(t) to e^{−rate·t}R_S(0) over all steps above rounding."""
    history, rate = evidence.history, _certificate(evidence).rate_under(evidence.history.dynamics) or 0.0
    result = below(evidence.theory, history, falling(history, rate))
    if result is None:
        return "fewer than two steps before the bound meets rounding"
    words = f"certified rate {rate:.3g}, measured {result.rate_measured:.3g}"
    return Reading(safe_exp(result.worst_log_ratio), 1.0, words, result.e_folds)


RATE = Claim(
    "certificate",
    "R_S(t) ≤ e^{−rate·t} R_S(0) for all t, for this seed; rate from σ_min(J₀), e₀ and bounds of ∇²φ",
    "the worst ratio of loss, less its rounding, to bound over all steps up to where the bound meets rounding is at "
    "most 1",
    _rate,
    premises=(CERTIFIED,),
    vacuous_when="the bound meets rounding at once",
    follows=ANY,
)


def _drift(evidence: Evidence) -> Reading:
    found, drift = _certificate(evidence), evidence.column("drift_a")
    radius = found.stopping_radius
    share = "λ_S is not known" if radius is None else f"d is {found.drift_a / radius:.2g} of λ_S/4: t* = ∞ is "
    words = share if radius is None else share + ("proved" if found.never_leaves else "not proved")
    return Reading(float(np.nanmax(drift)) if np.isfinite(drift).any() else None, found.drift_a, words)


def _not_tracked(_: Evidence, reading: Reading) -> str:
    return f"the kernel was not tracked; {reading.note}" if reading.measured is None else ""


def _drift_below_rounding(evidence: Evidence, reading: Reading) -> str:
    size = float(evidence.column("lambda_max_a")[0])
    quiet = still(reading.measured or 0.0, size, evidence.eps)
    return f"the drift is at rounding level; {reading.note}" if quiet else ""


DRIFT = Claim(
    "certified drift",
    "‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ d for all t, for this seed; t* = ∞ where d ≤ λ_S/4",
    "the largest tracked drift is at most d",
    _drift,
    premises=(CERTIFIED,),
    condition=_not_tracked,
    vacuous=_drift_below_rounding,
    vacuous_when=f"the drift is below {ROUNDINGS:g} ε λ_max(K̂^(a))",
    follows=INNER,
)


def _modes_missing(evidence: Evidence) -> str:
    modes = _certificate(evidence).modes
    bounded = evidence.history.dynamics.solvable and modes is not None and modes.certified
    return "" if bounded else "only the way through the modes bounds it, and it was not certified"


def _gap(evidence: Evidence) -> Reading:
    """|√R_S − √R_S^lin| ≤ g/√(2n), which ‖e − e^lin‖ ≤ g implies; measured is the largest tracked distance."""
    found, loss = _certificate(evidence), evidence.column("loss")
    linear = linearised_losses(evidence.theory, evidence.history)
    if linear is None or found.modes is None:
        raise LookupError("the premises of this claim were not asked")
    bound = found.modes.gap / math.sqrt(2.0 * found.points)
    kept = above_rounding(evidence.prediction, evidence.history) & np.isfinite(linear)
    if kept.sum() < 2:
        return Reading(None, bound)
    measured = float(np.max(np.abs(np.sqrt(loss[kept]) - np.sqrt(linear[kept]))))
    return Reading(measured, bound, f"g/√(2n) is {bound / math.sqrt(float(loss[0])):.2g} of √R_S(0)")


def _gap_below_rounding(evidence: Evidence, reading: Reading) -> str:
    if reading.measured is None:
        return "fewer than two tracked steps above rounding"
    floor = math.sqrt(float(np.max(loss_floors(evidence.prediction, evidence.history))))
    return "the distance is at rounding level" if reading.measured <= floor else ""


GAP = Claim(
    "certified linearisation",
    "|√R_S(t) − √R_S^lin(t)| ≤ g/√(2n) for all t, for this seed",
    "the largest tracked distance from the linearised network is at most g/√(2n)",
    _gap,
    premises=(CERTIFIED, Premise("the certificate came through the modes", _modes_missing)),
    vacuous=_gap_below_rounding,
    vacuous_when="the distance is below the rounding of √R_S, or fewer than two steps are tracked above it",
    follows=ANY,
)

CERTIFICATE_CLAIMS = (RATE, DRIFT, GAP)


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
