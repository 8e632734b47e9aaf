"""TensorBoard and MLflow: what a run measures, shown while it goes.
What fails there is told once and never stops a run.
"""

import importlib.util
import os
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from pinn_ntk.reporting.outcome import flat
from pinn_ntk.training.journal import Array, Value

TENSORBOARD = "tensorboard"
"""The folder of events inside a run's folder."""
# nothing is to leave the machine, a server that is gone must not hold a run up, and tables that are made are no news
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
_LONGEST = 6000  # characters of a parameter that MLflow takes
_ENDS = {"INTERRUPTED": "KILLED", "FAILED": "FAILED"}  # MLflow's words for runs that came to no end of their own


class Logger(Protocol):
    """Where rows of a journal go."""

    def row(self, row: Mapping[str, Value]) -> None:
        """One tracked step: numbers and arrays by name, `step` among them."""

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The run is over."""


class TensorBoard:
    """Scalars of each tracked step, and histograms of log₁₀ of the eigenvalues.

    Args:
        folder: of the run; events go to its folder `tensorboard`.
        config: plain.
        done: the last step that is known; what follows it is shown anew.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], done: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(str(folder / TENSORBOARD), purge_step=None if done is None else done + 1)
        if done is None:
            self.writer.add_text(
                "configuration", "\n".join(f"    {key}: {value}" for key, value in flat(config).items())
            )

    def row(self, row: Mapping[str, Value]) -> None:
        """One tracked step."""
        step = int(_number(row["step"]))
        for name, value in row.items():
            if not isinstance(value, Tensor):
                if name != "step" and np.isfinite(value):
                    self.writer.add_scalar(name, value, step)
            elif name.startswith("eigenvalues") and len(found := value[value > 0.0]):
                self.writer.add_histogram(f"log10 {name}", found.log10(), step)
        self.writer.flush()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The end, with its status and the answer's numbers."""
        step = int(summary.get("steps") or 0)
        for name, value in _numbers(summary).items():
            self.writer.add_scalar(f"summary/{name}", value, step)
        self.writer.add_text("status", str(summary["status"]), step)
        self.writer.close()


class MLflow:
    """Metrics of each tracked step, the configuration as parameters, status and commits as tags,
    the report as an artifact.

    Args:
        folder: of the run; a run that goes on keeps its entry by it.
        config: plain.
        done: the last step that is known.
        uri: of the tracking store, such as sqlite:///mlflow.db.
        experiment: its name there.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], done: int | None, uri: str, experiment: str) -> None:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies
            from mlflow.entities import Metric
            from mlflow.tracking import MlflowClient

            self.metric, self.client, self.folder = Metric, MlflowClient(tracking_uri=uri), folder
            self.run = self._entry(experiment, config, done)

    def _entry(self, experiment: str, config: Mapping[str, Any], done: int | None) -> str:
        """The identifier of this run's entry: the one before of a run that goes on."""
        place = self.client.get_experiment_by_name(experiment)
        own = place.experiment_id if place is not None else self.client.create_experiment(experiment)
        if done is not None:
            quoted = str(self.folder).replace("\\", "\\\\").replace("'", "\\'")
            found = self.client.search_runs([own], f"tags.folder = '{quoted}'", max_results=1)
            if found:
                told = self.client.get_metric_history(
                    found[0].info.run_id, "loss"
                )  # the step of an interrupt was told, too
                self.known = max((point.step for point in told), default=-1)
                self.client.update_run(found[0].info.run_id, status="RUNNING")
                return str(found[0].info.run_id)
        self.known = -1
        run = self.client.create_run(own, run_name=self.folder.name, tags={"folder": str(self.folder)})
        for key, value in flat(config).items():
            self.client.log_param(run.info.run_id, _plain(key), str(value)[:_LONGEST])
        return str(run.info.run_id)

    def row(self, row: Mapping[str, Value]) -> None:
        """One tracked step."""
        step, moment = int(_number(row["step"])), int(1000 * time.time())
        if step <= self.known:
            return
        found = {
            name: float(v) for name, v in row.items() if not isinstance(v, Tensor) and name != "step" and np.isfinite(v)
        }
        self.client.log_batch(
            self.run, metrics=[self.metric(_plain(name), value, moment, step) for name, value in found.items()]
        )

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The end: status, the answer's numbers, the report."""
        step = int(summary.get("steps") or 0)
        numbers = [self.metric(f"summary/{_plain(name)}", value, 0, step) for name, value in _numbers(summary).items()]
        self.client.log_batch(self.run, metrics=numbers)
        tags = {"status": summary["status"], **{f"commit.{k}": v for k, v in summary.get("commit", {}).items() if v}}
        for name, value in tags.items():
            self.client.set_tag(self.run, name, value)
        report = self.folder / "report.html"
        if report.is_file():
            self.client.log_artifact(self.run, str(report))
        self.client.set_terminated(self.run, _ENDS.get(summary["status"], "FINISHED"))


LOGGERS = {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}
"""Loggers by name, and what each has to import."""


def missing(name: str) -> str | None:
    """The first package that a logger needs and that is not installed."""
    return next((package for package in LOGGERS[name] if importlib.util.find_spec(package) is None), None)


class Careful:
    """Loggers that cannot stop a run: one that fails is told of once and asked no more.

    Args:
        makers: name → what makes it; made at the first row.
        warn: tells it.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Logger]], warn: Callable[[str], None]) -> None:
        self.makers, self.warn, self.made, self.last = dict(makers), warn, dict[str, Logger](), -1.0

    def __enter__(self) -> "Careful":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """What ends with an exception has failed, and is told to have."""
        if kind is not None:
            self.finish({"status": "FAILED"})

    def row(self, row: Mapping[str, Value]) -> None:
        """One tracked step, to each."""
        self.last = _number(row["step"])
        for name in [*self.makers]:
            self._try(name, lambda logger: logger.row(row))

    def rows(self, columns: Mapping[str, Array]) -> None:
        """The tracked steps that were not told as they went."""
        for values in zip(*columns.values(), strict=True) if self.makers else ():
            row = dict(zip(columns, (float(v) for v in values), strict=True))
            if row["step"] > self.last:
                self.row(row)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The end, to each."""
        for name in [*self.makers]:
            self._try(name, lambda logger: logger.finish(summary))

    def _try(self, name: str, act: Callable[[Logger], None]) -> None:
        try:
            if name not in self.made:
                self.made[name] = self.makers[name]()
            act(self.made[name])
        except Exception as error:
            del self.makers[name]
            told = str(error).strip().splitlines() or [type(error).__name__]
            self.warn(f"{name} failed and is asked no more: {told[0]}")


def _number(value: Value) -> float:
    return float(value)


def _numbers(summary: Mapping[str, Any]) -> dict[str, float]:
    """What is measured of the whole: losses, errors, spectra, theory, times."""
    parts = {
        name: summary[name]
        for name in ("loss", "error", "kernel", "theory", "time")
        if isinstance(summary.get(name), Mapping)
    }
    return {k: float(v) for k, v in flat(parts).items() if isinstance(v, (int, float)) and np.isfinite(v)}


def _plain(name: str) -> str:
    """A name as MLflow takes it: letters, digits and _ - . / and blanks."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-./ ") else "_" for c in name)
