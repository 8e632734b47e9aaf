"""One run from end to end: every ingredient meets every other, and the summary keeps its contract."""

import json
import math

import pytest
import torch

from pinn_ntk import PROBLEMS, Settings, TwoLayer, run
from pinn_ntk.experiment import StrictError
from pinn_ntk.operators import SecondOrderOperator, identity, laplacian
from pinn_ntk.problem import Block, Problem
from pinn_ntk.training import Status

CONTRACT = {
    "status": None, "problem": None, "dim": None, "points": None, "width": None, "parameters": None, "activation": None,
    "scaling": None,
    "gamma": None, "bias": None, "init": None, "seed": None, "dtype": None, "device": None, "optimizer": None,
    "steps": None,
    "loss": {"initial", "final"},
    "error": {"relative_l2", "relative_linf"},
    "kernel": {"lambda_min_initial", "lambda_max_initial", "lambda_min_final", "lambda_min_a_initial",
    "lambda_min_a_final",
               "floor", "drift", "drift_a"},
    "theory": {"applicable", "reason", "lambda_s", "rate", "rate_measured", "bound_holds", "worst_ratio", "e_folds",
    "cut_time",
               "exit_time", "width_terms", "least_width", "width_ratio", "statements"},
    "time": {"total", "training", "kernel", "theory", "report"},
    "versions": {"pinn_ntk", "torch", "python"}, "threads": None, "chunk": None, "nonfinite": None,
}  # fmt: skip


def small(name: str = "poisson_1d", width: int = 40, activation: str = "relu3", points: int = 6, **settings):
    problem = PROBLEMS[name](points=points, test_points=64)
    return run(problem, TwoLayer(problem.dim, width, activation), Settings(**{"steps": 20, "tracked": 5, **settings}))


def test_the_summary_keeps_its_contract() -> None:
    summary = small().summary()
    for key, inner in CONTRACT.items():
        assert key in summary
        if inner is not None:
            assert inner <= set(summary[key]), key
    assert {"name", "predicted", "measured", "slack", "verdict", "reason"} <= set(summary["theory"]["statements"][0])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


@pytest.mark.parametrize("name", sorted(set(PROBLEMS) - {"regression", "points"}))
def test_every_ready_problem_runs(name: str) -> None:
    record = small(name, activation="tanh", points=5, theory=False)
    assert record.status in (Status.MAX_STEPS, Status.STAGNATED)
    assert record.history.losses[-1] < record.history.losses[0]
    assert record.summary()["theory"] is None


@pytest.mark.parametrize(
    "options", [{"optimizer": "gradient_flow"}, {"dtype": "float32"}, {"kernel": False}, {"steps": 0}, {"every": 7}]
)
def test_every_way_of_running_gives_a_record(options: dict) -> None:
    record = small(**options)
    assert record.summary()["loss"]["final"] <= record.summary()["loss"]["initial"]
    assert record.trained.a0.dtype == (torch.float32 if "dtype" in options else torch.float64)


def test_row_24_float32_carries_its_warning() -> None:
    assert any("float32" in w for w in small(dtype="float32").warnings)


def test_row_19_a_residual_that_overflows_is_a_named_stop() -> None:
    record = small(step_size=1e300, absolute=True, divergence=math.inf)
    assert record.status is Status.NON_FINITE
    assert record.summary()["status"] == "NON_FINITE"
    assert record.summary()["nonfinite"]


def test_row_19_a_kernel_that_overflows_stops_before_the_eigensolver() -> None:
    problem = Problem([Block(1e200 * identity(1), torch.tensor([[0.2], [0.7]], dtype=torch.float64), 1.0)])
    record = run(problem, TwoLayer(1, 8, "relu"), Settings(steps=5))
    assert record.status is Status.NON_FINITE
    assert record.prediction is None
    assert any("not finite" in warning for warning in record.warnings)
    assert record.summary()["steps"] == 0


def test_a_dead_neuron_stagnates_at_once() -> None:
    problem = Problem([Block(identity(1), torch.tensor([[0.5]], dtype=torch.float64), 1.0)])
    seeds = [
        s
        for s in range(20)
        if float(TwoLayer(1, 1, "relu", seed=s)(torch.tensor([[0.5]], dtype=torch.float64)).detach()) == 0.0
    ]
    assert run(problem, TwoLayer(1, 1, "relu", seed=seeds[0]), Settings(steps=5)).status is Status.STAGNATED


def test_row_21_a_step_above_the_limit_warns_and_is_refused_under_strict() -> None:
    assert any("stability limit" in w for w in small(step_size=1.5, steps=2).warnings)
    with pytest.raises(StrictError, match="stability limit"):
        small(step_size=1.5, steps=2, strict=True)


def test_row_14_an_activation_that_is_not_smooth_enough_is_refused() -> None:
    with pytest.raises(
        ValueError, match="'relu', not smooth enough for an operator of order 2; expected one of relu3, tanh"
    ):
        small(activation="relu")
    assert any("delta term" in w for w in small(activation="relu2").warnings)


def test_row_25_a_device_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(ValueError, match="device: got 'cuda:99', expected 'auto' or one of cpu"):
        small(device="cuda:99")


def test_row_44_a_custom_operator_is_checked_before_any_compute() -> None:
    bad = SecondOrderOperator(1, c=lambda x: x[:, 0].to(torch.float32), name="mine")
    with pytest.raises(ValueError, match="mine"):
        run(Problem([Block(bad, torch.rand(4, 1, dtype=torch.float64), 0.0)]), TwoLayer(1, 4))


def test_row_46_the_smallest_sizes_work() -> None:
    problem = Problem([Block(laplacian(1) + identity(1), torch.tensor([[0.5]], dtype=torch.float64), 1.0)])
    record = run(problem, TwoLayer(1, 1, "relu3"), Settings(steps=3))
    assert record.summary()["points"] == record.summary()["width"] == 1
    assert run(problem, TwoLayer(1, 1, "relu3"), Settings(steps=0)).summary()["steps"] == 0


def test_interrupts_keep_what_was_measured() -> None:
    problem = PROBLEMS["poisson_1d"](points=5)

    def interrupt(state) -> None:
        if state.step == 7:
            raise KeyboardInterrupt

    record = run(problem, TwoLayer(1, 10, "tanh"), Settings(steps=50, theory=False), on_state=interrupt)
    assert record.status is Status.INTERRUPTED
    assert record.history.columns["step"][-1] == 7


def test_prediction_is_complete_before_the_first_step() -> None:
    order = []
    problem = PROBLEMS["poisson_1d"](points=5)
    run(
        problem,
        TwoLayer(1, 10, "relu3"),
        Settings(steps=2),
        on_state=lambda s: order.append("state"),
        on_prediction=lambda p: order.append("prediction"),
    )
    assert order == ["prediction", "state", "state", "state"]


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adamm"},
        {"dtype": "float16"},
        {"delta": 0.0},
        {"step_size": math.nan},
        {"steps": -1},
        {"tracked": 1},
    ],
)
def test_bad_settings_are_refused_at_once(options: dict) -> None:
    with pytest.raises(ValueError, match="got .*expected"):
        Settings(**options)
