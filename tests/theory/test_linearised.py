"""The linearised dynamics against matrix exponentials, direct gradient descent and exact rational arithmetic."""

import math
from fractions import Fraction

import pytest
import torch
from scipy.linalg import expm
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.theory import FLOW, Linearisation, clamped, descent_decay, descent_response, flow_decay, flow_response

SHAPES = [(5, 12), (12, 5), (6, 6)]  # (n, P): under- and overdetermined


def descent(step: float) -> Dynamics:
    return Dynamics("descent", step)


def least_squares(n: int, P: int, p: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """J (n, P), e₀ (n,), J_x (p, P), h₀(x) (p,)."""
    generator = torch.Generator().manual_seed(10 * n + P)

    def draw(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    return draw(n, P), draw(n), draw(p, P), draw(p)


def flow_parameters(J: Tensor, e0: Tensor, t: float) -> Tensor:
    """θ(t) − θ₀ of θ̇ = −Jᵀ(e₀ + J(θ − θ₀))/n, from the exponential of the augmented parameter system."""
    n, P = J.shape
    system = torch.zeros(P + 1, P + 1, dtype=torch.float64)
    system[:P, :P], system[:P, P] = -J.T @ J / n, -J.T @ e0 / n
    return torch.from_numpy(expm(t * system.numpy()))[:P, P]


@pytest.mark.parametrize("shape", SHAPES)
def test_flow_equals_matrix_exponential(shape: tuple[int, int]) -> None:
    J, e0, Jx, h0 = least_squares(*shape)
    n = len(e0)
    linear = Linearisation.from_kernel(J @ J.T / n, e0)
    times = torch.tensor([0.0, 0.1, 1.0, 7.0], dtype=torch.float64)
    moved = torch.stack([flow_parameters(J, e0, float(t)) for t in times])
    residual = e0 + moved @ J.T
    assert torch.allclose(linear.residual_under(FLOW, times), residual, atol=1e-12, rtol=0)
    assert torch.allclose(linear.loss_under(FLOW, times), residual.square().sum(1) / (2 * n), atol=1e-12, rtol=1e-10)
    assert torch.allclose(linear.at_under(Jx @ J.T / n, h0, FLOW, times), h0 + moved @ Jx.T, atol=1e-11, rtol=0)
    assert torch.allclose(linear.residual_under(FLOW, 1.0), residual[2], atol=1e-12, rtol=0)


@pytest.mark.parametrize("fraction", [0.5, 0.99, 1.05])
@pytest.mark.parametrize("shape", SHAPES)
def test_descent_equals_direct_iteration(shape: tuple[int, int], fraction: float) -> None:
    J, e0, Jx, h0 = least_squares(*shape)
    n = len(e0)
    linear = Linearisation.from_kernel(J @ J.T / n, e0)
    step, theta, path = fraction * linear.step_limit, torch.zeros(shape[1], dtype=torch.float64), []
    for _ in range(41):
        path.append(theta)
        theta = theta - step * J.T @ (e0 + J @ theta) / n
    moved, steps = torch.stack(path), torch.arange(41)
    residual = e0 + moved @ J.T
    scale = float(residual.abs().max())
    assert torch.allclose(linear.residual_under(descent(step), steps), residual, atol=1e-11 * scale, rtol=0)
    assert torch.allclose(
        linear.loss_under(descent(step), steps), residual.square().sum(1) / (2 * n), atol=1e-12, rtol=1e-10
    )
    assert torch.allclose(
        linear.at_under(Jx @ J.T / n, h0, descent(step), steps), h0 + moved @ Jx.T, atol=1e-10 * scale, rtol=0
    )


def test_step_limit_separates_decay_from_growth() -> None:
    J, e0, _, _ = least_squares(6, 9)
    linear = Linearisation.from_kernel(J @ J.T / 6, e0)
    fastest = Linearisation(linear.eigenvalues, linear.vectors, torch.eye(6, dtype=torch.float64)[0])
    below, above = (
        float(fastest.loss_under(descent(f * linear.step_limit), 1000) / fastest.loss_under(FLOW, 0.0))
        for f in (0.999, 1.001)
    )
    assert below < 0.02
    assert above > 50


@pytest.mark.parametrize("k", [0, 1, 7, 1000])
def test_descent_factors_equal_rational_arithmetic(k: int) -> None:
    eigenvalues = [1e-9, 0.3, 1 - 2.0**-30, 1.0, 1 + 2.0**-30, 1.7, 2 - 1e-9, 2.0, 2.1]
    decay, response = (
        f(torch.tensor(eigenvalues, dtype=torch.float64), k, 1.0) for f in (descent_decay, descent_response)
    )
    for eigenvalue, r, c in zip(eigenvalues, decay.tolist(), response.tolist(), strict=True):
        exact = (1 - Fraction(eigenvalue)) ** k
        assert r == pytest.approx(float(exact), rel=2e-13, abs=1e-300)
        assert c == pytest.approx(float((1 - exact) / Fraction(eigenvalue)), rel=2e-13, abs=1e-300)


def test_flow_response_keeps_its_digits_at_slow_modes() -> None:
    """φ₁(λ, t) = t(1 − λt/2 + …), and t itself at λ = 0."""
    response = flow_response(torch.tensor([0.0, 1e-14, 1e-9], dtype=torch.float64), 3.0)
    assert torch.allclose(
        response, torch.tensor([3.0, 3 - 4.5e-14, 3 - 4.5e-9], dtype=torch.float64), rtol=1e-15, atol=0
    )


def test_small_steps_of_descent_are_flow() -> None:
    J, e0, _, _ = least_squares(5, 12)
    linear = Linearisation.from_kernel(J @ J.T / 5, e0)
    errors = [
        float((linear.residual_under(descent(1.0 / k), k) - linear.residual_under(FLOW, 1.0)).norm())
        for k in (4096, 8192)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, rel=2e-3)


def test_infinite_time_is_the_least_squares_solution() -> None:
    """n > P: the residual keeps its part outside the range of J, and null modes do not move the prediction."""
    J, e0, Jx, h0 = least_squares(12, 5)
    linear = Linearisation.from_kernel(J @ J.T / 12, e0)
    theta = torch.linalg.lstsq(J, -e0[:, None]).solution[:, 0]
    assert int((linear.eigenvalues == 0).sum()) == 7
    assert torch.allclose(linear.residual_under(FLOW, math.inf), e0 + J @ theta, atol=1e-12)
    assert torch.allclose(linear.at_under(Jx @ J.T / 12, h0, FLOW, math.inf), h0 + Jx @ theta, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
def test_trained_points_are_new_points(shape: tuple[int, int]) -> None:
    """J_x = J in the formula for new points gives the residual on the trained ones."""
    J, e0, _, _ = least_squares(*shape)
    kernel = J @ J.T / len(e0)
    linear = Linearisation.from_kernel(kernel, e0)
    assert torch.allclose(linear.at_under(kernel, e0, FLOW, 2.0), linear.residual_under(FLOW, 2.0), atol=1e-12)
    assert torch.allclose(
        linear.at_under(kernel, e0, descent(0.1), 9), linear.residual_under(descent(0.1), 9), atol=1e-12
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_factor_and_kernel_give_the_same_dynamics(shape: tuple[int, int]) -> None:
    J, e0, _, _ = least_squares(*shape)
    by_kernel = Linearisation.from_kernel(J @ J.T / len(e0), e0)
    triangle = torch.linalg.qr(J.T).R
    for factor in (J.T, triangle):
        by_factor = Linearisation.from_jacobian_factor(factor, e0)
        assert torch.allclose(by_factor.residual_under(FLOW, 1.5), by_kernel.residual_under(FLOW, 1.5), atol=1e-12)
        assert torch.allclose(
            by_factor.loss_under(descent(0.1), 20), by_kernel.loss_under(descent(0.1), 20), atol=1e-12
        )


def test_factor_keeps_the_digits_that_the_kernel_loses() -> None:
    """σ from 1 to 1e-7: λ_min = 1e-14 λ_max comes out to 1e-8 from the factor, to no better than 1e-4 from JJᵀ."""
    generator = torch.Generator().manual_seed(3)
    Q, V = (torch.linalg.qr(torch.randn(8, 8, generator=generator, dtype=torch.float64)).Q for _ in range(2))
    singular = torch.logspace(0, -7, 8, dtype=torch.float64)
    R = (Q * singular) @ V.T
    by_factor = Linearisation.from_jacobian_factor(R, R[0])
    by_kernel = Linearisation.from_kernel(R.T @ R / 8, R[0])
    exact = float(singular[-1]) ** 2 / 8
    assert float(by_factor.eigenvalues[-1]) == pytest.approx(exact, rel=1e-8, abs=0)
    assert float(by_kernel.eigenvalues[-1]) != pytest.approx(exact, rel=1e-4, abs=0)


def test_modes_add_up_to_the_loss() -> None:
    J, e0, _, _ = least_squares(5, 12)
    linear = Linearisation.from_kernel(J @ J.T / 5, e0)
    times = torch.linspace(0, 3, 4, dtype=torch.float64)
    assert linear.mode_losses_under(FLOW, times).shape == (4, 5)
    assert torch.allclose(
        linear.mode_losses_under(FLOW, times).sum(1),
        linear.residual_under(FLOW, times).square().sum(1) / 10,
        rtol=1e-13,
    )
    assert float(linear.loss_under(FLOW, 0.0)) == pytest.approx(float(e0 @ e0) / 10, rel=1e-14)


def test_rates_below_rounding_are_zero() -> None:
    rounding = torch.finfo(torch.float64).eps
    got = clamped(torch.tensor([2.0, 5 * rounding, 3 * rounding, -rounding], dtype=torch.float64))
    assert torch.equal(got, torch.tensor([2.0, 0, 0, 0], dtype=torch.float64))
    assert float(flow_decay(got, math.inf)[-1]) == 1.0
    assert float(clamped(torch.tensor([2.0, 9 * rounding], dtype=torch.float64))[1]) == 9 * rounding


def test_divergence_is_infinite_and_an_absent_mode_stays_absent() -> None:
    rates, second = torch.tensor([3.0, 1.0], dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    linear = Linearisation(rates, torch.eye(2, dtype=torch.float64), second)
    assert float(linear.loss_under(descent(1.0), 10**6)) == 0.0
    touched = Linearisation(linear.eigenvalues, linear.vectors, torch.ones(2, dtype=torch.float64))
    assert float(touched.loss_under(descent(1.0), 10**6)) == math.inf


def test_wrong_shapes_non_finite_entries_and_negative_times_are_refused() -> None:
    kernel, e0 = torch.eye(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    with pytest.raises(ValueError, match="JJᵀ/n of all blocks"):
        Linearisation.from_kernel(kernel[:2, :2], e0)
    with pytest.raises(ValueError, match="RᵀR = JJᵀ"):
        Linearisation.from_jacobian_factor(kernel[:, :2], e0)
    with pytest.raises(ValueError, match="kernel: got non-finite"):
        Linearisation.from_kernel(kernel * math.nan, e0)
    with pytest.raises(ValueError, match="expected numbers ≥ 0"):
        Linearisation.from_kernel(kernel, e0).loss_under(FLOW, -1.0)
