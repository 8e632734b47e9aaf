"""What a person writes in a specification: numbers, formulas, coefficients and operators,
with every fault kept under its key.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from pinn_ntk.arguments import choose, nearest, number
from pinn_ntk.expressions import Expression, check_finite, parse
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.operators.coefficients import Differentiable
from pinn_ntk.operators.second_order import GENERAL, SecondOrderOperator
from pinn_ntk.problem.gridded import KEYS, Gridded, read_gridded

T = TypeVar("T")
_SIZES = ("dim", "space_dim", "time", "name")  # what a preset is told of the problem, or is not a key
OperatorTable = Mapping[str, Callable[..., SecondOrderOperator]]


class SpecError(ValueError):
    """Everything that is wrong with a specification, found in one reading.

    Args:
        problems: pairs (key, what is wrong with it).
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(tuple(problems))  # the plain argument, so that the error survives pickling between processes
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(f"{key}: {message}" for key, message in self.problems)


@dataclass
class Faults:
    """The faults found so far, each under its key, so that all of them are told at once."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, key: str, message: str) -> None:
        """One more."""
        self.found.append((key, message))

    def attempt(self, key: str, make: Callable[[], T]) -> T | None:
        """make(), or None with its ValueError kept under the key."""
        try:
            return make()
        except SpecError as error:
            self.found.extend(error.problems)
        except ValueError as error:
            self.add(key, str(error).removeprefix(f"{key}: ").removeprefix(f"{key.rpartition('.')[2]}: "))
        return None

    def unknown(self, prefix: str, given: Iterable[object], known: Iterable[str]) -> None:
        """A fault for each key that is not known, with the nearest one that is."""
        names = list(known)
        for key in given:
            if key not in names:
                self.add(f"{prefix}{key}", f"unknown key, expected one of {', '.join(names)}{nearest(str(key), names)}")

    def stop(self) -> None:
        """Raise SpecError if anything was found."""
        if self.found:
            raise SpecError(self.found)


def constant(what: str, value: object) -> float:
    """A finite number, written as one or as a formula without coordinates such as 2*pi.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, str):
        return number(what, value)
    formula = parse(value, 1)
    if not formula.is_constant:
        raise ValueError(f"{what}: got `{value}`, expected a number or a formula without coordinates")
    return formula.value


@dataclass(frozen=True)
class Formulas:
    """Reads formulas in the coordinates of one domain, and tries each of them all over it.

    Attributes:
        domain: Ω, or Ω × [t₀, T].
        time: whether the last coordinate is t.
        faults: where faults go.
        grids: the fields from files that were read, for a report.
    """

    domain: Domain
    time: bool
    faults: Faults
    grids: list[Gridded] = field(default_factory=list)

    @cached_property
    def sample(self) -> Tensor:
        """Points inside, on every piece, and (of boxes in few dimensions) the corners and midpoints,
        where formulas like to fail.
        """
        domain = self.domain
        parts = [domain.interior(256), domain.boundary(max(16 * domain.dim, 8 * len(domain.pieces)))]
        return torch.cat([*parts, domain.lattice(3)] if isinstance(domain, Box) and domain.dim <= 6 else parts)

    def formula(self, key: str, value: object) -> Expression | None:
        """The formula under that key, finite on the whole domain; None with a fault otherwise."""
        formula = self.faults.attempt(key, lambda: parse(value, self.domain.dim, self.time))  # type: ignore[arg-type]
        if formula is not None:
            checked = formula
            self.faults.attempt(key, lambda: check_finite(checked, self.sample, key))
        return formula

    def field(self, key: str, value: object, smooth: bool = False) -> Expression | Gridded | None:
        """The formula under that key, or the field {grid: FILE} from a file, whose grid has to hold the domain;
        a smooth one is taken for its cubic spline.
        """
        if not isinstance(value, Mapping):
            return self.formula(key, value)
        before = len(self.faults.found)
        self.faults.unknown(f"{key}.", value, KEYS)
        read = self.faults.attempt(key, lambda: read_gridded(value, self.domain.dim, self.time, smooth))
        if read is not None:
            grid = read
            self.faults.attempt(key, lambda: grid.at(self.sample))
        if read is None or len(self.faults.found) > before:
            return None
        self.grids.append(read)
        return read

    def coefficient(self, key: str, value: object, rank: int = 2, smooth: bool = False) -> Any:
        """A number, a formula, a field from a file, or a nested list of these; numbers stay numbers,
        constants constant. What is smooth can be differentiated.
        """
        if isinstance(value, (list, tuple)):
            if rank == 0 or len(value) > self.domain.dim:
                expected = (
                    "a number or a formula" if rank == 0 else f"at most {self.domain.dim}, one for each coordinate"
                )
                self.faults.add(key, f"got a list of {len(value)} entries, expected {expected}")
                return 0.0
            return [self.coefficient(f"{key}[{i}]", v, rank - 1, smooth) for i, v in enumerate(value)]
        read = self.field(key, value, smooth)
        return 0.0 if read is None else read.value if read.is_constant else read

    def operator(self, key: str, value: object, table: OperatorTable) -> SecondOrderOperator | None:
        """𝓛 from {kind, its parameters}, from {A, b, c}, or the sum of a list of these; `factor` multiplies.

        Faults are kept; the operator returned is evaluated once on the whole domain.
        """
        before = len(self.faults.found)
        parts = value if isinstance(value, (list, tuple)) and value else [value]
        names = [key] if parts is not value else [f"{key}[{i}]" for i in range(len(parts))]
        made = [self._term(name, part, table) for name, part in zip(names, parts, strict=True)]
        if len(self.faults.found) > before:
            return None
        operator: SecondOrderOperator | None = None
        for part in made:
            if part is not None:
                operator = part if operator is None else operator + part
        if operator is not None:
            tried = operator
            self.faults.attempt(key, lambda: tried.rows(self.domain.interior(64)))
        return operator

    def _term(self, key: str, value: object, table: OperatorTable) -> SecondOrderOperator | None:
        if not isinstance(value, Mapping):
            self.faults.add(
                key, f"got {value!r}, expected a mapping such as {{kind: laplacian}} or {{A: 1, b: [0, 1], c: 0}}"
            )
            return None
        factor = self.faults.attempt(f"{key}.factor", lambda: constant(f"{key}.factor", value.get("factor", 1.0)))
        rest = {k: v for k, v in value.items() if k != "factor"}
        made = self._by_kind(key, rest, table) if "kind" in rest else self._by_coefficients(key, rest)
        if made is None or factor is None or factor == 1.0:
            return made
        if not made.named:
            return made * factor
        scaled, name = made * factor, made.name if " " not in made.name else f"({made.name})"
        scaled.name = f"{'−' if factor < 0 else ''}{'' if abs(factor) == 1.0 else f'{abs(factor):g} '}{name}"
        return scaled

    def _by_coefficients(self, key: str, value: Mapping[str, Any]) -> SecondOrderOperator | None:
        before, d = len(self.faults.found), self.domain.dim
        self.faults.unknown(f"{key}.", value, ("A", "b", "c", "symmetrise", "kind", "factor"))
        if not value.keys() & {"A", "b", "c"}:
            self.faults.add(key, "got none of A, b and c, expected at least one, or a kind")
        A, b, c = (self.coefficient(f"{key}.{name}", value.get(name, 0.0)) for name in ("A", "b", "c"))
        b = [b] if d == 1 and callable(b) else b
        if callable(b):
            self.faults.add(f"{key}.b", f"got one formula, expected a list of {d}, one for each coordinate")
        if not isinstance(symmetrise := value.get("symmetrise", False), bool):
            self.faults.add(f"{key}.symmetrise", f"got {symmetrise!r}, expected true or false")
        if len(self.faults.found) > before:
            return None
        make = SecondOrderOperator
        return self.faults.attempt(key, lambda: make(d, A, b, c, GENERAL, symmetrise=symmetrise))

    def _by_kind(self, key: str, value: Mapping[str, Any], table: OperatorTable) -> SecondOrderOperator | None:
        before = len(self.faults.found)
        preset = self.faults.attempt(f"{key}.kind", lambda: choose(f"{key}.kind", value["kind"], table))
        if preset is None:
            return None
        parameters = inspect.signature(preset).parameters
        own = [name for name in parameters if name not in _SIZES]
        self.faults.unknown(f"{key}.", value, ["kind", "factor", *own])
        arguments = {
            name: self._argument(f"{key}.{name}", value[name], parameters[name]) for name in own if name in value
        }
        if "space_dim" in parameters and not self.time:
            self.faults.add(
                f"{key}.kind",
                f"{value['kind']} needs time: got time: false, expected time: true, the last coordinate being t",
            )
        for name in own:
            if name not in value and parameters[name].default is inspect.Parameter.empty:
                self.faults.add(f"{key}.{name}", f"missing; {value['kind']} needs it")
        sizes = {"dim": self.domain.dim, "space_dim": self.domain.dim - 1, "time": self.time}
        arguments |= {name: size for name, size in sizes.items() if name in parameters}
        return (
            None
            if len(self.faults.found) > before
            else self.faults.attempt(key, lambda: _made(preset, arguments, self.domain.dim))
        )

    def _argument(self, key: str, value: object, parameter: inspect.Parameter) -> Any:
        """A parameter of a preset: a number where the preset says float, else a coefficient."""
        annotation = getattr(parameter.annotation, "__origin__", parameter.annotation)  # of Annotated[float, rule]
        if annotation in (float, "float"):
            return self.faults.attempt(key, lambda: constant(key, value))
        return self.coefficient(key, value, smooth=parameter.annotation in (Differentiable, "Differentiable"))


def _made(preset: Callable[..., SecondOrderOperator], arguments: Mapping[str, Any], dim: int) -> SecondOrderOperator:
    try:
        operator = preset(**arguments)
    except TypeError as error:  # of a person's own preset, which cannot use what it was given
        raise ValueError(f"got {dict(arguments)}, which it cannot use ({error})") from error
    if operator.dim != dim:
        raise ValueError(f"got an operator on {operator.dim} coordinates, expected {dim}, as many as the domain has")
    return operator
