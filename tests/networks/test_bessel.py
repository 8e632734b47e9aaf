"""Bessel functions about a point: their derivatives, and what is refused."""

from functools import partial

import pytest
import torch
from torch import Tensor

from pinn_ntk.geometry import Box
from pinn_ntk.networks import FAMILIES, ExtraFunction, bessel_numbers, extra_function

T = torch.tensor([[3.0, 0.4], [0.4, 2.0]], dtype=torch.float64)


def psi_of(family: str, order: float, k: float, part: float = 0.0, dim: int = 2) -> ExtraFunction:
    numbers = bessel_numbers((-0.5, 0.1), T, (0.3, -0.7), 1.0, family, order, k, part)
    return extra_function("bessel", numbers, dim)


def single(psi: ExtraFunction, x: Tensor) -> Tensor:
    """At one point (d,)."""
    return psi(x[None])[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("order", "part"), [(0.0, 0.0), (2.0 / 3.0, 1.0), (1.0, 0.0), (7.0, 1.0)])
def test_closed_derivatives_are_those_of_automatic_differentiation(family: str, order: float, part: float) -> None:
    psi = psi_of(family, order, 1.7, part, dim=3)
    x = Box([0.0, 0.3, 0.0], [1.0, 1.0, 1.0]).interior(16, seed=5)
    value, slope, curvature = psi.jet(x)
    one = partial(single, psi)
    first, second = torch.func.vmap(torch.func.grad(one))(x), torch.func.vmap(torch.func.hessian(one))(x)
    assert torch.allclose(value, psi(x), rtol=1e-13, atol=0.0)
    assert float((slope - first).abs().max()) <= 1e-12 * max(1.0, float(first.abs().max()))
    assert float((curvature - second).abs().max()) <= 1e-11 * max(1.0, float(second.abs().max()))
    y = x.clone().requires_grad_(True)
    (plain,) = torch.autograd.grad(psi(y).sum(), y)
    assert torch.allclose(plain, first, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("order", "k"), [(0.0, 0.0), (400.0, 1e-3), (2.0, -1.0)])
def test_what_is_no_number_is_refused(order: float, k: float) -> None:
    with pytest.raises(ValueError, match="bessel: got K_"):
        bessel_numbers((0.0, 0.0), T, (0.0, 0.0), 0.0, "K", order, k, 0.0)
