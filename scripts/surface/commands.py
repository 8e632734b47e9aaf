"""The commands: help, flags, what they say to words that they cannot use, and the code that each error ends with."""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from values import written

from pinn_ntk import parallel
from pinn_ntk.app import BadInputError, Exit, Fault, compare, evaluate, guarded
from pinn_ntk.app import main as run
from pinn_ntk.kernels import MemoryShortageError

Main = Callable[[Sequence[str]], int]
MAINS: dict[str, Main] = {"pinn-ntk": run, "pinn-ntk-eval": evaluate, "pinn-ntk-compare": compare}
WORDS = {
    "pinn-ntk-eval": (
        [], ["--zzz"], ["nowhere"], ["nowhere", "p.csv"], ["nowhere", "p.csv", "--grid", "3"],
        ["nowhere", "--grid", "x"], ["nowhere", "--grid", "3", "--out", "x.zzz"],
        ["nowhere", "--grid", "3", "--out", "nowhere/x.csv"], ["nowhere", "--grid", "3"],
        ["nowhere", "--grid", "3", "--plugin", "nowhere.py"],
    ),
    "pinn-ntk-compare": (
        [], ["--zzz"], ["nowhere"], ["nowhere", "elsewhere"], ["nowhere", "elsewhere", "--require", "zzz"],
    ),
    "pinn-ntk": (["seed=x"], ["resume=nowhere"], ["-m", "name=a b"], ["--cfg", "job", "--package", "zzz"]),
}  # fmt: skip
ERRORS: tuple[BaseException, ...] = (
    BadInputError(Fault("key", "message")), BadInputError(Fault("a", "one"), Fault("", "two")), ValueError("text"),
    MemoryShortageError("text"), ZeroDivisionError("text"), parallel.RankError("text"),
    OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError("text"), RuntimeError("text"),
    TypeError("text"),
)  # fmt: skip


class _Parsed(BaseException):
    """What a parser was asked for: no command goes on after it."""


def commands() -> Iterator[str]:
    """Lines `help`, `flag`, `words` and `exit`."""
    yield from (f"exit {code.name}: {code.value}" for code in Exit)
    with tempfile.TemporaryDirectory() as empty:
        for error in ERRORS:
            code, text = _outcome(lambda error=error: guarded(_raiser(error), Path(empty) / "run.log"))  # type: ignore[misc]
            yield f"exit on {type(error).__name__} ({written(error)}): {code}, {text}"
    for name, main in MAINS.items():
        yield from (f"help {name}: {line}" for line in _joined(_said(lambda main=main: main(["--help"]))[1]))  # type: ignore[misc]
        yield from (f"flag {name} {text}" for text in _flags(main))
        with tempfile.TemporaryDirectory() as parent, chdir(_made(Path(parent) / "here")):
            for words in WORDS[name]:
                code, text = _outcome(lambda main=main, words=words: main(words))  # type: ignore[misc]
                said = text.split(";")[0] if not words else text
                yield f"words {name} {' '.join(words) or '(none)'}: exit {code}, {said}"


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _raiser(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


def _outcome(call: Callable[[], int]) -> tuple[int, str]:
    """The exit code, and what was said on both streams in one line."""
    code, text = _said(call)
    return code, written(text)


def _said(call: Callable[[], int]) -> tuple[int, str]:
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told):
        code = int(call())
    return code, told.getvalue()


def _joined(text: str) -> Iterator[str]:
    """The lines of a help text, an entry with the lines that go on with it being one."""
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith("    ") and entries:
            entries[-1] += f" {line.strip()}"
        elif line.strip():
            entries.append(line.strip())
    yield from (" ".join(entry.split()) for entry in entries)


def _flags(main: Main) -> Iterator[str]:
    """The words and flags that argparse knows for a command."""

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        raise _Parsed(parser._actions)

    with (
        patch.object(argparse.ArgumentParser, "parse_args", stop),
        patch.object(argparse.ArgumentParser, "parse_intermixed_args", stop),
    ):
        try:
            main(["x"])
        except _Parsed as parsed:
            for action in parsed.args[0]:
                names = ", ".join(action.option_strings) or action.metavar or action.dest
                facts = [
                    type(action).__name__.strip("_").removesuffix("Action"),
                    f"nargs {action.nargs}",
                    f"default {action.default}",
                ]
                facts += [f"one of {', '.join(action.choices)}"] if action.choices else []
                yield f"{names}: {', '.join(facts)}"
