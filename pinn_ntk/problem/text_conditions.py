"""Conditions from text: Dirichlet, Neumann, Robin, periodic, initial value, initial velocity, data;
faults are kept under their keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinn_ntk.arguments import choose, count, is_line, number
from pinn_ntk.expressions import Expression
from pinn_ntk.problem.conditions import NAMES, Given, free_name, names_of
from pinn_ntk.problem.data import read_points
from pinn_ntk.problem.formulas import Faults, Formulas
from pinn_ntk.problem.gridded import Gridded
from pinn_ntk.problem.periodic import SLOPE, periodic_conditions
from pinn_ntk.problem.regions import contained, named_pieces

TYPES: dict[str, tuple[str, ...]] = {  # the keys of each type beside type, name and weight
    "dirichlet": ("on", "value", "points"),
    "neumann": ("on", "value", "points"),
    "robin": ("on", "value", "alpha", "beta", "points"),
    "periodic": ("axis", "points"),
    "initial": ("value", "points"),
    "initial_velocity": ("value", "points"),
    "data": ("csv", "noise"),
}
_KINDS = {"initial_velocity": "velocity"}  # of a type, where it is called otherwise


def read_conditions(value: object, formulas: Formulas, manufactured: bool) -> list[Given]:
    """The conditions of a specification; faults are kept in the reader.

    Args:
        value: a list of mappings {type, on, value, alpha, beta, axis, csv, points, name, weight}.
        formulas: reads them.
        manufactured: an exact solution is known, so that values may be left out.
    """
    if not isinstance(value, (list, tuple)):
        formulas.faults.add(
            "conditions", f"got {value!r}, expected a list such as [{{type: neumann, on: x=0, value: 0}}]"
        )
        return []
    conditions: list[Given] = []
    for i, entry in enumerate(value):
        key = f"conditions[{i}]"
        if not isinstance(entry, Mapping):
            formulas.faults.add(key, f"got {entry!r}, expected a mapping with a type: {', '.join(TYPES)}")
            continue
        written = {"on" if name is True else name: said for name, said in entry.items()}  # YAML 1.1 reads `on:` as true
        given = _Entry(key, written, formulas).read(manufactured, [name for c in conditions for name in names_of(c)])
        conditions += [] if given is None else [given]
    return conditions


@dataclass(frozen=True)
class _Entry:
    """One entry of the list, being read."""

    key: str
    entry: Mapping[str, Any]
    formulas: Formulas

    @property
    def faults(self) -> Faults:
        """Where faults go."""
        return self.formulas.faults

    def read(self, manufactured: bool, taken: Sequence[str]) -> Given | None:
        """What the entry gives, or None when something in it is wrong and was noted."""
        faults, entry, key = self.faults, self.entry, self.key
        before = len(faults.found)
        own = faults.attempt(f"{key}.type", lambda: choose(f"{key}.type", entry.get("type"), TYPES))
        if own is None:
            return None
        kind = _KINDS.get(str(entry["type"]), str(entry["type"]))
        faults.unknown(f"{key}.", entry, ("type", "name", "weight", *own))
        usual = self._usual_name(kind, taken)
        name = entry.get("name", usual)
        used = name in (*taken, "interior") or (kind == "periodic" and f"{name}{SLOPE}" in taken)
        if not isinstance(name, str) or not name or not is_line(name) or used:
            faults.add(
                f"{key}.name", f"got {name!r}, expected a name of its own; taken are {', '.join(['interior', *taken])}"
            )
        if kind in ("initial", "velocity") and not self.formulas.time:
            faults.add(
                f"{key}.type",
                f"got {entry['type']} in a problem without time; write time: true, the last coordinate being t",
            )
        weight = self._weight()
        if kind == "data":
            given = self._data(str(name), weight)
        elif kind == "periodic":
            axis = entry.get("axis", "")  # what is neither is told by now
            axis = axis if isinstance(axis, (str, int)) else ""
            given = Given(kind, axis=axis, name=str(name), points=self._points(), weight=weight)
        else:
            given = self._condition(kind, str(name), weight, manufactured)
        return None if len(faults.found) > before else given

    def _usual_name(self, kind: str, taken: Sequence[str]) -> str:
        """The name where none is given; of a periodic condition it holds the axis, which is checked on the way."""
        if kind != "periodic":
            return free_name(NAMES.get(kind, kind), taken)
        domain, time, axis = self.formulas.domain, self.formulas.time, self.entry.get("axis", "")
        made = self.faults.attempt(f"{self.key}.axis", lambda: periodic_conditions(domain, axis, time=time))
        return "periodic" if made is None else made[0].name

    def _points(self) -> int | None:
        key, asked = f"{self.key}.points", self.entry.get("points")
        return None if asked is None else self.faults.attempt(key, lambda: count(key, asked))

    def _condition(self, kind: str, name: str, weight: float | None, manufactured: bool) -> Given:
        entry, key, points, on = self.entry, self.key, self._points(), "all"
        if "on" in entry:
            domain, time = self.formulas.domain, self.formulas.time
            known = self.faults.attempt(f"{key}.on", lambda: named_pieces(entry["on"], domain, time))
            on = on if known is None else entry["on"]
        alpha, beta = (
            self.formulas.coefficient(f"{key}.{factor}", entry.get(factor, 1.0), 0) for factor in ("alpha", "beta")
        )
        value = self._value(manufactured)
        alpha, beta = (1.0 if factor is None else factor for factor in (alpha, beta))
        return Given(kind, value, on, alpha, beta, name=name, points=points, weight=weight)

    def _data(self, name: str, weight: float | None) -> Given | None:
        def read() -> Given:
            """The table, its points being in the domain."""
            path = self.entry.get("csv")
            if not isinstance(path, str) or not path:
                raise ValueError(f"got {path!r}, expected the path of a CSV file with the columns x1, …, xd, value")
            x, values = read_points(path, self.formulas.domain.dim)
            contained(x, self.formulas.domain, path)
            return Given("data", x=x, measured=values, name=name, weight=weight, words=path, noise=noise)

        asked, own = self.entry.get("noise"), f"{self.key}.noise"
        noise = None if asked is None else self.faults.attempt(own, lambda: _deviation(own, asked))
        return self.faults.attempt(f"{self.key}.csv", read)

    def _weight(self) -> float | None:
        key, value = f"{self.key}.weight", self.entry.get("weight")
        return None if value is None else self.faults.attempt(key, lambda: number(key, value, positive=True))

    def _value(self, manufactured: bool) -> Expression | Gridded | None:
        if self.entry.get("value") is None:
            if not manufactured:
                self.faults.add(f"{self.key}.value", "missing; write a formula, or give `exact` for the whole problem")
            return None
        return self.formulas.field(f"{self.key}.value", self.entry["value"])


def _deviation(key: str, value: Any) -> float:
    """A standard deviation ≥ 0."""
    found = number(key, value)
    if found < 0.0:
        raise ValueError(f"{key}: got {value!r}, expected a standard deviation ≥ 0, or null where it is not known")
    return found
