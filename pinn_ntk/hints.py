"""What a type alone says of a value: `float` is a finite number, `Tensor` finite real numbers, `Problem` a problem.

`rules.checked` holds every argument without a rule of its own to the type in its signature, so that a wrong one is told
before any compute. Arrays and lists of numbers become the tensors that a signature asks for.

Examples:
    >>> from pinn_ntk.hints import fit
    >>> from torch import Tensor
    >>> fit(Tensor, [[0.5], [1]])
    (tensor([[0.5000],
            [1.0000]], dtype=torch.float64), None)
    >>> fit(int | None, "3")[1]
    "got '3', expected a whole number or None"
"""

import inspect
import numbers
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Fit = tuple[Any, str | None]
"""The value as it is used, and what is wrong with it, None if nothing is."""
_LONGEST = 120  # characters of a value in a message
_LARGEST = sys.float_info.max
_MOST = 2**63 - 1  # what numpy and torch count to
_LISTS = (Sequence, list, tuple)
_MADE = {
    "Domain": "a domain in space, such as box(0, 1)",
    "Given": "a condition such as dirichlet(0), neumann(0), periodic('x')",
    "Problem": "a Problem, such as pose(…) or Problem([Block(…), …]) makes",
}
"""Types by name whose things are made by functions."""
_NUMBERS = (int, float, str, bool, object, Any)
_WORDS: dict[object, str] = {
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    str: "text",
    None: "None",
    type(None): "None",
    Tensor: "finite real numbers as a tensor, an array or lists",
    object: "anything",
}


def shown(value: object) -> str:
    """A value in a message: tensors and arrays by type and shape, the rest as Python writes it, not at length."""
    if isinstance(value, (Tensor, np.ndarray)):
        kind = "nn.Parameter" if isinstance(value, nn.Parameter) else "tensor" if isinstance(value, Tensor) else "array"
        return f"{_article(str(value.dtype).removeprefix('torch.'))} {kind} of shape {tuple(value.shape)}"
    try:
        text = repr(value)
    except Exception:  # of a stranger's class
        text = object.__repr__(value)
    if len(text) <= _LONGEST and "\n" not in text:
        return text
    plain = isinstance(value, (str, bytes, int, list, tuple, dict, set))
    return f"{text[:_LONGEST]}…" if plain else _article(type(value).__name__)


def fit(annotation: Any, value: Any) -> Fit:
    """The value as that type, and what is wrong with it.

    Args:
        annotation: a type, a union of types, a sequence, mapping, function or protocol.
        value: any object.
    """
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return fit(inner[0], value)
    if isinstance(annotation, types.UnionType) or origin is typing.Union:
        return _one_of(inner, value)
    if origin is typing.Literal:
        return value, None if any(value is one or (type(value) is type(one) and value == one) for one in inner) else (
            f"got {shown(value)}, expected one of {', '.join(map(repr, inner))}"
        )
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(inner, value)
    if origin in (Callable, type) or annotation is Callable:
        return _plainly(callable(value), annotation, value)
    if origin is not None and issubclass(origin, Iterable):
        return _sequence(annotation, origin, inner, value)
    if annotation is Tensor:
        return tensor(value)
    return _plainly(_is(annotation, value), annotation, value)


def points(what: str, value: Any, dim: int) -> Tensor:
    """Points (n, d) as a tensor, those of arrays and lists in float64; a derivative may be taken at them.

    Raises:
        ValueError: no real numbers, or another shape.
    """
    found: Tensor
    found, wrong = tensor(value, plain=False)
    if wrong is None and (found.ndim != 2 or found.shape[1] != dim):
        hint = "; write one point as [[…]]" if found.ndim == 1 else ""
        wrong = f"got shape {tuple(found.shape)}, expected (n, {dim}){hint}"
    if wrong:
        raise ValueError(f"{what}: {wrong}")
    return found


def tensor(value: Any, plain: bool = True) -> Fit:
    """Real numbers as a float32 or float64 tensor; of an array or lists float64 on the CPU.

    Args:
        value: any object.
        plain: whether they have to be finite, and free of parameters.
    """
    expected = f"expected {_WORDS[Tensor]}"
    if not isinstance(value, (Tensor, np.ndarray, list, tuple, numbers.Real)):
        return value, f"got {shown(value)}, {expected}"
    if isinstance(value, (list, tuple)) and any(map(followed, leaves(value))):
        return value, _FOLLOWED
    try:
        found = value if isinstance(value, Tensor) else _of_array(np.array(value, order="C"))
    except (TypeError, ValueError, RuntimeError):
        return value, f"got {shown(value)}, {expected} of one shape"
    if found.layout != torch.strided or found.is_quantized or found.device.type == "meta":
        return value, f"got a tensor without its numbers at hand ({found.layout}), {expected}; write .to_dense()"
    if plain and found.requires_grad:
        return value, _FOLLOWED.replace("got a", f"got {shown(found)}, a", 1)
    if found.dtype in (torch.float16, torch.bfloat16):
        return value, f"got {shown(found)}, expected float32 or float64; write .double()"
    if found.is_complex() or found.dtype == torch.bool:
        return value, f"got {shown(found)}, {expected}"
    real = found if found.dtype in (torch.float32, torch.float64) else found.to(torch.float64)
    if plain and not bool(
        (finite := torch.isfinite(real)).all()
    ):  # read back: whether an argument can be used, asked once
        at = np.unravel_index(int((~finite).flatten().int().argmax()), tuple(real.shape))  # read back: the same
        where = f" at [{', '.join(map(str, at))}]" if at else ""
        return value, f"got {float(real[at])}{where}, expected finite numbers"  # read back: for the message
    return real if isinstance(value, Tensor) else real.to(torch.float64), None


_FOLLOWED = (
    "got a tensor with requires_grad, expected plain numbers: only the network is trained, the parameter would stay as "
    "it is; write .detach()"
)


def _of_array(array: np.ndarray[Any, Any]) -> Tensor:
    """Its numbers in float64 on the CPU; other arrays are no numbers."""
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{array.dtype} is no real number")
    return torch.as_tensor(array.astype(np.float64), dtype=torch.float64, device="cpu")


def followed(value: object) -> str | None:
    """What is wrong with numbers that hang on a parameter, which no method here would train."""
    return _FOLLOWED if isinstance(value, Tensor) and value.requires_grad else None


def leaves(value: Any) -> list[Any]:
    """What nested lists hold."""
    return [leaf for v in value for leaf in leaves(v)] if isinstance(value, (list, tuple)) else [value]


def _plainly(right: bool, annotation: Any, value: Any) -> Fit:
    if right:
        return value, None
    numeric = annotation in (int, float) and isinstance(value, (Tensor, np.ndarray)) and value.ndim == 0
    return value, f"got {shown(value)}, expected {words(annotation)}{'; write .item()' if numeric else ''}"


def _is(annotation: Any, value: Any) -> bool:
    """Whether a value is of a plain type: bools are no numbers, NaN and infinity are none either."""
    if annotation in (None, type(None)):
        return value is None
    if annotation is bool:
        return isinstance(value, bool)
    if annotation is int:
        whole = isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))
        return whole and abs(int(value)) <= _MOST
    if annotation is float:
        real = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
        return real and abs(value) <= _LARGEST  # compared, not converted: a whole number may be too large for a float
    if not isinstance(annotation, type) or annotation in (object, Any, inspect.Parameter.empty):
        return True  # Any, type variables, no annotation
    if getattr(annotation, "_is_protocol", False):
        return all(_has(value, name) for name in _members(annotation))
    return isinstance(value, annotation)


def _has(value: object, name: str) -> bool:
    """Whether there is such an attribute; properties are not evaluated."""
    missing = inspect.getattr_static(value, name, inspect.Parameter.empty) is inspect.Parameter.empty
    return not missing or (isinstance(value, nn.Module) and hasattr(value, name))


def _members(protocol: type) -> list[str]:
    own = [base for base in protocol.__mro__ if getattr(base, "_is_protocol", False) and base is not typing.Protocol]
    named = {name for base in own for name in (*vars(base), *inspect.get_annotations(base))}
    return [name for name in named if not name.startswith("_") or name == "__call__"]


def _one_of(kinds: Sequence[Any], value: Any) -> Fit:
    """The first kind that has the value as it is, else the first that it can become."""
    if isinstance(value, (Tensor, np.ndarray)) and Tensor in kinds:
        return tensor(value)
    found = [fit(kind, value) for kind in kinds]
    right = [(made, wrong) for made, wrong in found if wrong is None]
    if right:
        return next((one for one in right if one[0] is value), right[0])
    if isinstance(value, (list, tuple)):
        listed = [
            one for kind, one in zip(kinds, found, strict=True) if kind is Tensor or typing.get_origin(kind) in _LISTS
        ]
        if listed:
            return listed[0]
    if type(value) in (int, float) and float in kinds:
        return fit(float, value)
    return value, f"got {shown(value)}, expected {_either(kinds)}"


def _mapping(inner: Sequence[Any], value: Any) -> Fit:
    if not isinstance(value, Mapping):
        return value, f"got {shown(value)}, expected a mapping"
    wrong = [
        f"{shown(k)}: {text}" for k, v in value.items() for text in (fit(inner[0], k)[1], fit(inner[1], v)[1]) if text
    ]
    return value, "; ".join(wrong) or None


def _sequence(annotation: Any, origin: type, inner: Sequence[Any], value: Any) -> Fit:
    """Lists and tuples, and arrays of numbers as lists, each entry of its type."""
    listed = isinstance(value, np.ndarray) or _plain_tensor(value)
    given = (
        value.tolist() if listed and not (inner and isinstance(inner[0], type) and inner[0] not in _NUMBERS) else value
    )
    wanted = Sequence if issubclass(origin, Sequence) else origin
    if isinstance(given, (str, bytes)) or not isinstance(given, wanted):
        return value, f"got {shown(value)}, expected {words(annotation)}"
    if isinstance(given, (list, tuple)) and (wrong := next(filter(None, map(followed, leaves(given))), None)):
        return value, wrong
    if not isinstance(given, Sequence):
        return value, None  # an iterator is not to be used up
    fixed = issubclass(origin, tuple) and not (len(inner) == 2 and inner[1] is Ellipsis)
    if fixed and len(given) != len(inner):
        return value, f"got {shown(value)}, expected {len(inner)} entries"
    kinds = inner if fixed else [inner[0]] * len(given)
    made = [fit(kind, one) for kind, one in zip(kinds, given, strict=True)]
    if faults := [f"entry {i}: {text}" for i, (_, text) in enumerate(made, 1) if text]:
        return value, faults[0]
    entries = [one for one, _ in made]
    if issubclass(origin, tuple):
        same = isinstance(value, tuple) and all(a is b for a, b in zip(entries, value, strict=True))
        return value if same else tuple(entries), None
    return value if given is value and all(a is b for a, b in zip(entries, given, strict=True)) else entries, None


def _plain_tensor(value: Any) -> bool:
    """Whether a tensor can be read as a list."""
    at_hand = isinstance(value, Tensor) and value.layout == torch.strided and value.device.type != "meta"
    return at_hand and value.ndim > 0 and not value.requires_grad


def words(annotation: Any) -> str:
    """A type in words."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return words(inner[0])
    if isinstance(annotation, types.UnionType) or origin is typing.Union:
        return _either(inner)
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin in (Callable, type) or annotation is Callable:
        return "a function"
    if origin is not None and issubclass(origin, Mapping):
        return "a mapping"
    if origin is not None and issubclass(origin, Iterable):
        return f"a list, each entry {words(inner[0])}" if inner and inner[0] not in (Any, Ellipsis) else "a list"
    if annotation in _WORDS:
        return _WORDS[annotation]
    name = getattr(annotation, "__name__", str(annotation))
    return _MADE.get(name) or _article(name)


def _either(kinds: Sequence[Any]) -> str:
    return " or ".join(dict.fromkeys(words(kind) for kind in kinds if kind is not int or float not in kinds))


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOUaeiou' and not name.startswith('uint') else 'a'} {name}"
