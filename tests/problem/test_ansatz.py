"""u = g + ϕh satisfies the conditions for every h, to rounding."""

import math

import pytest
import torch

from pinn_ntk.geometry import box
from pinn_ntk.operators import hard_constraint, laplacian, wave
from pinn_ntk.problem import MAX_BLENDED, dirichlet_box, evolution_box

BOXES = {
    1: box(-1.0, 2.0),
    2: box([0.0, -1.0], [2.0, 1.0]),
    3: box([0.0, 1.0, -1.0], [1.0, 3.0, 1.0]),
    4: box([0.0] * 4, [1.0] * 4),
}


def data(x):
    """Smooth and not a polynomial, so that no interpolation reproduces it inside."""
    return torch.sin(1.3 * x.sum(1)) + torch.exp(0.2 * x[:, 0] * x[:, -1])


def some_h(x):
    weights = torch.linspace(-1.0, 2.0, x.shape[1] * 5, dtype=x.dtype).reshape(x.shape[1], 5)
    return torch.tanh(x @ weights).sum(1) + 3.0


@pytest.mark.parametrize("dim", BOXES)
def test_every_h_satisfies_the_boundary_data(dim):
    domain = BOXES[dim]
    ansatz, x = dirichlet_box(domain, data), domain.boundary(20 * dim)
    assert torch.allclose(ansatz.solution(some_h)(x), data(x), rtol=0, atol=1e-13)
    assert torch.equal(ansatz.phi(x), torch.zeros(len(x), dtype=x.dtype))
    assert (ansatz.phi(domain.interior(50)) > 0).all()


@pytest.mark.parametrize("dim", BOXES)
def test_g_holds_at_edges_and_corners_too(dim):
    domain = BOXES[dim]
    x = domain.lattice(3)
    x = x[((x == torch.tensor(domain.low)) | (x == torch.tensor(domain.high))).any(1)]
    assert torch.allclose(dirichlet_box(domain, data).g(x), data(x), rtol=0, atol=1e-13)


def test_g_reads_the_data_on_the_boundary_only():
    domain = BOXES[3]

    def guarded(x):
        assert ((x == torch.tensor(domain.low)) | (x == torch.tensor(domain.high))).any(1).all()
        return data(x)

    assert torch.isfinite(dirichlet_box(domain, guarded).g(domain.interior(20))).all()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_transfinite_interpolation_reproduces_products_of_linear_functions(dim):
    domain, x = BOXES[dim], BOXES[dim].interior(30)

    def multilinear(p):
        return (1.0 + 0.5 * p).prod(1) - p.sum(1)

    assert torch.allclose(dirichlet_box(domain, multilinear).g(x), multilinear(x), rtol=0, atol=1e-13)


@pytest.mark.parametrize("dim", [1, 2, 3, MAX_BLENDED])
def test_one_value_of_g_takes_3_to_the_d_minus_1_values_of_the_data(dim):
    calls = 0

    def counted(x):
        nonlocal calls
        calls += 1
        return data(x)

    domain = box([0.0] * dim, [1.0] * dim)
    dirichlet_box(domain, counted).g(domain.interior(1))
    assert calls == 3**dim - 1


def test_data_between_too_many_faces_are_refused_and_zero_is_not():
    wide = box([0.0] * (MAX_BLENDED + 1), [1.0] * (MAX_BLENDED + 1))
    with pytest.raises(ValueError, match="boundary: soft"):
        dirichlet_box(wide, data)
    with pytest.raises(ValueError, match="boundary: soft"):
        evolution_box(box([0.0] * (MAX_BLENDED + 2), [1.0] * (MAX_BLENDED + 2)), data, data)
    assert dirichlet_box(wide).g is None
    assert float(dirichlet_box(wide).phi(torch.full((1, MAX_BLENDED + 1), 0.5, dtype=torch.float64))) == 1.0


def test_phi_is_one_in_the_middle():
    middle = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert float(dirichlet_box(BOXES[2]).phi(middle)) == pytest.approx(1.0, abs=1e-15)
    assert dirichlet_box(BOXES[2]).g is None


def slope(function, x):
    return torch.func.grad(lambda p: function(p).sum())(x)[:, -1]


TIME = box([0.0, -1.0, 0.5], [2.0, 1.0, 2.0])


@pytest.mark.parametrize("second_order", [False, True])
def test_every_h_satisfies_boundary_and_initial_data(second_order):
    """Data of one smooth function are compatible; value, and velocity of a wave, hold at t₀ for any h."""

    def velocity(x):
        return slope(data, x)

    ansatz = evolution_box(TIME, data, data, velocity if second_order else None)
    u = ansatz.solution(some_h)
    sides = TIME.boundary(40, faces=[f for f in TIME.faces if f[0] < 2])
    start = TIME.face(2, "low", 40)
    assert torch.allclose(u(sides), data(sides), rtol=0, atol=1e-13)
    assert torch.allclose(u(start), data(start), rtol=0, atol=1e-13)
    assert torch.allclose(slope(u, start), slope(data, start), rtol=0, atol=1e-12) is second_order
    assert (ansatz.phi(TIME.face(2, "high", 20)) > 0).all()


def test_homogeneous_sides_leave_the_initial_value_as_g():
    domain = box([0.0, 0.0], [1.0, 1.0])
    ansatz = evolution_box(domain, None, lambda x: torch.sin(math.pi * x[:, 0]))
    x = domain.interior(20)
    assert torch.equal(ansatz.g(x), torch.sin(math.pi * x[:, 0]))


@pytest.mark.parametrize("name", ["dirichlet", "evolution"])
def test_the_transformed_equation_is_the_equation_of_u(name):
    """𝓛̃h = 𝓛(g + ϕh) − 𝓛g, through two derivatives of the interpolation."""
    if name == "dirichlet":
        domain, operator = BOXES[2], laplacian(2)
        ansatz = dirichlet_box(domain, data)
    else:
        domain, operator = TIME, wave(2, 1.5)
        ansatz = evolution_box(domain, data, data, lambda x: slope(data, x))
    x = domain.interior(12)
    constrained, shift = hard_constraint(operator, ansatz.phi, ansatz.g)
    expected = operator.apply(ansatz.solution(some_h), x)
    assert torch.allclose(constrained.apply(some_h, x) + shift(x), expected, rtol=1e-11, atol=1e-11)


def test_initial_and_boundary_data_that_disagree_are_refused():
    domain = box([0.0, 0.0], [1.0, 1.0])
    one = lambda x: torch.ones_like(x[:, 0])  # noqa: E731
    with pytest.raises(ValueError, match="soft"):
        evolution_box(domain, None, one)
    with pytest.raises(ValueError, match="initial velocity"):
        evolution_box(domain, one, one, one)
    with pytest.raises(ValueError, match="time as the last"):
        evolution_box(BOXES[1], None, one)


def test_the_words_name_the_factors():
    assert dirichlet_box(box([0.0, -1.0], [1.0, 1.0])).text == "u = g + ϕh, ϕ = 4x(1 − x) · 4(y + 1)(1 − y)/2², g = 0"
    assert "· t²" in evolution_box(box([0.0, 0.0], [1.0, 1.0]), None, lambda x: 0 * x[:, 0], lambda x: 0 * x[:, 0]).text
