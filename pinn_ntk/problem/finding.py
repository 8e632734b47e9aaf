"""What is said against a problem."""

from dataclasses import dataclass

from torch import Tensor

WARNING, ILL_POSED, ERROR = "warning", "ill-posed", "error"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong, with a problem.

    Attributes:
        severity: 'error' when nothing sensible can be computed; 'ill-posed' when no u exists, or none that the data
            determine: training warns of it and shows what a network does, the automatic solver, which answers for an
            error, refuses it; else 'warning'.
        message: what, where, and what to do.
    """

    severity: str
    message: str


def shown(x: Tensor) -> list[float]:
    """A point in six digits behind the comma."""
    return [round(v, 6) + 0.0 for v in x.tolist()]  # read back: words of a finding
