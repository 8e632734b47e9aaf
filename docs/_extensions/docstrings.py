"""Docstrings are read as the plain text that they are: |e|², a*b and names_ in equations are no markup."""

import re
from typing import Any

from sphinx.application import Sphinx

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


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
