"""What several processes and one compute alike: started by torchrun, or imported;
writes each result to a file of its rank.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import pinn_ntk as pn
from pinn_ntk import parallel
from pinn_ntk.experiment import Settings, run
from pinn_ntk.geometry import Box
from pinn_ntk.kernels import batched_kernel, closed_form_kernel, largest_eigenvalue, solution_kernel
from pinn_ntk.networks import System, TwoLayer, Weights, pullback, pushforward, residual_and_gradient
from pinn_ntk.operators import SecondOrderOperator, heat, identity, laplacian
from pinn_ntk.problem import Block, Problem, initial_value, periodic, pose

SQUARE = Box([0.0, 0.0], [1.0, 1.0])
Results = dict[str, Tensor]


def general(n: int) -> Problem:
    """Full A(x), b(x), c(x) in two dimensions, and values on other points."""
    operator = SecondOrderOperator(
        2,
        A=lambda x: torch.stack(
            [torch.stack([1 + x[:, 0] ** 2, 0.3 * x[:, 1]], 1), torch.stack([0.3 * x[:, 1], 2 + x[:, 1]], 1)], 1
        ),
        b=lambda x: torch.stack([x[:, 1], -x[:, 0]], 1),
        c=lambda x: -1.0 - x[:, 0] ** 2,
    )
    return Problem([Block(operator, points(n, 0), 1.0), Block(identity(2), points(n // 7 + 1, 1), 0.5, "data", 3.0)])


def constant(n: int) -> Problem:
    return Problem([Block(laplacian(2), points(n, 0), 1.0)])


def paired(n: int) -> Problem:
    given = [periodic("x", points=n // 8), initial_value(points=n // 8)]
    return pose(heat(1, 0.1), SQUARE, points=n, given=given, exact="sin(2*pi*x)*exp(-t)", time=True)


def points(n: int, seed: int) -> Tensor:
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moved(network: TwoLayer, members: int = 0) -> Weights:
    torch.manual_seed(1)
    w = network.weights
    shape = (members, *w.da.shape) if members else w.da.shape
    many = replace(w, a0=w.a0.expand(shape), w0=w.w0.expand(*shape, w.w0.shape[-1])) if members else w
    return replace(many, da=0.1 * torch.randn(shape).to(w.da), dw=0.1 * torch.randn(*shape, w.dw.shape[-1]).to(w.dw))


def sums(problem: Problem, width: int, compiled: bool = False, activation: str = "tanh", members: int = 0) -> Results:
    """e, ∇R, Jδ and (1/n)Jᵀv."""
    network = TwoLayer(2, width, activation)
    system: System = replace(problem.system(network), compiled=compiled)
    weights = moved(network, members)
    e, gradient = residual_and_gradient(system, weights)
    v = torch.linspace(-1.0, 2.0, problem.points, dtype=torch.float64).expand(e.shape)
    return {
        "e": e,
        **named("gradient", gradient),
        **named("pullback", pullback(system, weights, v)),
        "Jd": pushforward(system, weights, gradient),
    }


def named(word: str, tensors: tuple[Tensor, ...]) -> Results:
    return {f"{word} {index}": t for index, t in enumerate(tensors)}


def kernel(problem: Problem, width: int, activation: str = "tanh") -> Results:
    found = closed_form_kernel(TwoLayer(2, width, activation), problem)
    assert found.a is not None and found.w is not None
    return {"a": found.a, "w": found.w, "total": found.total}


def ensemble(problem: Problem, width: int) -> Results:
    network = TwoLayer(2, width)
    return dict(zip(("total", "a"), batched_kernel(problem.system(network), moved(network, 3)), strict=True))


def infinite() -> Results:
    """Of so many pairs that every process has some."""
    found = pn.infinite_width_kernel(general(100), "tanh", tolerance=1e-6)
    assert found.a is not None and found.w is not None
    return {"a": found.a, "w": found.w, "error": torch.tensor([found.error or 0.0])}


def lanczos() -> Results:
    pair = largest_eigenvalue(TwoLayer(2, 3001), constant(801), products=80)
    return {"vector": pair.vector, "value": torch.tensor([pair.value, pair.residual])}


def whole_run(optimizer: str, theory: bool) -> Results:
    settings = Settings(
        steps=6, optimizer=optimizer, compile="always", tracked=3, device="cpu", forecast_draws=2, theory=theory
    )
    record = run(general(257), TwoLayer(2, 4099), settings)
    history = record.history
    return {
        "losses": torch.tensor(history.losses),
        "theta": torch.cat([t.flatten() for t in history.final.weights.displacement]),
        "kernel": record.kernels["final"].total,
        "limit": torch.tensor([record.step_limit or 0.0]),
    }


CASES: dict[str, Callable[[], Results]] = {
    "kernel, general": lambda: kernel(general(613), 500),
    "kernel, constant": lambda: kernel(constant(1001), 300),
    "kernel, paired": lambda: kernel(paired(512), 300),
    "kernel, cross": lambda: {"total": solution_kernel(TwoLayer(2, 400), general(500), points(777, 5)).total},
    "kernel, ensemble": lambda: ensemble(general(600), 130),
    "kernel, small": lambda: kernel(general(9), 7),
    "kernel, few rows": lambda: kernel(general(40), 20_011),
    "kernel, fewer rows than processes": lambda: kernel(constant(4), 2_000_003),
    "sums, eager": lambda: sums(general(1103), 2501),
    "sums, paired": lambda: sums(paired(901), 3001),
    "sums, few rows": lambda: sums(general(37), 70_001),
    "sums, fewer rows than processes": lambda: sums(Problem([Block(laplacian(2), points(1, 0), 1.0)]), 2_200_001),
    "sums, small": lambda: sums(general(9), 7),
    "sums, ensemble": lambda: sums(general(700), 1100, members=3),
    "sums, compiled": lambda: sums(general(1103), 1013, compiled=True),
    "sums, compiled, few rows": lambda: sums(constant(3), 400_001, compiled=True, activation="sin"),
    "sums, compiled, twenty rows": lambda: sums(constant(21), 90_001, compiled=True),
    "sums, compiled, some rows": lambda: sums(general(55), 40_001, compiled=True),
    "infinite width": infinite,
    "Lanczos": lanczos,
    "run, descent": lambda: whole_run("gradient_descent", theory=True),
    "run, adam": lambda: whole_run("adam", theory=False),
}


def compute(names: list[str]) -> Results:
    """Every result of some cases."""
    torch.set_num_threads(1)
    return {f"{name}: {key}": value.clone() for name in names for key, value in CASES[name]().items()}


if __name__ == "__main__":
    from safetensors.torch import save_file

    with parallel.joined(patience=120.0):
        found = compute(list(CASES))
        save_file(
            {k: v.contiguous() for k, v in found.items()},
            Path(sys.argv[1]) / f"{parallel.size()}-{parallel.rank()}.safetensors",
        )
    assert pn.__version__
