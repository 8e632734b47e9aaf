"""What ends a command: an exit code, and a line or two on stderr; a traceback goes to a log."""

import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pinn_ntk import parallel
from pinn_ntk.app.faults import BadInputError, Exit
from pinn_ntk.kernels.memory import MemoryShortageError, is_out_of_memory


def guarded(work: Callable[[], int], log: Path | None = None, heard: Callable[[str], None] | None = None) -> int:
    """The work's exit code, or that of the exception that ended it, told in a line or two on stderr.

    Args:
        work: what to do.
        log: where a traceback goes; a temporary file when there is none yet.
        heard: is told, too.
    """
    try:
        return work()
    except BaseException as error:
        if not isinstance(error, (Exception, KeyboardInterrupt)):
            raise
        code, text = _said_of(error)
        if code == Exit.BUG:
            log = log or Path(tempfile.mkstemp(prefix="pinn_ntk_", suffix=".log")[1])
            text = f"{text}; please report it with {log}"
        if parallel.first() or code != Exit.BAD_INPUT:  # bad input once for all processes
            tell(text)
        if log is not None:
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{text}\n{traceback.format_exc()}")
        if heard is not None:
            heard(text)
        return code


def _said_of(error: Exception | KeyboardInterrupt) -> tuple[Exit, str]:
    """The exit code of an exception, and what it says to a person."""
    match error:
        case BadInputError():
            return Exit.BAD_INPUT, str(error)
        case MemoryShortageError():
            # predicted before anything was allocated, it is the input that is too large; after back-off, the machine is
            # too small
            return Exit.RESOURCES if error.__cause__ else Exit.BAD_INPUT, str(error)
        case ArithmeticError():
            return Exit.NUMERICAL, f"numerical stop before training: {error}"
        case ValueError():
            return Exit.BAD_INPUT, str(error)
        case parallel.RankError():
            return Exit.RESOURCES, str(error)
        case OSError():
            return Exit.RESOURCES, f"{error}; nothing that was there before was changed"
        case KeyboardInterrupt():
            return Exit.INTERRUPTED, "interrupted; there is no report"
    if is_out_of_memory(error):
        return Exit.RESOURCES, f"out of memory: {error}; use fewer points or a narrower network"
    return Exit.BUG, f"a bug in pinn_ntk: {type(error).__name__}: {error}"


def tell(text: str) -> None:
    """A text on stderr; a reader who has gone is no error."""
    with suppress(BrokenPipeError):
        print(f"pinn-ntk: {text}", file=sys.stderr, flush=True)
