"""Rows that say one thing twice have λ_S = 0, whatever rounding makes of it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ntk import Block, Problem, TwoLayer, identity, laplacian
from pinn_ntk.kernels import infinite_width_spectrum
from pinn_ntk.operators import SecondOrderOperator
from pinn_ntk.theory import predict

ACTIVATIONS = ("relu", "relu3", "tanh")


def drawn(n: int, dim: int, seed: int) -> torch.Tensor:
    return torch.rand(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 6),
    again=st.integers(1, 3),
    dim=st.integers(1, 2),
    seed=st.integers(0, 10**6),
    activation=st.sampled_from(ACTIVATIONS),
    weight=st.floats(1e-3, 1e3),
)
def test_a_point_twice_is_an_eigenvalue_of_zero(
    n: int, again: int, dim: int, seed: int, activation: str, weight: float
) -> None:
    """In one block, and in another with a weight of its own."""
    x = drawn(n, dim, seed)
    same = Block(identity(dim), x[: min(again, n)], 0.3, name="again", weight=weight)
    spectrum = infinite_width_spectrum(Problem([Block(identity(dim), x, 0.3), same]), activation)
    assert (spectrum.eigenvalues == 0.0).sum() >= len(same)
    assert spectrum.below_floor
    assert infinite_width_spectrum(Problem([Block(identity(dim), torch.cat([x, x[:1]]), 0.3)]), activation).below_floor


@pytest.mark.parametrize("operator", [laplacian(1), 2.0 * laplacian(1) - identity(1)])
def test_another_operator_at_the_same_point_says_another_thing(operator: SecondOrderOperator) -> None:
    x = drawn(3, 1, 0)
    spectrum = infinite_width_spectrum(Problem([Block(identity(1), x, 0.3), Block(operator, x, 0.3, name="b")]), "tanh")
    assert not bool((spectrum.eigenvalues == 0.0).any())


def test_with_equal_rows_there_is_no_rate_and_no_theorem() -> None:
    x = torch.cat([torch.eye(2, dtype=torch.float64)] * 2)
    theory = predict(Problem([Block(identity(2), x, 0.5)]), TwoLayer(2, 64, "relu", bias=False), draws=5)
    assert theory.lazy.lambda_s == theory.lazy.rate == 0.0
    assert "λ_S is below the rounding floor" in theory.verdict.reason
