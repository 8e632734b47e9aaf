"""Every option of every group composes, passes the schema and builds; nothing is trained here."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from pinn_ntk.app import (
    BadInputError,
    build,
    compose,
    conf_dir,
    group_options,
    help_text,
    load,
    read,
    resolved,
    rewrite,
    session,
)
from pinn_ntk.experiment import Settings
from pinn_ntk.networks import NETWORKS
from pinn_ntk.problem import PROBLEMS
from pinn_ntk.rules import defaults_of
from pinn_ntk.training import METHODS

GROUPS = group_options()
OPTIONS = [
    (group, option) for group, options in GROUPS.items() for option in options if (group, option) != ("device", "cuda")
]


def built(*words: str):
    request, plugins = read(words), load([])
    lines, faults = rewrite(request, group_options(), plugins)
    assert not faults
    with session(None) as hydra:
        cfg = compose(hydra, lines, False, None)
        config = resolved(OmegaConf.masked_copy(cfg, [k for k in cfg if k != "hydra"]))
    return config, build(config, plugins)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_of_every_group_builds(group: str, option: str) -> None:
    # ReLU and ReLU² lack the derivatives of a second-order operator: they are for regression
    words = (
        ["problem=regression"] if group == "activation" else ["network=mean_field"] if option == "particle_flow" else []
    )
    config, experiment = built(f"{group}={option}", *words)
    assert experiment.network.dim == experiment.problem.dim
    assert experiment.network.about.facts["activation"] == config["activation"]["name"]
    if group == "problem" and option != "text":
        points = config["problem"]["points"]
        assert experiment.problem.points == (len(points) if isinstance(points, list) else points)


def test_every_ready_problem_has_its_file() -> None:
    assert set(GROUPS["problem"]) == {*PROBLEMS, "text"}


@pytest.mark.parametrize(("group", "table"), [("problem", PROBLEMS), ("optimizer", METHODS), ("network", NETWORKS)])
def test_defaults_stand_in_signatures_only(group: str, table: dict[str, object]) -> None:
    for name in table:
        written = yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
        assert written == {"kind": name}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_command_and_python_have_one_set_of_defaults(name: str) -> None:
    network = ["network=mean_field"] if name == "particle_flow" else []
    _, experiment = built(f"optimizer={name}", *network)
    usual = Settings(optimizer=name)
    typed = experiment.settings.options
    assert experiment.settings == replace(usual, options=typed)
    assert {k: v for k, v in defaults_of(METHODS[name].states).items() if k in typed} == typed


@pytest.mark.parametrize("name", sorted({*PROBLEMS} - {"points"}))
def test_a_problem_by_its_name_is_the_one_of_python(name: str) -> None:
    config, experiment = built(f"problem={name}")
    ours, theirs = experiment.problem, PROBLEMS[name]()
    assert config["problem"]["seed"] is None  # the run's, which is 0 by default in both
    assert [block.name for block in ours.blocks] == [block.name for block in theirs.blocks]
    for one, two in zip(ours.blocks, theirs.blocks, strict=True):
        assert one.x.equal(two.x)
        assert one.target.equal(two.target)


def test_settings_are_what_was_typed() -> None:
    words = ("optimizer=gradient_flow", "optimizer.step_size=0.3", "optimizer.steps=500", "tracker.every=50",
    "theory.delta=0.05",
             "dtype=float32", "device=cpu", "seed=3", "network.width=512", "network.gamma=inv_width", "problem=wave_1d",
             "problem.boundary=soft", "problem.weight.boundary=10", "activation=gelu")  # fmt: skip
    _, experiment = built(*words)
    settings, network, problem = experiment.settings, experiment.network, experiment.problem
    assert settings == Settings(
        optimizer="gradient_flow", step_size=0.3, steps=500, every=50, delta=0.05, dtype="float32", device="cpu",
        tracked=settings.tracked, window=settings.window, forecast_draws=settings.forecast_draws,
    )  # fmt: skip
    assert (network.width, network.gamma, network.seed, network.activation.name) == (512, 1 / 512, 3, "gelu")
    assert {b.name: b.weight for b in problem.blocks} == {
        "interior": 1.0,
        "boundary": 10.0,
        "initial": 1.0,
        "velocity": 1.0,
    }


def test_the_points_have_a_seed_of_their_own_on_request() -> None:
    first, second, third = (
        built("problem.points=5", *w)[1].problem.x for w in (["seed=1"], ["seed=2"], ["seed=2", "problem.seed=1"])
    )
    assert not first.equal(second)
    assert first.equal(third)


def test_experiments_are_overrides_only() -> None:
    for path in (conf_dir() / "experiment").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# @package _global_")
        choices = yaml.safe_load(text).get("defaults", [])
        assert all(next(iter(choice)).startswith("override /") for choice in choices)


def test_no_file_of_ours_names_python() -> None:
    for path in Path(conf_dir()).rglob("*.yaml"):
        assert "_target_" not in path.read_text(encoding="utf-8")


def test_help_shows_examples_groups_and_options_in_80_columns() -> None:
    text = help_text(GROUPS)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("\n  pinn-ntk") >= 3
    for group, options in GROUPS.items():
        assert group in text
        assert all(option in text for option in options)


def test_a_kind_by_reference_brings_its_own_defaults() -> None:
    config, experiment = built("name=adam", "optimizer.kind=${name}")
    assert config["optimizer"]["kind"] == "adam"
    assert experiment.settings == replace(Settings(optimizer="adam"), options=experiment.settings.options)


def test_a_group_without_its_kind_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"optimizer.kind: missing"):
        built("experiment=quick", "~optimizer")
