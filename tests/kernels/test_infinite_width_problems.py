"""K^∞ of problems: blocks, hard constraints, spectra and λ_S, the approach of finite networks,
and what is not available.
"""

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
)
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import elliptic, hard_constraint, identity, laplacian
from pinn_ntk.problem import Block, Problem


def points(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def poisson(n: int, d: int) -> Problem:
    x = points(n, d, n)
    edge = x[: n // 2].clone()
    edge[:, 0] = 0.0
    full = torch.eye(d, dtype=torch.float64) + 0.3
    return Problem(
        [
            Block(elliptic(d, full, b=torch.ones(d, dtype=torch.float64)), x, 0.0),
            Block(identity(d), edge, 0.0, "edge", 30.0),
        ]
    )


@pytest.mark.parametrize("name", ["relu3", "tanh", "gelu"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_kernels_of_problems_are_positive_semi_definite(name, d):
    K = infinite_width_kernel(poisson(12, d), name)
    for part in (K.a, K.w, K.total):
        assert torch.equal(part, part.mT) or float((part - part.mT).abs().max()) < 1e-12 * float(part.max())
        assert float(torch.linalg.eigvalsh((part + part.mT) / 2)[0]) > -len(part) * K.error
    assert torch.equal(K.total, K.a + K.w)


def test_new_rows_against_the_problem_and_blocks_by_name():
    problem = poisson(6, 2)
    K = infinite_width_kernel(problem, "tanh")
    same = infinite_width_kernel(problem, "tanh", at=problem.rows())
    assert float((same.total - K.total).abs().max()) < 1e-11 * float(K.total.max())
    s = problem.row_scales[1]
    new = infinite_width_kernel(problem, "tanh", at=(identity(2).rows(problem.blocks[1].x),))
    assert float((new.raw("new", "edge") - K.raw("edge", "edge")).abs().max()) < 1e-11 * float(K.total.max())
    assert float((new.total * s - K.total[6:]).abs().max()) < 1e-11 * float(K.total.max())


@pytest.mark.parametrize("name", ["relu3", "tanh"])
def test_hard_constraint_rows(name):
    """φ̃ of ϕh at a point is 𝓛(ϕσ(w·x)): the kernel of the transformed operator is a Monte Carlo mean of those."""

    def bubble(x: Tensor) -> Tensor:
        return (x * (1 - x)).prod(1)

    operator, _ = hard_constraint(laplacian(2), bubble)
    x, N = points(3, 2, 4), 20_000
    K = infinite_width_kernel(Problem([Block(operator, x, 0.0)]), name, bias=False).a
    w = torch.randn(N, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sigma = ACTIVATIONS[name]
    rows = laplacian(2).rows(x.repeat_interleave(N, 0))
    phi = rows.apply(lambda p: bubble(p) * sigma((p * w.repeat(3, 1)).sum(1))).view(3, N)
    for i in range(3):
        for j in range(3):
            sample = phi[i] * phi[j]
            assert abs(float(sample.mean() - K[i, j])) < 4.5 * float(sample.std()) / N**0.5


@pytest.mark.parametrize("name", ["relu3", "tanh"])
def test_finite_networks_approach_it_like_one_over_root_N(name):
    problem = Problem([Block(laplacian(2), points(6, 2), 0.0)])
    K = infinite_width_kernel(problem, name)
    widths, seeds = [64, 256, 1024, 4096], range(30)

    def distance(N: int) -> float:
        kernels = (closed_form_kernel(TwoLayer(2, N, name, gamma=1.0, seed=s), problem).total for s in seeds)
        return math.sqrt(sum(float(((k - K.total) ** 2).sum()) for k in kernels) / len(seeds))

    logs = torch.tensor([[math.log(N), math.log(distance(N))] for N in widths], dtype=torch.float64)
    centred = logs - logs.mean(0)
    slope = float((centred[:, 0] @ centred[:, 1]) / (centred[:, 0] @ centred[:, 0]))
    assert abs(slope + 0.5) < 0.12


def test_float32_rows_give_a_float32_kernel_whose_error_says_so():
    x = points(5, 2)
    single = infinite_width_kernel(Problem([Block(laplacian(2), x.float(), 0.0)]), "tanh")
    double = infinite_width_kernel(Problem([Block(laplacian(2), x.float().double(), 0.0)]), "tanh")
    assert single.total.dtype == torch.float32
    assert float((single.total.double() - double.total).abs().max()) <= single.error
    assert single.error > 1e4 * double.error


def on_a_line(n: int, ends: bool) -> Tensor:
    i = torch.arange(n, dtype=torch.float64)[:, None]
    return i / (n - 1) if ends else (i + 1) / (n + 1)


@pytest.mark.parametrize(
    ("operator", "name", "ends", "values"),
    [
        (identity, "relu", False, [2.1e-2, 7.1e-4, 6.4e-5, 6.0e-6, 6.3e-7]),
        (laplacian, "relu3", False, [1.6e-1, 1.1e-2, 8.9e-4, 6.5e-5, 5.446585643e-6]),
        (identity, "relu", True, [0.160, 5.6e-3, 2.0e-4, 1.0e-5, 8.0e-7]),
        (laplacian, "relu3", True, [0.962, 8.5e-2, 2.6e-3, 9.8e-5, 6.4e-6]),
    ],
)
def test_smallest_eigenvalues_on_a_line(operator, name, ends, values):
    """To the digits known beforehand; the last one of the second row from 40-digit arithmetic."""
    for n, value in zip((2, 3, 5, 10, 20), values, strict=True):
        spectrum = infinite_width_spectrum(Problem([Block(operator(1), on_a_line(n, ends), 0.0)]), name)
        digits = len(f"{value!r}".split("e")[0].replace(".", "").lstrip("0"))
        assert float(f"{spectrum.lambda_min:.{digits - 1}e}") == pytest.approx(value, rel=10.0 ** (-digits) / 5 + 1e-8)
        assert not spectrum.below_floor


def test_unit_vectors_without_bias():
    for n in (2, 3, 4):
        spectrum = infinite_width_spectrum(
            Problem([Block(identity(n), torch.eye(n, dtype=torch.float64), 0.0)]), "relu", bias=False
        )
        assert spectrum.lambda_min == pytest.approx(0.5 - 1 / (2 * math.pi), abs=1e-14)


def test_singular_values_get_smaller_eigenvalues_right_than_the_kernel_does():
    """sin: rank grows with tiny eigenvalues; λ_min of K^(a) for seven points from 40-digit arithmetic on the closed
    form.
    """
    import mpmath as mp

    x = on_a_line(7, True)
    spectrum = infinite_width_spectrum(Problem([Block(identity(1), x, 0.0)]), "sin")
    with mp.workdps(40):
        X = [(mp.mpf(i) / 6, mp.mpf(1)) for i in range(7)]

        def k(a, b):
            S = a[0] * b[0] + 1
            t = (a[0] ** 2 + b[0] ** 2 + 2) / 2
            return (mp.exp(S - t) - mp.exp(-S - t)) / 2

        exact = float(min(mp.eigsy(mp.matrix([[k(a, b) for b in X] for a in X]), eigvals_only=True)))
    assert abs(spectrum.lambda_min - exact) <= max(spectrum.floor, 1e-6 * exact)
    assert spectrum.lambda_min == pytest.approx(exact, rel=1e-4)
    by_kernel = infinite_width_kernel(Problem([Block(identity(1), x, 0.0)]), "sin", parts="a").spectrum()
    assert abs(by_kernel.lambda_min - exact) > abs(spectrum.lambda_min - exact)


@pytest.mark.parametrize("part", ["a", "total"])
def test_spectrum_is_that_of_the_kernel(part):
    for name, d in (("tanh", 1), ("tanh", 2), ("tanh", 3), ("relu3", 2)):
        problem = poisson(6, d)
        K = infinite_width_kernel(problem, name, parts="a" if part == "a" else "both")
        spectrum = infinite_width_spectrum(problem, name, part=part)
        assert float((spectrum.eigenvalues - torch.linalg.eigvalsh(K.total)).abs().max()) < 1e-11 * spectrum.lambda_max


def test_centred_initialisation_has_the_same_limit():
    problem = poisson(4, 1)
    a, b = (infinite_width_kernel(problem, "tanh", init=i).total for i in ("lecture", "centred"))
    assert torch.equal(a, b)


def test_what_has_no_exact_kernel_says_so():
    def jet(z: Tensor, k: int) -> tuple[Tensor, ...]:
        return (z.new_zeros(z.shape),) * (k + 1)

    problem = poisson(4, 2)
    with pytest.raises(NotAvailableError, match="neither analytic nor homogeneous"):
        infinite_width_kernel(problem, Activation("elu", jet, None, 1, "elu"))
    with pytest.raises(NotAvailableError, match="too few derivatives"):
        infinite_width_kernel(problem, "relu")
    with pytest.raises(NotAvailableError, match="scale the coordinates"):
        kernel_limit((identity(4).rows(1e4 * points(3, 4)),), None, ACTIVATIONS["tanh"], "lecture", 1e-12, False)
    for wrong in ({"init": "xavier"}, {"parts": "w"}, {"tolerance": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            infinite_width_kernel(problem, "tanh", **wrong)
