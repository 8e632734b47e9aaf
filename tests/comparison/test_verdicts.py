"""Verdicts that are right: no statement fails by rounding, by the step alone or by the luck of one seed, and none holds
before anything has happened.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ntk import Block, Problem, Settings, TwoLayer, identity, laplacian, run, run_ensemble
from pinn_ntk.comparison import calibrated, calibration, compare, coverage, forecast_quantiles, step_share
from pinn_ntk.theory import predict

OVER_TIME = (
    "linear convergence", "linear convergence of descent", "λ_min during training", "stopping time",
    "linearised prediction", "outer weights stay", "inner weights stay",
)  # fmt: skip
QUICK = Settings(steps=40, tracked=12, forecast_draws=50)


def point(value: float = 0.7, weight: float = 1.0, operator=None) -> Problem:
    """u(1) = f."""
    one = torch.ones(1, 1, dtype=torch.float64)
    return Problem([Block(identity(1) if operator is None else operator, one, value, weight=weight)])


def plane(operator=None, values=(0.8, -0.6)) -> Problem:
    """The lecture's two points e_i."""
    x, f = torch.eye(2, dtype=torch.float64), torch.tensor(values, dtype=torch.float64)
    return Problem([Block(identity(2) if operator is None else operator, x, f)])


def statements(record) -> dict:
    return {s.name: s for s in compare(record)}


def failed(record) -> list[str]:
    return [f"{s.name}: {s.measured} against {s.predicted}" for s in compare(record) if s.verdict == "fails"]


@pytest.mark.parametrize("step", [0.1, 0.3, 0.7, 0.95, 0.99])
@pytest.mark.parametrize("seed", [3, 4])
def test_descent_is_held_against_the_bound_of_its_own_step(step: float, seed: int) -> None:
    """Steps far above half the limit broke the flow's bound by 1e21, every premise holding."""
    chosen = replace(QUICK, step_size=step, steps=40 if step < 0.99 else 200)
    record = run(point(), TwoLayer(1, 4096, "relu", bias=False, seed=seed), chosen)
    found = statements(record)
    assert not failed(record)
    assert found["linear convergence of descent"].verdict == "holds"
    assert f"with measured f = τβ/2 = {step:g}" in found["linear convergence of descent"].reason
    assert step_share(record.prediction, record.history) == pytest.approx(step, rel=1e-3)
    flow = found["linear convergence"]
    assert flow.verdict == ("holds" if step <= 0.7 else "not_applicable")
    assert record.summary()["theory"]["bound_holds"] is (True if step <= 0.7 else None)
    if step > 0.7:
        assert flow.measured > 1.0 and "the step is to blame" in flow.reason


def test_beyond_the_limit_nothing_is_promised() -> None:
    record = run(plane(), TwoLayer(2, 512, "relu", bias=False), replace(QUICK, step_size=1.3))
    found = statements(record)
    assert not failed(record) or failed(record)[0].startswith("linearised")
    for name in ("linear convergence", "linear convergence of descent", "stopping time", "outer weights stay"):
        assert found[name].verdict == "not_applicable"
        assert "f = τβ/2 = 1.3" in found[name].reason


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(6))
def test_a_run_into_rounding_fails_nothing(seed: int, dtype: str) -> None:
    """Δu = f on e_i: the loss ends where the arithmetic does, some 1e-28 or 1e-10 of its start."""
    record = run(
        plane(laplacian(2)), TwoLayer(2, 1024, "relu3", bias=False, seed=seed),
        Settings(steps=1500, tracked=16, dtype=dtype, forecast_draws=50),
    )  # fmt: skip
    assert not failed(record)
    floor = record.history.columns["loss_floor"][-1]
    assert record.history.losses[-1] < floor
    eps = torch.finfo(torch.float64 if dtype == "float64" else torch.float32).eps
    assert floor == pytest.approx(record.prediction.loss_floor, rel=1.0)
    assert 1e2 * eps**2 < floor < 1e8 * eps**2
    assert statements(record)["linear convergence"].e_folds > 5.0


def test_a_start_at_rounding_fails_nothing() -> None:
    """A trained network, trained again: bounds that start at rounding are about nothing."""
    problem = plane(laplacian(2))
    first = run(problem, TwoLayer(2, 1024, "tanh"), Settings(steps=3000, tracked=4, forecast_draws=10))
    again = run(problem, first.trained, replace(QUICK, steps=200))
    assert not failed(again)
    names = {s.name: s.verdict for s in again.statements}
    assert names["certificate"] == "vacuous"
    assert names["dissipation identity"] == "not_applicable"  # R = 1e-29 is no sum of squares to compare with


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    step=st.floats(0.05, 1.5),
    steps=st.integers(0, 60),
    width=st.sampled_from([16, 256, 2048]),
    weight=st.sampled_from([1e-6, 1.0, 1e4]),
    dtype=st.sampled_from(["float64", "float32"]),
)
def test_a_bound_fails_only_where_the_kernel_is_to_blame(
    seed: int, step: float, steps: int, width: int, weight: float, dtype: str
) -> None:
    """Of runs of one point: whatever step, weight and precision, a bound of the loss breaks only where the premises of
    the lecture do.
    """
    net = TwoLayer(1, width, "relu", bias=False, seed=seed)
    chosen = Settings(steps=steps, step_size=step, tracked=6, dtype=dtype, forecast_draws=20)
    found = statements(run(point(weight=weight), net, chosen))
    premises = found["λ_min at initialisation"].verdict == "holds" and found["stopping time"].verdict != "fails"
    if premises:
        assert "fails" not in {found[n].verdict for n in ("linear convergence", "linear convergence of descent")}
    assert found["dissipation identity"].verdict != "fails"
    assert found["inequality (2)"].verdict != "fails"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "fewer than two states"),
        ({"steps": 1, "step_size": 1e-3}, "e-folds only"),
        ({"steps": 40, "step_size": 1e-7}, "e-folds only"),
    ],
)
def test_nothing_holds_before_anything_has_happened(options: dict, words: str) -> None:
    found = statements(run(plane(), TwoLayer(2, 4096, "relu", bias=False), replace(QUICK, **options)))
    for name in OVER_TIME:
        assert found[name].verdict == "vacuous", name
    assert words in found["outer weights stay"].reason
    assert found["inequality (2)"].verdict == "holds"  # a claim about each state alone


def test_weights_that_move_by_less_than_their_rounding_do_not_stay() -> None:
    """γ = 1e-20: the inner weights have no gradient to speak of, the outer ones do all the work."""
    record = run(plane(), TwoLayer(2, 4096, "relu", bias=False, gamma=1e-20), replace(QUICK, step_size=0.2))
    record = replace(record, history=_with(record.history, max_delta_w=1e-17))
    found = statements(record)
    for name in ("inner weights stay", "λ_min during training"):
        assert found[name].verdict == "vacuous"
        assert "less than its rounding" in found[name].reason
    assert found["outer weights stay"].verdict != "vacuous"


def _with(history, **columns: float):
    """The history with some columns constant from the second tracked step on."""
    new = {n: np.append(0.0, np.full(len(history.columns[n]) - 1, v)) for n, v in columns.items()}
    return replace(history, columns={**history.columns, **new})


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "levenberg_marquardt", "heavy_ball"])
def test_other_laws_are_measured_without_a_verdict(optimizer: str) -> None:
    found = statements(run(plane(), TwoLayer(2, 64, "relu", bias=False), replace(QUICK, optimizer=optimizer, steps=10)))
    for name in ("λ_min during training", "stopping time", "outer weights stay", "inner weights stay"):
        assert found[name].verdict == "not_applicable", name
        assert found[name].measured is not None
        assert "another law" in found[name].reason


def test_second_order_methods_end_where_the_identity_is_not_judged() -> None:
    record = run(
        plane(laplacian(2)), TwoLayer(2, 64, "tanh"), replace(QUICK, optimizer="levenberg_marquardt", steps=30)
    )
    assert record.history.losses[-1] < record.history.columns["loss_floor"][-1]
    assert statements(record)["dissipation identity"].verdict == "holds"  # over the steps above rounding


@pytest.mark.parametrize("seed", range(20))
def test_a_centred_start_has_no_band(seed: int) -> None:
    record = run(plane(), TwoLayer(2, 256, "relu", bias=False, init="centred", seed=seed), replace(QUICK, steps=5))
    forecast = statements(record)["forecast before training"]
    assert (forecast.verdict, forecast.measured) == ("not_applicable", None)
    assert "not random" in forecast.reason


def test_one_seed_has_a_quantile_and_no_verdict() -> None:
    record = run(plane(), TwoLayer(2, 4096, "relu", bias=False), QUICK)
    forecast = statements(record)["forecast before training"]
    assert forecast.verdict == "not_applicable"
    assert 0.0 <= forecast.measured <= 1.0
    found = forecast_quantiles(record.prediction, record.history)
    drawn = record.prediction.lazy.forecast.drawn.sum(1) / 4  # R_S(θ⁰) of the draws
    assert found[0] == float((drawn < record.history.columns["loss"][0]).double().mean())


def test_an_ensemble_tests_the_calibration() -> None:
    """Forty wide networks lie in their band, as long as the kernel's own fluctuation is no matter; in half a band they
    do not.
    """
    settings = Settings(steps=8, step_size=0.1, tracked=6, forecast_draws=1000, spectra=2)
    record = run_ensemble(plane(), TwoLayer(2, 4096, "relu", bias=False), range(40), settings)
    (covered,) = (c for c in record.coverage if c.name == "forecast before training")
    assert (covered.verdict, covered.promised) == ("holds", pytest.approx(0.9))
    assert covered.holds + covered.fails == 40
    found = record.calibration
    assert found.seeds.tolist() == [40.0] * len(found.steps)
    assert ((found.low <= found.share) & (found.share <= found.high)).all()
    histories = [m.history for m in record.members]
    narrow = calibration(record.median.prediction, histories, band=(0.3, 0.7))
    (wrong,) = (c for c in calibrated(record.coverage, narrow) if c.name == "forecast before training")
    assert wrong.verdict == "fails"
    assert record.summary()["ensemble"]["calibration"]["inside"] == found.inside.tolist()


def test_one_member_is_no_ensemble() -> None:
    record = run(plane(), TwoLayer(2, 256, "relu", bias=False), QUICK)
    covered = coverage([record.statements], {})
    assert calibrated(covered, calibration(record.prediction, [record.history])) == covered


@pytest.mark.parametrize("factor", [30.0, 1.0])
def test_the_lemma_of_the_initial_loss_counts_the_coefficient(factor: float) -> None:
    """30 u(x_i) = f with |f| ≤ 1: without M the bound was broken by most seeds where γ is small."""
    problem = plane(factor * identity(2))
    found = [predict(problem, TwoLayer(2, 64, "relu", bias=False, gamma=0.5, seed=s), draws=5) for s in range(20)]
    assert {p.guarantee.premises.M for p in found} == {factor}
    assert all(p.initial_loss <= p.guarantee.loss_bound for p in found)
    plain = predict(plane(), TwoLayer(2, 64, "relu", bias=False, gamma=0.5), draws=5).guarantee.loss_bound
    roots = [np.sqrt(2 * p) - 1 for p in (found[0].guarantee.loss_bound, plain)]
    assert roots[0] == pytest.approx(factor * roots[1])


def test_the_lemma_of_the_initial_loss_needs_the_scaled_target() -> None:
    """Two blocks with weights: |f| ≤ 1 is not |Sf| ≤ 1."""
    x = torch.eye(2, dtype=torch.float64)
    blocks = [Block(identity(2), x[i : i + 1], 0.9, name=str(i), weight=(1.0, 50.0)[i]) for i in range(2)]
    lemma = statements(run(Problem(blocks), TwoLayer(2, 256, "relu", bias=False), replace(QUICK, steps=1)))
    assert lemma["initial loss lemma"].verdict == "not_applicable"
    assert "|Sf| ≤ 1" in lemma["initial loss lemma"].reason
