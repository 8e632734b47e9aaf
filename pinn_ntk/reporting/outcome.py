"""The outcome of a run: what was asked, predicted, measured and concluded; its summary is a contract."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pinn_ntk.comparison.certificate_statement import certificate_summary
from pinn_ntk.comparison.convergence_statements import LINEAR_CONVERGENCE
from pinn_ntk.comparison.envelope import envelope, safe_exp
from pinn_ntk.comparison.kernel_statements import exit_time
from pinn_ntk.comparison.statements import Statement
from pinn_ntk.comparison.theorem_statements import least_ratio
from pinn_ntk.networks.model import FACTS, Model
from pinn_ntk.problem.residual import Problem
from pinn_ntk.solving.solution import Solution, solver_summary
from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.states import Status
from pinn_ntk.training.trackers import Array, History

STATEMENT_KEYS = ("name", "claim", "predicted", "measured", "slack", "verdict", "reason", "e_folds")


@dataclass(frozen=True)
class Compared:
    """u beside the same problem by finite elements.

    Attributes:
        words: what they were.
        degrees: nodes.
        steps: in time, None without it.
        seconds: of the finite elements.
        estimate: of their own error, relative L².
        difference: ‖u − u_h‖/‖u_h‖.
        error: ‖u* − u_h‖/‖u_h‖ where the exact solution u* is known.
    """

    words: str
    degrees: int
    steps: int | None
    seconds: float
    estimate: float
    difference: float
    error: float | None


@dataclass(frozen=True)
class Outcome:
    """One run.

    Attributes:
        problem: what was solved.
        network: at initialisation.
        trained: at the last state.
        optimizer: its name.
        history: what was measured.
        prediction: what theory said before the first step; None with theory switched off.
        statements: prediction beside measurement.
        kernels: K̂ at the first and last tracked step, (n, n) each, by name; empty when the kernel was not tracked.
        step_limit: of the optimiser at initialisation, 2n/(s²N λ_max(K̂)) without momentum; None for one that has none.
        seconds: wall time by part: total, training, kernel, theory, report.
        versions: of the package, torch, python, ….
        machine: threads, chunk, processor, commits: what changes the last bits.
        config: the configuration as a person gave it, resolved; from Python, the settings.
        warnings: what a person should know about this run.
        compared: u beside finite elements, where that was asked for.
        solution: of a run that chose for itself (optimizer auto): what was chosen, and what is known of the error; else
            None.
    """

    problem: Problem
    network: Model
    trained: Model
    optimizer: str
    history: History
    prediction: Prediction | None
    statements: tuple[Statement, ...]
    kernels: Mapping[str, Any]
    step_limit: float | None
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    config: Mapping[str, Any] | None
    warnings: tuple[str, ...]
    solution: Solution | None = None
    compared: Compared | None = None

    @property
    def status(self) -> Status:
        """Why training stopped."""
        return self.history.status

    def summary(self) -> dict[str, Any]:
        """The contract of `summary.json`: plain numbers and text;
        non-finite numbers are None and named under 'nonfinite'.
        """
        network, history, about = self.network, self.history, self.network.about
        values: dict[str, Any] = {
            "status": str(self.status),
            "problem": self.problem.name,
            "dim": self.problem.dim,
            "points": self.problem.points,
            "network": about.kind,
            "width": about.width,
            "parameters": network.parameter_count,
            **{name: about.facts.get(name) for name in FACTS},
            "dtype": str(network.dtype).removeprefix("torch."),
            "device": str(network.device),
            "optimizer": self.optimizer,
            "steps": history.final.step,
            "step_size": history.step_size or None,
            "step_limit": self.step_limit,
            "loss": {"initial": float(history.losses[0]), "final": float(history.losses[-1])},
            "error": _errors(history),
            "kernel": _kernel(history),
            "displacement": {n: float(np.nanmax(history.columns[n])) for n in _MOVED if n in history.columns},
            "theory": _theory(self),
            "reference": None if self.compared is None else {"kind": "fem", **asdict(self.compared)},
            "solver": None if self.solution is None else solver_summary(self.solution),
            "time": dict(self.seconds),
            "versions": dict(self.versions),
            **self.machine,
            "config": json.loads(json.dumps(self.config, default=str)),
            "warnings": list(self.warnings),
        }
        nonfinite: list[str] = []
        clean = finite(values, "", nonfinite)
        return {**clean, "nonfinite": nonfinite}


_MOVED = ("max_delta_a", "max_delta_w", "max_delta", "relative_delta")


def _errors(history: History) -> dict[str, float] | None:
    names = ("relative_l2", "relative_linf")
    return {n: float(history.columns[n][-1]) for n in names} if all(n in history.columns for n in names) else None


def _kernel(history: History) -> dict[str, float | None] | None:
    """Numbers of K̂; those of part (a) are None where the network has none."""
    columns = history.columns
    if "drift" not in columns:
        return None
    picks = {
        "lambda_min_initial": ("lambda_min", 0),
        "lambda_max_initial": ("lambda_max", 0),
        "lambda_min_final": ("lambda_min", -1),
        "lambda_max_final": ("lambda_max", -1),
        "lambda_min_a_initial": ("lambda_min_a", 0),
        "lambda_min_a_final": ("lambda_min_a", -1),
        "floor": ("floor", 0),
        "floor_a": ("floor_a", 0),
    }
    values = {key: float(columns[name][index]) if name in columns else None for key, (name, index) in picks.items()}
    return {
        **values,
        "drift": _largest(columns["drift"]),
        "drift_a": _largest(columns["drift_a"]) if "drift_a" in columns else None,
    }


def _largest(values: Array) -> float:
    return max((float(v) for v in values if math.isfinite(v)), default=math.nan)


def _theory(record: Outcome) -> dict[str, Any] | None:
    prediction, history = record.prediction, record.history
    if prediction is None:
        return None
    lazy, guarantee = prediction.lazy, prediction.guarantee
    result, left = envelope(prediction, history), exit_time(prediction, history)
    judged = {s.name: {"holds": True, "fails": False}.get(s.verdict) for s in record.statements}
    terms = guarantee.terms if guarantee else None
    return {
        "applicable": prediction.verdict.applicable,
        "reason": prediction.verdict.reason,
        "lambda_s": lazy.lambda_s if lazy else None,
        "lambda_s_floor": lazy.spectrum_a.floor if lazy else None,
        "rate": lazy.rate if lazy else None,
        "rate_measured": result.rate_measured if result else None,
        "bound_holds": judged.get(LINEAR_CONVERGENCE.name),
        "worst_ratio": safe_exp(result.worst_log_ratio) if result else None,
        "e_folds": result.e_folds if result else None,
        "cut_time": prediction.cut_time if lazy and lazy.rate else None,
        "exit_after": left[0] if left else None,
        "exit_time": left[1] if left else None,
        "expected_loss": lazy.expected_loss if lazy else None,
        "width_terms": [terms.first, terms.second, terms.third] if terms else None,
        "least_width": guarantee.least.width if guarantee else None,
        "least_width_sharper": {name: w.width for name, w in guarantee.sharper.items()} if guarantee else None,
        "width_ratio": least_ratio(guarantee, record.network.width),
        "certificate": certificate_summary(prediction.certificate, history.dynamics),
        "statements": [{key: getattr(s, key) for key in STATEMENT_KEYS} for s in record.statements],
    }


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': 1}} → {'a.b': 1}."""
    spread: dict[str, Any] = {}
    for key, value in values.items():
        spread.update(
            flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
        )
    return spread


def finite(value: Any, path: str, nonfinite: list[str]) -> Any:
    """The value with every non-finite number replaced by None and its key noted."""
    if isinstance(value, Mapping):
        return {k: finite(v, f"{path}.{k}" if path else str(k), nonfinite) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v, f"{path}[{i}]", nonfinite) for i, v in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        nonfinite.append(path)
        return None
    return value
