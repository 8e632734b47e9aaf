"""The central comparison: the measured loss against exp(−rate·t)R_S(0), in logs, up to where rounding ends it."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from pinn_ntk.theory.bounds import log_envelope
from pinn_ntk.theory.prediction import Lazy, Prediction
from pinn_ntk.training.trackers import Array, History


@dataclass(frozen=True)
class Envelope:
    """R_S(t) beside e^{−rate·t}R_S(0).

    Attributes:
        worst_log_ratio: max_{t>0} log(R_S(t)/(e^{−rate·t}R_S(0))) up to the cut: ≤ 0 when the bound holds.
        e_folds: rate·T, T the last time compared: how many factors of e the bound has fallen.
        rate_measured: −log(R_S(T)/R_S(0))/T over the same time.
    """

    worst_log_ratio: float
    e_folds: float
    rate_measured: float

    @property
    def holds(self) -> bool | None:
        """Whether the bound held; None when it fell by less than one e-fold and says nothing."""
        return None if self.e_folds < 1.0 else self.worst_log_ratio <= 1e-9


def step_times(history: History) -> Array:
    """t of every entry of `history.losses`: kτ, or the tracked times for a flow."""
    if history.dynamics.kind != "flow":
        return np.arange(len(history.losses), dtype=np.float64) * history.step_size
    return history.columns["time"][: len(history.losses)]


def envelope(prediction: Prediction, history: History) -> Envelope | None:
    """The comparison over every step up to the cut time; None without a rate, without a step,
    or under dynamics that are no gradient flow.

    Args:
        prediction: with the rate and the cut time.
        history: with the loss at every step.
    """
    if prediction.lazy is None or not history.dynamics.gradient_flow:
        return None
    rate, times = prediction.lazy.rate, step_times(history)
    losses = history.losses[: len(times)]
    kept = (times <= prediction.cut_time) & np.isfinite(losses) & (losses > 0.0)
    if kept.sum() < 2 or not kept[0]:
        return None
    times, logs = times[kept], np.log(losses[kept])
    # on the CPU: the history is numpy's
    bound = log_envelope(torch.from_numpy(times), float(losses[kept][0]), rate).numpy()
    worst = float(np.max((logs - bound)[1:]))  # at t = 0 it is 0 whatever happens
    return Envelope(worst, rate * float(times[-1]), float((logs[0] - logs[-1]) / times[-1]))


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
