"""A problem as the generator writes it: in its own coordinates first, then in a person's units.

Formulas are written in X1 … Xd and T on a domain of size one. `placed` moves them to x = x₀ + LX, t = L_t T and
u = C + sU, so that micrometres, kelvins and tiny amplitudes are drawn apart from the mathematics.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinn_ntk.geometry import Box
from pinn_ntk.problem import problem_from_text

CLASSES = ("unique", "undetermined", "no-solution", "ill-posed", "noise")
Span = tuple[tuple[float, ...], tuple[float, ...]]
"""The two ends of a box in all coordinates."""
_ISOTROPIC = ("center", "low", "high", "vertices")


@dataclass(frozen=True)
class Sensors:
    """u + σ·noise at random points.

    Attributes:
        count: of points.
        noise: σ over the root mean square of u.
        seed: of points and noise.
        known: whether σ is told to the solver, where it takes one.
        twice: values that contradict one another: the first point is there twice, this much apart.
    """

    count: int
    noise: float
    seed: int
    known: bool = False
    twice: float = 0.0


@dataclass(frozen=True)
class Described:
    """𝓛U = f with its conditions, in coordinates of size one.

    Attributes:
        domain: as `domain` of a problem in text, of space alone.
        dim: coordinates of space.
        end: T at the end; 0 for a problem without time.
        A: second-order coefficients, texts on the diagonal or a matrix of them; over time the last row is that of T.
        b: first-order coefficients.
        c: zeroth-order coefficient.
        exact: U, where it is known.
        source: f; empty for 𝓛U.
        conditions: mappings {type, on: indices of pieces, value, alpha, beta, axis}.
        tags: what the problem is.
        expected: one of CLASSES.
        scale: the smallest scale of U, f and the coefficients over the size of the domain.
        filling: whether that scale is met everywhere, not along one layer or at one spot.
        smooth: whether U is smooth up to the boundary.
        features: boxes about what is narrow.
        sensors: measured data beside the conditions.
        fixed: whether u = C + sU would be another kind of problem, so that only coordinates are moved.
    """

    domain: Mapping[str, Any]
    dim: int
    A: Any = None
    b: Sequence[str] | None = None
    c: str = ""
    end: float = 0.0
    exact: str = ""
    source: str = ""
    conditions: tuple[Mapping[str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    expected: str = "unique"
    scale: float = 1.0
    filling: bool = True
    smooth: bool = True
    features: tuple[Span, ...] = ()
    sensors: Sensors | None = None
    fixed: bool = False

    @property
    def resolvable(self) -> bool:
        """Whether a solver of some minutes may be asked to resolve it: smooth, and its smallest scale above 1/200 in
        one or two coordinates (1/60 where it fills the plane), 1/30 in three and 1/6 above; 1/12 and 1/5 there
        where it fills the domain.
        """
        d = self.dim + (self.end > 0.0)
        thin = 200.0 if d <= 2 else 30.0 if d == 3 else 6.0
        full = (200.0, 60.0, 12.0)[d - 1] if d <= 3 else 5.0
        return self.expected == "unique" and self.smooth and self.scale * (full if self.filling else thin) >= 1.0


@dataclass(frozen=True)
class Units:
    """x_j = start_j + length_j X_j, u = offset + size·U, and a factor of the equation.

    Attributes:
        start: x₀, time's last.
        length: L, time's last.
        offset: C.
        size: s.
        factor: of both sides of the equation.
    """

    start: tuple[float, ...]
    length: tuple[float, ...]
    offset: float = 0.0
    size: float = 1.0
    factor: float = 1.0


@dataclass(frozen=True)
class Drawn:
    """A problem that was drawn.

    Attributes:
        name: of it, with its seed.
        tags: what it is.
        spec: what `problem_from_text` reads, `exact` in it where u is known; sensors are beside it.
        expected: one of CLASSES.
        resolvable: see `Described`.
        tolerance: what is asked of the solver.
        features: boxes about what is narrow.
        sensors: measured data.
    """

    name: str
    tags: tuple[str, ...]
    spec: dict[str, Any]
    expected: str
    resolvable: bool
    tolerance: float
    features: tuple[Span, ...] = ()
    sensors: Sensors | None = None


def placed(one: Described, units: Units, name: str, tolerance: float) -> Drawn:
    """The problem in those units."""
    time = one.end > 0.0
    write = _Writer(units, one.dim, time)
    spec: dict[str, Any] = {"domain": _domain(one.domain, units)}
    if time:
        start, length = units.start[-1], units.length[-1]
        spec |= {"time": True, "time_span": [start, start + length * one.end]}
    spec["operator"] = write.operator(one)
    if one.exact:
        spec["exact"] = write.value(one.exact)
    if one.source:
        spec["source"] = write.source(one.source)
    spec |= {"conditions": [], "points": 64, "boundary_points": 64}
    names = pieces(spec)
    spec["conditions"] = [write.condition(given, names) for given in one.conditions]
    moved = tuple(
        tuple(tuple(s + L * X for s, L, X in zip(units.start, units.length, end, strict=True)) for end in span)
        for span in one.features
    )
    return Drawn(name, one.tags, spec, one.expected, one.resolvable, tolerance, moved, one.sensors)  # type: ignore[arg-type]


def pieces(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the pieces of the boundary of a problem's domain, in order, as its conditions call them."""
    keys = {k: v for k, v in spec.items() if k in ("domain", "time", "time_span")}
    plain = {"operator": {"c": 1}, "exact": "1", "points": 2, "boundary": "soft", "conditions": [{"type": "dirichlet"}]}
    domain = problem_from_text({**keys, **plain}).domain
    assert domain is not None
    found = tuple(piece.name for piece in domain.pieces)
    if not isinstance(domain, Box):
        return found
    time = bool(spec.get("time"))  # a box over time is a box: its axes have names of their own there
    axes = _names(domain.dim - time, time)
    return tuple(f"{axes[i // 2]}={name.split('=')[1]}" for i, name in enumerate(found))


@dataclass(frozen=True)
class _Writer:
    """Formulas in a person's coordinates."""

    units: Units
    dim: int
    time: bool

    def text(self, formula: object) -> str:
        """X1 … and T replaced by what they are in x and t."""
        return re.sub(r"\bX(\d)\b|\bT\b", self._variable, str(formula))

    def value(self, formula: object) -> str:
        """u = C + sU."""
        offset, size = self.units.offset, self.units.size
        body = self.text(formula)
        body = body if size == 1.0 else f"{size!r}*({body})"
        return body if offset == 0.0 else f"{offset!r} + {body}"

    def source(self, formula: object) -> str:
        """The factor of the equation times s f."""
        return _times(self.units.factor * self.units.size, self.text(formula))

    def operator(self, one: Described) -> dict[str, Any]:
        """A_ab L_a L_b, b_a L_a, c, times the factor of the equation."""
        d, L, factor = self.dim + self.time, self.units.length, self.units.factor
        found: dict[str, Any] = {}
        if one.A is not None:
            A = (
                one.A
                if isinstance(one.A[0], list)
                else [[one.A[i] if i == j else 0 for j in range(d)] for i in range(d)]
            )
            found["A"] = [
                [_times(factor * L[i] * L[j], self.text(A[i][j])) if A[i][j] not in (0, "0") else 0 for j in range(d)]
                for i in range(d)
            ]
        if one.b is not None:
            found["b"] = [
                _times(factor * length, self.text(v)) if v not in (0, "0") else 0
                for length, v in zip(L, one.b, strict=True)
            ]
        if one.c:
            found["c"] = _times(factor, self.text(one.c))
        return found

    def condition(self, given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """One condition with its pieces by name and its value in units."""
        found = {k: v for k, v in given.items() if k in ("type", "axis", "beta", "name")}
        if "on" in given:
            found["on"] = [names[i] for i in given["on"]]
        if "alpha" in given:
            found["alpha"] = _times(1.0 / self.units.length[0], self.text(given["alpha"]))
        if "value" in given:
            slope = {"neumann": self.units.length[0], "initial_velocity": self.units.length[-1]}.get(str(given["type"]))
            found["value"] = (
                self.value(given["value"])
                if slope is None
                else _times(self.units.size / slope, self.text(given["value"]))
            )
        return found

    def _variable(self, match: re.Match[str]) -> str:
        j = self.dim if match.group(1) is None else int(match.group(1)) - 1
        name = _names(self.dim, self.time)[j]
        start, length = self.units.start[j], self.units.length[j]
        moved = name if start == 0.0 else f"({name} - {start!r})" if start > 0.0 else f"({name} + {-start!r})"
        return moved if length == 1.0 else f"({moved}/{length!r})"


def _names(dim: int, time: bool) -> tuple[str, ...]:
    letters = ("x", "y", "z")[:dim] if dim <= 3 else tuple(f"x{j + 1}" for j in range(dim))
    return (*letters, "t") if time else letters


def _times(factor: float, formula: str) -> str:
    return formula if factor == 1.0 else f"{factor!r}*({formula})"


def _domain(described: Mapping[str, Any], units: Units) -> dict[str, Any]:
    """The domain in a person's coordinates; only boxes may have another length on each axis."""
    if "of" in described:
        return {"kind": described["kind"], "of": [_domain(part, units) for part in described["of"]]}
    found = dict(described)
    for key in _ISOTROPIC:
        if key == "vertices" and key in found:
            found[key] = [_moved(vertex, units) for vertex in found[key]]
        elif key in found:
            found[key] = _moved(found[key], units)
    for key in ("radius", "inner", "outer"):
        if key in found:
            found[key] = found[key] * units.length[0]
    if "radii" in found:
        found["radii"] = [r * units.length[0] for r in found["radii"]]
    return found


def _moved(point: Sequence[float], units: Units) -> list[float]:
    return [s + L * X for s, L, X in zip(units.start, units.length, point, strict=False)]
