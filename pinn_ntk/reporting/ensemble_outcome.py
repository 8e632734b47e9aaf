"""The outcome of an ensemble: one run per seed, every number a distribution over seeds, every statement a coverage."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pinn_ntk.comparison.calibration import Calibration, calibration
from pinn_ntk.comparison.coverage import Coverage
from pinn_ntk.comparison.statements import Statement
from pinn_ntk.reporting.outcome import Outcome, finite
from pinn_ntk.reporting.tables import Value
from pinn_ntk.theory.bounds import stopping_radius
from pinn_ntk.training.states import Status
from pinn_ntk.training.trackers import Array, History

LEVELS = (0.05, 0.5, 0.95)
_THEORY = ("exit_after", "exit_time", "worst_ratio", "e_folds", "rate_measured", "bound_holds")
_NEVER = ("exit_after", "exit_time")  # None means that it never came: later than any number
_CALIBRATION = ("steps", "inside", "seeds", "low", "high")
_WORST_FIRST = (
    Status.NON_FINITE,
    Status.DIVERGED,
    Status.INTERRUPTED,
    Status.STAGNATED,
    Status.MAX_STEPS,
    Status.CONVERGED,
)


@dataclass(frozen=True)
class Member:
    """One seed.

    Attributes:
        seed: of the initialisation.
        history: what was measured.
        statements: prediction beside measurement.
        summary: of this run alone, as `Outcome.summary` has it.
    """

    seed: int
    history: History
    statements: tuple[Statement, ...]
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class EnsembleOutcome:
    """S runs of one configuration.

    Attributes:
        median: the whole run of the seed whose final loss is the median.
        members: all seeds, in their order.
        coverage: every statement over the seeds.
        seconds: wall time of the whole by part: total, training, kernel, theory, report.
        warnings: what a person should know.
    """

    median: Outcome
    members: tuple[Member, ...]
    coverage: tuple[Coverage, ...]
    seconds: Mapping[str, float]
    warnings: tuple[str, ...]

    @property
    def status(self) -> Status:
        """Why most members stopped; of equally many, the worse reason."""
        count = self.statuses
        return max(count, key=lambda status: (count[status], -_WORST_FIRST.index(status)))

    @property
    def statuses(self) -> Counter[Status]:
        """How many members stopped for which reason."""
        return Counter(member.history.status for member in self.members)

    @property
    def lambda_s(self) -> float:
        """λ_S, NaN where there is none or it is below its floor."""
        lazy = self.median.prediction.lazy if self.median.prediction else None
        return lazy.lambda_s if lazy is not None and lazy.lambda_s > 0.0 else math.nan

    @property
    def calibration(self) -> Calibration | None:
        """The share of seeds inside the forecast's band, step by step; None without a forecast that has one."""
        prediction = self.median.prediction
        return None if prediction is None else calibration(prediction, [member.history for member in self.members])

    def rows(self) -> list[dict[str, Value]]:
        """One row per seed: the numbers that a distribution is wanted of."""
        return [seed_row(member, self.lambda_s) for member in self.members]

    def column(self, name: str) -> Array:
        """One number of every seed, NaN where a seed has none."""
        values = [row[name] for row in self.rows()]
        return np.array([v if isinstance(v, (int, float)) else math.nan for v in values], dtype=np.float64)

    def quantiles(self) -> dict[str, dict[str, float]]:
        """5 %, 50 % and 95 % quantiles over the seeds that have the number."""
        table = self.rows()
        names = [name for name, value in table[0].items() if name != "seed" and not isinstance(value, (str, bool))]
        found = {}
        for name in names:
            values = [float(v) for row in table if isinstance(v := row[name], (int, float)) and math.isfinite(v)]
            if values:
                found[name] = {str(q): float(np.quantile(values, q)) for q in LEVELS}
        return found

    def summary(self) -> dict[str, Any]:
        """The contract of `summary.json`: the scalars of a run are medians over seeds,
        and `ensemble` holds the distributions.

        A truth is that of most seeds, t* is null where most seeds never left the ball, a verdict is the coverage's
        where the statement is promised with a probability and else that of most seeds.
        """
        merged = median_of([member.summary for member in self.members], self.median.summary())
        merged |= {
            "status": str(self.status),
            "seed": self.members[0].seed,
            "time": dict(self.seconds),
            "warnings": list(self.warnings),
        }
        if merged.get("theory"):
            merged["theory"]["statements"] = [self._statement(c) for c in self.coverage]
        found = self.calibration
        merged["ensemble"] = {
            "size": len(self.members),
            "seeds": [member.seed for member in self.members],
            "quantiles": self.quantiles(),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "coverage": [asdict(c) for c in self.coverage],
            "calibration": None if found is None else {n: getattr(found, n).tolist() for n in _CALIBRATION},
        }
        nonfinite: list[str] = []
        clean = finite({k: v for k, v in merged.items() if k != "nonfinite"}, "", nonfinite)
        return {**clean, "nonfinite": sorted({*nonfinite, *(n for m in self.members for n in m.summary["nonfinite"])})}

    def _statement(self, covered: Coverage) -> dict[str, Any]:
        """A statement with the medians of its numbers."""
        own = [s for member in self.members for s in member.statements if s.name == covered.name]
        numbers = {key: _median([getattr(s, key) for s in own], False) for key in ("predicted", "measured", "slack")}
        most = Counter(s.verdict for s in own).most_common(1)[0][0]
        words = "" if covered.share is None else f"in {covered.holds} of {covered.holds + covered.fails} seeds"
        reason = "; ".join(part for part in (words, covered.reason) if part)
        return {
            "name": covered.name,
            "claim": covered.claim,
            **numbers,
            "verdict": covered.verdict or most,
            "reason": reason,
        }


def seed_row(member: Member, lambda_s: float) -> dict[str, Value]:
    """The row of one seed in ensemble.csv.

    Args:
        member: the seed.
        lambda_s: λ_S, by which λ_min and drift are divided; NaN where there is none.
    """
    s = member.summary
    error, kernel, theory = (s.get(key) or {} for key in ("error", "kernel", "theory"))
    row: dict[str, Value] = {
        "seed": member.seed,
        "status": s["status"],
        "steps": s["steps"],
        "step_size": s["step_size"],
        "loss_initial": s["loss"]["initial"],
        "loss_final": s["loss"]["final"],
        **{name: error.get(name) for name in ("relative_l2", "relative_linf")},
        **{
            name: kernel.get(name)
            for name in ("lambda_min_initial", "lambda_min_final", "lambda_min_a_initial", "drift", "drift_a")
        },
        "lambda_min_ratio": _share(kernel.get("lambda_min_a_initial"), lambda_s),
        "drift_ratio": _share(kernel.get("drift_a"), stopping_radius(lambda_s)),
        **{name: theory.get(name) for name in _THEORY},
    }
    return row


def _share(value: float | None, unit: float) -> float | None:
    return None if value is None or math.isnan(unit) else value / unit


def median_of(values: Sequence[Any], template: Any, name: str = "") -> Any:
    """The median of nested mappings, leaf by leaf: of numbers the median, of truths that of most,
    of anything else the template's.

    Args:
        values: one per seed; mappings of the same shape, or None.
        template: what decides the shape.
        name: of this leaf.
    """
    if isinstance(template, Mapping):
        return {
            key: median_of([v.get(key) if isinstance(v, Mapping) else None for v in values], template[key], key)
            for key in template
        }
    if any(isinstance(v, Mapping) for v in values):
        return median_of(values, next(v for v in values if isinstance(v, Mapping)), name)
    if isinstance(template, list) and template and all(isinstance(v, (int, float)) for v in template):
        lists = [v for v in values if isinstance(v, list) and len(v) == len(template)]
        return [_median([v[i] for v in lists], False) for i in range(len(template))]
    numbers = [v for v in values if isinstance(v, (int, float, bool))]
    return _median(values, name in _NEVER) if numbers and not isinstance(template, (str, list)) else template


def _median(values: Sequence[Any], never: bool) -> Any:
    """The median of what is there; with `never`, what is not there is later than any number."""
    there = [v for v in values if v is not None]
    if there and all(isinstance(v, bool) for v in there):
        return 2 * sum(there) >= len(there)
    if never:
        middle = statistics.median_low([math.inf if v is None else v for v in values])
        return None if math.isinf(middle) else middle
    if not there:
        return None
    return statistics.median_low(there) if all(isinstance(v, int) for v in there) else float(np.median(there))


def aligned(histories: Sequence[History]) -> dict[str, Array]:
    """Columns of all members, (T, S) each, at the steps at which everyone that still ran was tracked;
    NaN after a member's end.

    Args:
        histories: of the members.
    """
    found = [np.asarray(h.columns["step"], dtype=np.int64) for h in histories]
    ends = np.array([h.final.step for h in histories])
    steps, count = np.unique(np.concatenate(found), return_counts=True)
    kept = steps[count >= (ends[None, :] >= steps[:, None]).sum(1)]
    table = {"step": kept.astype(np.float64)}
    for name in dict.fromkeys(n for h in histories for n in h.columns if n != "step"):
        table[name] = np.full((len(kept), len(histories)), math.nan)
        for s, history in enumerate(histories):
            if name in history.columns:
                _, here, there = np.intersect1d(kept, found[s], return_indices=True)
                table[name][here, s] = history.columns[name][there]
    return table


def losses_at(histories: Sequence[History], times: Array) -> Array:
    """R_S of every member at common times t, (T, S): its logarithm interpolated between steps,
    NaN beyond a member's last one.

    Args:
        histories: of the members, whose steps τ differ.
        times: t.
    """
    found = np.full((len(times), len(histories)), math.nan)
    for s, history in enumerate(histories):
        own = np.arange(len(history.losses)) * history.step_size
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = times <= own[-1] * (1.0 + 1e-12)
            found[inside, s] = np.exp(np.interp(times[inside], own, np.log(history.losses)))
    return found
