"""TensorBoard and MLflow hold what history.csv holds; whatever happens to them, the run goes on."""

import csv
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from app.conftest import TINY
from app.test_resume import interrupted
from mlflow.tracking import MlflowClient
from modules import module_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pinn_ntk.app import Job, main
from pinn_ntk.reporting import LOGGERS, Careful, MLflow, TensorBoard

# MLflow's tables are declared with an option that its own SQLAlchemy deprecates
pytestmark = pytest.mark.filterwarnings("ignore:.*noload.*")


def store() -> MlflowClient:
    """The one of the working directory; by its whole path, as MLflow keeps one connection for each text."""
    return MlflowClient(f"sqlite:///{Path.cwd() / 'mlflow.db'}")


def history(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Name → (step, number) as history.csv has them."""
    rows = list(csv.DictReader((folder / "history.csv").read_text(encoding="utf-8").splitlines()))
    return {
        name: [(int(r["step"]), float(r[name])) for r in rows if r[name]]
        for name in rows[0]
        if name not in ("step", "seconds")
    }


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "histograms": 0})
    found.Reload()
    return found


def entry(experiment: str = "poisson_1d") -> tuple[MlflowClient, Any]:
    """The only run of an experiment in the store."""
    client = store()
    (run,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return client, run


def test_both_hold_what_the_history_holds(ran, workplace) -> None:
    outcome = ran("logger=both", "tracker.count=5", "output=here")
    assert outcome.code == 0, outcome.err
    known, board = history(outcome.folder), events(outcome.folder)
    client, run = entry()
    for name, pairs in known.items():
        # TensorBoard stores single precision
        assert [(e.step, e.value) for e in board.Scalars(name)] == [(s, pytest.approx(v, rel=1e-6)) for s, v in pairs]
        assert sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)) == pairs
    assert [h.step for h in board.Histograms("log10 eigenvalues")] == [s for s, _ in known["lambda_min"]]
    assert run.info.status == "FINISHED"
    assert (run.data.tags["status"], run.data.params["network.width"]) == ("MAX_STEPS", "12")
    assert run.data.metrics["summary/loss.final"] == outcome.summary["loss"]["final"]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["report.html"]


@pytest.mark.parametrize(
    "words",
    [("ensemble.seeds=3",), ("optimizer=auto", "optimizer.seconds=3", "optimizer.widest=40")],
    ids=["ensemble", "auto"],
)
def test_runs_that_are_told_at_their_end(words, pageless, workplace) -> None:
    tiny = [w for w in TINY if not (words[0] == "optimizer=auto" and w.startswith("optimizer."))]
    outcome = pageless(*words, *tiny, "logger=both", "output=here")
    assert outcome.code == 0, outcome.err
    client, run = entry()
    steps = [e.step for e in events(outcome.folder).Scalars("loss")]
    assert steps == [m.step for m in client.get_metric_history(run.info.run_id, "loss")]
    assert len(steps) >= 2 and steps == sorted(set(steps))


def test_a_run_that_goes_on_keeps_its_entry(ran, pageless, monkeypatch) -> None:
    whole = ran("output=whole", "tracker.every=1")
    with monkeypatch.context() as patched:
        interrupted(patched, 4)
        assert ran("output=cut", "tracker.every=1", "logger=both").code == 75
    assert entry()[1].info.status == "KILLED"
    assert pageless("resume=cut").code == 0
    client, run = entry()
    expected = history(whole.folder)["loss"]
    assert sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")) == expected
    assert sorted({e.step for e in events(Path("cut")).Scalars("loss")}) == [s for s, _ in expected]
    assert run.info.status == "FINISHED"


def test_a_sweep_is_one_experiment(ran, workplace) -> None:
    assert main(("-m", *TINY[:4], *TINY[5:], "name=widths", "network.width=4,6", "logger=mlflow")) == 0
    client = store()
    runs = client.search_runs([client.get_experiment_by_name("widths").experiment_id])
    assert {run.data.params["network.width"] for run in runs} == {"4", "6"}
    folders = {path.parent.name for path in Path("sweeps/widths").glob("*/summary.json")}
    assert main(("-m", *TINY[:4], *TINY[5:], "name=widths", "network.width=4,6", "logger=none")) == 0
    assert {
        path.parent.name for path in Path("sweeps/widths").glob("*/summary.json")
    } == folders  # nothing was run anew


def test_row_43_a_logger_that_fails_mid_run_is_told_once(ran, monkeypatch) -> None:
    alone = ran("output=alone")
    calls: list[int] = []

    def breaks(self: object, row: Any) -> None:
        calls.append(int(row["step"]))
        if len(calls) == 2:
            raise OSError("the disk is gone\nand more")

    monkeypatch.setattr(TensorBoard, "row", breaks)
    monkeypatch.setattr(MLflow, "__init__", lambda *_: (_ for _ in ()).throw(RuntimeError("no such store")))
    outcome = ran("logger=both", "output=here")
    assert outcome.code == 0
    assert len(calls) == 2
    for line in (
        "tensorboard failed and is asked no more: the disk is gone",
        "mlflow failed and is asked no more: no such store",
    ):
        assert outcome.err.count(line) == 1
    assert history(outcome.folder) == history(alone.folder)


@pytest.mark.parametrize("uri", ["sqlite:///file/all.db", "nonsense://x", "http://127.0.0.1:9/"])
def test_row_43_a_store_that_is_not_there(uri, ran, workplace) -> None:
    (workplace / "file").write_text("in the way", encoding="utf-8")
    outcome = ran("logger=mlflow", f"logger.uri='{uri}'")
    assert outcome.code == 0
    assert outcome.err.count("mlflow failed and is asked no more") == 1


def test_row_43_a_folder_of_events_that_cannot_be_made(ran, workplace) -> None:
    Path("here").mkdir()
    Path("here/tensorboard").write_text("in the way", encoding="utf-8")
    outcome = ran("logger=tensorboard", "output=here")
    assert outcome.code == 0
    assert outcome.err.count("tensorboard failed and is asked no more") == 1


def test_a_run_that_ends_with_an_error_is_told_to_have_failed(ran, monkeypatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr(module_of(Job), "run", breaks)
    assert ran("logger=mlflow").code == 4
    failed = entry()[1]
    assert failed.data.tags["status"] == failed.info.status == "FAILED"


@pytest.mark.parametrize("name", LOGGERS)
def test_row_42_a_logger_that_is_not_installed(name, refused, monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    error = refused(f"logger={name}")
    assert f"logger.{name}: needs {LOGGERS[name][0]}, which is not installed: pip install 'pinn_ntk[{name}]'" in error


def test_names_that_a_store_would_refuse(ran, mine) -> None:
    mine(
        "{kind: text, name: a b/c'd, domain: {kind: box, low: [0], high: [1]}, operator: {A: [[-1]]}, source: "
        "1, boundary_value: 0}"
    )
    outcome = ran("--config-dir", "my_conf", "problem=mine", "logger=mlflow", "output=it's here")
    assert outcome.code == 0
    assert "failed" not in outcome.err
    assert entry("a b/c'd")[1].info.status == "FINISHED"


def test_under_torchrun_only_the_first_process_tells(ran, monkeypatch) -> None:
    monkeypatch.setattr("pinn_ntk.parallel.first", lambda: False)
    monkeypatch.setattr(module_of(Job), "chosen_loggers", pytest.fail)
    ran("logger=both")


def test_without_loggers_nothing_is_made() -> None:
    told: list[str] = []
    none = Careful({}, told.append)
    none.row({"step": 0.0})
    none.finish({"status": "MAX_STEPS"})
    assert (told, none.made) == ([], {})
