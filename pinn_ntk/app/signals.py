"""Ctrl-C, SIGTERM, SIGUSR1: the first ends training after the step at hand and keeps everything;
a second Ctrl-C ends the process.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pinn_ntk import parallel
from pinn_ntk.app.faults import Exit

_HEEDED = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
_TWICE = 1.0  # seconds: a terminal sends Ctrl-C to every process, and a launcher passes it on once more


class Interrupt:
    """What was asked for by Ctrl-C so far.

    Args:
        stride: steps after which the processes of one run, which must end at the same one, ask one another.
    """

    def __init__(self, stride: int = 1) -> None:
        self.training = False
        self.asked = 0.0
        self.stride, self.steps = stride, 0

    def at_step(self) -> None:
        """Called between steps.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed since training began.
        """
        self.training, self.steps = True, self.steps + 1
        if parallel.size() == 1 and self.asked:
            raise KeyboardInterrupt
        if parallel.size() > 1 and self.steps % self.stride == 0 and parallel.any_rank(self.asked > 0.0):
            raise KeyboardInterrupt

    def handle(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        """SIGINT, or what a scheduler sends before it takes the machine away.

        Raises:
            KeyboardInterrupt: before training, when there is nothing to keep.
            SystemExit: the second time.
        """
        if self.asked and parallel.started() > 1 and time.monotonic() - self.asked < _TWICE:
            return
        if self.asked and signum != signal.SIGINT:
            return
        if self.asked:
            raise SystemExit(Exit.INTERRUPTED)
        self.asked = time.monotonic()
        if not self.training:
            raise KeyboardInterrupt
        if parallel.first():
            print(
                "\ninterrupted: finishing what is at hand, writing a checkpoint and the report; Ctrl-C again "
                "ends at once",
                file=sys.stderr,
            )


@contextmanager
def interruptible(stride: int = 1) -> Iterator[Callable[[], None]]:
    """A function to call between steps, and signals handled as said above (in the main thread, where Python allows it).

    Args:
        stride: steps after which several processes ask one another.
    """
    interrupt = Interrupt(stride)
    if threading.current_thread() is not threading.main_thread():
        yield interrupt.at_step
        return
    before = {number: signal.signal(number, interrupt.handle) for number in _HEEDED}
    try:
        yield interrupt.at_step
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
