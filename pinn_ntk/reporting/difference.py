"""Two runs side by side: what differs in their configurations, in what made them, and in their results,
and whether by rounding.
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinn_ntk.networks.storage import NETWORK, read_tensors
from pinn_ntk.reporting.outcome import flat
from pinn_ntk.training.journal import Array

ROUNDINGS = 1e4
"""So many ε of the precision, times the scale of a quantity, are what sums over n·N terms in another order may differ
by.
"""
_MADE = ("versions", "commit", "threads", "processes", "chunk", "compiled", "machine", "device")
_NOT_COMPARED = ("step", "seconds", "members")
_ABOUT = (
    "status",
    "steps",
    "points",
    "parameters",
    "error.relative_l2",
    "error.relative_linf",
    "theory.lambda_s",
    "theory.rate",
)
# what training moves, and what it does not
_MOVED, _STAYING = ("status", "steps", "error.", "statement: ", "parameters "), ("parameters a0", "parameters w0")
_IN_CONFIG_ONLY = ("output", "report", "logger", "checkpoint", "name")


class Verdict(StrEnum):
    """How alike two numbers or series are."""

    SAME = "the same"
    ROUNDING = "rounding"
    GROWN = "apart later"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Measure:
    """A result of both runs.

    Attributes:
        name: of it.
        one: of the first run, the last number of a series.
        two: of the second run.
        size: the largest difference as a share of the quantity's scale; None of what is no number.
        verdict: how alike.
        step: of the largest difference in a series.
    """

    name: str
    one: Any
    two: Any
    size: float | None
    verdict: Verdict
    step: int | None = None


@dataclass(frozen=True)
class Difference:
    """Two runs compared.

    Attributes:
        config: (key, one, two) of the configurations, without what changes no number.
        keys: how many keys there are.
        made: (fact, one, two) of versions, commits, threads and machine.
        facts: how many facts there are.
        results: all that were compared.
        allowance: the share of its scale by which a number may differ by rounding.
    """

    config: tuple[tuple[str, Any, Any], ...]
    keys: int
    made: tuple[tuple[str, Any, Any], ...]
    facts: int
    results: tuple[Measure, ...]
    allowance: float

    @property
    def verdict(self) -> Verdict:
        """The worst of all results."""
        return max((m.verdict for m in self.results), key=list(Verdict).index)

    @property
    def words(self) -> str:
        """It in a sentence."""
        worst = max((m.size for m in self.results if m.size is not None and math.isfinite(m.size)), default=0.0)
        many = f"{len(self.results)} results"
        if self.verdict is Verdict.SAME:
            return f"The same to the bit: {many}."
        if self.verdict is Verdict.ROUNDING:
            return (
                f"The same up to rounding: {many}, the largest difference {worst:.2g} of its scale; "
                f"{self.allowance:.2g} is allowed."
            )
        cause = (
            "what differs in the configuration"
            if self.config
            else "rounding that training has amplified"
            if self.made
            else "what neither record tells"
        )
        if self.verdict is Verdict.GROWN:
            return f"The same at the start up to rounding, and {worst:.2g} of its scale apart later: by {cause}."
        return (
            f"Different, and not by rounding: up to {worst:.2g} of its scale."
            if worst
            else "Different, and not by rounding."
        )

    def summary(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "verdict": str(self.verdict),
            "words": self.words,
            "config": [{"key": k, "one": a, "two": b} for k, a, b in self.config],
            "made": [{"fact": k, "one": a, "two": b} for k, a, b in self.made],
            "results": [{**vars(m), "verdict": str(m.verdict)} for m in self.results],
            "allowance": self.allowance,
        }


@dataclass(frozen=True)
class _Run:
    """What a run's folder holds of it."""

    summary: Mapping[str, Any]
    history: Mapping[str, Array]
    tensors: Mapping[str, torch.Tensor]


def compare_runs(one: Path, two: Path) -> Difference:
    """Both runs side by side.

    A number is the same up to rounding where |x − y| ≤ 10⁴·ε·scale: scale is √(2R_S(0)) for √(2R_S), λ_max for
    eigenvalues, the largest entry for parameters, the largest value for any other series; ε that of the less precise
    run.

    Args:
        one: the folder of a run.
        two: of another.

    Raises:
        ValueError: a folder that holds no finished run, or a damaged file in it.
    """
    a, b = _read(one), _read(two)
    single = "float32" in (a.summary.get("dtype"), b.summary.get("dtype"))
    allowance = ROUNDINGS * float(np.finfo(np.float32 if single else np.float64).eps)
    config = [flat(run.summary.get("config") or {}) for run in (a, b)]
    config = [{k: v for k, v in c.items() if k.split(".")[0] not in _IN_CONFIG_ONLY} for c in config]
    made = [flat({k: run.summary[k] for k in _MADE if k in run.summary}) for run in (a, b)]
    made = [{k: v for k, v in facts.items() if not k.endswith("peak_bytes")} for facts in made]
    results = [*_about(a, b, allowance), *_series(a, b, allowance), *_parameters(a, b, allowance), *_statements(a, b)]
    if _began_alike(results):
        results = [_later(m) for m in results]
    return Difference(
        _unequal(*config),
        len({*config[0], *config[1]}),
        _unequal(*made),
        len({*made[0], *made[1]}),
        tuple(results),
        allowance,
    )


def _read(folder: Path) -> _Run:
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        text = (folder / "history.csv").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else f"damaged: {error}"
        raise ValueError(
            f"RUN: got {str(folder)!r}, expected the folder of a run that is over, with summary.json ({why})"
        ) from error
    if not isinstance(summary, dict) or "status" not in summary or "loss" not in summary:
        raise ValueError(
            f"RUN: got {str(folder)!r}, which holds a sweep, a study or nothing of ours; expected the folder of one run"
        )
    network = folder / NETWORK
    return _Run(summary, _columns(text, folder), read_tensors(network)[1] if network.is_file() else {})


def _columns(text: str, folder: Path) -> dict[str, Array]:
    rows = list(csv.reader(text.splitlines()))
    try:
        columns = (
            {name: np.array([float(row[i] or "nan") for row in rows[1:]]) for i, name in enumerate(rows[0])}
            if rows
            else {}
        )
        return {**columns, "step": columns["step"].astype(np.int64)}
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(f"RUN: {folder / 'history.csv'} is damaged ({type(error).__name__}: {error})") from error


def _unequal(one: Mapping[str, Any], two: Mapping[str, Any]) -> tuple[tuple[str, Any, Any], ...]:
    return tuple(
        (key, one.get(key), two.get(key)) for key in dict.fromkeys([*one, *two]) if one.get(key) != two.get(key)
    )


def _about(one: _Run, two: _Run, allowance: float) -> Iterable[Measure]:
    """Facts and single numbers of the summaries."""
    a, b = flat(one.summary), flat(two.summary)
    for name in _ABOUT:
        x, y = a.get(name), b.get(name)
        if x is None and y is None:
            continue
        if isinstance(x, float) and isinstance(y, float):
            size = abs(x - y) / (
                1.0 if name.startswith("error.") else max(abs(x), abs(y)) or 1.0
            )  # an error is a share already
            yield Measure(name, x, y, size, _alike(size, allowance))
        else:
            yield Measure(name, x, y, None, Verdict.SAME if x == y else Verdict.DIFFERENT)


def _series(one: _Run, two: _Run, allowance: float) -> Iterable[Measure]:
    """Columns of both histories at the steps that both tracked."""
    steps, here, there = np.intersect1d(one.history["step"], two.history["step"], return_indices=True)
    if not len(steps):
        yield Measure("tracked steps", len(one.history["step"]), len(two.history["step"]), None, Verdict.DIFFERENT)
    for name in [n for n in one.history if n in two.history and n not in _NOT_COMPARED and len(steps)]:
        x, y = one.history[name][here], two.history[name][there]
        sizes = _shares(name, x, y, one.history)
        worst = int(sizes.argmax())
        verdict = _alike(float(sizes.max()), allowance)
        if verdict is Verdict.DIFFERENT and _alike(float(sizes[0]), allowance) is not Verdict.DIFFERENT:
            verdict = Verdict.GROWN
        yield Measure(name, float(x[-1]), float(y[-1]), float(sizes.max()), verdict, int(steps[worst]))


def _shares(name: str, x: Array, y: Array, history: Mapping[str, Array]) -> Array:
    """|x − y| as a share of the quantity's scale; ∞ where only one of both is a number."""
    if name.startswith("loss"):  # compared as norms of residuals, whose rounding is a share of the first one
        first = math.sqrt(2.0 * float(np.nan_to_num(history["loss"][0])))
        x, y, scale = np.sqrt(2.0 * np.abs(x)), np.sqrt(2.0 * np.abs(y)), first
    elif name.startswith(("lambda_", "floor", "drift_a")):  # K̂^(a)_t − K̂^(a)_0 is rounded as K̂ is
        scale = float(np.nanmax(history.get("lambda_max", np.abs(x)), initial=0.0))
    elif name.startswith(("relative_l", "drift")):  # shares already
        scale = 1.0
    else:
        scale = float(np.nanmax(np.maximum(np.abs(x), np.abs(y)), initial=0.0))
    with np.errstate(invalid="ignore"):
        gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y) / (scale or 1.0))
    return np.where(np.isnan(gap), np.inf, gap)


def _parameters(one: _Run, two: _Run, allowance: float) -> Iterable[Measure]:
    """Tensors of both networks."""
    for name in dict.fromkeys([*one.tensors, *two.tensors]):
        x, y = one.tensors.get(name), two.tensors.get(name)
        if x is None or y is None or x.shape != y.shape:
            yield Measure(f"parameters {name}", _shape(x), _shape(y), None, Verdict.DIFFERENT)
        elif x.numel():
            u, v = x.to(torch.float64), y.to(torch.float64)
            largest = float(u.abs().max()), float(v.abs().max())
            size = 0.0 if x.equal(y) else float((u - v).abs().max()) / (max(largest) or 1.0)
            size = size if math.isfinite(size) else math.inf
            yield Measure(f"parameters {name}", *largest, size, _alike(size, allowance))


def _statements(one: _Run, two: _Run) -> Iterable[Measure]:
    """Verdicts of the theory."""
    found = [
        {s["name"]: s["verdict"] for s in (run.summary.get("theory") or {}).get("statements") or []}
        for run in (one, two)
    ]
    for name in [n for n in found[0] if n in found[1]]:
        x, y = found[0][name], found[1][name]
        yield Measure(f"statement: {name}", x, y, None, Verdict.SAME if x == y else Verdict.DIFFERENT)


def _shape(tensor: torch.Tensor | None) -> str:
    return "none" if tensor is None else "×".join(map(str, tensor.shape))


def _began_alike(results: Iterable[Measure]) -> bool:
    """Whether the losses of the first step that both tracked are the same up to rounding."""
    return any(m.name == "loss" and m.verdict is not Verdict.DIFFERENT for m in results)


def _later(measure: Measure) -> Measure:
    """Of two runs that began alike, differences in what training moves have grown."""
    moved = measure.name.startswith(_MOVED) and measure.name not in _STAYING
    return replace(measure, verdict=Verdict.GROWN) if moved and measure.verdict is Verdict.DIFFERENT else measure


def _alike(size: float, allowance: float) -> Verdict:
    return Verdict.SAME if size == 0.0 else Verdict.ROUNDING if size <= allowance else Verdict.DIFFERENT
