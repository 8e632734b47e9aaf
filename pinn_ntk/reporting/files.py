"""The files of a run's folder: history.csv, summary.json, arrays.nc. Each is written aside,
flushed to the disk and renamed.
"""

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from pinn_ntk.networks.storage import replacing
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.training.trackers import History

Variable = tuple[tuple[str, ...], Any, dict[str, str]]
"""What xarray makes a variable of: dimensions, values, attributes."""

_MODES = ("eigenvalues", "eigenvalues_a", "alignment", "alignment_a", "mode_losses")


def write_text(path: Path, text: str) -> None:
    """Text as UTF-8, whole or not at all."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="")


def write_history(history: History, path: Path) -> None:
    """One row per tracked step, columns by name; what is not available is empty."""
    rows = zip(*history.columns.values(), strict=True)
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(
        [list(history.columns), *([_cell(v) for v in row] for row in rows)]
    )
    write_text(path, buffer.getvalue())


def _cell(value: float) -> str:
    """The shortest text that reads back as the same number; empty for NaN."""
    if not math.isfinite(value):
        return "" if math.isnan(value) else str(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


class Files(NamedTuple):
    """The files of a saved run that are read again at once.

    Attributes:
        report: path of the page.
        summary: what summary.json holds.
    """

    report: Path
    summary: Mapping[str, Any]


def with_report(seconds: Mapping[str, float], spent: float) -> dict[str, float]:
    """The seconds of a run by part once its report has taken `spent` of them."""
    return {**seconds, "report": spent, "total": seconds["total"] + spent}


def write_summary(summary: Mapping[str, Any], path: Path) -> None:
    """The summary as JSON; it holds finite numbers only."""
    write_text(path, json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_arrays(record: Outcome, path: Path) -> None:
    """Losses, spectra, kernels and fields as NetCDF, each with a description and units.

    Dimensions: step (every state), tracked (states that trackers were asked at), mode (eigenvalues in ascending order),
    row and column (points, block after block), coordinate, test (test points).

    Args:
        record: the run.
        path: of the file.
    """
    import xarray

    variables = {**_history(record.history), **_kernels(record), **_fields(record)}
    about = {"problem": record.problem.name, "status": str(record.status), "blocks": ", ".join(record.problem.slices)}
    with replacing(path) as aside:
        xarray.Dataset(variables, attrs=about).to_netcdf(aside, engine="h5netcdf")


def _variable(dims: tuple[str, ...], values: Any, text: str) -> Variable:
    return dims, np.asarray(values, dtype=np.float64), {"long_name": text, "units": "1"}


def _history(history: History) -> dict[str, Variable]:
    found = {
        "loss": _variable(("step",), history.losses, "R_S at every step (at every tracked time of a flow)"),
        "tracked_step": _variable(("tracked",), history.columns["step"], "steps at which trackers were asked"),
        "tracked_time": _variable(("tracked",), history.columns["time"], "time t of the tracked steps"),
    }
    for name, values in history.arrays.items():
        rest = ("mode",) if name in _MODES else tuple(f"{name}_{i}" for i in range(1, values.ndim))
        order = ", ascending eigenvalues" if name in _MODES else ""
        found[name] = _variable(("tracked", *rest), values, f"{name} at the tracked steps{order}")
    return found


def _kernels(record: Outcome) -> dict[str, Variable]:
    """K̂ and its part (a) at both ends of training, and the parts of K^∞."""
    found, square = {}, ("row", "column")
    for name, kernel in record.kernels.items():
        found[f"kernel_{name}"] = _variable(
            square, kernel.total.cpu(), f"K = J J^T/scale, {name}; scale = {kernel.scale!r}"
        )
        if kernel.a is not None:
            found[f"kernel_a_{name}"] = _variable(square, kernel.a.cpu(), f"part of the outer weights, {name}")
    lazy = record.prediction.lazy if record.prediction else None
    if lazy is not None and lazy.kernel.a is not None and lazy.kernel.w is not None:
        for part, matrix in (("a", lazy.kernel.a), ("w", lazy.kernel.w)):
            found[f"kernel_{part}_infinite"] = _variable(
                square, matrix.cpu(), f"infinite-width part ({part}), gamma = 1"
            )
    return found


def _fields(record: Outcome) -> dict[str, Variable]:
    """Points, the last residual, and u at the test points."""
    problem, tests = record.problem, record.problem.test_points
    found = {
        "points": _variable(("row", "coordinate"), problem.x.cpu(), "points, block after block"),
        "residual": _variable(("row",), record.history.final.residual.cpu(), "e = S(Lh - f) at the last state"),
    }
    if tests is not None:
        with torch.no_grad():
            u = problem.solution(record.trained)(tests).cpu()
        found["test_points"] = _variable(("test", "coordinate"), tests.cpu(), "points at which errors are measured")
        found["solution"] = _variable(("test",), u, "u at the test points after training")
    return found
