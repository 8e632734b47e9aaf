"""Hard conditions on a box: u = g + ϕh with ϕ = 0 where u is given and g a transfinite interpolation of what is given
there.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.operators.gradients import gradient
from pinn_ntk.problem.regions import on_sides
from pinn_ntk.problem.residual import Ansatz, Function

MAX_BLENDED = 5  # axes between whose faces data are interpolated: seconds there, three times as long with each more
_COMPATIBLE = 1e-8  # relative: data typed by people agree at t = t₀ to rounding, or not at all


def dirichlet_box(domain: Box, data: Function | None = None) -> Ansatz:
    """u(x) = g + ϕh, ϕ = Π_j 4(x_j − lo_j)(hi_j − x_j)/len_j², g = [I − Π_j (I − P_j)] u.

    P_j u = (1 − s_j) u|_{x_j = lo_j} + s_j u|_{x_j = hi_j}, s_j = (x_j − lo_j)/len_j: g reads the data on the faces
    only.

    Args:
        domain: Ω.
        data: the values on ∂Ω, a torch function (n, d) → (n,) of boundary points that torch can differentiate along the
            boundary; None for 0.

    Raises:
        ValueError: data in more than `MAX_BLENDED` dimensions (see `check_blendable`).

    References:
        W. J. Gordon, "Blending-function methods of bivariate and multivariate interpolation", SIAM J. Numer. Anal. 8
        (1971).
    """
    axes = range(domain.dim)
    check_blendable(len(axes), data)
    g = None if data is None else _boolean_sum(domain, axes, data)
    lift = "0" if g is None else "transfinite interpolation of the boundary data"
    return Ansatz(_bubble(domain, axes), g, _text(domain, axes, None, 0, lift))


def evolution_box(domain: Box, data: Function | None, initial: Function, velocity: Function | None = None) -> Ansatz:
    """u(x, t) = g + ϕh, ϕ = t' Π_j 4(x_j − lo_j)(hi_j − x_j)/len_j², g = [I − Π_j (I − P_j)(I − P_t)] u.

    With t' = (t − t₀)/len_t, or its square when a velocity is given, P_t u = u₀(x) + (t − t₀) v₀(x), and P_j as in
    `dirichlet_box` on the space axes. Time is the last coordinate.

    Args:
        domain: Ω × [t₀, T].
        data: the values on ∂Ω × [t₀, T] as a function (n, d) → (n,) of (x, t); None for 0.
        initial: u₀ = u(·, t₀), as a function of (x, t₀).
        velocity: v₀ = u_t(·, t₀), for equations of second order in time.

    Raises:
        ValueError: boundary and initial data that disagree where they meet: no continuous function satisfies both; or
            boundary data in more than `MAX_BLENDED` space dimensions (see `check_blendable`).
    """
    axes, time, start = range(domain.dim - 1), domain.dim - 1, domain.low[-1]
    check_blendable(len(axes), data)
    check_compatible(domain, data, initial, velocity)
    taylor = taylor_of(initial, velocity, start)
    remainder = None if data is None else _boolean_sum(domain, axes, lambda x: data(x) - taylor(x))
    bubble, order = _bubble(domain, axes), 1 if velocity is None else 2

    def g(x: Tensor) -> Tensor:
        return taylor(x) if remainder is None else taylor(x) + remainder(x)

    def phi(x: Tensor) -> Tensor:
        return bubble(x) * ((x[:, time] - start) / domain.lengths[time]) ** order

    start_data = "u₀" if velocity is None else "u₀ + (t − t₀)v₀"
    lift = start_data if data is None else f"transfinite interpolation of the boundary data and {start_data}"
    return Ansatz(phi, g, _text(domain, axes, time, order, lift))


def taylor_of(initial: Function, velocity: Function | None, start: float) -> Function:
    """(x, t) ↦ u₀(x) + (t − t₀) v₀(x)."""

    def taylor(x: Tensor) -> Tensor:
        at_start = _put(x, x.shape[1] - 1, start)
        value = initial(at_start)
        return value if velocity is None else value + (x[:, -1] - start) * velocity(at_start)

    return taylor


def check_blendable(axes: int, data: Function | None) -> None:
    """3^d − 1 calls of the data make one value of g: one for each face, edge, …, corner of the box.
    Zero data need none.

    Args:
        axes: d, the coordinates in which the data are given at both ends.
        data: the values on ∂Ω; None for 0.

    Raises:
        ValueError: data in more than `MAX_BLENDED` coordinates.
    """
    if data is not None and axes > MAX_BLENDED:
        raise ValueError(
            f"boundary: got hard conditions with data on the sides of {axes} coordinates, expected at most "
            f"{MAX_BLENDED} or zero data: "
            f"interpolating between all faces takes 3^{axes} − 1 evaluations for every value; write boundary: soft, "
            "or boundary_value: 0 where the data vanish"
        )


def _put(x: Tensor, axis: int, value: float) -> Tensor:
    """The points with one coordinate replaced, without an in-place write,
    which `torch.func` transforms would refuse.
    """
    return torch.cat([x[:, :axis], torch.full_like(x[:, :1], value), x[:, axis + 1 :]], 1)


def _bubble(domain: Box, axes: Sequence[int]) -> Function:
    def phi(x: Tensor) -> Tensor:
        product = torch.ones_like(x[:, 0])
        for j in axes:
            product = product * (4.0 / domain.lengths[j] ** 2) * (x[:, j] - domain.low[j]) * (domain.high[j] - x[:, j])
        return product

    return phi


def _boolean_sum(domain: Box, axes: Sequence[int], u: Function) -> Function:
    """[I − Π_j (I − P_j)] u, built axis by axis as g ← g + P_j(u − g)."""
    g: Function | None = None
    for j in axes:
        g = _blend(domain, j, u, g)
    return g if g is not None else lambda x: torch.zeros_like(x[:, 0])


def _blend(domain: Box, j: int, u: Function, g: Function | None) -> Function:
    """The function g + P_j(u − g)."""

    def rest(x: Tensor) -> Tensor:
        return u(x) if g is None else u(x) - g(x)

    def blended(x: Tensor) -> Tensor:
        s = (x[:, j] - domain.low[j]) / domain.lengths[j]
        across = (1.0 - s) * rest(_put(x, j, domain.low[j])) + s * rest(_put(x, j, domain.high[j]))
        return across if g is None else g(x) + across

    return blended


def check_compatible(domain: Domain, data: Function | None, initial: Function, velocity: Function | None) -> None:
    """Boundary data and initial data meet at ∂Ω × {t₀}: u₀ = data there, and v₀ = ∂_t data when a velocity is given.

    Raises:
        ValueError: they disagree; the largest gap and its point are told.
    """
    walls = on_sides(domain, time=True)
    x = _put(walls.sample(max(16 * domain.dim, 8 * len(walls.pieces)), 0), domain.dim - 1, domain.low[-1])
    here = data or (lambda points: torch.zeros_like(points[:, 0]))
    _compare("initial value", initial, here, x)
    if velocity is not None:
        _compare("initial velocity", velocity, lambda p: gradient(here, p)[:, -1], x)


def _compare(what: str, given: Callable[[Tensor], Tensor], boundary: Callable[[Tensor], Tensor], x: Tensor) -> None:
    a, b = given(x), boundary(x)
    gap = (a - b).abs()
    if not bool((gap <= _COMPATIBLE * (1.0 + a.abs().max())).all()):
        i = int(gap.nan_to_num(torch.inf).argmax())
        raise ValueError(
            f"{what}: got {float(a[i]):.6g} at (x, t) = {x[i].tolist()} where the boundary data give "
            f"{float(b[i]):.6g}, expected the same; "
            "hard conditions need data that agree: correct one of them, or use boundary='soft'"
        )


def _text(domain: Box, axes: Sequence[int], time: int | None, order: int, lift: str) -> str:
    """The ansatz in words."""
    names = ["x", "y", "z"] if len(axes) <= 3 else [f"x{j + 1}" for j in axes]
    factors = []
    for j in axes:
        lo, hi, length = (f"{v:g}" for v in (domain.low[j], domain.high[j], domain.lengths[j]))
        start = (
            names[j]
            if lo == "0"
            else f"({names[j]} − {lo})"
            if domain.low[j] > 0
            else f"({names[j]} + {-domain.low[j]:g})"
        )
        factors.append(f"4{start}({hi} − {names[j]})" + ("" if length == "1" else f"/{length}²"))
    if time is not None:
        factors.append(since(domain.low[time], domain.lengths[time], order))
    return f"u = g + ϕh, ϕ = {' · '.join(factors)}, g = {lift}"


def since(start: float, length: float, order: int) -> str:
    """((t − t₀)/length)^order in words."""
    passed = "t" if start == 0 else f"(t − {start:g})" if start > 0 else f"(t + {-start:g})"
    return (passed if length == 1 else f"({passed}/{length:g})") + ("²" if order == 2 else "")
