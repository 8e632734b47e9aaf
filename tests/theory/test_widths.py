"""Least widths: the reference values, and the last crossing against a search over every integer."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pinn_ntk.theory import (
    PDE,
    REGRESSION,
    Gamma,
    LeastWidth,
    Premises,
    Theorem,
    expected_initial_loss,
    gamma_at,
    least_width,
    width_terms,
)


def arc_cosine(x: Tensor) -> Tensor:
    """K^(a)_ij = |x||x'|(sin θ + (π − θ)cos θ)/(2π) of ReLU regression."""
    r = torch.linalg.norm(x, dim=1)
    cosine = (x @ x.T / torch.outer(r, r)).clamp(-1, 1)
    theta = torch.acos(cosine)
    return torch.outer(r, r) * (torch.sin(theta) + (math.pi - theta) * cosine) / (2 * math.pi)


def laplace(x: Tensor, bias: bool) -> Tensor:
    """K^(a)_ij = E Q²(wᵀx)₊(wᵀx')₊ of Δ(ReLU³/6) in the plane, Q = w₁² with bias, |w|² without:
    E r⁶ = 48 times an integral over an arc.
    """
    angle, r = torch.atan2(x[:, 1], x[:, 0]), torch.linalg.norm(x, dim=1)
    lower, upper = (
        torch.maximum(angle[:, None], angle) - math.pi / 2,
        torch.minimum(angle[:, None], angle) + math.pi / 2,
    )
    nodes, weights = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(40))
    half = (upper - lower).clamp(min=0) / 2
    theta = (upper + lower)[..., None] / 2 + half[..., None] * nodes
    values = (
        torch.cos(theta - angle[:, None, None])
        * torch.cos(theta - angle[None, :, None])
        * (torch.cos(theta) ** 4 if bias else 1.0)
    )
    return 48 / (2 * math.pi) * torch.outer(r, r) * half * (values @ weights)


def e_i(n: int) -> Tensor:
    return torch.eye(n, dtype=torch.float64)


def inner(n: int) -> Tensor:
    """i/(n+1) with bias."""
    x = torch.arange(1, n + 1, dtype=torch.float64) / (n + 1)
    return torch.stack([x, torch.ones_like(x)], 1)


def closed(n: int) -> Tensor:
    """i/(n−1), end points in, with bias."""
    x = torch.linspace(0, 1, n, dtype=torch.float64)
    return torch.stack([x, torch.ones_like(x)], 1)


def reference(theorem: Theorem, x: Tensor, kernel: Tensor) -> LeastWidth:
    """δ = 0.1, γ = 1/√N, mean f² = ½."""
    n, d = x.shape
    premises = Premises(theorem, n, d, float(torch.linalg.eigvalsh(kernel)[0]), 0.1)
    return least_width(premises, "inv_sqrt_width", n / 2, float(kernel.trace()))


@pytest.mark.parametrize(
    ("x", "digits", "binding"),
    [
        (e_i(1), "1.43e+04", "third"),
        (e_i(2), "1.33e+06", "third"),
        (closed(2), "7.3e+06", "third"),
        (e_i(3), "1.8e+07", "first"),
        (e_i(4), "1.5e+08", "first"),
        (inner(10), "2e+18", "first"),
        (closed(10), "6.9e+17", "first"),
    ],
)
def test_least_width_of_regression_has_reference_digits(x: Tensor, digits: str, binding: str) -> None:
    least = reference(REGRESSION, x, arc_cosine(x))
    assert f"{least.width:.{max(len(digits) - 6, 0)}e}" == digits
    assert least.terms.binding == binding


@pytest.mark.parametrize(
    ("x", "bias", "digits"), [(e_i(2), False, "1.6e+15"), (inner(10), True, "3.2e+27"), (closed(10), True, "1.4e+27")]
)
def test_least_width_of_the_laplacian_has_reference_digits(x: Tensor, bias: bool, digits: str) -> None:
    least = reference(PDE, x, laplace(x, bias))
    assert f"{least.width:.1e}" == digits
    assert least.terms.binding == "third"


@pytest.mark.parametrize("gamma", [0.5, "inv_sqrt_width", "inv_width"])
@pytest.mark.parametrize("theorem", [REGRESSION, PDE])
def test_least_width_is_the_last_crossing_over_all_integers(theorem: Theorem, gamma: Gamma) -> None:
    """Small widths, where RHS(N)/N is not monotone; above 112 it decreases (log(4N(d+1)/δ) > 8)."""
    checked = 0
    for lambda_s in np.geomspace(1e1, 1e9, 25):
        premises = Premises(theorem, 2, 1, float(lambda_s), 0.3)
        least = least_width(premises, gamma, 1.0, 300.0)
        if least.width > 2000:
            continue
        losses = ((N, expected_initial_loss(1.0, 300.0, 2, gamma_at(gamma, N), N)) for N in range(1, 2001))
        failing = [N for N, loss in losses if width_terms(premises, N, loss).largest > N]
        assert least.width == (failing[-1] + 1 if failing else 1)
        checked += 1
    assert checked >= 5


def test_first_crossing_is_not_the_last() -> None:
    """γ = 0.5, PDE: some N below the least width satisfies N ≥ RHS(N),
    so a search upwards from 1 would stop too early.
    """
    found = False
    for lambda_s in np.geomspace(1e5, 1e8, 600):
        premises = Premises(PDE, 2, 1, float(lambda_s), 0.9)
        least = least_width(premises, 0.5, 1e-6, 300.0)
        below = range(1, min(int(least.width), 400))
        found |= any(
            width_terms(premises, N, expected_initial_loss(1e-6, 300.0, 2, 0.5, N)).largest <= N for N in below
        )
    assert found


@pytest.mark.parametrize("lambda_s", [1e-2, 1e-8, 1e-12])
def test_least_width_is_met_at_itself_and_not_below(lambda_s: float) -> None:
    premises = Premises(PDE, 50, 4, lambda_s, 0.01, 10.0)
    least = least_width(premises, 0.1, 25.0, 60.0)
    assert 1e30 < least.width < 1e110
    assert least.terms.largest <= least.width
    below = least.width * (1 - 1e-12)
    assert width_terms(premises, below, expected_initial_loss(25.0, 60.0, 50, 0.1, below)).largest > below


def test_a_sharper_first_term_replaces_the_lecture_s() -> None:
    premises = Premises(REGRESSION, 4, 4, 0.34, 0.1)
    lecture, sharper = (least_width(premises, "inv_sqrt_width", 2.0, 2.0, first) for first in (None, 1e4))
    assert lecture.terms.binding == "first"
    assert (sharper.terms.first, sharper.terms.binding) == (1e4, "third")
    assert sharper.width < lecture.width


def test_hopeless_width_is_infinite() -> None:
    assert least_width(Premises(PDE, 10, 3, 1e-160, 0.1), 0.5, 5.0, 5.0, first=1.0).width == math.inf


def test_gamma_by_name() -> None:
    assert (gamma_at(0.3, 100), gamma_at("inv_sqrt_width", 100), gamma_at("inv_width", 100)) == (0.3, 0.1, 0.01)
    with pytest.raises(ValueError, match="inv_sqrt_width"):
        gamma_at("inv_sqrt", 100)
