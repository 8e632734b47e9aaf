"""The axis from lazy to rich: its ends are the tangent kernel's and the mean field's scalings,
and drift falls with width between them.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pinn_ntk.studies import STUDIES, Cell, Factory, expected_slope, lazy_to_rich, run_study

SMALL = ("problem=regression", "problem.points=8", "problem.dim=2", "problem.test_points=64", "network.init=centred")


@pytest.fixture
def made(factory: Callable[..., Factory]) -> Factory:
    return factory(*SMALL)


def test_the_order_parameter_falls_with_width_below_one_and_stays_at_one(made: Factory, tmp_path: Path) -> None:
    study = STUDIES["lazy_to_rich"](made, exponents=[0.5, 1.0], widths=[16, 128], seeds=2, remaining=0.2, steps=400)
    finished = run_study(study, tmp_path)
    assert finished.summary["status"] == "DONE"
    lazy, rich, gain = finished.summary["findings"]
    assert lazy["value"] < -0.5 < rich["value"]
    assert (lazy["low"] < lazy["value"] < lazy["high"]) and rich["expected"].startswith("0 ")
    assert gain["value"] > 0.0
    assert {p.name for p in (tmp_path / "figures").iterdir()} >= {
        "drift_by_width.svg",
        "drift_by_exponent.svg",
        "slopes.svg",
    }


def test_every_run_ends_at_the_same_loss(made: Factory) -> None:
    study = lazy_to_rich(made, exponents=[0.75], widths=[32], seeds=2, remaining=0.3, steps=500)
    rows = study.measure(study.cells[0]).rows
    problem = made({}).problem
    target = 0.3 * float(problem.target @ problem.target) / (2 * problem.points)
    assert [row["status"] for row in rows] == ["CONVERGED"] * 2
    assert all(0.8 * target < float(row["loss"]) <= target for row in rows)  # type: ignore[arg-type]


def test_runs_that_do_not_get_there_are_left_out_and_counted(made: Factory, tmp_path: Path) -> None:
    study = lazy_to_rich(made, exponents=[0.5, 1.0], widths=[16], seeds=1, remaining=1e-9, steps=3)
    text = run_study(study, tmp_path).report.read_text(encoding="utf-8")
    assert "2 of 2 runs did not get there" in text


def test_the_expected_slope_vanishes_at_mean_field() -> None:
    assert np.allclose([expected_slope(p) for p in (0.5, 0.75, 1.0)], [-1.0, -0.5, 0.0])


def test_a_cell_holds_all_that_its_numbers_depend_on(made: Factory) -> None:
    first, second = (lazy_to_rich(made, exponents=[0.5], widths=[16], steps=n).cells[0] for n in (5, 6))
    assert Cell(first.parameters).identity() != second.identity()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"exponents": [0.4]}, "exponents"),
        ({"exponents": []}, "exponents"),
        ({"widths": [5]}, "widths"),
        ({"remaining": 1.0}, "remaining"),
    ],
)
def test_bad_options_are_refused(made: Factory, options: dict, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: got .*expected"):
        lazy_to_rich(made, **options)
