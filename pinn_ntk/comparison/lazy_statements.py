"""What the lazy limit says of a run, put beside it: the linearised network's loss,
and the forecast with its band over seeds.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.comparison.claim import Claim, Evidence, Premise, Reading
from pinn_ntk.comparison.envelope import safe_exp
from pinn_ntk.comparison.statements import Statement
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


def _linearised_symbols(evidence: Evidence) -> str:
    if not evidence.history.dynamics.solvable:
        return "R_S(t) ≈ the loss of the network linearised at θ⁰, within a factor of 2"
    forms = {"flow": "‖e^{−(s²N/n)K̂₀t}e₀‖²/(2n)", "descent": "‖(I − τ(s²N/n)K̂₀)^k e₀‖²/(2n)"}
    form = forms.get(evidence.history.dynamics.kind, "‖U r_k(Λ) Uᵀe₀‖²/(2n), r_{k+1} = T r_k − p r_{k−1}")
    return f"R_S(t) ≈ {form} within a factor of 2"


def _linearised_factor(evidence: Evidence) -> Reading | str:
    """The largest factor between R_S and ‖U r(Λ) Uᵀe₀‖²/(2n), r the decay of the run's dynamics."""
    loss, predicted = evidence.column("loss"), linearised_losses(evidence.theory, evidence.history)
    kept = above_rounding(loss) & np.isfinite(predicted) if predicted is not None else np.zeros(0, bool)
    if predicted is None or kept.sum() < 2:
        return "fewer than two tracked steps above rounding"
    floor = ROUNDING * float(loss[0])
    gap = safe_exp(float(np.max(np.abs(np.log(loss[kept]) - np.log(np.maximum(predicted[kept], floor))))))
    words = "the largest factor between measured and linearised loss over tracked steps"
    return Reading(gap, 2.0, words, evidence.e_folds(int(np.flatnonzero(kept)[-1])))


def _linearised_words(statement: Statement, number: Callable[[float], str]) -> str:
    if statement.measured is None or statement.verdict not in ("holds", "fails"):
        return ""
    value = statement.measured
    factor = f"{number(100.0 * (value - 1.0))} %" if value < 1.5 else f"a factor of {number(value)}"
    followed = "followed" if statement.verdict == "holds" else "left"
    return f"The loss {followed} its linearised prediction: the two differ by at most {factor}."


SOLVABLE = Premise(
    "the linearised network has a closed form under the optimiser",
    lambda e: "" if e.history.dynamics.solvable else NO_CLOSED_FORM,
)
LINEARISED = Claim(
    "linearised prediction",
    _linearised_symbols,
    "the largest factor between measured and linearised loss over tracked steps is at most 2",
    _linearised_factor,
    premises=(SOLVABLE,),
    vacuous_when="fewer than two tracked steps are above rounding",
    sentence=_linearised_words,
)


def forecast_losses(prediction: Prediction, history: History) -> tuple[Array, Array] | None:
    """E R_S at the tracked steps, and its 5 %, 50 %, 95 % quantiles over seeds; None when not available."""
    if prediction.lazy is None or not history.dynamics.solvable:
        return None
    forecast, law = prediction.lazy.forecast, history.dynamics
    at = tracked_at(history, forecast.eigenvalues)
    # on the CPU: compared with the history, which is numpy's
    return forecast.mean_under(law, at).cpu().numpy(), forecast.band_under(law, at).cpu().numpy()


def _inside_band(evidence: Evidence) -> Reading | str:
    """The share of tracked steps whose loss lies in the 5–95 % band over seeds, drawn before training."""
    curves, loss = forecast_losses(evidence.theory, evidence.history), evidence.column("loss")
    kept = above_rounding(loss)
    if curves is None or not kept.any():
        return "the loss is at rounding level from the start"
    band = curves[1]
    inside = ((loss >= band[0] * (1 - 1e-9)) & (loss <= band[2] * (1 + 1e-9)))[kept]
    words = (
        "share of tracked steps inside; one seed in ten leaves the band, which also leaves out the kernel's own "
        "fluctuation"
    )
    return Reading(float(inside.mean()), 0.9, words, evidence.e_folds(int(np.flatnonzero(kept)[-1])))


def _band_words(statement: Statement, _: Callable[[float], str]) -> str:
    if statement.measured is None:
        return ""
    share = 100 * statement.measured
    return f"The loss was inside the forecast's 90 % band at {share:.0f} % of the tracked steps."


FORECAST = Claim(
    "forecast before training",
    "R_S(t) within the 5–95 % band of the lazy limit (90 % of seeds at each t)",
    "the share of tracked steps inside the band is at least 0.9",
    _inside_band,
    premises=(
        Premise(
            "the infinite-width kernel is known, and the linearised network has a closed form under the optimiser",
            lambda e: "" if e.theory.lazy and e.history.dynamics.solvable else e.theory.unavailable or NO_CLOSED_FORM,
        ),
    ),
    relation="≥",
    vacuous_when="the loss is at rounding level from the start",
    sentence=_band_words,
)
