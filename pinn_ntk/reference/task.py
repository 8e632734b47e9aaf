"""What finite elements are asked for, read from a posed problem: 𝓛u = f in Ω or Ω × (t₀, T),
conditions on ∂Ω and at the start.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.geometry.box import Box, box
from pinn_ntk.geometry.domain import Domain, Piece
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.geometry.polygon import Polygon
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.posed import Condition, Function
from pinn_ntk.problem.regions import ends_of_time
from pinn_ntk.problem.residual import Problem

KINDS = ("interior", "dirichlet", "neumann", "robin", "initial", "velocity")
SUPPORTED = "boxes of one to three space coordinates and polygons, each possibly over time"
MAX_SPACE = 3
_INSIDE = 1e-13  # of the largest coordinate
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Task:
    """𝓛u = f with its conditions, sorted by what finite elements do with them.

    Attributes:
        operator: 𝓛, on the space coordinates and, with `span`, time.
        source: f.
        domain: Ω, or Ω × (t₀, T).
        space: Ω, a box or a polygon.
        span: (t₀, T), or None without time.
        essential: conditions cu = f_b, which fix nodes.
        natural: conditions b·∇u + cu = f_b, which are boundary integrals.
        initial: u at the start, None without time.
        velocity: u_t at the start, None where the equation is of first order in time.
    """

    operator: SecondOrderOperator
    source: Function | float
    domain: Domain
    space: Box | Polygon
    span: tuple[float, float] | None
    essential: tuple[Condition, ...]
    natural: tuple[Condition, ...]
    initial: Condition | None
    velocity: Condition | None

    @property
    def start(self) -> float:
        """t₀; 0 without time, where nothing reads it."""
        return 0.0 if self.span is None else self.span[0]

    @property
    def walls(self) -> tuple[Piece, ...]:
        """The pieces of ∂Ω, or of ∂Ω × (t₀, T), without the ends of time."""
        pieces = tuple(self.domain.pieces)
        return pieces if self.span is None else pieces[:-2]

    def within(self, t: float) -> float:
        """t, but inside (t₀, T) beyond rounding: at its ends a wall's points are on the edge of Ω × (t₀, T),
        which has no normal.
        """
        if self.span is None:
            return t
        slack = _INSIDE * max(map(abs, (*self.domain.low, *self.domain.high)))
        return min(max(t, self.span[0] + slack), self.span[1] - slack)

    def points(self, x: Array, t: float) -> Tensor:
        """(m, d) points of Ω → points of the problem, with t beside them where there is time."""
        space = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64))
        return space if self.span is None else torch.cat([space, torch.full_like(space[:, :1], t)], 1)


def read_task(problem: Problem) -> Task:
    """What a posed problem asks of finite elements.

    Raises:
        ValueError: what finite elements cannot do here; the message says what they can.
    """
    if not problem.posed or problem.domain is None:
        raise ValueError(
            f"fem reference: got {problem.name!r}, a problem of points alone; expected conditions on regions of "
            f"a domain: {SUPPORTED}"
        )
    for condition in problem.posed:
        if condition.kind not in KINDS or condition.partner is not None:
            raise ValueError(
                f"fem reference: got the condition {condition.name!r} of kind {condition.kind}, expected "
                f"{', '.join(KINDS)}"
            )
    equations = [c for c in problem.posed if c.kind == "interior"]
    if len(equations) != 1:
        raise ValueError(
            f"fem reference: got {len(equations)} equations in Ω, expected one; supported are {', '.join(KINDS)}"
        )
    space, span = _space(problem.domain, problem.time)
    ends = ends_of_time(problem.domain) if span is not None else ("", "")
    given = [_at_start(c, *ends) for c in problem.posed if c.kind != "interior"]
    walls = [(c, kind) for c, kind in given if kind == "wall"]
    return Task(
        equations[0].operator,
        _value(equations[0]),
        problem.domain,
        space,
        span,
        tuple(c for c, _ in walls if c.order == 0),
        tuple(c for c, _ in walls if c.order > 0),
        next((c for c, kind in given if kind == "initial"), None),
        next((c for c, kind in given if kind == "velocity"), None),
    )


def _space(domain: Domain, time: bool) -> tuple[Box | Polygon, tuple[float, float] | None]:
    """Ω and (t₀, T)."""
    space, span = domain, None
    if isinstance(domain, OverTime):
        space, span = domain.space, (domain.start, domain.end)
    elif time and isinstance(domain, Box) and domain.dim > 1:
        space, span = box(domain.low[:-1], domain.high[:-1]), (domain.low[-1], domain.high[-1])
    if isinstance(space, Polygon) or (isinstance(space, Box) and space.dim <= MAX_SPACE):
        return space, span
    raise ValueError(f"fem reference: got {domain}, expected one of {SUPPORTED}")


def _at_start(condition: Condition, start: str, end: str) -> tuple[Condition, str]:
    """The condition, and whether it is about a wall, the start's value or the start's velocity."""
    pieces = condition.region.pieces
    if condition.kind in ("initial", "velocity"):
        return condition, condition.kind
    if start and pieces == (start,) and condition.order == 0:
        return condition, "initial"
    if not pieces or start in pieces or end in pieces:
        where = condition.region.words or ", ".join(pieces) or "no piece"
        raise ValueError(
            f"fem reference: got {condition.name!r} {where}, expected pieces of the boundary in space, or u and "
            "u_t at the start; "
            "time steps go from the start to the end"
        )
    return condition, "wall"


def _value(condition: Condition) -> Function | float:
    """f_b as a function or a number."""
    target = condition.target
    if not isinstance(target, Tensor):
        return target
    if target.ndim:
        raise ValueError(
            f"fem reference: got {len(target)} values on the right of {condition.name!r}, expected a function "
            "or a number"
        )
    return float(target)


def target_at(condition: Condition, x: Tensor) -> Array:
    """f_b(x), (m,)."""
    return values_at(_value(condition), x)


def values_at(value: Function | float, x: Tensor) -> Array:
    """f(x), (m,)."""
    found = value(x).detach() if callable(value) else torch.full_like(x[:, 0], value)
    return np.asarray(found.expand(len(x)).cpu().numpy(), dtype=np.float64)
