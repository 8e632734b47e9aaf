"""The scale of a quantity: what its rounding is a share of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinn_ntk.reporting.results import Results, leaves
from pinn_ntk.training.journal import Array

_FROM_LAMBDA_S = ("lambda_s", "rate", "e_folds", "worst_ratio", "least_width", "lambda_min_ratio", "drift_ratio")
_FROM_TRAINING = ("theory.rate_measured", "theory.exit_after", "theory.exit_time")
_GRADIENTS = ("gradient_norm_squared", "quadratic", "dissipation")
_SHARES_OF_U = ("estimate", "disagreement", "residual_share", "error", "bound_relative")
_WORST = 1e10  # a condition above which λ_S is no number to speak of


@dataclass(frozen=True)
class Scales:
    """The scales of a run.

    Attributes:
        residual: √R_S(0), 0 where it is not known.
        lambda_max: of K̂, 0 where it is not known.
        growth: √(λ_max/λ_max(0)), at least 1: gradients are Jᵀe, and rounded as the largest of J and of e.
        condition: of λ_S and of what follows from it, at least 1: its floor over ελ_S, or σ_max/σ_min of the Jacobian.
    """

    residual: float
    lambda_max: float
    growth: float
    condition: float

    @classmethod
    def of(cls, run: Results) -> "Scales":
        """Those of a run."""
        summary = dict(leaves(run.summary))
        spectrum = run.history.get("lambda_max", np.empty(0))
        start = _number(summary, "kernel.lambda_max_initial")
        top = float(np.nanmax(spectrum, initial=start))
        lowest, low = (_number(summary, f"theory.{name}") for name in ("lambda_s", "certificate.sigma_min"))
        floor, high = (_number(summary, f"theory.{name}") for name in ("lambda_s_floor", "certificate.sigma_max"))
        of_lambda_s = floor / (float(np.finfo(np.float64).eps) * lowest) if lowest > 0.0 else 1.0
        condition = max(1.0, of_lambda_s, high / low if low > 0.0 else 1.0)
        return cls(
            math.sqrt(_first_loss(run)), top, math.sqrt(top / start) if start > 0.0 else 1.0, min(condition, _WORST)
        )

    def shares(self, name: str, x: Array, y: Array) -> Array:
        """|x − y| as a share of the quantity's scale; ∞ where only one of both is a number.

        Args:
            name: of the quantity, behind that of its table or group: 'seeds drift', 'kernel.lambda_min_final'.
            x: its values in one run.
            y: in another.
        """
        group, _, short = name.replace(".", " ").rpartition(" ")
        if _is_loss(name, short) or short.startswith(_GRADIENTS):  # of squares the roots are compared
            x, y = np.sqrt(np.abs(x)), np.sqrt(np.abs(y))
        sizes = np.maximum(np.abs(x), np.abs(y))
        scale = self._scale(name, group, short, float(np.max(sizes, initial=0.0, where=np.isfinite(sizes))))
        with np.errstate(invalid="ignore"):
            gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y) / (scale or 1.0))
        return np.where(np.isnan(gap), np.inf, gap)

    def _scale(self, name: str, group: str, short: str, largest: float) -> float:
        if _is_loss(name, short) or group.startswith("solver residuals"):  # rounded as the first residual is
            return self.residual or largest
        if short.startswith(_GRADIENTS):
            return largest * self.growth
        if short in _FROM_LAMBDA_S or (group.startswith("theory") and name not in _FROM_TRAINING):
            return largest * self.condition
        if short.startswith(("lambda_", "floor", "drift_a")):  # K̂^(a)_t − K̂^(a)_0 is rounded as K̂ is
            return self.lambda_max or largest
        if short.startswith("drift"):  # a share of K̂₀, which K̂ may outgrow
            return max(1.0, largest)
        if short.startswith("relative_l") or (group.startswith("solver") and short in _SHARES_OF_U):
            return 1.0
        return largest


def _is_loss(name: str, short: str) -> bool:
    """'loss', 'loss.interior', 'loss_q05', 'seeds loss_final'."""
    return name.startswith(("loss.", "loss_")) or short.partition("_")[0] == "loss"


def _first_loss(run: Results) -> float:
    """R_S(0); of a sweep the largest of its jobs, 0 where it is not known."""
    series = run.history.get("loss", np.empty(0))[:1] if run.kind == "run" else run.tables.get("table loss_initial")
    return float(np.nanmax(series, initial=0.0)) if isinstance(series, np.ndarray) else 0.0


def _number(summary: Mapping[str, Any], name: str) -> float:
    """A positive number of a summary, 0 where there is none."""
    value = summary.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0
