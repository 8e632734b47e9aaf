"""Sums over neurons and over points, streamed: residual e = sΦa + Ψβ − Sf and gradient of R_S = ‖e‖²/(2n).

    ∇_a R = (s/n) Φᵀe,   ∇_{w_k} R = (s a_k/n) Σ_i e_i ∇_wφ_k(x_i),   ∇_β R = (1/n) Ψᵀe.

Neurons go in chunks, so memory is n·chunk whatever the width; gradients contract over points by matrix products and never form n×N×D.
"""

import torch
from torch import Tensor

from pinn_ntk.networks.features import NeuronTerms, System, features, neuron_chunks, neuron_terms, pattern_products
from pinn_ntk.networks.two_layer import Weights
from pinn_ntk.operators.rows import Rows


def residual(system: System, weights: Weights) -> Tensor:
    """e = sΦa + Ψβ − Sf, shape (…, n)."""
    a, w = weights.a, weights.w
    total = torch.zeros_like(system.target)
    for part in neuron_chunks(_size(system, w), w.shape[-2]):
        total = total + (features(system, w[..., part, :]) @ a[..., part, None]).squeeze(-1)
    return _finish(system, weights, total)


def residual_and_gradient(system: System, weights: Weights) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """e and (∇_aR, ∇_wR, ∇_βR) of R_S = ‖e‖²/(2n).

    Returns:
        e (…, n) and gradients of shapes (…, N), (…, N, D), (…, m).
    """
    a, w = weights.a, weights.w
    chunks = list(neuron_chunks(_size(system, w), w.shape[-2]))
    if len(chunks) > 1:
        e = residual(system, weights)
        parts = [_gradient(system, a[..., c], w[..., c, :], e, _terms(system, w[..., c, :])) for c in chunks]
        return e, (torch.cat([p[0] for p in parts], -1), torch.cat([p[1] for p in parts], -2), _extra_gradient(system, weights, e))
    terms = _terms(system, w)
    e = _finish(system, weights, (torch.cat([t.phi for t in terms], -2) @ a[..., None]).squeeze(-1))
    return e, (*_gradient(system, a, w, e, terms), _extra_gradient(system, weights, e))


def _size(system: System, w: Tensor) -> int:
    """Rows of all members of a batch."""
    return system.points * w.shape[:-2].numel()


def _terms(system: System, w: Tensor) -> list[NeuronTerms]:
    return [neuron_terms(rows, system.activation, w, gradient=True) for rows in system.rows]


def _finish(system: System, weights: Weights, total: Tensor) -> Tensor:
    """sΦa + Ψβ − Sf from Φa."""
    h = system.scale * total
    if system.extra is not None:
        h = h + weights.extra @ system.extra.mT
    return h - system.target


def _extra_gradient(system: System, weights: Weights, e: Tensor) -> Tensor:
    """(1/n) Ψᵀe."""
    return torch.zeros_like(weights.extra) if system.extra is None else (e @ system.extra) / system.points


def _gradient(system: System, a: Tensor, w: Tensor, e: Tensor, terms: list[NeuronTerms]) -> tuple[Tensor, Tensor]:
    """(∇_aR, ∇_wR) of the neurons given, from e and their terms."""
    factor = system.scale / system.points
    by_a, by_w, start = torch.zeros_like(a), torch.zeros_like(w), 0
    for rows, t in zip(system.rows, terms, strict=True):
        part = e[..., start : start + len(rows)]
        start += len(rows)
        by_a = by_a + (part[..., None, :] @ t.phi).squeeze(-2)
        by_w = by_w + _contracted_gradient(rows, t, w, part)
    return factor * by_a, factor * a[..., None] * by_w


def _contracted_gradient(rows: Rows, terms: NeuronTerms, w: Tensor, e: Tensor) -> Tensor:
    """Σ_i e_i ∇_wφ_k(x_i), shape (…, N, D), by products over points."""
    total = _moments(e, rows.x, terms.G)
    if terms.first is not None and rows.b is not None:
        total = total + _moments(e, rows.b, terms.first)
    if terms.second is not None and rows.alpha is not None:
        sums = _moments(e, rows.alpha, terms.second)
        total = total + 2.0 * (sums.mT[..., None] * pattern_products(rows, w)).sum(-3)
    return total


def _moments(e: Tensor, coefficient: Tensor, values: Tensor | None) -> Tensor:
    """Σ_i e_i C_ij values_ik, shape (…, N, j); one row in C means the same for every i."""
    assert values is not None
    if coefficient.shape[0] == 1 and values.shape[-2] != 1:
        return (e[..., None, :] @ values).mT * coefficient
    return ((e[..., None] * coefficient).mT @ values).mT
