"""Which pieces of ∂Ω conditions speak of, and which of them need a word where there is none."""

from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from pinn_ntk.geometry.domain import Domain
from pinn_ntk.problem.finding import Finding
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.regions import ends_of_time, person_names

_DEFINITE = 1e-12  # least over largest eigenvalue of A below which an equation counts as degenerate
_SAMPLE = 16


def the_equation(posed: tuple[Condition, ...]) -> Condition | None:
    """The interior condition, where there is one and it has derivatives."""
    inner = [c for c in posed if c.kind == "interior"]
    return inner[0] if len(inner) == 1 and inner[0].order > 0 else None


def called(domain: Domain, time: bool) -> dict[str, str]:
    """What a person calls each piece, by the domain's own name."""
    return {piece: own for own, piece in person_names(domain, time).items()}


def missing_conditions(posed: tuple[Condition, ...], domain: Domain, time: bool) -> Iterator[Finding]:
    """An equation alone, pieces of ∂Ω without a word where it is of second order across all of them,
    or too little at the start of time.

    Data inside may stand for any of these, and where A is not definite, as of a first-order or a degenerate equation,
    nothing is asked for.
    """
    equation = the_equation(posed)
    given = [c for c in posed if c.kind != "interior"]
    if equation is None or any(c.kind == "data" for c in given):
        return
    if not given:
        yield Finding(
            "warning", "nothing is given of u beside its equation, which has infinitely many solutions; add conditions"
        )
        return
    ends = ends_of_time(domain) if time else ()
    spoken = coverage(given, domain)
    walls = [piece.name for piece in domain.pieces if piece.name not in ends]
    bare = [name for name in walls if not spoken[name] and across(equation, domain, name, time)]
    on_walls = sum(len(set(c.region.pieces) & set(walls)) for c in given)
    if bare and (domain.dim - time > 1 or on_walls < 2):  # on an interval both conditions may be at one end
        names = called(domain, time)
        yield Finding(
            "warning",
            f"nothing is given on {', '.join(names[name] for name in bare)}, where this equation needs a "
            "condition: u is not determined; "
            "add one (no flux is neumann with the value 0)",
        )
    order, there = _order_in_time(equation, domain) if time else 0, sum(spoken[name] for name in ends)
    if there < order:
        had = "nothing is" if there == 0 else "only one condition is"
        wanted = "the initial value" if order == 1 else "the initial value and the initial velocity"
        yield Finding(
            "warning", f"{had} given at the start of time, where this equation needs {wanted}: u is not determined"
        )


def coverage(given: Sequence[Condition], domain: Domain) -> Counter[str]:
    """How many conditions speak of each piece."""
    return Counter(name for c in given for name in covered(c, domain))


def covered(condition: Condition, domain: Domain) -> set[str]:
    """The pieces that it speaks of, those of its partner too."""
    if condition.partner is None:
        return set(condition.region.pieces)
    there = condition.partner.points(condition.region.sample(_SAMPLE, 0))
    return {*condition.region.pieces, *(piece.name for piece in domain.pieces if bool(piece.contains(there).all()))}


def across(interior: Condition, domain: Domain, piece: str, time: bool) -> bool:
    """Whether A, in the space coordinates, is definite on the piece."""
    space = domain.dim - time
    A = interior.operator.coefficients(domain.boundary(_SAMPLE, 0, [piece]))[0][:, :space, :space]
    values = torch.linalg.eigvalsh(A)
    least, largest = values.abs().amin(1), values.abs().amax(1)
    one_sign = (values > 0).all(1) | (values < 0).all(1)
    return bool((one_sign & (least > _DEFINITE * largest)).all())


def _order_in_time(interior: Condition, domain: Domain) -> int:
    """2 where u_tt occurs, 1 where u_t does, else 0."""
    A, b, _ = interior.operator.coefficients(domain.interior(_SAMPLE))
    return 2 if bool(A[:, -1, -1].any()) else int(bool(b[:, -1].any()))
