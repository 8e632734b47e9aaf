"""Claims: one record per statement, read by everything that speaks of statements."""

from dataclasses import replace

import numpy as np
import pytest
from modules import module_of

from pinn_ntk import Settings, Statement, TwoLayer, box, compare, laplacian, pose, run, run_ensemble
from pinn_ntk.comparison import CLAIMS, Claim, Evidence, Premise, Reading, WidthPremise, promises
from pinn_ntk.reporting import answer

PROBLEM = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=6)
SHORT = Settings(steps=6, tracked=3, forecast_draws=20)
MOVED = Claim(
    "weights move",
    "max_k |Δa_k| ≥ 0",
    "the largest tracked displacement is at least 0",
    lambda e: Reading(float(e.column("max_delta_a").max()), 0.0),
    relation="≥",
    promise=WidthPremise("from two neurons on", lambda guarantee, width: width >= 2),
    sentence=lambda statement, number: f"Outer weights moved by {number(statement.measured or 0.0)}.",
)


@pytest.fixture(scope="module")
def record():
    return run(PROBLEM, TwoLayer(1, 32, "relu3"), SHORT)


def only(measured: float, bound: float, relation: str, tolerance: float = 1e-9) -> Statement:
    """The statement of a claim with that reading."""
    claim = Claim("a", "", "", lambda _: Reading(measured, bound, tolerance=tolerance), relation=relation)
    return claim.statement(Evidence(None, None))  # type: ignore[arg-type]


def test_the_two_ends_of_the_bound_are_where_slack_is_one() -> None:
    assert only(1.0, 1.0, "≤").verdict == only(1.0, 1.0, "≥").verdict == "holds"
    assert only(1.001, 1.0, "≤").verdict == only(0.999, 1.0, "≥").verdict == "fails"
    assert only(1.001, 1.0, "≤", tolerance=1e-2).verdict == "holds"
    assert only(0.5, 1.0, "≤").slack == only(2.0, 1.0, "≥").slack == 2.0
    assert only(0.0, 1.0, "≤").slack is None


def test_every_claim_says_its_name_its_symbols_and_how_it_is_judged(record) -> None:
    evidence = Evidence(record.history, record.prediction)
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.name
        assert claim.judged
        assert claim.symbols_for(evidence)
        assert all(premise.words for premise in claim.premises)
        assert claim.silent_when or "vacuous" not in {s.verdict for s in compare(record) if s.name == claim.name}


def test_a_run_is_asked_every_claim_in_the_order_of_the_table(record) -> None:
    assert [s.name for s in record.statements] == [claim.name for claim in CLAIMS]


def test_premises_are_asked_in_their_order_and_the_first_that_fails_is_the_reason(record) -> None:
    premises = tuple(Premise(word, lambda _, w=word: w) for word in ("", "first", "second"))
    statement = replace(MOVED, premises=premises).statement(Evidence(record.history, record.prediction))
    assert (statement.verdict, statement.reason, statement.measured) == ("not_applicable", "first", None)


def test_what_is_measured_may_put_a_run_outside_a_claim_or_say_nothing(record) -> None:
    evidence = Evidence(record.history, record.prediction)
    outside = replace(MOVED, condition=lambda _, reading: "outside").statement(evidence)
    empty = replace(MOVED, vacuous=lambda _, reading: "nothing").statement(evidence)
    assert (outside.verdict, outside.reason) == ("not_applicable", "outside")
    assert (empty.verdict, empty.reason) == ("vacuous", "nothing")
    assert outside.measured == empty.measured == float(np.max(record.history.columns["max_delta_a"]))
    nothing = replace(MOVED, reading=lambda _: "no steps").statement(evidence)
    assert (nothing.verdict, nothing.reason, nothing.predicted) == ("vacuous", "no steps", None)


def test_a_new_claim_is_one_record_in_one_table(monkeypatch) -> None:
    """Comparison, summary, answer, coverage and promises have it without being told."""
    for reader in (compare, promises, answer):
        monkeypatch.setattr(module_of(reader), "CLAIMS", (*CLAIMS, MOVED))
    record = run(PROBLEM, TwoLayer(1, 32, "relu3"), SHORT)
    summary = record.summary()
    assert summary["theory"]["statements"][-1]["name"] == "weights move"
    assert "Outer weights moved by" in answer(record, summary)
    ensemble = run_ensemble(PROBLEM, TwoLayer(1, 32, "relu3"), [0, 1], SHORT)
    (covered,) = (c for c in ensemble.coverage if c.name == "weights move")
    assert (covered.holds, covered.promised) == (2, 0.9)
    assert "weights move" in promises([record.prediction.guarantee], 32)
