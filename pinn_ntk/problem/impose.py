"""Which conditions can be built into u = g + ϕh, and the map that does it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn_ntk.geometry.box import Box, box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.problem.ansatz import dirichlet_box, evolution_box
from pinn_ntk.problem.ansatz_shapes import dirichlet_shape, evolution_shape
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.regions import on_sides
from pinn_ntk.problem.residual import Ansatz, Function

_VANISHES = 1e-12  # relative: what is zero on ∂Ω up to rounding
IMPOSED = ("dirichlet", "initial", "velocity")


def impose(given: Sequence[Condition], domain: Domain, time: bool, exact: Function | None = None) -> Ansatz:
    """u = g + ϕh for Dirichlet values on all of ∂Ω, and with time for the initial value and velocity.

    Args:
        given: the conditions; data stay blocks beside the ansatz.
        domain: Ω, or Ω × [t₀, T].
        time: whether the last coordinate is time.
        exact: u, where it is known: what is not a box may not be given it as the data.

    Raises:
        ValueError: a condition that no such map builds in, or data that it cannot satisfy.
    """
    values = imposed_values(given, domain, time)
    data = values.get("dirichlet")
    if isinstance(domain, OverTime) and isinstance(domain.space, Box):
        domain = box(domain.low, domain.high)
    if isinstance(domain, Box):
        return (
            evolution_box(domain, data, values["initial"], values.get("velocity"))
            if time
            else dirichlet_box(domain, data)
        )
    data = _extended(data, domain, time, exact)
    if isinstance(domain, OverTime):
        return evolution_shape(domain, data, values["initial"], values.get("velocity"))
    return dirichlet_shape(domain, data)


def _extended(data: Function | None, domain: Domain, time: bool, exact: Function | None) -> Function | None:
    """The data as a function on all of Ω; None where they vanish on ∂Ω.

    Raises:
        ValueError: the data are the exact solution, with which g would be the answer and nothing be left to solve.
    """
    if data is None or exact is None or data != exact:
        return data
    walls = on_sides(domain, time)
    values = exact(walls.sample(max(64 * domain.dim, 16 * len(walls.pieces)), 0)).abs().max()
    if float(values) <= _VANISHES * (1.0 + float(exact(domain.interior(64)).abs().max())):
        return None
    raise ValueError(
        f"boundary: got hard on the {domain} with the exact solution as the boundary data: read inside, g would "
        "be the answer itself; "
        "give the boundary value by a formula of its own, or write soft"
    )


def imposed_values(given: Sequence[Condition], domain: Domain, time: bool) -> dict[str, Function]:
    """What hard conditions impose, by kind; zero boundary data are left out, which is simpler for the map.

    Raises:
        ValueError: no such conditions; what they are is told.
    """
    asked = [c for c in given if c.kind != "data"]
    if others := [c.name for c in asked if c.kind not in IMPOSED]:
        raise ValueError(
            f"boundary: got hard beside {', '.join(others)}, which no map u = g + ϕh builds in; write soft"
        )
    kinds = sorted(c.kind for c in asked)
    allowed = (["dirichlet", "initial"], ["dirichlet", "initial", "velocity"]) if time else (["dirichlet"],)
    whole = set(on_sides(domain, time).pieces)
    if kinds not in allowed or any(set(c.region.pieces) != whole for c in asked if c.kind == "dirichlet"):
        raise ValueError(
            f"boundary: got hard with the conditions {', '.join(c.words for c in asked) or '(none)'}, expected "
            "one Dirichlet condition on "
            f"the whole boundary{' and the initial value (and velocity)' if time else ''}; write soft"
        )
    return {c.kind: function for c in asked if (function := _function(c.target, c.kind)) is not None}


def _function(target: Function | float | Tensor, kind: str) -> Function | None:
    """The target as a function, None for zero values on the boundary."""
    if callable(target) and not isinstance(target, Tensor):
        return target
    value = float(target)
    return None if value == 0.0 and kind == "dirichlet" else lambda x: torch.full_like(x[:, 0], value)
