"""Finite elements solve the posed problem with order three, in space and with time, corners too;
what they cannot solve they refuse.
"""

import importlib.util
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pinn_ntk.geometry import ball, box, l_shape, over_time, polygon
from pinn_ntk.operators import SecondOrderOperator, black_scholes, heat, helmholtz, laplacian, wave
from pinn_ntk.problem import (
    PROBLEMS,
    Block,
    Gridded,
    Problem,
    dirichlet,
    initial_value,
    initial_velocity,
    measured,
    neumann,
    periodic_conditions,
    pose,
    robin_condition,
)
from pinn_ntk.reference import check_fem_reference, fem_reference

SQUARE, LINE = box([0.0, 0.0], [1.0, 1.0]), box(0.0, 1.0)


def growing(x):
    return 2 + x[:, 0] ** 2


def shear(x):
    return 0.4 * torch.sin(x[:, 1])


def uneven(x):
    return 1 + x[:, 1] ** 2


def falling(x):
    return -1 - x[:, 0]


FULL = SecondOrderOperator(2, A=[[growing, shear], [shear, uneven]], b=[lambda x: x[:, 1], 1.0], c=falling)
MIXED = [dirichlet(on=["x=0", "y=0"]), neumann(on="x=1"), robin_condition(on="y=1", alpha="1+x", beta=2.0)]


def order(problem, degrees, **options):
    """log₂ of the error's fall per halving, from the first to the last."""
    found = [fem_reference(problem, n, estimate=False, **options) for n in degrees]
    errors = [reference.difference(problem.exact) for reference in found]
    dim = found[0].domain.dim - (found[0].steps is not None)
    return dim * math.log(errors[0] / errors[-1]) / math.log(found[-1].degrees / found[0].degrees)


def test_order_three_with_a_full_matrix_and_mixed_conditions():
    problem = pose(FULL, SQUARE, exact="exp(x-y)*sin(3*x+y)", given=MIXED)
    assert order(problem, (200, 3200)) == pytest.approx(3.0, abs=0.25)


def test_oblique_fluxes_are_derivatives_along_the_normal():
    """With Aν not along ν, a Neumann condition taken for A∇u·ν would be wrong by order one."""
    A = torch.tensor([[2.0, 0.9], [0.9, 1.0]])
    given = [dirichlet(on=["x=0", "x=1"]), neumann(on=["y=0", "y=1"])]
    problem = pose(SecondOrderOperator(2, A=A, c=-1.0), SQUARE, exact="sin(x+2*y)", given=given)
    assert fem_reference(problem, 2000).difference(problem.exact) < 1e-5


def test_corners_between_oblique_fluxes_cost_some_order_but_not_convergence():
    A = torch.tensor([[2.0, 0.4], [0.4, 1.0]])
    problem = pose(SecondOrderOperator(2, A=A, c=-1.0), SQUARE, exact="sin(x+2*y)", given=[neumann()])
    assert order(problem, (500, 8000)) > 2.5


def test_three_coordinates():
    problem = pose(-laplacian(3), box([0.0, 0.0, 0.0], [1.0, 1.0, 0.5]), exact="exp(x)*cos(y+z)", given=[dirichlet()])
    reference = fem_reference(problem, 2500)
    assert reference.difference(problem.exact) < 1e-4 < reference.estimate


def corner(x):
    angle = torch.atan2(x[:, 1], x[:, 0])
    angle = torch.where(angle < -1e-9, angle + 2 * math.pi, angle)
    return (x**2).sum(1) ** (1 / 3) * torch.sin(2 / 3 * angle)


def test_order_three_at_a_re_entrant_corner():
    problem = pose(laplacian(2), l_shape(), 0.0, [dirichlet(corner)], exact=corner)
    assert order(problem, (800, 13000)) > 2.6


def test_a_polygon_with_thin_arms():
    shape = polygon([(0, 0), (3, 0), (3, 1), (2, 1), (2, 0.9), (1, 0.9), (1, 3), (0.9, 3), (0, 0.2)])
    problem = pose(
        -laplacian(2),
        shape,
        None,
        [dirichlet(on=["edge 1", "edge 6"]), neumann(on=[f"edge {k}" for k in (2, 3, 4, 5, 7, 8, 9)])],
        exact="sin(x+y)",
    )
    reference = fem_reference(problem, 2000)
    assert reference.difference(problem.exact) < 1e-3 < 3 * reference.estimate


@pytest.mark.parametrize("name", ["poisson_1d", "helmholtz_2d", "advection_diffusion_2d", "elliptic"])
def test_ready_problems(name):
    problem = PROBLEMS[name]()
    reference = fem_reference(problem, 2000)
    assert reference.difference(problem.exact) < reference.estimate < 2e-3


@pytest.mark.parametrize(
    "name", ["heat_1d", "wave_1d", "klein_gordon_1d", "transport_1d", "fokker_planck_1d", "black_scholes"]
)
def test_ready_evolution_problems(name):
    problem = PROBLEMS[name]()
    reference = fem_reference(problem, 200)
    assert reference.difference(problem.exact) < reference.estimate < 2e-4


def test_order_of_the_steps_in_time():
    problem = pose(heat(1), over_time(LINE, 0.0, 0.5), exact="cos(20*t)*(1+x)", given=[dirichlet(), initial_value()])
    errors = [fem_reference(problem, 20, steps=k, estimate=False).difference(problem.exact) for k in (8, 16, 32)]
    assert errors[0] / errors[1] > 2**3.5 and errors[1] / errors[2] > 2**3.5


def test_coefficients_that_change_in_time():
    drift = SecondOrderOperator(
        3,
        A=[[lambda x: -1 - x[:, 2], 0.2, 0.0], [0.2, lambda x: -1 - x[:, 1], 0.0], [0.0, 0.0, 0.0]],
        b=[0.0, 1.0, growing],
    )
    given = [dirichlet(on=["x=0", "y=0"]), neumann(on="x=1"), robin_condition(on="y=1", alpha="1+t"), initial_value()]
    problem = pose(drift, over_time(SQUARE, 0.0, 0.5), exact="exp(x-t)*sin(x+y)", given=given)
    assert order(problem, (80, 900)) == pytest.approx(3.0, abs=0.3)


def test_a_wave_in_the_plane():
    given = [
        dirichlet(on=["x=0", "y=0"]),
        neumann(on="x=1"),
        robin_condition(on="y=1", alpha="1+t"),
        initial_value(),
        initial_velocity(),
    ]
    problem = pose(wave(2, 1.5), over_time(SQUARE, 0.0, 1.0), exact="sin(3*x+y-2*t)", given=given)
    assert order(problem, (80, 900)) == pytest.approx(3.0, abs=0.3)


def test_heat_on_a_polygon():
    problem = pose(
        heat(2, 0.3), over_time(l_shape(), 0.0, 1.0), exact="exp(-t)*cos(x+y)", given=[dirichlet(), initial_value()]
    )
    reference = fem_reference(problem, 800)
    assert reference.difference(problem.exact) < reference.estimate < 5e-3


def test_a_start_that_does_not_agree_with_the_boundary():
    """u = 4/π Σ sin((2j+1)πx) e^{−(2j+1)²π²t}/(2j+1)."""
    problem = pose(heat(1), over_time(LINE, 0.0, 1.0), 0.0, [dirichlet(0.0), initial_value(1.0)])
    x = torch.tensor([[0.5, 0.1], [0.3, 0.02], [0.1, 0.003], [0.5, 0.5]], dtype=torch.float64)
    odd = torch.arange(1, 400, 2, dtype=torch.float64)[:, None]
    exact = (4 / math.pi / odd * torch.sin(odd * math.pi * x[:, 0]) * torch.exp(-((odd * math.pi) ** 2) * x[:, 1])).sum(
        0
    )
    torch.testing.assert_close(fem_reference(problem, 400, steps=20).u(x), exact, rtol=0.0, atol=5e-6)


def test_values_come_as_the_points_do():
    problem = PROBLEMS["poisson_2d"]()
    reference = fem_reference(problem, 500, estimate=False)
    x = SQUARE.lattice(9)
    assert math.isnan(reference.estimate) and reference.steps is None
    np.testing.assert_allclose(reference.u(x.numpy()), reference.u(x).numpy())
    assert reference.u(x[:0]).shape == (0,)
    assert "quadratic finite elements" in str(reference)
    with pytest.raises(ValueError, match="expected points of the closed domain"):
        reference.u(torch.full((1, 2), 1.1, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"expected \(n, 2\)"):
        reference.u(x[:, :1])


def jump(x):
    return torch.where(x[:, 0] < 0.3, 1.0, 2.0).to(x)


def outside_torch(x):
    return torch.from_numpy(1 + x.detach().numpy()[:, 0] ** 2)


def posed(operator, domain=SQUARE, given=(), **options):
    return pose(
        operator, domain, 1.0, given or [dirichlet(0.0)], points=16, boundary_points=8, boundary="soft", **options
    )


def partly(x):
    return 1 + x[:, 1] + x[:, 0].detach() ** 2


GRIDDED = Gridded("k", (0,), (np.linspace(0.0, 1.0, 5),), np.linspace(1.0, 2.0, 5))


def nothing(x):
    return 0.0 * x[:, 0]


def paired():
    problem = posed(laplacian(2))
    return replace(problem, posed=(*problem.posed, *periodic_conditions(SQUARE, 0)))


def mixed_in_time():
    A = torch.tensor([[-1.0, 0.2], [0.2, 1.0]])
    return posed(
        SecondOrderOperator(2, A=A),
        over_time(LINE, 0.0, 1.0),
        [dirichlet(0.0), initial_value(0.0), initial_velocity(0.0)],
    )


REFUSED = {
    "a disc": (lambda: posed(laplacian(2), ball([0.0, 0.0], 1.0)), "boxes of one to three"),
    "four coordinates": (lambda: posed(laplacian(4), box([0.0] * 4, [1.0] * 4)), "boxes of one to three"),
    "points alone": (lambda: Problem([Block(laplacian(2), SQUARE.lattice(3), 0.0)]), "a problem of points alone"),
    "periodic": (paired, "of kind periodic"),
    "data": (lambda: posed(laplacian(2), given=[dirichlet(0.0), measured(SQUARE.lattice(3)[4:5], torch.ones(1))]),
    "of kind data"),
    "a piece without a condition": (lambda: posed(laplacian(2), given=[dirichlet(0.0, ["x=0", "y=0"])]),
    "no condition on x=1"),
    "a constant left free": (lambda: posed(laplacian(2), given=[neumann(0.0)]), "up to a constant"),
    "a jump": (lambda: posed(SecondOrderOperator(2, A=jump)), "a jump"),
    "no graph": (lambda: posed(SecondOrderOperator(2, A=outside_torch)), "cannot be"),
    "a part without a graph": (lambda: posed(SecondOrderOperator(2, A=partly)), "where its derivative says otherwise"),
    "a field on a grid": (lambda: posed(SecondOrderOperator(2, A=GRIDDED)), "not a field on a grid"),
    "both signs": (lambda: posed(wave(1)), "of both signs"),
    "mixed derivatives": (mixed_in_time, "mixed derivatives in space and time"),
    "backwards": (
        lambda: posed(black_scholes(), over_time(LINE, 0.0, 1.0), [dirichlet(0.0), initial_value(0.0)]),
        "neither parabolic nor hyperbolic",
    ),
    "an end": (lambda: posed(heat(1), over_time(LINE, 0.0, 1.0), [dirichlet(0.0), dirichlet(0.0, "t=1")]),
    "go from the start"),
    "no start": (lambda: posed(heat(1), over_time(LINE, 0.0, 1.0), [dirichlet(0.0)]), "without its value at the start"),
    "no velocity": (lambda: posed(wave(1), over_time(LINE, 0.0, 1.0), [dirichlet(0.0), initial_value(0.0)]),
    "no velocity"),
    "no flux in a Robin condition": (lambda: posed(laplacian(2), given=[robin_condition(0.0, beta=nothing)]),
    "write a Dirichlet"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_refused_with_what_is(name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        fem_reference(make(), 200)
    with pytest.raises(ValueError, match=words):
        check_fem_reference(make())


def steep(x):
    return 2 + torch.tanh(300 * (x[:, 0] - 0.3))


def test_what_is_steep_is_no_jump():
    check_fem_reference(posed(SecondOrderOperator(2, A=steep)))


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name not in ("regression", "points")])
def test_ready_problems_pass_the_check(name):
    check_fem_reference(PROBLEMS[name]())


def test_a_resonance_is_told_by_the_estimate():
    problem = posed(helmholtz(2, math.sqrt(2) * math.pi))
    assert fem_reference(problem, 500).estimate > 0.3


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pinn_ntk\[fem\]"):
        fem_reference(PROBLEMS["poisson_1d"]())
