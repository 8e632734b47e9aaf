"""history.csv, summary.json and arrays.nc read back as what was measured; a file is whole or not there."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray
from modules import module_of

from pinn_ntk.experiment import Settings, run
from pinn_ntk.networks import NETWORK, TwoLayer, load_network, replacing
from pinn_ntk.problem import Answer, poisson_1d
from pinn_ntk.reporting import Outcome, Record, write_arrays, write_history, write_summary, write_text

module = module_of(Record)

RecordOf = Callable[[str], Record]


@pytest.mark.parametrize("kind", ["1d", "not_finite"])
def test_the_history_reads_back_to_the_bit(record_of: RecordOf, tmp_path: Path, kind: str) -> None:
    columns = record_of(kind).history.columns
    write_history(record_of(kind).history, tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, values in columns.items():
        np.testing.assert_array_equal([float(row[name] or "nan") for row in rows], values)
    assert [row["step"] for row in rows] == [str(int(s)) for s in columns["step"]]


@pytest.mark.parametrize("kind", ["theorem", "soft_3d", "5d", "not_finite", "neither", "float32"])
def test_arrays_read_back_with_shared_dimensions(record_of: RecordOf, tmp_path: Path, kind: str) -> None:
    record = record_of(kind)
    write_arrays(record, tmp_path / "arrays.nc")
    with xarray.open_dataset(tmp_path / "arrays.nc", engine="h5netcdf") as found:
        sizes = {
            "step": len(record.history.losses),
            "tracked": len(record.history.columns["step"]),
            "row": record.problem.points,
        }
        assert {name: found.sizes[name] for name in sizes} == sizes
        np.testing.assert_array_equal(found["loss"], record.history.losses)
        np.testing.assert_array_equal(found["points"], record.problem.x)
        for name, values in record.history.arrays.items():
            assert found[name].dims == ("tracked", "mode")
            np.testing.assert_array_equal(found[name], values)
        for name, kernel in record.kernels.items():
            np.testing.assert_array_equal(found[f"kernel_{name}"], kernel.total)
        assert all(found[name].attrs["units"] == "1" and found[name].attrs["long_name"] for name in found.data_vars)


def test_the_residual_in_the_file_gives_the_final_loss(record_of: RecordOf, tmp_path: Path) -> None:
    record = record_of("soft_3d")
    write_arrays(record, tmp_path / "arrays.nc")
    with xarray.open_dataset(tmp_path / "arrays.nc", engine="h5netcdf") as found:
        loss = float((found["residual"] ** 2).mean()) / 2.0
    assert math.isclose(loss, float(record.history.losses[-1]), rel_tol=1e-12)


def _fail_half_way(path: Path) -> None:
    with replacing(path) as aside:
        aside.write_text("half")
        raise OSError("disk full")


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_text(path, "old\n")
    with pytest.raises(OSError, match="disk full"):
        _fail_half_way(path)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_summary_with_a_number_that_json_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_summary({"loss": math.nan}, tmp_path / "summary.json")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "write_report", lambda record, summary, folder: folder / "report.html")


@pytest.mark.usefixtures("without_pictures")
def test_the_network_of_a_run_is_its_answer(record_of: RecordOf, tmp_path: Path) -> None:
    record = record_of("heat_in_space_and_time")
    record.save(tmp_path)
    back, x = Answer(record.problem, load_network(tmp_path / NETWORK)), record.problem.domain.test_points(9)
    assert torch.equal(back.u(x), record.answer.u(x))
    with xarray.open_dataset(tmp_path / "solution.nc", engine="h5netcdf") as found:
        assert found["u"].dims == ("x", "t")
        x, t = np.meshgrid(found["x"], found["t"], indexing="ij")
        expected = record.answer.u(np.stack([x.ravel(), t.ravel()], 1)).reshape(x.shape)
        np.testing.assert_array_equal(found["u"], expected)
        np.testing.assert_allclose(found["error"], found["u"] - found["exact"], atol=1e-15)


@pytest.mark.usefixtures("without_pictures")
def test_a_network_that_cannot_be_stored_is_a_note_and_no_end(tmp_path: Path) -> None:
    problem = poisson_1d(points=6, test_points=20)
    record = run(
        problem, TwoLayer(1, 8, "tanh", extra=[lambda x: x[:, 0] ** 2]), Settings(steps=2, tracked=2, theory=False)
    )
    record.save(tmp_path)
    assert not (tmp_path / NETWORK).exists()
    assert (tmp_path / "solution.nc").exists()
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert any("was not written" in w and "<lambda>, which is code" in w for w in summary["warnings"])


@pytest.mark.parametrize("kind", ["theorem", "not_finite"])
def test_a_saved_record_holds_everything(record_of: RecordOf, tmp_path: Path, kind: str) -> None:
    record = record_of(kind)
    report = record.save(tmp_path / "new folder ü")
    folder = report.parent
    files = {"report.html", "summary.json", "history.csv", "arrays.nc", "network.safetensors", "figures"}
    assert {p.name for p in folder.iterdir()} == files | {"solution.nc"}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["status"] == str(record.status)
    assert ("loss.final" in summary["nonfinite"]) == (
        kind == "not_finite" and not math.isfinite(record.history.losses[-1])
    )


def test_a_record_is_summed_up_once(record_of: RecordOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, summed = [], Outcome.summary
    monkeypatch.setattr(Outcome, "summary", lambda self: calls.append(self) or summed(self))
    files = record_of("1d").write(tmp_path)
    assert len(calls) == 1
    stored = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(files.summary))
    assert stored["time"]["report"] > 0.0
    assert list(stored) == list(record_of("1d").summary())
