"""Small holes and corners of problems with c or b: the operator's own functions give back the digits that powers of r
do not.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import special
from torch import Tensor

from pinn_ntk.geometry import Box, Domain, ball, difference, l_shape
from pinn_ntk.networks import extra_rows
from pinn_ntk.operators import SecondOrderOperator
from pinn_ntk.problem import Problem, dirichlet, pose
from pinn_ntk.solving import Task, called_for, own_functions, solve

CENTER, RADIUS = (0.2, 0.1), 0.05
HOLED = difference(Box([-1, -1], [1, 1]), ball(CENTER, RADIUS))
HOLED_CUBE = difference(Box([-1, -1, -1], [1, 1, 1]), ball([0.2, 0.1, 0.0], 0.2))


def posed(operator: SecondOrderOperator, domain: Domain, u: Callable[[Tensor], Tensor]) -> Problem:
    return pose(operator, domain, source=0.0, given=[dirichlet()], exact=u)


def about_the_hole(x: Tensor, stretch: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(r, θ)."""
    z = (x.numpy() - np.array(CENTER)) / np.array([stretch, 1.0])
    return np.hypot(z[:, 0], z[:, 1]), np.arctan2(z[:, 1], z[:, 0])


def screened(k: float, m: int) -> Callable[[Tensor], Tensor]:
    """K_0 and K_m cos mθ, 1 at the hole's edge."""

    def u(x: Tensor) -> Tensor:
        r, angle = about_the_hole(x)
        part = [np.exp(-k * (r - RADIUS)) * special.kve(i, k * r) / special.kve(i, k * RADIUS) for i in (0, m)]
        return torch.from_numpy(part[0] + 0.5 * part[1] * np.cos(m * angle))

    return u


def scattered(x: Tensor) -> Tensor:
    """Y_0 and Y_1 of 15 r."""
    r, angle = about_the_hole(x)
    return torch.from_numpy(special.yv(0, 15.0 * r) + 0.5 * special.yv(1, 15.0 * r) * np.sin(angle))


def wake(x: Tensor) -> Tensor:
    """e^{40(x − x_c)} K_0(40 r): convection past the hole."""
    r, _ = about_the_hole(x)
    return torch.from_numpy(special.kve(0, 40.0 * r) * np.exp(40.0 * (x[:, 0].numpy() - CENTER[0] - r)))


def stretched(x: Tensor) -> Tensor:
    """K_0(10 |z|) for A = diag(4, 1)."""
    return torch.from_numpy(special.k0(10.0 * about_the_hole(x, 2.0)[0]))


def at_the_corner(x: Tensor) -> Tensor:
    """J_{2/3}(12 r) sin 2θ/3."""
    r, angle = np.hypot(x[:, 0].numpy(), x[:, 1].numpy()), np.arctan2(x[:, 1].numpy(), x[:, 0].numpy()) % (2.0 * np.pi)
    return torch.from_numpy(special.jv(2.0 / 3.0, 12.0 * r) * np.sin(2.0 * angle / 3.0))


def yukawa(x: Tensor) -> Tensor:
    """e^{−8 (r − 0.2)}/r."""
    r = (x - x.new_tensor([0.2, 0.1, 0.0])).norm(dim=1)
    return torch.exp(-8.0 * (r - 0.2)) / r


CASES = {
    "K, k = 10": (SecondOrderOperator(2, A=1.0, c=-100.0), HOLED, screened(10.0, 2)),
    "K, k = 30, high order": (SecondOrderOperator(2, A=-1.0, c=900.0), HOLED, screened(30.0, 14)),
    "Y, k = 15": (SecondOrderOperator(2, A=1.0, c=225.0), HOLED, scattered),
    "K with convection": (SecondOrderOperator(2, A=1.0, b=[-80.0, 0.0]), HOLED, wake),
    "K, anisotropic": (SecondOrderOperator(2, A=[[4.0, 0.0], [0.0, 1.0]], c=-100.0), HOLED, stretched),
    "J at a re-entrant corner, k = 12": (SecondOrderOperator(2, A=1.0, c=144.0), l_shape(), at_the_corner),
    "three dimensions": (SecondOrderOperator(3, A=-1.0, c=64.0), HOLED_CUBE, yukawa),
}


@pytest.mark.parametrize("name", CASES)
def test_digits_where_powers_of_r_give_few(name: str) -> None:
    operator, domain, u = CASES[name]
    solution = solve(posed(operator, domain, u))
    x = domain.test_points(3000)
    error = float((solution.u(x) - u(x)).norm() / u(x).norm())
    assert error <= 1e-10
    assert error / 20.0 <= solution.estimate <= max(20.0 * error, 2e-15)


def test_a_general_solution_about_a_small_hole() -> None:
    """1 on the hole, other data outside, a source: no term alone is the answer,
    and a solver without them is far off.
    """
    operator = SecondOrderOperator(2, A=1.0, c=-100.0)
    given = [dirichlet("x*y", on=["x=-1", "x=1", "y=-1", "y=1"]), dirichlet(1.0, on="circle")]
    problem = pose(operator, HOLED, source="x", given=given)
    found, powerless = (
        solve(problem, 2e-6, effort=effort, extra=extra) for extra, effort in ((True, 3.6e12), (False, 2.4e11))
    )
    x = HOLED.test_points(3000)
    assert found.estimate <= 2e-6
    assert float((found.u(x) - powerless.u(x)).norm() / found.u(x).norm()) > 1e3 * found.estimate


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("c", [-4.0, 30.0, -2500.0])
def test_they_solve_any_equation_of_constant_coefficients(dim: int, c: float) -> None:
    A = torch.tensor([[2.0, 0.5, 0.1], [0.5, 1.0, 0.0], [0.1, 0.0, 3.0]], dtype=torch.float64)[:dim, :dim]
    operator = SecondOrderOperator(dim, A=A.tolist(), b=[3.0, -1.0, 0.5][:dim], c=c)
    task = Task(posed(operator, Box([0.2] * dim, [1.0] * dim), lambda x: x[:, 0]))
    values, vectors = torch.linalg.eigh(A)
    own = own_functions(task, operator, [0.0] * dim, (vectors / values.sqrt()) @ vectors.mT / 0.3)
    assert own is not None and own.oscillates == (c > 0.0)
    orders = [0.0, 0.6, 1.0, 5.0] if dim == 2 else [0.0]
    for psi in own.functions(orders, True) + own.functions(orders, False):
        value, slope, curvature = psi.jet(task.reference)
        assert all(bool(part.isfinite().all()) for part in (value, slope, curvature))
        terms = max(
            1.0, 3.0 * float(curvature.abs().max()), float(slope.abs().max()), abs(c) * float(value.abs().max())
        )
        assert float(extra_rows(operator.rows(task.reference), psi).abs().max()) <= 2e-13 * terms


def test_thin_layers_with_strong_convection_stay_numbers() -> None:
    operator = SecondOrderOperator(2, A=1e-3, b=[1.0, 0.0])
    task = Task(posed(operator, Box([-1.0, -1.0], [1.0, 1.0]), lambda x: x[:, 0]))
    own = own_functions(task, operator, [0.2, 0.1], torch.eye(2, dtype=torch.float64) / 0.05)
    assert own is not None
    for psi in own.functions(range(5), True):
        value = psi(task.reference)
        assert bool(value.isfinite().all()) and 1e-6 < float(value.abs().max()) < 1e3


def test_unlike_coefficients_have_none() -> None:
    square = Box([0.0, 0.0], [1.0, 1.0])
    unit = torch.eye(2, dtype=torch.float64)
    for operator in (SecondOrderOperator(2, A=1.0), SecondOrderOperator(2, A=1.0, c=lambda x: x[:, 0])):
        assert own_functions(Task(posed(operator, square, lambda x: x[:, 0])), operator, [2.0, 0.0], unit) is None


def test_a_report_names_them() -> None:
    for c, name in ((-100.0, "K_m(kr)"), (50.0, "Y_m(kr)")):
        task = Task(posed(SecondOrderOperator(2, A=1.0, c=c), HOLED, scattered))
        assert (
            f"terms {name}, log r, r^(−m), times cos mθ, sin mθ about the hole at (0.2, 0.1)"
            in called_for(task).words[0]
        )
    plain = Task(posed(SecondOrderOperator(2, A=1.0), HOLED, scattered))
    assert "33 terms log r, r^(−m)" in called_for(plain).words[0]
