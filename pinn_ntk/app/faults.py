"""Bad input, collected: what, got, expected, remedy; and the codes that the command exits with."""

import math
from dataclasses import dataclass
from enum import IntEnum

_SHOWN, _LONGEST = (
    40,
    2000,
)  # faults that are told, and characters of one: a file of noise is not repeated to the person


class Exit(IntEnum):
    """What the command says to the shell."""

    DONE = 0
    BUG = 1
    BAD_INPUT = 2
    NUMERICAL = 3
    RESOURCES = 4
    CHECKPOINTED = 75  # interrupted, with a checkpoint written
    INTERRUPTED = 130


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the input.

    Attributes:
        key: the full key, a file with its line, or '' for the input as a whole.
        message: what was got, what is expected, and the remedy.
    """

    key: str
    message: str

    def __str__(self) -> str:
        text = f"{self.key}: {self.message}" if self.key else self.message
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class BadInputError(Exception):
    """Everything that is wrong with the input, at once.

    Args:
        faults: at least one.
    """

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.faults = faults

    def __str__(self) -> str:
        head = "1 problem" if len(self.faults) == 1 else f"{len(self.faults)} problems"
        more = [f"and {len(self.faults) - _SHOWN} more"] if len(self.faults) > _SHOWN else []
        lines = ["  " + str(f).replace("\n", "\n  ") for f in (*self.faults[:_SHOWN], *more)]
        return "\n".join([f"{head} with the input:", *lines])


def shown(value: object) -> str:
    """A value as YAML would show it, and not too long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
