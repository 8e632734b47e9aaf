"""Any operator of the class at points that are given one by one: 𝓛u(x_i) = f_i, i = 1…n, and no boundary conditions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_DIM
from pinn_ntk.expressions import Expression
from pinn_ntk.geometry.box import Box, box
from pinn_ntk.operators.library import OPERATORS
from pinn_ntk.problem.assembly import TestPoints, Weights, weighted
from pinn_ntk.problem.formulas import Faults, Formulas, SpecError, constant
from pinn_ntk.problem.residual import Block, Problem
from pinn_ntk.rules import Rule, checked, flag

UNIT_VECTORS = ((1, 0), (0, 1))


@checked
def given_points(
    *,
    operator: Annotated[
        str | Mapping[str, Any] | Sequence[Mapping[str, Any]],
        Rule("𝓛: a name, {kind: …}, {A, b, c}, or a list of these for their sum", "any"),
    ] = "identity",
    points: Annotated[Sequence[Any] | Tensor, Rule('x_i: numbers, or texts such as "1/3"', "any")] = UNIT_VECTORS,
    target: Annotated[
        float | str | Sequence[float | str] | None,
        Rule("f: a number, a formula or n numbers; null applies 𝓛 to `exact`, or takes ±√½ in turn", "any"),
    ] = None,
    exact: Annotated[float | str | None, Rule("u, where it is known", "any")] = None,
    low: Annotated[
        float | Sequence[float], Rule("lower ends of the box that holds the points, a number for all", "any")
    ] = 0.0,
    high: Annotated[float | Sequence[float], Rule("upper ends of that box", "any")] = 1.0,
    time: Annotated[bool, flag("the last coordinate is t")] = False,
    weights: Weights = None,
    test_points: TestPoints = 4096,
) -> Problem:
    """𝓛u(x_i) = f_i at given x_i: what the theorems are about, with no boundary between the points and the network.

    Args:
        operator: a name of `OPERATORS`, {kind: …, its parameters}, {A, b, c} as numbers, formulas or nested lists, or a
            list of these for their sum.
        points: x_i as lists of d numbers, or numbers alone for d = 1; texts such as "1/3" and "sqrt(2)/2" are numbers
            too.
        target: f: one number or formula in x, y, z or x1 … xd, or a list of n numbers; 𝓛 applied to `exact` when it is
            left out, and the numbers ±√½ in turn when both are, whose mean square is ½.
        exact: u as a formula, where it is known: errors are measured against it.
        low: lower ends of the box that holds the points, a number for all.
        high: upper ends.
        time: whether the last coordinate is t.
        weights: λ_b by block name; the block is called interior.
        test_points: how many points of the box errors are measured at, where `exact` is given.

    Raises:
        ValueError: a faulty operator, formula, point or weight, a point outside the box, or a list of another length
            than n.
    """
    x = _table(points)
    domain = _box(x, low, high)
    outside = ~domain.contains(x)
    if bool(outside.any()):
        raise ValueError(
            f"points: got {x[int(outside.int().argmax())].tolist()}, expected points in {domain}; set low and high"
        )
    faults = Faults()
    reader = Formulas(domain, time, faults)
    made = reader.operator("operator", {"kind": operator} if isinstance(operator, str) else operator, OPERATORS)
    u = None if exact is None else reader.formula("exact", exact)
    faults.stop()
    if made is None:
        raise SpecError([("operator", "missing")])
    values, words = (
        (made.apply(u, x), f"𝓛({u.text})") if target is None and u is not None else _target(target, x, reader)
    )
    faults.stop()
    return Problem(
        weighted([Block(made, x, values, "interior")], weights),
        name="points",
        exact=u,
        domain=domain,
        equation=made.equation(f"f at {len(x)} given points, f = {words}", time),
        time=time,
        test_points=None if u is None else domain.test_points(test_points),
    )


def _table(points: Sequence[Any] | Tensor) -> Tensor:
    """The points as (n, d) numbers."""
    if isinstance(points, Tensor) and points.ndim == 2:
        return points.to(torch.float64)
    if isinstance(points, (str, Mapping)) or not isinstance(points, Sequence) or not len(points):
        raise ValueError(f"points: got {points!r}, expected a list of points such as [[1, 0], [0, 1]]")
    rows = [list(p) if isinstance(p, (list, tuple)) else [p] for p in points]
    sizes = sorted({len(row) for row in rows})
    if len(sizes) > 1 or not 1 <= sizes[0] <= MAX_DIM:
        raise ValueError(
            f"points: got points with {', '.join(map(str, sizes))} coordinates, expected as many in each, from "
            f"1 to {MAX_DIM}"
        )
    return torch.tensor(
        [[constant(f"points[{i}]", v) for v in row] for i, row in enumerate(rows)], dtype=torch.float64, device="cpu"
    )


def _box(x: Tensor, low: float | Sequence[float], high: float | Sequence[float]) -> Box:
    ends = [list(v) if isinstance(v, Sequence) else [v] * x.shape[1] for v in (low, high)]
    if any(len(end) != x.shape[1] for end in ends):
        raise ValueError(
            f"points: got low = {low}, high = {high} and points of {x.shape[1]} coordinates, expected one end for each"
        )
    return box(*ends)


def _target(target: object, x: Tensor, reader: Formulas) -> tuple[Tensor, str]:
    """f_i, and f in words."""
    if target is None:
        return 0.5**0.5 * (1.0 - 2.0 * (torch.arange(len(x), device=x.device) % 2)).to(x), "±√½ in turn"
    if isinstance(target, (list, tuple)):
        if len(target) != len(x):
            raise ValueError(f"target: got {len(target)} values for {len(x)} points, expected one for each")
        values = torch.tensor(
            [constant(f"target[{i}]", v) for i, v in enumerate(target)], dtype=torch.float64, device="cpu"
        )
        return values, f"({', '.join(f'{v:.4g}' for v in values[:8].tolist())}{', …' if len(x) > 8 else ''})"
    formula: Expression | None = reader.formula("target", target)
    reader.faults.stop()
    assert formula is not None  # a formula that could not be read has left a fault
    return formula(x), formula.text
