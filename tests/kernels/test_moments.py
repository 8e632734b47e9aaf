"""Fourth moments of the features against exact small cases and against the spread of finite kernels."""

import math

import pytest
import torch

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.kernels import closed_form_kernel, feature_variance_sum, infinite_width_kernel, whitened_fourth_moment
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Block, Problem

DELTA = 0.1


def unit_vectors(n: int) -> Problem:
    return Problem([Block(identity(n), torch.eye(n, dtype=torch.float64), 0.0)])


def test_unit_vectors_give_the_known_widths():
    """φ = (w₁₊, w₂₊): E‖φ‖⁴ = 7/2; with K = [[½, c], [c, ½]], c = 1/2π, E(φᵀK⁻¹φ)² is a polynomial in moments of w₊,
    E w₊³E w₊ = 2c.
    """
    problem, c = unit_vectors(2), 1 / (2 * math.pi)
    K = infinite_width_kernel(problem, "relu", bias=False).a
    value, error = feature_variance_sum(problem.rows(), "relu", K)
    assert abs(value - (3.5 - 0.5 - 2 * c * c)) < 4 * error
    assert abs(32 * value / ((0.5 - c) ** 2 * DELTA) - 8.1e3) < 50 + 4 * 32 * error / ((0.5 - c) ** 2 * DELTA)

    p, q = 0.5 / (0.25 - c * c), -c / (0.25 - c * c)
    second, fourth, mixed = 0.5, 1.5, 2 * c
    exact = 2 * p * p * fourth + (2 * p * p + 4 * q * q) * second**2 + 8 * p * q * mixed
    value, error = whitened_fourth_moment(problem.rows(), "relu", K)
    assert abs(value - exact) < 4 * error
    assert abs(32 * (value - 2) / DELTA - 3.8e3) < 50 + 4 * 32 * error / DELTA


@pytest.mark.parametrize(("name", "lifted"), [("relu3", True), ("tanh", True), ("tanh", False)])
def test_they_are_the_spread_of_finite_kernels(name, lifted):
    """N E‖K̂^(a) − K^(a)‖_F² and N E‖K^{-1/2}K̂^(a)K^{-1/2} − I‖_F² + n over seeds."""
    x = torch.rand(3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    problem = Problem([Block(laplacian(2), x, 0.0)])
    K = infinite_width_kernel(problem, name, bias=lifted).a
    rows = tuple(r.lifted() if lifted else r for r in problem.rows())
    N, seeds = 4096, 300
    inverse = torch.linalg.inv(torch.linalg.cholesky(K))
    plain, white = [], []
    for seed in range(seeds):
        D = closed_form_kernel(TwoLayer(2, N, name, bias=lifted, seed=seed), problem).a - K
        plain.append(N * float((D * D).sum()))
        white.append(N * float(((inverse @ D @ inverse.mT) ** 2).sum()) + 3)
    for values, (value, error) in (
        (plain, feature_variance_sum(rows, name, K)),
        (white, whitened_fourth_moment(rows, name, K)),
    ):
        sample = torch.tensor(values, dtype=torch.float64)
        spread = math.hypot(error, float(sample.std()) / seeds**0.5)
        assert abs(float(sample.mean()) - value) < 4 * spread
        assert error < 0.05 * value


def test_one_point_has_gaussian_moments():
    """n = 1, σ = z₊³/6 under the identity: E φ⁴ = E z₊¹²/6⁴ = 10395/2/1296 at |x| = 1,
    and the whitened moment is E φ⁴/(E φ²)².
    """
    rows = (identity(2).rows(torch.tensor([[0.6, 0.8]], dtype=torch.float64)),)
    second, fourth = 15 / 2 / 36, 10395 / 2 / 1296
    K = torch.tensor([[second]], dtype=torch.float64)
    value, error = feature_variance_sum(rows, ACTIVATIONS["relu3"], K)
    assert abs(value - (fourth - second**2)) < 4 * error < 0.05 * value
    value, error = whitened_fourth_moment(rows, ACTIVATIONS["relu3"], K)
    assert abs(value - fourth / second**2) < 4 * error


def test_directions_alone_are_sampled_where_the_radius_is_known():
    """In one dimension without bias only the sign of w is random: half of the neurons are off,
    and the error is the binomial one.
    """
    rows = (identity(1).rows(torch.ones(1, 1, dtype=torch.float64)),)
    K, N = torch.tensor([[0.5]], dtype=torch.float64), 10_000
    value, error = feature_variance_sum(rows, "relu", K, samples=N)
    assert error == pytest.approx(3.0 * 0.5 / N**0.5, rel=1e-2)
    assert abs(value - 1.25) < 4 * error


def test_seeds_repeat_and_mistakes_are_named():
    problem = unit_vectors(3)
    K = infinite_width_kernel(problem, "relu", bias=False).a
    rows = problem.rows()
    assert whitened_fourth_moment(rows, "relu", K, 1000, seed=1) == whitened_fourth_moment(
        rows, "relu", K, 1000, seed=1
    )
    assert whitened_fourth_moment(rows, "relu", K, 1000, seed=1) != whitened_fourth_moment(
        rows, "relu", K, 1000, seed=2
    )
    with pytest.raises(ValueError, match="shape"):
        feature_variance_sum(rows, "relu", K[:2])
    with pytest.raises(ValueError, match="positive definite"):
        whitened_fourth_moment(rows, "relu", torch.ones(3, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="at least 2"):
        feature_variance_sum(rows, "relu", K, samples=1)
