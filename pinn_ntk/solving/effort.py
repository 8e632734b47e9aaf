"""Effort: a solve is planned and ended in operations, so that it is the same on a machine that is busy;
the clock is a hard stop beside it.

A pair of fits of N unknowns to n rows by QR of (n + N) × N takes about 2(2(n + N)N² − ⅔N³) floating-point operations,
its features about 900 for each entry (rows, jets and copies in memory, in units of the QR's operations), and calls as
much as 6·10⁸ would. Two cores of 2026 do 6·10¹⁰ of these a second.
"""

import time
from dataclasses import dataclass, field

RATE = 6e10
"""Operations that an idle two-core machine does in a second."""
NOMINAL = 60.0
"""Seconds of an idle two-core machine that a solve may take by default."""
_FEATURE, _CALL = 900.0, 6e8
_EXTRA = 4.0  # times as much as a neuron costs an extra function, which is one of its kind
_MARGIN = 0.8  # share of `seconds` that is planned for where nothing else is said: the clock seldom ends such a run


def pair_operations(rows: int, width: int, functions: int = 0) -> float:
    """Operations of two fits.

    Args:
        rows: n of one fit.
        width: N.
        functions: extra functions beside the neurons.
    """
    unknowns = width + functions
    factor = 2.0 * (rows + unknowns) * unknowns**2 - 2.0 / 3.0 * unknowns**3
    return 2.0 * (factor + _FEATURE * rows * (unknowns + _EXTRA * functions)) + _CALL * (1.0 + 0.02 * functions)


@dataclass
class Effort:
    """What a solve may spend, and what it has spent.

    Attributes:
        operations: of all of it.
        seconds: a hard stop; None for none.
        spent: operations so far.
        late: whether the clock ended it.
    """

    operations: float
    seconds: float | None = None
    spent: float = 0.0
    late: bool = False
    _begun: float = field(default_factory=time.perf_counter)

    @staticmethod
    def of(operations: float | None, seconds: float | None) -> "Effort":
        """As many operations as were asked for; else what an idle machine does in the seconds, or in a minute."""
        planned = RATE * (NOMINAL if seconds is None else _MARGIN * seconds)
        return Effort(planned if operations is None else operations, seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._begun

    @property
    def left(self) -> float:
        """Operations left."""
        return self.operations - self.spent

    def spend(self, operations: float) -> None:
        """Count them."""
        self.spent += operations

    def predicted_seconds(self, operations: float) -> float:
        """How long they will take at the pace so far."""
        pace = self.spent / self.elapsed if self.spent > RATE else RATE
        return operations / pace

    def allows(self, operations: float) -> bool:
        """Whether the clock allows for that many more."""
        return self.seconds is None or self.elapsed + self.predicted_seconds(operations) <= self.seconds

    def in_time(self, operations: float) -> bool:
        """Whether the clock allows for that many more; once it does not, the solve is late."""
        self.late = self.late or not self.allows(operations)
        return not self.late
