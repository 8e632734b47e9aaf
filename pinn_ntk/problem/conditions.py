"""Conditions from text, each of them a block: Dirichlet, Neumann, Robin, initial value, initial velocity, data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.arguments import choose, count, number
from pinn_ntk.expressions import Expression, variable_names
from pinn_ntk.geometry.box import Box, Face
from pinn_ntk.operators.library import identity, normal_derivative, robin, time_derivative
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.assembly import boundary_faces, transformed
from pinn_ntk.problem.data import read_points
from pinn_ntk.problem.formulas import Formulas, constant
from pinn_ntk.problem.residual import Ansatz, Block

TYPES: dict[str, tuple[str, ...]] = {  # the keys of each type beside type, name and weight
    "dirichlet": ("on", "value", "points"),
    "neumann": ("on", "value", "points"),
    "robin": ("on", "value", "alpha", "beta", "points"),
    "initial": ("value", "points"),
    "initial_velocity": ("value", "points"),
    "data": ("csv",),
}
_WORDS = {"dirichlet": "u", "neumann": "∂u/∂ν", "robin": "αu + β∂u/∂ν", "initial": "u", "initial_velocity": "u_t"}


@dataclass(frozen=True)
class Condition:
    """𝓛_b u = f_b on points, read from text.

    Attributes:
        name: of the block.
        type: a key of `TYPES`.
        operator: 𝓛_b.
        x: the points (n, d).
        value: f_b as a formula, as values (n,), or None: it follows from the exact solution.
        words: for a report.
        weight: λ_b, None where none was given.
    """

    name: str
    type: str
    operator: SecondOrderOperator
    x: Tensor
    value: Expression | Tensor | None
    words: str
    weight: float | None = None

    def block(self, exact: Expression | None, ansatz: Ansatz | None) -> Block:
        """The block, its target from the exact solution where no value was given, written for h when there is an ansatz."""
        value = self.value
        if value is None and exact is not None:
            value = self.operator.apply(exact, self.x)
        target = value(self.x) if isinstance(value, Expression) else torch.zeros_like(self.x[:, 0]) if value is None else value
        weight = 1.0 if self.weight is None else self.weight
        return Block(*transformed(self.operator, self.x, target, ansatz), name=self.name, weight=weight)


def read_conditions(value: object, formulas: Formulas, manufactured: bool, points: int, seed: int) -> list[Condition]:
    """The conditions of a specification; faults are kept in the reader.

    Args:
        value: a list of mappings {type, on, value, alpha, beta, csv, points, name, weight}.
        formulas: reads them.
        manufactured: an exact solution is known, so that values may be left out.
        points: of each condition that does not say how many.
        seed: of the points.
    """
    if not isinstance(value, (list, tuple)):
        formulas.faults.add("conditions", f"got {value!r}, expected a list such as [{{type: neumann, on: x=0, value: 0}}]")
        return []
    conditions: list[Condition] = []
    for i, entry in enumerate(value):
        key = f"conditions[{i}]"
        if not isinstance(entry, Mapping):
            formulas.faults.add(key, f"got {entry!r}, expected a mapping with a type: {', '.join(TYPES)}")
            continue
        read = _Entry(key, entry, formulas)
        condition = read.condition(manufactured, points, seed + 1 + i, [c.name for c in conditions])
        conditions += [] if condition is None else [condition]
    return conditions


@dataclass(frozen=True)
class _Entry:
    """One entry of the list, being read."""

    key: str
    entry: Mapping[str, Any]
    formulas: Formulas

    def condition(self, manufactured: bool, points: int, seed: int, taken: Sequence[str]) -> Condition | None:
        """The condition, or None when something in the entry is wrong and was noted."""
        faults, entry, key = self.formulas.faults, self.entry, self.key
        before = len(faults.found)
        own = faults.attempt(f"{key}.type", lambda: choose(f"{key}.type", entry.get("type"), TYPES))
        if own is None:
            return None
        kind = str(entry["type"])
        faults.unknown(f"{key}.", entry, ("type", "name", "weight", *own))
        name = entry.get("name", _free("boundary" if kind == "dirichlet" else "velocity" if kind == "initial_velocity" else kind, taken))
        if not isinstance(name, str) or not name or name in (*taken, "interior"):
            faults.add(f"{key}.name", f"got {name!r}, expected a name of its own; taken are {', '.join(['interior', *taken])}")
        if kind in ("initial", "initial_velocity") and not self.formulas.time:
            faults.add(f"{key}.type", f"got {kind} in a problem without time; write time: true, the last coordinate being t")
        weight = self._weight()
        value = self._value(kind, manufactured)
        faults_or_points = self._points(kind, points, seed)
        if faults_or_points is None or len(faults.found) > before:
            return None
        x, place, measured = faults_or_points
        operator = self._operator(kind)
        if len(faults.found) > before or operator is None:
            return None
        text = value.text if value is not None else "the exact solution's"
        words = f"u = data at {len(x)} points of {entry['csv']}" if kind == "data" else f"{_WORDS[kind]} = {text} {place}"
        return Condition(name, kind, operator, x, measured if measured is not None else value, words, weight)

    def _weight(self) -> float | None:
        key, weight = f"{self.key}.weight", self.entry.get("weight")
        return None if weight is None else self.formulas.faults.attempt(key, lambda: number(key, weight, positive=True))

    def _value(self, kind: str, manufactured: bool) -> Expression | None:
        if kind == "data":
            return None
        if self.entry.get("value") is None and not manufactured:
            self.formulas.faults.add(f"{self.key}.value", "missing; write a formula, or give `exact` for the whole problem")
        return None if self.entry.get("value") is None else self.formulas.formula(f"{self.key}.value", self.entry["value"])

    def _points(self, kind: str, points: int, seed: int) -> tuple[Tensor, str, Tensor | None] | None:
        """The points, where they are in words, and the values measured there if any."""
        domain, attempt = self.formulas.domain, self.formulas.faults.attempt
        if kind == "data":
            table = attempt(f"{self.key}.csv", lambda: _read_inside(self.entry.get("csv"), domain))
            return None if table is None else (table[0], "", table[1])
        n = attempt(f"{self.key}.points", lambda: count(f"{self.key}.points", self.entry.get("points", points)))
        if n is None:
            return None
        if kind in ("initial", "initial_velocity"):
            x0 = attempt(self.key, lambda: domain.face(domain.dim - 1, "low", n, seed))
            return None if x0 is None else (x0, f"at t = {domain.low[-1]:g}", None)
        on = self.entry.get("on", "all")
        faces = attempt(f"{self.key}.on", lambda: named_faces(on, domain, self.formulas.time))
        x = None if faces is None else attempt(f"{self.key}.points", lambda: domain.boundary(n, seed, faces))
        return None if x is None else (x, "on ∂Ω" if on == "all" else f"on {on if isinstance(on, str) else ', '.join(on)}", None)

    def _operator(self, kind: str) -> SecondOrderOperator | None:
        domain = self.formulas.domain
        if kind == "neumann":
            return normal_derivative(domain.dim, domain.normal)
        if kind == "initial_velocity":
            return time_derivative(domain.dim - 1)
        if kind != "robin":
            return identity(domain.dim)
        alpha, beta = (self.formulas.coefficient(f"{self.key}.{name}", self.entry.get(name, 1.0)) for name in ("alpha", "beta"))
        return self.formulas.faults.attempt(self.key, lambda: robin(domain.dim, domain.normal, alpha, beta))


def named_faces(on: object, domain: Box, time: bool) -> list[Face]:
    """The faces that "all", "x=0", or a list such as ["x=0", "y=1"] names.

    Raises:
        ValueError: no such face; all of them are listed.
    """
    if on == "all":
        return boundary_faces(domain, time)
    names = variable_names(domain.dim, time)
    ends = {"low": domain.low, "high": domain.high}
    table = {f"{names[axis]}={ends[side][axis]:g}": (axis, side) for axis, side in domain.faces}
    texts = on if isinstance(on, (list, tuple)) and on else [on]
    faces = [_face(text, names, domain) or choose("on", text, {"all": None, **table}) for text in texts]
    return list(dict.fromkeys(face for face in faces if face is not None))


def _face(text: object, names: Sequence[str], domain: Box) -> Face | None:
    """The face "name = value", the value being a number or a formula such as 2*pi; None if it is none of the box."""
    left, equals, right = str(text).partition("=")
    if not equals or left.strip() not in names:
        return None
    axis, value = names.index(left.strip()), constant("on", right.strip())
    slack = 1e-9 * domain.lengths[axis]
    return next(((axis, side) for side, end in (("low", domain.low), ("high", domain.high)) if abs(value - end[axis]) <= slack), None)


def _read_inside(path: object, domain: Box) -> tuple[Tensor, Tensor]:
    if not isinstance(path, str) or not path:
        raise ValueError(f"got {path!r}, expected the path of a CSV file with the columns x1, …, xd, value")
    x, values = read_points(path, domain.dim)
    outside = ~domain.contains(x)
    if bool(outside.any()):
        raise ValueError(f"{path}: got the point {x[int(outside.int().argmax())].tolist()}, expected points in {domain}")
    return x, values


def _free(name: str, taken: Sequence[str]) -> str:
    return next(n for n in (name, *(f"{name}_{k}" for k in range(2, len(taken) + 3))) if n not in taken)
