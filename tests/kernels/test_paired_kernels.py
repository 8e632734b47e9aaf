"""Kernels of paired rows: K₁₁ − K₁₂ − K₂₁ + K₂₂ of their parts, at finite width and at infinite width."""

import pytest
import torch
from cases import OPERATORS, jump, network_of, points, problem_of
from torch import Tensor

from pinn_ntk.geometry import box
from pinn_ntk.kernels import (
    closed_form_kernel,
    infinite_width_kernel,
    infinite_width_spectrum,
    kernel_spectrum,
    tangent_kernel,
    tangent_spectrum,
)
from pinn_ntk.networks import MLP, AnyModule, TwoLayer
from pinn_ntk.operators import identity, laplacian
from pinn_ntk.problem import Block, Problem, drawn, periodic_conditions

LIMITS = [("lecture", name, d) for name in ("tanh", "relu3", "gelu") for d in (1, 2, 3)]
LIMITS += [("uniform", "tanh", 1), ("uniform", "relu3", 1), ("uniform", "relu3", 2)]


def periodic_problem(d: int, n: int = 5) -> Problem:
    """Δu inside, a weighted pair of periodic conditions, and a jump whose parts are far apart and share no
    coefficient.
    """
    domain = box([0.0] * d, [1.0] * d)
    conditions = [drawn(c, 3) for c in periodic_conditions(domain, d - 1, weight=2.0)]
    return Problem([Block(laplacian(d), points(n, d), 0.0), *conditions, jump(d, points(3, d, seed=2))])


def contraction(problem: Problem) -> tuple[Problem, Tensor]:
    """The problem with both parts of a pair as blocks of their own,
    and the matrix C with J = C J' for its rows scaled alike.
    """
    blocks, pieces, start = [], [], 0
    for block in problem.blocks:
        eye = torch.eye(len(block), dtype=torch.float64)
        for sign, (operator, x) in zip((1.0, -1.0), block.places, strict=False):
            blocks.append(Block(operator, x, 0.0, f"{block.name} {sign}", block.weight))
            pieces.append((sign * eye, start))
        start += len(block)
    scales = dict(zip((b.name for b in problem.blocks), problem.row_scales, strict=True))
    apart = Problem(blocks)
    C = torch.cat([torch.nn.functional.pad(p, (0, 0, at, start - at - len(p))) for p, at in pieces], 1)
    ratio = [scales[b.name.rsplit(" ", 1)[0]] / s for b, s in zip(apart.blocks, apart.row_scales, strict=True)]
    return apart, C * torch.cat(
        [torch.full((len(b),), r, dtype=torch.float64) for b, r in zip(apart.blocks, ratio, strict=True)]
    )


def close(mine: Tensor, theirs: Tensor, atol: float = 1e-12) -> None:
    assert float((mine - theirs).abs().max()) <= atol * float(theirs.abs().max())


@pytest.mark.parametrize(
    "network", [network_of("gelu", 2), AnyModule(MLP(2, 6, 2).double(), 2)], ids=["two layers", "module"]
)
def test_a_finite_kernel_is_that_of_the_parts_contracted(network: TwoLayer | AnyModule) -> None:
    problem = periodic_problem(2)
    apart, C = contraction(problem)
    K = tangent_kernel(network, problem)
    close(K.total, C @ tangent_kernel(network, apart).total @ C.mT)
    close(tangent_spectrum(network, problem).eigenvalues, torch.linalg.eigvalsh(K.total))


@pytest.mark.parametrize(("init", "activation", "d"), LIMITS)
def test_the_limit_is_that_of_the_parts_contracted(init: str, activation: str, d: int) -> None:
    problem = periodic_problem(d)
    apart, C = contraction(problem)
    options = {"init": init, "tolerance": 1e-9 if init == "uniform" else 1e-12}
    K, parts = (
        infinite_width_kernel(problem, activation, **options),
        infinite_width_kernel(apart, activation, **options),
    )
    for mine, theirs in ((K.a, parts.a), (K.w, parts.w)):
        assert torch.equal(mine, mine.mT)
        assert float((mine - C @ theirs @ C.mT).abs().max()) <= K.error + 4 * float(C.abs().max()) ** 2 * parts.error
    assert float(torch.linalg.eigvalsh(K.total)[0]) > -len(K.total) * K.error


@pytest.mark.parametrize(("activation", "d"), [("tanh", 1), ("tanh", 2), ("relu3", 1), ("relu3", 3), ("gelu", 3)])
def test_the_limit_is_the_mean_of_networks(activation: str, d: int) -> None:
    """Within three standard errors of the mean over seeds, entry by entry."""
    problem = periodic_problem(d, n=3)
    K = infinite_width_kernel(problem, activation)
    seeds = [closed_form_kernel(TwoLayer(d, 4000, activation, gamma=1.0, seed=s), problem) for s in range(60)]
    for exact, found in ((K.a, [k.a for k in seeds]), (K.w, [k.w for k in seeds])):
        values = torch.stack(found)
        error = values.std(0) / len(values) ** 0.5
        assert bool(((values.mean(0) - exact).abs() <= 3.0 * error).all())


@pytest.mark.parametrize(("activation", "d"), [("tanh", 1), ("tanh", 2), ("relu3", 2)])
def test_the_spectrum_of_the_limit_is_that_of_the_kernel(activation: str, d: int) -> None:
    problem = periodic_problem(d)
    K, spectrum = infinite_width_kernel(problem, activation), infinite_width_spectrum(problem, activation)
    assert not spectrum.below_floor
    expected = torch.linalg.eigvalsh(K.a)
    assert float((spectrum.eigenvalues - expected).abs().max()) <= len(expected) * K.error


def test_cross_kernels_take_pairs_on_either_side() -> None:
    net, problem = network_of("tanh", 2, width=30), periodic_problem(2)
    whole = closed_form_kernel(net, problem)
    close(closed_form_kernel(net, problem, at=problem.rows()).total, whole.total)
    limit = infinite_width_kernel(problem, "tanh")
    plain, part = (identity(2).rows(points(4, 2, seed=9)),), problem.slices["jump"]
    for rows, columns in ((problem.rows(), slice(None)), (problem.rows()[-1:], part)):
        cross = infinite_width_kernel(problem, "tanh", at=rows)
        close(cross.total, limit.total[columns], 1e-10)
    together = Problem([*problem.blocks, Block(identity(2), points(4, 2, seed=9), 0.0, "new")])
    joint = infinite_width_kernel(together, "tanh").raw("new", "jump")
    close(infinite_width_kernel(problem, "tanh", at=plain).raw("new", "jump"), joint, 1e-10)


def test_a_pair_that_is_a_difference_operator_has_its_kernel() -> None:
    """At x' = x the pair is the operator 𝓛 − 𝓜."""
    problem, net = problem_of("paired", 2), network_of("tanh", 2, width=30)
    block = problem.blocks[-1]
    assert block.partner is not None
    other = block.partner.operator
    here = Problem([Block(block.operator, block.x, 0.0, partner=type(block.partner)(other, block.x))])
    plain = Problem([Block(OPERATORS["robin"](2) - OPERATORS["advection"](2), block.x, 0.0)])
    close(closed_form_kernel(net, here).total, closed_form_kernel(net, plain).total, 1e-11)
    close(kernel_spectrum(net, here).eigenvalues, kernel_spectrum(net, plain).eigenvalues, 1e-11)
    close(infinite_width_kernel(here, "relu3").total, infinite_width_kernel(plain, "relu3").total, 1e-10)
