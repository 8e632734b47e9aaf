"""`pinn-ntk-eval`: u ±, ∇u and 𝓛u − f of a run that is over, at the points of a CSV file or on a grid."""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.app.build import rebuild
from pinn_ntk.app.faults import BadInputError, Exit, Fault
from pinn_ntk.app.guarded import guarded
from pinn_ntk.app.plugins import load
from pinn_ntk.app.stored import plugin_copies, started_in, stored_config
from pinn_ntk.app.terminal import say
from pinn_ntk.arguments import unknown
from pinn_ntk.devices import threads_for
from pinn_ntk.expressions.reader import variable_names
from pinn_ntk.networks.storage import NETWORK, described, load_network
from pinn_ntk.problem.answer import Answer
from pinn_ntk.problem.data import read_table
from pinn_ntk.problem.residual import Problem
from pinn_ntk.reporting.grid import Grid, Values, grid_of
from pinn_ntk.reporting.samples import Samples, csv_text, sample, write_csv, write_netcdf, write_vtu
from pinn_ntk.solving.saved import SOLUTION, load_solution
from pinn_ntk.solving.spread import Fits

WRITERS: dict[str, Callable[[Samples, Path], None]] = {".csv": write_csv, ".nc": write_netcdf, ".vtu": write_vtu}
_GRID_FILE = "answer.nc"
HELP = """\
pinn-ntk-eval: the answer of a run at any points.

Usage: pinn-ntk-eval RUN POINTS.csv [flags]
       pinn-ntk-eval RUN --grid M [flags]

RUN is the folder of a run, or its report. POINTS.csv has a header with the
coordinates, x,y,… (t for time) or x1,…,xd; its other columns are left out.

Examples:
  pinn-ntk-eval outputs/poisson_2d/2026-01-31_12-00-00-000000 points.csv
      x,y,u as CSV on the terminal
  pinn-ntk-eval RUN points.csv --gradient --residual --out answer.csv
      x,y,u,u_x,u_y,residual in a file
  pinn-ntk-eval RUN points.csv --uncertainty
      x,y,u,u_error of a run of optimizer=auto
  pinn-ntk-eval RUN --grid 101 --out answer.nc
      u on 101 × 101 nodes as NetCDF, NaN outside the domain
  pinn-ntk-eval RUN --grid 201 --gradient --out answer.vtu
      the same for ParaView; needs pip install 'pinn_ntk[vtk]'

Flags:
  --out FILE      .csv, .nc or .vtu; without it points go to the terminal
                  and a grid to answer.nc
  --grid M        M nodes along each axis of the domain's bounding box
  --gradient      add the derivatives u_x, u_y, …
  --residual      add Lu − f of the equation inside the domain
  --uncertainty   add u_error, ± of u from independent fits, and of the
                  derivatives with --gradient; of a run of optimizer=auto
  --exact         add the exact solution and the error, where it is known
  --outside       evaluate points outside the domain, too
  --plugin FILE   the Python file that the run was made with; may be repeated
  --help

Exit codes: 0 done, 1 a bug, 2 bad input, 4 memory or disk."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its words; None takes those of the process.

    Returns:
        0 done, 1 a bug, 2 bad input, 4 memory or disk, 130 interrupted.
    """
    words = sys.argv[1:] if argv is None else argv
    return guarded(lambda: _main(words))


class _Parser(argparse.ArgumentParser):
    """Argparse whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        raise BadInputError(Fault("", f"{message}; see pinn-ntk-eval --help"))


@dataclass(frozen=True)
class _Request:
    """The command line, read: where from, where to, and what."""

    run: Path
    points: Path | None
    grid: int | None
    out: Path | None
    gradient: bool
    residual: bool
    exact: bool
    outside: bool
    uncertainty: bool
    plugins: tuple[str, ...]


def _main(words: Sequence[str]) -> int:
    if not words or "--help" in words or "-h" in words:
        say(HELP)
        return Exit.DONE if words else Exit.BAD_INPUT
    request = _read(words)
    answer = stored_answer(request.run, request.plugins)
    if request.exact and answer.problem.exact is None:
        raise BadInputError(
            Fault("--exact", f"no exact solution of problem {answer.problem.name!r} is known; leave it out")
        )
    fits = stored_fits(request.run, answer) if request.uncertainty else None
    with threads_for((request.grid or 100) ** 2 * answer.network.width):
        names, points = _points(request, answer.problem)
        wanted = {"gradient": request.gradient, "residual": request.residual, "exact": request.exact}
        samples = sample(answer, names, points, **wanted, outside=request.outside, fits=fits)
    if request.out is None:
        say(csv_text(samples).rstrip("\n"))
        return Exit.DONE
    WRITERS[request.out.suffix.lower()](samples, request.out)
    say(f"{len(samples.points)} points: {', '.join(samples.columns)}\n{request.out.resolve()}")
    return Exit.DONE


def _read(words: Sequence[str]) -> _Request:
    """The request in those words.

    Raises:
        BadInputError: everything that can be known to be wrong before a file is read.
    """
    parser = _Parser(prog="pinn-ntk-eval", add_help=False, allow_abbrev=False)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("points", metavar="POINTS.csv", nargs="?")
    parser.add_argument("--grid", type=int)
    parser.add_argument("--out")
    parser.add_argument("--plugin", action="append", default=[])
    for flag in ("--gradient", "--residual", "--exact", "--outside", "--uncertainty"):
        parser.add_argument(flag, action="store_true")
    found = parser.parse_intermixed_args(list(words))
    faults = []
    if (found.points is None) == (found.grid is None):
        faults.append(Fault("", f"got {'neither' if found.grid is None else 'both'}, expected POINTS.csv or --grid M"))
    name = found.out if found.out is not None or found.grid is None else _GRID_FILE
    out = None if name is None else Path(name)
    if out is not None:
        faults += _out_faults(out)
    if faults:
        raise BadInputError(*faults)
    run, points = Path(found.run), None if found.points is None else Path(found.points)
    flags = (found.gradient, found.residual, found.exact, found.outside, found.uncertainty)
    return _Request(run.parent if run.is_file() else run, points, found.grid, out, *flags, tuple(found.plugin))


def _out_faults(out: Path) -> list[Fault]:
    if out.suffix.lower() not in WRITERS:
        return [Fault("--out", f"{unknown(out.suffix or out.name, WRITERS)}: the end of the name says what is written")]
    if not out.parent.is_dir():
        return [Fault("--out", f"got {str(out)!r}, expected a file in a folder that exists")]
    if out.suffix.lower() == ".vtu" and importlib.util.find_spec("pyvista") is None:
        return [Fault("--out", "a .vtu file needs pyvista, which is not installed: pip install 'pinn_ntk[vtk]'")]
    return []


def stored_answer(folder: Path, plugin_files: Sequence[str] = ()) -> Answer:
    """u of a run that is over: its problem and its network, from its folder alone.

    Args:
        folder: of the run.
        plugin_files: a person's own Python that the run was made with.

    Raises:
        BadInputError: the folder is no run's, or a file in it is damaged or needs a plugin.
    """
    run, plugins = folder.resolve(), load(tuple(plugin_files))
    config = stored_config(run)
    try:
        with chdir(started_in(run)):
            problem, template = rebuild(config, plugins)
        if not (run / NETWORK).is_file():
            why = "runs of several seeds, studies, and networks with a person's own extra functions have none"
            raise BadInputError(Fault(str(run / NETWORK), f"no such file: {why}"))
        return Answer(problem, load_network(run / NETWORK, {**ACTIVATIONS, **plugins["ACTIVATIONS"]}, template))
    except (BadInputError, ValueError) as error:
        faults = list(error.faults) if isinstance(error, BadInputError) else [Fault("", str(error))]
        copies = " ".join(f"--plugin {path}" for path in plugin_copies(run))
        if copies and not plugin_files:
            faults.append(
                Fault("--plugin", f"the run was made with a person's own Python; if you trust it, add {copies}")
            )
        raise BadInputError(*faults) from error


def stored_fits(folder: Path, answer: Answer) -> Fits:
    """The independent fits of a run of optimizer=auto that is over.

    Args:
        folder: of the run.
        answer: its u, as `stored_answer` gives it.

    Raises:
        BadInputError: a run that has one fit only, or a file that is damaged or another run's.
    """
    path = folder.resolve() / SOLUTION
    if not path.is_file():
        raise BadInputError(
            Fault(
                "--uncertainty",
                f"{path} is missing: ± comes from independent fits, which runs of optimizer=auto leave there; a "
                "trained network, or a run of version 0.1, has one fit only. Run optimizer=auto, or leave it out",
            )
        )
    try:
        fits = load_solution(path, answer.problem).fits
    except ValueError as error:
        raise BadInputError(Fault("--uncertainty", str(error))) from error
    mine, theirs = described(answer.network)[1], described(fits.answers[0].network)[1]
    if mine.keys() != theirs.keys() or any(not torch.equal(mine[name], theirs[name]) for name in mine):
        raise BadInputError(Fault("--uncertainty", f"{path} is of another run: its first fit is not {NETWORK}"))
    return fits


def _points(request: _Request, problem: Problem) -> tuple[tuple[str, ...], Values | Grid]:
    """The names of the coordinates, and where to evaluate.

    Raises:
        BadInputError: columns that are missing, or points outside the domain.
    """
    if request.points is None:
        grid = grid_of(problem, request.grid or 0)
        return grid.names, grid
    header, table = read_table(request.points)
    d, plain = problem.dim, [f"x{j + 1}" for j in range(problem.dim)]
    usual = variable_names(d, problem.time)
    known = [usual, tuple(plain), *([(*plain[:-1], "t")] if problem.time else [])]
    names = next((option for option in known if set(option) <= set(header)), None)
    if names is None:
        raise BadInputError(
            Fault(
                str(request.points),
                f"got the columns {', '.join(header)}, expected {', '.join(usual)} or {', '.join(plain)}",
            )
        )
    x = table[:, [header.index(name) for name in names]]
    if not request.outside and problem.domain is not None:
        _check_inside(request.points, x, problem.domain.contains(x), str(problem.domain))
    return names, np.ascontiguousarray(x.numpy())


def _check_inside(path: Path, x: torch.Tensor, inside: torch.Tensor, domain: str) -> None:
    if not bool(inside.all()):
        i, many = int((~inside).int().argmax()), int((~inside).sum())
        others = f" and {many - 1} more" if many > 1 else ""
        message = (
            f"got {x[i].tolist()} in row {i + 1} below the header{others}, outside the domain {domain}; "
            "--outside evaluates them, too"
        )
        raise BadInputError(Fault(str(path), message))


if __name__ == "__main__":
    sys.exit(main())
