"""One table of cases: operators by name and dimension, activations smooth enough for them.
Every invariant is crossed with it.
"""

import pytest
import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, smoothness_verdict
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import (
    SecondOrderOperator,
    advection_diffusion,
    elliptic,
    hard_constraint,
    heat,
    helmholtz,
    identity,
    laplacian,
    robin,
    wave,
)
from pinn_ntk.problem import Block, Partner, Problem

DIMENSIONS = (1, 2, 3, 4)


def full_matrix(x: Tensor) -> Tensor:
    """A symmetric A(x) with every entry moving."""
    d = x.shape[1]
    low = torch.tril(torch.ones(d, d)).to(x) * (0.3 + torch.sin(x.sum(1)))[:, None, None]
    return low @ low.mT + torch.diag_embed(1.0 + x * x)


def full_vector(x: Tensor) -> Tensor:
    return torch.cos(x) * x.sum(1, keepdim=True)


def bubble(x: Tensor) -> Tensor:
    return (x * (1.0 - x)).prod(1)


def full(d: int) -> SecondOrderOperator:
    return elliptic(d, full_matrix, full_vector, lambda x: torch.exp(-x.sum(1)))


OPERATORS = {
    "identity": identity,
    "laplacian": laplacian,
    "helmholtz": lambda d: helmholtz(d, 2.0),
    "advection": lambda d: advection_diffusion(d, 0.1, torch.arange(1.0, d + 1.0)),
    "full": full,
    "robin": lambda d: robin(d, full_vector, lambda x: 1.0 + x[:, 0], 2.0),
    "hard": lambda d: hard_constraint(full(d), bubble)[0],
    "heat": lambda d: heat(d - 1, 0.7),
    "wave": lambda d: wave(d - 1, 2.0),
    "paired": lambda d: elliptic(d, lambda x: 1.0 + x[:, 0], c=-1.0),
}
NEEDS_TIME = ("heat", "wave")

CASES = [
    pytest.param(name, activation, d, id=f"{name}-{activation}-{d}d")
    for name, make in OPERATORS.items()
    for d in DIMENSIONS
    for activation in ACTIVATIONS
    if not (name in NEEDS_TIME and d == 1) and smoothness_verdict(ACTIVATIONS[activation], make(d).order) != "refused"
]
FEW = [case for case in CASES if case.values[1] in ("tanh", "relu3") and case.values[2] == 2]


def points(
    n: int, d: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu", seed: int = 0
) -> Tensor:
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(
        device=device, dtype=dtype
    )


def problem_of(
    name: str, d: int, n: int = 6, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> Problem:
    """Two weighted blocks: the operator inside, values on other points; of the case "paired" a third one,
    whose rows pair two points.
    """
    x = points(n, d, dtype, device)
    inside = Block(OPERATORS[name](d), x, lambda p: torch.sin(p.sum(1)))
    data = Block(identity(d), points(3, d, dtype, device, seed=1), 0.3, name="data", weight=7.0)
    return Problem([inside, data, jump(d, points(4, d, dtype, device, seed=2))] if name == "paired" else [inside, data])


def jump(d: int, x: Tensor) -> Block:
    """𝓛u(x) − 𝓜u(1 − x) = 0.2 with a Robin 𝓛 and an 𝓜 of second order: no two coefficients are shared."""
    return Block(OPERATORS["robin"](d), x, 0.2, "jump", 3.0, Partner(OPERATORS["advection"](d), lambda p: 1.0 - p))


def network_of(
    activation: str,
    d: int,
    width: int = 5,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    **options: object,
) -> TwoLayer:
    return TwoLayer(d, width, activation, gamma=0.6, **options).to(device=device, dtype=dtype)  # type: ignore[arg-type]
