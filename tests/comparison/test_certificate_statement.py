"""What a run says of its certificate: it holds where it was given, it says by how much it misses,
and a broken bound fails.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import points

from pinn_ntk.comparison import CERTIFICATE_CLAIMS, Evidence, certificate_summary
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.experiment import Settings, run
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import laplacian
from pinn_ntk.problem import Block, Problem
from pinn_ntk.reporting import widths


@pytest.fixture(scope="module")
def problem():
    return Problem([Block(laplacian(2), points(2, 2), lambda p: torch.sin(3 * p.sum(1)))])


@pytest.fixture(scope="module")
def record(problem):
    return run(problem, TwoLayer(2, 1024, "tanh", seed=0), Settings(steps=60, tracked=12, forecast_draws=50))


def certified(prediction, history):
    """The statements of the certificate about a history."""
    return [claim.statement(Evidence(history, prediction)) for claim in CERTIFICATE_CLAIMS]


def verdicts(record):
    return {s.name: s for s in record.statements if s.name.startswith("certif")}


def test_a_certified_run_holds(record):
    found = verdicts(record)
    assert [s.verdict for s in found.values()] == ["holds"] * 3
    rate = found["certificate"]
    assert rate.measured <= 1.0
    assert rate.e_folds > 1.0
    assert record.prediction.certificate.dynamics == record.history.dynamics
    assert found["certified drift"].measured <= record.prediction.certificate.drift_a


def test_a_run_above_its_bound_fails(record):
    """The same losses, slowed down in a forged history."""
    slow = replace(record.history, losses=np.full_like(record.history.losses, record.history.losses[0]))
    assert certified(record.prediction, slow)[0].verdict == "fails"


def test_a_miss_says_by_how_much(problem):
    narrow = run(problem, TwoLayer(2, 16, "tanh", seed=0), Settings(steps=2, tracked=2, forecast_draws=10))
    assert not narrow.prediction.certificate.certified
    for statement in verdicts(narrow).values():
        assert statement.verdict == "not_applicable"
        assert "misses by a factor of about" in statement.reason


def test_other_optimisers_and_activations_have_none(problem):
    settings = Settings(steps=2, tracked=2, forecast_draws=10)
    momentum = run(problem, TwoLayer(2, 64, "tanh"), replace(settings, options={"momentum": 0.9}))
    assert "not about heavy ball" in verdicts(momentum)["certificate"].reason
    kinked = run(problem, TwoLayer(2, 64, "relu3"), settings)
    assert "not Lipschitz" in verdicts(kinked)["certificate"].reason


def test_too_short_a_run_is_vacuous(problem):
    short = run(
        problem, TwoLayer(2, 1024, "tanh", seed=0), Settings(steps=3, tracked=2, step_size=1e-3, forecast_draws=10)
    )
    assert verdicts(short)["certificate"].verdict == "vacuous"


def test_a_module_has_no_certificate(record):
    bare = replace(record.prediction, certificate=None)
    assert {s.reason for s in certified(bare, record.history)} == {"the certificate is about two-layer networks"}
    assert certificate_summary(None, Dynamics("flow")) is None


def test_summary_and_report_carry_the_widths(record):
    summary = record.summary()["theory"]["certificate"]
    assert summary["certified"] is True
    assert summary["rate"] == pytest.approx(record.prediction.certificate.rate)
    assert 0 < summary["estimated_width"] <= 1024
    rows = dict(widths(record))
    assert "certificate for this seed, an estimate; held here" in rows
