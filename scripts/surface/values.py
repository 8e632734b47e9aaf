"""Bad values, and how what is said to each of them becomes few lines: values that are answered alike share one."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

BAD: tuple[Any, ...] = ("text", "two\nlines", math.nan, math.inf, -1, 0, 1.5, 2**70, True, None, [], {"a": 1})
"""Wrong type, not finite, out of range on both sides, unknown name, null, two lines, list, mapping: for every key."""
ACCEPTED = "accepted"
MISSING = "(missing)"
_TOO_LARGE = 2**70
_MACHINE = (
    (re.compile(r"[\d.e+]+ GiB are available"), "# GiB are available"),
    (re.compile(r"0x[0-9a-f]+"), "0x#"),
    (re.compile(r" \(\[Errno .*\)(?=;)"), ""),
    (re.compile(r"(?<![\w.])(/[\w.+-]+)+/(?=[\w.])"), "/…/"),
    (re.compile(r"\(choose from ([^)]*)\)"), lambda m: f"(choose from {m[1].replace(chr(39), '')})"),
)


def plain(value: Any) -> str:
    """A value as YAML writes it in one line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {plain(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(plain(item) for item in value) + "]"
    if isinstance(value, int) and value == _TOO_LARGE:
        return "2^70"
    return repr(value)


def written(text: object) -> str:
    """A message on one line, without what depends on the machine."""
    line = "; ".join(part.strip() for part in str(text).splitlines() if part.strip(" ^"))
    for pattern, replacement in _MACHINE:
        line = pattern.sub(replacement, line)
    return line


def without_value(message: str, value: Any, shown: Callable[[Any], str]) -> str:
    """The message with "got …" where it repeats the value as it should be shown, so that messages can be compared."""
    return re.sub(rf"got {re.escape(shown(value))}(?![\w.])", "got …", message)


def yaml_form(value: Any) -> str:
    """How the command shows a value: null, true and false as in YAML, the rest as Python does."""
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else repr(value)
    )


def alike(answers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Message → the values that it answers, both in their order."""
    groups: dict[str, list[str]] = {}
    for value, message in answers:
        groups.setdefault(message, []).append(value)
    return groups


def of_options(chosen: Iterable[str], group: str, every: Iterable[str]) -> str:
    """'optimizer=adam, sgd', 'every optimizer', or 'every optimizer but auto': whichever is shortest to say."""
    some, others = sorted(chosen), sorted(set(every) - set(chosen))
    if not others:
        return f"every {group}"
    if len(others) < len(some):
        return f"every {group} but {', '.join(others)}"
    return f"{group}={', '.join(some)}"
