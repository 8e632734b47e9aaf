"""Tiny runs of every kind that a report has to cope with, each made once."""

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch

from pinn_ntk.experiment import Settings, run
from pinn_ntk.geometry import box
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Block, Problem, heat_1d, poisson_1d, poisson_3d, regression
from pinn_ntk.reporting import Record

EVIL = '<script>alert(1)</script> $x_1$ 100% & "q" \\frac _{ 漢字'


def settings(steps: int = 20, **options: object) -> Settings:
    return Settings(steps=steps, tracked=6, forecast_draws=50, **options)  # type: ignore[arg-type]


def line(width: int = 16, n: int = 6, activation: str = "relu3", **options: object) -> Record:
    return run(poisson_1d(points=n, test_points=20), TwoLayer(1, width, activation, seed=1), settings(**options))


def theorem() -> Record:
    """Two orthogonal points: λ_S = ½ − 1/(2π), and the regression theorem applies."""
    problem = regression(target="0.5*x1", points=torch.eye(2, dtype=torch.float64), test_points=20)
    return run(problem, TwoLayer(2, 256, "relu", bias=False), settings(60))


def named(name: str) -> Record:
    """Two blocks and no exact solution; every text that a person can give is `name`."""
    x = box([0.0, 0.0], [1.0, 1.0]).interior(6)
    edge = torch.tensor([[0.0, 0.3], [1.0, 0.2]], dtype=torch.float64)
    blocks = [Block(-1.0 * laplacian(2), x, 1.0, name="_" + name), Block(identity(2), edge, 0.0, name=name + "$$b_")]
    problem = Problem(blocks, name=name, equation=name, conditions=[name])
    return run(problem, TwoLayer(2, 16, "relu3"), settings(), config={name: name})


RUNS: dict[str, Callable[[], Record]] = {
    "1d": line,
    "theorem": theorem,
    "heat_in_space_and_time": lambda: run(heat_1d(points=8, test_points=20), TwoLayer(2, 32, "relu3"), settings()),
    "soft_3d": lambda: run(
        poisson_3d(points=6, boundary="soft", boundary_points=6, test_points=20), TwoLayer(3, 32, "relu3"), settings()
    ),
    "5d": lambda: run(
        regression(target="sin(x1) + x5", dim=5, points=6, test_points=20), TwoLayer(5, 16, "relu"), settings()
    ),
    "no_theory": lambda: line(theory=False),
    "no_kernel": lambda: line(kernel=False),
    "neither": lambda: line(theory=False, kernel=False),
    "zero_steps": lambda: line(steps=0),
    "one_point_one_neuron": lambda: line(width=1, n=1, steps=3),
    "flow": lambda: line(optimizer="gradient_flow"),
    "heavy_ball": lambda: line(optimizer="heavy_ball", options={"momentum": 0.8}),
    "float32": lambda: line(dtype="float32"),
    "diverged": lambda: line(activation="tanh", steps=100, step_size=8.0),
    "not_finite": lambda: line(activation="tanh", steps=200, step_size=1e3, divergence=math.inf),
    "singular": lambda: run(
        regression(target="x1", points=6, test_points=20), TwoLayer(1, 16, "relu", bias=False), settings()
    ),
    "hostile_names": lambda: named(EVIL),
}


@pytest.fixture(scope="session")
def record_of() -> Callable[[str], Record]:
    return cache(lambda name: RUNS[name]())
