"""An ensemble from end to end: every seed is judged as alone, and where the theorem promises 1 − δ the seeds keep
it.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray
from cases import points

from pinn_ntk.comparison import clopper_pearson
from pinn_ntk.experiment import Settings, median_index, run, run_ensemble
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Block, Problem
from pinn_ntk.reporting import EnsembleRecord, Outcome
from pinn_ntk.training import State, each_member, law, tracked_steps

SEEDS = (4, 2, 9, 11, 5)


def problem() -> Problem:
    inside = Block(laplacian(1) + 2.0 * identity(1), points(4, 1), lambda x: torch.sin(3.0 * x[:, 0]))
    ends = Block(identity(1), torch.tensor([[0.0], [1.0]], dtype=torch.float64), 0.2, name="ends", weight=3.0)
    return Problem(
        [inside, ends], name="two blocks", exact=lambda x: torch.cos(x[:, 0]), test_points=points(7, 1, seed=2)
    )


@pytest.fixture(scope="module")
def record() -> EnsembleRecord:
    return run_ensemble(problem(), TwoLayer(1, 60, "relu3"), SEEDS, Settings(steps=30, tracked=9, forecast_draws=50))


def test_every_seed_is_judged_as_it_would_be_alone(record: EnsembleRecord) -> None:
    for seed, member in zip(SEEDS, record.members, strict=True):
        alone = run(problem(), TwoLayer(1, 60, "relu3", seed=seed), Settings(steps=30, tracked=9, forecast_draws=50))
        assert member.seed == seed
        assert [s.name for s in member.statements] == [s.name for s in alone.statements]
        expected = alone.summary()
        assert member.summary["loss"] == pytest.approx(expected["loss"], rel=1e-9)
        assert member.summary["error"] == pytest.approx(expected["error"], rel=1e-9)
        assert member.summary["kernel"] == pytest.approx(expected["kernel"], rel=1e-6)
        assert member.summary["step_limit"] == pytest.approx(expected["step_limit"], rel=1e-9)
        for ours, theirs in zip(member.statements, alone.statements, strict=True):
            if ours.name == "forecast before training":
                continue  # its band is drawn once for all seeds
            assert ours.verdict == theirs.verdict
            rounding = ours.name == "dissipation identity"  # its measured value
            for mine, other, digits in (
                (ours.predicted, theirs.predicted, 1e-9),
                (ours.measured, theirs.measured, 1e-5),
            ):
                assert (mine is None) == (other is None), ours.name
                if mine is not None and not (rounding and digits == 1e-5):
                    assert mine == pytest.approx(other, rel=digits), ours.name


def test_the_summary_is_that_of_a_run_with_medians(record: EnsembleRecord) -> None:
    summary = record.summary()
    alone = run(problem(), TwoLayer(1, 60, "relu3", seed=4), Settings(steps=30, tracked=9, forecast_draws=50)).summary()
    assert set(summary) == {*alone, "ensemble"}
    assert set(summary["theory"]) == set(alone["theory"])
    finals = [member.summary["loss"]["final"] for member in record.members]
    assert summary["loss"]["final"] == pytest.approx(np.median(finals))
    ensemble = summary["ensemble"]
    assert set(ensemble) >= {"size", "quantiles", "statuses", "coverage"}
    assert (ensemble["size"], ensemble["statuses"]) == (5, {"MAX_STEPS": 5})
    assert ensemble["quantiles"]["loss_final"]["0.5"] == pytest.approx(np.median(finals))
    assert [c["name"] for c in ensemble["coverage"]] == [s["name"] for s in summary["theory"]["statements"]]
    for covered in ensemble["coverage"]:
        counts = [covered[k] for k in ("holds", "fails", "vacuous", "not_applicable")]
        assert sum(counts) == 5
        if covered["share"] is not None:
            assert (covered["low"], covered["high"]) == clopper_pearson(counts[0], counts[0] + counts[1])
    json.dumps(summary, allow_nan=False)


def test_the_median_member_has_as_many_below_as_above(record: EnsembleRecord) -> None:
    finals = [float(m.history.losses[-1]) for m in record.members]
    assert finals[median_index([m.history for m in record.members])] == np.median(finals)
    assert record.median.history.losses[-1] == np.median(finals)
    assert set(record.median.kernels) == {"initial", "final"}


def test_an_ensemble_is_summed_up_once(record: EnsembleRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, summed, one = [], EnsembleRecord.summary, Outcome.summary
    monkeypatch.setattr(EnsembleRecord, "summary", lambda self: calls.append("all") or summed(self))
    monkeypatch.setattr(Outcome, "summary", lambda self: calls.append("median") or one(self))
    files = record.write(tmp_path)
    assert calls == ["all", "median"]
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == json.loads(json.dumps(files.summary))


def test_the_files_hold_every_seed(record: EnsembleRecord, tmp_path: Path) -> None:
    report = record.save(tmp_path / "run")
    page = report.read_text(encoding="utf-8")
    assert "5 seeds" in page and "Statements over seeds" in page and "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    with (report.parent / "ensemble.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["seed"]) for row in rows] == list(SEEDS)
    assert [float(row["loss_final"]) for row in rows] == [m.summary["loss"]["final"] for m in record.members]
    with (report.parent / "history.csv").open(encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    assert {row["members"] for row in history} == {"5"}
    assert all(float(row["loss_q05"]) <= float(row["loss"]) <= float(row["loss_q95"]) for row in history)
    with xarray.open_dataset(report.parent / "arrays.nc", engine="h5netcdf") as arrays:
        assert arrays["loss"].shape == (5, len(history))
        assert arrays["eigenvalues"].shape == (5, 2, 6)
        assert arrays["seed"].values.tolist() == list(SEEDS)
    assert json.loads((report.parent / "summary.json").read_text())["ensemble"]["size"] == 5
    assert {p.stem for p in (report.parent / "figures").iterdir()} >= {
        "ensemble_loss",
        "ensemble_lambda_min",
        "ensemble_drift",
    }


def test_a_tracker_of_single_runs_is_asked_about_each_member() -> None:
    seen: list[tuple[int, int]] = []

    def tracker(state: State) -> dict[str, object]:
        seen.append((state.step, state.start.seed))
        return (
            {"size": float(state.weights.a.norm()), "a": state.weights.a} if state.start.seed != 2 or state.step else {}
        )

    asked = each_member(tracker, law("gradient_descent", {}))
    record = run_ensemble(
        problem(), TwoLayer(1, 6, "tanh"), (1, 2), Settings(steps=3, tracked=2, theory=False, kernel=False), [asked]
    )
    assert seen == [(step, seed) for step in tracked_steps(3, 2) for seed in (1, 2)]
    one, two = (member.history for member in record.members)
    assert one.columns["size"][0] == pytest.approx(float(TwoLayer(1, 6, "tanh", seed=1).a0.norm()))
    assert np.isnan(two.columns["size"][0]) and np.isnan(two.arrays["a"][0]).all()
    assert two.arrays["a"][-1] == pytest.approx(two.final.weights.a.numpy())


def test_a_seed_that_diverges_is_counted_and_the_others_are_kept() -> None:
    settings = Settings(steps=40, step_size=1.05, divergence=1.5, tracked=5, theory=False)
    record = run_ensemble(problem(), TwoLayer(1, 30, "tanh"), range(12), settings)
    assert len(record.statuses) > 1
    assert sum(record.statuses.values()) == 12
    assert any("of 12 seeds" in note for note in record.warnings)
    assert record.status is record.statuses.most_common(1)[0][0]


@pytest.mark.parametrize("optimizer", ["heavy_ball", "nesterov"])
def test_momentum_is_trained_too(optimizer: str) -> None:
    settings = Settings(optimizer=optimizer, options={"momentum": 0.5}, steps=12, tracked=4, forecast_draws=10)
    record = run_ensemble(problem(), TwoLayer(1, 30, "tanh"), (3,), settings)
    alone = run(problem(), TwoLayer(1, 30, "tanh", seed=3), settings)
    assert record.members[0].history.losses == pytest.approx(alone.history.losses, rel=1e-11)
    assert record.median.step_limit == pytest.approx(alone.step_limit, rel=1e-12)


def test_what_cannot_be_one_batch_is_refused_before_any_compute() -> None:
    net = TwoLayer(1, 6, "tanh")
    with pytest.raises(ValueError, match="optimizer: got 'gradient_flow' with an ensemble"):
        run_ensemble(problem(), net, (0, 1), Settings(optimizer="gradient_flow"))
    with pytest.raises(ValueError, match="seeds: got none"):
        run_ensemble(problem(), net, ())


def test_at_the_theorems_width_the_seeds_keep_every_promise() -> None:
    """n = 1, x = 1, f² = ½, ReLU, γ = 1/√N, δ = 0.1 at N above every seed's own bound:
    all of it holds in at least 0.9 of the seeds.
    """
    target = torch.tensor([0.5**0.5], dtype=torch.float64)
    one = Problem([Block(identity(1), torch.ones(1, 1, dtype=torch.float64), target)])
    net = TwoLayer(1, 40_000, "relu", bias=False)
    record = run_ensemble(one, net, range(40), Settings(steps=25, step_size=0.1, tracked=6, forecast_draws=20))
    assert record.median.prediction is not None and record.median.prediction.guarantee is not None
    assert record.median.prediction.guarantee.least.width == pytest.approx(1.43e4, rel=0.01)
    promised = {c.name: c for c in record.coverage if c.promised is not None}
    assert set(promised) >= {
        "linear convergence", "λ_min at initialisation", "λ_min during training", "stopping time", "initial loss lemma",
        "outer weights stay", "inner weights stay", "initial outer weights", "initial inner weights",
    }  # fmt: skip
    for name, covered in promised.items():
        assert covered.promised == pytest.approx(0.9)
        assert covered.verdict == "holds", name
        assert covered.share is not None and covered.share >= 0.9, name
        assert covered.low is not None and covered.low > 0.75, name
