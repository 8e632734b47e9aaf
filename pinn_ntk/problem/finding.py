"""What is said against a problem."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

NOTE, WARNING, ILL_POSED, ERROR = "note", "warning", "ill-posed", "error"

_CALLER = 4  # frames from a warning to the line of a person that posed or solved, through `checked`


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, looks wrong, or should be known of a problem.

    Attributes:
        severity: 'error' when nothing sensible can be computed; 'ill-posed' when no u exists, or none that the data
            determine: training warns of it and shows what a network does, the automatic solver, which answers for an
            error, refuses it; 'warning' when something looks wrong, and 'note' when it may well be meant: it is said,
            also under `strict`, and refused nowhere.
        message: what, where, and what to do.
    """

    severity: str
    message: str


class ProblemWarning(UserWarning):
    """What `pose` and `solve` say of a problem in Python, as the command says it on the terminal."""


def tell(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Say what is no error by Python's `warnings`, and return it."""
    said = tuple(dict.fromkeys(f.message for f in findings if f.severity != ERROR))
    for message in said:
        warnings.warn(message, ProblemWarning, stacklevel=_CALLER)
    return said


def shown(x: Tensor) -> list[float]:
    """A point in six digits behind the comma."""
    return [round(v, 6) + 0.0 for v in x.tolist()]  # read back: words of a finding
