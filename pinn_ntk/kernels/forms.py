"""Σ_k ω_k∇φ_k(x_i)·∇φ_k(x_j) in two forms, and which of them is cheaper.

Plain, D products: ∇φ component by component. Dimension-free, M + 1 products whatever D is: where ∇φ_i = Σ_m C_im v_m +
G_ix_i with vectors v_m that no row changes (A_mw of the constant patterns, and constant b's),

    Σ_k ∇φ_i·∇φ_j = Σ_m (C_mP_mᵀ + P_mC_mᵀ) + (GGᵀ)∘(XXᵀ),   P_m = G∘(Xv_mᵀ) + ½ Σ_l (v_m·v_l)C_l,

no basis, no division by |w|, nothing degenerate. C and G carry √ω a_k.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.networks.features import NeuronTerms, System
from pinn_ntk.operators.rows import Rows

_PASSES = 40.0  # a pass over rows × neurons costs as much as a product over so many rows


@dataclass(frozen=True)
class Directions:
    """What a ∇φ is made of beside x: constant patterns A_m and constant vectors b_l, each once for all blocks.

    Attributes:
        patterns: (M₂, D, D).
        vectors: (M₁, D).
    """

    patterns: Tensor
    vectors: Tensor

    @property
    def count(self) -> int:
        """M = M₂ + M₁."""
        return len(self.patterns) + len(self.vectors)


def directions(rows: tuple[Rows, ...]) -> Directions | None:
    """The patterns and vectors of all rows; None where there is a row whose b changes from point to point,
    or a difference.
    """
    x = rows[0].x
    if any(r.minus is not None or (r.b is not None and r.b.shape[0] > 1) for r in rows):
        return None
    patterns = [p for r in rows if r.alpha is not None and r.patterns is not None for p in r.patterns]
    vectors = [r.b[0] for r in rows if r.b is not None]
    D = x.shape[1]
    return Directions(_once(patterns, x.new_zeros(0, D, D)), _once(vectors, x.new_zeros(0, D)))


def _once(parts: list[Tensor], none: Tensor) -> Tensor:
    kept: list[Tensor] = []
    for part in parts:
        # read back: how many directions a problem has, found out once
        if bool(part.any()) and not any(torch.equal(part, other) for other in kept):
            kept.append(part)
    return torch.stack(kept) if kept else none


def prefers_free(points: int, inputs: int, count: int, square: bool = True) -> bool:
    """Whether the dimension-free form is cheaper, in products of n × N × n:
    D half ones against M whole ones and half of one.

    Args:
        points: n.
        inputs: D.
        count: M.
        square: whether rows and columns are the same, so that half of a product XXᵀ does.
    """
    passes, half = _PASSES / points, 0.5 if square else 1.0
    plain = inputs * (half + 3.0 * passes)
    free = count * (2.0 * half + (count + 4.0) * passes) + half + 2.0 * passes
    return free < plain


def chosen_directions(sides: Sequence[System], form: str | None = None) -> Directions | None:
    """What the dimension-free form of these rows is made of; None where the plain form is cheaper, asked for,
    or the only one.

    Args:
        sides: the rows of K, and its columns where they are others.
        form: 'plain' or 'free'; None for the cheaper one.

    Raises:
        ValueError: another word, or 'free' of rows that have no such form.
    """
    if form not in (None, "plain", "free"):
        raise ValueError(f"form: got {form!r}, expected plain, free or None")
    known = None if form == "plain" else directions(tuple(r for side in sides for r in side.rows))
    if form == "free" and known is None:
        raise ValueError(
            "form: got 'free', expected rows without paired conditions whose b is the same at every point; use 'plain'"
        )
    if known is None or form == "free":
        return known
    points, inputs = max(side.points for side in sides), sides[0].rows[0].x.shape[1]
    return known if prefers_free(points, inputs, known.count, len(sides) == 1) else None


@dataclass(frozen=True)
class FreeTerms:
    """(C_m), (P_m) and G over all rows, each (…, n, N)."""

    C: list[Tensor]
    P: list[Tensor]
    G: Tensor


def free_terms(system: System, terms: list[NeuronTerms], w: Tensor, carry: Tensor, known: Directions) -> FreeTerms:
    """C, P and G of the dimension-free form.

    Args:
        system: the rows.
        terms: of each block.
        w: (…, N, D).
        carry: √ω a, (…, N).
        known: the directions.
    """
    own = [t.times(carry) for t in terms]
    G = torch.cat([torch.zeros_like(t.phi) if t.G is None else t.G for t in own], -2)
    v = torch.cat(
        [w[..., None, :, :] @ known.patterns, known.vectors[:, None].expand(*w.shape[:-2], -1, w.shape[-2], -1)], -3
    )
    C = [torch.zeros_like(G) for _ in range(known.count)]
    start = 0
    for rows, t in zip(system.rows, own, strict=True):
        part = slice(start, start + len(rows))
        start = part.stop
        if rows.alpha is not None and rows.patterns is not None and t.second is not None:
            for m, pattern in enumerate(rows.patterns):
                if (place := _place(pattern, known.patterns)) is not None:
                    C[place][..., part, :].addcmul_(t.second, rows.alpha[:, m, None], value=2.0)
        if rows.b is not None and t.first is not None and (place := _place(rows.b[0], known.vectors)) is not None:
            C[len(known.patterns) + place][..., part, :].add_(t.first)
    return FreeTerms(C, _partners(C, G, torch.cat([r.x for r in system.rows]), v), G)


def _partners(C: list[Tensor], G: Tensor, x: Tensor, v: Tensor) -> list[Tensor]:
    """P_m = G∘(Xv_mᵀ) + ½ Σ_l (v_m·v_l)C_l."""
    made = []
    for m in range(len(C)):
        P = G * (x @ v[..., m, :, :].mT)
        for other, own in enumerate(C):
            P.addcmul_(own, (v[..., m, :, :] * v[..., other, :, :]).sum(-1)[..., None, :], value=0.5)
        made.append(P)
    return made


def _place(part: Tensor, among: Tensor) -> int | None:
    # read back: which direction it is, found out once
    return next((k for k, other in enumerate(among) if torch.equal(part, other)), None)
