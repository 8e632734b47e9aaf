"""Rows: an operator evaluated at points, ready to act on neurons; the row i is the functional u ↦ 𝓛u(x_i),
or u ↦ 𝓛u(x_i) − 𝓜u(x'_i).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.operators.gradients import one_each, twice, value_and_gradient


@dataclass(frozen=True)
class Rows:
    """Row i is u ↦ Σ_m α_im A_m:∇²u(x_i) + b_i·∇u(x_i) + c_i u(x_i).

    A leading size of 1 in α, b or c means "the same for every row": that, and None for zero, is the fast path. Paired
    rows are a difference of two such functionals, as periodic and interface conditions are.

    Attributes:
        x: points (n, D).
        alpha: (n or 1, m) weights of the patterns, None for a first-order operator.
        patterns: (m, D, D) symmetric matrices A_m.
        b: (n or 1, D) or None.
        c: (n or 1,) or None.
        minus: what is subtracted, n rows at points of their own; None for nothing.
    """

    x: Tensor
    alpha: Tensor | None
    patterns: Tensor | None
    b: Tensor | None
    c: Tensor | None
    minus: "Rows | None" = None

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def order(self) -> int:
        """Highest derivative: 2, 1 or 0."""
        own = 2 if self.alpha is not None else 1 if self.b is not None else 0
        return own if self.minus is None else max(own, self.minus.order)

    @property
    def plus(self) -> "Rows":
        """What `minus` is subtracted from."""
        return self if self.minus is None else replace(self, minus=None)

    def second_order(self) -> Tensor:
        """A(x_i), shape (n, D, D); that of 𝓛 alone where rows are paired."""
        n, d = self.x.shape
        if self.alpha is None or self.patterns is None:
            return self.x.new_zeros(n, d, d)
        return torch.einsum("nm,mij->nij", self.alpha, self.patterns).expand(n, d, d)

    def apply(self, u: Callable[[Tensor], Tensor]) -> Tensor:
        """(𝓛u(x_i))_i by automatic differentiation of a torch function u: (n, D) → (n,), one value per point.

        Only the derivatives that occur are taken: 𝓛u itself, one gradient, and one Hessian column per coordinate that A
        involves.
        """
        if self.minus is not None:
            return self.plus.apply(u) - self.minus.apply(u)
        if self.order == 0:
            value = one_each(u, self.x)
            return torch.zeros_like(value) if self.c is None else self.c * value
        if self.alpha is None or self.patterns is None:
            return self._first_order(*value_and_gradient(u, self.x))
        # reverse over reverse, one pull through ∇u per column: forward mode would load torch's decompositions, seconds
        # at the first call
        value, slope, pull = twice(u, self.x)
        result = self._first_order(value, slope)
        matrices = torch.einsum("nm,mij->nij", self.alpha, self.patterns)
        # read back: which directions are there
        for j in (int(k) for k in self.patterns.abs().sum((0, 1)).nonzero().flatten()):
            unit = torch.zeros_like(slope)
            unit[:, j] = 1.0
            result = result + (matrices[:, :, j] * pull(unit)).sum(1)
        return result

    def _first_order(self, value: Tensor, slope: Tensor) -> Tensor:
        """b·∇u + cu from u and ∇u."""
        result = torch.zeros_like(value) if self.c is None else self.c * value
        return result if self.b is None else result + (self.b * slope).sum(1)

    def scaled(self, s: Tensor | float) -> "Rows":
        """Rows multiplied by s (a number or one number per row)."""
        column = s[:, None] if isinstance(s, Tensor) and s.ndim == 1 else s
        return replace(
            self,
            alpha=None if self.alpha is None else self.alpha * column,
            b=None if self.b is None else self.b * column,
            c=None if self.c is None else self.c * s,
            minus=None if self.minus is None else self.minus.scaled(s),
        )

    def conjugated(self, g: Tensor) -> "Rows":
        """e^{−g·x}𝓛e^{g·x}: (A, b + 2Ag, c + b·g + gᵀAg), a partner's rows times e^{g·(x′ − x)}.

        Args:
            g: rate, (D,).
        """
        b, c = self.b, self.c
        added = [] if b is None else [b @ g]
        if self.alpha is not None:
            tilted = self.second_order() @ g
            b, added = 2.0 * tilted if b is None else b + 2.0 * tilted, [*added, tilted @ g]
        for part in added:
            c = part if c is None else c + part
        minus = None
        if self.minus is not None:
            minus = self.minus.conjugated(g).scaled(torch.exp((self.minus.x - self.x) @ g))
        return replace(self, b=b, c=c, minus=minus)

    def lifted(self) -> "Rows":
        """The same rows on (x, 1): the bias is one more coordinate with zero rows in A and b."""
        pad = torch.nn.functional.pad
        return Rows(
            pad(self.x, (0, 1), value=1.0),
            self.alpha,
            None if self.patterns is None else pad(self.patterns, (0, 1, 0, 1)),
            None if self.b is None else pad(self.b, (0, 1)),
            self.c,
            None if self.minus is None else self.minus.lifted(),
        )

    def select(self, index: Tensor | slice) -> "Rows":
        """The rows of that index."""

        def pick(value: Tensor | None) -> Tensor | None:
            return value if value is None or value.shape[0] == 1 else value[index]

        minus = None if self.minus is None else self.minus.select(index)
        return Rows(self.x[index], pick(self.alpha), self.patterns, pick(self.b), pick(self.c), minus)

    def to(self, dtype: torch.dtype, device: torch.device | str) -> "Rows":
        """The rows in that precision, on that device."""

        def move(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.to(device=device, dtype=dtype)

        x, minus = self.x.to(device=device, dtype=dtype), None if self.minus is None else self.minus.to(dtype, device)
        return Rows(x, move(self.alpha), move(self.patterns), move(self.b), move(self.c), minus)

    def bound(self) -> float:
        """M = max over rows of |A|, |b|, |c| entrywise; of paired rows M + M',
        so that what M bounds of φ and ∇φ it bounds of φ − φ'.
        """
        parts = [self.second_order() if self.alpha is not None else None, self.b, self.c]
        # read back: a constant of the theorems
        own = max((float(p.abs().max()) for p in parts if p is not None and p.numel()), default=0.0)
        return own if self.minus is None else own + self.minus.bound()


def unpaired(rows: tuple[Rows, ...]) -> tuple[Rows, ...]:
    """The functionals that the rows consist of, each once: a paired block is followed by what it subtracts."""
    return tuple(part for r in rows for part in ((r,) if r.minus is None else (r.plus, r.minus)))
