"""How far the Jacobian can turn, measured in its own singular directions,
when each mode of the residual travels a given way.

J₀ = U diag(σ) Vᵀ, W = diag(1/σ)Uᵀ, J̃ = WJ with rows i = 1…n (J̃₀J̃₀ᵀ = I), ẽ = We. Gradient flow and descent then read

    θ' = −J̃ᵀg',   g' = (σ²/n)∘ẽ,   ẽ' = −J̃J̃ᵀg',   and with increments γ_j of g: θ_{j+1} = θ_j − J̃_jᵀγ_j,   ẽ_{j+1} =
    ẽ_j − J̄̃_jJ̃_jᵀγ_j.

Let T_i be the way that mode i travels, ∫|g_i'|dt or Σ_j|γ_j,i|. With φ̃_ik = s(Wφ_k)_i and G_ik = ‖s(W∇φ_k)_i‖ at θ⁰,
and with η_k ≥ s(Σ_i sup‖∇²φ_ik‖²)^½, Taylor's formula with the plain remainder (|(Wξ)_i| ≤ ‖ξ‖/σ_i) bounds the way of
each neuron; u = Σ_i T_i/σ_i,

    |Δa_k| ≤ A_k = Σ_iT_i|φ̃_ik| + B_kΣ_iT_iG_ik + ½B_k²η_ku,   ‖Δw_k‖ ≤ B_k = (|a_k⁰| + A_k)(Σ_iT_iG_ik + B_kη_ku),

and how far the rows of J̃ turn in the columns of a and in those of w, everywhere in that product of balls, hence for
segment averages too,

    α_i² = Σ_k (B_kG_ik + ½B_k²η_k/σ_i)²,   β_i² = Σ_k (A_kG_ik + (A_k + |a_k⁰|)B_kη_k/σ_i)².

J̃₀ has rows of length 1, and of length ω_i = (Σ_k |a_k⁰|²G_ik²)^½ in the columns of w, so by Cauchy and Schwarz in
either set of columns

    |J̃'J̃ᵀ − I|_ij ≤ Ē_ij = α_i + α_j + α_iα_j + β_iω_j + ω_iβ_j + β_iβ_j

for any two Jacobians J', J met there. Directions in which the features are small are small in ∇φ as well: this is why Ē
does not pay 1/σ_min, as ‖J − J₀‖/σ_min does; and where a is small ω is, so that β, the larger of the two, enters
squared.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.networks.features import CHUNK_ELEMENTS, System
from pinn_ntk.networks.two_layer import Weights
from pinn_ntk.theory.lipschitz import cached_chunks, curvature_norms, gradient_parts
from pinn_ntk.theory.width_estimate import SAMPLE

CAP = 0.25
"""Largest ‖Δw_k‖ for which η_k is evaluated; a certificate with a longer way is not attempted."""

HELD_ELEMENTS = 4 * CHUNK_ELEMENTS
"""Rows × neurons whose whitened features are kept; beyond it they are computed anew in every pass."""

_GROUP = 8192  # neurons of one group
_INNER = 40


@dataclass(frozen=True)
class NeuronGroup:
    """Some neurons at θ⁰, seen in the modes of J₀.

    Attributes:
        features: |φ̃_ik|, (n, K), with what rounding may have taken away.
        gradients: G_ik, (n, K), likewise.
        squares: G_ik².
        outer: |a_k⁰|, (K,).
        curvature: η_k, (K,).
        plain: ‖(∇φ_k(x_i))_i‖_F, (K,), for the drift of ΦΦᵀ.
    """

    features: Tensor
    gradients: Tensor
    squares: Tensor
    outer: Tensor
    curvature: Tensor
    plain: Tensor


@dataclass(frozen=True)
class Travel:
    """What a way T allows.

    Attributes:
        outer: α_i, (n,), in the columns of a.
        inner: β_i, (n,), in the columns of w.
        share: ω_i, (n,).
        feature_drift: bound on ‖Φ(t) − Φ(0)‖_F.
        longest: the largest B_k.
        closed: whether the balls could be found within `CAP`.
    """

    outer: Tensor
    inner: Tensor
    share: Tensor
    feature_drift: float
    longest: float
    closed: bool

    @property
    def coupling(self) -> Tensor:
        """Ē, (n, n)."""
        sides = self.outer[:, None] + self.inner[:, None] * self.share
        return sides + sides.mT + self.outer[:, None] * self.outer + self.inner[:, None] * self.inner


@dataclass(frozen=True)
class Whitened:
    """The neurons of a network in the modes of its Jacobian.

    Attributes:
        system: the rows.
        weights: θ⁰.
        sigma: σ_i, (n,), all positive.
        modes: U, (n, n).
        slack: relative rounding of the singular directions, nεσ_max/σ_i (n,); it is added to α.
        held: all neurons, when they fit; else None.
        copies: how many neurons each one stands for.
        shrink: what φ̃ and G are multiplied by.
    """

    system: System
    weights: Weights
    sigma: Tensor
    modes: Tensor
    slack: Tensor
    held: tuple[NeuronGroup, ...] | None
    copies: float = 1.0
    shrink: float = 1.0

    @classmethod
    def of(cls, system: System, weights: Weights, sigma: Tensor, modes: Tensor) -> "Whitened":
        """The neurons in the modes given.

        Args:
            system: n rows.
            weights: θ⁰.
            sigma: singular values of J₀, (n,), positive.
            modes: left singular vectors, a column each (n, n).
        """
        # read back: a number of the certificate
        slack = sigma.shape[0] * torch.finfo(sigma.dtype).eps * float(sigma.max()) / sigma
        made = cls(system, weights, sigma, modes, slack, None)
        fits = system.points * weights.w.shape[0] <= HELD_ELEMENTS
        return replace(made, held=tuple(made._computed(weights.w.shape[0]))) if fits else made

    def residual(self, e: Tensor) -> Tensor:
        """|ẽ_i| = |(Uᵀe)_i|/σ_i with what rounding may have taken away, (n,)."""
        n, eps = self.sigma.shape[0], torch.finfo(self.sigma.dtype).eps
        size = torch.linalg.vector_norm(e) + torch.linalg.vector_norm(self.system.target)
        seen: Tensor = (self.modes.mT @ e).abs()
        found: Tensor = (seen + n * eps * size) / self.sigma
        return found

    @property
    def gradient_norms(self) -> Tensor | None:
        """‖(∇φ_k(x_i))_i‖_F, (N,), of neurons that are held."""
        return None if self.held is None else torch.cat([group.plain for group in self.held])

    def groups(self) -> Iterable[NeuronGroup]:
        """All neurons, group after group."""
        return self._computed(self.weights.w.shape[0]) if self.held is None else self.held

    def _computed(self, count: int) -> Iterator[NeuronGroup]:
        """The first `count` neurons: small pieces put together, for the work on them is elementwise."""
        a, w = self.weights.a.abs()[:count], self.weights.w[:count]
        s, n = abs(self.system.scale), self.sigma.shape[0]
        turn = s * self.modes.mT / self.sigma[:, None]
        lost = s * n * torch.finfo(self.sigma.dtype).eps / self.sigma[:, None]
        curvature = curvature_norms(self.system, CAP)
        for start in range(0, count, _GROUP):
            outer, inner, pieces = a[start : start + _GROUP], w[start : start + _GROUP], []
            for part in cached_chunks(self.system, inner):
                phi, parts = gradient_parts(self.system, inner[part])
                plain = torch.stack([component.square().sum(0) for component in parts]).sum(0).sqrt()
                square = torch.stack([(turn @ component).square() for component in parts]).sum(0)
                gradients = square.sqrt() + lost * plain
                features = (turn @ phi).abs() + lost * torch.linalg.vector_norm(phi, dim=0)
                pieces.append((features, gradients, gradients.square(), outer[part], s * curvature(inner[part]), plain))
            yield NeuronGroup(*(torch.cat(columns, -1) for columns in zip(*pieces, strict=True)))

    def sample(self) -> "Whitened":
        """The first neurons, at most `SAMPLE` of them, standing for all: what other widths are estimated from."""
        width = self.weights.w.shape[0]
        return replace(self, held=tuple(self._computed(min(SAMPLE, width))), copies=width / min(SAMPLE, width))

    def replicated(self, factor: float, scaling: float, fall: float) -> "Whitened":
        """The neurons of a network ν times as wide whose neurons have the same law: s → sν^{−q}, a → aν^{−g},
        σ → σν^{½−q}.

        φ̃, G and η/σ fall as ν^{−½} whatever the scaling. Of neurons that are held.

        Args:
            factor: ν.
            scaling: q.
            fall: g.
        """
        groups = (
            replace(g, outer=g.outer * factor**-fall, curvature=g.curvature * factor**-scaling) for g in self.held or ()
        )
        sigma = self.sigma * factor ** (0.5 - scaling)
        return replace(
            self, sigma=sigma, held=tuple(groups), copies=factor * self.copies, shrink=self.shrink * factor**-0.5
        )

    def travel(self, way: Tensor) -> Travel:
        """Turns and displacements that a way T allows.

        Args:
            way: T ≥ 0, (n,).
        """
        inverse = 1.0 / self.sigma
        u, shrunk = float((way * inverse).sum()), way * self.shrink  # read back: a number of the certificate
        outer, inner, share = torch.zeros_like(way), torch.zeros_like(way), torch.zeros_like(way)
        drift, longest = 0.0, 0.0
        for group in self.groups():
            A, B, closed = _balls(group, shrunk, u)
            if not closed:
                return Travel(outer, inner, share, math.inf, math.inf, False)
            eta = group.curvature
            outer = outer + self._squares(group, inverse, B, 0.5 * B * B * eta)
            inner = inner + self._squares(group, inverse, A, (A + group.outer) * B * eta)
            share = share + self._squares(group, inverse, group.outer, torch.zeros_like(B))
            moved = B * (group.plain + 0.5 * B * eta / abs(self.system.scale))
            # read back: the numbers of the certificate
            more, reach = torch.stack([moved.square().sum(), B.max()]).tolist()
            drift, longest = drift + more, max(longest, reach)
        outer, inner, share = ((self.copies * square).clamp_min(0.0).sqrt() for square in (outer, inner, share))
        return Travel(outer + self.slack, inner, share, math.sqrt(self.copies * drift), longest, True)

    def _squares(self, group: NeuronGroup, inverse: Tensor, first: Tensor, rest: Tensor) -> Tensor:
        """Σ_k (x_kG_ik + y_k/σ_i)², (n,)."""
        mixed = 2.0 * self.shrink * inverse * (group.gradients @ (first * rest))
        return self.shrink**2 * (group.squares @ first.square()) + mixed + inverse.square() * rest.square().sum()


def _balls(group: NeuronGroup, way: Tensor, u: float) -> tuple[Tensor, Tensor, bool]:
    """The least (A, B) of the two inequalities, by iteration from below; not closed where B grows past `CAP`."""
    p, q, eta = way @ group.features, way @ group.gradients, group.curvature * u
    A, B = p, group.outer * q
    for _ in range(_INNER):
        before = B
        A = p + B * q + 0.5 * B * B * eta
        B = (group.outer + A) * (q + B * eta)
        # read back: whether the iteration ends
        bounded, settled = torch.stack([(B <= CAP).all(), (B - before <= 1e-12 * B).all()]).tolist()
        if not bounded:
            return A, B, False
        if settled:
            A = p + B * q + 0.5 * B * B * eta
            return A * (1.0 + 1e-9), B * (1.0 + 1e-9), True
    return A, B, False
