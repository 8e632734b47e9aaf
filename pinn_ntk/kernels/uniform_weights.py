"""The infinite-width kernel of `init=uniform`: w ~ U(−1, 1)^D, a ~ U(−1, 1), so that E a² = 1/3.

Analytic σ: tensor Gauss–Legendre, refined until stable. ReLUᵖ: φφ' is homogeneous of degree m in w, so that the cube
reduces to its faces,

    ∫_{[−1,1]^D} F dw = 1/(m + D) Σ_faces ∫_face F dS,

where F is a polynomial on every cell between the lines w·x = 0 and w·x' = 0: exact for D ≤ 3.
"""

import itertools

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.activations import Activation
from pinn_ntk.kernels.limit import Limit, NotAvailableError, change_of, has_parity, sampled, size_of, system_of
from pinn_ntk.kernels.planar_forms import DenseRows, dense_rows
from pinn_ntk.kernels.weight_space import uniform_nodes, weighted_gram
from pinn_ntk.operators.rows import Rows

OUTER_SQUARE = 1.0 / 3.0
NODES = 4e6
CELL_ELEMENTS = 1 << 19
COUNTS = (8, 12, 16, 20, 26, 34, 44, 58, 76, 100, 130)


def uniform_limit(
    left: tuple[Rows, ...], right: tuple[Rows, ...] | None, activation: Activation, tolerance: float, gradient: bool
) -> Limit:
    """E φφ' and ⅓ E ∇φ·∇φ' over w ~ U(−1, 1)^D.

    Args:
        left: rows of K, lifted already.
        right: columns; None for the symmetric kernel.
        activation: analytic or homogeneous.
        tolerance: relative to the largest entry.
        gradient: whether the second part is wanted.

    Raises:
        NotAvailableError: ReLUᵖ in more than three dimensions, or too many nodes.
    """
    if activation.degree is None:
        limit = _tensor_limit(left, right, activation, tolerance, gradient)
    else:
        limit = _face_limit(left, right, activation, gradient)
    return Limit(limit.a, None if limit.w is None else OUTER_SQUARE * limit.w, limit.error)


def _tensor_limit(
    left: tuple[Rows, ...], right: tuple[Rows, ...] | None, activation: Activation, tolerance: float, gradient: bool
) -> Limit:
    D = left[0].x.shape[1]
    few = system_of(sampled(left if right is None else left + right, 6), activation)
    half = has_parity(activation)
    previous: tuple[Tensor, Tensor | None] | None = None
    for count in (c for c in COUNTS if float(c) ** D / (1 + half) <= NODES):
        current = weighted_gram(few, None, uniform_nodes(D, count, half, few.target), gradient)
        change = float("inf") if previous is None else change_of(*previous, *current)
        if change <= tolerance * size_of(*current):
            systems = system_of(left, activation), None if right is None else system_of(right, activation)
            a, w = weighted_gram(*systems, uniform_nodes(D, count, half, few.target), gradient)
            return Limit(a, w, 4 * change + 64 * torch.finfo(a.dtype).eps * size_of(a, w))
        previous = current
    raise NotAvailableError(
        f"init 'uniform' with activation {activation.name!r} in {D} dimensions (bias counted): the product rule "
        "does not settle to "
        f"{tolerance:g} within {NODES:.0e} nodes; use init='lecture' or a wide network's kernel"
    )


def _face_limit(
    left: tuple[Rows, ...], right: tuple[Rows, ...] | None, activation: Activation, gradient: bool
) -> Limit:
    D = left[0].x.shape[1]
    if D > 3:
        raise NotAvailableError(
            f"init 'uniform' with activation {activation.name!r}: exact in up to 3 dimensions (bias counted), got {D}; "
            "use init='lecture' or a wide network's kernel"
        )
    rows, columns = dense_rows(left), dense_rows(left if right is None else right)
    places = (torch.arange(len(r.x), device=r.x.device) for r in (rows, columns))
    i, j = (v.flatten() for v in torch.meshgrid(*places, indexing="ij"))
    nodes_per_pair = 2 * D * (3 if D == 2 else 18 if D == 3 else 1) * ((activation.degree or 0) + 3) ** (D - 1)
    size = max(1, CELL_ELEMENTS // nodes_per_pair)
    chunks = zip(i.split(size), j.split(size), strict=True)
    parts = [_face_pairs(rows.select(p), columns.select(q), D, activation, gradient) for p, q in chunks]
    shape = len(rows.x), len(columns.x)
    a = torch.cat([p[0] for p in parts]).reshape(shape)
    w = torch.cat([p[1] for p in parts if p[1] is not None]).reshape(shape) if gradient else None
    return Limit(a, w, 64 * torch.finfo(a.dtype).eps * max(p[2] for p in parts))


def _face_pairs(
    left: DenseRows, right: DenseRows, D: int, activation: Activation, gradient: bool
) -> tuple[Tensor, Tensor | None, float]:
    """Σ over the faces for P pairs, with the largest Σ|terms|."""
    p = activation.degree or 0
    a = w = left.x.new_zeros(len(left.x))
    size = 0.0
    for axis, sign in itertools.product(range(D), (-1.0, 1.0)):
        nodes, weight = _face_nodes(left.x, right.x, D, axis, sign, p)
        (phi, slope), (psi, other) = (pair_features(rows, activation, nodes, gradient) for rows in (left, right))
        terms = weight * phi * psi / (2**D * (2 * p + D))
        a = a + terms.sum(1)
        size += float(terms.abs().sum(1).max())  # read back: the estimate of the error
        if slope is not None and other is not None:
            terms = weight * (slope * other).sum(2) / (2**D * (2 * p - 2 + D))
            w = w + terms.sum(1)
            size += float(terms.abs().sum(1).max())  # read back: the estimate of the error
    return a, w if gradient else None, size


def pair_features(rows: DenseRows, activation: Activation, w: Tensor, gradient: bool) -> tuple[Tensor, Tensor | None]:
    """φ (P, M) and ∇φ (P, M, D) of row i at its own nodes w (P, M, D)."""
    jet = activation.jet((w @ rows.x[..., None]).squeeze(-1), rows.order + int(gradient))
    phi, G = torch.zeros_like(jet[0]), torch.zeros_like(jet[0])
    y = torch.zeros_like(w)
    if rows.c is not None:
        phi, G = phi + rows.c[:, None] * jet[0], G + rows.c[:, None] * jet[1] if gradient else G
    if rows.b is not None:
        drift = (w @ rows.b[..., None]).squeeze(-1)
        phi, G = phi + drift * jet[1], G + drift * jet[2] if gradient else G
        y = y + rows.b[:, None] * jet[1][..., None]
    if rows.A is not None:
        Aw = w @ rows.A
        Q = (Aw * w).sum(2)
        phi, G = phi + Q * jet[2], G + Q * jet[3] if gradient else G
        y = y + 2.0 * Aw * jet[2][..., None]
    return phi, G[..., None] * rows.x[:, None] + y if gradient else None


def _face_nodes(x: Tensor, y: Tensor, D: int, axis: int, sign: float, p: int) -> tuple[Tensor, Tensor]:
    """Nodes (P, M, max(D, 2)) and weights (P, M) of the face w_axis = ±1,
    exact on the cells between w·x = 0 and w·y = 0.
    """
    free = [k for k in range(D) if k != axis]
    lines = [(sign * v[:, axis], v[:, free]) for v in (x, y)]
    if D == 1:
        coordinates, weight = [], x.new_ones(len(x), 1)
    elif D == 2:
        t, weight = _cells([_root(c, v[:, 0]) for c, v in lines], p + 1)
        coordinates = [t]
    else:
        breaks = [_root(c + end * v[:, 1], v[:, 0]) for c, v in lines for end in (-1.0, 1.0)]
        (c1, v1), (c2, v2) = lines
        breaks.append(_root(c1 * v2[:, 1] - c2 * v1[:, 1], v1[:, 0] * v2[:, 1] - v2[:, 0] * v1[:, 1]))
        breaks += [_root(c, v[:, 0]) for c, v in lines]
        s, outer = _cells(breaks, p + 2)
        t, inner = _cells([_root(c[:, None] + v[:, :1] * s, v[:, 1:].expand_as(s)) for c, v in lines], p + 1)
        coordinates = [s[..., None].expand_as(t).flatten(1), t.flatten(1)]
        weight = (outer[..., None] * inner).flatten(1)
    nodes = x.new_zeros(*weight.shape, x.shape[1])
    nodes[..., axis] = sign
    for k, value in zip(free, coordinates, strict=True):
        nodes[..., k] = value
    return nodes, weight


def _root(constant: Tensor, slope: Tensor) -> Tensor:
    """Where constant + slope·t = 0, brought into [−1, 1]; anywhere if there is no such place."""
    return torch.nan_to_num(-constant / slope, nan=1.0, posinf=1.0, neginf=-1.0).clamp(-1.0, 1.0)


def _cells(breaks: list[Tensor], count: int) -> tuple[Tensor, Tensor]:
    """Gauss–Legendre on every interval between −1, the breaks and 1: nodes and weights (…, count·intervals)."""
    nodes, weights = (torch.from_numpy(v).to(breaks[0]) for v in np.polynomial.legendre.leggauss(count))
    inner = torch.stack(breaks, -1).sort(-1).values
    ends = torch.cat([-torch.ones_like(inner[..., :1]), inner, torch.ones_like(inner[..., :1])], -1)
    centre, half = (ends[..., 1:] + ends[..., :-1]) / 2, (ends[..., 1:] - ends[..., :-1]) / 2
    return (centre[..., None] + half[..., None] * nodes).flatten(-2), (half[..., None] * weights).flatten(-2)
