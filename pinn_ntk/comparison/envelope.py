"""The central comparison: the measured loss against bounds that fall, in logs, up to where rounding ends it:
exp(−rate·t)R_S(0) of the flow, and [1 − (1−f)τ·rate]^k R_S(0) of gradient descent as it steps.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from pinn_ntk.comparison.rounding import floors_at_losses, without_rounding
from pinn_ntk.theory.bounds import log_descent_envelope, log_envelope
from pinn_ntk.theory.prediction import Lazy, Prediction
from pinn_ntk.training.trackers import Array, History


@dataclass(frozen=True)
class Envelope:
    """R_S(t) beside a bound that starts at R_S(0).

    Attributes:
        worst_log_ratio: max_{t>0} log(R_S(t)/bound(t)) up to the cut, R_S less what may be rounding: ≤ 0 when the bound
            holds; −∞ where all of it may be.
        e_folds: how many factors of e the bound has fallen up to the last time compared.
        rate_measured: −log(R_S(T)/R_S(0))/T over the same time T.
    """

    worst_log_ratio: float
    e_folds: float
    rate_measured: float


def step_times(history: History) -> Array:
    """t of every entry of `history.losses`: kτ, or the tracked times for a flow."""
    if history.dynamics.kind != "flow":
        return np.arange(len(history.losses), dtype=np.float64) * history.step_size
    return history.columns["time"][: len(history.losses)]


def below(prediction: Prediction, history: History, bound: Array, end: int | None = None) -> Envelope | None:
    """The loss against a bound, over every step at which the bound lies above the rounding of R_S;
    None where there is no step.

    Args:
        prediction: whose floor stands in where none was tracked.
        history: with the loss at every step.
        bound: its logarithm at `step_times`, starting at log R_S(0).
        end: the first step that is not compared; None for all.
    """
    times = step_times(history)[:end]
    losses, bound = history.losses[: len(times)], bound[: len(times)]
    floors = floors_at_losses(prediction, history)[: len(times)]
    with np.errstate(divide="ignore"):
        high = bound > np.log(floors)
    kept = np.logical_and.accumulate(high) & np.isfinite(losses) & (losses > 0.0)
    if kept.sum() < 2 or not kept[0]:
        return None
    times, losses, bound, floors = times[kept], losses[kept], bound[kept], floors[kept]
    with np.errstate(divide="ignore"):
        ratios = np.log(without_rounding(losses, floors)) - bound
    worst = float(np.max(ratios[1:]))  # at t = 0 it is 0 whatever happens
    return Envelope(worst, float(bound[0] - bound[-1]), float(np.log(losses[0] / losses[-1]) / times[-1]))


def falling(history: History, rate: float) -> Array:
    """log R_S(0) − rate·t at `step_times`."""
    # on the CPU: the history is numpy's
    bound: Array = log_envelope(torch.from_numpy(step_times(history)), float(history.losses[0]), rate).numpy()
    return bound


def envelope(prediction: Prediction, history: History) -> Envelope | None:
    """The bound of the flow over every step above rounding; None without a rate, without a step,
    or under dynamics that are no gradient flow.

    Args:
        prediction: with the rate.
        history: with the loss at every step.
    """
    if prediction.lazy is None or not history.dynamics.gradient_flow or not len(history.losses):
        return None
    return below(prediction, history, falling(history, prediction.lazy.rate))


def step_share(prediction: Prediction, history: History) -> float | None:
    """f = τβ/2 of gradient descent as measured: β the largest λ_max(JJᵀ/n) at θ⁰ and the tracked steps, and f = 1 at
    least where the loss rose, as it never does below; None of anything else.

    Args:
        prediction: with the linearised network.
        history: with the losses and, where it was tracked, the kernel.
    """
    if history.dynamics.kind != "descent" or history.step_size == 0.0:
        return None
    largest = history.columns.get("lambda_max", np.empty(0)) * prediction.scale / prediction.points
    # read back: a number that a verdict depends on
    beta = max(float(prediction.linear.eigenvalues.max()), float(np.nanmax(largest, initial=0.0)))
    losses, floors = history.losses, floors_at_losses(prediction, history)
    with np.errstate(invalid="ignore"):
        rose = without_rounding(losses[1:], floors[1:]) > losses[:-1] * (1.0 + 1e-9)
    return max(0.5 * history.step_size * beta, 1.0 if bool(rose.any()) else 0.0)


def descent_bound(prediction: Prediction, history: History) -> Array | None:
    """log [1 − (1−f)τ·rate]^k R_S(0) at every step, with the measured f; None without a rate, under other dynamics,
    and for a step at or beyond the limit f = 1.
    """
    share = step_share(prediction, history)
    if prediction.lazy is None or share is None or share >= 1.0:
        return None
    steps = torch.arange(len(history.losses), dtype=torch.float64, device="cpu")  # on the CPU: the history is numpy's
    start, rate = float(history.losses[0]), prediction.lazy.rate
    # on the CPU: the history is numpy's
    bound: Array = log_descent_envelope(steps, start, rate, history.step_size, share).numpy()
    return bound


def e_folds(lazy: Lazy | None, history: History, last: int | None = None) -> float | None:
    """rate·T: by how many factors of e the bound falls up to the tracked time T; None without a rate,
    or where it is no gradient flow.

    Args:
        lazy: with the rate.
        history: with the tracked times.
        last: index of T among them; the last one by default.
    """
    times = history.columns.get("time", np.empty(0))
    if lazy is None or lazy.rate == 0.0 or not history.dynamics.gradient_flow or not len(times):
        return None
    return lazy.rate * float(times[-1 if last is None else last])


def safe_exp(value: float) -> float:
    """e^value, infinite where it overflows."""
    return math.exp(value) if value < 700.0 else math.inf
