"""Free constants: with u, u + C is a solution too, on the whole domain or on a connected part of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.parts import Parts, parts
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.finding import WARNING, Finding, shown
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.regions import ends_of_time
from pinn_ntk.problem.residual import Block

_FEW, _MANY = 16, 256  # points of a condition: on one part, and on several
_ZERO = 1e-9  # of the largest entry of a vector


@dataclass(frozen=True)
class FreeConstant:
    """A constant that no row sees.

    Attributes:
        parts: of the domain.
        numbers: of the parts on which it may be added; several where paired rows tie them together.
    """

    parts: Parts
    numbers: tuple[int, ...]

    @property
    def place(self) -> Tensor:
        """A point inside the first of them, (d,)."""
        return self.parts.places[self.numbers[0]]

    @property
    def whole(self) -> bool:
        """Whether it is free on all of Ω at once."""
        return len(self.numbers) == self.parts.count

    def holds(self, x: Tensor) -> Tensor:
        """Whether points are on these parts, (n,) booleans."""
        if self.whole:
            return torch.ones(len(x), dtype=torch.bool, device=x.device)
        return torch.isin(self.parts.label(x), torch.tensor(self.numbers, dtype=torch.int64, device=x.device))


def free_constants(posed: tuple[Condition, ...], domain: Domain) -> list[FreeConstant]:
    """The constants that may be added to u, one for each connected part that no row holds.

    On part p let u + C_p be: a row sees c(x) C_p(x) − c'(x') C_p(x'), and what all of them leave at 0 is free.

    Args:
        posed: all conditions.
        domain: Ω, or Ω × [t₀, T].
    """
    if _held_everywhere(posed, domain):
        return []
    found = parts(domain)
    rows, forest = [], list(range(found.count))
    for condition in posed:
        block = _sampled(condition, _FEW if found.count == 1 else _MANY)
        own, partner = _zeroth(block)
        row = torch.zeros(len(block), found.count, dtype=torch.float64, device="cpu")
        here = found.label(block.x)
        row.scatter_add_(1, here[:, None], own[:, None])
        if block.partner is not None:
            there = found.label(block.partner.points(block.x))
            row.scatter_add_(1, there[:, None], -partner[:, None])
            for i, j in torch.stack([here, there], 1)[(own != 0) & (partner != 0)].unique(dim=0).tolist():
                forest = [forest[i] if k == forest[j] else k for k in forest]
        rows.append(row)
    basis = _null_space(torch.cat(rows))
    tied = {root: tuple(k for k in range(found.count) if forest[k] == root) for root in dict.fromkeys(forest)}
    return [FreeConstant(found, numbers) for numbers in tied.values() if bool(basis[list(numbers)].any())]


def _held_everywhere(posed: tuple[Condition, ...], domain: Domain) -> bool:
    """Whether that is plain without a look at the parts: c ≠ 0 in Ω, on the whole of ∂Ω, or on a whole end of time."""
    held: set[str] = set()
    for condition in posed:
        if condition.partner is None and condition.region.dim > 0:
            own, _ = _zeroth(_sampled(condition, _FEW))
            if bool((own != 0).all()):
                held |= {*condition.region.pieces, condition.kind if condition.kind == "interior" else ""}
    names = {piece.name for piece in domain.pieces}
    timed = any(c.kind in ("initial", "velocity") for c in posed)
    lids = set(ends_of_time(domain)) if timed else set()
    return "interior" in held or names - lids <= held or bool(lids & held)


def _null_space(rows: Tensor) -> Tensor:
    """(parts, k): a basis of the constants that every row leaves at 0, small entries being 0."""
    size = rows.abs().amax(1, keepdim=True)
    kept = torch.unique((rows / torch.where(size > 0, size, 1.0))[size[:, 0] > 0], dim=0)
    if not len(kept):
        return torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    _, values, right = torch.linalg.svd(kept, full_matrices=True)
    rank = int((values > _ZERO * values[0]).sum())  # read back: a check of the problem, once
    basis: Tensor = right[rank:].T
    return basis.where(basis.abs() > _ZERO, 0.0)


def said_free(free: Sequence[FreeConstant]) -> Iterator[Finding]:
    """The free constants in words."""
    for one in free:
        if one.whole:
            yield _floating()
        else:
            yield Finding(
                WARNING,
                f"a constant is free on the part about x = {shown(one.place)}, which touches no other one: no "
                "condition there and no term of the equation holds u itself; give a value there",
            )


def floating_constant(blocks: Sequence[Block]) -> Iterator[Finding]:
    """Rows that all annihilate constants, as Neumann's with −Δ: with u, u + C is a solution too."""
    if not any(bool((own - partner).any()) for own, partner in map(_zeroth, blocks)):
        yield _floating()


def _floating() -> Finding:
    return Finding(
        WARNING,
        "u is determined up to a constant: no condition and no term of the equation holds u itself; the "
        "solution of mean zero is what the "
        "solver (optimizer=auto) computes; give a value on a piece of the boundary or at a point to fix another",
    )


def _zeroth(block: Block) -> tuple[Tensor, Tensor]:
    """c of the operator and of the partner at their points, (n,) each."""
    rows = block.rows()
    both: list[Rows | None] = [rows.plus, rows.minus]
    own, partner = (
        rows.x.new_zeros(len(block)) if part is None or part.c is None else part.c.expand(len(block)) for part in both
    )
    return own, partner


def _sampled(condition: Condition, n: int) -> Block:
    c = condition
    return Block(c.operator, c.region.sample(max(n, len(c.region.pieces)), 0), 0.0, c.name, partner=c.partner)
