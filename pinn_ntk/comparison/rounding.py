"""The one rule for rounding: R_S below its floor n(c ε max_i t_i)² (`networks.rounding_loss`) and a kernel's motion
below c ε λ_max are of the arithmetic, not of the dynamics, ε being that of the run.
"""

from typing import Any

import numpy as np

from pinn_ntk.networks.rounding import ROUNDINGS
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import Array, History

Mask = np.ndarray[Any, np.dtype[np.bool_]]


def share_tolerance(eps: float) -> float:
    """What a comparison may take for rounding, as a share of the bound."""
    return max(1e-9, 1e4 * eps)


def loss_floors(prediction: Prediction | None, history: History) -> Array:
    """The floor of R_S at the tracked steps, (T,): as tracked, else that of θ⁰; 0 where neither is known."""
    own = history.columns.get("loss_floor")
    if own is not None and np.isfinite(own).any():
        return np.where(np.isfinite(own), own, np.nanmax(own[np.isfinite(own)]))
    count = len(history.columns.get("step", ()))
    return np.full(count, 0.0 if prediction is None else prediction.loss_floor)


def floors_at_losses(prediction: Prediction | None, history: History) -> Array:
    """The same for every entry of `history.losses`: between tracked steps the larger floor of the two."""
    tracked, count = loss_floors(prediction, history), len(history.losses)
    if not len(tracked):
        return np.zeros(count)
    if len(tracked) == count:
        return tracked
    places = np.searchsorted(history.columns["step"], np.arange(count))
    after, before = np.clip(places, 0, len(tracked) - 1), np.clip(places - 1, 0, len(tracked) - 1)
    return np.maximum(tracked[after], tracked[before])


def above_rounding(prediction: Prediction | None, history: History, losses: Array | None = None) -> Mask:
    """At which tracked steps R_S is finite and above its floor: what is below cannot follow any prediction.

    Args:
        prediction: whose floor stands in where none was tracked.
        history: what was measured.
        losses: other values of R_S at those steps, (T,); the measured ones by default.
    """
    loss = history.columns.get("loss", np.empty(0)) if losses is None else losses
    kept: Mask = np.isfinite(loss) & (loss > np.maximum(loss_floors(prediction, history), 1e-300))
    return kept


def without_rounding(losses: Array, floors: Array) -> Array:
    """(√R_S − √floor)₊²: what of R_S cannot be rounding."""
    left: Array = np.square(np.maximum(np.sqrt(losses) - np.sqrt(floors), 0.0))
    return left


def still(drift: float, largest: float, eps: float) -> bool:
    """Whether a kernel that is said to have moved by `drift` has not moved at all.

    Args:
        drift: of part (a), absolute.
        largest: its λ_max.
        eps: ε of the run.
    """
    return drift <= ROUNDINGS * eps * largest
