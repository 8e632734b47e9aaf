"""Closed-form Lipschitz constants of the Jacobian of S𝓛h in θ = (a, w), on balls around θ⁰.

With z = w·x, Q = wᵀAw, ℓ = b·w the gradient of a feature changes by

    ∇²_wφ = 2Aσ'' + 2σ'''(Aw xᵀ + x wᵀA) + σ''(b xᵀ + x bᵀ) + (Qσ'''' + ℓσ''' + cσ'') x xᵀ,

so on ‖w − w⁰‖ ≤ r, with S_k = sup |σ⁽ᵏ⁾| over the reachable z ∈ [z⁰ − r‖x‖, z⁰ + r‖x‖] of that neuron and point (‖x‖
the block's largest),

    ‖∇²φ‖₂ ≤ H = 2‖A‖S₂ + 4‖x‖(‖Aw⁰‖ + r‖A‖)S₃ + (‖b‖‖x‖ + |b·x|)S₂
               + ‖x‖²((|Q⁰| + 2r‖Aw⁰‖ + r²‖A‖)S₄ + (|ℓ⁰| + r‖b‖)S₃ + |c|S₂).

The derivative of the Jacobian of one neuron in the direction (α, ω) is [∇φᵀω | α∇φ + a∇²φω]. With g ≥ ‖(∇φ_i)_i‖_F, h =
(Σ_i H_i²)^½ and t = |a|h its norm is at most (t + √(t² + 4g²))/2 for a unit (α, ω), and neurons occupy columns of their
own:

    ‖DJ[v]‖² ≤ Σ_k ‖DJ_k[v_k]‖² ≤ max_k c_k² ‖v‖²:   L = s max_k c_k, which does not grow with N.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pinn_ntk.activations import Activation
from pinn_ntk.networks.derivative_bounds import reachable_sup
from pinn_ntk.networks.features import (
    CHUNK_ELEMENTS,
    System,
    feature_gradients,
    neuron_chunks,
    neuron_terms,
    pattern_products,
)
from pinn_ntk.networks.two_layer import Weights
from pinn_ntk.operators.rows import Rows

CACHED_ELEMENTS = 1 << 14
"""Rows × neurons at a time on the CPU: what is made of so many small arrays should stay in its cache."""


def cached_chunks(system: System, w: Tensor) -> Iterator[slice]:
    """Slices of neurons for elementwise work: small on the CPU, as large as anywhere on a GPU."""
    return neuron_chunks(system.points, w.shape[0], CACHED_ELEMENTS if w.device.type == "cpu" else CHUNK_ELEMENTS)


def curvature_bound(rows: Rows, activation: Activation, radius: float) -> Callable[[Tensor], Tensor]:
    """w (N, D) ↦ H_ik ≥ sup ‖∇²_wφ(x_i; w)‖₂ over ‖w − w_k‖ ≤ r, shape (n, N).

    Args:
        rows: n functionals on D coordinates.
        activation: σ, smooth enough (see `derivative_bounds.unbounded`).
        radius: r ≥ 0; what is reachable is taken at the longest x of the block.

    Returns:
        The bound; of paired rows the sum of both, by the triangle inequality.
    """
    if rows.minus is not None:
        own, minus = (curvature_bound(r, activation, radius) for r in (rows.plus, rows.minus))
        return lambda w: own(w) + minus(w)
    size = torch.linalg.vector_norm(rows.x, dim=1)[:, None]
    # read back: a constant of the theorem
    sup = {k: reachable_sup(activation, radius * float(size.max()), k) for k in range(2, 3 + rows.order)}
    second = None if rows.alpha is None else _second_order(rows)
    length = None if rows.b is None else torch.linalg.vector_norm(rows.b, dim=1)[:, None]
    cross = None if rows.b is None or length is None else length * size + (rows.b * rows.x).sum(1).abs()[:, None]

    def bound(w: Tensor) -> Tensor:
        """H of these neurons."""
        z: Tensor = rows.x @ w.mT
        S = {k: look_up(z) for k, look_up in sup.items()}
        total = torch.zeros_like(z)
        inner = total if rows.c is None else rows.c.abs()[:, None] * S[2]
        if rows.b is not None and cross is not None and length is not None:
            total = total + cross * S[2]
            inner = inner + ((rows.b @ w.mT).abs() + radius * length) * S[3]
        if second is not None:
            norm, forms = second
            Aw, Q = forms(w)
            total = total + 2.0 * norm * S[2] + 4.0 * size * (Aw + radius * norm) * S[3]
            inner = inner + (Q.abs() + 2.0 * radius * Aw + radius * radius * norm) * S[4]
        return torch.addcmul(total, size * size, inner)

    return bound


def _second_order(rows: Rows) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """‖A(x_i)‖₂ (n or 1, 1), and w ↦ (‖A(x_i)w_k‖, w_kᵀA(x_i)w_k), each (n or 1, N)."""
    alpha, patterns = rows.alpha, rows.patterns
    assert alpha is not None and patterns is not None
    norm = torch.linalg.eigvalsh(torch.einsum("nm,mij->nij", alpha, patterns)).abs().amax(1)[:, None]

    def forms(w: Tensor) -> tuple[Tensor, Tensor]:
        """Of these neurons."""
        products = pattern_products(rows, w)  # (m, N, D)
        pairs = torch.einsum("mkd,lkd->mlk", products, products)
        square = torch.einsum("nm,nl,mlk->nk", alpha, alpha, pairs)
        return square.clamp_min(0.0).sqrt(), alpha @ (products * w).sum(-1)

    return norm, forms


def curvature_norms(system: System, radius: float) -> Callable[[Tensor], Tensor]:
    """w (N, D) ↦ h_k = (Σ_i H_ik²)^½, shape (N,)."""
    bounds = [curvature_bound(rows, system.activation, radius) for rows in system.rows]

    def norms(w: Tensor) -> Tensor:
        """h of these neurons."""
        return torch.stack([bound(w).square().sum(0) for bound in bounds]).sum(0).sqrt()

    return norms


def gradient_parts(system: System, w: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Φ (n, N) and the D components of ∇_wφ, each (n, N), block after block."""
    terms = [neuron_terms(rows, system.activation, w, gradient=True) for rows in system.rows]
    streams = [feature_gradients(rows, t, w) for rows, t in zip(system.rows, terms, strict=True)]
    return torch.cat([t.phi for t in terms]), [torch.cat(parts) for parts in zip(*streams, strict=True)]


def gradient_norms(system: System, weights: Weights) -> Tensor:
    """‖(∇_wφ_k(x_i))_i‖_F at the weights, shape (N,)."""
    w = weights.w
    return torch.cat([_gradient_norm(system, w[part]) for part in cached_chunks(system, w)])


def _gradient_norm(system: System, w: Tensor) -> Tensor:
    total = torch.zeros_like(w[:, 0])
    for component in gradient_parts(system, w)[1]:
        total = total + component.square().sum(0)
    return total.sqrt()


def jacobian_lipschitz(system: System, weights: Weights, radius: float, gradients: Tensor | None = None) -> float:
    """L with ‖J(θ) − J(θ')‖₂ ≤ L‖θ − θ'‖ for θ, θ' in the ball of that radius about the weights.

    g_k ≤ ‖∇φ_k(w⁰)‖_F + r h_k and |a_k| ≤ |a_k⁰| + r there.

    Args:
        system: the rows.
        weights: the centre θ⁰.
        radius: r ≥ 0; the smaller, the smaller L.
        gradients: `gradient_norms`, where they are known already.
    """
    a, w = weights.a.abs(), weights.w
    known = gradient_norms(system, weights) if gradients is None else gradients
    curvature = curvature_norms(system, radius)
    constants = (
        _neuron_constant(a[part] + radius, known[part], curvature(w[part]), radius) for part in cached_chunks(system, w)
    )
    return abs(system.scale) * max(float(c.max()) for c in constants)  # read back: a constant of the theorem


def _neuron_constant(a: Tensor, gradient: Tensor, h: Tensor, radius: float) -> Tensor:
    """(t + √(t² + 4g²))/2 with t = |a|h: the larger singular value of [[g, 0], [t, g]]."""
    g, t = gradient + radius * h, a * h
    return 0.5 * (t + torch.sqrt(t * t + 4.0 * g * g))
