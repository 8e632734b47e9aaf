"""Mean field: the excess of the loss is an expectation, distances are those of known laws."""

import math

import numpy as np
import pytest
import torch
from cases import network_of, problem_of
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from pinn_ntk.kernels import infinite_width_kernel
from pinn_ntk.networks import TwoLayer, Weights, draw, residual
from pinn_ntk.theory import (
    cloud,
    coupled_distance,
    loss_excess,
    sliced_wasserstein,
)


def normal(
    count: int, dim: int, seed: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, dim))).to(device=device, dtype=dtype)


def wasserstein(left: Tensor, right: Tensor) -> float:
    """W₂ = min over pairings π of ((1/N) Σ_k |left_k − right_{π(k)}|²)^{1/2}."""
    cost = torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist").square().numpy()
    return math.sqrt(float(cost[linear_sum_assignment(cost)].mean()))


@pytest.mark.parametrize(("name", "activation"), [("identity", "relu"), ("identity", "tanh"), ("laplacian", "relu3")])
@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_the_loss_at_the_start_exceeds_its_limit_by_the_trace_of_the_kernel(
    name: str, activation: str, gamma: float
) -> None:
    problem, width, count = problem_of(name, 1), 6, 4000
    a, w = draw(width * count, 2, gamma, "lecture", 0)
    zero = torch.zeros(count, width, dtype=a.dtype)
    many = Weights(a.reshape(count, width), w.reshape(count, width, 2), zero, zero[..., None], zero[:, :0])
    e = residual(problem.system(network_of(activation, 1, width=width, scaling="mean_field")), many)
    losses = e.square().sum(1) / (2 * problem.points)
    limit = float(problem.target @ problem.target) / (2 * problem.points)
    excess = loss_excess(infinite_width_kernel(problem, activation, parts="a").total, width, gamma)
    assert float(losses.mean()) - limit == pytest.approx(excess, abs=4.0 * float(losses.std()) / math.sqrt(count))


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_sliced_distance_of_shifted_gaussians(dim: int, dtype: torch.dtype, device: torch.device) -> None:
    shift = torch.full((dim,), 0.7, dtype=dtype, device=device)
    x = normal(50, dim, 0, dtype, device)
    # the same sample shifted: W₂ along u is |u·m| exactly, and E (u·m)² = |m|²/dim
    expected = float(shift.norm()) / math.sqrt(dim)
    assert sliced_wasserstein(x, x + shift, directions=8000) == pytest.approx(expected, rel=0.03)


def test_sliced_distance_of_scaled_gaussians() -> None:
    x, y = normal(40_000, 3, 0), normal(30_000, 3, 1)
    # W₂(N(0,1), N(0,σ²)) = |σ − 1| along every direction
    assert sliced_wasserstein(x, 1.5 * y, directions=64) == pytest.approx(0.5, rel=0.02)
    assert sliced_wasserstein(x, y, directions=64) < 0.02


def test_along_one_axis_the_sliced_distance_is_the_distance() -> None:
    x, y = normal(40, 1, 0), normal(40, 1, 1)
    assert sliced_wasserstein(x, y, directions=3) == pytest.approx(wasserstein(x, y), rel=1e-12)


def test_clouds_of_different_sizes_are_measures_of_mass_one() -> None:
    x, y = normal(12, 3, 0), normal(20, 3, 1)
    doubled = x.repeat_interleave(2, 0)
    assert sliced_wasserstein(x, doubled) == pytest.approx(0.0, abs=1e-7)
    assert sliced_wasserstein(x, y) == pytest.approx(sliced_wasserstein(doubled, y), rel=1e-12)
    assert sliced_wasserstein(x, y) == pytest.approx(sliced_wasserstein(y, x), rel=1e-12)
    assert sliced_wasserstein(x, y) == pytest.approx(sliced_wasserstein(x.repeat(5, 1), y.repeat(3, 1)), rel=1e-12)


def test_the_sliced_distance_is_below_the_distance_and_both_are_blind_to_names() -> None:
    x, y = normal(60, 3, 0), normal(60, 3, 1) + 1.0
    shuffled = y[torch.randperm(60)]
    assert wasserstein(x, shuffled) == pytest.approx(wasserstein(x, y), rel=1e-12)
    assert sliced_wasserstein(x, shuffled) == pytest.approx(sliced_wasserstein(x, y), rel=1e-12)
    assert math.sqrt(3.0) * sliced_wasserstein(x, y, directions=2000) < 1.02 * wasserstein(x, y)
    assert wasserstein(x, x + 0.25) == pytest.approx(0.25 * math.sqrt(3.0), rel=1e-12)


def test_coupled_distance_compares_the_shared_particles() -> None:
    wide = normal(20, 3, 0)
    assert coupled_distance(wide[:10], wide) == 0.0
    assert coupled_distance(wide[:10] + 0.5, wide) == pytest.approx(0.5 * math.sqrt(3.0))
    narrow, twice = (TwoLayer(2, n, scaling="mean_field", gamma=1.0) for n in (10, 20))
    assert coupled_distance(cloud(narrow.weights), cloud(twice.weights)) == 0.0


def test_what_cannot_be_compared_is_refused() -> None:
    x, y = normal(5, 3, 0), normal(4, 3, 0)
    for wrong in (
        lambda: coupled_distance(x, y),
        lambda: sliced_wasserstein(x, normal(5, 2, 0)),
    ):
        with pytest.raises(ValueError, match="got .*, expected|got shapes"):
            wrong()
    with pytest.raises(ValueError, match="directions: got 0"):
        sliced_wasserstein(x, y, directions=0)
