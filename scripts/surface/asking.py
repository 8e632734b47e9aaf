"""Every bad value of every key, in few questions: all keys at once, then those that nothing was said about."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from values import ACCEPTED, BAD, MISSING, alike, plain, without_value, written, yaml_form

Say = Callable[[Any], list[tuple[str, str]]]
"""What is said against a whole, as (key, message); nothing where it is accepted."""
Answers = dict[str, list[tuple[str, str]]]
"""Key → (value, what is said to it)."""
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def answers_of(
    whole: Mapping[str, Any],
    keys: Iterable[str],
    say: Say,
    alone: Callable[[str], bool],
    bad: Sequence[Any] = BAD,
    shown: Callable[[Any], str] = yaml_form,
    may_fail: bool = False,
) -> Answers:
    """What is said to every bad value of each key, and to the whole without it.

    Args:
        whole: nested mappings and lists, nothing wrong with them.
        keys: such as optimizer.steps or conditions[0].value.
        say: what is said against such a whole.
        alone: whether a key has to be changed alone, since it decides what is asked of others.
        bad: the values.
        shown: how a message shows a value.
        may_fail: whether something is wrong with the whole as it is, such as a file that is not there.
    """
    if not may_fail and (objected := say(whole)):
        raise SystemExit(f"surface: {dict(whole)} is to have nothing wrong with it, but: {objected}")
    names = list(keys)
    parents = {key for key in names if any(other != key and concerns(key, other) for other in names)}
    singles = [key for key in names if key in parents or alone(key)]
    together = [key for key in reversed(names) if key not in singles]  # entries of a list go from its end
    answers: Answers = {key: [] for key in names}
    for value in (*bad, MISSING):
        said = _to_all(whole, together, value, say) | {
            k: about(k, say(with_values(whole, [k], value))) for k in singles
        }
        for key in names:
            answers[key].append((value if value is MISSING else plain(value), without_value(said[key], value, shown)))
    return answers


def _to_all(whole: Any, keys: list[str], value: Any, say: Say) -> dict[str, str]:
    answers: dict[str, str] = {}
    while rest := [key for key in keys if key not in answers]:
        said = say(with_values(whole, rest, value))
        named = {key: about(key, said) for key in rest if any(concerns(key, name) for name, _ in said)}
        one_by_one = (
            {} if named or not said else {key: about(key, say(with_values(whole, [key], value))) for key in rest}
        )
        answers |= named or one_by_one or dict.fromkeys(rest, ACCEPTED)
    return answers


def concerns(key: str, name: str) -> bool:
    return name == key or name.startswith((f"{key}.", f"{key}["))


def about(key: str, said: list[tuple[str, str]]) -> str:
    """The messages under that key, else all with their keys; 'accepted' where there are none."""
    own = [message if name == key else f"[{name}] {message}" for name, message in said if concerns(key, name)]
    return written("; ".join(own or [f"[{name}] {message}" if name else message for name, message in said])) or ACCEPTED


def merged(answered: Iterable[tuple[str, Answers]]) -> Iterator[tuple[str, str, str, list[str]]]:
    """(key, values, message, where): the same answers to the same values of a key in several places are one."""
    said: dict[tuple[str, str, str], list[str]] = {}
    for where, answers in answered:
        for key, own in answers.items():
            for message, bad in alike(own).items():
                said.setdefault((key, " | ".join(bad), message), []).append(where)
    yield from ((key, bad, message, places) for (key, bad, message), places in said.items())


def with_values(whole: Any, keys: Iterable[str], value: Any) -> Any:
    """The whole with one value under several keys, or without these keys for MISSING; the given one stays as it is."""
    for key in keys:
        whole = _with(whole, [name or int(place) for name, place in _PART.findall(key)], value)
    return whole


def _with(node: Any, path: Sequence[str | int], value: Any) -> Any:
    first, *rest = path
    if isinstance(first, int):
        inner = [_with(item, rest, value) if rest else value for item in node[first : first + 1]]
        return [*node[:first], *([] if value is MISSING and not rest else inner), *node[first + 1 :]]
    mapping = node if isinstance(node, Mapping) else {}
    if rest:
        return {**mapping, first: _with(mapping.get(first), rest, value)}
    return {name: item for name, item in mapping.items() if name != first} | (
        {} if value is MISSING else {first: value}
    )


def leaves(node: Any, path: str = "") -> Iterator[str]:
    """The keys of all nodes below: mappings, lists and the first of what is in these."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node[:1]) if isinstance(node, list) else ()
    for name, item in items:
        key = f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}" if path else str(name)
        yield key
        yield from leaves(item, key)
