"""Extra functions that the geometry calls for: log r and r^(−m) about holes, r^α at re-entrant corners, over time times powers of t.

They are written in z = T(x − c) with TᵀT = A⁻¹ of the operator's second-order part at that place, so that they solve A:∇²ψ = 0 there; with
lower-order terms or variable coefficients the factors |z|² and |z|⁴ follow. In three dimensions |z|⁻¹ takes the place of log|z|.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Corner, Hole
from pinn_ntk.networks.extra import ExtraFunction, extra_function
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.solving.task import Task

_COLUMNS = 320  # extra functions altogether, so that many holes get fewer terms each
_LAURENT = 16  # terms about one hole
_CORNER = 12  # exponents at one corner
_IN_TIME = 3  # highest power of t beside a singular function


@dataclass(frozen=True)
class Chosen:
    """Extra functions and why.

    Attributes:
        functions: ψ_j.
        words: for a report, one sentence for each place.
    """

    functions: tuple[ExtraFunction, ...] = ()
    words: tuple[str, ...] = ()


def called_for(task: Task) -> Chosen:
    """What the domain's holes and re-entrant corners call for."""
    domain = task.problem.domain
    holes, corners = (getattr(domain, name, ()) for name in ("holes", "corners"))
    operator = next((c.operator for c in task.problem.posed if c.kind == "interior"), None)
    if operator is None or operator.order < 2 or not (holes or corners):
        return Chosen()
    space = task.dim - int(task.time)
    powers = range(_IN_TIME + 1) if task.time else range(1)
    span = (task.frame.low[-1], 2.0 * task.frame.half[-1]) if task.time else (0.0, 1.0)
    plain = operator.constant and not task.time and _principal_only(operator, task)
    kinds = {c.name: c.kind for c in task.problem.posed}
    functions: list[ExtraFunction] = []
    words: list[str] = []
    budget = _COLUMNS // max(1, (len(holes) + len(corners)) * len(powers))
    for hole in holes:
        made = _about_hole(hole, operator, task, space, budget, plain)
        functions += _over_time(made, powers, span)
        which = f"{len(made)} terms log r, r^(−m) cos mθ, r^(−m) sin mθ" if space == 2 else "1/r"
        words.append(f"{which} about the hole at {_place(hole.center)}")
    for corner in corners if space == 2 else ():
        made = _at_corner(corner, operator, task, kinds, budget, plain)
        functions += _over_time(made, powers, span)
        words.append(f"{len(made)} terms r^α at the re-entrant corner {_place(corner.vertex)} of {math.degrees(corner.angle):.0f}°")
    return Chosen(tuple(functions), tuple(words))


def _over_time(made: Sequence[ExtraFunction], powers: range, span: tuple[float, float]) -> list[ExtraFunction]:
    return [extra_function(f.kind, f.parameters, f.dim, k, span) for f in made for k in powers]


def _principal_only(operator: SecondOrderOperator, task: Task) -> bool:
    """Whether 𝓛u = A:∇²u with constant A."""
    rows = operator.rows(task.reference[:4])
    return (rows.b is None or not bool(rows.b.any())) and (rows.c is None or not bool(rows.c.any()))


def _metric(operator: SecondOrderOperator, place: Sequence[float], task: Task, space: int) -> Tensor | None:
    """T with TAT ᵀ = ±I for the space part of A at the point of Ω nearest to a place; None where A is not definite."""
    x, c = task.reference, torch.tensor(place, dtype=torch.float64)
    near = x[int((x[:, :space] - c).square().sum(1).argmin())][None]
    A = operator.rows(near).second_order()[0, :space, :space]
    values, vectors = torch.linalg.eigh(A if float(A.trace()) > 0 else -A)
    if float(values[0]) <= 1e-8 * float(values[-1]):
        return None
    return (vectors / (values / values.mean()).sqrt()) @ vectors.mT


def _about_hole(hole: Hole, operator: SecondOrderOperator, task: Task, space: int, budget: int, plain: bool) -> list[ExtraFunction]:
    T = _metric(operator, hole.center, task, space)
    if T is None or space not in (2, 3):
        return []
    scaled = T / hole.radius
    if space == 3:
        return [extra_function("radial", (3.0, -1.0, *hole.center, *scaled.flatten().tolist()), task.dim)]
    base = (*hole.center, *scaled.flatten().tolist())
    layers = 1 if plain else 2
    terms = max(1, min(_LAURENT, (budget // layers - 1) // 2))
    made = []
    for j in range(layers):
        made.append(extra_function("logarithm", (*base, 0.0, float(j), 0.0), task.dim))
        made += [extra_function("power", (*base, -float(m), float(j), im), task.dim) for m in range(1, terms + 1) for im in (0.0, 1.0)]
    return made


def _at_corner(
    corner: Corner, operator: SecondOrderOperator, task: Task, kinds: dict[str, str], budget: int, plain: bool
) -> list[ExtraFunction]:
    """|z|^{2j} Im or Re z^α, α = mπ/ω (one kind of condition on both sides) and (m − ½)π/ω, with the cut of z^α outside Ω."""
    T = _metric(operator, corner.vertex, task, 2)
    if T is None:
        return []
    angles = torch.tensor([corner.start, corner.start + corner.angle], dtype=torch.float64)
    sides = torch.stack([angles.cos(), angles.sin()], 1) @ T.mT
    start, end = (math.atan2(float(s[1]), float(s[0])) for s in sides)
    omega = (end - start) % (2.0 * math.pi)
    middle = start + 0.5 * omega  # the positive axis of z points into Ω, so that the cut along the negative one stays outside
    turn = torch.tensor([[math.cos(middle), math.sin(middle)], [-math.sin(middle), math.cos(middle)]], dtype=torch.float64)
    size = 2.0 * max(task.frame.half[:2])
    base = (*corner.vertex, *((turn @ T) / size).flatten().tolist())
    mixed = len({kinds.get(side, kinds.get("boundary", "dirichlet")) for side in corner.sides}) > 1
    layers = 1 if plain else 3
    made = []
    for m in range(1, max(1, min(_CORNER, budget // (2 * layers))) + 1):
        alpha = (m - 0.5 if mixed else m) * math.pi / omega
        for j in range(layers):
            if alpha + 2 * j != round(alpha + 2 * j) or alpha != round(alpha):
                made += [extra_function("power", (*base, alpha, float(j), im), task.dim) for im in (0.0, 1.0)]
    return made


def _place(point: Sequence[float]) -> str:
    return f"({', '.join(f'{v:.3g}' for v in point)})"
