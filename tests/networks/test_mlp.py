"""Networks of any depth: depth 1 is the two-layer network, both scalings are one function at the start,
the seed decides alone.
"""

import math

import pytest
import torch
from cases import points

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.networks import MLP, TwoLayer, second_moment

MOMENTS = {
    "relu": 1 / 2,
    "relu2": 3 / 8,
    "relu3": 15 / 72,
    "sin": (1 - math.exp(-2)) / 2,
    "gaussian": 1 / math.sqrt(3),
    "erf": 2 / math.pi * math.asin(2 / 3),
}


@pytest.mark.parametrize(("name", "value"), MOMENTS.items())
def test_second_moment_of_a_neuron(name: str, value: float) -> None:
    assert second_moment(ACTIVATIONS[name]) == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("scaling", "two"), [("ntk", {"scaling": "ntk", "gamma": 1.0}), ("standard", {"scaling": "sum"})]
)
def test_one_hidden_layer_is_the_two_layer_network_of_the_same_seed(
    scaling: str, two: dict, activation: str, bias: bool
) -> None:
    x = points(7, 2)
    mine, theirs = MLP(2, 12, 1, activation, bias, scaling, seed=5), TwoLayer(2, 12, activation, bias, seed=5, **two)
    torch.testing.assert_close(mine(x), theirs(x), rtol=1e-14, atol=1e-14)
    assert sum(p.numel() for p in mine.parameters()) == theirs.parameter_count


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_both_scalings_are_one_function_at_the_start(depth: int) -> None:
    x = points(7, 3)
    torch.testing.assert_close(
        MLP(3, 20, depth, scaling="ntk")(x), MLP(3, 20, depth, scaling="standard")(x), rtol=1e-13, atol=1e-13
    )


def test_the_seed_decides_alone() -> None:
    x, before = points(4, 2), torch.get_rng_state()
    first = MLP(2, 8, 3, seed=1)(x)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(9)
    assert torch.equal(MLP(2, 8, 3, seed=1)(x), first)
    assert not torch.allclose(MLP(2, 8, 3, seed=2)(x), first)


def test_deep_layers_keep_the_variance_of_the_first() -> None:
    net, x = MLP(1, 1024, 4, "relu", bias=False, seed=0), torch.ones(1, 1, dtype=torch.float64)
    z, variances = x @ net.W[0].mT, []
    for W in list(net.W)[1:]:
        z = net.inner_scale * torch.relu(z) @ W.mT
        variances.append(float(z.detach().var()))
    assert variances == pytest.approx([1.0, 1.0, 1.0], abs=0.25)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"width": 0}, "width: got 0, expected a whole number"),
        ({"depth": 0}, "depth: got 0"),
        ({"dim": True}, "dim: got True"),
        ({"scaling": "sum"}, "scaling: got 'sum', expected one of standard, ntk"),
        ({"activation": "swish"}, "activation: got 'swish'"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MLP(**{"dim": 2, "width": 4, **arguments})


def test_points_of_another_dimension_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got points of shape \(3, 1\), expected \(n, 2\)"):
        MLP(2, 4)(torch.zeros(3, 1, dtype=torch.float64))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_it_says_what_it_is(depth: int) -> None:
    about = MLP(2, 8, depth, seed=7).about
    assert about.words == f"a tanh network with {depth} hidden layer{'s' if depth > 1 else ''}"
    assert about.width == 8
    assert about.facts["depth"] == depth and about.facts["seed"] == 7
    assert about.formula.count("σ(") == min(depth, 2) + 1
