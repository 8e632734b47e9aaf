"""One row of the table of convergence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One row of the table of convergence.

    Attributes:
        width: N.
        points: n.
        error: estimated, relative L².
        order: p of N^(−p) since the row before; None in the first.
        recipe: of the neurons, in words.
        seconds: of the two fits.
    """

    width: int
    points: int
    error: float
    order: float | None
    recipe: str
    seconds: float
