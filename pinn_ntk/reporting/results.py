"""What a folder of a run, a sweep or a study holds that can be compared: a summary, columns of tables, tensors."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinn_ntk.networks.storage import NETWORK, read_tensors
from pinn_ntk.training.journal import Array

Column = Array | tuple[str, ...]
_TABLES = {"seeds": "ensemble.csv", "table": "table.csv"}
_SUMMARY, _HISTORY = "summary.json", "history.csv"


@dataclass(frozen=True)
class Results:
    """Of one folder.

    Attributes:
        kind: run, sweep or study.
        summary: as it is written.
        history: columns of numbers; none but for a run.
        tables: columns of numbers or texts of the other tables, as 'seeds drift' and 'table loss_final'.
        tensors: of the trained network.
    """

    kind: str
    summary: Mapping[str, Any]
    history: Mapping[str, Array]
    tables: Mapping[str, Column]
    tensors: Mapping[str, torch.Tensor]


def read_results(folder: Path) -> Results:
    """The results in a folder.

    Raises:
        ValueError: it holds nothing that is over, or a damaged file.
    """
    summary = _summary(folder)
    kind, network = _kind(summary, folder), folder / NETWORK
    tables: dict[str, Column] = {}
    for name, file in _TABLES.items():
        if (folder / file).is_file():
            tables |= {f"{name} {column}": values for column, values in _columns(folder / file).items()}
    tensors = read_tensors(network)[1] if network.is_file() else {}
    return Results(kind, summary, _history(folder / _HISTORY) if kind == "run" else {}, tables, tensors)


def _summary(folder: Path) -> dict[str, Any]:
    try:
        summary: dict[str, Any] = json.loads(_text(folder / _SUMMARY))
    except ValueError as error:
        if str(error).startswith("RUN: "):
            raise
        raise ValueError(f"RUN: {folder / _SUMMARY} is damaged: {error}") from error
    return summary


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"RUN: {path} is damaged: {error}") from error
    except OSError as error:
        where = f"got {str(path.parent)!r}, expected the folder of a run that is over, with {path.name}"
        raise ValueError(f"RUN: {where} ({error.strerror})") from error


def _kind(summary: object, folder: Path) -> str:
    if isinstance(summary, dict) and "status" in summary and "loss" in summary:
        return "run"
    kind = next((name for name in ("sweep", "study") if isinstance(summary, dict) and name in summary), None)
    if kind is None or not (folder / _TABLES["table"]).is_file():
        raise ValueError(
            f"RUN: got {str(folder)!r}, which holds nothing of ours; expected the folder of a run, a sweep or a study"
        )
    return kind


def _history(path: Path) -> dict[str, Array]:
    columns = {name: values for name, values in _columns(path).items() if isinstance(values, np.ndarray)}
    if len(columns) < len(_columns(path)) or "step" not in columns or np.isnan(columns["step"]).any():
        raise ValueError(f"RUN: {path} is damaged: expected numbers, and a step in every row")
    return {**columns, "step": columns["step"].astype(np.int64)}


def _columns(path: Path) -> dict[str, Column]:
    rows = list(csv.reader(_text(path).splitlines()))
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(f"RUN: {path} is damaged: expected a header, and rows as long as it")
    return {name: _column([row[i] for row in rows[1:]]) for i, name in enumerate(rows[0])}


def _column(cells: list[str]) -> Column:
    """Numbers, an empty cell being NaN; texts where one is no number."""
    try:
        return np.array([float(cell or "nan") for cell in cells], dtype=np.float64)
    except ValueError:
        return tuple(cells)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """{'a': [{'b': 1}]} → ('a.0.b', 1): every value of nested mappings and lists by its path."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield name, value
        return
    for key, inner in items:
        yield from leaves(inner, f"{name}.{key}" if name else str(key))
