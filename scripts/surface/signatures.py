"""Signatures as a person reads them: types by name, without modules, addresses and what `Annotated` adds."""

import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, Union

_PATH = re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])")
_OPERATORS = (
    "__call__", "__add__", "__radd__", "__sub__", "__rsub__", "__neg__", "__mul__", "__rmul__", "__truediv__",
    "__matmul__", "__len__", "__getitem__", "__iter__", "__contains__", "__str__",
)  # fmt: skip


def type_name(annotation: Any) -> str:
    """Its plain name: `Annotated[float, …]` is float, `torch.Tensor` is Tensor."""
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return _PATH.sub("", annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, list):
        return "[" + ", ".join(type_name(item) for item in annotation) + "]"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin in (types.UnionType, Union):
        return " | ".join(type_name(item) for item in arguments)
    if origin is Literal:
        return f"Literal[{', '.join(repr(item) for item in arguments)}]"
    if origin is not None and arguments:
        return f"{origin.__name__}[{', '.join(type_name(item) for item in arguments)}]"
    if annotation is ...:
        return "..."
    return getattr(annotation, "__name__", None) or _PATH.sub("", str(annotation))


def default_text(value: Any) -> str:
    """A default value: functions and tables by their names."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(str(name) for name in value) + "}"
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    text = repr(value)
    return "…" if text == "<factory>" else _PATH.sub("", text) if not isinstance(value, (str, float)) else text


def signature_text(function: Callable[..., object], bound: bool = False) -> str:
    """'(dim: int, width: int = 3) -> Tensor'.

    Args:
        function: anything that can be called.
        bound: whether its first parameter is `self`.
    """
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError:
        signature = inspect.signature(function)
    parts, kind = [], None
    for parameter in list(signature.parameters.values())[1 if bound else 0 :]:
        if parameter.kind is parameter.KEYWORD_ONLY and kind not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            parts.append("*")
        kind = parameter.kind
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(kind, "")
        named = f"{star}{parameter.name}" + (f": {text}" if (text := type_name(parameter.annotation)) else "")
        parts.append(named if parameter.default is parameter.empty else f"{named} = {default_text(parameter.default)}")
    returned = "" if inspect.isclass(function) else type_name(signature.return_annotation)
    return f"({', '.join(parts)})" + (f" -> {returned}" if returned else "")


def members(cls: type) -> Iterator[tuple[str, str]]:
    """(name, what it is) of every public attribute, property and method that the package itself gives to a class."""
    if issubclass(cls, enum.Enum):
        yield from ((f".{one.name}", f"= {one.value!r}") for one in cls)
        return
    names: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.split(".")[0] != "pinn_ntk":
            continue
        for name, annotation in inspect.get_annotations(base).items():
            names[name] = f": {type_name(annotation)}"
        for name, member in vars(base).items():
            if (text := _member(member)) is not None:
                names[name] = text
    yield from ((f".{name}", text) for name, text in names.items() if not name.startswith("_") or name in _OPERATORS)


def _member(member: object) -> str | None:
    if isinstance(member, property) and member.fget is not None:
        return f": {type_name(inspect.signature(member.fget).return_annotation)} (property)"
    if hasattr(member, "func") and hasattr(member, "attrname"):  # functools.cached_property
        return f": {type_name(inspect.signature(member.func).return_annotation)} (property)"
    if isinstance(member, (classmethod, staticmethod)):
        return f"{signature_text(member.__func__, isinstance(member, classmethod))} ({type(member).__name__})"
    return signature_text(member, bound=True) if inspect.isfunction(member) else None


def public_names() -> Iterator[str]:
    """Every name of `pinn_ntk.__all__` with its kind and signature, and every public member of its classes."""
    import pinn_ntk

    for name in pinn_ntk.__all__:
        thing = getattr(pinn_ntk, name)
        if inspect.isclass(thing):
            shape = "" if issubclass(thing, (enum.Enum, Warning)) else signature_text(thing)
            yield f"name {name}: {'enumeration' if issubclass(thing, enum.Enum) else f'class {shape}'}"
            yield from (
                f"name {name}{member}{text if text[0] in ':(' else f' {text}'}" for member, text in members(thing)
            )
        elif callable(thing):
            yield f"name {name}: function {signature_text(thing)}"
        else:
            yield f"name {name}: table"
            yield from (f"name {name}[{key!r}]" for key in thing)
