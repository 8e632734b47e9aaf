"""Options of studies, checked as all input is: what was got, what is expected."""

import math
from collections.abc import Collection, Sequence


def whole_numbers(name: str, values: Sequence[int], least: int = 1) -> list[int]:
    """The values, distinct whole numbers in ascending order.

    Args:
        name: of the option.
        values: a list.
        least: of each of them.

    Raises:
        ValueError: something else than a list of whole numbers, at least one of them, none of them below `least`.
    """
    if not _is_list(values) or any(isinstance(v, bool) or not isinstance(v, int) or v < least for v in values):
        raise ValueError(f"{name}: got {values!r}, expected a list of whole numbers, each at least {least}")
    return sorted(set(values))


def whole_number(name: str, value: int, least: int = 1) -> int:
    """The value, a whole number.

    Raises:
        ValueError: another value, or one below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: got {value!r}, expected a whole number, at least {least}")
    return value


def positive_number(name: str, value: float) -> float:
    """The value, a positive number.

    Raises:
        ValueError: another value.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
        raise ValueError(f"{name}: got {value!r}, expected a positive number")
    return float(value)


def names(name: str, values: Sequence[str], allowed: Collection[str]) -> list[str]:
    """The values, names out of `allowed`, each once.

    Raises:
        ValueError: no list of such names.
    """
    if not _is_list(values) or any(v not in allowed for v in values):
        raise ValueError(f"{name}: got {values!r}, expected a list out of {', '.join(allowed)}")
    return list(dict.fromkeys(values))


def _is_list(values: object) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str) and len(values) > 0
