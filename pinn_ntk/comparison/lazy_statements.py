"""What the lazy limit says of a run, put beside it: the linearised network's loss,
and the forecast with its band over seeds.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.comparison.claim import Claim, Evidence, Premise, Reading
from pinn_ntk.comparison.envelope import safe_exp
from pinn_ntk.comparison.rounding import above_rounding, loss_floors
from pinn_ntk.comparison.statements import Statement
from pinn_ntk.comparison.vacuity import ANY
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import Array, History

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


def _linearised_symbols(evidence: Evidence) -> str:
    if not evidence.history.dynamics.solvable:
        return "R_S(t) ≈ the loss of the network linearised at θ⁰, within a factor of 2"
    forms = {"flow": "‖e^{−(s²N/n)K̂₀t}e₀‖²/(2n)", "descent": "‖(I − τ(s²N/n)K̂₀)^k e₀‖²/(2n)"}
    form = forms.get(evidence.history.dynamics.kind, "‖U r_k(Λ) Uᵀe₀‖²/(2n), r_{k+1} = T r_k − p r_{k−1}")
    return f"R_S(t) ≈ {form} within a factor of 2"


def _linearised_factor(evidence: Evidence) -> Reading | str:
    """The largest factor between R_S and ‖U r(Λ) Uᵀe₀‖²/(2n), r the decay of the run's dynamics."""
    loss, predicted = evidence.column("loss"), linearised_losses(evidence.theory, evidence.history)
    kept = above_rounding(evidence.prediction, evidence.history)
    if predicted is None or (kept := kept & np.isfinite(predicted)).sum() < 2:
        return "fewer than two tracked steps above rounding"
    floor = np.maximum(loss_floors(evidence.prediction, evidence.history), 1e-300)[kept]
    said, words = np.log(np.maximum(predicted[kept], floor)), "the largest factor between the two over tracked steps"
    gap = safe_exp(float(np.max(np.abs(np.log(loss[kept]) - said))))
    return Reading(gap, 2.0, words, float(np.max(np.abs(said - said[0]))))


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
    follows=ANY,
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


def forecast_quantiles(prediction: Prediction, history: History) -> Array | None:
    """At which quantile over seeds of the forecast the loss lies at each tracked step, (T,): NaN where it is rounding;
    None where there is no forecast, or where it is one curve, e₀ not being random.
    """
    if prediction.lazy is None or not history.dynamics.solvable or not prediction.lazy.forecast.random:
        return None
    forecast, loss = prediction.lazy.forecast, history.columns["loss"]
    at = tracked_at(history, forecast.eigenvalues)
    # on the CPU: compared with the history, which is numpy's
    found = forecast.quantile_under(history.dynamics, at, torch.from_numpy(loss).to(at)).cpu().numpy()
    return np.where(above_rounding(prediction, history), found, math.nan)


def _quantile(evidence: Evidence) -> Reading | str:
    """The quantile of the last tracked loss above rounding."""
    found = forecast_quantiles(evidence.theory, evidence.history)
    if found is None or not np.isfinite(found).any():
        return "the loss is at rounding level from the start"
    seen = found[np.isfinite(found)]
    return Reading(float(seen[-1]), None, f"from {seen.min():.3g} to {seen.max():.3g} over the tracked steps")


def _one_seed(_: Evidence, reading: Reading) -> str:
    return (
        f"one seed has a quantile and no verdict, {reading.note}; an ensemble tests in what share of seeds the loss "
        "lies in the 90 % band"
    )


def _forecast_missing(evidence: Evidence) -> str:
    lazy = evidence.theory.lazy
    if lazy is None or not evidence.history.dynamics.solvable:
        return evidence.theory.unavailable or NO_CLOSED_FORM
    return "" if lazy.forecast.random else "the residual at the start is not random: the forecast is one curve, no band"


def _quantile_words(statement: Statement, number: Callable[[float], str]) -> str:
    if statement.measured is None:
        return ""
    return f"The loss ended at the {number(100.0 * statement.measured)} % quantile of its forecast over seeds."


FORECAST = Claim(
    "forecast before training",
    "R_S(t) within the 5–95 % band of the lazy limit in 90 % of seeds at each t",
    "of one seed the quantile at the last tracked step, without a verdict; of an ensemble the share of seeds inside at "
    "each tracked step, with an interval of Clopper and Pearson, against 0.9",
    _quantile,
    premises=(
        Premise(
            "the infinite-width kernel is known, the start is random, and the linearised network has a closed form "
            "under the optimiser",
            _forecast_missing,
        ),
    ),
    condition=_one_seed,
    vacuous_when="the loss is at rounding level from the start",
    sentence=_quantile_words,
)
