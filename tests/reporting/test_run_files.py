"""history.csv, summary.json and arrays.nc read back as what was measured; a file is whole or not there."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray

from pinn_ntk.reporting.files import replacing, write_arrays, write_history, write_summary, write_text
from pinn_ntk.reporting.record import Record

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
        sizes = {"step": len(record.history.losses), "tracked": len(record.history.columns["step"]), "row": record.problem.points}
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


@pytest.mark.parametrize("kind", ["theorem", "not_finite"])
def test_a_saved_record_holds_everything(record_of: RecordOf, tmp_path: Path, kind: str) -> None:
    record = record_of(kind)
    report = record.save(tmp_path / "new folder ü")
    folder = report.parent
    assert {p.name for p in folder.iterdir()} == {"report.html", "summary.json", "history.csv", "arrays.nc", "figures"}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["status"] == str(record.status)
    assert ("loss.final" in summary["nonfinite"]) == (kind == "not_finite" and not math.isfinite(record.history.losses[-1]))
