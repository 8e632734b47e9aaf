"""The race of optimisers: every method for the same time on the same networks, its clock stopped while others look."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pinn_ntk.kernels import closed_form_kernel
from pinn_ntk.studies import CLASSES, COLOURS, NAMES, STUDIES, Factory, measure, optimizers, run_study, timed
from pinn_ntk.training import METHODS, gradient_descent, levenberg_marquardt

RACERS = ("gradient_descent", "nesterov", "lbfgs", "levenberg_marquardt")
SMALL = ("problem=poisson_1d", "problem.points=12", "problem.test_points=64", "network.width=24")


@pytest.fixture
def made(factory: Callable[..., Factory]) -> Factory:
    return factory(*SMALL)


def test_the_study_runs_from_end_to_end(made: Factory, tmp_path: Path) -> None:
    study = STUDIES["optimizers"](made, methods=list(RACERS), seeds=2, seconds=0.3, steps=40, tracked=6)
    finished = run_study(study, tmp_path)
    assert finished.summary["status"] == "DONE"
    assert not finished.failed
    quasi, second, sooner_quasi, sooner_second = finished.summary["findings"]
    assert second["value"] > 10.0 and second["verdict"] == "fails"  # the second-order error is by far the smaller one
    assert quasi["verdict"] in ("holds", "fails")
    assert sooner_second["value"] > 1.0 and sooner_second["verdict"] == "holds"
    assert sooner_quasi["reason"]
    pictures = {"error_by_seconds.svg", "error_by_step.svg", "drift_by_step.svg", "drift_by_seconds.svg"}
    assert {p.name for p in (tmp_path / "figures").iterdir()} == pictures
    table = (tmp_path / "table.csv").read_text(encoding="utf-8")
    assert all(method in table for method in RACERS)
    json.dumps(finished.summary)


def test_the_course_is_that_of_the_method_itself(made: Factory) -> None:
    study = optimizers(made, methods=["levenberg_marquardt"], seeds=1, seconds=60.0, steps=6, tracked=20)
    measured = measure(made, study.cells[0])
    parts = made({"seed": 0})
    states = list(levenberg_marquardt(parts.network, parts.problem, steps=6))
    assert measured.arrays["loss"] == pytest.approx([s.loss for s in states], rel=1e-6, abs=1e-28)
    assert measured.arrays["step"].tolist() == list(range(7))
    start, end = (closed_form_kernel(s.network, parts.problem).total for s in (states[0], states[-1]))
    assert measured.arrays["drift"][-1] == pytest.approx(float((end - start).norm() / start.norm()), rel=1e-6)
    assert (np.diff(measured.arrays["seconds"]) > 0.0).all()
    (row,) = measured.rows
    assert (row["status"], row["steps_taken"], row["class"]) == ("MAX_STEPS", 6, "second order")


def test_the_clock_stands_still_between_states() -> None:
    def slow() -> Iterator[int]:
        for k in range(5):
            time.sleep(0.01)
            yield k

    spent = []
    for _, seconds, over in timed(slow(), 0.025, torch.device("cpu")):  # type: ignore[arg-type]
        time.sleep(0.03)
        spent.append((seconds, over))
    assert spent[0] == (0.0, False)
    assert all(0.01 * k <= s < 0.01 * k + 0.025 for k, (s, _) in enumerate(spent))
    assert [over for _, over in spent] == [s >= 0.025 for s, _ in spent]


def test_a_run_ends_with_its_time(made: Factory) -> None:
    study = optimizers(made, methods=["adam"], seeds=1, seconds=0.05, steps=10_000_000, tracked=10)
    (row,) = measure(made, study.cells[0]).rows
    assert 0.05 <= float(row["seconds_taken"]) < 1.0  # type: ignore[arg-type]
    assert row["status"] == "RUNNING"


def test_a_problem_without_a_known_solution_is_measured_by_its_residual(factory: Callable[..., Factory]) -> None:
    made = factory("problem=regression", "problem.points=8", "network.width=16")
    study = optimizers(made, methods=["lbfgs", "sgd"], seeds=1, seconds=1.0, steps=5, tracked=5)
    for cell in study.cells:
        arrays = measure(made, cell).arrays
        assert np.isfinite(arrays["error"]).all()


def test_gradient_descent_has_no_momentum(made: Factory) -> None:
    study = optimizers(made, methods=["gradient_descent", "heavy_ball"], seeds=1, seconds=60.0, steps=12, tracked=20)
    plain, ball = (measure(made, cell).arrays for cell in study.cells)
    parts = made({"seed": 0})
    expected = np.array([s.loss for s in gradient_descent(parts.network, parts.problem, 0.5, 12)])
    assert plain["loss"] == pytest.approx(expected[plain["step"].astype(int)], rel=1e-9)
    assert ball["loss"][-1] != pytest.approx(expected[-1], rel=1e-3)


def test_every_method_of_a_class_is_a_method_with_a_name_and_a_colour() -> None:
    assert set(CLASSES) <= set(METHODS)
    assert set(CLASSES) == set(NAMES) == set(COLOURS)
    assert len(set(COLOURS.values())) == len(COLOURS)


@pytest.mark.parametrize("method", ["spring", "variable_projection"])
def test_second_order_methods_race_with_options_of_their_own(made: Factory, method: str) -> None:
    measured = measure(made, optimizers(made, methods=[method], seeds=1, seconds=60.0, steps=5, tracked=5).cells[0])
    assert measured.rows[0]["class"] == "second order"
    assert measured.arrays["loss"][-1] < 1e-2 * measured.arrays["loss"][0]


BAD = [
    ({"methods": ["newton"]}, "methods"),
    ({"seconds": 0.0}, "seconds"),
    ({"seeds": 0}, "seeds"),
    ({"tracked": 1}, "tracked"),
]


@pytest.mark.parametrize(("options", "name"), BAD)
def test_bad_options_are_refused(made: Factory, options: dict, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: got .*expected"):
        optimizers(made, **options)
