"""What a caller may pass: checks whose errors say what, got, expected, and the nearest name."""

import difflib
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

MAX_POINTS = 10**7  # of one block: a row of the kernel is then 80 MB
MAX_DIM = 1000
MAX_SEED = 2**63 - 1  # of a problem; its blocks take the seeds that follow, which torch and numpy still accept


def count(what: str, value: object, least: int = 1, most: int = MAX_POINTS) -> int:
    """The value, a whole number with least ≤ value ≤ most.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{what}: got {value!r}, expected a whole number, at least {least} and at most {most:,}")
    return value


def number(what: str, value: object, positive: bool = False) -> float:
    """The value, a finite number, on request a positive one.

    Raises:
        ValueError: anything else.
    """
    largest = sys.float_info.max  # compared, not converted: a whole number may be too large for a float
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not abs(value) <= largest
        or (positive and value <= 0)
    ):
        raise ValueError(f"{what}: got {value!r}, expected a {'positive' if positive else 'finite'} number")
    return float(value)


def choose(what: str, name: object, table: Mapping[str, T]) -> T:
    """table[name].

    Raises:
        ValueError: no such name; the nearest one is suggested and all are listed.
    """
    if isinstance(name, str) and name in table:
        return table[name]
    raise ValueError(f"{what}: {unknown(name, table)}")


def unknown(name: object, names: Iterable[str]) -> str:
    """The text for a name that is none of those known: all of them, and the nearest one."""
    known = list(names)
    return f"got {name!r}, expected one of {', '.join(known)}{nearest(str(name), known)}"


def nearest(name: str, names: Iterable[str]) -> str:
    """'; did you mean …?' for a misspelt name, else nothing."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def is_line(text: str) -> bool:
    """Whether a text is one line that every file can hold: no line breaks, no other control characters,
    no halves of characters.
    """
    return not any(unicodedata.category(c) in ("Cc", "Cs") for c in text)


def require_file(what: str, path: str | Path) -> None:
    """Refuse a device, a pipe and a folder where a file is read: a read of them may have no end.

    Raises:
        ValueError: something that is no regular file; what is not there is for the reader to tell.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{what}: {path} cannot be read, it is a device, a pipe or a folder; expected a file")
