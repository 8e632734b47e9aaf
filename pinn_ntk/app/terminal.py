"""What a person sees: a progress bar or log lines, the closing table, and the path of the report as the last line."""

import io
import logging
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pinn_ntk import parallel
from pinn_ntk.app.run_folder import LOGGER
from pinn_ntk.solving.assessment import TELLING

WIDTH = 80
_LINES = 10  # log lines of a run without a terminal


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person is looking; a process may have been started without that stream."""
    return stream is not None and stream.isatty()


@contextmanager
def messages(level: int) -> Iterator[None]:
    """The log on stderr from that level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(message)s"))
    before = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(before)


class Step(Protocol):
    """What progress shows of a state."""

    @property
    def step(self) -> int:
        """How many are done."""

    @property
    def loss(self) -> float:
        """R_S."""


@dataclass(frozen=True)
class Shown:
    """Progress of an ensemble: steps of all its batches, and the median loss."""

    step: int
    loss: float


@contextmanager
def progress(steps: int, bar: bool) -> Iterator[Callable[[Step], None]]:
    """A function to call with every state: it moves a bar on a terminal, else writes about ten log lines.

    Args:
        steps: how many are expected.
        bar: whether a bar is wanted where stderr is a terminal.
    """
    if not (bar and is_terminal(sys.stderr)):
        yield _log_lines(steps)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(None),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3e}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("predicting", total=max(steps, 1), loss=math.nan)
        yield lambda state: display.update(task, description="training", completed=state.step, loss=state.loss)


def _log_lines(steps: int) -> Callable[[Step], None]:
    stride = max(1, math.ceil(steps / _LINES))

    def show(state: Step) -> None:
        if state.step % stride == 0:
            LOGGER.info("step %d of %d, loss %.6e", state.step, steps, state.loss)

    return show


def say(text: str) -> None:
    """A text on stdout, unwrapped; of several processes the first one speaks. A reader who has gone is no error."""
    if not parallel.first():
        return
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sink = os.open(os.devnull, os.O_WRONLY)  # the interpreter flushes stdout once more when it ends
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)


def closing_table(summary: Mapping[str, Any]) -> str:
    """The run in a dozen lines of at most 80 columns."""
    return _grid(_rows(summary))


def study_table(summary: Mapping[str, Any]) -> str:
    """A study's findings, one a line or two, at most 80 columns wide."""
    cells = summary["cells"]
    rows = [
        ("study", f"{summary['title']}"),
        ("cells", f"{cells['done']} of {cells['total']}, {summary['time']['total']:.1f} s"),
    ]
    for f in summary["findings"]:
        interval = "" if f["low"] is None else f" ({_number(f['low'])} … {_number(f['high'])})"
        verdict = f["verdict"].replace("_", " ")
        rows.append((f["name"], f"{_number(f['value'])}{interval}, expected {f['expected']}: {verdict}"))
    return _grid(rows)


def _grid(rows: Iterable[tuple[str, str]]) -> str:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", max_width=30, overflow="fold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))  # Text: brackets in a person's names are no markup
    text = io.StringIO()  # and not stdout itself: rich ends the process when a pipe is closed
    Console(file=text, width=WIDTH, highlight=False, force_terminal=is_terminal(sys.stdout)).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    loss, error, theory, kernel = (summary.get(key) or {} for key in ("loss", "error", "theory", "kernel"))
    yield "problem", f"{summary['problem']}, {summary['points']} points in d = {summary['dim']}"
    yield (
        "network",
        f"{_network(summary)}, {summary['parameters']} parameters, {summary['dtype']} on {summary['device']}",
    )
    unit = "output times" if summary.get("optimizer") == "gradient_flow" else "steps"
    solver = summary.get("solver")
    yield (
        "status",
        f"{summary['status']} after {summary['steps']} {unit}"
        if solver is None
        else f"{summary['status']}: {solver['words']}",
    )
    yield "loss", f"{_number(loss.get('initial'))} → {_number(loss.get('final'))}"
    if error:
        yield "relative error", f"{_number(error['relative_l2'])} (L²), {_number(error['relative_linf'])} (L∞)"
    if compared := summary.get("reference"):
        own = _number(compared["estimate"])
        yield "finite elements", f"differ by {_number(compared['difference'])} from u; their own error is about {own}"
    if solver is not None:
        yield from _solver_rows(solver)
    if kernel:
        yield (
            "λ_min(K̂)",
            f"{_floored(kernel['lambda_min_initial'], kernel['floor'])} → "
            f"{_floored(kernel['lambda_min_final'], kernel['floor'])}",
        )
    if theory:
        yield from _theory_rows(theory)
    if "ensemble" in summary:
        yield from _ensemble_rows(summary["ensemble"])
    yield "time", f"{summary['time']['total']:.1f} s"


def _network(summary: Mapping[str, Any]) -> str:
    """Activation, layers and width, where they are known; else what it is called."""
    depth = summary.get("depth") or 1
    layers = f"{depth} hidden layers of width" if depth > 1 else "width"
    return (
        f"{summary['activation']}, {layers} {summary['width']}"
        if summary["width"] is not None
        else str(summary["network"])
    )


def _solver_rows(solver: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    own = f", ± {_number(solver['error'])} (rms, in u's units)"
    yield "estimated error", f"{_number(solver['estimate'])} (relative L², by a second solve){own}"
    bound, estimate = solver["bound_relative"], solver["estimate"]
    if bound is not None and (estimate is None or bound <= TELLING * estimate):
        yield "error bound", f"{_number(bound)} (relative L∞, maximum principle, sampled)"
    scales = ", ".join(_number(s) for s in solver["scales"])
    extra = f", {solver['extra_functions']} extra functions" if solver["extra_functions"] else ""
    yield "chosen", f"{solver['activation']}, scales {scales}{extra}, of {solver['trials']} pairs of fits"


def _theory_rows(theory: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if theory["lambda_s"] is not None:
        yield "λ_S", _floored(theory["lambda_s"], theory.get("lambda_s_floor"))
        yield "rate", f"{_number(theory['rate'])} predicted, {_number(theory['rate_measured'])} measured"
    if theory["bound_holds"] is not None:
        verdict = "holds" if theory["bound_holds"] else "fails"
        yield (
            "bound",
            f"{verdict} over {_number(theory['e_folds'])} e-folds, worst ratio {_number(theory['worst_ratio'])}",
        )
    elif theory["e_folds"] is not None:
        yield "bound", f"not judged: {_number(theory['e_folds'])} e-folds, fewer than one"
    if not theory["applicable"]:
        yield "theorem", f"not applicable: {theory['reason']}"
    if theory["least_width"] is not None:
        met = "" if (theory["width_ratio"] or 0.0) >= 1.0 else ", sufficient width not met"
        yield "least width", f"{_number(theory['least_width'])}{met}"


def _ensemble_rows(ensemble: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How many seeds, how they ended, and what became of the promises; the rows above it are medians."""
    ends = ", ".join(f"{count} {status}" for status, count in ensemble["statuses"].items())
    yield "ensemble", f"{ensemble['size']} seeds: {ends}; the numbers above are medians"
    if (final := ensemble["quantiles"].get("loss_final")) is not None:
        yield "final loss", f"{_number(final['0.05'])} … {_number(final['0.95'])} in 90 % of seeds"
    for one in ensemble["coverage"]:
        if one["promised"] is not None and one["share"] is not None:
            interval = f"{_number(one['low'])} … {_number(one['high'])}"
            yield (
                one["name"],
                f"{one['verdict']}: {_number(one['share'])} of seeds ({interval}), promised {_number(one['promised'])}",
            )


def _number(value: float | None) -> str:
    return "not available" if value is None else f"{value:.4g}"


def _floored(value: float | None, floor: float | None) -> str:
    """A smallest eigenvalue, or that it drowns in rounding."""
    below = value is not None and floor is not None and value < floor
    return f"< {_number(floor)} (rounding floor)" if below else _number(value)
