"""The model problem u'' = f on (0, 1) of Wang, Yu & Perdikaris (2022), as printed and as coded.

J. Comput. Phys. 449, 110768 (arXiv:2007.14527); the code is that of github.com/PredictiveIntelligenceLab/PINNsNTK,
PINNsNTK_Poisson.ipynb.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.kernels.closed_form import closed_form_kernel
from pinn_ntk.kernels.gram import Kernel
from pinn_ntk.kernels.infinite_width import infinite_width_kernel
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.library import identity, laplacian
from pinn_ntk.problem.residual import Block, Problem

POINTS = 100  # of the equation, ends included, and as many boundary rows: 50 copies of each end
TEST_POINTS = 1000


@dataclass(frozen=True)
class Reading:
    """How the set-up is read.

    Attributes:
        words: for a report.
        scaling: of the network.
        gamma: of the network.
        standardised: whether the input is (x − mean)/deviation of the points.
        step: their step 10⁻⁵ on their loss, as a step on R_S = Σ_b λ_b/(2n_b)‖e_b‖² with their weights.
    """

    words: str
    scaling: str
    gamma: float | str
    standardised: bool
    step: float


READINGS = {
    "paper": Reading(
        "as printed: u = (1/√N) Σ aₖ tanh(wₖx + βₖ) + β₀, loss with the factor ½", "ntk", 1.0, False, 1e-5
    ),
    "code": Reading(
        "as in the authors' code: u = Σ aₖ tanh(wₖx + βₖ) + β₀, aₖ ~ N(0, 1/N), standardised x, no factor ½",
        "sum",
        "inv_sqrt_width",
        True,
        2e-5,
    ),
}
"""In the code the input is standardised (its deviation is 0.29, so every derivative of a neuron is 3.4 times larger),
and a_k ~ N(0, 1/N) is trained as it is: the kernel JJᵀ of the a_k is N times that of the printed network."""


@dataclass(frozen=True)
class Model:
    """The problem in the coordinates that the network sees.

    Attributes:
        problem: distinct rows: 100 points and the two ends; R_S and its gradient are those of 50 copies of each end.
        copied: with the 50 copies, whose kernel is singular.
    """

    problem: Problem
    copied: Problem


def model(reading: Reading, frequency: int, weight: float, sums: bool) -> Model:
    """u'' = −(aπ)² sin aπx, u(0) = u(1) = 0, whose solution is sin aπx.

    Args:
        reading: of the set-up.
        frequency: a.
        weight: λ of the boundary.
        sums: whether the loss is ½Σ + ½λΣ over rows instead of the means.
    """
    x = torch.linspace(0.0, 1.0, POINTS, dtype=torch.float64, device="cpu")[:, None]
    mean, deviation = (float(x.mean()), float(x.std(correction=0))) if reading.standardised else (0.0, 1.0)

    def seen(points: Tensor) -> Tensor:
        return (points - mean) / deviation

    def exact(z: Tensor) -> Tensor:
        return torch.sin(frequency * math.pi * (deviation * z[:, 0] + mean))

    ends = x.new_tensor([[0.0], [1.0]])
    factor = float(POINTS) if sums else 1.0
    equation = Block(
        deviation**-2 * laplacian(1),
        seen(x),
        lambda z: -((frequency * math.pi) ** 2) * exact(z),
        "interior",
        weight=factor,
    )
    tests = seen(torch.linspace(0.0, 1.0, TEST_POINTS, dtype=torch.float64, device="cpu")[:, None])

    def problem(boundary: Tensor) -> Problem:
        block = Block(identity(1), seen(boundary), 0.0, "boundary", weight=factor * weight)
        return Problem([equation, block], "wang2020", exact=exact, equation="u'' = −(aπ)² sin aπx", test_points=tests)

    return Model(problem(ends), problem(ends.repeat_interleave(POINTS // 2, 0)))


def network(reading: Reading, width: int, seed: int) -> TwoLayer:
    """Σ a_k tanh(w_k x + β_k) + β₀ with all of w_k, β_k, β₀ ~ N(0, 1), a_k as the reading says."""
    start = TwoLayer(1, width, "tanh", gamma=reading.gamma, scaling=reading.scaling, seed=seed, extra=(_one,))
    beta = torch.from_numpy(np.random.default_rng([seed, 1]).standard_normal(1))
    return start.with_weights(dataclasses.replace(start.weights, extra=beta))


def _one(x: Tensor) -> Tensor:
    return torch.ones_like(x[:, 0])


def their_kernel(net: TwoLayer, problem: Problem) -> dict[str, Tensor]:
    """JJᵀ of unweighted rows: K_uu of the boundary, K_rr of the equation, and K of both."""
    kernel: Kernel = closed_form_kernel(net, problem)
    blocks = {"uu": ("boundary", "boundary"), "rr": ("interior", "interior"), "ur": ("boundary", "interior")}
    raw = {name: kernel.scale * kernel.raw(*pair) for name, pair in blocks.items()}
    whole = torch.cat([torch.cat([raw["uu"], raw["ur"]], 1), torch.cat([raw["ur"].mT, raw["rr"]], 1)])
    return {"uu": raw["uu"], "rr": raw["rr"], "all": whole}


def descending(kernel: Tensor) -> Tensor:
    """Eigenvalues, largest first; what rounding makes negative is 0."""
    values: Tensor = torch.linalg.eigvalsh(kernel).flip(0).clamp_min(0.0)
    return values


def limit_ratio(net: TwoLayer, problem: Problem) -> float:
    """tr K_rr/n_r over tr K_uu/n_b as N → ∞, β₀ counted."""
    limit = infinite_width_kernel(problem, net.activation, net.bias, tolerance=1e-8)
    assert limit.a is not None and limit.w is not None  # both parts were asked for
    total = dataclasses.replace(limit, total=net.scale**2 * net.width * (limit.a + net.gamma**2 * limit.w))
    equation, boundary = (total.raw(name, name).diagonal().mean() for name in ("interior", "boundary"))
    return float(equation / (boundary + 1.0))
