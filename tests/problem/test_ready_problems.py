"""Every ready problem: its exact solution solves its equation and conditions, hard and soft."""

import math

import pytest
import sympy
import torch

from pinn_ntk.problem import PROBLEMS, check_problem

BOUNDARY_VALUE = [name for name in PROBLEMS if name not in ("regression", "points")]
EVOLUTION = ("heat_1d", "wave_1d", "black_scholes", "transport_1d", "klein_gordon_1d", "fokker_planck_1d")
SECOND_ORDER_IN_TIME = ("wave_1d", "klein_gordon_1d")
FREE_FACES = {"transport_1d": [(0, "high")]}  # the outflow
VARIANTS = {
    "helmholtz_2d": {"wavenumber": 1.7},
    "advection_diffusion_2d": {"diffusivity": 0.2, "velocity": (-0.5, 2.0)},
    "heat_1d": {"diffusivity": 0.7, "final_time": 0.3},
    "wave_1d": {"speed": 1.7, "final_time": 2.0},
    "transport_1d": {"speed": 0.6, "final_time": 2.0},
    "klein_gordon_1d": {"speed": 0.5, "mass": 7.0, "final_time": 1.5},
    "fokker_planck_1d": {"attraction": 0.7, "diffusivity": 0.2, "spread": 0.35, "final_time": 2.0},
    "black_scholes": {"volatility": 0.4, "rate": -0.02, "maturity": 0.5},
}
CASES = [(name, {}) for name in BOUNDARY_VALUE] + list(VARIANTS.items())


def relative(left, right):
    return float((left - right).abs().max() / (1.0 + right.abs().max()))


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_exact_solution_satisfies_every_soft_block(name, parameters):
    problem = PROBLEMS[name](boundary="soft", points=200, **parameters)
    for block in problem.blocks:
        assert relative(block.operator.apply(problem.exact, block.x), block.target) < 1e-12, block.name


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_exact_solution_satisfies_the_hard_problem(name, parameters):
    """With h = (u − g)/ϕ, 𝓛̃h is the block's target, and g + ϕh takes u's values wherever ϕ = 0."""
    problem = PROBLEMS[name](points=200, **parameters)
    (block,), ansatz = problem.blocks, problem.ansatz
    g = ansatz.g or (lambda x: torch.zeros_like(x[:, 0]))
    inside = ansatz.phi(block.x) > 0.03
    left = block.operator.apply(lambda x: (problem.exact(x) - g(x)) / ansatz.phi(x), block.x[inside])
    assert relative(left, block.target[inside]) < 1e-10
    free = FREE_FACES.get(name, []) + [(problem.dim - 1, "high")] * problem.time
    faces = [f for f in problem.domain.faces if f not in free]
    on = problem.domain.boundary(60, faces=faces)
    assert torch.equal(ansatz.phi(on), torch.zeros(len(on), dtype=on.dtype))
    assert relative(g(on), problem.exact(on)) < 1e-14


@pytest.mark.parametrize("name", BOUNDARY_VALUE)
def test_the_checker_agrees(name):
    assert check_problem(PROBLEMS[name](points=64)) == []
    assert check_problem(PROBLEMS[name](points=64, boundary="soft")) == []


def symbolic_source(name):
    """The source worked out by computer algebra from the printed equation and solution."""
    x, y = sympy.symbols("x y")
    s = sympy.sin(sympy.pi * x)
    if name == "elliptic":
        u = sympy.exp(x - y) * s * sympy.sin(sympy.pi * y)
        second = (1 + x**2) * u.diff(x, 2) + x * y * u.diff(x, y) + (1 + y**2) * u.diff(y, 2)
        return second + y * u.diff(x) - x * u.diff(y) - (1 + x * y) * u, (x, y)
    if name == "advection_diffusion_2d":
        u = sympy.exp((x - 1) / 0.5 + 0.5 * (y - 1) / 0.5) + s * sympy.sin(sympy.pi * y)
        return -0.5 * (u.diff(x, 2) + u.diff(y, 2)) + u.diff(x) + 0.5 * u.diff(y), (x, y)
    u = s * sympy.sin(2 * sympy.pi * y)
    return u.diff(x, 2) + u.diff(y, 2) + 16 * u, (x, y)


@pytest.mark.parametrize("name", ["elliptic", "advection_diffusion_2d", "helmholtz_2d"])
def test_source_equals_computer_algebra(name):
    block = PROBLEMS[name](boundary="soft", points=32).blocks[0]
    expression, symbols = symbolic_source(name)
    values = torch.from_numpy(sympy.lambdify(symbols, expression, "numpy")(*block.x.T.numpy()))
    assert relative(block.target, values) < 1e-13


def kind_of(operator):
    """Parabolic where A is singular, hyperbolic where it has eigenvalues of both signs, else elliptic."""
    eigenvalues = torch.linalg.eigvalsh(
        operator.coefficients(torch.full((1, operator.dim), 0.3, dtype=torch.float64))[0][0]
    )
    if bool((eigenvalues == 0).any()):
        return "parabolic" if operator.order == 2 else "first order"
    return "elliptic" if bool((eigenvalues > 0).all() | (eigenvalues < 0).all()) else "hyperbolic"


def test_the_library_has_equations_of_every_type():
    kinds = [kind_of(PROBLEMS[name](boundary="soft", points=8).blocks[0].operator) for name in BOUNDARY_VALUE]
    assert set(kinds) == {"elliptic", "parabolic", "hyperbolic", "first order"}
    assert len(kinds) >= 11


@pytest.mark.parametrize("name", BOUNDARY_VALUE)
def test_blocks_carry_their_names_counts_and_weights(name):
    problem = PROBLEMS[name](boundary="soft", points=40, boundary_points=12, weights={"boundary": 10.0}, seed=5)
    expected = (
        ["interior", "boundary"] + ["initial"] * (name in EVOLUTION) + ["velocity"] * (name in SECOND_ORDER_IN_TIME)
    )
    assert [b.name for b in problem.blocks] == expected
    assert [b.weight for b in problem.blocks] == [1.0, 10.0] + [1.0] * (len(expected) - 2)
    assert [len(b) for b in problem.blocks] == [40] + [2 if problem.dim == 1 else 12] + [12] * (len(expected) - 2)
    assert problem.time is (name in EVOLUTION)
    assert problem.test_points.shape == (4096, problem.dim)
    assert problem.equation
    assert len(problem.conditions) >= 1


def test_the_seed_moves_the_points_and_nothing_else():
    first, again, other = (PROBLEMS["poisson_2d"](points=32, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    assert torch.equal(first.test_points, other.test_points)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("poisson_2d", {"points": 0}, "points: got 0"),
        ("poisson_2d", {"points": True}, "whole number"),
        ("poisson_2d", {"test_points": 0}, "test_points"),
        ("poisson_2d", {"seed": -1}, "seed"),
        ("poisson_2d", {"seed": 10**30, "sampling": "halton"}, "seed: got .* at most 9,223"),
        ("poisson_2d", {"points": 10**12}, "points: got .* at most 10,000,000"),
        ("poisson_2d", {"boundary": "hrad"}, "did you mean hard"),
        ("poisson_2d", {"sampling": "sobel"}, "did you mean sobol"),
        ("poisson_2d", {"boundary": "soft", "weights": {"boundry": 2.0}}, "did you mean boundary.*interior, boundary"),
        ("poisson_2d", {"weights": {"boundary": 2.0}}, "has the blocks interior"),
        ("poisson_2d", {"weights": {"interior": -2.0}}, "positive"),
        ("poisson_2d", {"weights": [1.0]}, "mapping"),
        ("poisson_2d", {"boundary": "soft", "boundary_points": 3}, "at least one point on each"),
        ("helmholtz_2d", {"wavenumber": math.pi * math.sqrt(13.0)}, "resonates"),
        ("helmholtz_2d", {"wavenumber": float("nan")}, "finite"),
        ("advection_diffusion_2d", {"diffusivity": 0.0}, "positive"),
        ("advection_diffusion_2d", {"velocity": (1.0,)}, "two numbers"),
        ("heat_1d", {"final_time": -1.0}, "positive"),
        ("wave_1d", {"speed": float("inf")}, "positive"),
        ("black_scholes", {"volatility": 0}, "positive"),
        ("transport_1d", {"speed": -1.0}, "positive"),
        ("klein_gordon_1d", {"mass": float("nan")}, "finite"),
        ("fokker_planck_1d", {"attraction": 0.0}, "positive"),
    ],
)
def test_mistakes_are_named(name, arguments, words):
    with pytest.raises(ValueError, match=words):
        PROBLEMS[name](**arguments)
