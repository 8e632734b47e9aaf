"""What differs between two runs is found where it is, and rounding is told from a change."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pinn_ntk import PROBLEMS, TwoLayer, run
from pinn_ntk.app import COMPARE_HELP as HELP
from pinn_ntk.app import compare as main
from pinn_ntk.experiment import Settings
from pinn_ntk.reporting import ROUNDINGS, Verdict, compare_runs

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture
def compared(capsys):
    """(code, stdout, stderr) of one call."""

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(w) for w in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return call


def verdicts(one: Path, two: Path) -> dict[str, Verdict]:
    return {m.name: m.verdict for m in compare_runs(one, two).results}


def test_the_same_run_twice_is_the_same_to_the_bit(ran, compared, workplace) -> None:
    ran("output=a")
    ran("output=b", "report=quiet")  # what is shown changes no number
    code, out, _ = compared("a", "b/report.html", "--require", "bits")
    assert code == 0
    assert "configuration: 0 of" in out and "made with: 0 of" in out
    assert "The same to the bit" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("seed=1", Verdict.DIFFERENT),
        ("network.width=13", Verdict.DIFFERENT),
        ("optimizer.step_size=0.2", Verdict.GROWN),
    ],
)
def test_a_key_that_differs_is_named(word: str, verdict: Verdict, ran, compared, workplace) -> None:
    ran("output=a")
    ran("output=b", word)
    code, out, _ = compared("a", "b", "--require", "rounding")
    assert code == 3
    assert "configuration: 1 of" in out
    assert f"\n  {word.split('=')[0]}\n" in out
    assert compare_runs(Path("a"), Path("b")).verdict is verdict


def test_more_steps_are_the_same_run_and_apart_at_the_end(ran, workplace) -> None:
    ran("output=a", "tracker.every=1")
    ran("output=b", "tracker.every=1", "optimizer.steps=9")
    found = verdicts(Path("a"), Path("b"))
    assert found["loss"] is Verdict.SAME  # at the steps that both have
    assert found["parameters a0"] is Verdict.SAME
    assert found["parameters delta_a"] is found["steps"] is Verdict.GROWN


def test_other_tracked_steps_make_no_other_run(ran, workplace) -> None:
    """The largest drift over tracked steps depends on these, and is compared where they are the same."""
    ran("output=a", "tracker.every=1", "theory=predict")
    ran("output=b", "tracker.every=2", "theory=predict")
    difference = compare_runs(Path("a"), Path("b"))
    assert difference.verdict is Verdict.SAME
    assert difference.only_one == (("step 1", 1), ("step 3", 1), ("step 5", 1))


def changed(folder: Path, name: str, row: int, factor: float, table: str = "history.csv") -> None:
    """One number of a table is another one."""
    path = folder / table
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    rows[row][name] = repr(float(rows[row][name]) * factor)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("row", "factor", "verdict"),
    [
        (0, 1 + 1e-13, Verdict.ROUNDING),
        (-1, 1 + 1e-13, Verdict.ROUNDING),
        (-1, 1 + 1e-6, Verdict.GROWN),
        (0, 1 + 1e-6, Verdict.DIFFERENT),
    ],
)
def test_rounding_is_told_from_growth_and_change(row: int, factor: float, verdict: Verdict, ran, workplace) -> None:
    ran("output=a")
    shutil.copytree("a", "b")
    changed(Path("b"), "loss", row, factor)
    found = compare_runs(Path("a"), Path("b"))
    assert found.verdict is verdict
    (measure,) = [m for m in found.results if m.name == "loss"]
    # √(2R) moves by half the factor, at the start by that of its own scale
    assert measure.size == pytest.approx((factor - 1) / 2, rel=1e-2) if row == 0 else measure.size <= (factor - 1) / 2


def test_parameters_of_any_network_are_moved_by_training(ran, workplace) -> None:
    for name, steps in (("a", 6), ("b", 9)):
        ran("network=mlp", "network.width=4", "network.depth=2", f"output={name}", f"optimizer.steps={steps}")
    assert compare_runs(Path("a"), Path("b")).verdict is Verdict.GROWN


def test_a_small_late_loss_is_judged_by_the_first_one(ran, workplace) -> None:
    """A residual of 1e-13 beside a first one of 1 is rounding: that the loss then differs by a factor means nothing."""
    ran("output=a")
    shutil.copytree("a", "b")
    for folder, factor in (("a", 1e-26), ("b", 7e-26)):
        changed(Path(folder), "loss", -1, factor)
    assert verdicts(Path("a"), Path("b"))["loss"] is Verdict.ROUNDING


def test_a_parameter_that_is_another_is_found(ran, workplace) -> None:
    ran("output=a")
    shutil.copytree("a", "b")
    path = Path("b/network.safetensors")
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        about = file.metadata()
    tensors = load_file(path)
    tensors["w0"][0, 0] += 1e-3
    save_file(tensors, path, about)
    found = verdicts(Path("a"), Path("b"))
    assert found.pop("parameters w0") is Verdict.DIFFERENT
    assert set(found.values()) == {Verdict.SAME}


def test_float32_has_its_own_rounding(ran, workplace) -> None:
    ran("output=a", "dtype=float32")
    ran("output=b")
    found = compare_runs(Path("a"), Path("b"))
    assert found.allowance == ROUNDINGS * torch.finfo(torch.float32).eps
    assert {m.name: m.verdict for m in found.results}["loss"] is Verdict.ROUNDING
    assert [key for key, *_ in found.config] == ["dtype"]


def test_ensembles_and_runs_from_python(ran, compared, workplace) -> None:
    for name in ("a", "b"):
        ran("ensemble.seeds=3", f"output={name}")
    assert compare_runs(Path("a"), Path("b")).verdict is Verdict.SAME
    problem = PROBLEMS["poisson_2d"](points=6, test_points=8)
    for name, size in (("c", 0.5), ("d", 0.25)):
        record = run(problem, TwoLayer(2, 8, "tanh"), Settings(steps=3, theory=False, step_size=size))
        record.save(name)
    assert [key for key, *_ in compare_runs(Path("c"), Path("d")).config] == ["settings.step_size"]


def test_a_number_of_the_summary_and_one_of_a_seed_are_results(ran, workplace) -> None:
    ran("output=a", "ensemble.seeds=3", "theory=predict")
    shutil.copytree("a", "b")
    path = Path("b/summary.json")
    summary = json.loads(path.read_text(encoding="utf-8"))
    summary["theory"]["expected_loss"] *= 1 + 1e-9
    path.write_text(json.dumps(summary), encoding="utf-8")
    changed(Path("b"), "drift", 1, 1 + 1e-9, "ensemble.csv")
    found = {name: verdict for name, verdict in verdicts(Path("a"), Path("b")).items() if verdict is not Verdict.SAME}
    assert found == {"theory.expected_loss": Verdict.DIFFERENT, "seeds drift": Verdict.GROWN}


def test_what_only_one_of_both_has_is_named(ran, compared, workplace) -> None:
    ran("output=a", "theory=predict")
    ran("output=b", "tracker=loss")
    code, out, _ = compared("a", "b", "--require", "bits")
    assert code == 0  # what both have is the same
    assert "only in 1: " in out and "drift" in out and "theory." in out and "only in 2: " not in out
    names = {entry["name"] for entry in json.loads(compared("a", "b", "--json")[1])["only_one"]}
    assert names >= {"drift", "lambda_min", "theory.lambda_s", "statement: dissipation identity"}


def test_sweeps_are_compared_row_by_row(ran, compared, workplace) -> None:
    shutil.copytree(GOLDEN / "sweep_gradient_descent", "a")
    shutil.copytree("a", "b")
    assert compared("a", "b", "--require", "bits")[0] == 0
    changed(Path("b"), "loss_final", 1, 1 + 1e-6, "table.csv")
    assert verdicts(Path("a"), Path("b"))["table loss_final"] is Verdict.DIFFERENT
    table = Path("b/table.csv")
    table.write_text("".join(table.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    assert verdicts(Path("a"), Path("b"))["table loss_initial"] is Verdict.DIFFERENT  # another number of rows
    ran("output=c")
    code, _, err = compared("a", "c")
    assert (code, "got a sweep in 'a' and a run in 'c', expected two of a kind" in err) == (2, True)


def test_studies_are_compared_by_their_rows_and_findings(compared, workplace) -> None:
    shutil.copytree(GOLDEN / "study_gradient_descent", "a")
    shutil.copytree("a", "b")
    assert compared("a", "b", "--require", "bits")[0] == 0
    path = Path("b/summary.json")
    summary = json.loads(path.read_text(encoding="utf-8"))
    name = summary["findings"][0]["name"]
    summary["findings"][0]["value"] += 1e-6
    path.write_text(json.dumps(summary), encoding="utf-8")
    changed(Path("b"), "drift", 0, 1 + 1e-13, "table.csv")
    found = verdicts(Path("a"), Path("b"))
    assert (found[f"statement: {name}, value"], found["table drift"]) == (Verdict.DIFFERENT, Verdict.ROUNDING)


def test_a_kernel_that_has_grown_and_a_lambda_s_near_its_floor_are_rounded_as_they_are(ran, workplace) -> None:
    ran("output=a", "theory=predict")
    shutil.copytree("a", "b")
    for folder in (Path("a"), Path("b")):
        changed(folder, "drift", -1, 1e9 * (1 + 1e-13 * (folder.name == "b")))  # ‖ΔK̂‖ a billion times ‖K̂₀‖
        path = folder / "summary.json"
        summary = json.loads(path.read_text(encoding="utf-8"))
        summary["theory"] |= {"lambda_s": 1e-15 * (1 + 1e-8 * (folder.name == "b")), "lambda_s_floor": 1e-20}
        path.write_text(json.dumps(summary), encoding="utf-8")
    found = verdicts(Path("a"), Path("b"))
    assert found["drift"] is found["theory.lambda_s"] is Verdict.ROUNDING


def test_json_is_for_programs(ran, compared, workplace) -> None:
    ran("output=a")
    ran("output=b", "seed=1", "tracker=loss")
    code, out, _ = compared("a", "b", "--json")
    assert code == 0
    found = json.loads(out, parse_constant=pytest.fail)
    assert found["verdict"] == "different"
    assert {entry["key"] for entry in found["config"]} == {"seed", "tracker.kernel"}


def test_versions_and_commits_are_compared(ran, compared, workplace) -> None:
    ran("output=a")
    shutil.copytree("a", "b")
    path = Path("b/summary.json")
    summary = json.loads(path.read_text(encoding="utf-8"))
    assert {"pinn_ntk", "project"} == set(summary["commit"])
    summary["versions"]["torch"], summary["threads"] = "2.5.0", 64
    path.write_text(json.dumps(summary), encoding="utf-8")
    _, out, _ = compared("a", "b")
    assert "made with: 2 of" in out and "  versions.torch\n" in out and "  threads\n      1  1\n      2  64\n" in out


@pytest.mark.parametrize("damage", ["none", "empty", "cut", "list", "sweep", "columns"])
def test_what_is_no_run_is_refused(damage: str, ran, compared, workplace) -> None:
    ran("output=a")
    shutil.copytree("a", "b")
    path = Path("b/summary.json")
    text = path.read_text(encoding="utf-8")
    if damage == "none":
        shutil.rmtree("b")
    elif damage == "columns":
        Path("b/history.csv").write_text("step,loss\n1,abc\n", encoding="utf-8")
    else:
        path.write_text(
            {"empty": "", "cut": text[:99], "list": "[]", "sweep": '{"sweep": "x"}'}[damage], encoding="utf-8"
        )
    code, out, err = compared("a", "b")
    assert (code, out) == (2, "")
    assert "RUN: " in err and "b" in err


def test_words_that_are_wrong_and_help(compared) -> None:
    assert compared()[0] == 2
    code, _, err = compared("a", "b", "--requires", "x")
    assert code == 2 and "pinn-ntk-compare --help" in err
    assert compared("--help")[0] == 0
    assert max(map(len, HELP.splitlines())) <= 80
