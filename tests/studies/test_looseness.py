"""How loose the theorem is: shares of seeds against width, and the first width beside the one that is asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pinn_ntk.networks import TwoLayer
from pinn_ntk.problem import given_points
from pinn_ntk.studies import CASES, FINEST, STUDIES, Factory, Judge, Trial, judged, kinked, looseness, run_study
from pinn_ntk.theory import promise
from pinn_ntk.training import gradient_descent, stacked, step_limits


@pytest.fixture
def made(factory: Callable[..., Factory]) -> Factory:
    return factory()


def test_the_first_width_lies_far_below_the_theorems(made: Factory, tmp_path: Path) -> None:
    study = STUDIES["looseness"](
        made, cases=["unit_1", "line_10"], gammas=["inv_sqrt_width"], seeds=20, e_folds=3.0, smallest=8, widest=256
    )
    finished = run_study(study, tmp_path)
    assert finished.summary["status"] == "DONE"
    unit, line, factor = finished.summary["findings"]
    assert 8 <= unit["value"] <= 64
    assert factor["value"] > 100.0
    assert line["value"] is None
    assert line["verdict"] == "not_applicable"
    assert "it would take about" in line["reason"]
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {"widths.svg", "shares_0.svg"}


def test_shares_grow_with_width_and_both_of_two_in_a_row_pass(made: Factory) -> None:
    study = looseness(made, cases=["unit_2"], gammas=["inv_width"], seeds=20, e_folds=2.0, smallest=2, widest=512)
    rows = study.measure(study.cells[0]).rows
    assert [row["width"] for row in rows] == [2 * 2**k for k in range(len(rows))]
    assert rows[0]["share"] < 0.9 <= rows[-1]["share"]
    after = [row for row in rows if row["width"] >= rows[0]["first_width"]]
    assert all(row["enough"] for row in after[:2])
    assert all(row["low"] <= row["share"] <= row["high"] for row in rows)
    assert all(row["still_share"] <= row["share"] for row in rows)


@pytest.mark.parametrize(("operator", "activation"), [("identity", "relu"), ("laplacian", "relu3")])
def test_the_verdict_on_a_seed_is_that_of_a_run_of_its_own(operator: str, activation: str) -> None:
    """Each member against a single run of gradient descent in fine steps, judged step by step;
    borderline seeds may differ.
    """
    problem, start, folds = given_points(operator=operator), TwoLayer(2, 16, activation, bias=False), 4.0
    lambda_s, seeds = promise(problem, start).premises.lambda_s, range(12)
    (judge,) = judged(problem, start, seeds, Trial(lambda_s, folds, 0.1))
    rate, alone = start.kernel_scale * lambda_s / problem.points, []
    for seed in seeds:
        network = start.like(seed=seed)
        tau = min(0.1 * float(step_limits(problem.system(network), stacked([network]))), FINEST / rate)
        states = list(gradient_descent(network, problem, tau, int(folds / (rate * tau)) + 1, absolute=True))
        losses = torch.tensor([s.loss for s in states], dtype=torch.float64)
        times = tau * torch.arange(len(states), dtype=torch.float64)
        alone.append(bool((losses <= losses[0] * torch.exp(1e-9 - rate * times)).all()))
    assert 0 < sum(alone) < len(alone)
    assert sum(a != b for a, b in zip(alone, judge.held.tolist(), strict=True)) <= (0 if kinked(start) else 1)
    assert not bool(judge.given_up.any())


def test_a_judge_keeps_what_it_has_seen() -> None:
    kernel = torch.eye(2, dtype=torch.float64).expand(3, 2, 2)
    judge = Judge(torch.ones(3, dtype=torch.float64), kernel, Trial(lambda_s=1.0, e_folds=5.0, step_size=0.5))
    everyone = torch.arange(3)
    ended = judge.ended(
        everyone, torch.tensor([1.0, 0.3, 1e-3], dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    )
    assert ended.tolist() == [True, False, True]  # broken, running, below e^{-5}
    assert judge.held.tolist() == [False, True, True]
    judge.drifted(everyone[1:], 1.2 * kernel[1:])
    assert judge.still.tolist() == [True, False, False]
    assert judge.counts() == (2, 0, 3, 0)


def test_every_case_is_one_of_which_a_theorem_speaks(made: Factory) -> None:
    for case in CASES.values():
        experiment = made({**case.overrides(), "network.gamma": 0.1})
        promised = promise(experiment.problem, experiment.network)
        assert promised.premises.n == len(case.points)
        assert promised.target_square == pytest.approx(0.5 * len(case.points))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"cases": ["circle"]}, "cases"),
        ({"gammas": "inv_width"}, "gammas"),
        ({"seeds": 1}, "seeds"),
        ({"smallest": 8, "widest": 4}, "widest"),
    ],
)
def test_options_are_checked(made: Factory, options: dict, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        looseness(made, **options)
