"""Lipschitz constants of the Jacobian: never below what is seen in the ball,
and not far above it where the ball is small.
"""

import pytest
import torch
from cases import CASES, OPERATORS, network_of, problem_of
from modules import module_of

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.kernels import kernel_factor
from pinn_ntk.networks import System, jacobian_columns, unbounded
from pinn_ntk.theory import curvature_bound, curvature_norms, gradient_norms, gradient_parts, jacobian_lipschitz

module = module_of(jacobian_lipschitz)

LIPSCHITZ = [
    case
    for case in CASES
    if case.values[2] <= 2
    and not unbounded(ACTIVATIONS[case.values[1]], OPERATORS[case.values[0]](case.values[2]).order)
]


def jacobian(system, weights):
    """J (n, N(D+1))."""
    return system.scale * torch.cat(list(jacobian_columns(system, weights.w, weights.a)), -1)


def hessians(rows, activation, w):
    """∇²_wφ(x_i; w_k) by central differences of ∇_wφ, (n, N, D, D)."""
    system = System((rows,), rows.x[:, 0], activation, 1.0)
    columns = []
    for beta in range(w.shape[1]):
        step = torch.zeros_like(w)
        step[:, beta] = 1e-5
        ahead, behind = (torch.stack(gradient_parts(system, w + sign * step)[1], -1) for sign in (1, -1))
        columns.append((ahead - behind) / 2e-5)
    return torch.stack(columns, -1)


@pytest.mark.parametrize(("name", "activation", "d"), LIPSCHITZ)
def test_curvature_bound_is_above_every_hessian_of_the_ball(name, activation, d):
    network, problem = network_of(activation, d), problem_of(name, d)
    system, radius = problem.system(network), 0.2
    for rows in system.rows:
        bound = curvature_bound(rows, system.activation, radius)(network.w.detach())
        for _ in range(4):
            way = torch.randn(network.width, network.inputs, dtype=torch.float64)
            way = radius * torch.rand(network.width, 1, dtype=torch.float64) * way / way.norm(dim=1, keepdim=True)
            seen = torch.linalg.matrix_norm(hessians(rows, system.activation, network.w.detach() + way), 2)
            assert bool((bound >= seen - 1e-6 * (1 + seen)).all())


def test_curvature_bound_of_a_point_is_tight_for_values():
    """‖∇²σ(w·x)‖ = |σ''|‖x‖², and r = 0 leaves the cell of the table only."""
    network, problem = network_of("tanh", 2, width=200), problem_of("identity", 2)
    rows = problem.system(network).rows[0]
    size = rows.c.abs()[:, None] * rows.x.square().sum(1)[:, None]
    exact = network.activation.jet(rows.x @ network.w.detach().mT, 2)[2].abs() * size
    bound = curvature_bound(rows, network.activation, 0.0)(network.w.detach())
    assert bool((bound >= exact).all())
    assert bool((bound <= exact + 0.05 * size).all())  # a third derivative of 2 at most, over a cell of 1/64


SOME = [c for c in LIPSCHITZ if c.values[2] == 2 and c.values[1] in ("tanh", "gelu", "relu3")]


@pytest.mark.parametrize(("name", "activation", "d"), SOME)
def test_jacobian_lipschitz_sandwich(name, activation, d):
    """Random pairs of the ball are never further apart than L allows; one neuron, moved the worst way,
    reaches a fair share of L.
    """
    network, problem = network_of(activation, d, width=12), problem_of(name, d)
    system, start, radius = problem.system(network), network.weights, 0.05
    bound, generator = jacobian_lipschitz(system, start, radius), torch.Generator().manual_seed(1)
    best = 0.0
    for k in range(60):
        da, dw = (
            torch.randn(12, generator=generator).double(),
            torch.randn(12, network.inputs, generator=generator).double(),
        )
        if k % 2:  # one neuron alone
            mask = torch.zeros(12, dtype=torch.float64)
            mask[k // 2 % 12] = 1.0
            da, dw = da * mask, dw * mask[:, None]
        size = float(torch.sqrt(da.square().sum() + dw.square().sum())) / radius
        moved = start.moved(da / size, dw / size, start.extra)
        best = max(best, float(torch.linalg.matrix_norm(jacobian(system, moved) - jacobian(system, start), 2)) / radius)
    assert best <= bound * (1 + 1e-9)
    assert best >= bound / 8


def test_constant_of_one_neuron_is_the_norm_of_its_derivative():
    """‖[Gω | αG + aHω]‖ over unit (α, ω), for scalar g, h: the larger singular value of [[g, 0], [t, g]]."""
    g, t = torch.tensor([0.7, 2.0, 0.0]).double(), torch.tensor([0.3, 5.0, 1.5]).double()
    exact = torch.stack(
        [torch.linalg.matrix_norm(torch.tensor([[a, 0.0], [b, a]]).double(), 2) for a, b in zip(g, t, strict=True)]
    )
    assert torch.allclose(module._neuron_constant(t, g, torch.ones(3).double(), 0.0), exact)


def test_the_constant_does_not_grow_with_the_width_but_sigma_does():
    problem = problem_of("identity", 2)
    narrow, wide = network_of("tanh", 2, 256), network_of("tanh", 2, 4096)
    constants = [jacobian_lipschitz(problem.system(n), n.weights, 0.01) for n in (narrow, wide)]
    sigmas = [float(torch.linalg.svdvals(kernel_factor(n, problem))[-1]) for n in (narrow, wide)]
    assert constants[1] < 2 * constants[0]
    assert sigmas[1] > 2.5 * sigmas[0]


def test_chunks_do_not_change_the_norms(monkeypatch):
    network, problem = network_of("tanh", 2, 40), problem_of("full", 2)
    system, w = problem.system(network), network.w.detach()
    whole = gradient_norms(system, network.weights), jacobian_lipschitz(system, network.weights, 0.1)
    monkeypatch.setattr(module, "CACHED_ELEMENTS", 30)
    assert torch.allclose(gradient_norms(system, network.weights), whole[0])
    assert jacobian_lipschitz(system, network.weights, 0.1) == pytest.approx(whole[1])
    assert curvature_norms(system, 0.1)(w).shape == (40,)
