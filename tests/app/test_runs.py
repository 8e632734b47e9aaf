"""Runs by the command: their exit codes, and what is said about them."""

import json
import logging
import re
from pathlib import Path

import pytest
import yaml
from modules import module_of

from pinn_ntk.app import Exit, Job, closing_table, guarded, progress, tracker
from pinn_ntk.kernels import MemoryShortageError, with_backoff
from pinn_ntk.training import law

job = module_of(Job)

TEXT = 'kind: text\nname: {name}\ndim: 1\noperator: {{kind: laplacian}}\nexact: "sin(3*x)"\npoints: 5\ntest_points: 9\n'


def test_row_13_an_inconsistent_solution_is_a_warning(ran, mine) -> None:
    mine(TEXT.format(name="mine") + "source: 7\n")
    outcome = ran("--config-dir", "my_conf", "problem=mine")
    assert outcome.code == 0
    assert "largest residual" in outcome.err
    assert any("largest residual" in w for w in outcome.summary["warnings"])


def test_row_15b_replicated_points_run_with_a_warning(ran) -> None:
    outcome = ran("problem=regression", "problem.points=[[0.25],[0.5],[0.5]]")
    assert outcome.code == 0
    assert "rows repeat one another" in outcome.err


@pytest.mark.parametrize("words", [("network.width=1", "problem.points=8"), ("network.width=60", "network.bias=false",
"problem=regression",
                                    "problem.points=[[0.3],[0.6]]", "activation=relu2")])  # fmt: skip
def test_row_17_a_singular_kernel_runs_and_the_theory_says_why(ran, words: tuple[str, ...]) -> None:
    outcome = ran(*words, "theory=predict", "theory.forecast_draws=4")
    assert outcome.code == 0
    assert outcome.summary["theory"]["applicable"] is False
    assert outcome.summary["theory"]["reason"]
    assert "not applicable" in outcome.out


def test_row_18_a_smallest_eigenvalue_below_rounding_is_said_to_be() -> None:
    kernel = {"lambda_min_initial": 1e-20, "lambda_min_final": 2.0, "floor": 1e-17}
    summary = {"problem": "p", "points": 1, "dim": 1, "activation": "a", "width": 1, "parameters": 3,
    "dtype": "float64", "device": "cpu",
               "status": "MAX_STEPS", "steps": 1, "loss": {"initial": 1.0, "final": None}, "kernel": kernel,
               "theory": None,
               "time": {"total": 1.0}}  # fmt: skip
    text = closing_table(summary)
    assert "< 1e-17 (rounding floor) → 2" in text
    assert "1 → not available" in text


def test_row_19_a_loss_that_overflows_is_a_named_stop(ran) -> None:
    outcome = ran("optimizer.absolute=true", "optimizer.step_size=1e300", "optimizer.divergence=1e300")
    assert outcome.code == 3
    assert outcome.summary["status"] == "NON_FINITE"
    assert outcome.summary["nonfinite"]


def test_row_21_a_step_above_the_limit_warns_and_is_refused_under_strict(ran) -> None:
    words = ("optimizer.step_size=1.5", "optimizer.steps=1")
    outcome = ran(*words)
    assert outcome.code == 0
    assert "above the stability limit" in outcome.err
    outcome = ran(*words, "strict=true")
    assert outcome.code == 2
    assert "above the stability limit" in outcome.err


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("optimizer.tolerance=1e9",), "CONVERGED", 0),
        ((), "MAX_STEPS", 0),
        (("optimizer.step_size=30", "optimizer.steps=300"), "DIVERGED", 3),
        (("optimizer.stagnation=0.9999", "optimizer.window=2", "optimizer.step_size=1e-6"), "STAGNATED", 0),
    ],
)
def test_row_22_every_stop_has_its_name_and_code(ran, words: tuple[str, ...], status: str, code: int) -> None:
    outcome = ran(*words)
    assert (outcome.summary["status"], outcome.code) == (status, code)
    assert status in outcome.out


def test_row_22_a_flow_that_gives_up_says_why(ran, monkeypatch) -> None:
    monkeypatch.setattr(module_of(law), "MOST_EVALUATIONS", 2000)
    words = ("problem=regression", "problem.points=8", "network.width=4", "activation=relu", "optimizer=gradient_flow")
    outcome = ran(*words, "optimizer.steps=1000", "optimizer.step_size=0.5", "tracker.count=40")
    assert outcome.code == 0
    assert outcome.summary["status"] == "MAX_STEPS"
    assert any("came to no next time in 2,000 evaluations" in w for w in outcome.summary["warnings"])
    assert "came to no next time" in " ".join(outcome.err.split())


def test_row_23_a_width_below_the_theorems_is_no_failure(ran) -> None:
    words = (
        "activation=relu3",
        "network.width=40",
        "optimizer.step_size=0.01",
        "theory=predict",
        "theory.forecast_draws=4",
    )
    outcome = ran(*words)
    assert outcome.code == 0
    assert outcome.summary["theory"]["width_ratio"] < 1
    assert "sufficient width not met" in outcome.out


def test_row_24_float32_is_allowed_with_a_warning(ran) -> None:
    outcome = ran("dtype=float32")
    assert (outcome.code, outcome.summary["dtype"]) == (0, "float32")
    assert any("float32" in w for w in outcome.summary["warnings"])


def test_row_25_auto_falls_back_with_a_line(ran) -> None:
    outcome = ran("device=auto")
    assert outcome.code == 0
    assert f"device auto: {outcome.summary['device']}" in outcome.err


def test_row_26_memory_that_is_short_after_back_off_is_4(capsys) -> None:
    def hungry(chunk: int) -> None:
        raise MemoryError("can't allocate memory")

    assert guarded(lambda: with_backoff(hungry, 8) and 0) == Exit.RESOURCES
    assert "smallest chunk" in capsys.readouterr().err


def test_row_27_memory_that_is_predicted_to_be_short_is_2(capsys) -> None:
    def refuse() -> int:
        raise MemoryShortageError("the kernel needs 9000.0 GiB, 2.0 GiB are available")

    assert guarded(refuse) == Exit.BAD_INPUT
    assert "9000.0 GiB" in capsys.readouterr().err


def test_row_37_a_failing_job_of_a_sweep_does_not_stop_the_others(ran, workplace: Path) -> None:
    outcome = ran("-m", "network.width=12,-1,6", "report=quiet", "hydra.sweep.dir=all")
    assert outcome.code == 1
    assert outcome.out.splitlines()[-2] == "2 of 3 jobs done"
    assert outcome.out.splitlines()[-1] == str(workplace / "all" / "report.html")
    assert "network.width: got -1" in outcome.err
    assert "exit 2: " in outcome.err
    widths = {
        json.loads(path.read_text(encoding="utf-8"))["width"] for path in (workplace / "all").glob("*/summary.json")
    }
    assert widths == {12, 6}


def test_a_sweep_over_activations(ran, workplace: Path) -> None:
    outcome = ran("-m", "activation=sin,erf", "report=quiet", "output=both")
    assert outcome.code == 0
    names = {
        json.loads(path.read_text(encoding="utf-8"))["activation"]
        for path in (workplace / "both").glob("*/summary.json")
    }
    assert names == {"sin", "erf"}


def test_row_41_without_a_terminal_about_ten_lines_are_logged(ran) -> None:
    lines = [line for line in ran("optimizer.steps=100").err.splitlines() if line.startswith("step ")]
    assert 10 <= len(lines) <= 12
    assert "loss" in lines[-1]


def test_row_41_on_a_terminal_there_is_a_bar(monkeypatch, capsys) -> None:
    class State:
        step, loss = 3, 0.5

    monkeypatch.setattr(module_of(progress), "is_terminal", lambda _: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with progress(4, bar=True) as show:
        show(State())
    assert "3/4" in capsys.readouterr().err


def test_row_43_a_tracker_that_fails_is_asked_no_more(caplog) -> None:
    calls = []

    def ask(state):
        calls.append(state)
        raise RuntimeError("disconnected")

    guarded_tracker = tracker("cloud", ask)
    with caplog.at_level(logging.WARNING, "pinn_ntk"):
        assert [guarded_tracker(k) for k in range(3)] == [{}, {}, {}]
    assert calls == [0]
    assert caplog.text.count("tracker cloud: RuntimeError: disconnected") == 1


def test_row_45_names_with_markup_are_only_text(ran, mine) -> None:
    mine(TEXT.format(name="'<b>[red]x[/red] $\\frac{1}{2}$</b>'"))
    outcome = ran("--config-dir", "my_conf", "problem=mine")
    assert outcome.code == 0
    assert "<b>[red]x[/red]" in outcome.out
    assert outcome.folder.parent.name == "b_red_x_red_frac_1_2_b"


@pytest.mark.parametrize(
    "words",
    [
        ("network.width=1",),
        ("problem.points=1",),
        ("optimizer.steps=0",),
        ("network.width=1000000", "optimizer.steps=0"),
        ("optimizer=gradient_flow",),
        ("network=mean_field",),
        ("tracker=loss",),
    ],
)
def test_row_46_extremes_work(ran, words: tuple[str, ...]) -> None:
    outcome = ran("optimizer.step_size=0.01", *words)
    assert outcome.code == 0, outcome.err
    assert outcome.summary["loss"]["final"] <= outcome.summary["loss"]["initial"]


def test_a_bug_of_ours_is_one_line_with_its_traceback_in_the_log(ran, monkeypatch, workplace: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("inside")

    monkeypatch.setattr(job, "run", broken)
    outcome = ran("output=bug")
    assert outcome.code == 1
    log = workplace / "bug" / "run.log"
    assert str(log) in outcome.err
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_before_there_is_a_folder_the_traceback_has_a_file_of_its_own(capsys) -> None:
    assert guarded(lambda: {}["inside"]) == Exit.BUG
    log = Path(capsys.readouterr().err.strip().rsplit(" ", 1)[-1])
    assert "KeyError" in log.read_text(encoding="utf-8")
    log.unlink()


def test_a_numerical_stop_before_training_is_3(capsys) -> None:
    def stop() -> int:
        raise ArithmeticError("λ_max is 0")

    assert guarded(stop) == Exit.NUMERICAL
    assert "λ_max" in capsys.readouterr().err


def test_the_configuration_is_shown_on_request(command) -> None:
    shown = yaml.safe_load(command("--cfg", "job", "problem=wave_1d").out)
    assert shown["problem"]["kind"] == "wave_1d"
    assert yaml.safe_load(command("--cfg", "job", "-p", "network").out)["width"]
    assert "hydra" in yaml.safe_load(command("--cfg", "all").out)


def test_help_and_version(command) -> None:
    assert "problem=wave_1d" in command("--help").out
    assert re.match(r"pinn_ntk .*, torch .*, hydra-core ", command("--version").out)
