"""Docstrings are read as the plain text that they are: |e|², a*b and names_ in equations are no markup."""

import re
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

from sphinx.application import Sphinx
from sphinx.util import inspect

_CODE = re.compile(r"`([^`]+)`")


def _plain(line: str) -> str:
    """A line for reStructuredText that reads as it was written, `names` as code."""
    parts = _CODE.split(line)
    for i, part in enumerate(parts):
        plain = part.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*")
        parts[i] = f"``{part}``" if i % 2 else re.sub(r"(\w)_(?=\W|$)", r"\1\\_", plain)
    return re.sub(r"(?<=: )(\w)\.$", r"\1\\.", "".join(parts))  # 'step: k.' begins no list


def _process(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Every line but those of examples; of a property, a colon makes no type."""
    example = False
    for i, line in enumerate(lines):
        example = (example and bool(line.strip())) or line.lstrip().startswith(">>>")
        if not example:
            lines[i] = _plain(line).replace(": ", "\\: ") if what == "property" else _plain(line)


def _type(annotation: Any) -> Any:
    """The type without the rule in its annotation, which the page of the configuration tells."""
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if isinstance(annotation, UnionType):
        return reduce(or_, (_type(part) for part in get_args(annotation)))
    return annotation


def _signature(app: Sphinx, what: str, name: str, obj: Any, *about: Any) -> tuple[str, str | None] | None:  # noqa: ARG001
    """The signature with plain types, about being the options, the signature and what is returned."""
    _, signature, returns = about
    if signature is None or what not in ("class", "function", "method"):
        return None
    found = inspect.signature(obj.__init__ if what == "class" else obj, bound_method=what == "class")
    plain = [p.replace(annotation=_type(p.annotation)) for p in found.parameters.values()]
    if all(p.annotation is q.annotation for p, q in zip(plain, found.parameters.values(), strict=True)):
        return None
    found = found.replace(parameters=plain)
    return inspect.stringify_signature(found, show_return_annotation=False, unqualified_typehints=True), returns


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
