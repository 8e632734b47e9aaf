"""Spectra: prescribed singular values come back, far below where JJᵀ has lost them, and faults are named."""

import math

import pytest
import torch
from cases import network_of, problem_of

from pinn_ntk.kernels import (
    NonFiniteError,
    SpectrumError,
    closed_form_kernel,
    kernel_factor,
    kernel_spectrum,
    spectrum_of_factor,
    spectrum_of_gram,
    triangular_factor,
)


def jacobian(n: int, p: int, singular: torch.Tensor) -> torch.Tensor:
    """A matrix of prescribed singular values."""
    u = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))[0]
    v = torch.linalg.qr(torch.randn(p, n, dtype=torch.float64))[0]
    return u @ torch.diag(singular) @ v.mT


def test_small_eigenvalues_come_from_singular_values() -> None:
    singular = torch.logspace(0, -11, 12, dtype=torch.float64)
    J = jacobian(12, 200, singular)
    factor = triangular_factor((J[:, i : i + 17] for i in range(0, 200, 17)), 12)
    good, rough = spectrum_of_factor(factor, 1.0, 12), spectrum_of_gram(J @ J.mT)
    assert good.lambda_min == pytest.approx(1e-22, rel=1e-3)
    assert not good.below_floor
    assert rough.below_floor
    assert rough.lambda_min >= 0.0


def test_row_18_the_floor_is_above_what_rounding_makes_of_zero() -> None:
    J = torch.randn(6, 3, dtype=torch.float64)
    for spectrum in (spectrum_of_factor(J.mT, 1.0, 6), spectrum_of_gram(J @ J.mT)):
        assert spectrum.below_floor
        assert math.isinf(spectrum.condition)
        assert spectrum.vectors.shape == (6, 6)
        torch.testing.assert_close(
            spectrum.vectors @ torch.diag(spectrum.eigenvalues) @ spectrum.vectors.mT, J @ J.mT, rtol=1e-12, atol=1e-13
        )


def test_streamed_factor_reproduces_the_kernel() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, width=60, extra=(lambda x: x[:, 0],))
    K = closed_form_kernel(net, problem)
    R = kernel_factor(net, problem, chunk=7)
    torch.testing.assert_close(R.mT @ R, K.scale * K.total, rtol=1e-11, atol=1e-11)
    R_a = kernel_factor(net, problem, "a", chunk=7)
    torch.testing.assert_close(R_a.mT @ R_a, K.scale * K.a, rtol=1e-11, atol=1e-11)
    for part, matrix in (("total", K.total), ("a", K.a)):
        torch.testing.assert_close(
            kernel_spectrum(net, problem, part).eigenvalues, torch.linalg.eigvalsh(matrix), rtol=1e-9, atol=1e-12
        )


def test_effective_rank_and_alignment() -> None:
    assert spectrum_of_gram(torch.eye(7, dtype=torch.float64)).effective_rank == pytest.approx(7.0)
    one = torch.ones(7, 7, dtype=torch.float64)
    spectrum = spectrum_of_gram(one)
    assert spectrum.effective_rank == pytest.approx(1.0)
    assert float(spectrum.alignment(one[0])[-1]) == pytest.approx(1.0)
    assert float(spectrum.alignment(torch.randn(7, dtype=torch.float64)).sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_row_19_a_kernel_that_is_not_finite_never_reaches_the_eigensolver(bad: float) -> None:
    K = torch.eye(4, dtype=torch.float64)
    K[2, 2] = bad
    with pytest.raises(NonFiniteError, match="not finite"):
        spectrum_of_gram(K)
    with pytest.raises(NonFiniteError):
        triangular_factor([K], 4)


def test_row_20_a_failing_solver_is_tried_once_more_and_then_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = torch.linalg.eigh, []

    def once(matrix: torch.Tensor):
        calls.append(matrix.dtype)
        if len(calls) == 1:
            raise RuntimeError("linalg.eigh: failed to converge")
        return real(matrix)

    monkeypatch.setattr(torch.linalg, "eigh", once)
    assert spectrum_of_gram(torch.eye(3)).lambda_min == pytest.approx(1.0)
    assert calls == [torch.float32, torch.float64]

    def never(matrix: torch.Tensor):
        raise RuntimeError("failed to converge")

    monkeypatch.setattr(torch.linalg, "eigh", never)
    with pytest.raises(SpectrumError, match="also on the CPU in float64"):
        spectrum_of_gram(torch.eye(3))
