"""The connected parts of a domain: Ω = Ω₁ ∪ … ∪ Ω_m, no path inside leading from one to another.

Primitive shapes are one part. A union is put together of its members' parts, which is exact but for what no sample of
their boundaries meets; any other domain is seen through a few thousand points, joined where the segment between them
stays inside. Points close to ∂Ω are among them, so that narrow passages are found along their walls.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, cast

import torch
from torch import Tensor

from pinn_ntk.geometry.annulus import Annulus
from pinn_ntk.geometry.ball import Ball
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.combined import Combined
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.ellipse import Ellipse
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.geometry.polygon import Polygon
from pinn_ntk.geometry.sampling import sobol

_ONE_PART = (Box, Ball, Annulus, Ellipse, Polygon)
_INSIDE, _BESIDE = 2048, 1024  # points inside, and of ∂Ω
_DEPTHS = (3e-2, 1e-2, 1e-3, 1e-4)  # of the shortest side of the bounding box: how far from ∂Ω
_LEAST = 32  # points of a piece
_NEIGHBOURS, _LOOKS = 4, 15  # of a point; points along a segment
_LARGEST = 1e-3  # of the points inside: a smaller part is no part
_PAIRS = 256  # of members of a union whose boxes are searched for a common point


@dataclass(frozen=True)
class Parts:
    """Ω₁, …, Ω_m.

    Attributes:
        count: m.
        label: (n, d) points of Ω̄ → (n,) whole numbers 0 … m − 1.
        places: (m, d), a point well inside each.
    """

    count: int
    label: Callable[[Tensor], Tensor]
    places: Tensor


def parts(domain: Domain) -> Parts:
    """The connected parts of a domain; of one over time those of the space, at all times.

    Args:
        domain: any domain.

    Examples:
        >>> import torch
        >>> from pinn_ntk import box, union
        >>> from pinn_ntk.geometry import parts
        >>> two = parts(union(box([0, 0], [1, 1]), box([2, 0], [3, 1])))
        >>> two.count, two.label(torch.tensor([[0.5, 0.5], [2.0, 0.5]])).tolist()
        (2, [0, 1])
    """
    try:
        hash(domain)
    except TypeError:  # one that holds a list, as a person may write it
        return _parts(domain)
    return _known(cast(Hashable, domain))


@lru_cache(maxsize=32)
def _known(domain: Any) -> Parts:
    return _parts(domain)


def _parts(domain: Domain) -> Parts:
    if isinstance(domain, OverTime):
        space, middle = parts(domain.space), 0.5 * (domain.start + domain.end)
        places = torch.cat([space.places, torch.full_like(space.places[:, :1], middle)], 1)
        return Parts(space.count, lambda x: space.label(x[:, :-1]), places)
    if isinstance(domain, _ONE_PART) or _perforated(domain):
        return Parts(1, _zeros, _middle(domain.interior(_LEAST))[None])
    if isinstance(domain, Combined) and domain.kind == "union":
        return _of_union(domain)
    return _sampled(domain)


def _zeros(x: Tensor) -> Tensor:
    return x.new_zeros(len(x), dtype=torch.int64)


def _perforated(domain: Domain) -> bool:
    """Whether it is one part from which only holes are taken, each with the whole of its boundary inside."""
    if not isinstance(domain, Combined) or domain.kind != "difference" or domain.dim < 2:
        return False
    whole = sum(len(part.pieces) for part in domain.parts)
    intact = len(domain.pieces) == whole and all(getattr(piece, "share", 0.0) == 1.0 for piece in domain.pieces)
    solid = all(isinstance(part, (Box, Ball, Ellipse, Polygon)) for part in domain.parts[1:])
    return intact and solid and isinstance(domain.parts[0], _ONE_PART)


class _Forest:
    """Numbers 0 … n − 1 in sets that are joined."""

    def __init__(self, n: int) -> None:
        self.above = list(range(n))

    def root(self, i: int) -> int:
        """The number that stands for i's set."""
        while self.above[i] != i:
            self.above[i] = i = self.above[self.above[i]]
        return i

    def join(self, i: int, j: int) -> None:
        """Make the two sets one."""
        first, second = sorted((self.root(i), self.root(j)))
        self.above[second] = first

    def labels(self) -> Tensor:
        """(n,) whole numbers 0, 1, … in the order in which sets begin."""
        roots = [self.root(i) for i in range(len(self.above))]
        number = {root: k for k, root in enumerate(sorted(set(roots)))}
        return torch.tensor([number[root] for root in roots], dtype=torch.int64, device="cpu")


def _of_union(domain: Combined) -> Parts:
    """Members that have a point of the union's interior in both their closures are one part."""
    members = [parts(part) for part in domain.parts]
    first = torch.tensor([0, *(m.count for m in members)], dtype=torch.int64, device="cpu").cumsum(0)
    forest = _Forest(int(first[-1]))
    for y in _candidates(domain):
        x = y[domain.inside(y)]
        owners = _owners(domain, members, first, x)
        for row in torch.unique(owners, dim=0).tolist():
            some = [node for node in row if node >= 0]
            for node in some[1:]:
                forest.join(some[0], node)
    labels, places = forest.labels(), torch.cat([m.places for m in members])

    def label(x: Tensor) -> Tensor:
        owner = _owners(domain, members, first, x).amax(1)
        return labels[owner.clamp_min(0)]

    count = int(labels.max()) + 1
    return Parts(count, label, torch.stack([places[labels == k][0] for k in range(count)]))


def _owners(domain: Combined, members: list[Parts], first: Tensor, x: Tensor) -> Tensor:
    """(n, members): the number of the member's part in whose closure a point is, −1 where it is in none."""
    found = torch.full((len(x), len(members)), -1, dtype=torch.int64, device="cpu")
    for k, (part, member) in enumerate(zip(domain.parts, members, strict=True)):
        on = part.contains(x)
        if bool(on.any()):
            found[on, k] = first[k] + member.label(x[on])
    return found


def _candidates(domain: Combined) -> Iterator[Tensor]:
    """Points at which members may meet: of their boundaries, and of what pairs of their bounding boxes share."""
    for part in domain.parts:
        share = max(_LEAST, _BESIDE // len(part.pieces))
        yield torch.cat([part.interior(_LEAST), *(piece.sample(share, 0) for piece in part.pieces)])
    for a, b in list(combinations(domain.parts, 2))[:_PAIRS]:
        low = [max(ends) for ends in zip(a.low, b.low, strict=True)]
        high = [min(ends) for ends in zip(a.high, b.high, strict=True)]
        if all(lo < hi for lo, hi in zip(low, high, strict=True)):
            y = Box(tuple(low), tuple(high)).from_unit(sobol(_BESIDE // 4, domain.dim, 0))
            yield y[a.inside(y) & b.inside(y)]


def _sampled(domain: Domain) -> Parts:
    """Points joined where the segment between them is inside."""
    from scipy.spatial import cKDTree

    x, chains = _points(domain)
    forest = _Forest(len(x))
    near = torch.from_numpy(cKDTree(x.numpy()).query(x.numpy(), min(_NEIGHBOURS + 1, len(x)))[1])[:, 1:]
    start = torch.arange(len(x), device="cpu")[:, None].expand_as(near)
    _join(forest, domain, x, torch.cat([torch.stack([start.reshape(-1), near.reshape(-1)], 1), chains]))
    labels = _merged(forest, domain, x)
    kept = _large(labels, min(_INSIDE, len(x)))
    x, labels = x[torch.isin(labels, kept)], torch.searchsorted(kept, labels[torch.isin(labels, kept)])
    tree = cKDTree(x.numpy())

    def label(y: Tensor) -> Tensor:
        some = torch.from_numpy(tree.query(y.detach().numpy(), min(6, len(x)))[1]).reshape(len(y), -1)
        seen = _clear(domain, y[:, None].expand(-1, some.shape[1], -1).reshape(-1, y.shape[1]), x[some].flatten(0, 1))
        best = seen.reshape(some.shape).int().argmax(1, keepdim=True)  # the nearest that is seen, else the nearest
        return labels[some.gather(1, best)[:, 0]]

    places = torch.stack([_middle(x[:_INSIDE][labels[:_INSIDE] == k]) for k in range(len(kept))])
    return Parts(len(kept), label, places)


def _points(domain: Domain) -> tuple[Tensor, Tensor]:
    """Points inside and close to ∂Ω, and pairs of the latter that lie under one point of ∂Ω, by number."""
    inside, size = domain.interior(_INSIDE), min(h - lo for lo, h in zip(domain.low, domain.high, strict=True))
    share = max(_LEAST, _BESIDE // max(1, len(domain.pieces)))
    feet = [(y, piece.normal(y)) for piece in domain.pieces for y in (piece.sample(share, 0),)]
    y, normal = torch.cat([foot for foot, _ in feet]), torch.cat([nu for _, nu in feet])
    layers = torch.stack([y - depth * size * normal for depth in _DEPTHS], 1)
    kept = domain.inside(layers.flatten(0, 1)).reshape(layers.shape[:2])
    number = (kept.flatten().cumsum(0) - 1 + len(inside)).reshape(kept.shape)
    both = kept[:, 1:] & kept[:, :-1]
    return torch.cat([inside, layers[kept]]), torch.stack([number[:, 1:][both], number[:, :-1][both]], 1)


def _clear(domain: Domain, a: Tensor, b: Tensor) -> Tensor:
    """Whether the open segment between two points is in Ω, as far as some of its points tell."""
    t = torch.arange(1, _LOOKS + 1, dtype=torch.float64, device="cpu") / (_LOOKS + 1)
    along = a[:, None] + t[:, None] * (b - a)[:, None]
    return domain.contains(along.flatten(0, 1)).reshape(len(a), _LOOKS).all(1)


def _join(forest: _Forest, domain: Domain, x: Tensor, pairs: Tensor) -> bool:
    """Join the pairs that see one another; whether any two sets became one."""
    apart = torch.tensor([forest.root(i) != forest.root(j) for i, j in pairs.tolist()], dtype=torch.bool, device="cpu")
    pairs = pairs[apart]
    seen = pairs[_clear(domain, x[pairs[:, 0]], x[pairs[:, 1]])] if len(pairs) else pairs
    for i, j in seen.tolist():
        forest.join(i, j)
    return len(seen) > 0


def _merged(forest: _Forest, domain: Domain, x: Tensor) -> Tensor:
    """The labels once no set sees another from the points that are nearest to it."""
    from scipy.spatial import cKDTree

    while int((labels := forest.labels()).max()) > 0:
        found = []
        for k in range(int(labels.max()) + 1):
            own, other = (labels == k).nonzero()[:, 0], (labels != k).nonzero()[:, 0]
            far, near = cKDTree(x[other].numpy()).query(x[own].numpy(), 1)
            closest = torch.from_numpy(far).argsort()[:_LEAST]
            found.append(torch.stack([own[closest], other[torch.from_numpy(near)[closest]]], 1))
        if not _join(forest, domain, x, torch.cat(found)):
            break
    return labels


def _large(labels: Tensor, inside: int) -> Tensor:
    """The labels of sets that are large enough by their points inside; the largest of all at least."""
    counts = torch.bincount(labels[:inside], minlength=int(labels.max()) + 1)
    return (counts >= max(1.0, _LARGEST * inside, float(counts.max() == 0))).nonzero()[:, 0]


def _middle(x: Tensor) -> Tensor:
    """The point nearest to the centre of mass."""
    return x[(x - x.mean(0)).square().sum(1).argmin()]
