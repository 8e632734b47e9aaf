"""The scale of a quantity: what its rounding is a share of."""

import math
from dataclasses import dataclass

import numpy as np

from pinn_ntk.reporting.results import Results, leaves
from pinn_ntk.training.journal import Array

_FROM_LAMBDA_S = ("lambda_s", "rate", "e_folds", "worst_ratio", "least_width", "lambda_min_ratio", "drift_ratio")
_FROM_TRAINING = ("theory.rate_measured", "theory.exit_time")
_SHARES = ("estimate", "disagreement", "residual_share", "error", "bound_relative")
_WORST = 1e10  # a condition above which λ_S is no number to speak of


@dataclass(frozen=True)
class Scales:
    """The scales of a run.

    Attributes:
        residual: √(2R_S(0)), 0 where it is not known.
        lambda_max: of K̂, 0 where it is not known.
        condition: of λ_S and of what follows from it: its floor over ελ_S, or σ_max/σ_min of the Jacobian, and at least 1.
    """

    residual: float
    lambda_max: float
    condition: float

    @classmethod
    def of(cls, run: Results) -> "Scales":
        """Those of a run."""
        summary = {name: value for name, value in leaves(run.summary) if isinstance(value, float)}
        spectrum = run.history.get("lambda_max")
        loss = (
            run.history.get("loss", np.empty(0))[:1]
            if run.kind == "run"
            else run.tables.get("table loss_initial", np.empty(0))
        )
        first = float(np.nanmax(loss, initial=0.0)) if isinstance(loss, np.ndarray) else 0.0
        largest = summary.get("kernel.lambda_max_initial", 0.0)
        if spectrum is not None:
            largest = float(np.nanmax(spectrum, initial=largest))
        floor, lowest, high, low = (
            summary.get(f"theory.{name}", 0.0)
            for name in ("lambda_s_floor", "lambda_s", "certificate.sigma_max", "certificate.sigma_min")
        )
        conditions = (
            floor / (np.finfo(np.float64).eps * lowest) if lowest > 0.0 else 1.0,
            high / low if low > 0.0 else 1.0,
        )
        return cls(math.sqrt(2.0 * first), largest, min(max(1.0, *conditions), _WORST))

    def shares(self, name: str, x: Array, y: Array) -> Array:
        """|x − y| as a share of the quantity's scale; ∞ where only one of both is a number.

        Args:
            name: of the quantity, behind that of its table or group: 'seeds drift', 'kernel.lambda_min_final'.
            x: its values in one run.
            y: in another.
        """
        group, _, short = name.replace(".", " ").rpartition(" ")
        largest = float(np.nanmax(np.maximum(np.abs(x), np.abs(y)), initial=0.0))
        scale = largest
        if "loss" in (
            short.partition("_")[0],
            group,
            name.partition(".")[0],
        ):  # norms of residuals, rounded as the first of them is
            x, y = np.sqrt(2.0 * np.abs(x)), np.sqrt(2.0 * np.abs(y))
            scale = self.residual or math.sqrt(2.0 * largest)
        elif short in _FROM_LAMBDA_S or (group.startswith("theory") and name not in _FROM_TRAINING):
            scale = largest * self.condition
        elif short.startswith(("lambda_", "floor", "drift_a")):  # K̂^(a)_t − K̂^(a)_0 is rounded as K̂ is
            scale = self.lambda_max or largest
        elif short.startswith("drift"):  # a share of K̂₀, which K̂ may outgrow
            scale = max(1.0, largest)
        elif short.startswith("relative_l") or (group.startswith("solver") and short in _SHARES):
            scale = 1.0
        elif group.startswith("solver residuals"):
            scale = self.residual or largest
        with np.errstate(invalid="ignore"):
            gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y) / (scale or 1.0))
        return np.where(np.isnan(gap), np.inf, gap)
