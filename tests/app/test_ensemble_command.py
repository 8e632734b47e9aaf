"""`ensemble.seeds`: one command trains all seeds, and refuses before any compute what cannot be one batch."""

import csv

import pytest


def test_a_command_trains_all_seeds(command, workplace) -> None:
    outcome = command(
        "problem=poisson_1d", "problem.points=4", "problem.test_points=16", "network.width=12", "optimizer.steps=6",
        "tracker.count=3",
        "theory.forecast_draws=4", "device=cpu", "ensemble.seeds=3", "seed=7",
    )  # fmt: skip
    assert outcome.code == 0
    assert outcome.report.name == "report.html"
    summary = outcome.summary
    assert (summary["ensemble"]["size"], summary["ensemble"]["seeds"], summary["seed"]) == (3, [7, 8, 9], 7)
    assert "3 seeds: 3 MAX_STEPS" in outcome.out
    assert all(len(line) <= 80 for line in outcome.out.splitlines()[:-1])
    with (outcome.folder / "ensemble.csv").open(encoding="utf-8") as file:
        assert [row["seed"] for row in csv.DictReader(file)] == ["7", "8", "9"]
    assert "seeds in 1 batch" in outcome.err or "bat" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ensemble.seeds=0",), "ensemble.seeds: got 0"),
        (("ensemble.seeds=2.5",), "ensemble.seeds: got 2.5"),
        (("ensemble.seeds=3", "optimizer=gradient_flow"), "gradient_flow"),
        (("ensemble.sedes=3",), "did you mean ensemble.seeds"),
    ],
)
def test_what_cannot_be_one_batch_is_refused(refused, words: tuple[str, ...], said: str) -> None:
    assert said in refused(*words)
