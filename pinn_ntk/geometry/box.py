"""Boxes: their points, faces and normals. A time axis is the last coordinate like any other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_POINTS, choose, count
from pinn_ntk.geometry.coordinates import axis_names, takes_points, written
from pinn_ntk.geometry.domain import Corner, Hole, Piece
from pinn_ntk.geometry.pieces import named_pieces
from pinn_ntk.geometry.sampling import (
    LAST_SEED,
    MARGIN,
    SAMPLINGS,
    apportion,
    sobol,
    stream,
    tensor_grid,
    unseen_stream,
)
from pinn_ntk.rules import checked, whole

Face = tuple[int, str]  # (axis, "low" or "high")
_SHORTEST, _LONGEST = 1e-75, 1e75  # fourth powers of lengths are floats: so go the weights of ∂²u
_DIGITS = 307  # of the volume, a float
_MAX_NUMBERS = 10**8  # coordinates drawn at once, 800 MB

PointSeed = Annotated[int, whole("of the points", high=LAST_SEED)]


@checked
@dataclass(frozen=True)
class Box:
    """Ω = Π_j [low_j, high_j]; made by `box`, which checks it.

    Attributes:
        low: the lower ends, one per coordinate.
        high: the upper ends.

    Examples:
        >>> from pinn_ntk import box
        >>> square = box([0, 0], [1, 1])
        >>> [piece.name for piece in square.pieces]
        ['x=0', 'x=1', 'y=0', 'y=1']
        >>> square.normal(square.boundary(1, pieces="y=1"))
        tensor([[0., 1.]], dtype=torch.float64)
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.low or len(self.low) != len(self.high):
            raise ValueError(
                f"box: got {len(self.low)} lower and {len(self.high)} upper ends, expected one of each per coordinate"
            )

    @property
    def dim(self) -> int:
        """d, the number of coordinates."""
        return len(self.low)

    @property
    def lengths(self) -> tuple[float, ...]:
        """high_j − low_j."""
        return tuple(hi - lo for lo, hi in zip(self.low, self.high, strict=True))

    @property
    def volume(self) -> float:
        """|Ω| = Π_j (high_j − low_j)."""
        return math.prod(self.lengths)

    @property
    def faces(self) -> tuple[Face, ...]:
        """The 2d faces (axis, "low" | "high")."""
        return tuple((axis, side) for axis in range(self.dim) for side in ("low", "high"))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The faces by name: x=0, x=1, y=0, …; of more than three coordinates x1=0, …."""
        names, ends = axis_names(self.dim), [written(lo, hi) for lo, hi in zip(self.low, self.high, strict=True)]
        measures = [math.prod(length for j, length in enumerate(self.lengths) if j != axis) for axis in range(self.dim)]
        return tuple(
            Piece(
                f"{names[axis]}={ends[axis][side == 'high']}",
                measures[axis],
                partial(self._on_face, axis, side),
                partial(self._face_normal, axis, side),
                partial(self._face_contains, axis, side),
            )
            for axis, side in self.faces
        )

    @property
    def holes(self) -> tuple[Hole, ...]:
        """None."""
        return ()

    @property
    def corners(self) -> tuple[Corner, ...]:
        """None that is re-entrant."""
        return ()

    @checked
    def interior(self, n: int, seed: PointSeed = 0, method: str = "sobol") -> Tensor:
        """{x_i} ⊂ int Ω, i = 1…n.

        Args:
            n: how many.
            seed: the same seed gives the same points; of Sobol and Halton points fewer are the first ones of more.
            method: sobol, halton (both scrambled), uniform (independent), latin (hypercube), grid: low + (high −
                low)·i/(m+1), i = 1…m, m = n^(1/d), or chebyshev: the zeros of the Chebyshev polynomial of degree m on
                each axis.

        Returns:
            (n, d) points, float64.

        Raises:
            ValueError: n < 1 or too many to hold, a seed out of range, an unknown method, or an n that is no d-th power
                for the grid.
        """
        count("points", n, most=self.most)
        count("seed", seed, 0, LAST_SEED)
        return self.from_unit(choose("method of sampling", method, SAMPLINGS)(n, self.dim, seed))

    @checked
    def test_points(self, n: int) -> Tensor:
        """{x_i} ⊂ int Ω, i = 1…n, always the same Sobol points, under a scrambling that no seed gives to the points of
        `interior`.

        Raises:
            ValueError: n < 1 or too many to hold.
        """
        count("test_points", n, most=self.most)
        return self.from_unit(sobol(n, self.dim, unseen_stream()))

    @checked
    def boundary(
        self,
        n: int,
        seed: PointSeed = 0,
        pieces: str | Sequence[str | Face] | None = None,
        *,
        faces: Sequence[Face] | None = None,
    ) -> Tensor:
        """{x_i} ⊂ ∂Ω, i = 1…n, or on some of its faces, shared out by measure; every face has one or more,
        no edge or corner has any.

        Args:
            n: how many, at least the number of faces; in one dimension a face is one point, and is returned once.
            seed: the same seed gives the same points.
            pieces: which, by name or as (axis, side); None for all.
            faces: the same as (axis, side).

        Returns:
            (n, d) points, float64, face after face.

        Raises:
            ValueError: fewer points than faces, or no such face.
        """
        chosen = self._chosen(faces if pieces is None else pieces)
        count("boundary points", n, most=self.most)
        count("seed", seed, 0, LAST_SEED)
        if not chosen or n < len(chosen):
            raise ValueError(
                f"boundary points: got {n} for {len(chosen)} faces, expected at least one point on each; raise "
                "their number"
            )
        shortest = min(self.lengths)
        measures = [
            shortest / self.lengths[self._axis(axis)] for axis, _ in chosen
        ]  # up to a factor, which could overflow
        shares = apportion(n, measures)
        return torch.cat([self.face(axis, side, m, seed) for (axis, side), m in zip(chosen, shares, strict=True)])

    @checked
    def face(self, axis: int, side: str, n: int, seed: PointSeed = 0) -> Tensor:
        """Sobol points strictly inside the face x_axis = low or high, (n, d); in one dimension the face is one point.

        Raises:
            ValueError: no such face, n < 1 or too many to hold, or a seed out of range.
        """
        count("face points", n, most=self.most)
        count("seed", seed, 0, LAST_SEED)
        choose("side", side, {"low": self.low, "high": self.high})
        self._axis(axis)
        return self._on_face(axis, side, n, seed)

    @checked
    def lattice(self, m: Annotated[int, whole("points per axis", 2, MAX_POINTS)]) -> Tensor:
        """The m^d points low + (high − low)·i/(m−1), i = 0…m−1, corners included; m ≥ 2."""
        if m**self.dim > self.most:
            raise ValueError(f"lattice: got {m} points per axis, expected at most {self.most:,} in all")
        return self.from_unit(tensor_grid(torch.linspace(0.0, 1.0, m, dtype=torch.float64, device="cpu"), self.dim))

    @takes_points
    def normal(self, x: Tensor) -> Tensor:
        """ν(x), the outward unit normal at boundary points.

        Args:
            x: (n, d) points on ∂Ω, each on one face.

        Returns:
            (n, d) unit vectors ±e_axis in x's dtype.

        Raises:
            ValueError: a point that is not on the boundary, or on an edge or corner, where there is no normal.
        """
        low, high, slack = self._bounds(x)
        at_low, at_high = (x - low).abs() <= slack, (x - high).abs() <= slack
        touching = (at_low | at_high).sum(1)
        if bool((touching != 1).any()) or not bool(self.contains(x).all()):
            i = int(((touching != 1) | ~self.contains(x)).int().argmax())
            place = "on an edge or corner, where no normal exists" if touching[i] > 1 else "not on the boundary"
            raise ValueError(
                f"normal: got x = {x[i].tolist()}, which is {place} of {self}; expected points inside one face"
            )
        return at_high.to(x.dtype) - at_low.to(x.dtype)

    @takes_points
    def contains(self, x: Tensor) -> Tensor:
        """Whether low ≤ x ≤ high up to the rounding of x's dtype: (n,) booleans."""
        low, high, slack = self._bounds(x)
        return ((x >= low - slack) & (x <= high + slack)).all(1)

    @takes_points
    def inside(self, x: Tensor) -> Tensor:
        """Whether low < x < high, further from the faces than the rounding of x's dtype: (n,) booleans."""
        low, high, slack = self._bounds(x)
        return ((x > low + slack) & (x < high - slack)).all(1)

    def from_unit(self, unit: Tensor) -> Tensor:
        """low + (high − low)·u for points u of the unit cube."""
        return torch.tensor(self.low, dtype=torch.float64, device="cpu") + unit * torch.tensor(
            self.lengths, dtype=torch.float64, device="cpu"
        )

    @property
    def most(self) -> int:
        """How many points can be held."""
        return min(MAX_POINTS, _MAX_NUMBERS // self.dim)

    def __str__(self) -> str:
        return " × ".join(f"[{lo:g}, {hi:g}]" for lo, hi in zip(self.low, self.high, strict=True))

    def _bounds(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        low, high = x.new_tensor(self.low), x.new_tensor(self.high)
        return low, high, 4 * torch.finfo(x.dtype).eps * torch.maximum(low.abs(), high.abs())

    def _axis(self, axis: int) -> int:
        if not 0 <= axis < self.dim:
            raise ValueError(f"axis: got {axis}, expected 0…{self.dim - 1} for {self}")
        return axis

    def _chosen(self, pieces: Sequence[str | Face] | None) -> tuple[Face, ...]:
        """The faces that names and (axis, side) say."""
        if pieces is None:
            return self.faces
        by_name = dict(zip((piece.name for piece in self.pieces), self.faces, strict=True))
        wanted = [pieces] if isinstance(pieces, str) else list(pieces)
        return tuple(
            dict.fromkeys(by_name[named_pieces(self.pieces, [w])[0].name] if isinstance(w, str) else w for w in wanted)
        )

    def _on_face(self, axis: int, side: str, n: int, seed: int) -> Tensor:
        end = (self.low if side == "low" else self.high)[axis]
        if self.dim == 1:
            return torch.tensor([[end]], dtype=torch.float64, device="cpu")
        rest = [j for j in range(self.dim) if j != axis]
        x = torch.full((n, self.dim), end, dtype=torch.float64, device="cpu")
        side_box = Box(tuple(self.low[j] for j in rest), tuple(self.high[j] for j in rest))
        x[:, rest] = side_box.from_unit(sobol(n, side_box.dim, stream(seed, 2 * axis + (side == "high") + 1)))
        return x

    def _face_normal(self, axis: int, side: str, x: Tensor) -> Tensor:
        normal = torch.zeros_like(x)
        normal[:, axis] = 1.0 if side == "high" else -1.0
        return normal

    def _face_contains(self, axis: int, side: str, x: Tensor) -> Tensor:
        low, high, slack = self._bounds(x)
        on = (x[:, axis] - (low if side == "low" else high)[axis]).abs() <= slack[axis]
        return on & self.contains(x)


@checked
def box(low: float | Sequence[float] | Tensor, high: float | Sequence[float] | Tensor) -> Box:
    """Ω = Π_j [low_j, high_j].

    Args:
        low: the lower ends; a number is an interval's.
        high: the upper ends.

    Raises:
        ValueError: different numbers of ends, an end that is not finite, low_j ≥ high_j (an empty domain), or a length
            high_j − low_j whose fourth power is no float.

    Examples:
        >>> from pinn_ntk import box
        >>> plate = box([0, 0], [2, 1])
        >>> plate.volume, bool(plate.inside(plate.interior(64)).all())
        (2.0, True)
    """
    try:
        lo, hi = (
            tuple(torch.as_tensor(v, dtype=torch.float64, device="cpu").reshape(-1).tolist()) for v in (low, high)
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"box: got low = {low!r}, high = {high!r}, expected numbers or lists of numbers") from error
    made = Box(lo, hi)
    for j, (a, b) in enumerate(zip(lo, hi, strict=True)):
        if not (math.isfinite(a) and math.isfinite(b) and a + MARGIN * (b - a) > a and b - MARGIN * (b - a) < b):
            raise ValueError(
                f"box: got [{a}, {b}] for coordinate {j + 1}, expected finite low < high: the domain is empty otherwise"
            )
        if not _SHORTEST <= b - a <= _LONGEST:
            raise ValueError(
                f"box: got [{a}, {b}] of length {b - a} for coordinate {j + 1}, expected a length from "
                f"{_SHORTEST} to {_LONGEST}; "
                "measure the coordinate in another unit"
            )
    digits = math.fsum(math.log10(b - a) for a, b in zip(lo, hi, strict=True))
    if abs(digits) > _DIGITS:
        raise ValueError(
            f"box: got a volume of about 1e{digits:.0f}, expected one from 1e-{_DIGITS} to 1e{_DIGITS}; measure the "
            "coordinates in another unit"
        )
    return made
