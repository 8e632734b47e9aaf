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


def guarded(work: Callable[[], int], log: Path | None = None) -> int:
    """The work's exit code, or that of the exception that ended it, told in a line or two on stderr.

    Args:
        work: what to do.
        log: where a traceback goes; a temporary file when there is none yet.
    """
    try:
        return work()
    except BadInputError as error:
        return _told(Exit.BAD_INPUT, str(error), log)
    except MemoryShortageError as error:
        # predicted before anything was allocated, it is the input that is too large; after back-off, the machine is too small
        return _told(Exit.RESOURCES if error.__cause__ else Exit.BAD_INPUT, str(error), log)
    except ArithmeticError as error:
        return _told(Exit.NUMERICAL, f"numerical stop before training: {error}", log)
    except ValueError as error:
        return _told(Exit.BAD_INPUT, str(error), log)
    except parallel.RankError as error:
        return _told(Exit.RESOURCES, str(error), log)
    except OSError as error:
        return _told(Exit.RESOURCES, f"{error}; nothing that was there before was changed", log)
    except KeyboardInterrupt:
        return _told(Exit.INTERRUPTED, "interrupted; there is no report", log)
    except Exception as error:
        if is_out_of_memory(error):
            return _told(Exit.RESOURCES, f"out of memory: {error}; use fewer points or a narrower network", log)
        path = log or Path(tempfile.mkstemp(prefix="pinn_ntk_", suffix=".log")[1])
        return _told(Exit.BUG, f"a bug in pinn_ntk: {type(error).__name__}: {error}; please report it with {path}", path)


def _told(code: Exit, text: str, log: Path | None) -> int:
    """Say it on stderr, bad input once for all processes; the traceback goes to the log only."""
    if parallel.first() or code != Exit.BAD_INPUT:
        tell(text)
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n{traceback.format_exc()}")
    return code


def tell(text: str) -> None:
    """A text on stderr; a reader who has gone is no error."""
    with suppress(BrokenPipeError):
        print(f"pinn-ntk: {text}", file=sys.stderr, flush=True)
