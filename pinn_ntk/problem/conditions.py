"""What a person gives of u beside the equation, and the conditions that it says: Dirichlet, Neumann, Robin, periodic,
initial, data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_POINTS
from pinn_ntk.expressions import Expression, parse
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.operators.library import identity, normal_derivative, robin, time_derivative
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.operators.symbols import combination
from pinn_ntk.problem.periodic import SLOPE, periodic_conditions
from pinn_ntk.problem.posed import Condition, Region
from pinn_ntk.problem.regions import at_points, at_start, contained, named_pieces, on_pieces
from pinn_ntk.problem.residual import Function
from pinn_ntk.rules import checked, one_of, positive, real, whole

Value = Function | str | float | None
Factor = Function | str | float
On = str | Sequence[str]
KINDS = ("dirichlet", "neumann", "robin", "periodic", "initial", "velocity", "data")
BlockPoints = Annotated[int | None, whole("n of the block; null for the problem's", 1, MAX_POINTS)]
BlockWeight = Annotated[float | None, positive("λ of the block; null for 1")]
Deviation = Annotated[float | None, real("σ of data; 0 for none, null where it is not known", 0.0)]
NAMES = {"dirichlet": "boundary"}  # of a kind's block, where it is not the kind's own


@checked
@dataclass(frozen=True)
class Given:
    """What a person gives of u; made by `dirichlet`, `neumann`, `robin_condition`, `periodic`, `initial_value`,
    … and `measured`.

    Attributes:
        kind: as of a `Condition`.
        value: f_b as a function of points, text or a number; None: it follows from the exact solution.
        on: names of boundary pieces, or all.
        alpha: α of Robin.
        beta: β of Robin.
        axis: the coordinate of periodic, by name or number.
        x: the points of data.
        measured: and the values there.
        name: of the block; empty takes the kind's.
        points: n of the block; None for the problem's `boundary_points`.
        weight: λ_b; None for 1.
        words: where data come from, for a report.
        noise: the standard deviation of data; 0 for none, None where it is not known.
    """

    kind: Annotated[str, one_of("as of a `Condition`", KINDS)]
    value: Value = None
    on: On = "all"
    alpha: Factor = 1.0
    beta: Factor = 1.0
    axis: int | str = 0
    x: Tensor | None = None
    measured: Tensor | None = None
    name: str = ""
    points: BlockPoints = None
    weight: BlockWeight = None
    words: str = ""
    noise: Deviation = None


@checked
def dirichlet(
    value: Value = None, on: On = "all", *, name: str = "", points: BlockPoints = None, weight: BlockWeight = None
) -> Given:
    """u = value on Γ ⊂ ∂Ω.

    Args:
        value: a function of points, text in x, y, z or x1 … xd, and t, a number, or None for that of the exact
            solution.
        on: the piece of ∂Ω that Γ is, such as "x=0" or "outer", a list of pieces, or all (without the ends of time).
        name: of the block.
        points: n of the block; None takes `boundary_points` of the problem.
        weight: λ of the block; None for 1.

    Examples:
        >>> from pinn_ntk import box, dirichlet, laplacian, pose
        >>> pose(laplacian(1), box(0, 1), given=[dirichlet("1 + x")]).blocks[1].target
        tensor([1., 2.], dtype=torch.float64)
    """
    return Given("dirichlet", value, on, name=name, points=points, weight=weight)


@checked
def neumann(
    value: Value = None, on: On = "all", *, name: str = "", points: BlockPoints = None, weight: BlockWeight = None
) -> Given:
    """∂u/∂ν = value on Γ ⊂ ∂Ω, ν the outward normal. Arguments as in `dirichlet`.

    Examples:
        >>> from pinn_ntk import box, laplacian, neumann, pose
        >>> pose(laplacian(1), box(0, 1), exact="x", given=[neumann()]).blocks[1].target
        tensor([-1.,  1.], dtype=torch.float64)
    """
    return Given("neumann", value, on, name=name, points=points, weight=weight)


@checked
def robin_condition(
    value: Value = None,
    on: On = "all",
    *,
    alpha: Factor = 1.0,
    beta: Factor = 1.0,
    name: str = "",
    points: BlockPoints = None,
    weight: BlockWeight = None,
) -> Given:
    """αu + β∂u/∂ν = value on Γ ⊂ ∂Ω, ν the outward normal; α and β numbers, texts or functions of points.
    The rest as in `dirichlet`.

    Examples:
        >>> from pinn_ntk import box, laplacian, pose, robin_condition
        >>> pose(laplacian(1), box(0, 1), exact="x", given=[robin_condition(alpha=3)]).blocks[1].target
        tensor([-1.,  4.], dtype=torch.float64)
    """
    return Given("robin", value, on, alpha, beta, name=name, points=points, weight=weight)


@checked
def periodic(axis: int | str, *, name: str = "", points: BlockPoints = None, weight: BlockWeight = None) -> Given:
    """u(x) = u(x + Le_j) and ∂_ju(x) = ∂_ju(x + Le_j) on the face x_j = low_j of a box (over time), L its length;
    two blocks.

    Args:
        axis: j, by its name such as x, or its number from 0.
        name: of the first block, empty for periodic_x; the second has _slope behind it.
        points: n of each block.
        weight: λ of each block.

    Examples:
        >>> from pinn_ntk import box, laplacian, periodic, pose
        >>> pose(laplacian(1), box(0, 1), "sin(2*pi*x)", [periodic("x")]).paired
        ('periodic_x', 'periodic_x_slope')
    """
    return Given("periodic", axis=axis, name=name, points=points, weight=weight)


@checked
def initial_value(
    value: Value = None, *, name: str = "", points: BlockPoints = None, weight: BlockWeight = None
) -> Given:
    """u(·, t₀) = value, a function of (x, t) points at t = t₀. Arguments as in `dirichlet`.

    Examples:
        >>> from pinn_ntk import box, dirichlet, heat, initial_value, over_time, pose
        >>> pose(heat(1), over_time(box(0, 1), 0, 1), given=[dirichlet(0), initial_value("sin(pi*x)")]).conditions
        ('u = 0 on ∂Ω', 'u = sin(pi*x) at t = 0')
    """
    return Given("initial", value, name=name, points=points, weight=weight)


@checked
def initial_velocity(
    value: Value = None, *, name: str = "", points: BlockPoints = None, weight: BlockWeight = None
) -> Given:
    """u_t(·, t₀) = value, for equations of second order in time. Arguments as in `dirichlet`.

    Examples:
        >>> from pinn_ntk import box, initial_velocity, over_time, pose, wave
        >>> pose(wave(1), over_time(box(0, 1), 0, 1), exact="3*t", given=[initial_velocity(points=2)]).blocks[1].target
        tensor([3., 3.], dtype=torch.float64)
    """
    return Given("velocity", value, name=name, points=points, weight=weight)


@checked
def measured(
    x: Tensor, values: Tensor, *, name: str = "", weight: BlockWeight = None, noise: Deviation = None
) -> Given:
    """u(x_i) = y_i at given points of the domain.

    Args:
        x: (n, d) points.
        values: (n,) values.
        name: of the block.
        weight: λ of the block; None for 1.
        noise: σ of the values, in their own units: the solver does not fit them closer, and its estimate tells what
            they leave open; 0 for exact values, None: it is estimated by leaving one value out at a time.

    Examples:
        >>> from pinn_ntk import box, laplacian, measured, pose
        >>> pose(laplacian(1), box(0, 1), given=[measured([[0.5]], [2.0])]).blocks[1].target
        tensor([2.], dtype=torch.float64)
    """
    points, numbers = (
        torch.as_tensor(x, dtype=torch.float64, device="cpu"),
        torch.as_tensor(values, dtype=torch.float64, device="cpu"),
    )
    if points.ndim != 2 or not len(points) or numbers.shape != points.shape[:1]:
        raise ValueError(
            f"measured: got points {tuple(points.shape)} and values {tuple(numbers.shape)}, expected (n, d) and (n,)"
        )
    return Given("data", x=points, measured=numbers, name=name, weight=weight, noise=noise)


def conditions_of(given: Sequence[Given], domain: Domain, time: bool, exact: Function | None) -> tuple[Condition, ...]:
    """The conditions that these say on that domain.

    Args:
        given: what is given; names that are left out are made distinct.
        domain: Ω, or Ω × [t₀, T].
        time: whether the last coordinate is time.
        exact: u, from which values follow that are left out.

    Raises:
        ValueError: an unknown piece, points outside the domain, time where there is none, no value and no exact
            solution, or a name twice.
    """
    return counted_conditions(given, domain, time, exact)[0]


def counted_conditions(
    given: Sequence[Given], domain: Domain, time: bool, exact: Function | None
) -> tuple[tuple[Condition, ...], dict[str, int]]:
    """The conditions, and the n of those that say how many points they want, by name; see `conditions_of`."""
    found: list[Condition] = []
    counts: dict[str, int] = {}
    for one in given:
        if not isinstance(one, Given):
            raise ValueError(f"given: got {one!r}, expected conditions such as dirichlet(0), neumann(0), periodic('x')")
        more = _conditions(one, domain, time, exact, [c.name for c in found])
        for condition in more:
            taken = [c.name for c in found]
            if condition.name in (*taken, "interior"):
                raise ValueError(
                    f"name: got {condition.name!r}, expected a name of its own; taken are "
                    f"{', '.join(['interior', *taken])}"
                )
            found.append(condition)
            counts |= {} if one.points is None else {condition.name: one.points}
    return tuple(found), counts


def _conditions(
    given: Given, domain: Domain, time: bool, exact: Function | None, taken: Sequence[str]
) -> tuple[Condition, ...]:
    """What one of them says; `taken` are the names of those before it."""
    if given.kind == "periodic":
        return periodic_conditions(domain, given.axis, given.name, time=time, weight=given.weight or 1.0)
    name = given.name or free_name(NAMES.get(given.kind, given.kind), taken)
    return (_data(given, name, domain) if given.kind == "data" else _valued(given, name, domain, time, exact),)


def _valued(given: Given, name: str, domain: Domain, time: bool, exact: Function | None) -> Condition:
    """𝓛_b u = value on a piece of ∂Ω or at the start."""
    if given.value is None and exact is None:
        raise ValueError(f"value: missing for {name!r}; give one, or the exact solution of the whole problem")
    value, alpha, beta = (_read(v, domain.dim, time) for v in (given.value, given.alpha, given.beta))
    region, operator = _region(given, domain, time), _operator(given.kind, domain, alpha, beta)
    left = _LEFT.get(given.kind) or combination([(_factor(alpha), "u"), (_factor(beta), "∂u/∂ν")], domain.dim, time)
    words = f"{left} = {_said(given.value)} {region.words}"
    if value is None and exact is not None:
        value = _from_exact(given.kind, operator, exact)
    return Condition(name, given.kind, operator, 0.0 if value is None else value, region, given.weight or 1.0, words)


_LEFT = {"dirichlet": "u", "neumann": "∂u/∂ν", "initial": "u", "velocity": "u_t"}


def _factor(value: Function | float | None) -> Function | float:
    """α or β of Robin, 1 where it is left out."""
    return 1.0 if value is None else value


def _read(value: Value, dim: int, time: bool) -> Function | float | None:
    """Text as the function that it says; a formula without coordinates as its number,
    so that zero is seen to be zero.
    """
    formula = parse(value, dim, time) if isinstance(value, str) else value
    return formula.value if isinstance(formula, Expression) and formula.is_constant else formula


def _said(value: Value) -> str:
    """The value in words."""
    if value is None:
        return "the exact solution's"
    return (
        str(getattr(value, "text", "a given function"))
        if callable(value)
        else value
        if isinstance(value, str)
        else f"{value:g}"
    )


def _data(given: Given, name: str, domain: Domain) -> Condition:
    x, values = given.x, given.measured
    if x is None or values is None:
        raise ValueError(f"{name}: got no points, expected points and values; use `measured`")
    region = at_points(contained(x, domain, name))
    words = f"u = data {region.words}{f' of {given.words}' if given.words else ''}"
    return Condition(name, "data", identity(domain.dim), values, region, given.weight or 1.0, words, noise=given.noise)


def _region(given: Given, domain: Domain, time: bool) -> Region:
    if given.kind in ("initial", "velocity"):
        if not time:
            raise ValueError(
                f"type: got {given.kind} in a problem without time; write time: true, the last coordinate being t"
            )
        return at_start(domain)
    pieces = named_pieces(given.on, domain, time)
    where = given.on if isinstance(given.on, str) else ", ".join(given.on)
    return on_pieces(domain, pieces, "on ∂Ω" if given.on == "all" else f"on {where}")


def _operator(
    kind: str, domain: Domain, alpha: Function | float | None, beta: Function | float | None
) -> SecondOrderOperator:
    if kind == "neumann":
        return normal_derivative(domain.dim, domain.normal)
    if kind == "velocity":
        return time_derivative(domain.dim - 1)
    if kind != "robin":
        return identity(domain.dim)
    return robin(domain.dim, domain.normal, _factor(alpha), _factor(beta))


def _from_exact(kind: str, operator: SecondOrderOperator, exact: Function) -> Function:
    """𝓛_b u of the exact solution; u itself is left alone, and u_t is kept differentiable for an ansatz."""
    if kind in ("dirichlet", "initial"):
        return exact
    return lambda x: operator.apply(exact, x)


def usual(data: Value = 0.0, initial: Value = None, velocity: Value = None) -> tuple[Given, ...]:
    """u = data on the whole boundary, and of an evolution problem the initial value and the velocity where they are
    given.
    """
    start = [] if initial is None else [initial_value(initial)]
    speed = [] if velocity is None else [initial_velocity(velocity)]
    return (dirichlet(data), *start, *speed)


def names_of(given: Given) -> tuple[str, ...]:
    """The names of its blocks, once it has one."""
    return (given.name, given.name + SLOPE) if given.kind == "periodic" else (given.name,)


def free_name(name: str, taken: Sequence[str]) -> str:
    """The name, numbered if it is taken."""
    return next(n for n in (name, *(f"{name}_{k}" for k in range(2, len(taken) + 3))) if n not in taken)
