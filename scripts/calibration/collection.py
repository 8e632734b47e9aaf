"""Everything that the estimate is tried on, by name: A1–A10 and G1–G7, the cases of tests/cases, and problems drawn."""

import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import accuracy
import generator
import torch
import yaml
from posing import Posed, fresh_points, posed, read, relative_error
from torch import Tensor

from pinn_ntk.solving import Solution

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = ROOT / "tests" / "cases"
CASE_TOLERANCE = 1e-10
# case → (expected class, whether it is resolvable as the generator says it: smallest scale over the size)
EXPECTED = {
    "heater_kelvin": ("unique", True),
    "hot_spot": ("unique", False),
    "hot_spot_2mm": ("unique", False),
    "moving_laser": ("unique", False),
    "no_inflow": ("undetermined", False),
    "noisy_sensors": ("noise", False),
    "resonance_none": ("no-solution", False),
    "resonance_zero": ("undetermined", False),
    "shell_3d": ("unique", True),
    "two_bodies": ("undetermined", False),
    "two_layers_div": ("unique", False),
    "wrong_sign_heat": ("ill-posed", False),
}
_AT = re.compile(r"\w+\(([\d., ]+)\)")
Truth = Callable[[Solution], float | None]
Key = str | int
"""The name of a benchmark or case, or a seed of the generator."""


@dataclass(frozen=True)
class Entry:
    """One problem of the collection.

    Attributes:
        name: of it.
        tags: what it is.
        expected: what is to be said of it.
        resolvable: whether UNRESOLVED would be an excuse.
        tolerance: what is asked.
        pose: the problem, and how its answer is judged.
        key: what `entry_of` finds it by, in another process.
    """

    name: str
    tags: tuple[str, ...]
    expected: str
    resolvable: bool
    tolerance: float
    pose: Callable[[], tuple[Posed, Truth]]
    key: Key


def collection(seeds: Iterable[int]) -> list[Entry]:
    """The known ones, then those of the seeds."""
    return [
        *(entry_of(name) for name in accuracy.CASES),
        *(entry_of(name) for name in EXPECTED),
        *(entry_of(seed) for seed in seeds),
    ]


def entry_of(key: Key) -> Entry:
    """The problem of a name or a seed."""
    if isinstance(key, int):
        return drawn(key)
    return case(key) if key in EXPECTED else benchmark(key)


def drawn(seed: int) -> Entry:
    """A problem of the generator: ‖u − h‖/‖u‖ on fresh points where there is one u."""
    one = generator.problem(seed)

    def pose() -> tuple[Posed, Truth]:
        problem = posed(one)
        domain, exact = problem.problem.domain, problem.exact
        assert domain is not None

        def truth(solution: Solution) -> float | None:
            if exact is None or one.expected not in ("unique", "noise"):
                return None
            x, weights = fresh_points(domain, one.features)
            return relative_error(_values(solution, x), exact(x).detach(), weights, "up to a constant" in one.tags)

        return problem, truth

    return Entry(one.name, one.tags, one.expected, one.resolvable, one.tolerance, pose, seed)


def benchmark(name: str) -> Entry:
    """A problem of scripts/accuracy.py, judged as it is there."""

    def pose() -> tuple[Posed, Truth]:
        problem = read(text_of(accuracy.BENCHMARKS / "conf" / "problem" / f"{name}.yaml"))
        return problem, lambda solution: accuracy.error_of(
            name, lambda x: _values(solution, x), problem.problem.domain, problem.exact
        )[0]

    return Entry(name, ("benchmark",), "unique", True, CASE_TOLERANCE, pose, name)


def case(name: str) -> Entry:
    """A case of tests/cases: against its exact solution, or the values of expected.csv."""
    expected, resolvable = EXPECTED[name]

    def pose() -> tuple[Posed, Truth]:
        problem = read(text_of(CASES / "problem" / f"{name}.yaml"))
        domain, points = problem.problem.domain, values_of(name)
        exact = problem.exact or ((lambda p: torch.sin(torch.pi * p).prod(1)) if name == "noisy_sensors" else None)
        assert domain is not None

        def truth(solution: Solution) -> float | None:
            if exact is not None:
                x, weights = fresh_points(domain)
                return relative_error(_values(solution, x), exact(x), weights)
            gaps = [abs(float(_values(solution, torch.tensor([x]).double())) - v) / abs(v) for x, v in points]
            return max(gaps) if gaps else None

        return problem, truth

    return Entry(name, ("case",), expected, resolvable, CASE_TOLERANCE, pose, name)


def text_of(path: Path) -> dict[str, Any]:
    """A problem in YAML, without the kind that the command asks for."""
    text = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {key: value for key, value in text.items() if key != "kind"}


def values_of(name: str) -> list[tuple[list[float], float]]:
    """(x, u(x)) of a case."""
    with (CASES / "expected.csv").open(encoding="utf-8", newline="") as file:
        rows = [(_AT.fullmatch(r["what"]), r["value"]) for r in csv.DictReader(file) if r["case"] == name]
    return [([float(v) for v in at.group(1).split(",")], float(value)) for at, value in rows if at is not None]


def _values(solution: Solution, x: Tensor) -> Tensor:
    return solution.answer.u(x, outside=True).detach().cpu()
