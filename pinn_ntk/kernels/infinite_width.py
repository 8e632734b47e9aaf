"""The tangent kernel at infinite width, exact up to a stated error: K^(a) = E_w φφ' and K^(w) = E a² E_w ∇φ·∇φ' at γ = 1.

    K̂^(a)(θ⁰) → K^(a)  and  K̂^(w)(θ⁰) → γ² K^(w)  as N → ∞.

No Monte Carlo: ReLUᵖ is integrated exactly over the plane of each pair of points, analytic σ by the trapezoid, over the weights
themselves in up to three dimensions and over the plane of each pair in more.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from pinn_ntk.activations import Activation, activation_named, smoothness_verdict
from pinn_ntk.kernels.gram import Kernel, block_map
from pinn_ntk.kernels.limit import Limit, NotAvailableError, change_of, size_of, system_of
from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.kernels.planar_forms import DenseRows, dense_rows
from pinn_ntk.kernels.planar_quadrature import Moments, PairKernel, Trapezoid, homogeneous_moments, pair_kernel, trapezoid_moments
from pinn_ntk.kernels.planar_resolution import REFINEMENT, resolve, sample_pairs, truncation_radius
from pinn_ntk.kernels.spectrum import Spectrum, spectrum_of_factor, spectrum_of_gram, triangular_factor
from pinn_ntk.kernels.weight_space import Nodes, normal_count, normal_nodes, weighted_columns, weighted_gram
from pinn_ntk.networks.two_layer import INITS
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.residual import Problem

WEIGHT_SPACE_NODES = 1e6
"""Up to here the nodes over the weights cost less than a plane per pair."""


def infinite_width_kernel(
    problem: Problem,
    activation: str | Activation,
    bias: bool = True,
    init: str = "lecture",
    at: tuple[Rows, ...] | None = None,
    tolerance: float = 1e-12,
    parts: str = "both",
) -> Kernel:
    """K = K^(a) + K^(w), K^(a) = E φφ', K^(w) = E a² E ∇φ·∇φ' of the rows S𝓛 at γ = 1; for another γ, K_γ = K^(a) + γ²K^(w).

    Args:
        problem: n rows.
        activation: a name or a record.
        bias: whether points are lifted to (x, 1).
        init: 'lecture' and 'centred' (w ~ N(0, I), E a² = 1) or 'uniform' (w ~ U(−1,1)^D, a ~ U(−1,1), so E a² = 1/3 stands in K^(w)).
        at: m other rows on d coordinates: the cross kernel K(at, X), (m, n).
        tolerance: what the quadrature aims at, relative to the largest entry.
        parts: 'both', or 'a' to leave out K^(w).

    Returns:
        Kernel with `.scale` 1 (a network of width N has JJᵀ → s²N K_γ) and `.error`, an estimate of the largest error of an entry.

    Raises:
        NotAvailableError: no exact kernel for this activation, initialisation and dimension.
        ValueError: an unknown name, or rows of another dimension.

    References:
        Lecture 13: the kernels of the linear-convergence theorems; Cho & Saul (2009).
    """
    _check(activation, init, parts, tolerance)
    right = _lifted(problem.rows(), bias)
    left = right if at is None else _lifted(at, bias)
    m, n = (sum(len(r) for r in rows) for rows in (left, right))
    require_bytes(8 * 8 * m * n, right[0].x.device, f"the infinite-width kernel of {m} × {n} rows")
    limit = kernel_limit(left, None if at is None else right, activation_named(activation), init, tolerance, parts == "both")
    dtype = right[0].x.dtype
    a, w = limit.a.to(dtype), None if limit.w is None else limit.w.to(dtype)
    total = a if w is None else a + w
    error = limit.error + (0.0 if dtype == torch.float64 else 2 * torch.finfo(dtype).eps * float(total.abs().max()))
    columns = block_map(problem)
    return Kernel(total, 1.0, a, w, None, columns if at is None else {"new": (slice(0, m), 1.0)}, columns, error)


def infinite_width_spectrum(problem: Problem, activation: str | Activation, bias: bool = True, init: str = "lecture", part: str = "a") -> Spectrum:
    """λ_S = λ_min(K^(a)) and the rest of the spectrum of K^(a) ('a') or of K^(a) + K^(w) at γ = 1 ('total').

    Where the quadrature is over the weights (analytic σ, up to three dimensions) the eigenvalues are squares of singular values and the
    floor is what a coarser rule changes in λ_min; elsewhere it is n times the error of an entry.

    Args:
        problem: n rows.
        activation: a name or a record.
        bias: whether points are lifted to (x, 1).
        init: as in `infinite_width_kernel`.
        part: 'a' or 'total'.

    Raises:
        NotAvailableError: as in `infinite_width_kernel`.
    """
    if part not in ("a", "total"):
        raise ValueError(f"part: got {part!r}, expected 'a' or 'total'")
    _check(activation, init, "both", 1e-13)
    sigma, gradient = activation_named(activation), part == "total"
    rows = _lifted(problem.rows(), bias)
    rule = _weight_space_rule(rows, sigma, gradient, 1e-13) if sigma.degree is None and init != "uniform" else None
    if rule is None:
        limit = kernel_limit(rows, None, sigma, init, 1e-13, gradient)
        return spectrum_of_gram(limit.a if limit.w is None else limit.a + limit.w, limit.error)
    coarser = replace(rule, resolution=rule.resolution / REFINEMENT**0.5)
    fine, coarse = (_factor_spectrum(rows, sigma, _nodes(rows, r), gradient) for r in (rule, coarser))
    return replace(fine, floor=max(fine.floor, abs(fine.lambda_min - coarse.lambda_min)))


def _check(activation: str | Activation, init: str, parts: str, tolerance: float) -> None:
    if init not in INITS:
        raise ValueError(f"init: got {init!r}, expected one of {', '.join(INITS)}")
    if parts not in ("both", "a"):
        raise ValueError(f"parts: got {parts!r}, expected 'both' or 'a'")
    if not 0.0 < tolerance < 1.0:
        raise ValueError(f"tolerance: got {tolerance}, expected a number in (0, 1), relative to the largest entry")
    sigma = activation_named(activation)
    if sigma.degree is None and not math.isinf(sigma.smoothness):
        raise NotAvailableError(
            f"activation {sigma.name!r} is neither analytic nor homogeneous (ReLUᵖ): no exact infinite-width kernel; use a wide network's"
        )


def _lifted(rows: tuple[Rows, ...], bias: bool) -> tuple[Rows, ...]:
    return tuple(r.lifted() if bias else r for r in rows)


def kernel_limit(
    left: tuple[Rows, ...], right: tuple[Rows, ...] | None, activation: Activation, init: str, tolerance: float, gradient: bool
) -> Limit:
    """E φφ' and E a² E ∇φ·∇φ' for rows that are lifted already.

    Args:
        left: rows of K.
        right: columns; None for the symmetric kernel.
        activation: analytic or homogeneous.
        init: 'lecture', 'centred' or 'uniform'.
        tolerance: relative to the largest entry.
        gradient: whether the second part is wanted.

    Raises:
        NotAvailableError: no exact kernel here.
    """
    blocks = left if right is None else left + right
    order = max(r.order for r in blocks)
    if smoothness_verdict(activation, order) == "refused":
        raise NotAvailableError(f"activation {activation.name!r} has too few derivatives for an operator of order {order}: use ReLUᵖ, p ≥ {order}")
    if init == "uniform":
        return uniform_limit(left, right, activation, tolerance, gradient)
    if activation.degree is not None:
        return _pairwise(left, right, homogeneous_moments(activation), gradient, 0.0)
    rule = _weight_space_rule(blocks, activation, gradient, tolerance)
    if rule is None:
        planar, _, change = resolve(dense_rows(blocks), activation, gradient, tolerance)
        return _pairwise(left, right, trapezoid_moments(activation, planar), gradient, 4 * change)
    raise NotImplementedError
