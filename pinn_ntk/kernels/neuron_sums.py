"""Kernels as sums over neurons, streamed: memory n² + n·chunk, never n×N(D+1).

K^(a) = Σ_k ω_kφ_kφ'_kᵀ,   K^(w) = Σ_k ω_ka_k² ∇φ_k·∇φ'_k, the second in the cheaper of two forms (see `forms`).
"""

import torch
from torch import Tensor

from pinn_ntk import parallel
from pinn_ntk.kernels.forms import Directions, chosen_directions, free_terms
from pinn_ntk.kernels.triangle import TILES, Rectangle, Square, row_tiles
from pinn_ntk.networks.features import CHUNK_ELEMENTS, System, gradient_columns, neuron_terms, stacked

_CACHED = 1 << 16  # rows × neurons
_FEWEST = 128  # neurons, where memory allows
_SHARED = 10**8  # multiplications below which every process does all of them


def gram(
    left: System,
    right: System | None,
    w: Tensor,
    outer: Tensor | None,
    weights: Tensor | float,
    chunk: int,
    form: str | None = None,
) -> tuple[Tensor, Tensor | None]:
    """K^(a) = Σ_k ω_k φ_kφ'_kᵀ and K^(w) = Σ_k ω_k a_k² ∇φ_k·∇φ'_k for weighted neurons.

    A network is the weights 1/N; the nodes of a quadrature over w with a = 1 give the infinite-width kernel.

    Args:
        left: rows of K, m of them.
        right: columns, n of them; None for the symmetric kernel of `left`.
        w: inner weights (…, N, D).
        outer: a (…, N), or None to leave out K^(w).
        weights: ω, positive, (…, N) or one number.
        chunk: neurons held at a time.
        form: 'plain' or 'free'; None for the cheaper one.

    Returns:
        K^(a) and K^(w), each (…, m, n).

    Raises:
        ValueError: no neurons, or a form that these rows do not have.
    """
    if not w.shape[-2]:
        raise ValueError("w: got no neurons, expected at least one")
    sides = [left] if right is None else [left, right]
    known = None if outer is None else chosen_directions(sides, form)
    root = torch.sqrt(weights) if isinstance(weights, Tensor) else None
    found = _Parts(
        _sharing(
            left.points, sides[-1].points * w.shape[:-2].numel(), w.shape[-2], 1 if outer is None else 1 + w.shape[-1]
        )
    )
    own_neurons = parallel.spans(w.shape[-2])[parallel.rank()] if found.sharing == "neurons" else slice(0, w.shape[-2])
    for start in range(own_neurons.start, own_neurons.stop, chunk):
        part = slice(start, min(start + chunk, own_neurons.stop))
        own = None if root is None else root[..., part]
        carry = None if outer is None else outer[..., part] if own is None else outer[..., part] * own
        _add(found, sides, w[..., part, :], carry, own, known)
    return found.whole(sides, 1.0 if isinstance(weights, Tensor) else float(weights))


def kernel_chunk(points: int, width: int) -> int:
    """Neurons held at a time in `gram`: rows × neurons that stay in a core's cache,
    and enough neurons for a product of matrices.

    Args:
        points: rows, of all members.
        width: N.
    """
    return max(1, min(width, max(_FEWEST, _CACHED // max(1, points)), CHUNK_ELEMENTS // max(1, points)))


def _sharing(rows: int, columns: int, width: int, products: int) -> str:
    """What the processes of a run share out: 'rows' where there are tiles for all, 'neurons' where there are of those,
    or 'nothing'.
    """
    if parallel.size() == 1 or rows * columns * width * products < _SHARED:
        return "nothing"
    by_neurons = len(row_tiles(rows)) < min(parallel.size(), TILES) and parallel.spans(width)[0].stop > 0
    return "neurons" if by_neurons else "rows"


class _Parts:
    """What grows chunk by chunk: Σφφ', Σ∇φ·∇φ' but for GG', and ΣGG'.

    Args:
        sharing: 'rows', 'neurons' or 'nothing'.
    """

    def __init__(self, sharing: str = "nothing") -> None:
        self.sharing = sharing
        self.value: Square | Rectangle | None = None
        self.slope: Square | Rectangle | None = None
        self.inner: Square | Rectangle | None = None

    def more(self, total: Square | Rectangle | None, parts: list[Tensor]) -> Square | Rectangle:
        """The total, begun where there is none, with one product more."""
        total = total or _product(parts, self.sharing == "rows")
        total.add(*parts)
        return total

    def whole(self, sides: list[System], factor: float) -> tuple[Tensor, Tensor | None]:
        """K^(a) and K^(w), times a factor."""
        assert self.value is not None
        if self.sharing == "neurons":
            for part in (self.value, self.slope, self.inner):
                if part is not None:
                    parallel.summed(part.total)
        slope = None if self.slope is None else self.slope.whole(factor)
        if self.inner is not None:
            x = [torch.cat([r.x for r in side.rows]) for side in sides]
            product = self.inner.whole(factor).mul_(_Parts().more(None, x).whole())
            slope = product if slope is None else slope.add_(product)
        return self.value.whole(factor), slope


def _add(
    found: _Parts, sides: list[System], w: Tensor, carry: Tensor | None, root: Tensor | None, known: Directions | None
) -> None:
    """One chunk of neurons; carry is √ω a, root √ω where the neurons differ in weight."""
    terms = [[neuron_terms(r, side.activation, w, carry is not None) for r in side.rows] for side in sides]
    phi = [stacked([t.phi for t in own]) for own in terms]
    found.value = found.more(found.value, phi if root is None else [p * root[..., None, :] for p in phi])
    if carry is None:
        return
    if known is None:
        components = (gradient_columns(side, own, w, carry) for side, own in zip(sides, terms, strict=True))
        for each in zip(*components, strict=True):
            found.slope = found.more(found.slope, list(each))
        return
    free = [free_terms(side, own, w, carry, known) for side, own in zip(sides, terms, strict=True)]
    for m in range(known.count):
        C, P = [f.C[m] for f in free], [f.P[m] for f in free]
        found.slope = found.slope or _product(C, found.sharing == "rows")
        if isinstance(found.slope, Square):
            found.slope.add_both(C[0], P[0])
        else:
            found.slope.add_both(C, P)
    found.inner = found.more(found.inner, [f.G for f in free])


def _product(parts: list[Tensor], shared: bool) -> Square | Rectangle:
    return Square(parts[0], shared) if len(parts) == 1 else Rectangle(parts[0], parts[1], shared)
