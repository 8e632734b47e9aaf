"""A person's own problem from a plain mapping, as YAML gives it: formulas are read against a whitelist, nothing of it is executed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.arguments import count
from pinn_ntk.expressions import Expression
from pinn_ntk.geometry.box import Box, box
from pinn_ntk.operators.library import OPERATORS
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.ansatz import check_blendable
from pinn_ntk.problem.assembly import Collocation, Equation, assemble, impose, interior, soft_conditions, weighted
from pinn_ntk.problem.conditions import Condition, read_conditions
from pinn_ntk.problem.formulas import Faults, Formulas, OperatorTable, SpecError, constant
from pinn_ntk.problem.residual import Block, Function, Problem

__all__ = ["SpecError", "problem_from_text"]

_COLLOCATION = ("points", "boundary", "boundary_points", "weights", "seed", "test_points", "sampling")
_FORMULAS = ("source", "exact", "boundary_value", "initial_value", "initial_velocity")
_MAX_DIM = 100  # every coordinate has two faces and a Hessian column of ϕ: seconds here, a quarter of an hour at 1000
KEYS = ("name", "dim", "domain", "time", "operator", *_FORMULAS, "conditions", *_COLLOCATION)


def problem_from_text(spec: Mapping[str, Any], operators: OperatorTable = OPERATORS) -> Problem:
    """𝓛u = f in Ω with its conditions, from a mapping of numbers, texts and lists.

    A manufactured problem needs only `operator` and `exact`: source, boundary and initial data follow by applying the operators to it.

    Args:
        spec: the keys are
            name, dim (default 1; time counts) or domain {kind: box, low, high}, time (the last coordinate is t);
            operator: {kind: …, its parameters}, {A, b, c} as numbers, formulas or nested lists, or a list of these for their sum; `factor`;
            source, exact, boundary_value, initial_value, initial_velocity: formulas in x, y, z or x1 … xd, and t;
            conditions: a list of {type: dirichlet | neumann | robin | initial | initial_velocity | data, on: all | "x=0" | a list,
            value, alpha, beta, csv, points, name, weight}, each a block, in place of boundary and initial values (data come beside them);
            boundary: hard | soft, points, boundary_points, weights, seed, test_points, sampling: see `Collocation`.
        operators: what `kind` may name.

    Returns:
        the problem; with conditions other than data, or boundary: soft, its conditions are blocks, else an ansatz.

    Raises:
        SpecError: everything that is wrong, at once, each with its key. An exact solution that is none is for `check_problem` to find.
    """
    faults = Faults()
    if not isinstance(spec, Mapping):
        raise SpecError([("problem", f"got {type(spec).__name__}, expected a mapping with the keys {', '.join(KEYS)}")])
    faults.unknown("", spec, KEYS)
    how, time = _collocation(spec, faults), _time(spec, faults)
    domain = _domain(spec, time, faults)
    if domain is None:
        raise SpecError(faults.found)  # names, shapes and points rest on the domain
    reader = Formulas(domain, time, faults)
    operator = None
    if spec.get("operator") is None:
        faults.add("operator", "missing; write for example {kind: laplacian} or {A: 1, b: 0, c: 0}")
    else:
        operator = reader.operator("operator", spec["operator"], operators)
    texts = {key: reader.optional(spec, key) for key in _FORMULAS}
    listed = spec.get("conditions") or []
    conditions = read_conditions(listed, reader, texts["exact"] is not None, how.boundary_points, how.seed)
    _check_choice(spec, time, operator, conditions, domain, faults)
    _check_weights(conditions, how, faults)
    faults.stop()
    if operator is None:
        raise SpecError([("operator", "missing")])
    return _build(spec, operator, domain, time, texts, conditions, how, faults)


def _collocation(spec: Mapping[str, Any], faults: Faults) -> Collocation:
    """The choices of points and weights, each key checked on its own so that every fault is told."""
    how = Collocation()
    for key in _COLLOCATION:
        if spec.get(key) is not None:
            before = how
            how = faults.attempt(key, lambda key=key, before=before: replace(before, **{key: spec[key]})) or how  # type: ignore[misc]
    kinds = [c.get("type") for c in _listed(spec) if isinstance(c, Mapping)]
    return replace(how, boundary="soft") if "boundary" not in spec and any(kind != "data" for kind in kinds) else how


def _listed(spec: Mapping[str, Any]) -> list[Any]:
    conditions = spec.get("conditions")
    return list(conditions) if isinstance(conditions, (list, tuple)) else []


def _time(spec: Mapping[str, Any], faults: Faults) -> bool:
    time = spec.get("time", False)
    if not isinstance(time, bool):
        faults.add("time", f"got {time!r}, expected true (the last coordinate is t) or false")
    return time is True


def _domain(spec: Mapping[str, Any], time: bool, faults: Faults) -> Box | None:
    """The box of `domain`, or the unit box in `dim` coordinates."""
    given, dim = spec.get("domain"), spec.get("dim")
    if dim is not None and faults.attempt("dim", lambda: count("dim", dim, most=_MAX_DIM)) is None:
        return None
    if given is not None and not isinstance(given, Mapping):
        faults.add("domain", f"got {given!r}, expected a mapping {{kind: box, low: [0, 0], high: [1, 1]}}")
        return None
    described = given or {}
    faults.unknown("domain.", described, ("kind", "low", "high"))
    if described.get("kind", "box") != "box":
        faults.add("domain.kind", f"got {described['kind']!r}, expected box")
    low = faults.attempt("domain.low", lambda: _ends("domain.low", described.get("low", 0.0)))
    high = faults.attempt("domain.high", lambda: _ends("domain.high", described.get("high", 1.0)))
    if low is None or high is None:
        return None
    d = dim or max(len(low), len(high))
    low, high = ([v[0]] * d if len(v) == 1 else v for v in (low, high))
    if d > _MAX_DIM:
        faults.add("domain", f"got {d} coordinates, expected at most {_MAX_DIM}")
        return None
    if len(low) != d or len(high) != d:
        faults.add("domain", f"got {len(low)} lower and {len(high)} upper ends for {d} coordinates, expected one of each for each")
        return None
    if time and d < 2:
        faults.add("dim", "got 1 coordinate with time: true, expected space coordinates and time as the last one; dim counts time")
        return None
    return faults.attempt("domain", lambda: box(low, high))


def _ends(key: str, value: object) -> list[float]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ValueError("got an empty list, expected one number for each coordinate")
    return [constant(key, v) for v in values]


def _check_choice(
    spec: Mapping[str, Any], time: bool, operator: SecondOrderOperator | None, conditions: list[Condition], domain: Box, faults: Faults
) -> None:
    """What must and must not be given together."""
    listed = [c.type for c in conditions if c.type != "data"]
    if spec.get("boundary") == "hard" and listed:
        faults.add("boundary", f"got hard beside the conditions {', '.join(listed)}, which are soft blocks; write soft, or drop them")
    for key in ("boundary_value", "initial_value", "initial_velocity"):
        if spec.get(key) is not None and listed:
            faults.add(key, "given beside `conditions`, which replace it; write it as a condition there")
        elif spec.get(key) is not None and key != "boundary_value" and not time:
            faults.add(key, "given in a problem without time; write time: true, the last coordinate being t")
    exact = spec.get("exact") is not None
    if not exact and not _listed(spec) and all(spec.get(key) is None for key in _FORMULAS):
        faults.add("source", "missing; give a source, an exact solution, or boundary or initial values: all of them are zero otherwise")
    if time and operator is not None and not listed:
        second = _second_order_in_time(operator, domain)
        if spec.get("initial_velocity") is not None and not second:
            faults.add("initial_velocity", "given for an equation of first order in time, where it follows from the equation; leave it out")
        for key in ("initial_value", *(["initial_velocity"] if second else [])):
            if spec.get(key) is None and not exact:
                faults.add(key, "missing; an evolution problem needs it, or `exact`, or `conditions`")


def _check_weights(conditions: list[Condition], how: Collocation, faults: Faults) -> None:
    """λ_b of a condition is given in one place."""
    for condition in conditions:
        if condition.weight is not None and condition.name in (how.weights or {}):
            faults.add("weights", f"got one for {condition.name!r}, whose condition has a weight of its own; give one of the two")


def _second_order_in_time(operator: SecondOrderOperator, domain: Box) -> bool:
    return bool(operator.coefficients(domain.interior(16))[0][:, -1, -1].any())


def _build(
    spec: Mapping[str, Any],
    operator: SecondOrderOperator,
    domain: Box,
    time: bool,
    texts: dict[str, Expression | None],
    conditions: list[Condition],
    how: Collocation,
    faults: Faults,
) -> Problem:
    """The problem of a specification that has been read without a fault."""
    exact, source = texts["exact"], texts["source"]
    listed = any(c.type != "data" for c in conditions)
    second = time and _second_order_in_time(operator, domain)
    posed = Equation(
        name=str(spec.get("name", "problem")),
        operator=operator,
        domain=domain,
        source=source or (0.0 if exact is None else lambda x: operator.apply(exact, x)),
        exact=exact,
        data=_unless_zero(texts["boundary_value"] or exact),
        initial=(texts["initial_value"] or exact) if time and not listed else None,
        velocity=(texts["initial_velocity"] or _time_slope(exact)) if second and not listed else None,
        equation=f"{operator.name} = {source.text if source else 0 if exact is None else f'𝓛({exact.text})'}",
        conditions=tuple(c.words for c in conditions) if listed else _words(texts, time, second) + tuple(c.words for c in conditions),
    )
    if how.hard:
        faults.attempt("boundary", lambda: check_blendable(domain.dim - time, posed.data))
    faults.attempt("test_points", lambda: domain.test_points(how.test_points))
    faults.stop()
    key = "initial_value" if time else "boundary_value"
    ansatz = faults.attempt(key, lambda: impose(posed)) if how.hard else None
    faults.stop()
    faults.attempt("points", lambda: domain.interior(how.points, how.seed, how.sampling))
    faults.stop()
    blocks: list[Block] = []
    faults.attempt("source" if source else "exact", lambda: blocks.append(interior(posed, ansatz, how)))
    if not how.hard and not listed:
        faults.attempt("boundary_points", lambda: blocks.extend(soft_conditions(posed, how)))
    for condition in conditions:
        faults.attempt("conditions", lambda c=condition: blocks.append(c.block(exact, ansatz)))  # type: ignore[misc]
    faults.stop()
    faults.attempt("weights", lambda: weighted(blocks, how.weights))
    faults.stop()
    return assemble(posed, blocks, ansatz, how, time)


def _unless_zero(formula: Expression | None) -> Expression | None:
    return None if formula is not None and formula.is_constant and formula.value == 0.0 else formula


def _time_slope(exact: Expression | None) -> Function | None:
    """∂u/∂t of the exact solution."""
    if exact is None:
        return None

    def slope(x: Tensor) -> Tensor:
        return torch.func.grad(lambda p: exact(p).sum())(x)[:, -1]  # type: ignore[no-any-return]

    return slope


def _words(texts: dict[str, Expression | None], time: bool, second: bool) -> tuple[str, ...]:
    """The boundary and initial conditions for a report."""
    exact = texts["exact"]
    rows = [("u", "boundary_value", "on ∂Ω")]
    rows += [("u", "initial_value", "at the start")] if time else []
    rows += [("u_t", "initial_velocity", "at the start")] if second else []
    otherwise = "0" if exact is None else f"that of {exact.text}"
    return tuple(f"{left} = {formula.text if (formula := texts[key]) else otherwise} {place}" for left, key, place in rows)
