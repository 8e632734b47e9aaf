"""`pinn-ntk-compare`: what differs between two runs, in configuration and results, and whether by rounding."""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pinn_ntk.app.faults import BadInputError, Exit, Fault
from pinn_ntk.app.guarded import guarded
from pinn_ntk.app.terminal import say
from pinn_ntk.reporting.difference import Difference, compare_runs
from pinn_ntk.reporting.measures import Measure, Verdict
from pinn_ntk.reporting.outcome import finite

_SHOWN = 12  # results, the most different first
_ALWAYS = ("status", "steps", "loss", "error.relative_l2")
_REQUIRED = {"bits": (Verdict.SAME,), "rounding": (Verdict.SAME, Verdict.ROUNDING)}
HELP = """\
pinn-ntk-compare: what differs between two runs, and whether by rounding.

Usage: pinn-ntk-compare RUN1 RUN2 [flags]

RUN1 and RUN2 are folders of runs that are over, or their reports; or of two
sweeps, or of two studies, which are compared row by row.

Examples:
  pinn-ntk-compare outputs/poisson_2d/2026-01-31_12-*
      the two runs of an hour, as a shell spells them out
  pinn-ntk-compare one two --all
      every result, not only the most different ones
  pinn-ntk-compare one two --require rounding
      exit code 3 when they differ by more, for scripts

Flags:
  --all             every result
  --json            plain values for programs
  --require LEVEL   bits or rounding; exit code 3 where that is not met
  --help

A number is the same up to rounding when the difference is at most 10^4 times
the precision's epsilon times the quantity's scale: the first residual for
losses, the largest eigenvalue for eigenvalues, the largest entry for
parameters. What only one of both has is named and compared with nothing.

Exit codes: 0 done, 1 a bug, 2 bad input, 3 --require is not met."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its words; None takes those of the process.

    Returns:
        0 done, 1 a bug, 2 bad input, 3 what is required is not met.
    """
    words = sys.argv[1:] if argv is None else argv
    return guarded(lambda: _main(words))


class _Parser(argparse.ArgumentParser):
    """Argparse whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        raise BadInputError(Fault("", f"{message}; see pinn-ntk-compare --help"))


def _main(words: Sequence[str]) -> int:
    if not words or "--help" in words or "-h" in words:
        say(HELP)
        return Exit.DONE if words else Exit.BAD_INPUT
    parser = _Parser(prog="pinn-ntk-compare", add_help=False, allow_abbrev=False)
    parser.add_argument("one", metavar="RUN1")
    parser.add_argument("two", metavar="RUN2")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--require", choices=list(_REQUIRED))
    found = parser.parse_args(list(words))
    one, two = (path.parent if path.is_file() else path for path in (Path(found.one), Path(found.two)))
    difference = compare_runs(one, two)
    if found.json:
        say(json.dumps(finite(difference.summary(), "", []), indent=2, ensure_ascii=False))
    else:
        say("\n".join(_lines(difference, one, two, found.all)))
    met = found.require is None or difference.verdict in _REQUIRED[found.require]
    return Exit.DONE if met else Exit.NUMERICAL


def _lines(difference: Difference, one: Path, two: Path, everything: bool) -> Iterator[str]:
    """The comparison, at most 80 columns wide where the paths are not longer."""
    yield f"1  {one}"
    yield f"2  {two}"
    for title, rows, total, what in (
        ("configuration", difference.config, difference.keys, "keys"),
        ("made with", difference.made, difference.facts, "facts"),
    ):
        yield f"\n{title}: {len(rows)} of {total} {what} differ"
        yield from _table(rows)
    yield "\nresults"
    shown = _chosen(difference.results, everything)
    yield from _results(shown)
    rest = [m for m in difference.results if m not in shown]
    if rest:
        same = sum(m.verdict is Verdict.SAME for m in rest)
        yield f"  and {len(rest)} more, {same} of them the same to the bit (--all)"
    for run in (1, 2):
        names = [name for name, where in difference.only_one if where == run]
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            yield textwrap.fill(
                f"only in {run}: {', '.join(names[:_SHOWN])}{more}", 80, initial_indent="  ", subsequent_indent="      "
            )
    yield "\n" + textwrap.fill(difference.words, 80)


def _chosen(results: Sequence[Measure], everything: bool) -> list[Measure]:
    """All, or the usual ones and the most different."""
    if everything:
        return list(results)
    order = list(Verdict)
    ranked = sorted(results, key=lambda m: (m.name not in _ALWAYS, -order.index(m.verdict), -(m.size or 0.0)))
    best = [m for m in ranked if m.name in _ALWAYS or m.verdict is not Verdict.SAME][:_SHOWN]
    return [m for m in results if m in best]


def _table(rows: Iterable[tuple[str, Any, Any]]) -> Iterator[str]:
    for key, x, y in rows:
        yield f"  {key}"
        yield f"      1  {_short(x)}"
        yield f"      2  {_short(y)}"


def _results(measures: Iterable[Measure]) -> Iterator[str]:
    yield f"  {'':<28}{'1':<13}{'2':<13}{'of scale':<11}verdict"
    for m in measures:
        size = "" if m.size is None else f"{m.size:.2g}"
        at = f", step {m.step}" if m.step is not None and m.verdict in (Verdict.GROWN, Verdict.DIFFERENT) else ""
        name = m.name if len(m.name) <= 27 else f"{m.name[:26]}…"
        yield f"  {name:<28}{_cell(m.one):<13}{_cell(m.two):<13}{size:<11}{m.verdict}{at}".rstrip()


def _cell(value: Any) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 12 else f"{text[:11]}…"


def _short(value: Any) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= 68 else f"{text[:67]}…"
