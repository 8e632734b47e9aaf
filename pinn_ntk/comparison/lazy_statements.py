"""What the lazy limit says of a run, put beside it: the linearised network's loss,
and the forecast with its band over seeds.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.comparison.envelope import e_folds, safe_exp
from pinn_ntk.comparison.statements import Statement, at_least, at_most, silent
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import Array, History

ROUNDING = 1e-24
"""A loss below this share of its start is a residual below 1e-12 of its start: rounding, not dynamics."""
NO_CLOSED_FORM = "the linearised network has no closed form under this optimiser"


def tracked_at(history: History, like: Tensor) -> Tensor:
    """What the closed forms want of the tracked states: their times under a flow, their steps otherwise; (T,)."""
    return torch.from_numpy(history.columns["time" if history.dynamics.kind == "flow" else "step"]).to(like)


def linearised_losses(prediction: Prediction, history: History) -> Array | None:
    """R_S of the linearised network at the tracked steps; None under dynamics without a closed form."""
    if not history.dynamics.solvable:
        return None
    at = tracked_at(history, prediction.linear.eigenvalues)
    # on the CPU: compared with the history, which is numpy's
    return prediction.linear.loss_under(history.dynamics, at).cpu().numpy()


def linearised_mode_losses(prediction: Prediction, history: History) -> Array | None:
    """(u_jᵀe)²/(2n) of the linearised network at the tracked steps, (T, n) with ascending eigenvalues;
    None as for `linearised_losses`.
    """
    if not history.dynamics.solvable:
        return None
    at = tracked_at(history, prediction.linear.eigenvalues)
    # on the CPU: compared with the history, which is numpy's
    return prediction.linear.mode_losses_under(history.dynamics, at).flip(-1).cpu().numpy()


def above_rounding(loss: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where a loss is finite and above its rounding level: what is below cannot follow any prediction."""
    kept: np.ndarray[Any, np.dtype[np.bool_]] = np.isfinite(loss) & (loss > max(ROUNDING * float(loss[0]), 1e-300))
    return kept


def linearised_loss(prediction: Prediction, history: History) -> Statement:
    """R_S ≈ ‖U r(Λ) Uᵀe₀‖²/(2n), r the decay of the run's dynamics: measured is the largest factor over tracked steps,
    at most two.
    """
    forms = {"flow": "‖e^{−(s²N/n)K̂₀t}e₀‖²/(2n)", "descent": "‖(I − τ(s²N/n)K̂₀)^k e₀‖²/(2n)"}
    form = forms.get(history.dynamics.kind, "‖U r_k(Λ) Uᵀe₀‖²/(2n), r_{k+1} = T r_k − p r_{k−1}")
    name, claim = "linearised prediction", f"R_S(t) ≈ {form} within a factor of 2"
    loss, predicted = history.columns.get("loss", np.empty(0)), linearised_losses(prediction, history)
    if predicted is None:
        return silent(
            name,
            "R_S(t) ≈ the loss of the network linearised at θ⁰, within a factor of 2",
            "not_applicable",
            NO_CLOSED_FORM,
        )
    kept = above_rounding(loss) & np.isfinite(predicted)
    if kept.sum() < 2:
        return silent(name, claim, "vacuous", "fewer than two tracked steps above rounding")
    floor = ROUNDING * float(loss[0])
    gap = safe_exp(float(np.max(np.abs(np.log(loss[kept]) - np.log(np.maximum(predicted[kept], floor))))))
    words, covered = (
        "the largest factor between measured and linearised loss over tracked steps",
        _covered(prediction, history, kept),
    )
    return at_most(name, claim, gap, 2.0, words, e_folds=covered)


def forecast_losses(prediction: Prediction, history: History) -> tuple[Array, Array] | None:
    """E R_S at the tracked steps, and its 5 %, 50 %, 95 % quantiles over seeds; None when not available."""
    if prediction.lazy is None or not history.dynamics.solvable:
        return None
    forecast, law = prediction.lazy.forecast, history.dynamics
    at = tracked_at(history, forecast.eigenvalues)
    # on the CPU: compared with the history, which is numpy's
    return forecast.mean_under(law, at).cpu().numpy(), forecast.band_under(law, at).cpu().numpy()


def forecast_band(prediction: Prediction, history: History) -> Statement:
    """The forecast drawn before training: measured is the share of tracked steps whose loss lies in the 5–95 % band
    over seeds.
    """
    name, claim = (
        "forecast before training",
        "R_S(t) within the 5–95 % band of the lazy limit (90 % of seeds at each t)",
    )
    curves = forecast_losses(prediction, history)
    if curves is None:
        return silent(name, claim, "not_applicable", prediction.unavailable or NO_CLOSED_FORM)
    loss, band = history.columns.get("loss", np.empty(0)), curves[1]
    kept = above_rounding(loss)
    if not kept.any():
        return silent(name, claim, "vacuous", "the loss is at rounding level from the start")
    inside = ((loss >= band[0] * (1 - 1e-9)) & (loss <= band[2] * (1 + 1e-9)))[kept]
    words = (
        "share of tracked steps inside; one seed in ten leaves the band, which also leaves out the kernel's "
        "own fluctuation"
    )
    return at_least(name, claim, float(inside.mean()), 0.9, words, e_folds=_covered(prediction, history, kept))


def _covered(prediction: Prediction, history: History, kept: np.ndarray[Any, np.dtype[np.bool_]]) -> float | None:
    """rate·T, T the last tracked time that was compared."""
    return e_folds(prediction.lazy, history, int(np.flatnonzero(kept)[-1]))
