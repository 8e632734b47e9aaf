"""Hard conditions on any domain: u = g + ϕh with ϕ = 0 on ∂Ω and g the formula of the data, read inside Ω as well."""

from collections.abc import Callable

from torch import Tensor

from pinn_ntk.geometry.annulus import Annulus
from pinn_ntk.geometry.ball import Ball
from pinn_ntk.geometry.distance import distance
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.ellipse import Ellipse
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.operators.gradients import gradient
from pinn_ntk.problem.ansatz import check_compatible, since, taylor_of
from pinn_ntk.problem.residual import Ansatz, Function


def dirichlet_shape(domain: Domain, data: Function | None = None) -> Ansatz:
    """u(x) = g + ϕh, g the data themselves.

    ϕ = 1 − |x − c|²/r² on a ball, 1 − Σ(y_j/r_j)² on an ellipse, 4(b² − ρ²)(ρ² − a²)/(b² − a²)² on an annulus, ρ = |x −
    c|, else the approximate distance of `geometry.distance`, which is smooth in Ω but at re-entrant corners.

    Args:
        domain: Ω.
        data: the values on ∂Ω as a function (n, d) → (n,) that is smooth in Ω too; None for 0.
    """
    phi, words = vanishing(domain)
    return Ansatz(phi, data, f"u = g + ϕh, {words}, g = {_lift(data)}")


def evolution_shape(
    domain: OverTime, data: Function | None, initial: Function, velocity: Function | None = None
) -> Ansatz:
    """u(x, t) = g + ϕ(x) t' h, g = u_∂ + (u₀ − u_∂(·, t₀)), t' = (t − t₀)/(T − t₀).

    With a velocity, t'² in place of t' and g = u_∂ + (u₀ − u_∂(·, t₀)) + (t − t₀)(v₀ − ∂_t u_∂(·, t₀)): where the data
    agree, g is u_∂ on ∂Ω and has the initial value and velocity at t₀.

    Args:
        domain: Ω × [t₀, T].
        data: u_∂, the values on ∂Ω × [t₀, T] as a function of (x, t) that is smooth in Ω too; None for 0.
        initial: u₀ = u(·, t₀), as a function of (x, t₀).
        velocity: v₀ = u_t(·, t₀), for equations of second order in time.

    Raises:
        ValueError: boundary and initial data that disagree where they meet.
    """
    check_compatible(domain, data, initial, velocity)
    bubble, words = vanishing(domain)
    order, start, length = 1 if velocity is None else 2, domain.start, domain.end - domain.start
    taylor = taylor_of(initial, velocity, start)
    own = None if data is None else taylor_of(data, None if velocity is None else slope_in_time(data), start)

    def phi(x: Tensor) -> Tensor:
        return bubble(x) * ((x[:, -1] - start) / length) ** order

    def g(x: Tensor) -> Tensor:
        return taylor(x) if data is None or own is None else data(x) + taylor(x) - own(x)

    begins = "u₀" if velocity is None else "u₀ + (t − t₀)v₀"
    less = "u_∂(·, t₀)" if velocity is None else "u_∂(·, t₀) − (t − t₀)∂_t u_∂(·, t₀)"
    lift = begins if data is None else f"u_∂ + {begins} − {less}, u_∂ = {_lift(data)}"
    return Ansatz(phi, g, f"u = g + ϕh, {words} · {since(start, length, order)}, g = {lift}")


def vanishing(domain: Domain) -> tuple[Function, str]:
    """ϕ > 0 in Ω with ϕ = 0 on ∂Ω, of the space coordinates of a domain over time, and it in words."""
    space = domain.space if isinstance(domain, OverTime) else domain
    match space:
        case Ball(center, radius):
            return _of_space(
                lambda y: 1 - ((y - y.new_tensor(center)) / radius).square().sum(1), space.dim
            ), "ϕ = 1 − |x − c|²/r²"
        case Ellipse(_, radii):
            made = _of_space(lambda y: 1 - (space.to_axes(y) / y.new_tensor(radii)).square().sum(1), space.dim)
            return made, "ϕ = 1 − Σ(y_j/r_j)² in the coordinates of its axes"
        case Annulus(center, inner, outer):
            a, b = inner**2, outer**2

            def ring(y: Tensor) -> Tensor:
                rho = (y - y.new_tensor(center)).square().sum(1)
                return (4 / (b - a) ** 2) * (b - rho) * (rho - a)

            return _of_space(ring, space.dim), "ϕ = 4(b² − ρ²)(ρ² − a²)/(b² − a²)², ρ = |x − c|"
    phi = distance(domain, normalised=False)
    return phi, phi.text


def slope_in_time(data: Function) -> Function:
    """∂_t of a function of (x, t)."""

    def slope(x: Tensor) -> Tensor:
        return gradient(data, x)[:, -1]

    return slope


def _of_space(function: Callable[[Tensor], Tensor], dim: int) -> Function:
    return lambda x: function(x[:, :dim])


def _lift(data: Function | None) -> str:
    return "0" if data is None else f"{getattr(data, 'text', 'the function of the data')}, read in all of Ω"
