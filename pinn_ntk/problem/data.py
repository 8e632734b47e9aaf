"""Measured data: a CSV file with the columns x1 … xd and value."""

import csv
import math
from pathlib import Path

import torch
from torch import Tensor

from pinn_ntk.arguments import require_file


def read_points(path: str | Path, dim: int | None = None) -> tuple[Tensor, Tensor]:
    """(x_i, y_i), i = 1…n, from a CSV file with the header x1,…,xd,value (x, y, z and t name coordinates, too,
    in this order).

    Args:
        path: the file, UTF-8.
        dim: how many coordinates are expected; None for as many as there are.

    Returns:
        points (n, d) and values (n,), float64.

    Raises:
        ValueError: no such file, a wrong header, no rows, or a cell that is not a finite number (its line is given).
    """
    require_file("csv", path)
    lines = _lines(path)
    _check_header(path, lines[0][1] if lines else [], dim)
    table = _table(path, lines)
    return table[:, :-1].contiguous(), table[:, -1].contiguous()


def read_table(path: str | Path) -> tuple[list[str], Tensor]:
    """The header and the rows (n, columns) of a CSV file of finite numbers.

    Raises:
        ValueError: no such file, no rows, or a cell that is not a finite number (its line is given).
    """
    lines = _lines(path)
    return (lines[0][1] if lines else []), _table(path, lines)


def _lines(path: str | Path) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, with their line numbers."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            return [
                (i, [cell.strip() for cell in row])
                for i, row in enumerate(csv.reader(file), 1)
                if any(cell.strip() for cell in row)
            ]
    except (OSError, UnicodeError, csv.Error) as error:
        raise ValueError(
            f"csv: {path} cannot be read ({error}); expected a UTF-8 text file with the columns x1, …, xd, value"
        ) from error


def _table(path: str | Path, lines: list[tuple[int, list[str]]]) -> Tensor:
    if len(lines) < 2:
        raise ValueError(f"csv: {path} has no rows below its header, expected one point and value each")
    return torch.tensor(
        [_numbers(path, i, cells, len(lines[0][1])) for i, cells in lines[1:]], dtype=torch.float64, device="cpu"
    )


def _check_header(path: str | Path, header: list[str], dim: int | None) -> None:
    d = len(header) - 1
    plain = [f"x{j + 1}" for j in range(d)]
    letters = [["x", "y", "z"][:d], [*["x", "y", "z"][: d - 1], "t"], [*plain[:-1], "t"]]
    if d < 1 or header[-1] != "value" or header[:-1] not in (plain, *letters) or d != (dim or d):
        expected = "x1, …, xd, value" if dim is None else ", ".join([*(f"x{j + 1}" for j in range(dim)), "value"])
        raise ValueError(f"csv: {path} has the header {', '.join(header) or '(none)'}, expected {expected}")


def _numbers(path: str | Path, line: int, cells: list[str], columns: int) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise ValueError(
            f"csv: {path}, line {line}: {error}; expected numbers with a point as the decimal mark"
        ) from error
    if len(values) != columns or not all(math.isfinite(v) for v in values):
        raise ValueError(f"csv: {path}, line {line}: got {cells}, expected {columns} finite numbers")
    return values
