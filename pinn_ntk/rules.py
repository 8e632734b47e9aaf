"""Rules of arguments: what an argument accepts, said once, in its annotation.

    def adam(…, learning_rate: Annotated[float, positive("η of the first step")] = 1e-3, …)

The command checks a configuration by these rules, its help and the documentation print them, and `checked` holds Python
callers to them. Defaults stand in the signature and nowhere else.

Examples:
    >>> from typing import Annotated
    >>> from pinn_ntk.rules import checked, positive, rules_of
    >>> @checked
    ... def half(width: Annotated[float, positive("of the strip")] = 1.0) -> float:
    ...     return width / 2
    >>> rules_of(half)["width"].expected()
    'a positive number'
    >>> half(-1.0)
    Traceback (most recent call last):
    ValueError: width: got -1.0, expected a positive number
"""

import functools
import inspect
import math
import numbers
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Literal, ParamSpec, TypeVar, overload

from pinn_ntk.arguments import is_line, nearest
from pinn_ntk.hints import Fit, fit, shown

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")
Kind = Literal["whole", "number", "flag", "text", "weights", "list", "any"]
_WORDS = {
    "whole": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "text": "text",
    "weights": "a mapping from block names to positive numbers",
    "list": "a list",
    "any": "",
}
MAX_WHOLE = 2**63 - 1  # what numpy and torch count to
_KINDS: dict[object, Kind] = {int: "whole", float: "number", bool: "flag", str: "text"}


@dataclass(frozen=True)
class Rule:
    """What one argument accepts.

    Attributes:
        doc: one line for a person.
        kind: of the value.
        low: least value; of a list, the least number of entries.
        high: largest value.
        above: whether both ends themselves are excluded.
        below: whether `high` itself is excluded.
        names: the texts that are accepted (beside numbers when the kind is one).
        optional: whether None is accepted.
        required: whether the argument has no default.
        each: the rule of a list's entries.
        infinite: whether infinity is accepted, as "never"; a configuration has no infinity.
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
    each: "Rule | None" = None
    infinite: bool = False

    def __repr__(self) -> str:
        return f"<{self.doc}: {self.expected()}>"

    def expected(self, nothing: str = "null") -> str:
        """The accepted values in words.

        Args:
            nothing: how None is written.
        """
        words = [] if self.kind == "text" and self.names else [self._words()]
        words += [f"one of {', '.join(self.names)}"] if self.names else []
        return " or ".join([*words, *([nothing] if self.optional else [])])

    def _words(self) -> str:
        if (
            self.kind == "number"
            and self.high == math.inf
            and (self.low == -math.inf or (self.low == 0 and self.above))
        ):
            return "a positive number" if self.above else "a finite number"
        return _WORDS[self.kind] + self._range()

    def _range(self) -> str:
        if self.each is not None:
            return f", each entry {self.each.expected()}"
        bounds = []
        if self.low > -math.inf:
            bounds.append(f"{'above' if self.above else 'at least'} {_bound(self.low)}")
        if self.high < math.inf:
            bounds.append(f"{'below' if self.above or self.below else 'at most'} {_bound(self.high)}")
        return ", " + " and ".join(bounds) if bounds else ""

    def fault(self, value: object, shown: Callable[[object], str] = repr) -> str | None:
        """What is wrong with a value, None if nothing is.

        Args:
            value: any object.
            shown: how a value is written: as in Python, or as in YAML.
        """
        if (value is None and self.optional) or self.kind == "any":
            return _not_finite(value) if self.kind == "any" else None
        if isinstance(value, str) and self.names:
            wrong = f"got {value!r}, expected {self.expected(shown(None))}{nearest(value, self.names)}"
            return None if value in self.names else wrong
        if self.kind == "weights":
            return self._weights(value, shown)
        if self.kind == "list":
            return self._entries(value, shown)
        if isinstance(value, str) and self.kind == "text" and not is_line(value):
            return f"got {shown(value)}, expected one line of text"
        wrong = f"got {shown(value)}, expected {self.expected(shown(None))}"
        if not self._fits(value):
            whole = self.kind == "whole" and isinstance(value, float) and value.is_integer()
            return f"{wrong}; write {int(value)}" if whole and isinstance(value, float) else wrong
        if isinstance(value, numbers.Integral):  # as an int: it may be too large for a float
            most = max(MAX_WHOLE, self.high) if self.kind == "whole" and self.high < math.inf else MAX_WHOLE
            most = sys.float_info.max if self.kind == "number" else most
            if abs(int(value)) > most and self.high == math.inf:
                return f"{wrong}, at most {most:g}"
            return None if self._inside(int(value)) and abs(int(value)) <= most else wrong
        return None if not isinstance(value, numbers.Real) or self._inside(float(value)) else wrong

    def require(self, name: str, value: object) -> None:
        """Refuse a value that is not accepted.

        Raises:
            ValueError: 'name: got …, expected …'.
        """
        if message := self.fault(value):
            raise ValueError(f"{name}: {message}")

    def _fits(self, value: object) -> bool:
        """Whether the type is right: bools are no numbers, and neither is text."""
        if isinstance(value, bool) or self.kind == "flag":
            return isinstance(value, bool) and self.kind == "flag"
        if self.kind == "whole":
            return isinstance(value, numbers.Integral)
        if self.kind == "number":
            return isinstance(value, numbers.Real)
        return isinstance(value, str) and not self.names

    def _inside(self, value: int | float) -> bool:
        if isinstance(value, float) and not math.isfinite(value):
            return self.infinite and value > 0.0
        return (self.low < value if self.above else self.low <= value) and (
            value < self.high if self.above or self.below else value <= self.high
        )

    def _entries(self, value: object, shown: Callable[[object], str]) -> str | None:
        told = f"got {shown(value)}, expected {self.expected(shown(None))}"
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) < self.low:
            return f"{told}, at least {_bound(self.low)} of them"
        rule = self.each or Rule("", "any")
        wrong = [
            f"entry {i + 1} is {shown(v)}{nearest(str(v), rule.names)}"
            for i, v in enumerate(value)
            if rule.fault(v, shown)
        ]
        return "; ".join([told, *wrong]) if wrong else None

    def _weights(self, value: object, shown: Callable[[object], str]) -> str | None:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            return f"got {shown(value)}, expected {_WORDS['weights']}, such as {{boundary: 10}}"
        one = positive("")
        wrong = [f"{name}: {text}" for name, v in value.items() if (text := one.fault(v, shown))]
        return "; ".join(wrong) or None


def _bound(value: float) -> str:
    """A bound as a person writes it: whole numbers in full."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


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


def whole(doc: str, low: float = 0, high: float = math.inf) -> Rule:
    """A whole number from `low` to `high`."""
    return Rule(doc, "whole", low, high)


def real(doc: str, low: float = -math.inf, high: float = math.inf, names: Iterable[str] = ()) -> Rule:
    """A real number from `low` to `high`, or one of those names."""
    return Rule(doc, "number", low, high, names=tuple(names))


def positive(doc: str, names: Iterable[str] = ()) -> Rule:
    """A positive number, or one of those names."""
    return Rule(doc, "number", 0.0, above=True, names=tuple(names))


def squared(doc: str, low: float = 1e-150) -> Rule:
    """A number whose square is a float: a positive one, or from −1e150 on with a `low` of that."""
    return Rule(doc, "number", low, 1e150)


def fraction(doc: str) -> Rule:
    """A number in [0, 1), such as a momentum."""
    return Rule(doc, "number", 0.0, 1.0, below=True)


def share(doc: str) -> Rule:
    """A number in (0, 1), such as a probability."""
    return Rule(doc, "number", 0.0, 1.0, above=True)


def flag(doc: str) -> Rule:
    """True or false."""
    return Rule(doc, "flag")


def one_of(doc: str, names: Iterable[str]) -> Rule:
    """One of those names."""
    return Rule(doc, names=tuple(names))


def several(doc: str, each: Rule, least: int = 1) -> Rule:
    """A list of so many entries or more."""
    return Rule(doc, "list", least, each=each)


def rules_of(function: Callable[..., object]) -> dict[str, Rule]:
    """The rule of every argument: that of its annotation, else that of its type;
    what is neither is the function's to check.

    Args:
        function: or a class, whose constructor is asked.
    """
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return {
        p.name: replace(_rule(p.annotation), required=p.default is p.empty)
        for p in parameters
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    }


def defaults_of(function: Callable[..., object]) -> dict[str, Any]:
    """The default of every argument that has one.

    Args:
        function: or a class, whose constructor is asked.
    """
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _rule(annotation: object) -> Rule:
    """The rule of an annotation: `Annotated[type, rule]`, or that of int, float, bool, str, any of these or None."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        parts = [a for a in typing.get_args(annotation) if a is not type(None)]
        one = _rule(parts[0]) if len(parts) == 1 else Rule("", "any")
        return replace(one, optional=len(parts) < len(typing.get_args(annotation)))
    if typing.get_origin(annotation) is typing.Annotated:
        plain, *notes = typing.get_args(annotation)
        rule = next((note for note in notes if isinstance(note, Rule)), None)
        return _rule(plain) if rule is None else replace(rule, optional=_rule(plain).optional)
    return Rule("", _KINDS.get(annotation, "any"))


def faults_of(rules: Mapping[str, Rule], values: Mapping[str, object]) -> list[str]:
    """'name: got …, expected …' for each value that its rule does not accept; a rule without words is not held to."""
    return [
        f"{name}: {message}"
        for name, value in values.items()
        if name in rules and rules[name].doc and (message := rules[name].fault(value))
    ]


class ArgumentError(ValueError, TypeError):
    """Arguments that a function does not have, or that are missing: an error of both kinds."""


@overload
def checked(function: type[C]) -> type[C]: ...


@overload
def checked(function: Callable[P, T]) -> Callable[P, T]: ...


def checked(function: Any) -> Any:
    """The function, which refuses what its signature does not accept, before it does anything: what breaks the rule of
    an argument, or the type of one that has no rule (see `hints`). Arrays and lists become the tensors it asks for.

    Args:
        function: a function, a generator of states, the constructor of a class, or a class, whose constructor is held.

    Returns:
        A function of the same signature. It raises ValueError with all that is wrong.
    """
    if isinstance(function, type):
        function.__init__ = checked(function.__init__)  # type: ignore[misc]
        return function
    signature = inspect.signature(function)
    accepted: dict[str, _Accepted] = {}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not accepted:  # at the first call: annotations may name what the module defines further down
            accepted.update(_accepted_by(function))
        bound = _arguments(function, signature, accepted, args, kwargs)
        found = {name: accepted[name].fit(value) for name, value in bound.arguments.items()}
        if wrong := {name: message for name, (_, message) in found.items() if message}:
            raise ValueError("; ".join(f"{n}: {m}" for n, m in wrong.items()) + _exchanged(accepted, bound, [*wrong]))
        bound.arguments.update({name: value for name, (value, _) in found.items()})
        return function(*bound.args, **bound.kwargs)

    return call


@dataclass(frozen=True)
class _Accepted:
    """What one parameter of a function accepts: its default, what its rule does, else what is of its type."""

    parameter: inspect.Parameter
    rule: Rule

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        p = self.parameter
        return p.default is p.empty and p.kind is not p.VAR_POSITIONAL

    def fit(self, value: Any) -> Fit:
        kind = self.parameter.kind
        if value is self.parameter.default or kind is self.parameter.VAR_KEYWORD:
            return value, None
        if kind is self.parameter.VAR_POSITIONAL:
            found = [self._one(item) for item in value]
            return tuple(item for item, _ in found), next((message for _, message in found if message), None)
        return self._one(value)

    def _one(self, value: Any) -> Fit:
        if not self.rule.doc:
            return fit(self.parameter.annotation, value)
        if self.rule.kind == "list" and self.rule.each is not None:
            value = fit(Sequence[Any], value)[0]
        message = self.rule.fault(value, shown)
        message = f"{message}; write .item()" if message and getattr(value, "ndim", None) == 0 else message
        if message is None and self.rule.each is None and self.rule.kind in ("any", "list"):
            message = fit(self.parameter.annotation, value)[1]
        return value, message


def _accepted_by(function: Callable[..., object]) -> dict[str, _Accepted]:
    parameters = inspect.signature(function, eval_str=True).parameters
    return {name: _Accepted(p, _rule(p.annotation)) for name, p in parameters.items()}


def _arguments(
    function: Callable[..., object],
    signature: inspect.Signature,
    accepted: Mapping[str, _Accepted],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> inspect.BoundArguments:
    """The arguments by name.

    Raises:
        ArgumentError: one that is not known, missing or given twice.
    """
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        name = function.__qualname__.removesuffix(".__init__")
        known = {n: a for n, a in accepted.items() if n != "self"}
        form = f"{name}({', '.join(n if a.required else f'{n}=…' for n, a in known.items())})"
        unknown = [key for key in kwargs if key not in known]
        if not unknown:
            raise ArgumentError(f"{name}: {error}, expected {form}") from None
        key = unknown[0]
        holder = next((text for n, a in known.items() if (text := _holder(n, a, key, kwargs[key]))), None)
        hint = f"; write {holder}" if holder else nearest(key, known)
        raise ArgumentError(f"{name}: got the argument {key}={shown(kwargs[key])}, expected {form}{hint}") from None


def _exchanged(accepted: Mapping[str, "_Accepted"], bound: inspect.BoundArguments, wrong: Sequence[str]) -> str:
    """'; exchange the two' where two arguments are right in each other's place: functions differ in their order."""
    given = bound.arguments
    right = len(wrong) == 2 and not any(accepted[a].fit(given[b])[1] for a, b in (wrong, wrong[::-1]))
    return f"; exchange the two: {wrong[0]} comes first" if right else ""


def _holder(name: str, accepted: "_Accepted", key: str, value: object) -> str | None:
    """The argument of another name to which an unknown one belongs: run(…, steps=10) is settings=Settings(steps=10)."""
    annotation = accepted.parameter.annotation
    for kind in (annotation, *typing.get_args(annotation)):
        if is_dataclass(kind) and isinstance(kind, type) and key in inspect.signature(kind).parameters:
            return f"{name}={kind.__name__}({key}={shown(value)})"
    if name == "options":
        return f"options={{{key!r}: {shown(value)}}} for an option of the method"
    return None


def check_fields(record: object) -> None:
    """Refuse a dataclass whose fields break the rules in their annotations.

    Raises:
        ValueError: all that is wrong.
    """
    wrong = faults_of(rules_of(type(record)), vars(record))
    if wrong:
        raise ValueError("; ".join(wrong))
