"""From an equation with its conditions to a `Problem`: points are drawn, conditions become an ansatz (hard) or blocks (soft)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_SEED, choose, count, nearest, number
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.sampling import SAMPLINGS
from pinn_ntk.operators.library import identity, time_derivative
from pinn_ntk.operators.second_order import SecondOrderOperator, hard_constraint
from pinn_ntk.problem.ansatz import dirichlet_box, evolution_box
from pinn_ntk.problem.residual import Ansatz, Block, Function, Problem

BOUNDARIES = {"hard": "hard", "soft": "soft"}


@dataclass(frozen=True)
class Collocation:
    """Where a problem is posed and how its conditions are imposed: the choices that every ready problem has.

    Attributes:
        points: n of the interior block.
        boundary: 'hard' builds the conditions into u = g + ϕh, 'soft' makes each a block.
        boundary_points: n of each soft block.
        weights: λ_b by block name, 1 where none is given.
        seed: of the points.
        test_points: how many points errors are measured at.
        sampling: of the interior points (see `Box.interior`).

    Raises:
        ValueError: a count or a seed out of range, an unknown name, or a weight that is not positive.
    """

    points: int = 256
    boundary: str = "hard"
    boundary_points: int = 64
    weights: Mapping[str, float] | None = None
    seed: int = 0
    test_points: int = 4096
    sampling: str = "sobol"

    def __post_init__(self) -> None:
        for what in ("points", "boundary_points", "test_points"):
            count(what, getattr(self, what))
        count("seed", self.seed, 0, MAX_SEED)
        choose("boundary", self.boundary, BOUNDARIES)
        choose("sampling", self.sampling, SAMPLINGS)
        check_weights(self.weights)

    @property
    def hard(self) -> bool:
        """Whether the conditions are built into the ansatz."""
        return self.boundary == "hard"


@dataclass(frozen=True)
class Equation:
    """𝓛u = f in Ω with what is known of u.

    Attributes:
        name: of the problem.
        operator: 𝓛.
        domain: Ω, or Ω × [t₀, T].
        source: f as a function of points or a number.
        exact: u, where it is known.
        data: Dirichlet values as a function of points; None for 0.
        initial: u(·, t₀), which makes it an evolution problem; the last coordinate is then time.
        velocity: u_t(·, t₀), for equations of second order in time.
        equation: in Unicode.
        conditions: in Unicode.
    """

    name: str
    operator: SecondOrderOperator
    domain: Box
    source: Function | float
    exact: Function | None = None
    data: Function | None = None
    initial: Function | None = None
    velocity: Function | None = None
    equation: str = ""
    conditions: tuple[str, ...] = field(default=())

    def right_hand_side(self, x: Tensor) -> Tensor:
        """f(x), shape (n,)."""
        return self.source(x) if callable(self.source) else torch.full_like(x[:, 0], self.source)


def check_weights(weights: Mapping[str, float] | None) -> None:
    """Raise ValueError unless every weight is a positive number."""
    if weights is not None and not (isinstance(weights, Mapping) and all(isinstance(name, str) for name in weights)):
        raise ValueError(f"weights: got {weights!r}, expected a mapping from block names to positive numbers")
    for name, value in (weights or {}).items():
        number(f"weight of block {name!r}", value, positive=True)


def weighted(blocks: Sequence[Block], weights: Mapping[str, float] | None) -> tuple[Block, ...]:
    """The blocks with their weights by name.

    Raises:
        ValueError: a weight for a block that does not exist; the nearest name is suggested.
    """
    check_weights(weights)
    names = [b.name for b in blocks]
    for name in weights or {}:
        if name not in names:
            raise ValueError(f"weights: got one for {name!r}{nearest(name, names)}; this problem has the blocks {', '.join(names)}")
    return tuple(Block(b.operator, b.x, b.target, b.name, (weights or {}).get(b.name, b.weight)) for b in blocks)


def boundary_faces(domain: Box, time: bool) -> list[tuple[int, str]]:
    """The faces of ∂Ω: all of the box, without the two ends of time when the last axis is time."""
    return [face for face in domain.faces if not (time and face[0] == domain.dim - 1)]


def pose(problem: Equation, how: Collocation) -> Problem:
    """𝓛(g + ϕh) = f on interior points (hard), or 𝓛h = f beside the blocks boundary, initial and velocity (soft).

    Args:
        problem: the equation and its conditions.
        how: points, weights, and hard or soft.

    Raises:
        ValueError: a weight for a block that does not exist, or data that hard conditions cannot satisfy.
    """
    ansatz = impose(problem) if how.hard else None
    blocks = [interior(problem, ansatz, how), *([] if how.hard else soft_conditions(problem, how))]
    return assemble(problem, blocks, ansatz, how)


def assemble(problem: Equation, blocks: Sequence[Block], ansatz: Ansatz | None, how: Collocation, time: bool | None = None) -> Problem:
    """The blocks, weighted, with everything that is known about the problem."""
    return Problem(
        weighted(blocks, how.weights),
        name=problem.name,
        exact=problem.exact,
        ansatz=ansatz,
        domain=problem.domain,
        equation=problem.equation,
        conditions=problem.conditions,
        time=problem.initial is not None if time is None else time,
        test_points=problem.domain.test_points(how.test_points),
    )


def impose(problem: Equation) -> Ansatz:
    """The ansatz of the equation's Dirichlet and initial data."""
    if problem.initial is None:
        return dirichlet_box(problem.domain, problem.data)
    return evolution_box(problem.domain, problem.data, problem.initial, problem.velocity)


def interior(problem: Equation, ansatz: Ansatz | None, how: Collocation) -> Block:
    """𝓛u = f at interior points, in terms of h when there is an ansatz."""
    x = problem.domain.interior(how.points, how.seed, how.sampling)
    return Block(*transformed(problem.operator, x, problem.right_hand_side(x), ansatz), name="interior")


def transformed(
    operator: SecondOrderOperator, x: Tensor, target: Tensor, ansatz: Ansatz | None
) -> tuple[SecondOrderOperator, Tensor, Tensor]:
    """(𝓛̃, x, f − 𝓛g): the condition 𝓛u = f written for h, the same when there is no ansatz."""
    if ansatz is None:
        return operator, x, target
    constrained, shift = hard_constraint(operator, ansatz.phi, ansatz.g)
    return constrained, x, target - shift(x)


def soft_conditions(problem: Equation, how: Collocation) -> list[Block]:
    """The blocks boundary, and for an evolution problem initial and velocity."""
    domain, time = problem.domain, problem.initial is not None
    xb = domain.boundary(how.boundary_points, how.seed + 1, boundary_faces(domain, time))
    blocks = [Block(identity(domain.dim), xb, problem.data or 0.0, "boundary")]
    if problem.initial is not None:
        x0 = domain.face(domain.dim - 1, "low", how.boundary_points, how.seed + 2)
        blocks.append(Block(identity(domain.dim), x0, problem.initial, "initial"))
        if problem.velocity is not None:
            blocks.append(Block(time_derivative(domain.dim - 1), x0, problem.velocity, "velocity"))
    return blocks
