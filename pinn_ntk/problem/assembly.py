"""From an equation with its conditions to a `Problem`: points are drawn, conditions become an ansatz (hard)
or blocks (soft).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pinn_ntk.arguments import MAX_POINTS, MAX_SEED, nearest
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.sampling import SAMPLINGS
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.conditions import conditions_of, usual
from pinn_ntk.problem.impose import IMPOSED, impose
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.regions import inside
from pinn_ntk.problem.residual import Ansatz, Block, Function, Problem, constrained, drawn
from pinn_ntk.rules import Rule, check_fields, one_of, whole

Points = Annotated[int, whole("collocation points", 1, MAX_POINTS)]
Boundary = Annotated[str, one_of("conditions built into u = g + ϕh, or soft blocks", ("hard", "soft"))]
BoundaryPoints = Annotated[int, whole("points of each soft condition", 1, MAX_POINTS)]
WEIGHTS = Rule("λ of a block by its name", "weights", optional=True)
Weights = Annotated[Mapping[str, float] | None, WEIGHTS]
PointSeed = Annotated[int, whole("of the points", high=MAX_SEED)]
TestPoints = Annotated[int, whole("points at which errors are measured", 1, MAX_POINTS)]
Sampling = Annotated[str, one_of("how points are drawn", SAMPLINGS)]


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
        counts: n of a soft block by its name, where it is not `boundary_points`.

    Raises:
        ValueError: a count or a seed out of range, an unknown name, or a weight that is not positive.
    """

    points: Points = 256
    boundary: Boundary = "hard"
    boundary_points: BoundaryPoints = 64
    weights: Weights = None
    seed: PointSeed = 0
    test_points: TestPoints = 4096
    sampling: Sampling = "sobol"
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def hard(self) -> bool:
        """Whether the conditions are built into the ansatz."""
        return self.boundary == "hard"


@dataclass(frozen=True)
class Equation:
    """𝓛u = f in Ω with what is given of u.

    Attributes:
        name: of the problem.
        operator: 𝓛.
        domain: Ω, or Ω × [t₀, T].
        source: f as a function of points or a number.
        exact: u, where it is known.
        given: the conditions beside the equation.
        time: whether the last coordinate is time.
        equation: in Unicode.
        conditions: in Unicode; None takes the words of those given.
    """

    name: str
    operator: SecondOrderOperator
    domain: Domain
    source: Function | float
    exact: Function | None = None
    given: tuple[Condition, ...] = ()
    time: bool = False
    equation: str = ""
    conditions: tuple[str, ...] | None = None

    @property
    def posed(self) -> tuple[Condition, ...]:
        """All conditions about u, the equation first."""
        own = Condition("interior", "interior", self.operator, self.source, inside(self.domain), words=self.equation)
        return (own, *self.given)


def ready(
    name: str,
    operator: SecondOrderOperator,
    domain: Domain,
    source: Function | float,
    exact: Function,
    equation: str,
    words: tuple[str, ...],
    *,
    data: Function | float = 0.0,
    initial: Function | None = None,
    velocity: Function | None = None,
) -> Equation:
    """𝓛u = f with u = data on the whole boundary, and u = initial,
    u_t = velocity at the start where these are given.
    """
    given = conditions_of(usual(data, initial, velocity), domain, initial is not None, exact)
    return Equation(name, operator, domain, source, exact, given, initial is not None, equation, words)


def weighted(blocks: Sequence[Block], weights: Mapping[str, float] | None) -> tuple[Block, ...]:
    """The blocks with their weights by name.

    Raises:
        ValueError: a weight for a block that does not exist; the nearest name is suggested.
    """
    WEIGHTS.require("weights", weights)
    names = [b.name for b in blocks]
    for name in weights or {}:
        if name not in names:
            raise ValueError(
                f"weights: got one for {name!r}{nearest(name, names)}; this problem has the blocks {', '.join(names)}"
            )
    return tuple(replace(b, weight=(weights or {}).get(b.name, b.weight)) for b in blocks)


def collocate(problem: Equation, how: Collocation, ansatz: Ansatz | None = None) -> Problem:
    """𝓛(g + ϕh) = f on interior points (hard), or 𝓛h = f beside a block for each condition (soft).

    Args:
        problem: the equation and its conditions.
        how: points, weights, and hard or soft.
        ansatz: the one to take when hard; None builds it from the conditions.

    Raises:
        ValueError: a weight for a block that does not exist, or conditions that cannot be built in.
    """
    if not how.hard:
        ansatz = None
    elif ansatz is None:
        ansatz = impose(problem.given, problem.domain, problem.time, problem.exact)
    blocks = [interior(problem, ansatz, how)]
    for i, condition in enumerate(problem.given):
        if ansatz is None or condition.kind not in IMPOSED:
            blocks.append(condition_block(problem.given, i, ansatz, how))
    return assemble(problem, blocks, ansatz, how)


def assemble(problem: Equation, blocks: Sequence[Block], ansatz: Ansatz | None, how: Collocation) -> Problem:
    """The blocks, weighted, with everything that is known about the problem."""
    given = tuple(c.words for c in problem.given) if problem.conditions is None else problem.conditions
    weights = how.weights or {}
    return Problem(
        weighted(blocks, how.weights),
        name=problem.name,
        exact=problem.exact,
        ansatz=ansatz,
        domain=problem.domain,
        equation=problem.equation,
        conditions=given,
        time=problem.time,
        test_points=problem.domain.test_points(how.test_points),
        posed=tuple(replace(c, weight=weights.get(c.name, c.weight)) for c in problem.posed),
    )


def interior(problem: Equation, ansatz: Ansatz | None, how: Collocation) -> Block:
    """𝓛u = f at interior points, in terms of h when there is an ansatz."""
    x = problem.domain.interior(how.points, how.seed, how.sampling)
    return transformed(Block(problem.operator, x, problem.source), ansatz)


def condition_block(given: Sequence[Condition], i: int, ansatz: Ansatz | None, how: Collocation) -> Block:
    """The condition number i on its own points; an initial velocity is asked for where the initial value is."""
    condition = given[i]
    same = condition.kind == "velocity" and i > 0 and given[i - 1].kind == "initial"
    n = how.counts.get(condition.name, how.boundary_points)
    return transformed(drawn(condition, n, how.seed + (i if same else i + 1)), ansatz)


def transformed(block: Block, ansatz: Ansatz | None) -> Block:
    """The condition 𝓛u = f written for h, 𝓛̃h = f − 𝓛g; the same when there is no ansatz."""
    return block if ansatz is None else constrained(block, ansatz)
