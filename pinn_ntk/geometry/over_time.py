"""Domains over an interval of time, the last coordinate."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from pinn_ntk.arguments import number
from pinn_ntk.geometry.box import box
from pinn_ntk.geometry.coordinates import written
from pinn_ntk.geometry.domain import Corner, Domain, Hole, Piece
from pinn_ntk.geometry.sampling import sobol, stream
from pinn_ntk.geometry.shape import Shape, magnitude, reach, spread
from pinn_ntk.rules import checked


@dataclass(frozen=True)
class OverTime(Shape):
    """Ω × (t₀, T); made by `over_time`, which checks it.

    Attributes:
        space: Ω.
        start: t₀.
        end: T.
    """

    space: Domain
    start: float
    end: float

    @property
    def low(self) -> tuple[float, ...]:
        """Those of Ω, and t₀."""
        return (*self.space.low, self.start)

    @property
    def high(self) -> tuple[float, ...]:
        """Those of Ω, and T."""
        return (*self.space.high, self.end)

    @property
    def volume(self) -> float:
        """|Ω| (T − t₀)."""
        return self.space.volume * (self.end - self.start)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Those of Ω."""
        return self.space.holes

    @property
    def corners(self) -> tuple[Corner, ...]:
        """Those of Ω."""
        return self.space.corners

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Those of Ω under their names, then Ω at the start and at the end, such as `t=0` and `t=1`."""
        length = self.end - self.start
        walls = [
            Piece(
                piece.name,
                piece.measure * length,
                partial(self._on_wall, piece.sample),
                partial(self._wall_normal, piece.normal),
                partial(self._wall_contains, piece.contains),
            )
            for piece in self.space.pieces
        ]
        lids = [
            Piece(
                f"t={name}",
                self.space.volume,
                partial(self._on_lid, time),
                partial(self._lid_normal, sign),
                partial(self._lid_contains, time),
            )
            for name, time, sign in zip(written(self.start, self.end), (self.start, self.end), (-1.0, 1.0), strict=True)
        ]
        return (*walls, *lids)

    @property
    def reach(self) -> float:
        """That of Ω times T − t₀."""
        return reach(self.space) * (self.end - self.start)

    @property
    def magnitude(self) -> float:
        """The largest coordinate or time."""
        return max(magnitude(self.space), abs(self.start), abs(self.end))

    def spread(self, unit: Tensor) -> Tensor:
        """Candidates of Ω at times that are uniform."""
        return self._at(spread(self.space, unit[:, :-1]), self._times(unit[:, -1]))

    def contains(self, x: Tensor) -> Tensor:
        """Whether x ∈ Ω̄ and t₀ ≤ t ≤ T up to rounding."""
        self.check(x)
        return self.space.contains(x[:, :-1]) & self._during(x)

    def inside(self, x: Tensor) -> Tensor:
        """Whether x ∈ Ω and t₀ < t < T beyond rounding."""
        self.check(x)
        slack = self.slack(x)
        return self.space.inside(x[:, :-1]) & (x[:, -1] > self.start + slack) & (x[:, -1] < self.end - slack)

    def __str__(self) -> str:
        return f"{self.space}, t ∈ [{', '.join(written(self.start, self.end))}]"

    def _during(self, x: Tensor) -> Tensor:
        return (x[:, -1] >= self.start - self.slack(x)) & (x[:, -1] <= self.end + self.slack(x))

    def _times(self, unit: Tensor) -> Tensor:
        return self.start + (self.end - self.start) * unit

    @staticmethod
    def _at(x: Tensor, t: Tensor) -> Tensor:
        return torch.cat([x, t[:, None]], 1)

    def _on_wall(self, sample: Callable[[int, int], Tensor], n: int, seed: int) -> Tensor:
        """Points of a piece of ∂Ω at times of a Sobol coordinate that no sampler of the piece has used."""
        x = sample(n, seed)
        t = self._times(sobol(n, self.dim + 2, stream(seed, 7))[:, -1])
        return self._at(x if len(x) == n else x[torch.arange(n, device=x.device) % len(x)], t)

    def _wall_normal(self, normal: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return self._at(normal(x[:, :-1]), torch.zeros_like(x[:, -1]))

    def _wall_contains(self, contains: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        self.check(x)
        return contains(x[:, :-1]) & self._during(x)

    def _on_lid(self, time: float, n: int, seed: int) -> Tensor:
        x = self.space.interior(n, stream(seed, 11 if time == self.start else 13))
        return self._at(x, torch.full_like(x[:, 0], time))

    def _lid_normal(self, sign: float, x: Tensor) -> Tensor:
        return self._at(torch.zeros_like(x[:, :-1]), torch.full_like(x[:, -1], sign))

    def _lid_contains(self, time: float, x: Tensor) -> Tensor:
        self.check(x)
        return self.space.contains(x[:, :-1]) & ((x[:, -1] - time).abs() <= self.slack(x))


@checked
def over_time(domain: Domain, start: float, end: float) -> OverTime:
    """Ω × (t₀, T), time being the last coordinate; its pieces are those of Ω by their names,
    and such as `t=0` and `t=1`.

    Args:
        domain: Ω.
        start: t₀.
        end: T > t₀.

    Raises:
        ValueError: times that are not finite, T ≤ t₀, or a domain over time already.

    Examples:
        >>> from pinn_ntk import box, over_time
        >>> [piece.name for piece in over_time(box(0, 1), 0, 2).pieces]
        ['x=0', 'x=1', 't=0', 't=2']
    """
    if not isinstance(domain, Domain) or isinstance(domain, OverTime):
        raise ValueError(f"over_time: got {domain}, expected a domain in space, such as box(0, 1)")
    t0, t1 = number("start", start), number("end", end)
    if not t0 < t1:
        raise ValueError(
            f"over_time: got start = {t0:g} and end = {t1:g}, expected start < end: the domain is empty otherwise"
        )
    box(t0, t1)
    return OverTime(domain, t0, t1)
