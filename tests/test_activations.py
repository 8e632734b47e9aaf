"""Activations: derivatives, homogeneity and smoothness are what the records say."""

import math

import pytest
import torch

from pinn_ntk.activations import ACTIVATIONS, activation_named, smoothness_verdict

Z = torch.cat(
    [torch.linspace(-4.0, 4.0, 81, dtype=torch.float64) + 0.013, torch.tensor([-40.0, 40.0], dtype=torch.float64)]
)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_are_those_of_autograd(name: str) -> None:
    z = Z.clone().requires_grad_()
    jet = ACTIVATIONS[name].jet(z, 3)
    current = jet[0]
    for k in range(1, 4):
        if not current.requires_grad:
            assert not jet[k].any()
            continue
        (current,) = torch.autograd.grad(current.sum(), z, create_graph=True)
        torch.testing.assert_close(current.detach(), jet[k].detach(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_jet_has_as_many_entries_as_asked(name: str) -> None:
    for k in range(4):
        jet = ACTIVATIONS[name].jet(Z, k)
        assert len(jet) == k + 1
        assert all(torch.equal(a, b) for a, b in zip(jet, ACTIVATIONS[name].jet(Z, 3), strict=False))


@pytest.mark.parametrize("name", [n for n, a in ACTIVATIONS.items() if a.degree])
def test_homogeneity_of_that_degree(name: str) -> None:
    sigma = ACTIVATIONS[name]
    torch.testing.assert_close(sigma(2.5 * Z), 2.5 ** (sigma.degree or 0) * sigma(Z))


@pytest.mark.parametrize("name", [n for n, a in ACTIVATIONS.items() if a.degree])
def test_smoothness_counts_continuous_derivatives(name: str) -> None:
    sides = torch.tensor([-1e-12, 1e-12], dtype=torch.float64)
    jumps = [abs(float(d[1] - d[0])) > 0.5 for d in ACTIVATIONS[name].jet(sides, 3)]
    assert jumps.index(True) == ACTIVATIONS[name].smoothness + 1


def test_smoothness_decides_which_operators_are_served() -> None:
    verdicts = {name: [smoothness_verdict(a, order) for order in (0, 1, 2)] for name, a in ACTIVATIONS.items()}
    assert verdicts["relu"] == ["true", "almost_everywhere", "refused"]
    assert verdicts["relu2"] == ["true", "true", "almost_everywhere"]
    assert all(verdicts[n] == ["true"] * 3 for n, a in ACTIVATIONS.items() if n == "relu3" or a.smoothness == math.inf)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="tanhh.*relu3.*tanh"):
        activation_named("tanhh")
