"""The results of two runs beside each other, each difference as a share of its scale."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import torch

from pinn_ntk.reporting.results import Column, Results, leaves
from pinn_ntk.reporting.scales import Scales
from pinn_ntk.training.journal import Array

Value = TypeVar("Value")
_FACTS = ("status", "steps", "points", "parameters", "varied", "failed", "cells.total", "cells.done")
_GROUPS = ("loss", "error", "kernel", "displacement", "theory", "solver", "ensemble")
"""Of a summary: facts and the leaves of groups are results; settings, clocks and versions are not."""
_ASIDE = (
    "theory.statements", "theory.lambda_s_floor", "ensemble.quantiles", "ensemble.coverage", "ensemble.calibration",
)  # fmt: skip
"""Compared as statements and as rows of the seeds; a floor of rounding is rounding."""
_SENTENCES = ("reason", "words", "bound_words", "claim", "seconds")
_STATED = ("predicted", "measured", "value", "low", "high", "share")
_UNCOMPARED = ("seconds", "members", "job", "reason")
_OF_TRACKED_STEPS = (
    "drift", "drift_a", "drift_ratio", "max_delta_a", "max_delta_w", "max_delta", "relative_delta", "rate_measured",
    "worst_ratio", "exit_after", "exit_time", "e_folds", "bound_holds", "measured",
)  # fmt: skip
"""Numbers that are the largest over tracked steps, and compared where both tracked the same ones."""
# what training moves, and what of it is known before the first step
_MOVED = ("status", "steps", "statement: ", "parameters ", "seeds ", *(f"{name}." for name in _GROUPS))
_STAYING = (
    "parameters a0", "parameters w0", "theory.applicable", "theory.lambda_s", "theory.rate", "theory.expected_loss",
)  # fmt: skip


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


def measures(one: Results, two: Results, allowance: float) -> list[Measure]:
    """Every result that both have.

    Args:
        one: of a run, a sweep or a study.
        two: of another.
        allowance: the share of its scale by which a number may differ by rounding.
    """
    scales = Scales.of(one)
    results = [_single(name, x, y, scales, allowance) for name, x, y in _both(_numbers(one), _numbers(two))]
    results += [*_tables(one, two, scales, allowance), *_statements(one, two, scales.condition, allowance)]
    if one.kind == "run" and not np.array_equal(one.history["step"], two.history["step"]):
        results = [m for m in results if _short(m.name) not in _OF_TRACKED_STEPS]
    results += [*_series(one, two, scales, allowance), *_parameters(one, two, allowance)]
    return [_later(m) for m in results] if _began_alike(results) else results


def only_one(one: Results, two: Results) -> list[tuple[str, int]]:
    """The results, and the tracked steps, that only the first or only the second has."""
    names = [_names(run) for run in (one, two)]
    return [(name, k + 1) for k in (0, 1) for name in names[k] if name not in names[1 - k]]


def _names(run: Results) -> dict[str, None]:
    steps = [f"step {step}" for step in run.history.get("step", ())]
    columns = [name for name in (*run.history, *run.tables) if name.rpartition(" ")[2] not in _UNCOMPARED]
    return dict.fromkeys([*_numbers(run), *columns, *steps, *(f"statement: {name}" for name in _stated(run))])


def _short(name: str) -> str:
    return name.replace(".", " ").rpartition(" ")[2]


def _both(one: Mapping[str, Value], two: Mapping[str, Value]) -> Iterator[tuple[str, Value, Value]]:
    return ((name, x, two[name]) for name, x in one.items() if name in two)


def _numbers(run: Results) -> dict[str, Any]:
    """Facts and single numbers of a summary."""
    groups = {name: run.summary[name] for name in _GROUPS if run.summary.get(name) is not None}
    facts = dict(leaves({k: v for k, v in run.summary.items() if k not in groups}))
    named = {name: value for name, value in leaves(groups) if name.rpartition(".")[2] not in _SENTENCES}
    plain = {name: value for name, value in named.items() if not name.startswith(_ASIDE)}
    return {**{k: v for k, v in facts.items() if k.startswith(_FACTS)}, **plain}


def _single(name: str, x: Any, y: Any, scales: Scales, allowance: float) -> Measure:
    if _is_number(x) and _is_number(y) and not (isinstance(x, int) and isinstance(y, int)):
        size = float(scales.shares(name, np.array([float(x)]), np.array([float(y)]))[0])
        return Measure(name, x, y, size, _alike(size, allowance))
    return _equal(name, x, y)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(name: str, x: Any, y: Any) -> Measure:
    return Measure(name, x, y, None, Verdict.SAME if x == y else Verdict.DIFFERENT)


def _series(one: Results, two: Results, scales: Scales, allowance: float) -> Iterator[Measure]:
    """Columns of both histories at the steps that both tracked."""
    if one.kind != "run":
        return
    steps, here, there = np.intersect1d(one.history["step"], two.history["step"], return_indices=True)
    if not len(steps):
        yield Measure("tracked steps", len(one.history["step"]), len(two.history["step"]), None, Verdict.DIFFERENT)
        return
    for name, x, y in _both(one.history, two.history):
        if name not in ("step", *_UNCOMPARED):
            yield _column(name, x[here], y[there], scales, allowance, steps)


def _column(name: str, x: Array, y: Array, scales: Scales, allowance: float, steps: Array | None = None) -> Measure:
    sizes = scales.shares(name, x, y)
    worst, verdict = int(sizes.argmax()), _alike(float(sizes.max()), allowance)
    if (
        steps is not None
        and verdict is Verdict.DIFFERENT
        and _alike(float(sizes[0]), allowance) is not Verdict.DIFFERENT
    ):
        verdict = Verdict.GROWN
    return Measure(
        name, float(x[-1]), float(y[-1]), float(sizes.max()), verdict, None if steps is None else int(steps[worst])
    )


def _tables(one: Results, two: Results, scales: Scales, allowance: float) -> Iterator[Measure]:
    """Columns of both tables, row by row: of seeds, of a sweep's jobs, of a study's cells."""
    for name, x, y in _both(one.tables, two.tables):
        if name.rpartition(" ")[2] in _UNCOMPARED:
            continue
        if len(x) != len(y):
            yield Measure(name, f"{len(x)} rows", f"{len(y)} rows", None, Verdict.DIFFERENT)
        elif isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and len(x):
            yield _column(name, x, y, scales, allowance)
        else:
            yield _equal(name, _listed(x), _listed(y))


def _listed(column: Column) -> str:
    return ", ".join(map(str, column))


def _parameters(one: Results, two: Results, allowance: float) -> Iterator[Measure]:
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


def _shape(tensor: torch.Tensor | None) -> str:
    return "none" if tensor is None else "×".join(map(str, tensor.shape))


def _stated(run: Results) -> dict[str, Mapping[str, Any]]:
    """Statements of a run's theory, findings of a study, coverage."""
    told = [*((run.summary.get("theory") or {}).get("statements") or []), *(run.summary.get("findings") or [])]
    return {entry["name"]: entry for entry in told}


def _statements(one: Results, two: Results, condition: float, allowance: float) -> Iterator[Measure]:
    """Verdicts, and the numbers that they rest on; those below one are differences of such as are of order one."""
    for name, a, b in _both(_stated(one), _stated(two)):
        yield _equal(f"statement: {name}", a["verdict"], b["verdict"])
        for key, x, y in _both(a, b):
            if key in _STATED and _is_number(x) and _is_number(y):
                size = abs(x - y) / (condition * max(1.0, abs(x), abs(y)))
                yield Measure(f"statement: {name}, {key}", x, y, size, _alike(size, allowance))


def _began_alike(results: Iterable[Measure]) -> bool:
    """Whether the losses of the first step that both tracked are the same up to rounding."""
    return any(m.name == "loss" and m.verdict is not Verdict.DIFFERENT for m in results)


def _later(measure: Measure) -> Measure:
    """Of two runs that began alike, differences in what training moves have grown."""
    moved = measure.name.startswith(_MOVED) and measure.name not in _STAYING and "initial" not in measure.name
    return replace(measure, verdict=Verdict.GROWN) if moved and measure.verdict is Verdict.DIFFERENT else measure


def _alike(size: float, allowance: float) -> Verdict:
    return Verdict.SAME if size == 0.0 else Verdict.ROUNDING if size <= allowance else Verdict.DIFFERENT
