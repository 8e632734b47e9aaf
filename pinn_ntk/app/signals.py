"""Ctrl-C: the first one ends training after the step at hand and keeps everything; the second one ends the process."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pinn_ntk.app.faults import Exit


class Interrupt:
    """What was asked for by Ctrl-C so far."""

    def __init__(self) -> None:
        self.training = False
        self.asked = False

    def at_step(self) -> None:
        """Called between steps.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed since training began.
        """
        self.training = True
        if self.asked:
            raise KeyboardInterrupt

    def handle(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        """SIGINT.

        Raises:
            KeyboardInterrupt: before training, when there is nothing to keep.
            SystemExit: the second time.
        """
        if self.asked:
            raise SystemExit(Exit.INTERRUPTED)
        self.asked = True
        if not self.training:
            raise KeyboardInterrupt
        print("\ninterrupted: finishing what is at hand and writing the report; Ctrl-C again ends at once", file=sys.stderr)


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """A function to call between steps, and SIGINT handled as said above (in the main thread, where Python allows it)."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt.at_step
        return
    before = signal.signal(signal.SIGINT, interrupt.handle)
    try:
        yield interrupt.at_step
    finally:
        signal.signal(signal.SIGINT, before)
