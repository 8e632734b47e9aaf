"""What a caller may pass: checks whose errors say what, got, expected, and the nearest name."""

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def count(what: str, value: object, least: int = 1) -> int:
    """The value, a whole number of at least `least`.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{what}: got {value!r}, expected a whole number, at least {least}")
    return value


def number(what: str, value: object, positive: bool = False) -> float:
    """The value, a finite number, on request a positive one.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or (positive and value <= 0):
        raise ValueError(f"{what}: got {value!r}, expected a {'positive' if positive else 'finite'} number")
    return float(value)


def choose(what: str, name: object, table: Mapping[str, T]) -> T:
    """table[name].

    Raises:
        ValueError: no such name; the nearest one is suggested and all are listed.
    """
    if isinstance(name, str) and name in table:
        return table[name]
    raise ValueError(f"{what}: got {name!r}{nearest(str(name), table)}; expected one of {', '.join(table)}")


def nearest(name: str, names: Iterable[str]) -> str:
    """', did you mean …?' for a misspelt name, else nothing."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f", did you mean {close[0]}?" if close else ""
