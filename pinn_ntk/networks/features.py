"""Features: what an operator makes of one neuron, φ(x;w) = 𝓛σ(w·x) and ∇_wφ.

With z = w·x, Q = wᵀA(x)w and ℓ = b(x)·w,

    φ = Qσ'' + ℓσ' + cσ,   ∇_wφ = 2Awσ'' + bσ' + Gx,   G = Qσ''' + ℓσ'' + cσ'.

Everything takes leading batch dimensions in w, so an ensemble of networks is one call. Of paired rows φ is a
difference, φ(x;w) − φ'(x';w).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.activations import Activation
from pinn_ntk.operators.rows import Rows

CHUNK_ELEMENTS = 1 << 21
"""Rows × neurons held at a time: 16 MiB in float64 for each of the few arrays alive."""


def neuron_chunks(points: int, width: int, elements: int = CHUNK_ELEMENTS) -> Iterator[slice]:
    """Slices of neurons with at most `elements` rows × neurons each, and at least one neuron."""
    size = max(1, min(width, elements // max(1, points)))
    for start in range(0, width, size):
        yield slice(start, min(start + size, width))


@dataclass(frozen=True)
class System:
    """S𝓛h = Sf for neurons: h = s Σ_k a_k σ(w_k·x) + Σ_j β_j ψ_j(x).

    Attributes:
        rows: S𝓛 at the (lifted) points, block after block.
        target: Sf, (n,).
        activation: σ.
        scale: s.
        extra: Ψ_ij = S𝓛ψ_j(x_i), (n, m), or None.
        compiled: whether sums over neurons and rows go through `fused`.
    """

    rows: tuple[Rows, ...]
    target: Tensor
    activation: Activation
    scale: float
    extra: Tensor | None = None
    compiled: bool = False

    @property
    def points(self) -> int:
        """n."""
        return self.target.shape[0]

    def select(self, part: slice) -> "System":
        """Some of the rows, contiguous ones; blocks of which none remains are left out."""
        kept, start = [], 0
        for rows in self.rows:
            own = slice(max(part.start - start, 0), max(part.stop - start, 0))
            start += len(rows)
            if own.start < min(own.stop, len(rows)):
                kept.append(rows.select(own))
        extra = None if self.extra is None else self.extra[part]
        return replace(self, rows=tuple(kept), target=self.target[part], extra=extra)


@dataclass(frozen=True)
class NeuronTerms:
    """φ and the pieces of ∇_wφ for rows × neurons; each (…, n, N).

    Attributes:
        phi: φ.
        first: σ', needed where b ≠ 0.
        second: σ'', needed where A ≠ 0.
        G: the factor of x in ∇_wφ; None when only φ was asked for.
        minus: of paired rows, the terms of what is subtracted; φ above is the difference, σ', σ'' and G are those of 𝓛
            alone.
    """

    phi: Tensor
    first: Tensor | None
    second: Tensor | None
    G: Tensor | None
    minus: "NeuronTerms | None" = None

    def times(self, factor: Tensor) -> "NeuronTerms":
        """The terms of ∇_wφ multiplied by one number for each neuron, (…, N); φ is left as it is."""
        column = factor[..., None, :]

        def scaled(value: Tensor | None) -> Tensor | None:
            return None if value is None else value * column

        minus = None if self.minus is None else self.minus.times(factor)
        return replace(self, first=scaled(self.first), second=scaled(self.second), G=scaled(self.G), minus=minus)


Product = Callable[[Tensor, Tensor], Tensor]
"""(X, W) ↦ XWᵀ for (n, D) and (…, N, D)."""


def matrix_product(x: Tensor, w: Tensor) -> Tensor:
    """XWᵀ, (…, n, N), by BLAS."""
    return x @ w.mT


def neuron_terms(
    rows: Rows, activation: Activation, w: Tensor, gradient: bool, product: Product = matrix_product
) -> NeuronTerms:
    """φ = Qσ'' + ℓσ' + cσ and, with `gradient`, G = Qσ''' + ℓσ'' + cσ' and what else ∇_wφ needs.

    Args:
        rows: n functionals on D coordinates.
        activation: σ.
        w: inner weights (…, N, D).
        gradient: whether ∇_wφ will be wanted.
        product: how rows meet neurons.
    """
    if rows.minus is not None:
        own, minus = (neuron_terms(r, activation, w, gradient, product) for r in (rows.plus, rows.minus))
        return replace(own, phi=own.phi - minus.phi, minus=minus)
    jet = activation.jet(product(rows.x, w), rows.order + int(gradient))
    factors: list[Tensor | None] = [None if rows.c is None else rows.c[:, None]]
    if rows.order > 0:
        factors.append(None if rows.b is None else product(rows.b, w))
    if rows.order > 1:
        factors.append(quadratic_form(rows, w, product))
    phi = _combine(factors, jet)
    if not gradient:
        return NeuronTerms(phi, None, None, None)
    return NeuronTerms(
        phi,
        jet[1] if rows.b is not None else None,
        jet[2] if rows.alpha is not None else None,
        _combine(factors, jet[1:]),
    )


def _combine(factors: list[Tensor | None], jet: tuple[Tensor, ...]) -> Tensor:
    """Σ_k factor_k σ⁽ᵏ⁾, absent factors being zero."""
    total: Tensor | None = None
    for factor, derivative in zip(factors, jet, strict=False):
        if factor is not None:
            total = factor * derivative if total is None else total.addcmul_(factor, derivative)
    return torch.zeros_like(jet[0]) if total is None else total


def quadratic_form(rows: Rows, w: Tensor, product: Product = matrix_product) -> Tensor:
    """Q_ik = w_kᵀA(x_i)w_k = Σ_m α_im (w_kᵀA_m w_k), shape (…, n or 1, N)."""
    assert rows.alpha is not None and rows.patterns is not None
    per_pattern = (pattern_products(rows, w) * w[..., None, :, :]).sum(-1)
    return product(rows.alpha, per_pattern.mT)


def pattern_products(rows: Rows, w: Tensor) -> Tensor:
    """A_m w_k for every pattern and neuron, shape (…, m, N, D)."""
    assert rows.patterns is not None
    return w[..., None, :, :] @ rows.patterns


def features(system: System, w: Tensor) -> Tensor:
    """Φ_ik = φ(x_i; w_k), shape (…, n, N)."""
    return stacked([neuron_terms(rows, system.activation, w, gradient=False).phi for rows in system.rows])


def feature_gradients(rows: Rows, terms: NeuronTerms, w: Tensor) -> Iterator[Tensor]:
    """(∇_wφ)_β for β = 1…D in turn, each (…, n, N): 2(Aw)_βσ'' + b_βσ' + Gx_β."""
    if rows.minus is not None and terms.minus is not None:
        both = zip(feature_gradients(rows.plus, terms, w), feature_gradients(rows.minus, terms.minus, w), strict=True)
        yield from (own - minus for own, minus in both)
        return
    products = pattern_products(rows, w) if terms.second is not None else None
    for beta in range(rows.x.shape[1]):
        component = terms.G * rows.x[:, beta, None] if terms.G is not None else torch.zeros_like(terms.phi)
        if terms.first is not None and rows.b is not None:
            component = component.addcmul_(rows.b[:, beta, None], terms.first)
        if products is not None and terms.second is not None and rows.alpha is not None:
            component = component.addcmul_(rows.alpha @ products[..., beta], terms.second, value=2.0)
        yield component


Moments = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(e, C, values) ↦ Σ_i e_i C_ij values_ik, (…, N, j)."""


def contracted_gradient(rows: Rows, terms: NeuronTerms, w: Tensor, e: Tensor, moments: Moments) -> Tensor:
    """Σ_i e_i ∇_wφ_k(x_i), shape (…, N, D), by sums over points."""
    if rows.minus is not None and terms.minus is not None:
        return contracted_gradient(rows.plus, terms, w, e, moments) - contracted_gradient(
            rows.minus, terms.minus, w, e, moments
        )
    total = moments(e, rows.x, terms.G)
    if terms.first is not None and rows.b is not None:
        total = total + moments(e, rows.b, terms.first)
    if terms.second is not None and rows.alpha is not None:
        sums = moments(e, rows.alpha, terms.second)
        total = total + 2.0 * (sums.mT[..., None] * pattern_products(rows, w)).sum(-3)
    return total


def directional(rows: Rows, terms: NeuronTerms, w: Tensor, moved: Tensor) -> Tensor:
    """Σ_k ∇_wφ_k(x_i)·δ_k, (…, n), for a direction δ of the inner weights, (…, N, D)."""
    if rows.minus is not None and terms.minus is not None:
        return directional(rows.plus, terms, w, moved) - directional(rows.minus, terms.minus, w, moved)
    assert terms.G is not None
    total = terms.G * matrix_product(rows.x, moved)
    if terms.first is not None and rows.b is not None:
        total = torch.addcmul(total, terms.first, matrix_product(rows.b, moved))
    if terms.second is not None and rows.alpha is not None:
        along = (pattern_products(rows, w) * moved[..., None, :, :]).sum(-1)
        total = torch.addcmul(total, terms.second, rows.alpha @ along, value=2.0)
    return total.sum(-1)


def jacobian_columns(system: System, w: Tensor, outer: Tensor | None) -> Iterator[Tensor]:
    """Column blocks of the Jacobian without the network scale: first Φ (…, n, N), then a_k(∇_wφ_k)_β for β = 1…D.

    Args:
        system: the rows.
        w: inner weights (…, N, D).
        outer: a (…, N); None yields Φ only.
    """
    if outer is None:
        yield features(system, w)
        return
    terms = [neuron_terms(rows, system.activation, w, gradient=True) for rows in system.rows]
    yield stacked([t.phi for t in terms])
    yield from gradient_columns(system, terms, w, outer)


def gradient_columns(system: System, terms: list[NeuronTerms], w: Tensor, outer: Tensor) -> Iterator[Tensor]:
    """a_k(∇_wφ_k)_β over all rows for β = 1…D in turn, each (…, n, N), from the terms of each block."""
    few = w.shape[-1] <= 2  # fewer components than terms of each
    streams = [
        feature_gradients(rows, t if few else t.times(outer), w) for rows, t in zip(system.rows, terms, strict=True)
    ]
    for components in zip(*streams, strict=True):
        yield stacked(components).mul_(outer[..., None, :]) if few else stacked(components)


def stacked(blocks: Sequence[Tensor]) -> Tensor:
    """(…, n_b, N) of each block, one above the other, (…, n, N); a single one is not copied."""
    return torch.cat(list(blocks), -2) if len(blocks) > 1 else blocks[0]
