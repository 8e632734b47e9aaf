"""The tangent kernel at infinite width, exact up to a stated error: K^(a) = E_w φφ' and K^(w)
= E a² E_w ∇φ·∇φ' at γ = 1.

    K̂^(a)(θ⁰) → K^(a)  and  K̂^(w)(θ⁰) → γ² K^(w)  as N → ∞.

No Monte Carlo: ReLUᵖ is integrated exactly over the plane of each pair of points, analytic σ by the trapezoid, over the
weights themselves in up to two dimensions and over the plane of each pair in more.
"""

import math
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.activations import Activation, activation_named, smoothness_verdict
from pinn_ntk.kernels.equal_rows import equal_rows
from pinn_ntk.kernels.gram import At, Kernel, block_map
from pinn_ntk.kernels.limit import Limit, NotAvailableError, change_of, contracted, sampled, size_of, system_of
from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.kernels.planar_forms import dense_rows
from pinn_ntk.kernels.planar_quadrature import Moments, Trapezoid, homogeneous_moments, pair_kernel, trapezoid_moments
from pinn_ntk.kernels.planar_resolution import REFINEMENT, resolve, truncation_radius
from pinn_ntk.kernels.spectrum import Spectrum, spectrum_of_factor, spectrum_of_gram, triangular_factor
from pinn_ntk.kernels.uniform_weights import uniform_limit
from pinn_ntk.kernels.weight_space import normal_count, normal_nodes, weighted_columns, weighted_gram
from pinn_ntk.networks.two_layer import INITS
from pinn_ntk.operators.rows import Rows, unpaired
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, one_of, share

__all__ = [
    "NotAvailableError",
    "infinite_width_diagonal",
    "infinite_width_kernel",
    "infinite_width_spectrum",
    "kernel_limit",
]

KERNEL_DIMENSIONS, SPECTRUM_DIMENSIONS = 2, 3
"""Dimensions up to which the nodes are weights: beyond 2 a plane for each pair is quicker,
but only weights give singular values.
"""
WEIGHT_SPACE_NODES = 1e6
_TOGETHER = 32  # rows of which a whole block is computed where only its diagonal is wanted


@checked
def infinite_width_kernel(
    problem: Problem,
    activation: str | Activation,
    bias: bool = True,
    init: Annotated[str, one_of("of the inner weights", INITS)] = "lecture",
    at: At = None,
    tolerance: Annotated[float, share("of the quadrature, relative to the largest entry")] = 1e-12,
    parts: Annotated[str, one_of("both, or K^(a) alone", ("both", "a"))] = "both",
) -> Kernel:
    """K = K^(a) + K^(w), K^(a) = E φφ', K^(w) = E a² E ∇φ·∇φ' of the rows S𝓛 at γ = 1; for another γ, K_γ = K^(a)
    + γ²K^(w).

    Args:
        problem: n rows.
        activation: a name or a record.
        bias: whether points are lifted to (x, 1).
        init: 'lecture' and 'centred' (w ~ N(0, I), E a² = 1) or 'uniform' (w ~ U(−1,1)^D, a ~ U(−1,1), so E a² = 1/3
            stands in K^(w)).
        at: m other rows on d coordinates: the cross kernel K(at, X), (m, n).
        tolerance: what the quadrature aims at, relative to the largest entry.
        parts: 'both', or 'a' to leave out K^(w).

    Returns:
        Kernel with `.scale` 1 (a network of width N has JJᵀ → s²N K_γ) and `.error`, an estimate of the largest error
        of an entry.

    Raises:
        NotAvailableError: no exact kernel for this activation, initialisation and dimension.
        ValueError: an unknown name, or rows of another dimension.

    References:
        Lecture 13: the kernels of the linear-convergence theorems; Cho & Saul (2009).

    Examples:
        >>> import torch
        >>> from pinn_ntk import Block, Problem, identity, infinite_width_kernel
        >>> problem = Problem([Block(identity(2), torch.eye(2, dtype=torch.float64), 1.0)])
        >>> K = infinite_width_kernel(problem, "relu", bias=False)
        >>> round(float(torch.linalg.eigvalsh(K.a)[0]), 6)  # λ_S = ½ − 1/(2π)
        0.340845
    """
    _check(activation, init, tolerance)
    right = _lifted(problem.rows(), bias)
    left = right if at is None else _lifted(at, bias)
    m, n = (sum(len(r) for r in rows) for rows in (left, right))
    held = [sum(len(r) for r in unpaired(rows)) for rows in (left, right)]
    require_bytes(8 * 8 * held[0] * held[1], right[0].x.device, f"the infinite-width kernel of {m} × {n} rows")
    limit = kernel_limit(
        left, None if at is None else right, activation_named(activation), init, tolerance, parts == "both"
    )
    dtype = right[0].x.dtype
    a, w = limit.a.to(dtype), None if limit.w is None else limit.w.to(dtype)
    total = a if w is None else a + w
    error = limit.error + (0.0 if dtype == torch.float64 else 2 * torch.finfo(dtype).eps * float(total.abs().max()))
    columns = block_map(problem)
    return Kernel(total, 1.0, a, w, None, columns if at is None else {"new": (slice(0, m), 1.0)}, columns, error)


def infinite_width_diagonal(
    rows: tuple[Rows, ...],
    activation: str | Activation,
    bias: bool = True,
    init: str = "lecture",
    tolerance: float = 1e-12,
) -> Limit:
    """k(x_i, x_i) of rows with themselves: the diagonals (n,) of K^(a) and K^(w) at γ = 1, at the cost of n pairs.

    Args:
        rows: n rows on d coordinates.
        activation: a name or a record.
        bias: whether points are lifted to (x, 1).
        init: as in `infinite_width_kernel`.
        tolerance: what the quadrature aims at, relative to the largest entry.

    Raises:
        NotAvailableError: as in `infinite_width_kernel`.
    """
    _check(activation, init, tolerance)
    sigma, lifted = activation_named(activation), _lifted(rows, bias)
    if init == "uniform" or len(unpaired(lifted)) > len(lifted):
        parts = [r.select(slice(i, i + _TOGETHER)) for r in lifted for i in range(0, len(r), _TOGETHER)]
        limits = [kernel_limit((part,), None, sigma, init, tolerance, gradient=True) for part in parts]
        a, w = (
            torch.cat([m.diagonal() for m in side if m is not None])
            for side in zip(*((x.a, x.w) for x in limits), strict=True)
        )
        return Limit(a, w, max(x.error for x in limits))
    dense, error = dense_rows(lifted), 0.0
    if sigma.degree is None:
        rule, error = resolve(dense, sigma, True, tolerance)
        moments = trapezoid_moments(sigma, rule)
    else:
        moments = homogeneous_moments(sigma)
    order = (4 * dense.x.norm(dim=1).clamp_min(1e-300).log2()).round().argsort(stable=True)
    kernel = pair_kernel(dense, order, order, moments, True)
    back = order.argsort()
    return Limit(kernel.a[back], None if kernel.w is None else kernel.w[back], error + kernel.rounding)


def infinite_width_spectrum(
    problem: Problem, activation: str | Activation, bias: bool = True, init: str = "lecture", part: str = "a"
) -> Spectrum:
    """λ_S = λ_min(K^(a)) and the rest of the spectrum of K^(a) ('a') or of K^(a) + K^(w) at γ = 1 ('total').

    Where the quadrature is over the weights (analytic σ, up to three dimensions) the eigenvalues are squares of
    singular values and the floor is what a coarser rule changes in λ_min; elsewhere it is n times the error of an
    entry. Where rows are multiples of one another that many eigenvalues are 0, exactly.

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
    _check(activation, init, 1e-13)
    sigma, gradient = activation_named(activation), part == "total"
    rows = _lifted(problem.rows(), bias)
    spectrum, again = _spectrum(rows, sigma, init, gradient), equal_rows(rows)
    known = spectrum.eigenvalues.clone()
    known[:again] = 0.0
    return replace(spectrum, eigenvalues=known)


def _spectrum(rows: tuple[Rows, ...], sigma: Activation, init: str, gradient: bool) -> Spectrum:
    """As quadrature and the eigensolver have it."""
    found = (
        _over_weights(rows, sigma, gradient, 1e-13, SPECTRUM_DIMENSIONS)
        if sigma.degree is None and init != "uniform"
        else None
    )
    if found is None:
        limit = kernel_limit(rows, None, sigma, init, 1e-13, gradient)
        return spectrum_of_gram(limit.a if limit.w is None else limit.a + limit.w, limit.error)
    rule, _ = found
    coarser = replace(rule, resolution=rule.resolution / REFINEMENT**0.5)
    fine, coarse = (_factor_spectrum(rows, sigma, r, gradient) for r in (rule, coarser))
    return replace(fine, floor=max(fine.floor, abs(fine.lambda_min - coarse.lambda_min)))


def _check(activation: str | Activation, init: str, tolerance: float) -> None:
    if init not in INITS:
        raise ValueError(f"init: got {init!r}, expected one of {', '.join(INITS)}")
    if not 0.0 < tolerance < 1.0:
        raise ValueError(f"tolerance: got {tolerance}, expected a number in (0, 1), relative to the largest entry")
    sigma = activation_named(activation)
    if sigma.degree is None and not math.isinf(sigma.smoothness):
        raise NotAvailableError(
            f"activation {sigma.name!r} is neither analytic nor homogeneous (ReLUᵖ): no exact infinite-width "
            "kernel; use a wide network's"
        )


def _lifted(rows: tuple[Rows, ...], bias: bool) -> tuple[Rows, ...]:
    return tuple(r.lifted() if bias else r for r in rows)


def kernel_limit(
    left: tuple[Rows, ...],
    right: tuple[Rows, ...] | None,
    activation: Activation,
    init: str,
    tolerance: float,
    gradient: bool,
) -> Limit:
    """E φφ' and E a² E ∇φ·∇φ' for rows that are lifted already; paired rows from the four kernels of their parts.

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
    parts = unpaired(left), None if right is None else unpaired(right)
    return contracted(_unpaired_limit(*parts, activation, init, tolerance, gradient), left, right)


def _unpaired_limit(
    left: tuple[Rows, ...],
    right: tuple[Rows, ...] | None,
    activation: Activation,
    init: str,
    tolerance: float,
    gradient: bool,
) -> Limit:
    blocks = left if right is None else left + right
    order = max(r.order for r in blocks)
    if smoothness_verdict(activation, order) == "refused":
        raise NotAvailableError(
            f"activation {activation.name!r} has too few derivatives for order {order}; use ReLUᵖ with p ≥ "
            f"{order} or an analytic σ"
        )
    if init == "uniform":
        return uniform_limit(left, right, activation, tolerance, gradient)
    if activation.degree is not None:
        return _pairwise(left, right, homogeneous_moments(activation), gradient, 0.0)
    found = _over_weights(blocks, activation, gradient, tolerance, KERNEL_DIMENSIONS)
    if found is None:
        rule, error = resolve(dense_rows(blocks), activation, gradient, tolerance)
        return _pairwise(left, right, trapezoid_moments(activation, rule), gradient, error)
    rule, error = found
    systems = system_of(left, activation), None if right is None else system_of(right, activation)
    return Limit(*weighted_gram(*systems, normal_nodes(_extent(blocks), rule), gradient), error)


def _pairwise(
    left: tuple[Rows, ...], right: tuple[Rows, ...] | None, moments: Moments, gradient: bool, error: float
) -> Limit:
    """Every pair over its own plane, the longer point first; half of the pairs when the kernel is symmetric."""
    rows = dense_rows(left if right is None else left + right)
    m = sum(len(r) for r in left)
    if right is None:
        i, j = torch.triu_indices(m, m, device=rows.x.device)
    else:
        places = torch.arange(len(rows.x), device=rows.x.device)
        i, j = (v.flatten() for v in torch.meshgrid(places[:m], places[m:], indexing="ij"))
    norm = rows.x.norm(dim=1)
    longer = norm[i] >= norm[j]
    first, second = torch.where(longer, i, j), torch.where(longer, j, i)
    order = _alike_together(rows.x, first, second)
    kernel = pair_kernel(rows, first[order], second[order], moments, gradient)
    n = m if right is None else len(rows.x) - m
    i, j = i[order], j[order] - (0 if right is None else m)

    def matrix(values: Tensor) -> Tensor:
        K = values.new_empty(m, n)
        K[i, j] = values
        if right is None:
            K[j, i] = values
        return K

    return Limit(matrix(kernel.a), None if kernel.w is None else matrix(kernel.w), error + kernel.rounding)


def _alike_together(x: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """An order of the pairs in which neighbours have like |x| and like distance of x' from the line of x:
    chunks share one grid.
    """
    norm = x.norm(dim=1)
    cosine = (x[i] * x[j]).sum(1) / (norm[i] * norm[j]).clamp_min(1e-300)
    across = norm[j] * (1.0 - cosine.square()).clamp_min(0.0).sqrt()
    octave = (4 * norm[i].clamp_min(1e-300).log2()).round()
    by_distance = across.argsort()
    regrouped: Tensor = by_distance[octave[by_distance].argsort(stable=True)]
    return regrouped


def _extent(blocks: tuple[Rows, ...]) -> Tensor:
    """max_i |x_ij| for each coordinate."""
    return torch.cat([r.x for r in unpaired(blocks)]).abs().amax(0).double()


def _over_weights(
    blocks: tuple[Rows, ...], activation: Activation, gradient: bool, tolerance: float, dimensions: int
) -> tuple[Trapezoid, float] | None:
    """The rule over the weights with its error, measured on a few rows against the planes;
    None in many dimensions or with many nodes.
    """
    blocks, extent = unpaired(blocks), _extent(blocks)
    D = len(extent)
    if dimensions < D:
        return None
    planar, error = resolve(dense_rows(blocks), activation, gradient, tolerance)
    few = sampled(blocks, 6)
    finer = Trapezoid(REFINEMENT * planar.resolution, planar.radius + 0.4, planar.half)
    exact = _pairwise(few, None, trapezoid_moments(activation, finer), gradient, 0.0)
    rule = Trapezoid(planar.resolution, truncation_radius(max(r.order for r in blocks), D, tolerance), planar.half)
    while normal_count(extent, rule) <= WEIGHT_SPACE_NODES:
        a, w = weighted_gram(system_of(few, activation), None, normal_nodes(extent, rule), gradient)
        change = change_of(a, w, exact.a, exact.w)
        if change <= 10 * tolerance * size_of(a, w):
            return rule, 4 * change + error + exact.error
        rule = replace(rule, resolution=REFINEMENT * rule.resolution)
    return None


def _factor_spectrum(rows: tuple[Rows, ...], activation: Activation, rule: Trapezoid, gradient: bool) -> Spectrum:
    """From the singular values of √ω(φ, ∇φ) over the nodes."""
    system = system_of(rows, activation)
    columns = weighted_columns(system, normal_nodes(_extent(rows), rule), gradient)
    return spectrum_of_factor(triangular_factor(columns, system.points), 1.0, system.points)
