"""What a study is: cells that are measured once each, and a document made of all their rows.

A cell's parameters hold everything that its result depends on beside the base configuration: a finished cell is not run
again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pinn_ntk.comparison.finding import Finding
from pinn_ntk.experiment.settings import Experiment
from pinn_ntk.reporting.style import Section

Value = float | int | str | bool | None
Row = dict[str, Value]
Arrays = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
Factory = Callable[[Mapping[str, object]], Experiment]
"""Overrides by key on a base configuration → problem, network, settings: {'network.width': 256, 'seed': 3}."""


@dataclass(frozen=True)
class Cell:
    """One unit of work.

    Attributes:
        parameters: plain values; together with the study's identity they decide whether it was done already.
    """

    parameters: Mapping[str, Any]

    def identity(self, context: str = "") -> str:
        """Twelve hexadecimal digits of its parameters' SHA-256.

        Args:
            context: what else the result depends on.
        """
        text = json.dumps(self.parameters, sort_keys=True, ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(f"{context}\n{text}".encode()).hexdigest()[:12]

    @property
    def words(self) -> str:
        """Its parameters in one line, long lists cut."""
        return ", ".join(
            f"{k}={str(v) if len(str(v)) <= 24 else str(v)[:23] + '…'}" for k, v in self.parameters.items()
        )


@dataclass(frozen=True)
class Measured:
    """What one cell gives.

    Attributes:
        rows: of the table, plain numbers and words by column; the cell's parameters are added.
        arrays: kept beside them, for pictures.
    """

    rows: list[Row]
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """All finished cells.

    Attributes:
        rows: with the parameters of their cells (lists left out).
        arrays: by cell.
    """

    rows: list[Row]
    arrays: list[tuple[Cell, Arrays]]

    def column(self, name: str, where: Mapping[str, Value] | None = None) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A column as numbers, over the rows whose entries agree with `where`; NaN where there is none."""
        return np.array([_number(row.get(name)) for row in self.where(where)], dtype=np.float64)

    def where(self, wanted: Mapping[str, Value] | None = None) -> list[Row]:
        """The rows whose entries agree with `wanted`."""
        return [row for row in self.rows if all(row.get(k) == v for k, v in (wanted or {}).items())]

    def values(self, name: str) -> list[Value]:
        """The distinct entries of a column, in the order of their first appearance."""
        return list(dict.fromkeys(row[name] for row in self.rows if name in row))


def _number(value: Value) -> float:
    return float("nan") if value is None or isinstance(value, str) else float(value)


@dataclass(frozen=True)
class Document:
    """What a study says.

    Attributes:
        sections: pictures with their words.
        findings: the numbers it was made for.
        files: further files by name, such as an animation.
    """

    sections: tuple[Section, ...]
    findings: tuple[Finding, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A question, the cells that answer it, and how.

    Attributes:
        name: what a person types.
        title: heading of the document.
        question: what is asked and how it is measured, in a few sentences.
        cells: the work.
        measure: a cell's rows; it may raise, and the study goes on with the other cells.
        document: made of whatever cells are finished.
        timed: whether seconds are measured: cells then run one after another.
    """

    name: str
    title: str
    question: str
    cells: tuple[Cell, ...]
    measure: Callable[[Cell], Measured]
    document: Callable[[Results], Document]
    timed: bool = False
