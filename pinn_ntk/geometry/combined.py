"""Unions, differences and intersections of domains."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from pinn_ntk.geometry.corners import corners_of, sides_of
from pinn_ntk.geometry.domain import Corner, Domain, Hole, Piece
from pinn_ntk.geometry.filling import fill
from pinn_ntk.geometry.holes import holes_of
from pinn_ntk.geometry.sampling import sobol, stream, unseen_stream
from pinn_ntk.geometry.segments import Side
from pinn_ntk.geometry.shape import Shape, magnitude, noun, reach, spread
from pinn_ntk.geometry.sphere import sphere_points

VOLUME_POINTS = 2**16
_MOST_CANDIDATES = 10**7
_STEP = 16.0  # in units of rounding: to either side of a boundary point
_LOOKS = 128  # directions in which a doubtful point is looked around


@dataclass(frozen=True)
class Kept(Piece):
    """What is left of a part's piece on the boundary of the result.

    Attributes:
        part: the part's place among the parts.
        whole: its piece.
        share: |Γ| over the measure of the whole piece, 1 if all of it is left.
    """

    part: int
    whole: Piece
    share: float


@dataclass(frozen=True)
class Combined(Shape):
    """Ω = int ∪ Ω̄_k, Ω₁ ∖ ∪_(k>1) Ω̄_k or ∩ Ω_k; made by `union`, `difference`, `intersection`, which check it.

    Attributes:
        kind: union, difference or intersection.
        parts: Ω_k.
    """

    kind: str
    parts: tuple[Domain, ...]

    @cached_property
    def low(self) -> tuple[float, ...]:
        """Lower ends of the bounding box that the parts' bounding boxes give."""
        lows = [part.low for part in (self.parts[:1] if self.kind == "difference" else self.parts)]
        return tuple(min(ends) if self.kind == "union" else max(ends) for ends in zip(*lows, strict=True))

    @cached_property
    def high(self) -> tuple[float, ...]:
        """Upper ends of the bounding box that the parts' bounding boxes give."""
        highs = [part.high for part in (self.parts[:1] if self.kind == "difference" else self.parts)]
        return tuple(max(ends) if self.kind == "union" else min(ends) for ends in zip(*highs, strict=True))

    @cached_property
    def filled(self) -> float:
        """Which share of the candidates lies inside, of 65,536."""
        return float(self.inside(self.spread(sobol(VOLUME_POINTS, self.dim, unseen_stream()))).double().mean())

    @property
    def intact(self) -> bool:
        """Whether all of every part's boundary is left: no two of them meet."""
        return len(self._left) == sum(len(part.pieces) for part in self.parts) and all(
            piece.share == 1.0 for piece in self._left
        )

    @cached_property
    def volume(self) -> float:
        """|Ω|: a sum of the parts' where their boundaries do not meet, else measured once on 65,536 points."""
        if self.intact and self.kind != "intersection":
            return sum((-1.0 if self._removed(k) else 1.0) * part.volume for k, part in enumerate(self.parts))
        return self.filled * self.reach

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What is left of the parts' pieces, by name; one that several parts have is preceded by the part's number:
        `2: x=0`.
        """
        return self._left

    @cached_property
    def holes(self) -> tuple[Hole, ...]:
        """The parts that were taken away from the middle, and the parts' own holes that nothing touches."""
        return holes_of(
            self.kind,
            self.parts,
            {k for k, part in enumerate(self.parts) if self._removed(k) and self._intact(k, part)},
        )

    @cached_property
    def corners(self) -> tuple[Corner, ...]:
        """Re-entrant corners between straight sides, of a part or made by several."""
        return corners_of(self) if self.dim == 2 else ()

    @cached_property
    def sides(self) -> tuple[Side, ...]:
        """The straight sides of which something is left, in the plane."""
        return tuple(
            Side(side.start, side.end, piece.name)
            for piece in self._left
            for side in sides_of(self.parts[piece.part])
            if side.name == piece.whole.name
        )

    @property
    def reach(self) -> float:
        """The volume of the region over which `spread` spreads."""
        return super().reach if self.kind == "union" else reach(self._smallest)

    @cached_property
    def magnitude(self) -> float:
        """The largest coordinate of any part."""
        return max(magnitude(part) for part in self.parts)

    def spread(self, unit: Tensor) -> Tensor:
        """Uniform where the candidates of a part that holds Ω are; of a union over its bounding box."""
        return super().spread(unit) if self.kind == "union" else spread(self._smallest, unit)

    def contains(self, x: Tensor) -> Tensor:
        """Whether points lie in the closure of Ω up to rounding."""
        closed, touching = self._closed(x)
        if self.kind == "union":
            return closed
        doubtful = closed & (touching > 1)  # parts that only touch have common points, but no closure of an interior
        if bool(doubtful.any()):
            closed[doubtful] = self._around(x[doubtful], self._open).any(1)
        return closed

    def inside(self, x: Tensor) -> Tensor:
        """Whether points lie in Ω, further from ∂Ω than rounding."""
        opened = self._open(x)
        if self.kind != "union":
            return opened
        closed, touching = self._closed(x)
        doubtful = closed & ~opened & (touching > 1)  # between parts that share a face
        if bool(doubtful.any()):
            opened[doubtful] = self._around(x[doubtful], lambda y: self._closed(y)[0]).all(1)
        return opened

    def on_result(self, k: int, piece: Piece, x: Tensor) -> Tensor:
        """Which points of the k-th part's piece lie on ∂Ω: Ω is on one side only,
        and no earlier part has claimed them.
        """
        step = _STEP * self.slack(x) * piece.normal(x)
        kept = self.inside(x + step) ^ self.inside(x - step)
        for part, far in zip(self.parts[:k], self._far(x), strict=False):
            if not far:
                kept &= ~(part.contains(x) & ~part.inside(x))
        return kept

    def __str__(self) -> str:
        words = [f"({part})" if isinstance(part, Combined) else str(part) for part in self.parts]
        if self.kind != "difference":
            return (" ∪ " if self.kind == "union" else " ∩ ").join(words)
        many = Counter(noun(part) for part in self.parts[1:])
        taken = [f"{m} {one}{'es' if one == 'box' else 's'}" for one, m in many.items() if m > 1]
        taken += [word for part, word in zip(self.parts[1:], words[1:], strict=True) if many[noun(part)] == 1]
        return f"{words[0]} minus {' and '.join(taken)}"

    @property
    def _smallest(self) -> Domain:
        """The part whose candidates serve: what is left lies in it."""
        return self.parts[0] if self.kind == "difference" else min(self.parts, key=reach)

    @cached_property
    def _left(self) -> tuple[Kept, ...]:
        found = [
            (k, piece, share)
            for k, part in enumerate(self.parts)
            for piece in part.pieces
            if (share := self._share(k, piece)) > 0.0
        ]
        return tuple(
            Kept(
                name,
                share * piece.measure,
                partial(self._sample, k, piece),
                partial(self._outward, k, piece),
                partial(self._on, k, piece),
                k,
                piece,
                share,
            )
            for name, (k, piece, share) in zip(_unique([(k, piece.name) for k, piece, _ in found]), found, strict=True)
        )

    def _removed(self, k: int) -> bool:
        return self.kind == "difference" and k > 0

    def _intact(self, k: int, part: Domain) -> bool:
        return [piece.share for piece in self._left if piece.part == k] == [1.0] * len(part.pieces)

    def _share(self, k: int, piece: Piece) -> float:
        x = piece.sample(VOLUME_POINTS if self.dim > 2 else VOLUME_POINTS // 4, 0)
        return float(self.on_result(k, piece, x).double().mean())

    def _closed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Whether points lie in the union or intersection of the closures,
        and on how many parts' boundaries they are.
        """
        self.check(x)
        closures, touching = [], x.new_zeros(len(x), dtype=torch.int64)
        for k, (part, far) in enumerate(zip(self.parts, self._far(x), strict=True)):
            if far:
                closures.append(x.new_full((len(x),), self._removed(k), dtype=torch.bool))
                continue
            contained, inside = part.contains(x), part.inside(x)
            closures.append(~inside if self._removed(k) else contained)
            touching += contained & ~inside
        return self._joined(closures), touching

    def _open(self, x: Tensor) -> Tensor:
        self.check(x)
        members = []
        for k, (part, far) in enumerate(zip(self.parts, self._far(x), strict=True)):
            if far:
                members.append(x.new_full((len(x),), self._removed(k), dtype=torch.bool))
            else:
                members.append(~part.contains(x) if self._removed(k) else part.inside(x))
        return self._joined(members)

    def _far(self, x: Tensor) -> list[bool]:
        """Which parts have bounding boxes that hold none of the points, so that nobody need ask them:
        many holes are cheap.
        """
        if len(x) == 0:
            return [False] * len(self.parts)
        slack = _STEP * self.slack(x)
        lows, highs = (x.amin(0) - slack).tolist(), (x.amax(0) + slack).tolist()
        return [
            any(hi < first or lo > last for lo, hi, first, last in zip(lows, highs, *ends, strict=True))
            for ends in self._bounding_boxes
        ]

    @cached_property
    def _bounding_boxes(self) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
        return [(part.low, part.high) for part in self.parts]

    def _joined(self, members: list[Tensor]) -> Tensor:
        stacked = torch.stack(members)
        return stacked.any(0) if self.kind == "union" else stacked.all(0)

    def _around(self, x: Tensor, member: Callable[[Tensor], Tensor]) -> Tensor:
        """Whether points next to x in many directions are members, (n, directions)."""
        looks = x.new_tensor([[1.0], [-1.0]]) if self.dim == 1 else sphere_points(_LOOKS, self.dim, 0)
        near = x[:, None] + _STEP * self.slack(x) * looks.to(x)
        return member(near.reshape(-1, self.dim)).reshape(len(x), -1)

    def _sample(self, k: int, piece: Piece, n: int, seed: int) -> Tensor:
        if self.dim == 1:
            return piece.sample(1, seed)
        what = f"points on {piece.name} of {self}"
        return fill(
            lambda m: piece.sample(m, stream(seed, 64 * k)),
            partial(self.on_result, k, piece),
            n,
            _MOST_CANDIDATES,
            what,
        )

    def _outward(self, k: int, piece: Piece, x: Tensor) -> Tensor:
        return -piece.normal(x) if self._removed(k) else piece.normal(x)

    def _on(self, k: int, piece: Piece, x: Tensor) -> Tensor:
        on = piece.contains(x)
        if bool(on.any()):
            on[on.clone()] = self.on_result(k, piece, x[on])
        return on


def _unique(owned: list[tuple[int, str]]) -> list[str]:
    """The pieces' names, each once: with the part's number where several parts have it,
    or everywhere if that leaves two alike.
    """
    times = Counter(name for _, name in owned)
    names = [name if times[name] == 1 else f"{k + 1}: {name}" for k, name in owned]
    return names if len(set(names)) == len(names) else [f"{k + 1}: {name}" for k, name in owned]
