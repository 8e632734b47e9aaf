"""The files of a run's folder: history.csv, summary.json, arrays.nc."""

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pinn_ntk.training.trackers import History

if TYPE_CHECKING:
    from pinn_ntk.reporting.record import Record


def write_text(path: Path, text: str) -> None:
    """Write aside, flush to the disk, rename: a reader sees the old file or the new one, never half of it."""
    aside = path.with_name(path.name + ".part")
    try:
        with aside.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def write_history(history: History, path: Path) -> None:
    """One row per tracked step, columns by name; what is not available is empty."""
    names = list(history.columns)
    rows = zip(*(history.columns[n] for n in names), strict=True)
    lines = [names, *([_cell(v) for v in row] for row in rows)]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    write_text(path, buffer.getvalue())


def _cell(value: float) -> str:
    if not math.isfinite(value):
        return "" if math.isnan(value) else str(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def write_summary(summary: Mapping[str, Any], path: Path) -> None:
    """The summary as JSON; it holds finite numbers only."""
    write_text(path, json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_arrays(record: "Record", path: Path) -> None:
    """Kernels, spectra, losses and fields as NetCDF, each with a description and units."""
    import xarray

    history, data = record.history, {}

    def add(name: str, dims: tuple[str, ...], values: Any, text: str) -> None:
        data[name] = (dims, np.asarray(values, dtype=np.float64), {"long_name": text, "units": "1"})

    add("loss", ("step",), history.losses, "R_S at every step")
    add("tracked_step", ("tracked",), history.columns["step"], "steps at which trackers were asked")
    add("tracked_time", ("tracked",), history.columns["time"], "time t of the tracked steps")
    for name, values in history.arrays.items():
        add(
            name,
            ("tracked", *(f"{name}_{i}" for i in range(1, values.ndim))),
            values,
            f"{name} at the tracked steps, ascending where sorted",
        )
    for name, kernel in record.kernels.items():
        add(f"kernel_{name}", ("row", "column"), kernel.total.cpu(), f"PDE-NTK K = J Jt/scale, {name}; scale {kernel.scale!r}")
        add(f"kernel_a_{name}", ("row", "column"), kernel.a.cpu(), f"part of the outer weights, {name}")
    prediction = record.prediction
    if prediction is not None and prediction.lazy is not None:
        for part in ("a", "w"):
            add(
                f"kernel_{part}_infinite",
                ("row", "column"),
                getattr(prediction.lazy.kernel, part).cpu(),
                f"infinite-width part ({part}), gamma = 1",
            )
    add("points", ("row", "coordinate"), record.problem.x.cpu(), "points, block after block")
    if record.problem.test_points is not None:
        add("test_points", ("test", "coordinate"), record.problem.test_points.cpu(), "points at which errors are measured")
        add("solution", ("test",), _solution(record), "u at the test points after training")
    # written aside and renamed, like every file of the folder
    aside = path.with_name(path.name + ".part")
    dataset = xarray.Dataset(data, attrs={"problem": record.problem.name, "status": str(record.status)})
    try:
        dataset.to_netcdf(aside, engine="h5netcdf")
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def _solution(record: "Record") -> Any:
    if record.problem.test_points is None:
        return None
    with torch.no_grad():
        return record.problem.solution(record.trained)(record.problem.test_points).cpu()
