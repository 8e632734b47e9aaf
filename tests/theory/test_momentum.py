"""Momentum mode by mode: the closed form against the recursion in exact arithmetic, against torch.optim.SGD,
and at its limits.
"""

import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.theory import (
    Linearisation,
    decay,
    descent_decay,
    descent_rate,
    descent_response,
    momentum_decay,
    momentum_rate,
    momentum_response,
    rate,
    response,
)

BETAS = [0.0, 0.1, 0.5, 0.9, 0.99]
METHODS = pytest.mark.parametrize("nesterov", [False, True], ids=["heavy_ball", "nesterov"])


def limit(beta: float, nesterov: bool) -> float:
    return Dynamics("nesterov" if nesterov else "heavy_ball", 1.0, beta).stability


def critical(beta: float, nesterov: bool) -> float:
    """Where the two roots meet."""
    return ((1 - beta) / (1 + beta)) ** 2 if nesterov else (1 - math.sqrt(beta)) ** 2


def speeds(beta: float, nesterov: bool) -> Tensor:
    """s = τλ: none, tiny, below, at and above critical damping, turning, and about the stability limit."""
    meet, last = critical(beta, nesterov), limit(beta, nesterov)
    few = [
        0.0,
        1e-16,
        1e-9,
        0.4 * meet,
        meet,
        1.5 * meet,
        0.3,
        0.7,
        1.0,
        1 - 2.0**-30,
        1.2,
        0.99 * last,
        last,
        1.01 * last,
    ]
    near = [meet * (1 + sign * 10.0**-p) for p in (4, 8, 12, 16) for sign in (-1, 1)]
    return torch.tensor([*few, *near], dtype=torch.float64)


def recursion(s: float, beta: float, nesterov: bool, ks: list[int]) -> list[tuple[Fraction, Fraction]]:
    """(c_k, r_k) at τ = 1 by rational arithmetic, Nesterov's at the look-ahead point."""
    s_, b = Fraction(s), Fraction(beta)
    past, now, found = Fraction(0), Fraction(0), {}
    for k in range(max(ks) + 1):
        ahead = (1 + b) * now - b * past
        found[k] = ahead if nesterov else now
        past, now = now, (ahead - s_ * ahead + 1 if nesterov else ahead - s_ * now + 1)
    return [(found[k], 1 - s_ * found[k]) for k in ks]


@METHODS
@pytest.mark.parametrize("beta", BETAS)
def test_closed_form_equals_the_recursion_in_exact_arithmetic(beta: float, nesterov: bool) -> None:
    s, ks = speeds(beta, nesterov), [0, 1, 2, 3, 10, 57]
    c, r = (f(s, torch.tensor(ks), 1.0, beta, nesterov) for f in (momentum_response, momentum_decay))
    tolerance = 3e-14 / (1 - beta)
    for j, value in enumerate(s.tolist()):
        for i, (c_exact, r_exact) in enumerate(recursion(value, beta, nesterov, ks)):
            assert float(c[i, j]) == pytest.approx(float(c_exact), rel=tolerance, abs=tolerance)
            assert float(r[i, j]) == pytest.approx(float(r_exact), rel=tolerance, abs=1e-2 * tolerance)


@METHODS
@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_a_million_steps_equal_repeated_squaring(beta: float, nesterov: bool) -> None:
    """Mᵏ by repeated squaring with 300 bits behind the point: the slow modes keep all their digits."""
    s = torch.tensor([0.0, 1e-12, 3e-8, 1e-6, 5e-6], dtype=torch.float64)
    k = 10**6
    c, r = (f(s, k, 1.0, beta, nesterov).tolist() for f in (momentum_response, momentum_decay))
    for value, c_k, r_k in zip(s.tolist(), c, r, strict=True):
        c_exact, r_exact = squared(value, beta, nesterov, k)
        assert c_k == pytest.approx(c_exact, rel=2e-14 / (1 - beta))
        assert r_k == pytest.approx(r_exact, rel=2e-13 / (1 - beta))


def squared(s: float, beta: float, nesterov: bool, k: int) -> tuple[float, float]:
    b, one = Fraction(beta), Fraction(1)
    T, p = ((1 + b) * (1 - Fraction(s)), b * (1 - Fraction(s))) if nesterov else (1 + b - Fraction(s), b)
    power, result = [[T, -p, one], [one, 0 * one, 0 * one], [0 * one, 0 * one, one]], None
    while k:
        if k & 1:
            result = power if result is None else product(result, power)
        power, k = product(power, power), k >> 1
    assert result is not None
    c_k, c_before = result[0][2], result[1][2]
    c = (1 + b) * c_k - b * c_before if nesterov else c_k
    return float(c), float(1 - Fraction(s) * c)


def product(A: list[list[Fraction]], B: list[list[Fraction]]) -> list[list[Fraction]]:
    grid = 1 << 300
    return [[Fraction(round(sum(a * B[m][j] for m, a in enumerate(row)) * grid), grid) for j in range(3)] for row in A]


@pytest.mark.parametrize("k", [0, 1, 2, 9, 1000])
def test_without_momentum_it_is_gradient_descent(k: int) -> None:
    s = torch.tensor([0.0, 1e-12, 0.3, 1.0, 1.7, 1.99, 2.0, 2.1], dtype=torch.float64)
    for nesterov in (False, True):
        torch.testing.assert_close(
            momentum_decay(s, k, 1.0, 0.0, nesterov), descent_decay(s, k, 1.0), rtol=1e-12, atol=1e-15
        )
        torch.testing.assert_close(
            momentum_response(s, k, 1.0, 0.0, nesterov), descent_response(s, k, 1.0), rtol=1e-12, atol=1e-15
        )
        torch.testing.assert_close(momentum_rate(s, 1.0, 0.0, nesterov), descent_rate(s, 1.0), rtol=1e-12, atol=1e-15)


@METHODS
@pytest.mark.parametrize("beta", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("shape", [(5, 12), (12, 5)])
def test_torch_moves_a_linear_model_the_same_way(shape: tuple[int, int], beta: float, nesterov: bool) -> None:
    n, P = shape
    J, e0, J_x = (
        torch.randn(n, P, dtype=torch.float64),
        torch.randn(n, dtype=torch.float64),
        torch.randn(3, P, dtype=torch.float64),
    )
    linear = Linearisation.from_jacobian_factor(J.mT, e0)
    law = Dynamics(
        "nesterov" if nesterov else "heavy_ball", 0.6 * limit(beta, nesterov) / float(linear.eigenvalues.max()), beta
    )
    theta = torch.zeros(P, dtype=torch.float64, requires_grad=True)
    optimiser, path = torch.optim.SGD([theta], law.step, beta, nesterov=nesterov), []
    for _ in range(61):
        path.append(theta.detach().clone())
        optimiser.zero_grad()
        ((e0 + J @ theta).square().sum() / (2 * n)).backward()
        optimiser.step()
    moved, k = torch.stack(path), torch.arange(61)
    e = e0 + moved @ J.mT
    torch.testing.assert_close(linear.residual_under(law, k), e, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(linear.loss_under(law, k), e.square().sum(1) / (2 * n), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(linear.mode_losses_under(law, k).sum(1), linear.loss_under(law, k))
    start = torch.ones(3, dtype=torch.float64)
    torch.testing.assert_close(
        linear.at_under(J_x @ J.mT / n, start, law, k), start + moved @ J_x.mT, rtol=1e-12, atol=1e-12
    )


@METHODS
@pytest.mark.parametrize("beta", BETAS)
def test_the_limit_separates_decay_from_growth(beta: float, nesterov: bool) -> None:
    s = torch.tensor([0.999, 1.001], dtype=torch.float64) * limit(beta, nesterov)
    below, above = momentum_decay(s, 200_000, 1.0, beta, nesterov).abs().tolist()
    assert below < 1e-10
    assert above > 1e10
    slow, fast = momentum_rate(s, 1.0, beta, nesterov).tolist()
    assert slow > 0.0 > fast
    assert momentum_decay(2 * s, 10**6, 1.0, beta, nesterov).isinf().all()
    assert momentum_response(2 * s, 10**6, 1.0, beta, nesterov).isinf().all()


@METHODS
def test_the_limit_of_nesterov_lies_below_that_of_descent(nesterov: bool) -> None:
    assert (limit(0.9, nesterov) < 2.0) == nesterov
    assert Dynamics("descent", 1.0).stability == 2.0
    assert math.isinf(Dynamics("flow").stability)


@METHODS
@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_the_rate_is_the_late_fall_of_a_step(beta: float, nesterov: bool) -> None:
    meet = critical(beta, nesterov)
    fast = limit(beta, nesterov) - (0.05 if nesterov else 0.25 * (1 - math.sqrt(beta)) ** 2)
    s = torch.tensor([1e-3 * meet, 0.3 * meet, 0.9 * meet, fast], dtype=torch.float64)
    late = momentum_decay(s, torch.tensor([400, 401]), 1.0, beta, nesterov).abs().log()
    torch.testing.assert_close(momentum_rate(s, 1.0, beta, nesterov), late[0] - late[1], rtol=1e-5, atol=0)
    turning = torch.tensor([0.3, 0.6], dtype=torch.float64)
    expected = -0.5 * torch.log(beta * (1 - turning) if nesterov else torch.full_like(turning, beta))
    torch.testing.assert_close(momentum_rate(turning, 1.0, beta, nesterov), expected, rtol=1e-12, atol=0)
    assert float(momentum_rate(torch.tensor([1e-12], dtype=torch.float64), 1.0, beta, nesterov)) == pytest.approx(
        1e-12 / (1 - beta), rel=1e-9
    )


def test_small_steps_are_the_flow_at_its_pace() -> None:
    """r_k → e^{−λt} with t = kτ/(1 − β)."""
    eigenvalues = torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)
    for kind in ("heavy_ball", "nesterov"):
        errors = []
        for k in (1000, 2000):
            law = Dynamics(kind, 0.1 / k, 0.9)
            assert law.pace * k == pytest.approx(1.0)
            errors.append(float((decay(law, eigenvalues, k) - decay(Dynamics("flow"), eigenvalues, 1.0)).norm()))
        assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.05)


def test_infinitely_many_steps_end_where_the_flow_ends() -> None:
    eigenvalues = torch.tensor([0.0, 1e-9, 0.01, 1.0], dtype=torch.float64)
    for kind in ("heavy_ball", "nesterov", "descent"):
        law = Dynamics(kind, 0.9, 0.0 if kind == "descent" else 0.9)
        assert decay(law, eigenvalues, math.inf).tolist() == pytest.approx([1.0, 0.0, 0.0, 0.0], rel=1e-15)
        assert response(law, eigenvalues, math.inf).tolist() == pytest.approx([math.inf, 1e9, 100.0, 1.0])


def test_one_mode_at_many_steps_has_the_shape_of_the_steps(device: torch.device, dtype: torch.dtype) -> None:
    s = torch.rand(5, dtype=dtype, device=device)
    for law in (Dynamics("heavy_ball", 0.5, 0.9), Dynamics("nesterov", 0.5, 0.9)):
        k = torch.arange(6, device=device).reshape(2, 3)
        assert decay(law, s, k).shape == response(law, s, k).shape == (2, 3, 5)
        assert decay(law, s, 4).shape == rate(law, s).shape == (5,)
        assert decay(law, s, k).dtype == dtype
        assert decay(law, s, k).device.type == device.type


def test_what_has_no_closed_form_says_so() -> None:
    s = torch.ones(2, dtype=torch.float64)
    for f in (decay, response):
        with pytest.raises(ValueError, match="no closed form"):
            f(Dynamics("other", 0.1), s, 3)
    with pytest.raises(ValueError, match="expected numbers ≥ 0"):
        momentum_decay(s, -1, 0.1, 0.9)
