"""A study's cells are measured once each; one that fails is a row, and the document is made of what is there."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pinn_ntk.comparison import fit_slope, slope_finding
from pinn_ntk.reporting import Section, Series, scaling_picture
from pinn_ntk.studies import Cell, Document, Measured, Progress, Results, Study, run_study


def powers(exponent: float, asked: list[int], widths: tuple[int, ...] = (2, 4, 8), broken: int | None = None) -> Study:
    """y = N^exponent, one cell a width; the widths that were measured are noted in `asked`."""

    def measure(cell: Cell) -> Measured:
        width = cell.parameters["width"]
        asked.append(width)
        if width == broken:
            raise ValueError("too narrow")
        return Measured([{"y": float(width) ** exponent, "k": k} for k in range(2)], {"field": np.full(3, width)})

    def document(results: Results) -> Document:
        slope = fit_slope(results.column("width"), results.column("y"))
        picture = scaling_picture("powers", "Powers", "N", "y", [Series("y", [2, 4, 8], [2, 4, 8], slope)], "A line.")
        total = sum(float(arrays["field"].sum()) for _, arrays in results.arrays)
        finding = slope_finding("slope", "y ~ N^s", slope, exponent, 1e-9, f"total {total}")
        return Document((Section("Powers", "Of two.", (picture,)),), (finding,), {"extra.txt": b"more"})

    return Study(
        "powers",
        "Powers of N",
        "How does y grow?",
        tuple(Cell({"width": w, "list": [1, 2]}) for w in widths),
        measure,
        document,
    )


def test_a_study_leaves_its_table_figures_report_and_summary(tmp_path: Path) -> None:
    seen: list[Progress] = []
    finished = run_study(powers(-0.5, []), tmp_path, on_cell=seen.append)
    assert {p.name for p in tmp_path.iterdir()} == {"cells", "figures", "report.html", "summary.json", "table.csv"}
    assert (tmp_path / "figures" / "extra.txt").read_bytes() == b"more"
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert [(r["width"], float(r["y"])) for r in rows[::2]] == [("2", 2**-0.5), ("4", 0.5), ("8", 8**-0.5)]
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    (finding,) = summary["findings"]
    assert (summary["status"], finding["verdict"], round(finding["value"], 9)) == ("DONE", "holds", -0.5)
    assert [p.done for p in seen] == [1, 2, 3]
    assert "Powers of N" in finished.report.read_text(encoding="utf-8")


def test_finished_cells_are_kept_and_the_missing_ones_measured(tmp_path: Path) -> None:
    first, second = [], []
    run_study(powers(1.0, first, (2, 4)), tmp_path)
    summary = run_study(powers(1.0, second, (2, 4, 8)), tmp_path).summary
    assert (first, second) == ([2, 4], [8])
    assert summary["findings"][0]["reason"] == "total 42.0"  # arrays of kept cells are read back
    third: list[int] = []
    run_study(powers(1.0, third), tmp_path, context="another configuration")
    assert third == [2, 4, 8]


def test_a_cell_cut_in_half_is_measured_again(tmp_path: Path) -> None:
    run_study(powers(1.0, []), tmp_path)
    victim = next((tmp_path / "cells").glob("*/rows.json"))
    victim.write_text(victim.read_text(encoding="utf-8")[:20], encoding="utf-8")
    again: list[int] = []
    run_study(powers(1.0, again), tmp_path)
    assert len(again) == 1


def test_a_cell_that_fails_is_named_and_tried_again(tmp_path: Path) -> None:
    finished = run_study(powers(1.0, [], broken=4), tmp_path)
    assert finished.summary["status"] == "PARTIAL"
    assert finished.summary["cells"]["failed"] == [{"width": 4, "list": [1, 2], "error": "ValueError: too narrow"}]
    assert "too narrow" in finished.report.read_text(encoding="utf-8")
    again: list[int] = []
    assert run_study(powers(1.0, again), tmp_path).summary["status"] == "DONE"
    assert again == [4]


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    finished = run_study(powers(1.0, []), tmp_path, on_cell=stop)
    assert (finished.summary["status"], finished.summary["cells"]["done"]) == ("INTERRUPTED", 2)
    assert "the same command" in finished.report.read_text(encoding="utf-8")


def test_a_study_without_any_result_says_so(tmp_path: Path) -> None:
    finished = run_study(powers(1.0, [], (2,), broken=2), tmp_path)
    assert finished.summary["status"] == "FAILED"
    assert finished.report.exists()


def test_several_processes_give_the_same_document(tmp_path: Path) -> None:
    one = run_study(powers(-0.5, []), tmp_path / "one")
    two = run_study(powers(-0.5, []), tmp_path / "two", workers=3)
    assert (tmp_path / "one" / "table.csv").read_bytes() == (tmp_path / "two" / "table.csv").read_bytes()
    assert one.summary["findings"] == two.summary["findings"]


def test_a_failing_cell_and_a_bug_are_told_by_their_process(tmp_path: Path) -> None:
    finished = run_study(powers(1.0, [], broken=4), tmp_path / "a", workers=2)
    assert [why for _, why in finished.failed] == ["ValueError: too narrow"]

    def wrong(cell: Cell) -> Measured:
        raise KeyError("a bug")

    with pytest.raises(RuntimeError, match="KeyError: 'a bug', in the cell width="):
        run_study(replace(powers(1.0, []), measure=wrong), tmp_path / "b", workers=2)


def test_a_process_that_dies_is_a_failed_cell(tmp_path: Path) -> None:
    def die(cell: Cell) -> Measured:
        os._exit(9)

    finished = run_study(replace(powers(1.0, []), measure=die), tmp_path, workers=2)
    assert finished.summary["status"] == "FAILED"
    assert all("ended by the system" in why for _, why in finished.failed)
    assert len(finished.failed) == 3
