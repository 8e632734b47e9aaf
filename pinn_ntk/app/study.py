"""A study from a composed configuration: its cells vary the configuration, and the command tells how they go."""

import copy
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from pinn_ntk.app.build import build
from pinn_ntk.app.compose import resolved
from pinn_ntk.app.faults import BadInputError, Exit, Fault
from pinn_ntk.app.plugins import Tables
from pinn_ntk.app.run_folder import LOGGER
from pinn_ntk.app.sweep import NOT_ITS_RESULT
from pinn_ntk.app.terminal import is_terminal, say, study_table
from pinn_ntk.devices import resolve_device, threads_for
from pinn_ntk.experiment.settings import Experiment
from pinn_ntk.networks.library import NETWORKS
from pinn_ntk.studies.runner import Progress, run_study
from pinn_ntk.studies.study import Study
from pinn_ntk.studies.table import ANY_NETWORK, STUDIES

Recompose = Callable[[Mapping[str, str]], DictConfig]
_NOT_A_CELLS = (*NOT_ITS_RESULT, "study", "strict")  # of a configuration: what a cell's numbers do not depend on


@dataclass(frozen=True)
class ConfiguredFactory:
    """Overrides on one configuration → the objects of a run; whole groups are chosen by the name of an option.

    Attributes:
        config: the base, plain.
        plugins: the tables of a person's own Python.
        recompose: other options of groups → configuration.
    """

    config: Mapping[str, Any]
    plugins: Tables
    recompose: Recompose

    def __call__(self, overrides: Mapping[str, object]) -> Experiment:
        """The experiment with those overrides.

        Raises:
            ValueError: what is wrong with them.
        """
        try:
            return self._made(overrides)
        except BadInputError as error:  # of one cell: the other ones go on
            raise ValueError(str(error)) from error

    def _made(self, overrides: Mapping[str, object]) -> Experiment:
        groups = {k: str(v) for k, v in overrides.items() if "." not in k and isinstance(self.config.get(k), Mapping)}
        config = resolved(self.recompose(groups)) if groups else copy.deepcopy(dict(self.config))
        for key, value in overrides.items():
            if key not in groups:
                _set(config, key.split("."), value)
        config |= {
            "study": {"kind": None, "workers": None},
            "reference": {"kind": "none"},
        }  # for one run, which no cell is
        return build(config, self.plugins)


def _set(node: dict[str, Any], path: list[str], value: object) -> None:
    for name in path[:-1]:
        node = node.setdefault(name, {})
    node[path[-1]] = value


def build_study(config: Mapping[str, Any], plugins: Tables, recompose: Recompose) -> Study | None:
    """The study that a configuration asks for, None where it asks for one run.

    Args:
        config: plain, checked.
        plugins: the tables of a person's own Python.
        recompose: other options of groups → configuration.

    Raises:
        BadInputError: an option of the study that is not allowed.
    """
    options = dict(config["study"])
    kind = options.pop("kind")
    options.pop("workers", None)
    if kind is None:
        return None
    if config["ensemble"]["seeds"] > 1:
        got = config["ensemble"]["seeds"]
        raise BadInputError(
            Fault("ensemble.seeds", f"got {got} with the study {kind!r}, expected 1: its cells have seeds of their own")
        )
    network = config["network"]["kind"]
    if kind not in ANY_NETWORK and network in NETWORKS and network != "two_layer":
        raise BadInputError(
            Fault("network", f"got {network}; the study {kind!r} is about two-layer networks: leave network=two_layer")
        )
    try:
        return STUDIES[kind](ConfiguredFactory(config, plugins, recompose), **options)
    except BadInputError:
        raise
    except ValueError as error:
        name, _, rest = str(error).partition(": ")
        key = f"study.{name}" if name in options else "study"
        raise BadInputError(Fault(key, rest if name in options else str(error))) from error


def perform_study(study: Study, config: Mapping[str, Any], path: Path) -> int:
    """Measure what is missing, write the document, and say how it went."""
    context = json.dumps({k: v for k, v in config.items() if k not in _NOT_A_CELLS}, sort_keys=True, default=str)
    if config["logger"]["tensorboard"] or config["logger"]["mlflow"]:
        LOGGER.warning("warning: logger: a study keeps tables and pictures of its own, and tells no logger")
    LOGGER.info("study %s: %d cells; those of an earlier run in %s are kept", study.name, len(study.cells), path)
    with threads_for(1), _progress(len(study.cells), config["report"]["bar"]) as show:
        finished = run_study(study, path, context, show, config, _workers(config))
    for cell, why in finished.failed:
        LOGGER.warning("warning: no result for %s: %s", cell.words, why)
    say((study_table(finished.summary) if config["report"]["table"] else "") + str(finished.report))
    if finished.summary["status"] == "INTERRUPTED":
        return Exit.INTERRUPTED
    return Exit.NUMERICAL if finished.summary["status"] == "FAILED" else Exit.DONE


def _workers(config: Mapping[str, Any]) -> int:
    """Processes: those asked for, else one for each core on a CPU; a GPU is one for all."""
    asked = config["study"].get("workers")
    if asked is not None:
        return int(asked)
    return (os.cpu_count() or 1) if resolve_device(config["device"]["name"]).type == "cpu" else 1


@contextmanager
def _progress(cells: int, bar: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, a log line per cell elsewhere."""
    if not (bar and is_terminal(sys.stderr)):
        yield _log_line
        return
    columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("measuring", total=max(cells, 1))
        yield lambda progress: display.update(task, completed=progress.done)


def _log_line(progress: Progress) -> None:
    words = progress.cell.words if progress.cell else ""
    LOGGER.info("%d of %d %s in %.1f s: %s", progress.done, progress.total, progress.state, progress.seconds, words)
