"""Pictures of power laws, tables of many rows, and the page of a study."""

import csv
import math
from pathlib import Path

import pytest

from pinn_ntk.comparison import Finding, fit_slope, slope_finding
from pinn_ntk.reporting import (
    Series,
    findings_table,
    groups,
    scaling_picture,
    slope_of,
    slopes_table,
    study_html,
    sweep_sections,
    table_html,
    varied,
    write_table,
)

WIDTHS = [16, 64, 256, 1024]
ROWS = [
    {"network.width": n, "seed": s, "activation.name": name, "loss_final": 2.0 / n, "status": "MAX_STEPS"}
    for n in WIDTHS
    for s in (0, 1)
    for name in ("tanh", "erf")
]


def test_the_same_numbers_give_the_same_picture() -> None:
    y = [2.0 / n for n in WIDTHS]
    series = [Series("loss", WIDTHS, y, fit_slope(WIDTHS, y), low=[0.5 * v for v in y], high=[2 * v for v in y])]
    first, second = (scaling_picture("p", "Loss", "N", "R_S", series, "It falls.") for _ in range(2))
    assert first.svg == second.svg
    assert first.svg.startswith(b"<?xml")


@pytest.mark.parametrize(
    "y", [[0.0, 0.0, 0.0, 0.0], [math.nan] * 4, [-1.0, 1.0, math.inf, 2.0], [1e-300, 1.0, 1.0, 1e300]]
)
def test_what_cannot_be_drawn_is_left_out_without_a_warning(y: list[float]) -> None:
    assert scaling_picture("p", "t", "N", "y", [Series("", WIDTHS, y, fit_slope(WIDTHS, y))], "c").svg


def test_a_table_reads_back_the_same(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": 0.1 + 0.2, "c": None}, {"a": 2, "d": 'x,\n"y"', "b": math.nan, "c": True}]
    write_table(rows, tmp_path / "t.csv")
    first, second = csv.DictReader((tmp_path / "t.csv").read_text(encoding="utf-8").splitlines(keepends=True))
    assert (first["a"], float(first["b"]), first["c"], first["d"]) == ("1", 0.1 + 0.2, "", "")
    assert (second["b"], second["c"], second["d"]) == ("", "true", 'x,\n"y"')


def test_a_page_escapes_what_a_person_wrote() -> None:
    text = "<script>alert(1)</script>"
    finding = Finding(text, text, 1.0, 0.5, 2.0, text, "holds", text)
    page = study_html(text, text, [finding], (), [{text: text}], [(text, text)], {text: text}, [text])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "0.5 … 2" in findings_table([finding])


def test_a_slope_far_from_what_is_expected_fails_and_two_points_say_nothing() -> None:
    slope = fit_slope(WIDTHS, [1.0 / n for n in WIDTHS])
    assert slope_finding("s", "c", slope, -1.0, 0.1).verdict == "holds"
    assert slope_finding("s", "c", slope, -0.5, 0.1).verdict == "fails"
    assert slope_finding("s", "c", fit_slope([1.0, 2.0], [1.0, 2.0]), 1.0, 0.1).verdict == "vacuous"


def test_a_sweep_is_drawn_against_what_varies_with_one_series_per_group() -> None:
    keys = varied(ROWS, ["network.width", "seed", "activation.name", "status"])
    assert keys == ["network.width", "seed", "activation.name"]
    (section,) = sweep_sections(ROWS, keys)
    assert [p.name for p in section.pictures] == ["loss_final_against_network_width"]
    assert list(groups(ROWS, ["activation.name"])) == ["name=tanh", "name=erf"]
    assert slope_of(ROWS, "network.width", "loss_final")[2].value == pytest.approx(-1.0)
    assert "name=tanh" in slopes_table(ROWS, keys)
    assert slopes_table(ROWS[:4], keys) == ""


def test_a_long_table_says_what_it_leaves_out() -> None:
    assert "100 further rows" in table_html([{"a": i} for i in range(500)])
