"""One key that a person may set: its type, its range, and what is wrong with a value."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pinn_ntk.app.faults import nearest, shown
from pinn_ntk.arguments import is_line

Kind = Literal["whole", "number", "flag", "text", "weights", "any"]
_WORDS = {
    "whole": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "text": "text",
    "weights": "numbers by block name",
    "any": "",
}


@dataclass(frozen=True)
class Key:
    """What one key accepts.

    Attributes:
        doc: one line for a person.
        kind: of the value.
        low: least value.
        high: largest value.
        above: whether both ends themselves are excluded.
        below: whether `high` itself is excluded.
        names: the texts that are accepted (beside numbers when the kind is one).
        optional: whether null is accepted.
        required: whether the key has to be there.
    """

    doc: str
    kind: Kind = "text"
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    names: tuple[str, ...] = ()
    optional: bool = False
    required: bool = True

    def expected(self) -> str:
        """The accepted values in words."""
        words = [] if self.kind == "text" and self.names else [_WORDS[self.kind] + self._range()]
        words += [f"one of {', '.join(self.names)}"] if self.names else []
        return " or ".join([*words, *(["null"] if self.optional else [])])

    def _range(self) -> str:
        bounds = []
        if self.low > -math.inf:
            bounds.append(f"{'above' if self.above else 'at least'} {_bound(self.low)}")
        if self.high < math.inf:
            bounds.append(f"{'below' if self.above or self.below else 'at most'} {_bound(self.high)}")
        return ", " + " and ".join(bounds) if bounds else ""

    def fault(self, value: object) -> str | None:
        """What is wrong with a value, None if nothing is."""
        if (value is None and self.optional) or self.kind == "any":
            return _not_finite(value) if self.kind == "any" else None
        if isinstance(value, str) and self.names:
            return (
                None
                if value in self.names
                else f"got {value!r}, expected {self.expected()}{nearest(value, self.names)}"
            )
        if self.kind == "weights":
            return self._weights(value)
        if isinstance(value, str) and self.kind == "text" and not is_line(value):
            return f"got {shown(value)}, expected one line of text"
        wrong = f"got {shown(value)}, expected {self.expected()}"
        if not self._fits(value):
            whole = self.kind == "whole" and isinstance(value, float) and value.is_integer()
            return f"{wrong}; write {int(value)}" if whole and isinstance(value, float) else wrong
        inside = not isinstance(value, (int, float)) or self._inside(value)
        return None if inside else wrong

    def _fits(self, value: object) -> bool:
        """Whether the type is right: bools are no numbers, and neither is text."""
        if isinstance(value, bool) or self.kind == "flag":
            return isinstance(value, bool) and self.kind == "flag"
        if self.kind == "whole":
            return isinstance(value, int)
        if self.kind == "number":
            return isinstance(value, (int, float))
        return isinstance(value, str) and not self.names

    def _inside(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        return (self.low < value if self.above else self.low <= value) and (
            value < self.high if self.above or self.below else value <= self.high
        )

    def _weights(self, value: object) -> str | None:
        if not isinstance(value, Mapping):
            return f"got {shown(value)}, expected {_WORDS['weights']}, such as problem.weight.boundary=10"
        one = Key("", "number", 0.0, above=True)
        wrong = [f"{name}: {text}" for name, v in value.items() if (text := one.fault(v))]
        return "; ".join(wrong) or None


def _not_finite(value: object) -> str | None:
    """NaN and infinity are refused wherever they are."""
    for item in _leaves(value):
        if isinstance(item, float) and not math.isfinite(item):
            return f"got {item}, expected finite numbers"
    return None


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


SUFFICIENT = "sufficient"
"""A width: the one that the theorem asks for."""


def whole(doc: str, low: float = 0, optional: bool = False, high: float = math.inf) -> Key:
    """A key for a whole number from `low` to `high`."""
    return Key(doc, "whole", low, high, optional=optional)


def _bound(value: float) -> str:
    """A bound as a person writes it: whole numbers in full."""
    return str(value) if isinstance(value, int) else f"{value:g}"


def positive(doc: str, names: tuple[str, ...] = ()) -> Key:
    """A key for a positive number."""
    return Key(doc, "number", 0.0, above=True, names=names)
