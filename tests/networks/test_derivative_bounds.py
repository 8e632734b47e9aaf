"""Suprema of |σ⁽ᵏ⁾| over intervals: never below what is found by looking closely, above it by rounding only."""

import pytest
import torch

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.networks import CELL, derivative, derivative_sup, reachable_sup, unbounded

CASES = [(name, k) for name, a in ACTIVATIONS.items() for k in range(6) if a.degree is None or k <= a.degree]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_are_those_of_the_jet(name):
    z = torch.linspace(-6, 6, 1001, dtype=torch.float64)
    for k, expected in enumerate(ACTIVATIONS[name].jet(z, 3)):
        assert torch.allclose(derivative(ACTIVATIONS[name], z, k), expected, atol=1e-13)


@pytest.mark.parametrize("name", [n for n, a in ACTIVATIONS.items() if a.degree is None])
@pytest.mark.parametrize("k", [4, 5])
def test_higher_derivatives_are_those_of_autograd(name, k):
    z = torch.linspace(-4, 4, 41, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(derivative(ACTIVATIONS[name], z, k - 1).sum(), z)
    assert torch.allclose(derivative(ACTIVATIONS[name], z.detach(), k), expected, atol=1e-11)


def intervals() -> tuple[torch.Tensor, torch.Tensor]:
    """Short and long ones, near the origin and in the tails."""
    centre, half = 3 * torch.randn(300, dtype=torch.float64), 3 * torch.rand(300, dtype=torch.float64) ** 3
    return centre - half, centre + half


@pytest.mark.parametrize(("name", "k"), CASES)
def test_supremum_sandwich(name, k):
    low, high = intervals()
    looked = low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, 4001, dtype=torch.float64)
    seen = derivative(ACTIVATIONS[name], looked, k).abs().amax(1)
    bound = derivative_sup(ACTIVATIONS[name], low, high, k)
    assert bool((bound >= seen).all())
    assert bool((bound <= 1.00001 * seen + 1e-9).all())  # the grid misses a maximum by O(step²)


@pytest.mark.parametrize(("name", "k"), [(n, k) for n, k in CASES if k >= 1])
def test_table_is_between_the_supremum_and_that_of_one_cell_more(name, k):
    sigma, z = (
        ACTIVATIONS[name],
        torch.cat([3 * torch.randn(500, dtype=torch.float64), torch.tensor([-40.0, 40.0], dtype=torch.float64)]),
    )
    found = reachable_sup(sigma, 0.3, k)(z)
    assert bool((found >= derivative_sup(sigma, z - 0.3, z + 0.3, k)).all())
    more = derivative_sup(sigma, z - 0.3 - CELL, z + 0.3 + CELL, k)
    assert bool((found <= more * (1 + 1e-9) + 1e-12)[:-2].all())


def test_a_bound_that_does_not_exist_is_refused():
    z = torch.zeros(1, dtype=torch.float64)
    with pytest.raises(ValueError, match="expected k ≤ 2"):
        derivative_sup(ACTIVATIONS["relu2"], z, z, 3)


def test_who_has_a_lipschitz_jacobian():
    """Smooth σ always; ReLUᵖ for operators of order p − 2 at most; an activation of one's own never,
    for nothing is known of it.
    """
    orders = {"relu": [], "relu2": [0], "relu3": [0, 1], "tanh": [0, 1, 2]}
    for name, good in orders.items():
        assert [o for o in range(3) if not unbounded(ACTIVATIONS[name], o)] == good
    own = Activation("own", ACTIVATIONS["tanh"].jet, None, 3.0, "tanh z")
    assert "no bounds" in unbounded(own, 0)
    with pytest.raises(ValueError, match="expected a built-in one"):
        derivative(own, torch.zeros(1), 0)
