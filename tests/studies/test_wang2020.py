"""The published set-up: an independent implementation by automatic differentiation takes the same steps and has the
same kernel.
"""

import math

import pytest
import torch
from torch import Tensor

from pinn_ntk.studies import (
    POINTS,
    READINGS,
    descending,
    limit_ratio,
    run_study,
    their_kernel,
    wang2020_fig1,
    wang2020_fig2,
    wang2020_fig4,
    wang_model,
    wang_network,
)
from pinn_ntk.training import gradient_descent

X = torch.linspace(0.0, 1.0, POINTS, dtype=torch.float64)[:, None]
ENDS = torch.tensor([[0.0]] * 50 + [[1.0]] * 50, dtype=torch.float64)


class Independent:
    """u(x) with parameters of its own, in the coordinates of the paper, differentiated by torch alone."""

    def __init__(self, name: str, width: int, seed: int) -> None:
        start = wang_network(READINGS[name], width, seed)
        parts = (start.a.detach(), start.w[:, 0].detach(), start.w[:, 1].detach(), start.extra_weights.detach())
        self.theta = [part.clone().requires_grad_() for part in parts]
        self.factor = width**-0.5 if name == "paper" else 1.0
        self.mean, self.deviation = (float(X.mean()), float(X.std(correction=0))) if name == "code" else (0.0, 1.0)

    def u(self, x: Tensor) -> Tensor:
        a, w, beta, last = self.theta
        z = (x - self.mean) / self.deviation
        return self.factor * torch.tanh(z * w + beta) @ a + last

    def second_derivative(self) -> Tensor:
        x = X.clone().requires_grad_()
        (first,) = torch.autograd.grad(self.u(x).sum(), x, create_graph=True)
        return torch.autograd.grad(first.sum(), x, create_graph=True)[0][:, 0]

    def jacobian(self, values: Tensor) -> Tensor:
        rows = [torch.autograd.grad(v, self.theta, retain_graph=True, allow_unused=True) for v in values]
        return torch.stack(
            [
                torch.cat([torch.zeros_like(t) if g is None else g for g, t in zip(row, self.theta, strict=True)])
                for row in rows
            ]
        )


@pytest.mark.parametrize("name", ["paper", "code"])
@pytest.mark.parametrize(("weight", "sums"), [(1.0, True), (100.0, False)])
def test_the_published_loss_takes_the_same_steps(name, weight, sums):
    twin, reading = Independent(name, 6, 3), READINGS[name]
    reduce = torch.sum if sums else torch.mean
    half = 0.5 if name == "paper" else 1.0
    optimiser = torch.optim.SGD(twin.theta, lr=1e-5)
    for _ in range(4):
        residual = twin.second_derivative() + (4 * math.pi) ** 2 * torch.sin(4 * math.pi * X[:, 0])
        loss = half * reduce(residual**2) + half * weight * reduce(twin.u(ENDS) ** 2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    made = wang_model(reading, 4, weight, sums)
    *_, last = gradient_descent(wang_network(reading, 6, 3), made.problem, reading.step, 4, absolute=True)
    u = last.network((X - twin.mean) / twin.deviation)
    assert torch.allclose(u, twin.u(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["paper", "code"])
def test_their_kernel_is_the_jacobian_of_the_unweighted_rows(name):
    twin = Independent(name, 5, 1)
    jacobian = twin.jacobian(torch.cat([twin.u(ENDS), twin.second_derivative()]))
    kernels = their_kernel(wang_network(READINGS[name], 5, 1), wang_model(READINGS[name], 1, 100.0, True).copied)
    assert torch.allclose(
        kernels["all"], jacobian @ jacobian.T, rtol=1e-9, atol=1e-9 * float(kernels["all"].abs().max())
    )
    assert torch.equal(kernels["rr"], kernels["all"][POINTS:, POINTS:])


def test_copies_of_the_ends_change_the_kernel_not_the_loss():
    made, net = wang_model(READINGS["code"], 2, 7.0, False), wang_network(READINGS["code"], 9, 0)
    assert made.copied.loss(net) == pytest.approx(made.problem.loss(net), rel=1e-12)
    copied, distinct = (descending(their_kernel(net, p)["uu"]) for p in (made.copied, made.problem))
    assert torch.allclose(copied[:2], 50.0 * distinct, rtol=1e-10)
    assert float(copied[2:].max()) < 1e-10 * float(copied[0])


def test_blocks_are_far_apart_only_with_a_standardised_input():
    printed, coded = (
        limit_ratio(wang_network(READINGS[name], 500, 0), wang_model(READINGS[name], 1, 1.0, True).problem)
        for name in ("paper", "code")
    )
    assert 1.0 < printed < 3.0
    assert coded > 50.0


def test_the_solution_solves_the_problem():
    for name in READINGS:
        problem = wang_model(READINGS[name], 4, 1.0, False).problem
        block = problem.blocks[0]
        assert torch.allclose(block.operator.apply(problem.exact, block.x), block.target, atol=1e-9)
        assert float(problem.exact(problem.blocks[1].x).abs().max()) < 1e-14


def test_figures_at_small_size(factory, tmp_path):
    studies = (
        wang2020_fig1(factory(), widths=[8], seeds=2),
        wang2020_fig2(factory(), widths=[4, 8, 16], seeds=1, steps=20),
        wang2020_fig4(factory(), width=6, seeds=1, steps=20),
    )
    for study in studies:
        finished = run_study(study, tmp_path / study.name)
        assert finished.summary["status"] == "DONE"
        assert len(finished.summary["findings"]) >= 4
    ratios = [f["value"] for f in run_study(studies[0], tmp_path / studies[0].name).summary["findings"]]
    assert all(r > 0 for r in ratios)
