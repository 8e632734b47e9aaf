"""Whether conditions fit together and are enough: values that meet and differ, u known up to a constant,
parts of ∂Ω without a word.

Only what is posed on regions is judged as a whole; rows at points that a person chose are theirs.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.finding import Finding, shown
from pinn_ntk.problem.meeting import meeting_points
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.regions import ends_of_time, person_names
from pinn_ntk.problem.residual import Block, Problem

_AGREE = 1e-6  # relative gap of two values at one point above which u would jump
_DEFINITE = 1e-12  # least over largest eigenvalue of A below which an equation counts as degenerate
_SAMPLE = 16


def posedness(problem: Problem) -> list[Finding]:
    """What is wrong with the conditions of a problem as a whole; of points alone,
    only that they may leave a constant open.
    """
    posed, domain = problem.posed, problem.domain
    if not posed or domain is None:
        fluxes = problem.ansatz is None and {block.order for block in problem.blocks} >= {1, 2}
        return list(floating_constant(problem.blocks)) if fluxes else []
    if problem.ansatz is not None and len(posed) == 1:  # a person's own ansatz stands for the conditions
        return []
    missing = list(missing_conditions(posed, domain, problem.time))
    held = any(c.kind in ("dirichlet", "initial", "data") for c in posed)
    return [
        *jumps(posed, domain),
        *missing,
        *([] if missing or held else floating_constant([_sampled(c) for c in posed])),
    ]


def jumps(posed: tuple[Condition, ...], domain: Domain) -> Iterator[Finding]:
    """Boundary and initial values that differ where their regions meet, as at a corner: no smooth u takes both."""
    valued = [c for c in posed if c.kind in ("dirichlet", "initial")]
    for i, first in enumerate(valued):
        for second in valued[i + 1 :]:
            x = meeting_points(first.region, second.region, domain)
            if not len(x):
                continue
            a, b = _values(first, x), _values(second, x)
            if (k := _largest_gap(a, b)) is not None:
                yield Finding(
                    "warning",
                    f"at x = {shown(x[k])} block {first.name!r} gives u = {float(a[k]):.6g} and block "
                    f"{second.name!r} {float(b[k]):.6g}: "
                    "u jumps where they meet, and is not smooth there; correct one of them, or expect errors "
                    "near that place",
                )
    for same in (c for c in posed if c.kind == "periodic" and c.order == 0):
        for one in valued:
            yield from _not_periodic(same, one, meeting_points(same.region, one.region, domain))


def _not_periodic(same: Condition, valued: Condition, x: Tensor) -> Iterator[Finding]:
    """Values that differ at points x and x' where a periodic condition takes u for the same."""
    if same.partner is None or not len(x):
        return
    there = same.partner.points(x)
    a, b = _values(valued, x), _values(valued, there)
    if (k := _largest_gap(a, b)) is not None:
        yield Finding(
            "warning",
            f"block {valued.name!r} gives u = {float(a[k]):.6g} at x = {shown(x[k])} and {float(b[k]):.6g} at x "
            f"= {shown(there[k])}, where "
            f"block {same.name!r} says that u is the same: no smooth u does both; correct one of them",
        )


def _largest_gap(a: Tensor, b: Tensor) -> int | None:
    """Where two values at the same points differ most, if they do."""
    gap = (a - b).abs().nan_to_num(0.0, 0.0, 0.0)
    size = float(torch.cat([a, b]).nan_to_num(0.0, 0.0, 0.0).abs().max())
    return int(gap.argmax()) if float(gap.max()) > _AGREE * (1.0 + size) else None


def _values(condition: Condition, x: Tensor) -> Tensor:
    target = condition.target
    values = (
        target(x)
        if callable(target) and not isinstance(target, Tensor)
        else torch.as_tensor(target, dtype=x.dtype, device=x.device)
    )
    return values.detach().expand(len(x))


def floating_constant(blocks: Sequence[Block]) -> Iterator[Finding]:
    """Rows that all annihilate constants, as Neumann's with −Δ: with u, u + C is a solution too."""
    if not all(_annihilates_constants(block) for block in blocks):
        return
    yield Finding(
        "warning",
        "u is determined up to a constant: no condition and no term of the equation holds u itself; the "
        "solution of mean zero is what the "
        "solver (optimizer=auto) computes; give a value on a piece of the boundary or at a point to fix another",
    )


def _annihilates_constants(block: Block) -> bool:
    """Whether 𝓛1 (less 𝓜1) is zero at its points."""
    rows = block.rows()
    parts: list[Rows] = [rows.plus, *([] if rows.minus is None else [rows.minus])]
    own, *others = (rows.x.new_zeros(1) if part.c is None else part.c for part in parts)
    return not bool((own - sum(others, own.new_zeros(1))).any())


def _sampled(condition: Condition) -> Block:
    c = condition
    return Block(c.operator, c.region.sample(max(_SAMPLE, len(c.region.pieces)), 0), 0.0, c.name, partner=c.partner)


def missing_conditions(posed: tuple[Condition, ...], domain: Domain, time: bool) -> Iterator[Finding]:
    """An equation alone, pieces of ∂Ω without a word where it is of second order across all of them,
    or too little at the start of time.

    Data inside may stand for any of these, and where A is not definite, as of a first-order or a degenerate equation,
    nothing is asked for.
    """
    inner = [c for c in posed if c.kind == "interior"]
    given = [c for c in posed if c.kind != "interior"]
    if len(inner) != 1 or inner[0].order == 0 or any(c.kind == "data" for c in given):
        return
    if not given:
        yield Finding(
            "warning", "nothing is given of u beside its equation, which has infinitely many solutions; add conditions"
        )
        return
    ends = ends_of_time(domain) if time else ()
    covered = Counter(name for c in given for name in _covered(c, domain))
    walls = [piece.name for piece in domain.pieces if piece.name not in ends]
    bare = [name for name in walls if not covered[name] and _across(inner[0], domain, name, time)]
    on_walls = sum(len(set(c.region.pieces) & set(walls)) for c in given)
    if bare and (domain.dim - time > 1 or on_walls < 2):  # on an interval both conditions may be at one end
        called = {piece: own for own, piece in person_names(domain, time).items()}
        yield Finding(
            "warning",
            f"nothing is given on {', '.join(called[name] for name in bare)}, where this equation needs a "
            "condition: u is not determined; "
            "add one (no flux is neumann with the value 0)",
        )
    order, there = _order_in_time(inner[0], domain) if time else 0, sum(covered[name] for name in ends)
    if there < order:
        had = "nothing is" if there == 0 else "only one condition is"
        wanted = "the initial value" if order == 1 else "the initial value and the initial velocity"
        yield Finding(
            "warning", f"{had} given at the start of time, where this equation needs {wanted}: u is not determined"
        )


def _covered(condition: Condition, domain: Domain) -> set[str]:
    """The pieces that it speaks of, those of its partner too."""
    if condition.partner is None:
        return set(condition.region.pieces)
    there = condition.partner.points(condition.region.sample(_SAMPLE, 0))
    return {*condition.region.pieces, *(piece.name for piece in domain.pieces if bool(piece.contains(there).all()))}


def _across(interior: Condition, domain: Domain, piece: str, time: bool) -> bool:
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
