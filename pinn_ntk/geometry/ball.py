"""Balls: intervals, discs, balls of any dimension."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.arguments import number
from pinn_ntk.geometry.box import Box, box
from pinn_ntk.geometry.coordinates import Numbers, coordinates, listed, norm
from pinn_ntk.geometry.domain import Piece
from pinn_ntk.geometry.sampling import stream
from pinn_ntk.geometry.shape import Shape
from pinn_ntk.geometry.sphere import ball_volume, polar, sphere_measure, sphere_points
from pinn_ntk.rules import checked

# from this dimension on a ball fills less than a quarter of its bounding box, and its candidates come in polar
# coordinates
_ROUND = 5


@dataclass(frozen=True)
class Ball(Shape):
    """Ω = {|x − c| < r}; made by `ball`, which checks it.

    Attributes:
        center: c.
        radius: r.
    """

    center: tuple[float, ...]
    radius: float

    @property
    def low(self) -> tuple[float, ...]:
        """c_j − r."""
        return tuple(c - self.radius for c in self.center)

    @property
    def high(self) -> tuple[float, ...]:
        """c_j + r."""
        return tuple(c + self.radius for c in self.center)

    @property
    def volume(self) -> float:
        """|Ω| = π^(d/2) rᵈ/Γ(d/2 + 1)."""
        return ball_volume(self.dim) * self.radius**self.dim

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The `circle` in the plane, the `sphere` beyond; of an interval its two ends by name, as of a box."""
        if self.dim == 1:
            return Box(self.low, self.high).pieces
        name, measure = (
            "circle" if self.dim == 2 else "sphere",
            sphere_measure(self.dim) * self.radius ** (self.dim - 1),
        )
        return (Piece(name, measure, self._sample, self._outward, self._on),)

    @property
    def reach(self) -> float:
        """|Ω| itself in many dimensions, else the bounding box's volume."""
        return super().reach if self.dim < _ROUND else self.volume

    def spread(self, unit: Tensor) -> Tensor:
        """Uniform over the bounding box, in many dimensions over the ball."""
        if self.dim < _ROUND:
            return super().spread(unit)
        volume, direction = polar(unit)
        return unit.new_tensor(self.center) + self.radius * volume.pow(1 / self.dim)[:, None] * direction

    @property
    def noun(self) -> str:
        """Interval, disc or ball."""
        return {1: "interval", 2: "disc"}.get(self.dim, "ball")

    def contains(self, x: Tensor) -> Tensor:
        """Whether |x − c| ≤ r up to rounding."""
        return self._distance(x) <= self.radius + self.slack(x)

    def inside(self, x: Tensor) -> Tensor:
        """Whether |x − c| < r beyond rounding."""
        return self._distance(x) < self.radius - self.slack(x)

    def __str__(self) -> str:
        if self.dim == 1:
            return str(Box(self.low, self.high))
        return f"{'disc' if self.dim == 2 else 'ball'} of radius {self.radius:g} about {listed(self.center)}"

    def _distance(self, x: Tensor) -> Tensor:
        self.check(x)
        return norm(x - x.new_tensor(self.center))

    def _on(self, x: Tensor) -> Tensor:
        return (self._distance(x) - self.radius).abs() <= self.slack(x)

    def _sample(self, n: int, seed: int) -> Tensor:
        return torch.tensor(self.center, dtype=torch.float64, device="cpu") + self.radius * sphere_points(
            n, self.dim, stream(seed, 1)
        )

    def _outward(self, x: Tensor) -> Tensor:
        y = x - x.new_tensor(self.center)
        return y / norm(y)[..., None]


@checked
def ball(center: Numbers, radius: float) -> Ball:
    """Ω = {|x − c| < r} ⊂ ℝᵈ; its boundary piece is `circle` in the plane, `sphere` beyond,
    and two ends such as `x=0` on the line.

    Args:
        center: c; a number on the line.
        radius: r > 0.

    Raises:
        ValueError: numbers that are not finite, r ≤ 0, or an r that rounding of c hides.

    Examples:
        >>> import math
        >>> from pinn_ntk import ball
        >>> round(ball([0, 0], 2).volume / math.pi, 4), round(ball([0, 0, 0], 1).volume / math.pi, 4)
        (4.0, 1.3333)
    """
    c = coordinates("center of the ball", center)
    r = number("radius of the ball", radius, positive=True)
    box([v - r for v in c], [v + r for v in c])
    return Ball(c, r)
