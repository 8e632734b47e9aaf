"""An ensemble beside its linearisations equals one run beside one linearisation,
and limits are what they have to be.
"""

import pytest
import torch

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels import closed_form_kernel
from pinn_ntk.networks import TwoLayer
from pinn_ntk.problem import PROBLEMS, Block, Problem
from pinn_ntk.studies import Training, lazy_runs, member_seeds
from pinn_ntk.theory import Linearisation
from pinn_ntk.training import gradient_descent

PROBLEM = PROBLEMS["heat_1d"](points=6, test_points=5)
HOW = Training(steps=12, step_size=0.4, tracked=100)


def network(width: int, seed: int = 0, **options: object) -> TwoLayer:
    return TwoLayer(2, width, "tanh", gamma=1.0, scaling="ntk", seed=seed, **options)


def test_an_ensemble_says_what_a_single_run_says():
    (row,) = lazy_runs(network(20), PROBLEM, [7], HOW, PROBLEM.test_points)
    start = network(20, 7)
    states = list(gradient_descent(start, PROBLEM, HOW.step_size, HOW.steps))
    kernel = closed_form_kernel(start, PROBLEM)
    linear = Linearisation.from_kernel(kernel.scale / PROBLEM.points * kernel.total, states[0].residual)
    gaps = [
        float(torch.linalg.norm(s.residual - linear.residual_under(Dynamics("descent", s.step_size), s.step)))
        for s in states
    ]
    drifts = [float(torch.linalg.norm(closed_form_kernel(s.network, PROBLEM).total - kernel.total)) for s in states]
    size = float(torch.linalg.norm(states[0].residual))
    assert row["seed"] == 7
    assert row["residual_gap"] == pytest.approx(max(gaps) / size, rel=1e-9)
    assert row["drift"] == pytest.approx(max(drifts) / float(torch.linalg.norm(kernel.total)), rel=1e-9)
    assert row["remaining"] == pytest.approx(float(torch.linalg.norm(states[-1].residual)) / size, rel=1e-9)


def test_at_the_training_points_the_solution_gap_of_regression_is_the_residual_gap():
    problem = PROBLEMS["regression"](points=6, dim=2)
    (row,) = lazy_runs(network(20), problem, [3], HOW, problem.x)
    assert row["solution_gap"] == pytest.approx(row["residual_gap"], rel=1e-9)


def test_a_small_target_from_zero_output_is_the_lazy_limit():
    """With paired neurons the terms of first order in the target cancel,
    and the relative gap is of second order in its size.
    """
    block = PROBLEM.blocks[0]
    gaps = []
    for size in (1e-2, 1e-3):
        problem = Problem([Block(block.operator, block.x, size * block.target)])
        (row,) = lazy_runs(network(20, init="centred"), problem, [1], HOW)
        gaps.append(row["residual_gap"])
    assert gaps[0] / gaps[1] == pytest.approx(100.0, rel=0.1)
    assert gaps[1] < 1e-5


def test_no_two_widths_share_a_seed():
    seeds = [s for width in (16, 64, 256) for s in member_seeds(width, 10)]
    assert len(set(seeds)) == len(seeds)
