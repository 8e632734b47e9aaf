"""A person's own problem from a plain mapping, as YAML gives it: formulas are read against a whitelist,
nothing of it is executed.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pinn_ntk.arguments import is_line
from pinn_ntk.expressions import Expression
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.operators.library import OPERATORS
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.assembly import Collocation, Equation, assemble, condition_block, interior, weighted
from pinn_ntk.problem.conditions import Given, counted_conditions, dirichlet, initial_value, initial_velocity
from pinn_ntk.problem.domains import read_domain
from pinn_ntk.problem.formulas import Faults, Formulas, OperatorTable, SpecError
from pinn_ntk.problem.gridded import Gridded
from pinn_ntk.problem.impose import IMPOSED, impose
from pinn_ntk.problem.pose import manufactured, second_order_in_time
from pinn_ntk.problem.residual import Ansatz, Block, Problem
from pinn_ntk.problem.text_conditions import read_conditions
from pinn_ntk.rules import checked

__all__ = ["SpecError", "problem_from_text"]

Text = Expression | Gridded | None

_COLLOCATION = ("points", "boundary", "boundary_points", "weights", "seed", "test_points", "sampling")
_FORMULAS = ("source", "exact", "boundary_value", "initial_value", "initial_velocity")
_FIELDS = ("source", "boundary_value", "initial_value", "initial_velocity")  # those that may come from a file
KEYS = ("name", "dim", "domain", "time", "time_span", "operator", *_FORMULAS, "conditions", *_COLLOCATION)


@checked
def problem_from_text(spec: object, operators: OperatorTable = OPERATORS) -> Problem:
    """𝓛u = f in Ω with its conditions, from a mapping of numbers, texts and lists.

    A manufactured problem needs only `operator` and `exact`: source, boundary and initial data follow by applying the
    operators to it.

    Args:
        spec: the keys are
            name, dim (default 1; time counts) or domain {kind: box, low, high}, another of `domains.KINDS` with what
            its factory takes, or {kind: union | difference | intersection, of: [domains]}; time (the last coordinate is
            t), time_span: [start, end], which makes the domain one of space;
            operator: {kind: …, its parameters}, such as {kind: divergence, k: "1 + x*x"}, {A, b, c} as numbers,
            formulas or nested lists, or a list of these for their sum; `factor`;
            source, exact, boundary_value, initial_value, initial_velocity: formulas in x, y, z or x1 … xd, and t; in
            place of any of them but `exact`, and of a coefficient, {grid: FILE.nc or .csv, variable, interpolation:
            linear | cubic};
            conditions: a list of {type: dirichlet | neumann | robin | periodic | initial | initial_velocity | data,
            on: all | piece | a list of them, value, alpha, beta, axis (of periodic, such as x), csv, points, name,
            weight}, each a block (periodic two), in place of boundary and initial values (data come beside them);
            boundary: hard | soft, points, boundary_points, weights, seed, test_points, sampling: see `Collocation`.
        operators: what `kind` may name.

    Returns:
        the problem; without a word about `boundary`, conditions are an ansatz on boxes without a list of them that has
        a map, else blocks.

    Raises:
        SpecError: everything that is wrong, at once, each with its key. An exact solution that is none is for
            `check_problem` to find.

    Examples:
        >>> from pinn_ntk import problem_from_text
        >>> text = {"operator": {"kind": "laplacian"}, "exact": "x**2", "points": 8, "boundary": "soft"}
        >>> problem = problem_from_text(text)
        >>> problem.equation, [block.target[0].item() for block in problem.blocks]
        ('Δu = 𝓛(x**2)', [2.0, 0.0])
    """
    faults = Faults()
    if not isinstance(spec, Mapping):
        raise SpecError([("problem", f"got {type(spec).__name__}, expected a mapping with the keys {', '.join(KEYS)}")])
    faults.unknown("", spec, KEYS)
    if not is_line(str(spec.get("name", ""))):
        faults.add("name", f"got {str(spec['name'])[:80]!r}, expected one line of text")
    how, time = _collocation(spec, faults), _time(spec, faults)
    domain = read_domain(spec, time, faults)
    if domain is None:
        raise SpecError(faults.found)  # names, shapes and points rest on the domain
    reader = Formulas(domain, time, faults)
    operator = None
    if spec.get("operator") is None:
        faults.add("operator", "missing; write for example {kind: laplacian} or {A: 1, b: 0, c: 0}")
    else:
        operator = reader.operator("operator", spec["operator"], operators)
    exact = None if spec.get("exact") is None else reader.formula("exact", spec["exact"])
    texts = {key: None if spec.get(key) is None else reader.field(key, spec[key]) for key in _FIELDS}
    listed = read_conditions(spec.get("conditions") or [], reader, spec.get("exact") is not None)
    _check_choice(spec, time, operator, listed, domain, faults)
    _check_weights(listed, how, faults)
    faults.stop()
    if operator is None:
        raise SpecError([("operator", "missing")])
    if spec.get("boundary") is None and not isinstance(domain, Box):
        how = replace(how, boundary="soft")
    if spec.get("boundary_points") is None:
        how = replace(how, boundary_points=max(how.boundary_points, len(domain.pieces)))
    return _build(spec, operator, reader, exact, texts, listed, how)


def _collocation(spec: Mapping[str, Any], faults: Faults) -> Collocation:
    """The choices of points and weights, each key checked on its own so that every fault is told."""
    how = Collocation()
    for key in _COLLOCATION:
        if spec.get(key) is not None:
            before = how
            how = faults.attempt(key, lambda k=key, b=before: replace(b, **{k: spec[k]})) or how  # type: ignore[misc]
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


def _check_choice(
    spec: Mapping[str, Any],
    time: bool,
    operator: SecondOrderOperator | None,
    conditions: list[Given],
    domain: Domain,
    faults: Faults,
) -> None:
    """What must and must not be given together."""
    listed = [c.name for c in conditions if c.kind != "data"]
    if spec.get("boundary") == "hard" and (soft := [c.name for c in conditions if c.kind not in (*IMPOSED, "data")]):
        faults.add(
            "boundary",
            f"got hard beside the conditions {', '.join(soft)}, which are soft blocks; write soft, or drop them",
        )
    for key in ("boundary_value", "initial_value", "initial_velocity"):
        if spec.get(key) is not None and listed:
            faults.add(key, "given beside `conditions`, which replace it; write it as a condition there")
        elif spec.get(key) is not None and key != "boundary_value" and not time:
            faults.add(key, "given in a problem without time; write time: true, the last coordinate being t")
    exact = spec.get("exact") is not None
    if not exact and not _listed(spec) and all(spec.get(key) is None for key in _FORMULAS):
        faults.add(
            "source",
            "missing; give a source, an exact solution, or boundary or initial values: all of them are zero otherwise",
        )
    if time and operator is not None and not listed:
        second = second_order_in_time(operator, domain)
        if spec.get("initial_velocity") is not None and not second:
            faults.add(
                "initial_velocity",
                "given for an equation of first order in time, where it follows from the equation; leave it out",
            )
        for key in ("initial_value", *(["initial_velocity"] if second else [])):
            if spec.get(key) is None and not exact:
                faults.add(key, "missing; an evolution problem needs it, or `exact`, or `conditions`")


def _check_weights(conditions: list[Given], how: Collocation, faults: Faults) -> None:
    """λ_b of a condition is given in one place."""
    for condition in conditions:
        if condition.weight is not None and condition.name in (how.weights or {}):
            faults.add(
                "weights",
                f"got one for {condition.name!r}, whose condition has a weight of its own; give one of the two",
            )


def _build(
    spec: Mapping[str, Any],
    operator: SecondOrderOperator,
    reader: Formulas,
    exact: Expression | None,
    texts: dict[str, Text],
    listed: list[Given],
    how: Collocation,
) -> Problem:
    """The problem of a specification that has been read without a fault."""
    faults, domain, time = reader.faults, reader.domain, reader.time
    source = texts["source"]
    own = any(one.kind != "data" for one in listed)
    second = time and second_order_in_time(operator, domain)
    given = listed if own else [*_usual(exact, texts, time, second), *listed]
    conditions, counts = counted_conditions(given, domain, time, exact)
    words = tuple(c.words for c in conditions if own or c.kind == "data")
    said = source.text if source else 0 if exact is None else f"𝓛({exact.text})"
    equation = Equation(
        name=str(spec.get("name", "problem")),
        operator=operator,
        domain=domain,
        source=source or manufactured(operator, exact),
        exact=exact,
        given=conditions,
        time=time,
        equation=", ".join([operator.equation(str(said), time), *(grid.text for grid in reader.grids)]),
        conditions=words if own else _words(exact, texts, time, second) + words,
    )
    how = replace(how, counts=counts)
    if how.hard and spec.get("boundary") is None:
        tried = Faults()
        try:
            return _collocated(equation, how, tried, bool(source), own)
        except SpecError:
            if any(key != "boundary" for key, _ in tried.found):
                raise
        how = replace(how, boundary="soft")
    return _collocated(equation, how, faults, bool(source), own)


def _collocated(equation: Equation, how: Collocation, faults: Faults, sourced: bool, listed: bool) -> Problem:
    """The same as `collocate`, with each fault under the key that it comes from."""
    domain = equation.domain
    faults.attempt("test_points", lambda: domain.test_points(how.test_points))
    faults.stop()
    ansatz = _imposed(equation, faults) if how.hard else None
    faults.stop()
    faults.attempt("points", lambda: domain.interior(how.points, how.seed, how.sampling))
    faults.stop()
    blocks: list[Block] = []
    try:
        blocks.append(interior(equation, ansatz, how))
    except ValueError as error:
        faults.add(*_rests_on(error, "source" if sourced else "exact"))
    for i, condition in enumerate(equation.given):
        if ansatz is None or condition.kind not in IMPOSED:
            key = "conditions" if listed or condition.kind == "data" else "boundary_points"
            block = faults.attempt(key, partial(condition_block, equation.given, i, ansatz, how))
            blocks += [] if block is None else [block]
    faults.stop()
    faults.attempt("weights", lambda: weighted(blocks, how.weights))
    faults.stop()
    return assemble(equation, blocks, ansatz, how)


def _imposed(equation: Equation, faults: Faults) -> Ansatz | None:
    try:
        return impose(equation.given, equation.domain, equation.time, equation.exact)
    except ValueError as error:
        faults.add(*_rests_on(error, "initial_value" if equation.time else "boundary_value"))
        return None


def _rests_on(error: ValueError, otherwise: str) -> tuple[str, str]:
    """The key that an error is about, and the rest of it."""
    about, words = (
        ("boundary", str(error).removeprefix("boundary: "))
        if str(error).startswith("boundary: ")
        else (otherwise, str(error))
    )
    return about, words


def _usual(exact: Expression | None, texts: dict[str, Text], time: bool, second: bool) -> list[Given]:
    """The conditions of boundary_value, initial_value and initial_velocity;
    those that are missing follow from `exact` or are zero.
    """

    def value(key: str) -> Text | float:
        formula = texts[key]
        return 0.0 if formula is None and exact is None else formula

    first = [initial_value(value("initial_value"))] if time else []
    return [
        dirichlet(value("boundary_value")),
        *first,
        *([initial_velocity(value("initial_velocity"))] if second else []),
    ]


def _words(exact: Expression | None, texts: dict[str, Text], time: bool, second: bool) -> tuple[str, ...]:
    """The boundary and initial conditions for a report."""
    rows = [("u", "boundary_value", "on ∂Ω")]
    rows += [("u", "initial_value", "at the start")] if time else []
    rows += [("u_t", "initial_velocity", "at the start")] if second else []
    otherwise = "0" if exact is None else f"that of {exact.text}"
    return tuple(
        f"{left} = {formula.text if (formula := texts[key]) else otherwise} {place}" for left, key, place in rows
    )
