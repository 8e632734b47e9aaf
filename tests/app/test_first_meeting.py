"""What a stranger met on the first day, each once."""

from pathlib import Path

import pytest
import torch

from pinn_ntk.devices import SMALL, threads_for

MINE = """\
kind: text
domain: {kind: box, low: [0, 0], high: [1, 1]}
operator: {A: [["1 + x*x", 0.3], [0.3, 1]], b: ["y", "-x"], c: "-exp(x*y)"}
exact: "sin(pi*x)*y*(1 - y)"
conditions:
  - {type: dirichlet, on: x=0}
  - {type: robin, on: "x=1", alpha: 2, beta: 1}
points: 6
boundary_points: 6
test_points: 9
"""


def test_on_is_a_key_though_yaml_reads_it_as_true_and_a_problem_is_called_like_its_file(ran, workplace: Path) -> None:
    folder = workplace / "mine" / "problem"
    folder.mkdir(parents=True)
    (folder / "robin2.yaml").write_text(MINE, encoding="utf-8")
    outcome = ran("--config-dir", "mine", "problem=robin2")
    assert outcome.code == 0
    assert outcome.summary["problem"] == "robin2"
    assert outcome.folder.parent.name == "robin2"


@pytest.mark.parametrize("code", ["import sys; sys.exit(0)", "raise SystemExit('x')"])
def test_a_plugin_that_ends_the_interpreter_is_bad_input(ran, workplace: Path, code: str) -> None:
    (workplace / "ends.py").write_text(code, encoding="utf-8")
    outcome = ran("plugins=[ends.py]")
    assert outcome.code == 2
    assert "ends.py, line 1: raised SystemExit" in outcome.err


def test_a_plugin_may_import_everything_from_the_package(ran, workplace: Path) -> None:
    (workplace / "star.py").write_text("from pinn_ntk import *\nOPERATORS = {'mine': laplacian}\n", encoding="utf-8")
    assert ran("plugins=[star.py]").code == 0


def test_sizes_without_sense_are_refused_with_their_range(ran) -> None:
    outcome = ran("theory.forecast_draws=100000000000", "tracker.count=1000000000", "seed=99999999999999999999")
    assert outcome.code == 2
    for words in ("at most 1,000,000", "at most 100,000", f"at most {2**62:,}"):
        assert words in outcome.err


@pytest.mark.parametrize(
    "words", [("optimizer.kind=heavy_ball",), ("optimizer.kind='heavy_ball'",), ("++optimizer.kind=heavy_ball",)]
)
def test_a_kind_that_is_typed_brings_the_keys_of_its_option(ran, words: tuple[str, ...]) -> None:
    outcome = ran(*words)
    assert outcome.code == 0
    assert outcome.summary["config"]["optimizer"]["momentum"] == 0.9


def test_a_kind_beside_a_choice_is_a_key_of_that_choice(ran) -> None:
    outcome = ran("optimizer=sgd", "optimizer.kind=adam")
    assert outcome.code == 2
    assert "optimizer.kind: got adam beside optimizer=sgd; give one of the two" in outcome.err


def test_a_file_may_ask_for_finite_elements_without_their_options(ran, workplace: Path) -> None:
    pytest.importorskip("skfem")
    folder = workplace / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "beside.yaml").write_text("# @package _global_\nreference: {kind: fem}\n", encoding="utf-8")
    outcome = ran("--config-dir", "mine", "experiment=beside")
    assert outcome.code == 0
    assert outcome.summary["reference"]["degrees"] > 0


@pytest.mark.parametrize("name", ['"a\\0b"', '"\\ud800"', '"a\\nb"', '"\\e[31mred"'])
def test_a_name_that_no_file_could_hold_is_refused_before_it_is_lost_with_a_result(
    ran, workplace: Path, name: str
) -> None:
    folder = workplace / "mine" / "problem"
    folder.mkdir(parents=True)
    (folder / "robin2.yaml").write_text(f"{MINE}name: {name}\n", encoding="utf-8")
    outcome = ran("--config-dir", "mine", "problem=robin2")
    assert outcome.code == 2
    assert "problem.name: got" in outcome.err
    assert "expected one line of text" in outcome.err


def test_what_is_long_is_not_repeated_to_the_person(ran, workplace: Path) -> None:
    folder, long = workplace / "mine" / "problem", "9" * 5000
    folder.mkdir(parents=True)
    (folder / "robin2.yaml").write_text(MINE + "".join(f"key{k}: {'x' * 3000}\n" for k in range(100)), encoding="utf-8")
    (folder / "digits.yaml").write_text(MINE + f"seed: {long}\n", encoding="utf-8")
    many = ran("--config-dir", "mine", "problem=robin2")
    assert many.code == 2
    assert "100 problems with the input" in many.err
    assert "and 60 more" in many.err
    assert len(many.err) < 20_000
    for words in (
        ("--config-dir", "mine", "problem=digits"),
        (f"network.gamma={long}",),
        (f"seed={long}",),
        (f"name=({long}",),
    ):
        outcome = ran(*words)
        assert outcome.code == 2
        assert len(outcome.err) < 1000


def test_small_runs_take_one_thread_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr("pinn_ntk.devices._THREADS", 2)
    try:
        torch.set_num_threads(2)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        with threads_for(SMALL - 1):
            assert torch.get_num_threads() == 1
        with threads_for(SMALL):
            assert torch.get_num_threads() == 2
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        with threads_for(1):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
