"""A person's numbers as coordinates: tuples of finite floats, and the names of their axes."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.expressions import variable_names
from pinn_ntk.hints import points

Numbers = float | Sequence[float] | Tensor


def coordinates(what: str, value: object, dim: int | None = None) -> tuple[float, ...]:
    """The value as finite floats, one per coordinate; a number is one coordinate.

    Raises:
        ValueError: no numbers, none at all, one that is not finite, or another number of them than `dim`.
    """
    try:
        numbers = tuple(torch.as_tensor(value, dtype=torch.float64, device="cpu").reshape(-1).tolist())
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{what}: got {value!r}, expected a number or a list of numbers") from error
    if not numbers or not all(math.isfinite(v) for v in numbers):
        raise ValueError(f"{what}: got {value!r}, expected finite numbers, one per coordinate")
    if dim is not None and len(numbers) != dim:
        raise ValueError(f"{what}: got {len(numbers)} numbers, expected {dim}, one per coordinate")
    return numbers


def takes_points(method: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """A method of a domain that is asked about points (n, d); arrays and lists of them will do."""

    @functools.wraps(method)
    def of_points(self: Any, x: Tensor) -> Tensor:
        return method(self, points(f"points of {self}", x, self.dim))

    return of_points


def axis_names(dim: int) -> tuple[str, ...]:
    """x, y, z, or x1, …, xd beyond three coordinates."""
    return variable_names(dim)


def listed(point: Sequence[float]) -> str:
    """(0, 0.5), as a report writes a point; a point of a line without parentheses."""
    text = ", ".join(f"{v:g}" for v in point)
    return text if len(point) == 1 else f"({text})"


def written(low: float, high: float) -> tuple[str, str]:
    """Both ends of an interval as a person types them, with more digits where the usual six do not tell them apart."""
    short = f"{low:g}", f"{high:g}"
    return short if short[0] != short[1] else (repr(low), repr(high))


def norm(x: Tensor) -> Tensor:
    """|x| of every row, (…, d) → (…)."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1)
    return length
