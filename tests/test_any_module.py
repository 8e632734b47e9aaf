"""Networks of any kind through a whole run: prediction, training, statements, files and words that fit."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pinn_ntk import MLP, PROBLEMS, AnyModule, Settings, TwoLayer, run
from pinn_ntk.networks import About
from pinn_ntk.reporting import Record, answer, key_numbers, question, theorem_words
from pinn_ntk.training import Status

SILENT = {
    "inequality (2)", "linear convergence", "linear convergence of descent", "λ_min at initialisation",
    "λ_min during training", "stopping time",
    "forecast before training", "initial loss lemma", "outer weights stay", "inner weights stay",
    "initial outer weights",
    "initial inner weights", "sufficient width", "certificate", "certified drift", "certified linearisation",
}  # fmt: skip


def own() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 12), nn.SiLU(), nn.Linear(12, 1))


def small(network: nn.Module | AnyModule, problem: str = "poisson_1d", **settings: object) -> Record:
    return run(
        PROBLEMS[problem](points=6, test_points=32), network, Settings(**{"steps": 20, "tracked": 5, **settings})
    )  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def deep() -> Record:
    return small(MLP(1, 16, 3, seed=2))


def test_a_module_is_wrapped_and_the_given_one_left_alone() -> None:
    module = own()
    before = [p.clone() for p in module.parameters()]
    record = small(module)
    assert record.network.parameter_count == sum(p.numel() for p in before)
    assert all(torch.equal(p, q) for p, q in zip(module.parameters(), before, strict=True))
    assert record.history.losses[-1] < record.history.losses[0]
    trained = record.trained.module(torch.rand(3, 1, dtype=torch.float64))
    assert trained.shape == (3, 1) and trained.dtype == torch.float64


def test_depth_one_has_the_record_of_the_two_layer_network() -> None:
    mine, theirs = small(MLP(1, 16, 1, seed=2)), small(TwoLayer(1, 16, scaling="ntk", gamma=1.0, seed=2))
    for name in ("loss", "relative_l2", "gradient_norm_squared", "dissipation", "drift", "effective_rank"):
        assert mine.history.columns[name] == pytest.approx(theirs.history.columns[name], rel=1e-8, abs=1e-10), name
    assert mine.step_limit == pytest.approx(theirs.step_limit, rel=1e-10)
    gaps = [next(s for s in r.statements if s.name == "linearised prediction").measured for r in (mine, theirs)]
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-8)


def test_statements_about_two_layers_are_not_applicable_and_say_why(deep: Record) -> None:
    verdicts = {s.name: s for s in deep.statements}
    assert {name for name, s in verdicts.items() if s.verdict == "not_applicable"} == SILENT
    assert all("two-layer networks" in verdicts[name].reason for name in SILENT)
    assert verdicts["dissipation identity"].verdict == "holds"
    assert verdicts["linearised prediction"].measured is not None


def test_the_summary_says_null_where_nothing_has_a_meaning(deep: Record) -> None:
    summary = deep.summary()
    assert (summary["network"], summary["width"], summary["depth"], summary["gamma"]) == ("mlp", 16, 3, None)
    assert (summary["scaling"], summary["init"], summary["seed"], summary["activation"]) == ("ntk", "normal", 2, "tanh")
    assert summary["kernel"]["lambda_min_a_initial"] is None and summary["kernel"]["drift_a"] is None
    assert summary["kernel"]["drift"] > 0.0
    assert summary["theory"]["applicable"] is False and summary["theory"]["lambda_s"] is None
    assert summary["nonfinite"] == []
    assert set(summary) == set(small(TwoLayer(1, 8)).summary())
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_the_report_speaks_of_the_network_that_was_trained(deep: Record, tmp_path: Path) -> None:
    words = answer(deep, deep.summary())
    assert "by a tanh network with 3 hidden layers of width 16 after 20 steps of gradient descent" in words
    assert "followed its linearised prediction" in words or "left its linearised prediction" in words
    assert "this is a tanh network with 3 hidden layers" in theorem_words(deep)
    assert "largest relative drift of the kernel" in [label for _, label in key_numbers(deep, deep.summary())]
    asked = dict(question(deep))
    assert "W_l x^{(l−1)}" in asked["network"] and "592 parameters" in asked["size"]
    report = deep.save(tmp_path / "run").read_text(encoding="utf-8")
    for name in (
        "loss",
        "ratio",
        "error_history",
        "dissipation",
        "spectrum",
        "alignment",
        "lambda_min",
        "relative_drift",
        "displacement",
    ):
        assert f'id="{name}"' in report
    for absent in (
        'id="share"',
        'id="drift"',
        "two-layer tanh network",
        "infinite width with the same",
        "blue band",
        "any outer weight",
    ):
        assert absent not in report
    made = {"report.html", "summary.json", "history.csv", "arrays.nc", "network.safetensors", "solution.nc", "figures"}
    assert {p.name for p in (tmp_path / "run").iterdir()} == made


def test_a_module_of_ones_own_is_called_by_its_name() -> None:
    record = small(own())
    assert "by the network Sequential after 20 steps" in answer(record, record.summary())
    assert (record.summary()["network"], record.summary()["width"], record.summary()["activation"]) == (
        "Sequential",
        None,
        None,
    )
    assert dict(question(record))["size"] == "193 parameters"


def test_a_module_may_say_what_it_is() -> None:
    class Wave(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.k = nn.Parameter(torch.tensor([2.0, 5.0]))
            self.about = About("waves", "a sum of two waves", "h(x) = Σ_k sin(k x)", "k = 2, 5", 2, {"seed": 4})

        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(x * self.k).sum(1)

    summary = small(Wave()).summary()
    assert (summary["network"], summary["width"], summary["seed"], summary["parameters"]) == ("waves", 2, 4, 2)


@pytest.mark.parametrize(
    "options",
    [{"optimizer": "gradient_flow"}, {"dtype": "float32"}, {"kernel": False}, {"theory": False}, {"steps": 0}],
)
def test_every_way_of_running_takes_a_module(options: dict, tmp_path: Path) -> None:
    record = small(own(), **options)
    assert record.status in (Status.MAX_STEPS, Status.STAGNATED)
    assert record.trained.dtype == (torch.float32 if "dtype" in options else torch.float64)
    assert record.summary()["loss"]["final"] <= record.summary()["loss"]["initial"]
    if "kernel" in options:
        assert "how far single weights moved" not in record.save(tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize("problem", ["heat_1d", "wave_1d", "regression"])
def test_a_deep_network_takes_other_problems(problem: str) -> None:
    if problem == "regression":
        made = PROBLEMS[problem](target="sin(3*x1)", points=6, test_points=16)
        record = run(made, MLP(made.dim, 12, 2, "relu"), Settings(steps=20, tracked=4))
    else:
        record = small(MLP(2, 12, 2), problem)
    assert record.history.losses[-1] < record.history.losses[0]


def test_bad_modules_are_refused_before_anything_is_computed() -> None:
    with pytest.raises(ValueError, match=r"got values \(4, 2\) from Linear"):
        small(nn.Linear(1, 2))
    with pytest.raises(ValueError, match="without trainable parameters"):
        small(nn.Tanh())
    with pytest.raises(ValueError, match=r"Linear failed at points of shape \(n, 1\)"):
        small(nn.Linear(3, 1))
    with pytest.raises(ValueError, match="network: got 'tanh', expected a Model or a Module"):
        small("tanh")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="second derivatives vanish"):
        small(nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Linear(64, 1)))
