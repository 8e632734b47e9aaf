"""Compiled sums against products of matrices and automatic differentiation; when they are used;
what happens without a compiler.
"""

import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from modules import module_of
from torch import Tensor

from pinn_ntk.geometry import Box
from pinn_ntk.networks import (
    System,
    TwoLayer,
    Weights,
    accelerated,
    compiling,
    pays,
    pullback,
    residual,
    residual_and_gradient,
)
from pinn_ntk.operators import SecondOrderOperator, heat, laplacian
from pinn_ntk.problem import Problem, dirichlet, initial_value, periodic, pose, robin_condition
from pinn_ntk.training import gradient_descent

fused = module_of(accelerated)

SQUARE, CPU = Box([0.0, 0.0], [1.0, 1.0]), torch.device("cpu")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")


def general() -> Problem:
    """Full A(x), b(x), c(x), beside conditions with constant coefficients."""
    operator = SecondOrderOperator(
        2,
        A=lambda x: torch.stack(
            [torch.stack([1 + x[:, 0] ** 2, 0.3 * x[:, 1]], 1), torch.stack([0.3 * x[:, 1], 2 + x[:, 1]], 1)], 1
        ),
        b=lambda x: torch.stack([x[:, 1], -x[:, 0]], 1),
        c=lambda x: -1.0 - x[:, 0] ** 2,
    )
    return pose(
        operator,
        SQUARE,
        given=[dirichlet(on=["x=0", "y=0"]), robin_condition(on=["x=1", "y=1"], alpha=2.0)],
        exact="exp(-x)*y",
    )


PROBLEMS = {
    "general": general,
    "constant": lambda: pose(laplacian(2), SQUARE, exact="x*y*y"),
    "paired rows": lambda: pose(
        heat(1, 0.1), SQUARE, given=[periodic("x"), initial_value()], exact="sin(2*pi*x)*exp(-t)", time=True
    ),
}


def moved(network: TwoLayer) -> Weights:
    torch.manual_seed(1)
    w = network.weights
    return replace(w, da=0.1 * torch.randn_like(w.da), dw=0.1 * torch.randn_like(w.dw))


def relative(value: Tensor, truth: Tensor) -> float:
    return float((value - truth).abs().max() / truth.abs().max())


def by_autograd(problem: Problem, network: TwoLayer, weights: Weights) -> tuple[Tensor, Tensor, Tensor]:
    """e, ∇_aR and ∇_wR by torch's own derivatives of h, of u and of R."""
    a, w = weights.a.clone().requires_grad_(True), weights.w.clone().requires_grad_(True)

    def h(x: Tensor) -> Tensor:
        return network.activation(x @ w[:, :2].mT + w[:, 2]) @ a

    e = torch.cat([r.apply(h) for r in problem.rows()]) - problem.system(network).target
    by_a, by_w = torch.autograd.grad((e @ e) / (2 * problem.points), (a, w))
    return e.detach(), by_a, by_w


@needs_compiler
@pytest.mark.parametrize(
    ("name", "activation"),
    [("general", "tanh"), ("constant", "gaussian"), ("paired rows", "sin"), ("constant", "relu3")],
)
def test_compiled_sums_are_the_products_of_matrices(name: str, activation: str, device: torch.device) -> None:
    problem = PROBLEMS[name]().to(torch.float64, device)
    network = TwoLayer(2, 70, activation).to(device)
    system, weights = problem.system(network), moved(network)
    with compiling("always") as used:
        compiled = accelerated(system, network, 1)
        e, gradient = residual_and_gradient(compiled, weights)
        assert used == {"forward", "backward"}
    plain_e, plain = residual_and_gradient(system, weights)
    assert relative(e, plain_e) <= 1e-12 and relative(residual(compiled, weights), plain_e) <= 1e-12
    for own, other in zip(gradient[:2], plain, strict=False):
        assert relative(own, other) <= 1e-12
    v = torch.linspace(-1.0, 1.0, problem.points, dtype=torch.float64, device=device)
    for own, other in zip(pullback(compiled, weights, v)[:2], pullback(system, weights, v), strict=False):
        assert relative(own, other) <= 1e-12


@needs_compiler
def test_compiled_sums_are_automatic_derivatives() -> None:
    problem, network = general(), TwoLayer(2, 33, "tanh")
    weights = moved(network)
    with compiling("always"):
        e, gradient = residual_and_gradient(accelerated(problem.system(network), network, 1), weights)
    for own, other in zip((e, *gradient), by_autograd(problem, network, weights), strict=False):
        assert relative(own, other) <= 1e-12


@needs_compiler
def test_a_batch_and_other_sizes_use_the_same_code() -> None:
    problem, members = general(), [TwoLayer(2, 24, "tanh", seed=s) for s in range(3)]
    system: System = problem.system(members[0])
    own = [moved(m) for m in members]
    weights = Weights(*(torch.stack([getattr(w, part) for w in own]) for part in ("a0", "w0", "da", "dw", "extra")))
    with compiling("always"):
        e, gradient = residual_and_gradient(accelerated(system, members[0], 1, 3), weights)
    for s, single in enumerate(own):
        plain_e, plain = residual_and_gradient(system, single)
        assert relative(e[s], plain_e) <= 1e-12
        assert relative(gradient[0][s], plain[0]) <= 1e-12 and relative(gradient[1][s], plain[1]) <= 1e-12


@needs_compiler
def test_training_is_the_same_either_way() -> None:
    problem, network = PROBLEMS["constant"](), TwoLayer(2, 40, "tanh")
    ends = []
    for preference in ("always", "never"):
        with compiling(preference) as used:
            *_, last = gradient_descent(network, problem, steps=30)
            assert bool(used) == (preference == "always")
        ends.append(last)
    assert ends[0].loss == pytest.approx(ends[1].loss, rel=1e-11)
    assert relative(ends[0].weights.dw, ends[1].weights.dw) <= 1e-10


def test_without_a_compiler_the_numbers_are_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*_: object) -> None:
        raise RuntimeError("no working C++ compiler\nand more lines")

    monkeypatch.setattr(fused, "_compiled", missing)
    monkeypatch.setattr(fused, "_failed", set())
    problem, network = general(), TwoLayer(2, 20, "tanh")
    weights, system = moved(network), problem.system(network)
    with caplog.at_level(logging.WARNING), compiling("always") as used:
        compiled = accelerated(system, network, 1)
        for _ in range(2):
            e, gradient = residual_and_gradient(compiled, weights)
        assert not used
    plain_e, plain = residual_and_gradient(system, weights)
    assert relative(e, plain_e) <= 1e-14 and all(
        relative(g, p) <= 1e-14 for g, p in zip(gradient[:2], plain, strict=False)
    )
    said = "compile: no compiled step (RuntimeError: no working C++ compiler); going on without"
    assert [record.message for record in caplog.records] == [said]  # once for both ways


def test_a_compiler_is_asked_only_where_it_pays() -> None:
    assert not pays(50 * 1024, 3, 2000, CPU) and not pays(2048 * 1024, 3, 100, CPU)
    assert pays(2048 * 1024, 3, 1000, CPU)
    assert not pays(2048 * 1024, 50, 100_000, CPU)  # written out over 50 coordinates it would be no gain
    with compiling("never"):
        assert not pays(2048 * 1024, 3, 1_000_000, CPU)
    with compiling("always"):
        assert pays(1, 3, 1, CPU)
    problem, network = general(), TwoLayer(2, 20, "tanh")
    assert not accelerated(problem.system(network), network, 10).compiled
    module = torch.nn.Linear(2, 1)
    assert accelerated(module, module, 10) is module


def test_another_preference_is_refused() -> None:
    with pytest.raises(ValueError, match="compile: got 'allways'"), compiling("allways"):
        pass


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_child_of_a_process_that_compiled_does_without() -> None:
    code = """
import os, torch
from pinn_ntk.geometry import Box
from pinn_ntk.networks import compiling
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import laplacian
from pinn_ntk.problem import pose
from pinn_ntk.training import gradient_descent
torch.set_num_threads(1)
problem = pose(laplacian(1), Box([0.0], [1.0]), exact="x*x")
def last(activation, used):
    *_, state = gradient_descent(TwoLayer(1, 8, activation), problem, steps=2)
    return f"{activation} {state.loss > 0} {sorted(used)}"
with compiling("always") as used:
    print(last("relu3", used), flush=True)
if (child := os.fork()) == 0:
    with compiling("always") as used:
        print(last("sin", used), flush=True)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == ["relu3 True ['backward', 'forward']", "sin True []", "0"]
