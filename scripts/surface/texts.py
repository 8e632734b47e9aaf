"""What is said to a problem written as text: bad values of every key, by kind of domain, operator and condition."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from asking import Answers, answers_of, leaves, merged
from values import ACCEPTED, of_options, written

from pinn_ntk.operators import OPERATORS
from pinn_ntk.problem import KINDS, TYPES, SpecError, problem_from_text

Spec = dict[str, Any]
SQUARE: Spec = {"kind": "box", "low": [0, 0], "high": [1, 1]}
SIZES: Spec = {"points": 2, "test_points": 2, "boundary_points": 8, "boundary": "soft"}
BASE: Spec = {"domain": {"kind": "box"}, "operator": {"kind": "laplacian"}, "source": 1, **SIZES}
TIMED: Spec = {**BASE, "domain": SQUARE, "time": True, "initial_value": 0, "initial_velocity": 0}
DISC: Spec = {"kind": "ball", "center": [0.5, 0.5], "radius": 0.2}
DOMAINS: dict[str, Spec] = {
    "box": SQUARE,
    "ball": DISC,
    "ellipse": {"kind": "ellipse", "center": [0, 0], "radii": [2, 1], "angle": 0.1},
    "annulus": {"kind": "annulus", "center": [0, 0], "inner": 1, "outer": 2},
    "polygon": {"kind": "polygon", "vertices": [[0, 0], [1, 0], [0, 1]]},
    "l_shape": {"kind": "l_shape", "low": [-1, -1], "high": [1, 1]},
    "union": {"kind": "union", "of": [SQUARE, DISC]},
    "difference": {"kind": "difference", "of": [SQUARE, DISC]},
    "intersection": {"kind": "intersection", "of": [SQUARE, DISC]},
}
PARAMETERS: dict[str, Spec] = {
    "elliptic": {"A": [["1 + x*x"]], "b": ["x"], "c": 0},
    "advection_diffusion": {"diffusivity": 1, "velocity": ["x"]},
    "divergence": {"k": "1 + x*x", "b": ["x"], "c": 0},
    "helmholtz": {"wavenumber": 1},
    "heat": {"diffusivity": 1},
    "wave": {"speed": 1},
    "black_scholes": {"volatility": 0.2, "rate": 0.1},
    "normal_derivative": {"normal": [1]},
    "robin": {"normal": [1], "alpha": 1, "beta": "1 + x*x"},
}
"""Of the operators that have any."""
NEED_TIME = ("heat", "wave", "time_derivative", "black_scholes")
CONDITIONS: dict[str, Spec] = {
    "dirichlet": {"type": "dirichlet", "on": "x=0", "value": "x", "points": 2, "name": "left", "weight": 2},
    "neumann": {"type": "neumann", "on": ["x=0", "x=1"], "value": 0, "points": 2},
    "robin": {"type": "robin", "on": "x=0", "alpha": 2, "beta": 1, "value": 0},
    "periodic": {"type": "periodic", "axis": "x", "points": 2},
    "initial": {"type": "initial", "value": "x", "points": 2},
    "initial_velocity": {"type": "initial_velocity", "value": "x", "points": 2},
    "data": {"type": "data", "csv": "nowhere.csv"},  # refused as it is
}
FORMULAS = (
    "", "sin(", "w", "sin", "sin(x", "sin(x, y)", "2x", "x y", "x**", "x^2", "x.y", "x[0]", "lambda: 1",
    "x if y else 1", "x < y", "x and y", "f(x)", "sine(x)", "exp(x=1)", "'x'", "True", "None", "1j", "x == y",
    "x // 2", "x % 2", "x @ y", "__import__('os')", "x**1001", "1e999", "z", "t", "x1", "x3", "1/0", "1/x",
    "log(x - 1)", "sqrt(x - 2)", "exp(1000)", "(" * 60 + "x" + ")" * 60, "x" + " + x" * 2000, "π*x", "x\ny", "x; y",
)  # fmt: skip
VALUES = ("text", "two\nlines", math.nan, -1, 2**70, True, None, [], {"a": 1})
_NAMES = re.compile(r"names: [^;]*; functions: [^;]*")  # told in full by `formula`
ALONE = ("kind", "type", "time", "domain", "operator", "dim", "conditions")
"""Last parts of keys that decide what else is read."""


def texts() -> Iterator[str]:
    """Lines `input problem.KEY (text, …) = values: message` and `formula TEXT: message`."""
    for table, cases in ((KINDS, DOMAINS), (TYPES, CONDITIONS)):
        if set(table) != set(cases):
            raise SystemExit(
                f"surface: scripts/surface/texts.py has cases for {sorted(cases)}, the package has {sorted(table)}"
            )
    for sort, cases in _cases().items():
        for key, bad, message, places in merged(cases.items()):
            where = sort if len(cases) == 1 else of_options(places, sort, cases)
            yield f"input problem.{key} (text, {where}) = {bad}: {_NAMES.sub('names: …', message)}"
    yield f"input problem.zzz (text) = 1: {written(objections(BASE | {'zzz': 1})[0][1])}"
    for formula in FORMULAS:
        said = [message for key, message in objections(BASE | {"domain": SQUARE, "source": formula}) if key == "source"]
        short = formula if len(formula) < 80 else f"{formula[:20]}…"
        yield f"formula {short!r}: {written('; '.join(said)) or ACCEPTED}"


def _cases() -> dict[str, dict[str, Answers]]:
    """Sort → case → what is said to bad values of that part of a specification."""
    full = {
        "name": "mine",
        "boundary": "hard",
        "weights": {},
        "seed": 0,
        "sampling": "sobol",
        "source": "1",
        "exact": "x",
    }
    timed = TIMED | {"dim": 2, "time_span": [0, 1], "domain": {"low": 0, "high": 1}, "boundary_value": "x"}
    grid = {"grid": "nowhere.nc", "variable": "a", "interpolation": "cubic"}
    terms = [{"A": [[1, 0], [0, "1 + x"]], "b": [1, 0], "c": 1, "symmetrise": True}]

    def of_operator(kind: str) -> Answers:
        spec = TIMED | {"exact": "x"} if kind in NEED_TIME else BASE
        own = PARAMETERS.get(kind, {"factor": 2})
        return _of(
            _without_start(spec) | {"operator": {"kind": kind, **own}}, *(f"operator.{key}" for key in ("kind", *own))
        )

    def of_condition(kind: str) -> Answers:
        spec = _without_start(TIMED) if kind.startswith("initial") else BASE
        return _of(spec | {"conditions": [CONDITIONS[kind]]}, "conditions", may_fail=kind == "data")

    return {
        "its own keys": {"": _of(BASE | full, *(key for key in {**BASE, **full} if key not in ("domain", "operator")))},
        "in time": {"": _of(timed, "time", "dim", "initial_", "boundary_value")},
        "domain": {kind: _of(BASE | {"domain": domain}, "domain.") for kind, domain in DOMAINS.items()},
        "operator": {kind: of_operator(kind) for kind in OPERATORS},
        "sum of terms": {"": _of(BASE | {"domain": SQUARE, "operator": terms}, "operator")},
        "condition": {kind: of_condition(kind) for kind in CONDITIONS},
        "grid": {"": _of(BASE | {"source": grid}, "source.", may_fail=True)},
    }


def _without_start(spec: Spec) -> Spec:
    return {key: value for key, value in spec.items() if key not in ("initial_value", "initial_velocity")}


def _of(spec: Spec, *prefixes: str, may_fail: bool = False) -> Answers:
    """What is said to bad values of the keys with such prefixes."""
    keys = [key for key in leaves(spec) if key.startswith(prefixes)]
    return answers_of(spec, keys, objections, lambda key: key.rpartition(".")[2] in ALONE, VALUES, repr, may_fail)


def objections(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is said against a specification, by key."""
    try:
        problem_from_text(spec)
    except SpecError as error:
        return list(error.problems)
    except Exception as error:
        return [
            (
                "",
                f"{type(error).__name__}: {error}"
                if isinstance(error, ValueError)
                else f"a bug: {type(error).__name__}",
            )
        ]
    return []
