"""The regions of a domain: inside, pieces of its boundary, its start in time, and given points."""

from collections.abc import Sequence

from torch import Tensor

from pinn_ntk.arguments import choose
from pinn_ntk.expressions import variable_names
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.coordinates import written
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.problem.formulas import constant
from pinn_ntk.problem.posed import Region


def inside(domain: Domain) -> Region:
    """Ω, sampled by Sobol points."""
    return Region(domain.interior, domain.volume, domain.dim, "in Ω")


def at_points(x: Tensor) -> Region:
    """Finitely many points, all of them returned whatever is asked for."""
    return Region(lambda n, seed: x, float(len(x)), 0, f"at {len(x)} points")  # noqa: ARG005  called as every sample is


def on_pieces(domain: Domain, names: Sequence[str], words: str = "") -> Region:
    """The union of pieces of ∂Ω, points shared out by measure.

    Args:
        domain: Ω.
        names: of the pieces, each once, as the domain calls them.
        words: where that is; empty says the names.
    """
    chosen = tuple(names)
    measures = {piece.name: piece.measure for piece in domain.pieces}

    def sample(n: int, seed: int) -> Tensor:
        return domain.boundary(n, seed, chosen)

    return Region(
        sample, sum(measures[name] for name in chosen), domain.dim - 1, words or f"on {', '.join(chosen)}", chosen
    )


def on_sides(domain: Domain, time: bool) -> Region:
    """∂Ω, or ∂Ω × [t₀, T]."""
    ends = ends_of_time(domain) if time else ()
    return on_pieces(domain, [piece.name for piece in domain.pieces if piece.name not in ends], "on ∂Ω")


def at_start(domain: Domain) -> Region:
    """Ω × {t₀}."""
    return on_pieces(domain, ends_of_time(domain)[:1], f"at t = {domain.low[-1]:g}")


def ends_of_time(domain: Domain) -> tuple[str, str]:
    """The names of the two pieces t = t₀ and t = T, which are the last of a domain over time.

    Raises:
        ValueError: a domain without room for time.
    """
    if domain.dim < 2:
        raise ValueError(f"{domain}: got {domain.dim} coordinate, expected space coordinates and time as the last one")
    start, end = (piece.name for piece in domain.pieces[-2:])
    return start, end


def named_pieces(on: object, domain: Domain, time: bool) -> tuple[str, ...]:
    """The pieces that "all", a name such as "edge 1" or "x = 2*pi", or a list of names calls, as the domain calls them.

    Raises:
        ValueError: no such piece; the nearest one is suggested and all are listed.
    """
    own = {"all": "all", **person_names(domain, time)}
    squeezed = {name.replace(" ", ""): piece for name, piece in own.items()}
    found: list[str] = []
    for text in on if isinstance(on, (list, tuple)) and on else [on]:
        piece = squeezed.get(str(text).replace(" ", "")) or _face(text, domain, time) or choose("on", text, own)
        found += on_sides(domain, time).pieces if piece == "all" else [piece]
    return tuple(dict.fromkeys(found))


def person_names(domain: Domain, time: bool) -> dict[str, str]:
    """What a person calls each piece, and what the domain does: a box does not know that its last coordinate is called
    t.
    """
    if not isinstance(domain, Box):
        return {piece.name: piece.name for piece in domain.pieces}
    names = variable_names(domain.dim, time)
    called = (
        f"{name}={end}" for name, *ends in zip(names, domain.low, domain.high, strict=True) for end in written(*ends)
    )
    return dict(zip(called, (piece.name for piece in domain.pieces), strict=True))


def _face(text: object, domain: Domain, time: bool) -> str | None:
    """The face "name = value" of a box, the value being a number or a formula such as 2*pi; None if it is none."""
    left, equals, right = str(text).partition("=")
    names = variable_names(domain.dim, time)
    if not isinstance(domain, Box) or not equals or left.strip() not in names:
        return None
    axis, value = names.index(left.strip()), constant("on", right.strip())
    slack = 1e-9 * domain.lengths[axis]
    ends = enumerate((domain.low[axis], domain.high[axis]))
    return next((domain.pieces[2 * axis + side].name for side, end in ends if abs(value - end) <= slack), None)


def contained(x: Tensor, domain: Domain, what: str) -> Tensor:
    """The points.

    Raises:
        ValueError: one of them is outside.
    """
    outside = ~domain.contains(x)
    if bool(outside.any()):
        raise ValueError(
            f"{what}: got the point {x[int(outside.int().argmax())].tolist()}, expected points in {domain}"
        )
    return x
