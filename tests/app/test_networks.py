"""Deep networks and modules of a person's own by the command."""

import pytest

DEEP = ("network=mlp", "network.depth=3", "network.width=8")
MODULE = """
import torch
from torch import nn


def sine(dim: int, *, size: int = 6) -> nn.Module:
    return nn.Sequential(nn.Linear(dim, size), nn.Tanh(), nn.Linear(size, 1))


def broken(dim: int) -> nn.Module:
    return nn.Linear(dim, 2)


def narrow(dim: int) -> nn.Module:
    return nn.Linear(dim + 1, 1)


def still(dim: int) -> nn.Module:
    return nn.Tanh()


def kinked(dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(dim, 200), nn.ReLU(), nn.Linear(200, 1))


NETWORKS = {"sine": sine, "broken": broken, "narrow": narrow, "still": still, "kinked": kinked, "number": lambda dim: 3}
"""


@pytest.fixture
def module(workplace) -> str:
    (workplace / "mine.py").write_text(MODULE, encoding="utf-8")
    return "plugins=[mine.py]"


def test_a_deep_network_by_its_keys(ran) -> None:
    outcome = ran(*DEEP, "network.scaling=standard", "seed=3", "theory=predict", "report=terminal")
    assert outcome.code == 0, outcome.err
    summary = outcome.summary
    assert (summary["network"], summary["width"], summary["depth"], summary["scaling"], summary["seed"]) == (
        "mlp",
        8,
        3,
        "standard",
        3,
    )
    assert summary["parameters"] == 8 * 2 + 2 * (64 + 8) + 8
    assert summary["gamma"] is None and summary["theory"]["applicable"] is False
    assert "tanh, 3 hidden layers of width 8, 168 parameters" in outcome.out
    assert all(len(line) <= 80 for line in outcome.out.splitlines()[:-1])


def test_keys_of_a_deep_network_are_checked(refused) -> None:
    message = refused(
        "network=mlp", "network.depth=0", "network.gamma=1", "network.scaling=mean_field", "network.wdith=3"
    )
    assert "network.depth: got 0, expected a whole number, at least 1" in message
    assert "network.gamma: no such key" in message
    assert "network.scaling: got 'mean_field', expected one of standard, ntk" in message
    assert "network.wdith: no such key; did you mean network.width?" in message


def test_an_activation_that_is_not_smooth_enough_is_refused_at_any_depth(refused) -> None:
    assert "activation: got 'relu', not smooth enough" in refused(*DEEP, "activation=relu")


def test_a_module_of_ones_own(ran, module) -> None:
    outcomes = [
        ran(module, "network=sine", "~network.width", "network.size=5", f"seed={seed}", "theory=predict")
        for seed in (1, 1, 2)
    ]
    assert [o.code for o in outcomes] == [0, 0, 0], outcomes[0].err
    summary = outcomes[0].summary
    assert (summary["network"], summary["parameters"], summary["seed"], summary["activation"]) == (
        "Sequential",
        16,
        1,
        None,
    )
    starts = [o.summary["loss"]["initial"] for o in outcomes]
    assert starts[0] == starts[1] != starts[2]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "network: got values (4, 2) from Linear for 4 points, expected (4,) or (4, 1)"),
        ("narrow", "network: Linear failed at points of shape (n, 1)"),
        ("still", "network: got Tanh without trainable parameters"),
        ("kinked", "network: its second derivatives vanish at every point"),
        ("number", "network.kind: 'number' returned a int, expected a torch.nn.Module"),
    ],
)
def test_a_module_that_cannot_be_a_network_is_bad_input(refused, module, name: str, said: str) -> None:
    assert said in refused(module, "problem=poisson_1d", f"network={name}")


def test_names_of_built_in_networks_are_taken(refused, workplace) -> None:
    (workplace / "mine.py").write_text("NETWORKS = {'mlp': print}\n", encoding="utf-8")
    assert "'mlp' is taken" in refused("plugins=[mine.py]")
