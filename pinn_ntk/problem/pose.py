"""A problem in a few lines of Python: an operator, a domain, a source, and what is given of u."""

from collections.abc import Mapping, Sequence

from pinn_ntk.expressions import Expression, parse
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.operators.coefficients import values_at
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.assembly import Collocation, Equation, collocate
from pinn_ntk.problem.conditions import Given, counted_conditions, dirichlet, initial_value, initial_velocity
from pinn_ntk.problem.finding import tell
from pinn_ntk.problem.residual import Function, Problem
from pinn_ntk.problem.validation import check_problem
from pinn_ntk.rules import checked

Formula = Function | str | float


@checked
def pose(
    operator: SecondOrderOperator,
    domain: Domain,
    source: Formula | None = None,
    given: Sequence[Given] | None = None,
    *,
    exact: Formula | None = None,
    time: bool | None = None,
    name: str = "problem",
    boundary: str | None = None,
    points: int = 256,
    boundary_points: int | None = None,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    test_points: int = 4096,
    sampling: str = "sobol",
) -> Problem:
    """𝓛u = f in Ω with what is given of u. Of a manufactured problem `exact` is enough:
    f and all values follow from it.

    Args:
        operator: 𝓛, on as many coordinates as the domain has.
        domain: Ω, or Ω × [t₀, T].
        source: f as a function of points, text in x, y, z or x1 … xd, and t, or a number; None: 𝓛 applied to `exact`,
            else 0.
        given: `dirichlet`, `neumann`, `robin_condition`, `periodic`, `initial_value`, `initial_velocity`, `measured`;
            None: the values of `exact` on the boundary, and with time at the start (and the velocity, where 𝓛 is of
            second order in time).
        exact: u, where it is known, as a function, text or number.
        time: whether the last coordinate is time; None: where something is given at the start, or the domain is one
            over time.
        name: of the problem.
        boundary: 'hard' builds the conditions into u = g + ϕh, 'soft' makes each a block; None: hard where `given` is
            None and Ω a box.
        points: collocation points inside.
        boundary_points: of each condition that does not say how many; None: 64, and at least one on each piece of ∂Ω.
        weights: λ_b by block name, over those that conditions have of their own.
        seed: of the points.
        test_points: how many points errors are measured at.
        sampling: sobol, halton, uniform, latin, grid or chebyshev (see `Box.interior`).

    Raises:
        ValueError: what does not fit together; the message says what, and what to do.

    Warns:
        ProblemWarning: what the command warns of: conditions that are missing or contradict one another, …

    Examples:
        >>> from pinn_ntk import ball, dirichlet, heat, laplacian, over_time, pose
        >>> pose(-laplacian(2), ball([0, 0], 1), "x*y", [dirichlet(0)]).equation
        '−Δu = x*y'
        >>> [block.name for block in pose(heat(2), over_time(ball([0, 0], 1), 0, 1), exact="exp(-t)*cos(x + y)").blocks]
        ['interior', 'boundary', 'initial']
    """
    if operator.dim != domain.dim:
        raise ValueError(
            f"operator: got one on {operator.dim} coordinates, expected {domain.dim}, as many as {domain} has "
            "(time counts)"
        )
    start = any(getattr(one, "kind", "") in ("initial", "velocity") for one in given or ())
    timed = isinstance(domain, OverTime) or start if time is None else time
    u = _function(exact, domain.dim, timed)
    f = _function(source, domain.dim, timed)
    for what, function in (("exact", u), ("source", f)):
        if callable(function):
            values_at(function, domain.interior(2), what)
    asked = list(given) if given is not None else _from(u, operator, domain, timed)
    own = "hard" if given is None and isinstance(domain, Box) else "soft"
    conditions, counts = counted_conditions(asked, domain, timed, u)
    beside = max(64, len(domain.pieces)) if boundary_points is None else boundary_points
    how = Collocation(points, boundary or own, beside, weights, seed, test_points, sampling, counts)
    right = f if f is not None else manufactured(operator, u)
    equation = operator.equation(_words(source, exact), timed)
    made = collocate(Equation(name, operator, domain, right, u, conditions, timed, equation), how)
    tell(check_problem(made))
    return made


def manufactured(operator: SecondOrderOperator, exact: Function | None) -> Function | float:
    """f = 𝓛u of the exact solution; 0 where none is known."""
    if exact is None:
        return 0.0
    u = exact
    return lambda x: operator.apply(u, x)


def second_order_in_time(operator: SecondOrderOperator, domain: Domain) -> bool:
    """Whether u_tt occurs."""
    return bool(operator.coefficients(domain.interior(16))[0][:, -1, -1].any())


def _from(exact: Function | None, operator: SecondOrderOperator, domain: Domain, time: bool) -> list[Given]:
    """The values of the exact solution on the boundary and at the start."""
    if exact is None:
        raise ValueError("given: got nothing and no exact solution, expected conditions such as [dirichlet(0)]")
    if not time:
        return [dirichlet()]
    return [dirichlet(), initial_value(), *([initial_velocity()] if second_order_in_time(operator, domain) else [])]


def _function(value: Formula | None, dim: int, time: bool) -> Function | None:
    """A function of points from what a person wrote."""
    return parse(value, dim, time) if isinstance(value, (str, int, float)) else value


def _words(source: Formula | None, exact: Formula | None) -> str:
    """f in words."""
    if source is None:
        return (
            "0" if exact is None else f"𝓛({_said(exact)})" if isinstance(exact, (str, Expression)) else "𝓛(u), u given"
        )
    return _said(source)


def _said(value: Formula) -> str:
    if isinstance(value, Expression):
        return value.text
    return "f" if callable(value) else f"{value}"
