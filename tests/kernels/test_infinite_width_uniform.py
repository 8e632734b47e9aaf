"""init=uniform: w ~ U(−1,1)^D and a ~ U(−1,1), against polynomials, Monte Carlo and finite networks."""

import math

import pytest
import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.kernels import (
    NotAvailableError,
    closed_form_kernel,
    infinite_width_kernel,
    infinite_width_spectrum,
    kernel_limit,
    system_of,
)
from pinn_ntk.networks import TwoLayer, jacobian_columns
from pinn_ntk.operators import Rows, helmholtz, identity
from pinn_ntk.problem import Block, Problem


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def general_rows(d: int) -> tuple[Rows, ...]:
    pattern = normal(1, d, d, seed=d)
    x = normal(4, d, seed=d + 10)
    first = Rows(x[:3], normal(3, 1, seed=1), pattern + pattern.mT, normal(3, d, seed=2), normal(3, seed=3))
    return first, Rows(x[3:], None, None, None, normal(1, seed=4))


def uniform(rows: tuple[Rows, ...], name: str):
    return kernel_limit(rows, None, ACTIVATIONS[name], "uniform", 1e-12, True)


@pytest.mark.parametrize("name", ["relu2", "relu3", "tanh", "gelu", "sin"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_monte_carlo_agrees_within_its_error(name, d):
    rows, N = general_rows(d), 100_000
    K = uniform(rows, name)
    g = torch.Generator().manual_seed(d)
    w, a = (2 * torch.rand(N, k, generator=g, dtype=torch.float64) - 1 for k in (d, 1))
    phi, *slopes = jacobian_columns(system_of(rows, ACTIVATIONS[name]), w, a[:, 0])
    i, j = torch.triu_indices(4, 4)
    for exact, samples in ((K.a, phi[i] * phi[j]), (K.w, sum(s[i] * s[j] for s in slopes))):
        error = samples.std(1) / N**0.5
        assert float(((samples.mean(1) - exact[i, j]).abs() / (error + K.error)).max()) < 4.5


def test_relu_on_the_interval_and_the_square_by_hand():
    """E z₊² over w ~ U(−1,1)^D is |x|²/6 (half of E z² = |x|²/3); opposite half lines share nothing;
    E w₁₊w₂₊ = 1/16.
    """
    for d in (1, 2, 3):
        x = normal(4, d, seed=d)
        K = kernel_limit((identity(d).rows(torch.cat([x, -x])),), None, ACTIVATIONS["relu"], "uniform", 1e-12, True)
        assert torch.allclose(K.a.diagonal()[:4], (x * x).sum(1) / 6, rtol=1e-14, atol=0)
        assert float(K.a.diagonal(4).abs().max()) < 1e-15
        assert torch.allclose(K.w.diagonal()[:4], (x * x).sum(1) / 6, rtol=1e-14, atol=0)
    K = kernel_limit(
        (identity(2).rows(torch.eye(2, dtype=torch.float64)),), None, ACTIVATIONS["relu"], "uniform", 1e-12, False
    )
    assert float(K.a[0, 1]) == pytest.approx(1 / 16, rel=1e-14)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_relu_power_and_its_mirror_image_make_a_monomial(p, d):
    """z₊ᵖ ± (−z)₊ᵖ is a polynomial: Gauss–Legendre over the whole cube is exact for it,
    and the lines between cells must not show.
    """
    x = normal(5, d, seed=7 + d)
    x[4] = 1.3 * x[0]
    name = "relu" if p == 1 else f"relu{p}"
    both = kernel_limit((identity(d).rows(torch.cat([x, -x])),), None, ACTIVATIONS[name], "uniform", 1e-12, False)
    sign = (-1) ** p
    K = both.a[:5, :5] + both.a[5:, 5:] + sign * (both.a[:5, 5:] + both.a[5:, :5])

    def jet(z: Tensor, k: int) -> tuple[Tensor, ...]:
        return tuple(z ** (p - q) / math.factorial(p - q) if q <= p else torch.zeros_like(z) for q in range(k + 1))

    monomial = Activation("monomial", jet, None, math.inf, "zᵖ/p!")
    exact = kernel_limit((identity(d).rows(x),), None, monomial, "uniform", 1e-12, False)
    assert float((K - exact.a).abs().max()) < 1e-13 * float(exact.a.max())


def test_sine_factorises():
    """E cos(w·y) = Π sin(y_j)/y_j."""
    x = normal(5, 3, seed=1)
    K = uniform((identity(3).rows(x),), "sin")

    def characteristic(y: Tensor) -> Tensor:
        return torch.sinc(y / math.pi).prod(-1)

    exact = (characteristic(x[:, None] - x) - characteristic(x[:, None] + x)) / 2
    error = float((K.a - exact).abs().max())
    assert error < 1e-13
    assert error <= 10 * K.error


@pytest.mark.parametrize("name", ["relu3", "tanh"])
def test_kernel_and_spectrum_of_a_problem(name):
    x = torch.rand(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    problem = Problem([Block(helmholtz(2, 1.5), x, 0.0)])
    K = infinite_width_kernel(problem, name, init="uniform")
    finite = closed_form_kernel(TwoLayer(2, 200_000, name, gamma=1.0, init="uniform"), problem)
    assert float((finite.a - K.a).abs().max()) < 0.02 * float(K.a.max())
    assert float((finite.w - K.w).abs().max()) < 0.02 * float(K.w.max())
    spectrum = infinite_width_spectrum(problem, name, init="uniform")
    assert spectrum.lambda_min == pytest.approx(float(torch.linalg.eigvalsh(K.a)[0]), abs=2 * spectrum.floor)
    cross = infinite_width_kernel(problem, name, init="uniform", at=problem.rows())
    assert float((cross.total - K.total).abs().max()) < 1e-12 * float(K.total.max())


def test_what_is_not_available_says_so():
    x = normal(3, 4, seed=0)
    with pytest.raises(NotAvailableError, match="up to 3 dimensions"):
        kernel_limit((identity(4).rows(x),), None, ACTIVATIONS["relu"], "uniform", 1e-12, True)
    with pytest.raises(NotAvailableError, match="does not settle"):
        kernel_limit((identity(4).rows(1e3 * x),), None, ACTIVATIONS["tanh"], "uniform", 1e-12, True)
