"""The whole public surface of pinn_ntk as one sorted text, one fact a line: `python scripts/surface.py [--write]`.

Names with their signatures, configuration keys with type, range and default, commands and their words, statements,
studies, ready problems, exit codes, and what is said to every bad value of every key and argument. The text is
committed as tests/surface.txt, and tests/test_surface.py compares: who changes the surface writes the file anew and
explains each line of the difference in CHANGELOG.md. Nothing is trained for longer than two steps; the machine, its
memory and its GPUs leave no trace.

The first word of a line says its sort: name (of the package), option, key, default, input (a value of a key and what
is said to it; "(missing)" is the key left out), words (of a command line), formula, error (of a function and its
argument), problem, statement, study, table entries (activation, domain, network, operator, optimizer, sampling),
status, reason, verdict, help, flag, exit. Values that are answered alike share a line, and "got …" stands for the
value as it was given.
"""

import argparse
import difflib
import gc
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tests" / "surface.txt"
REMEDY = "run scripts/surface.py --write and explain each line in CHANGELOG.md"
os.environ |= {"CUDA_VISIBLE_DEVICES": "", "COLUMNS": "80"}  # before torch looks: a GPU would be another surface
sys.path[:0] = [
    str(ROOT),
    str(ROOT / "scripts" / "surface"),
]  # of this checkout, wherever the package is installed from


def lines() -> Iterator[str]:
    """Every fact, in no order."""
    from commands import commands
    from configuration import command
    from faults import inputs, words
    from keys import Options, configuration, studies
    from library import library
    from signatures import public_names
    from tables import endings, problems, statements, tables
    from texts import texts

    yield from public_names()
    with command() as pinn_ntk:
        options = Options(pinn_ntk)
        for part in (configuration, studies, inputs, words):
            yield from part(options)
        yield from problems(options)
    for own in (texts, tables, endings, statements, library, commands):
        yield from own()


def surface() -> str:
    """The text."""
    logging.disable(logging.CRITICAL)
    gc.disable()  # the heap of torch is looked through again and again otherwise: a sixth of the time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return "\n".join(sorted(set(lines()))) + "\n"


def difference(before: str, after: str) -> str:
    """The unified difference of two texts, empty where there is none."""
    return "\n".join(
        difflib.unified_diff(before.splitlines(), after.splitlines(), "tests/surface.txt", "now", n=0, lineterm="")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write tests/surface.txt")
    parser.add_argument(
        "--check",
        action="store_true",
        help="print the difference from tests/surface.txt, exit code 1 where there is one",
    )
    given = parser.parse_args()
    text = surface()
    if given.write:
        FILE.write_text(text, encoding="utf-8")
        print(f"{FILE}: {len(text.splitlines())} lines")
    elif given.check:
        changed = difference(FILE.read_text(encoding="utf-8"), text)
        print(f"{changed}\n{REMEDY}" if changed else f"{FILE}: {len(text.splitlines())} lines, as they are")
        return 1 if changed else 0
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
