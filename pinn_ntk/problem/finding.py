"""What is said against a problem."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, looks wrong, or should be known of a problem.

    Attributes:
        severity: 'error' when nothing sensible can be computed, 'warning' when it looks wrong, and 'note' when it may
            well be meant: it is said, also under `strict`, and refused nowhere.
        message: what, where, and what to do.
    """

    severity: str
    message: str


def shown(x: Tensor) -> list[float]:
    """A point in six digits behind the comma."""
    return [round(v, 6) for v in x.tolist()]  # read back: words of a finding
