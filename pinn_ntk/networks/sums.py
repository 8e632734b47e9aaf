"""Sums over neurons and over points, streamed: residual e = sΦa + Ψβ − Sf and gradient of R_S = ‖e‖²/(2n).

    ∇_a R = (s/n) Φᵀe,   ∇_{w_k} R = (s a_k/n) Σ_i e_i ∇_wφ_k(x_i),   ∇_β R = (1/n) Ψᵀe.

Neurons go in chunks, so memory is n·chunk whatever the width; gradients contract over points by matrix products and
never form n×N×D. Several processes share them as `shares` says.
"""

from dataclasses import replace
from typing import Final, overload

import torch
from torch import Tensor

from pinn_ntk import parallel
from pinn_ntk.networks.features import (
    CHUNK_ELEMENTS,
    NeuronTerms,
    System,
    contracted_gradient,
    directional,
    neuron_chunks,
    neuron_terms,
    stacked,
)
from pinn_ntk.networks.fused import backward_sums, forward_sum
from pinn_ntk.networks.model import Equations, Theta
from pinn_ntk.networks.module_system import ModuleSystem
from pinn_ntk.networks.shares import added, over_neurons, over_rows
from pinn_ntk.networks.two_layer import Weights

CACHED_ELEMENTS: Final = 1 << 16
"""Rows × neurons at a time where there are several chunks on a CPU: the few arrays alive, 512 KiB each,
then stay in a core's cache.
"""
_SHARED = 1 << 20  # rows × neurons below which every process sums all of them
_FEWEST = 64  # neurons in a chunk, however many rows: a product with fewer columns is no matrix product


@overload
def residual(system: System, weights: Weights) -> Tensor: ...
@overload
def residual(system: Equations, weights: Theta) -> Tensor: ...
def residual(system, weights):  # type: ignore[no-untyped-def]
    """e = S(𝓛h − f): sΦa + Ψβ − Sf for neurons, shape (…, n); by automatic differentiation for a module, (n,)."""
    return system.residual(weights) if isinstance(system, ModuleSystem) else _neuron_residual(system, weights)


def _neuron_residual(system: System, weights: Weights) -> Tensor:
    chunks = _chunks(system, weights)

    def plain(rows: System, part: slice) -> Tensor:
        a, w = _neurons(weights, part)
        phi = (neuron_terms(own, rows.activation, w, gradient=False).phi for own in rows.rows)
        return torch.cat([(each @ a[..., None]).squeeze(-1) for each in phi], -1)

    def compiled(rows: System, _: slice) -> Tensor:
        found = forward_sum(rows, weights.a, weights.w)
        return added(plain(rows, part) for part in chunks) if found is None else found

    one, parts = (compiled, chunks[:1]) if system.compiled else (plain, chunks)
    return _finish(system, weights, over_neurons(system, weights.a0, parts, one, _sharing(system, weights, chunks)))


@overload
def residual_and_gradient(system: System, weights: Weights) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]: ...
@overload
def residual_and_gradient(system: Equations, weights: Theta) -> tuple[Tensor, tuple[Tensor, ...]]: ...
def residual_and_gradient(system, weights):  # type: ignore[no-untyped-def]
    """e and ∇R of R_S = ‖e‖²/(2n), in the order of `weights.displacement`.

    Returns:
        e and the gradients: (…, n) and (∇_aR, ∇_wR, ∇_βR) of shapes (…, N), (…, N, D), (…, m) for neurons; (n,) and a
            tensor for each
        parameter of a module.
    """
    return (
        system.residual_and_gradient(weights) if isinstance(system, ModuleSystem) else _neuron_gradient(system, weights)
    )


def _neuron_gradient(system: System, weights: Weights) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    if system.compiled or len(_chunks(system, weights)) > 1:
        e = _neuron_residual(system, weights)
        return e, pullback(system, weights, e)
    a, w = weights.a, weights.w
    terms = _terms(system, w)
    e = _finish(system, weights, (stacked([t.phi for t in terms]) @ a[..., None]).squeeze(-1))
    return e, (*_gradient(system, a, w, e, terms), _extra_gradient(system, weights, e))


def pullback(system: System, weights: Weights, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(1/n) Jᵀv for neurons: ∇R_S with v in the place of e.

    Args:
        system: the rows.
        weights: θ.
        v: (…, n).

    Returns:
        Shapes (…, N), (…, N, D), (…, m).
    """
    by_a, by_w, chunks = torch.empty_like(weights.da), torch.empty_like(weights.dw), _chunks(system, weights)

    def plain(part: slice) -> tuple[Tensor, Tensor]:
        a, w = _neurons(weights, part)
        own_a, own_w = _gradient(system, a, w, v, _terms(system, w))
        return own_a[..., None], own_w

    def compiled(part: slice) -> tuple[Tensor, Tensor]:
        a, w = _neurons(weights, part)
        if (found := backward_sums(system, w, v)) is not None:
            factor = system.scale / system.points
            return factor * found[0][..., None], factor * a[..., None] * found[1]
        inside = (slice(max(c.start, part.start), min(c.stop, part.stop)) for c in chunks)
        own = [plain(c) for c in inside if c.start < c.stop]
        return torch.cat([a for a, _ in own], -2), torch.cat([w for _, w in own], -2)

    one, parts = (compiled, [slice(0, by_a.shape[-1])]) if system.compiled else (plain, chunks)
    over_rows((by_a[..., None], by_w), parts, one, _sharing(system, weights, chunks))
    return by_a, by_w, _extra_gradient(system, weights, v)


def pushforward(system: System, weights: Weights, delta: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Jδ for neurons: how e moves with θ, s Σ_k (δa_kφ_k + a_k ∇φ_k·δw_k) + Ψδβ.

    Args:
        system: the rows.
        weights: θ.
        delta: (δa, δw, δβ), (…, N), (…, N, D), (…, m).

    Returns:
        (…, n).
    """
    by_a, by_w, by_extra = delta

    def one(rows: System, part: slice) -> Tensor:
        a, w = _neurons(weights, part)
        along, moved = by_a[..., part], a[..., None] * by_w[..., part, :]
        terms = _terms(rows, w)
        both = zip(rows.rows, terms, strict=True)
        return torch.cat([(t.phi @ along[..., None]).squeeze(-1) + directional(r, t, w, moved) for r, t in both], -1)

    chunks = _chunks(system, weights)
    total = system.scale * over_neurons(
        system, weights.a0, chunks, one, _sharing(replace(system, compiled=False), weights, chunks)
    )
    return total if system.extra is None else total + by_extra @ system.extra.mT


def _sharing(system: System, weights: Weights, chunks: list[slice]) -> bool:
    """Whether the processes of this run share the sums of one evaluation: where there are several,
    and work enough for them.
    """
    return (
        parallel.size() > 1 and system.points * weights.a0.numel() >= _SHARED and (system.compiled or len(chunks) > 1)
    )


def _chunks(system: System, weights: Weights) -> list[slice]:
    """All neurons at once where they are few, so that e and ∇R share their features;
    else as many as a core's cache holds.
    """
    rows, width = system.points * weights.w0.shape[:-2].numel(), weights.w0.shape[-2]
    if rows * width <= CHUNK_ELEMENTS or weights.w0.device.type != "cpu":
        return list(neuron_chunks(rows, width))
    return list(neuron_chunks(rows, width, max(CACHED_ELEMENTS, _FEWEST * rows)))


def _neurons(weights: Weights, part: slice) -> tuple[Tensor, Tensor]:
    """(a, w) of some neurons; of all of them they would be two more arrays of the size of θ."""
    return weights.a0[..., part] + weights.da[..., part], weights.w0[..., part, :] + weights.dw[..., part, :]


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
        by_w = by_w + contracted_gradient(rows, t, w, part, _moments)
    return factor * by_a, factor * a[..., None] * by_w


def _moments(e: Tensor, coefficient: Tensor, values: Tensor | None) -> Tensor:
    """Σ_i e_i C_ij values_ik, shape (…, N, j); one row in C means the same for every i."""
    assert values is not None
    if coefficient.shape[0] == 1 and values.shape[-2] != 1:
        return (e[..., None, :] @ values).mT * coefficient
    return ((e[..., None] * coefficient).mT @ values).mT
