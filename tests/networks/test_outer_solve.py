"""One solve for the outer weights: the minimiser, tall or wide, whatever the scale of columns and however dependent
they are.
"""

import math

import pytest
import torch
from cases import points

from pinn_ntk.networks import TIKHONOV, OuterFactor, solve_outer

SHAPES = [(40, 12), (12, 40), (20, 20)]


def spread(n: int, width: int, decades: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix with singular values from 1 to 10^−decades and a right-hand side."""
    generator = torch.Generator().manual_seed(n)
    u, _, vh = torch.linalg.svd(torch.randn(n, width, generator=generator, dtype=torch.float64), full_matrices=False)
    singular = torch.logspace(0, -decades, min(n, width), dtype=torch.float64)
    return (u * singular) @ vh, torch.randn(n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cutoff", [None, 1e-12])
def test_full_rank_gives_the_least_squares_solution_of_least_norm(shape: tuple[int, int], cutoff: float | None) -> None:
    matrix, y = spread(*shape, decades=3.0)
    norms = matrix.norm(dim=0)
    expected = torch.linalg.lstsq(matrix / norms, y[:, None], driver="gelsd").solution[:, 0] / norms
    found = solve_outer(matrix, y, cutoff=cutoff)
    torch.testing.assert_close(found.coefficients, expected, rtol=1e-9, atol=1e-9)
    assert found.rank == min(shape)
    assert found.residual_norm == pytest.approx(float((matrix @ expected - y).norm()), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", [1e-3, 1e-1])
def test_the_term_is_tikhonovs_in_unit_columns(shape: tuple[int, int], tau: float) -> None:
    matrix, y = spread(*shape, decades=2.0)
    norms = matrix.norm(dim=0)
    unit = matrix / norms
    normal = unit.mT @ unit + tau**2 * torch.eye(shape[1], dtype=torch.float64)
    expected = torch.linalg.solve(normal, unit.mT @ y) / norms
    torch.testing.assert_close(solve_outer(matrix, y, tau).coefficients, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_columns_may_have_any_scale(shape: tuple[int, int]) -> None:
    matrix, y = spread(*shape, decades=2.0)
    scales = torch.logspace(-60, 60, shape[1], dtype=torch.float64)
    plain, scaled = solve_outer(matrix, y), solve_outer(matrix * scales, y)
    torch.testing.assert_close(scaled.coefficients * scales, plain.coefficients, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
@pytest.mark.parametrize("cutoff", [None, 1e-12])
def test_rank_is_revealed_and_dependent_columns_do_no_harm(shape: tuple[int, int], cutoff: float | None) -> None:
    n, width = shape
    matrix = spread(n, 5, decades=1.0)[0] @ spread(5, width, decades=1.0)[0]
    matrix[:, 3] = 0.0
    y = matrix @ torch.ones(width, dtype=torch.float64)
    found = solve_outer(matrix, y, cutoff=cutoff)
    assert found.rank == 5
    assert found.residual_norm < 1e-13 * float(y.norm())
    assert float(found.coefficients.norm()) < 1e3 * math.sqrt(width)
    assert found.coefficients[3] == 0.0


def test_dependent_features_fit_a_smooth_function_to_rounding_where_a_cutoff_leaves_more() -> None:
    """200 sines of low frequency are some 40 directions to rounding; QR with τ = 1e-15 reaches ε,
    singular values stop at their cut-off.
    """
    x = points(300, 1)
    w, b = 60.0 * points(200, 1, seed=1) - 30.0, 6.3 * points(200, 1, seed=2)
    matrix, y = torch.sin(x @ w.mT + b[:, 0]), torch.exp(torch.sin(3.0 * x[:, 0]))
    size = float(y.norm())
    found, truncated = solve_outer(matrix, y), solve_outer(matrix, y, cutoff=1e-12)
    assert found.rank < 60
    assert found.residual_norm < 3e-15 * size
    assert found.residual_norm < truncated.residual_norm


def test_single_precision_takes_a_term_of_its_own() -> None:
    matrix, y = spread(40, 12, decades=12.0)
    found = solve_outer(matrix.float(), y.float())
    assert found.coefficients.dtype == torch.float32
    assert math.isfinite(found.residual_norm)
    assert found.rank < 12
    assert found.residual_norm <= float(y.norm())


def test_device_stays(device: torch.device) -> None:
    matrix, y = spread(40, 12, decades=2.0)
    there = solve_outer(matrix.to(device), y.to(device)).coefficients
    assert there.device.type == device.type
    torch.testing.assert_close(there.cpu(), solve_outer(matrix, y).coefficients, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "right", "options", "words"),
    [
        ((3, 2), 4, {}, "matrix and right"),
        ((3, 0), 3, {}, "matrix and right"),
        ((3, 2), 3, {"tikhonov": 0.0}, "tikhonov"),
        ((3, 2), 3, {"cutoff": 1.0}, "cutoff"),
    ],
)
def test_what_cannot_be_solved_is_refused(shape: tuple[int, int], right: int, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        solve_outer(
            torch.ones(shape, dtype=torch.float64),
            torch.ones(right, dtype=torch.float64),
            **{"tikhonov": TIKHONOV, **options},
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", [1e-2, 1e-15])
def test_the_remainder_is_what_a_solve_leaves(shape: tuple[int, int], tau: float) -> None:
    matrix, y = spread(*shape, decades=2.0)
    factor = OuterFactor.of(matrix, tau)
    torch.testing.assert_close(factor.remainder(y[:, None])[:, 0], y - matrix @ factor.solve(y), rtol=1e-10, atol=1e-12)
