"""Rings and shells."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from pinn_ntk.arguments import number
from pinn_ntk.geometry.box import box
from pinn_ntk.geometry.coordinates import Numbers, coordinates, listed, norm
from pinn_ntk.geometry.domain import Hole, Piece
from pinn_ntk.geometry.sampling import stream
from pinn_ntk.geometry.shape import Shape
from pinn_ntk.geometry.sphere import ball_volume, polar, sphere_measure, sphere_points
from pinn_ntk.rules import checked

_THINNEST = 2.0**-24  # (outer − inner)/largest coordinate: rounding stays far below the thickness


@dataclass(frozen=True)
class Annulus(Shape):
    """Ω = {a < |x − c| < b}; made by `annulus`, which checks it.

    Attributes:
        center: c.
        inner: a.
        outer: b.
    """

    center: tuple[float, ...]
    inner: float
    outer: float

    @property
    def low(self) -> tuple[float, ...]:
        """c_j − b."""
        return tuple(c - self.outer for c in self.center)

    @property
    def high(self) -> tuple[float, ...]:
        """c_j + b."""
        return tuple(c + self.outer for c in self.center)

    @property
    def volume(self) -> float:
        """|Ω| = |B¹| (bᵈ − aᵈ)."""
        return ball_volume(self.dim) * (self.outer**self.dim - self.inner**self.dim)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The spheres `inner` and `outer`."""
        return tuple(
            Piece(
                name,
                sphere_measure(self.dim) * r ** (self.dim - 1),
                partial(self._sample, k, r),
                partial(self._radial, -1.0 if name == "inner" else 1.0),
                partial(self._on, r),
            )
            for k, (name, r) in enumerate((("inner", self.inner), ("outer", self.outer)), start=1)
        )

    @property
    def holes(self) -> tuple[Hole, ...]:
        """{|x − c| < a}."""
        return (Hole(self.center, self.inner),)

    @property
    def reach(self) -> float:
        """The bounding box's volume where the ring fills a quarter of it, else |Ω|."""
        return self._boxed if self._fills_its_box else self.volume

    def spread(self, unit: Tensor) -> Tensor:
        """Uniform over the bounding box, or over the ring in polar coordinates where it is thin."""
        if self._fills_its_box:
            return super().spread(unit)
        share, direction = polar(unit)
        ratio = (self.inner / self.outer) ** self.dim
        r = self.outer * (ratio + share * (1 - ratio)).pow(1 / self.dim)
        return unit.new_tensor(self.center) + r[:, None] * direction

    @property
    def noun(self) -> str:
        """Ring or shell."""
        return "ring" if self.dim == 2 else "shell"

    def contains(self, x: Tensor) -> Tensor:
        """Whether a ≤ |x − c| ≤ b up to rounding."""
        r, slack = self._distance(x), self.slack(x)
        return (r >= self.inner - slack) & (r <= self.outer + slack)

    def inside(self, x: Tensor) -> Tensor:
        """Whether a < |x − c| < b beyond rounding."""
        r, slack = self._distance(x), self.slack(x)
        return (r > self.inner + slack) & (r < self.outer - slack)

    def __str__(self) -> str:
        kind = "annulus" if self.dim == 2 else "shell"
        return f"{kind} of radii {self.inner:g} and {self.outer:g} about {listed(self.center)}"

    @property
    def _boxed(self) -> float:
        return super().reach

    @property
    def _fills_its_box(self) -> bool:
        return self.volume >= 0.25 * self._boxed

    def _distance(self, x: Tensor) -> Tensor:
        self.check(x)
        return norm(x - x.new_tensor(self.center))

    def _on(self, r: float, x: Tensor) -> Tensor:
        return (self._distance(x) - r).abs() <= self.slack(x)

    def _sample(self, k: int, r: float, n: int, seed: int) -> Tensor:
        return torch.tensor(self.center, dtype=torch.float64, device="cpu") + r * sphere_points(
            n, self.dim, stream(seed, k)
        )

    def _radial(self, sign: float, x: Tensor) -> Tensor:
        y = x - x.new_tensor(self.center)
        return sign * y / norm(y)[..., None]


@checked
def annulus(center: Numbers, inner: float, outer: float) -> Annulus:
    """Ω = {a < |x − c| < b} ⊂ ℝᵈ, d ≥ 2; its boundary pieces are `inner` and `outer`.

    Args:
        center: c.
        inner: a > 0.
        outer: b > a.

    Raises:
        ValueError: numbers that are not finite, a ≤ 0, b ≤ a, a ring thinner than rounding allows, or one coordinate.

    Examples:
        >>> import math
        >>> from pinn_ntk import annulus
        >>> ring = annulus([0, 0], inner=1, outer=2)
        >>> round(ring.volume / math.pi, 4), [piece.name for piece in ring.pieces]
        (3.0, ['inner', 'outer'])
    """
    c = coordinates("center of the annulus", center)
    a, b = number("inner radius", inner, positive=True), number("outer radius", outer, positive=True)
    if len(c) == 1:
        raise ValueError(
            f"annulus: got the center {listed(c)} of one coordinate, expected two or more; on the line take a "
            "union of two boxes"
        )
    if not b - a > _THINNEST * (b + max(map(abs, c))):
        raise ValueError(
            f"annulus: got inner = {a:g} and outer = {b:g}, expected inner < outer, not equal up to rounding: "
            "it is empty otherwise"
        )
    box([v - b for v in c], [v + b for v in c])
    return Annulus(c, a, b)
