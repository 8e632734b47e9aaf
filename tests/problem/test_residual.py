"""Blocks and problems: R_S = Σ_b λ_b/(2n_b) ‖e_b‖² = ‖e‖²/(2n), and what they refuse."""

import math

import pytest
import torch

from pinn_ntk.geometry import box
from pinn_ntk.networks import TwoLayer, features
from pinn_ntk.operators import identity, laplacian, normal_derivative
from pinn_ntk.problem import Block, Problem, dirichlet_box

SQUARE = box([0.0, 0.0], [1.0, 1.0])
X, EDGE, WALL = SQUARE.interior(12), SQUARE.boundary(8), SQUARE.face(0, "high", 5)
WEIGHTS = {"interior": 0.5, "boundary": 30.0, "flux": 2.0}
SIZES = {"interior": 12, "boundary": 8, "flux": 5}


def source(x):
    return torch.exp(x[:, 0]) * x[:, 1]


def three_blocks():
    """−Δu + 2u = f inside, u = 1 on the boundary, ∂u/∂ν = x₂ at x₁ = 1, each with a weight of its own."""
    wall = normal_derivative(2, SQUARE.normal)
    return Problem(
        [
            Block(-laplacian(2) + 2.0 * identity(2), X, source, "interior", WEIGHTS["interior"]),
            Block(identity(2), EDGE, 1.0, "boundary", WEIGHTS["boundary"]),
            Block(wall, WALL, WALL[:, 1], "flux", WEIGHTS["flux"]),
        ],
        test_points=SQUARE.test_points(7),
    )


def network(bias=True):
    return TwoLayer(2, 9, activation="tanh", bias=bias, seed=4)


def derivatives(u, x):
    """∂₁u and Δu by plain autograd, one point at a time."""
    slopes, traces = [], []
    for point in x:
        slopes.append(torch.autograd.functional.jacobian(lambda p: u(p[None])[0], point)[0])
        traces.append(torch.autograd.functional.hessian(lambda p: u(p[None])[0], point).trace())
    return torch.stack(slopes), torch.stack(traces)


def residuals_by_hand(h):
    """𝓛_b h − f_b of each block, unscaled."""
    return {
        "interior": -derivatives(h, X)[1] + 2 * h(X).detach() - source(X),
        "boundary": h(EDGE).detach() - 1.0,
        "flux": derivatives(h, WALL)[0] - WALL[:, 1],
    }


@pytest.mark.parametrize("bias", [False, True])
def test_loss_is_the_weighted_sum_of_block_means_and_the_mean_of_scaled_rows(bias):
    problem, net = three_blocks(), network(bias)
    by_hand = residuals_by_hand(net)
    expected = sum(WEIGHTS[name] / (2 * SIZES[name]) * float(e.square().sum()) for name, e in by_hand.items())
    e = problem.residual(net).detach()
    assert problem.loss(net) == pytest.approx(expected, rel=1e-12)
    assert float(e @ e) / (2 * 25) == pytest.approx(expected, rel=1e-12)


def test_rows_of_a_block_are_its_residuals_times_its_row_scale():
    """s_b = √(λ_b n/n_b), and the slices say which rows are whose."""
    problem, net = three_blocks(), network()
    e = problem.residual(net).detach()
    assert problem.slices == {"interior": slice(0, 12), "boundary": slice(12, 20), "flux": slice(20, 25)}
    for (name, by_hand), scale in zip(residuals_by_hand(net).items(), problem.row_scales, strict=True):
        assert scale == pytest.approx(math.sqrt(WEIGHTS[name] * 25 / SIZES[name]), rel=1e-15)
        assert torch.allclose(e[problem.slices[name]], scale * by_hand, rtol=1e-11, atol=1e-12)


def test_a_single_block_of_weight_one_is_not_scaled():
    problem = Problem([Block(identity(2), X, source)])
    assert problem.row_scales == (1.0,)
    assert torch.equal(problem.target, source(X))


def test_points_targets_and_orders_are_those_of_the_blocks():
    problem = three_blocks()
    assert (problem.dim, problem.points, problem.order) == (2, 25, 2)
    assert torch.equal(problem.x, torch.cat([X, EDGE, WALL]))
    unscaled = [torch.cat([source(X), torch.ones(8).double(), WALL[:, 1]])[s] for s in problem.slices.values()]
    assert torch.equal(problem.target, torch.cat([s * f for s, f in zip(problem.row_scales, unscaled, strict=True)]))


@pytest.mark.parametrize(
    "target",
    [lambda x: x[:, 0] - x[:, 1], X[:, 0] - X[:, 1], (X[:, 0] - X[:, 1]).float(), (X[:, 0] - X[:, 1]).tolist()],
)
def test_a_target_is_a_function_or_values(target):
    block = Block(identity(2), X, target)
    assert block.target.dtype == X.dtype
    assert not block.target.requires_grad
    assert torch.allclose(block.target, X[:, 0] - X[:, 1], rtol=0, atol=1e-7)


@pytest.mark.parametrize("target", [3, 3.0, torch.tensor(3.0)])
def test_a_number_is_the_target_of_every_point(target):
    assert Block(identity(2), X, target).target.tolist() == [3.0] * 12


def test_single_precision_is_the_same_problem_to_its_rounding():
    problem = three_blocks()
    single = problem.to(torch.float32, "cpu")
    assert {t.dtype for t in (single.x, single.target, single.test_points)} == {torch.float32}
    assert single.row_scales == problem.row_scales
    assert [(b.name, b.weight, b.operator) for b in single.blocks] == [
        (b.name, b.weight, b.operator) for b in problem.blocks
    ]
    net = network()
    assert single.loss(network().to(torch.float32)) == pytest.approx(problem.loss(net), rel=1e-5)
    assert problem.x.dtype == torch.float64


def test_solution_is_the_network_or_the_ansatz_around_it():
    h, g = network(), source
    ansatz = dirichlet_box(SQUARE, g)
    free, hard = Problem([Block(identity(2), X, 0.0)]), Problem([Block(identity(2), X, 0.0)], ansatz=ansatz)
    assert torch.equal(free.solution(h)(X), h(X))
    assert torch.allclose(hard.solution(h)(X), ansatz.g(X) + 16 * (X * (1 - X)).prod(1) * h(X), rtol=1e-13)
    assert torch.allclose(hard.solution(h)(EDGE), g(EDGE), rtol=0, atol=1e-13)


@pytest.mark.parametrize("hard", [False, True])
def test_solution_rows_on_features_are_u_minus_g(hard):
    """u − g = s Σ_k a_k Φ_k(x), Φ the features of ϕ·identity."""
    ansatz = dirichlet_box(SQUARE, source) if hard else None
    problem, net = Problem([Block(identity(2), X, 0.0)], ansatz=ansatz), network()
    x = WALL - 0.25
    phi = features(net.system((problem.solution_rows(x),), torch.zeros(len(x)).to(x)), net.weights.w)
    expected = problem.solution(net)(x) - (ansatz.g(x) if hard else 0.0)
    assert torch.allclose(net.scale * phi @ net.weights.a, expected, rtol=1e-12, atol=1e-13)


NAN = torch.where(torch.arange(12) == 4, math.nan, X[:, 0])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Block(identity(2), X[:, 0], 0.0), r"got shape \(12,\), expected \(n, 2\)"),
        (lambda: Block(identity(3), X, 0.0, "inside"), r"'inside': got shape \(12, 2\), expected \(n, 3\)"),
        (lambda: Block(identity(2), X[:0], 0.0), "n ≥ 1"),
        (lambda: Block(identity(2), X, X[:5, 0]), r"target of block 'interior': got shape \(5,\), expected \(12,\)"),
        (lambda: Block(identity(2), X, lambda x: x), r"target of block 'interior': got shape \(12, 2\)"),
        (lambda: Block(identity(2), X, 0.0, weight=0.0), "weight: .* positive"),
        (lambda: Block(identity(2), X, 0.0, weight=-1.0), "weight: .* positive"),
        (lambda: Block(identity(2), X, 0.0, weight=math.nan), "weight: .* positive"),
        (lambda: Block(identity(2), X, 0.0, weight=math.inf), "weight: .* positive"),
        (lambda: Block(identity(2), X, NAN), r"target: got nan at \[4\], expected finite numbers"),
        (lambda: Block(identity(2), X, math.inf), "target: got inf, expected a finite number"),
        (
            lambda: Block(identity(2), torch.stack([NAN, NAN], 1), 0.0),
            r"x: got nan at \[4, 0\]",
        ),
        (lambda: Problem([]), "got none"),
        (
            lambda: Problem([Block(identity(2), X, 0.0), Block(laplacian(2), X, 0.0)]),
            r"\['interior', 'interior'\], expected distinct",
        ),
        (
            lambda: Problem([Block(identity(2), X, 0.0), Block(identity(1), X[:, :1], 0.0, "b")]),
            r"\[1, 2\] coordinates",
        ),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
