"""Boxes: their points, faces and normals. A time axis is the last coordinate like any other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_POINTS, choose, count
from pinn_ntk.geometry.sampling import LAST_SEED, MARGIN, SAMPLINGS, apportion, sobol, tensor_grid

Face = tuple[int, str]  # (axis, "low" or "high")
_SHORTEST, _LONGEST = 1e-150, 1e150  # squares of lengths are floats
_MAX_NUMBERS = 10**8  # coordinates drawn at once, 800 MB


@dataclass(frozen=True)
class Box:
    """Ω = Π_j [low_j, high_j]; made by `box`, which checks it.

    Attributes:
        low: the lower ends, one per coordinate.
        high: the upper ends.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

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

    def interior(self, n: int, seed: int = 0, method: str = "sobol") -> Tensor:
        """{x_i} ⊂ int Ω, i = 1…n.

        Args:
            n: how many.
            seed: the same seed gives the same points; of Sobol and Halton points fewer are the first ones of more.
            method: sobol, halton (both scrambled), uniform (independent), or grid: low + (high − low)·i/(m+1), i = 1…m, m = n^(1/d).

        Returns:
            (n, d) points, float64.

        Raises:
            ValueError: n < 1 or too many to hold, a seed out of range, an unknown method, or an n that is no d-th power for the grid.
        """
        count("points", n, most=self._most)
        count("seed", seed, 0, LAST_SEED)
        return self._scale(choose("method of sampling", method, SAMPLINGS)(n, self.dim, seed))

    def test_points(self, n: int) -> Tensor:
        """{x_i} ⊂ int Ω, i = 1…n, always the same Sobol points, under a scrambling that no seed gives to the points of `interior`.

        Raises:
            ValueError: n < 1 or too many to hold.
        """
        count("test_points", n, most=self._most)
        stream = np.random.SeedSequence(99, spawn_key=(1,))  # made anew, since scipy spawns from it; its words are more than a seed has
        return self._scale(sobol(n, self.dim, stream))

    def boundary(self, n: int, seed: int = 0, faces: Sequence[Face] | None = None) -> Tensor:
        """{x_i} ⊂ ∂Ω, i = 1…n, or on some of its faces, shared out by measure; every face has one or more, no edge or corner has any.

        Args:
            n: how many, at least the number of faces; in one dimension a face is one point, and is returned once.
            seed: the same seed gives the same points.
            faces: which (axis, side); None for all.

        Returns:
            (n, d) points, float64, face after face.

        Raises:
            ValueError: fewer points than faces, or no such face.
        """
        chosen = self.faces if faces is None else tuple(faces)
        count("boundary points", n, most=self._most)
        count("seed", seed, 0, LAST_SEED)
        if not chosen or n < len(chosen):
            raise ValueError(f"boundary points: got {n} for {len(chosen)} faces, expected at least one point on each; raise their number")
        shortest = min(self.lengths)
        measures = [shortest / self.lengths[self._axis(axis)] for axis, _ in chosen]  # up to a factor, which could overflow
        shares = apportion(n, measures)
        return torch.cat([self.face(axis, side, m, seed) for (axis, side), m in zip(chosen, shares, strict=True)])

    def face(self, axis: int, side: str, n: int, seed: int = 0) -> Tensor:
        """Sobol points strictly inside the face x_axis = low or high, (n, d); in one dimension the face is one point.

        Raises:
            ValueError: no such face, n < 1 or too many to hold, or a seed out of range.
        """
        count("face points", n, most=self._most)
        count("seed", seed, 0, LAST_SEED)
        value = {"low": self.low, "high": self.high}
        choose("side", side, value)
        if self.dim == 1:
            return torch.tensor([value[side]], dtype=torch.float64)
        rest = [j for j in range(self.dim) if j != self._axis(axis)]
        x = torch.full((n, self.dim), value[side][axis], dtype=torch.float64)
        stream = (2 * axis + (side == "high") + 1) * 1_000_003 + seed  # so that opposite faces do not mirror each other
        side_box = Box(tuple(self.low[j] for j in rest), tuple(self.high[j] for j in rest))
        x[:, rest] = side_box._scale(sobol(n, side_box.dim, stream))
        return x

    def lattice(self, m: int) -> Tensor:
        """The m^d points low + (high − low)·i/(m−1), i = 0…m−1, corners included; m ≥ 2."""
        if m < 2:
            raise ValueError(f"lattice: got {m} points per axis, expected at least 2")
        return self._scale(tensor_grid(torch.linspace(0.0, 1.0, m, dtype=torch.float64), self.dim))

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
            raise ValueError(f"normal: got x = {x[i].tolist()}, which is {place} of {self}; expected points inside one face")
        return at_high.to(x.dtype) - at_low.to(x.dtype)

    def contains(self, x: Tensor) -> Tensor:
        """Whether low ≤ x ≤ high up to the rounding of x's dtype: (n,) booleans."""
        low, high, slack = self._bounds(x)
        return ((x >= low - slack) & (x <= high + slack)).all(1)

    def __str__(self) -> str:
        return " × ".join(f"[{lo:g}, {hi:g}]" for lo, hi in zip(self.low, self.high, strict=True))

    def _bounds(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"points of {self}: got shape {tuple(x.shape)}, expected (n, {self.dim})")
        low, high = x.new_tensor(self.low), x.new_tensor(self.high)
        return low, high, 4 * torch.finfo(x.dtype).eps * torch.maximum(low.abs(), high.abs())

    @property
    def _most(self) -> int:
        """How many points can be held."""
        return min(MAX_POINTS, _MAX_NUMBERS // self.dim)

    def _axis(self, axis: int) -> int:
        if not 0 <= axis < self.dim:
            raise ValueError(f"axis: got {axis}, expected 0…{self.dim - 1} for {self}")
        return axis

    def _scale(self, unit: Tensor) -> Tensor:
        return torch.tensor(self.low, dtype=torch.float64) + unit * torch.tensor(self.lengths, dtype=torch.float64)


def box(low: float | Sequence[float] | Tensor, high: float | Sequence[float] | Tensor) -> Box:
    """Ω = Π_j [low_j, high_j].

    Args:
        low: the lower ends; a number is an interval's.
        high: the upper ends.

    Raises:
        ValueError: different numbers of ends, an end that is not finite, low_j ≥ high_j (an empty domain), or a length high_j − low_j whose
            square is no float.
    """
    try:
        lo, hi = (tuple(torch.as_tensor(v, dtype=torch.float64).reshape(-1).tolist()) for v in (low, high))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"box: got low = {low!r}, high = {high!r}, expected numbers or lists of numbers") from error
    if not lo or len(lo) != len(hi):
        raise ValueError(f"box: got {len(lo)} lower and {len(hi)} upper ends, expected one of each per coordinate")
    for j, (a, b) in enumerate(zip(lo, hi, strict=True)):
        if not (math.isfinite(a) and math.isfinite(b) and a + MARGIN * (b - a) > a and b - MARGIN * (b - a) < b):
            raise ValueError(f"box: got [{a}, {b}] for coordinate {j + 1}, expected finite low < high: the domain is empty otherwise")
        if not _SHORTEST <= b - a <= _LONGEST:
            raise ValueError(
                f"box: got [{a}, {b}] of length {b - a} for coordinate {j + 1}, expected a length from {_SHORTEST} to {_LONGEST}; "
                "measure the coordinate in another unit"
            )
    return Box(lo, hi)
