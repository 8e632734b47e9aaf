"""Extra functions that the geometry calls for: log r and r^(−m) about holes, r^α at re-entrant corners,
over time times powers of t.

They are written in z = T(x − c) with TᵀT = A⁻¹ of the operator's second-order part at that place, so that they solve
A:∇²ψ = 0 there; with lower-order terms or variable coefficients the factors |z|² and |z|⁴ follow. In three dimensions
|z|⁻¹ takes the place of log|z|.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Corner, Hole
from pinn_ntk.networks.bessel import FAMILIES
from pinn_ntk.networks.extra import ExtraFunction, extra_function
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.posed import Function
from pinn_ntk.solving.corners import wedges
from pinn_ntk.solving.own_functions import own_functions
from pinn_ntk.solving.spots import spots
from pinn_ntk.solving.starting import starting_layers
from pinn_ntk.solving.task import Task

_COLUMNS = 320  # extra functions altogether, so that many holes get fewer terms each
_LAURENT = 16  # terms about one hole
_CORNER = 8.0  # largest exponent at a re-entrant corner
_CONVEX = 8.0  # and at a convex one
_MANY = 12  # convex corners that are looked after
_WHOLE = 1e-3  # an exponent that close to a whole number gets a logarithm
_VALUED = ("dirichlet", "initial")
_SPOTS = 6  # that are looked after
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

    def __add__(self, other: "Chosen") -> "Chosen":
        return Chosen(self.functions + other.functions, self.words + other.words)


def called_for(task: Task) -> Chosen:
    """What the domain's holes and re-entrant corners call for."""
    made, setting = Chosen(), _setting(task)
    if setting is None:
        return made
    holes = getattr(task.problem.domain, "holes", ())
    wide = [w for w in wedges(task.problem.domain) if w.angle > math.pi] if setting.space == 2 else []
    budget = _COLUMNS // max(1, (len(holes) + len(wide)) * len(setting.powers))
    for hole in holes:
        functions = _about_hole(hole, setting, budget)
        own = f"{_bessel(functions)}, " if _bessel(functions) else ""
        which = (
            f"{len(functions)} terms {own}log r, r^(−m), times cos mθ, sin mθ" if setting.space == 2 else f"{own}1/r"
        )
        made += Chosen(tuple(setting.over_time(functions)), (f"{which} about the hole at {_place(hole.center)}",))
    for corner in wide:
        made += _corner(corner, setting, budget, _CORNER)
    return made + _about_spots(setting)


def _about_spots(setting: "_Setting") -> Chosen:
    """What the small spots of f make (`spots`)."""
    target, made = setting.source, Chosen()
    if not callable(target) or isinstance(target, Tensor):
        return made
    for spot in itertools.islice(spots(setting.task, lambda x: target(x).detach()), _SPOTS):
        T = _metric(setting.operator, spot.center, setting.task, setting.space)
        if T is not None:
            functions = spot.functions(T, setting.task.dim)
            where = f"{_place(spot.center)}, σ ≈ {spot.sigma:.2g}"
            words = f"{len(functions)} potentials of Gaussians about the spot at {where}"
            made += Chosen(tuple(setting.over_time(functions)), (words,))
    return made


def corners_besides(task: Task) -> Chosen:
    """What convex corners, of Ω and between a wall and the start, may call for,
    unless the data happen to be compatible.
    """
    made, setting = Chosen(), _setting(task)
    if setting is None:
        return made
    functions, words = starting_layers(task, setting.operator, _principal_only(setting.operator, task))
    made += Chosen(tuple(functions), tuple(words))
    if setting.space != 2:
        return made
    convex = [w for w in wedges(task.problem.domain) if w.angle < math.pi]
    for corner in convex[:_MANY]:
        made += _corner(corner, setting, _COLUMNS // max(1, len(convex)), _CONVEX)
    return made


@dataclass(frozen=True)
class _Setting:
    """What every extra function is made for.

    Attributes:
        task: the problem.
        operator: 𝓛 of the equation.
        space: coordinates of space.
        source: f.
        plain: 𝓛u = A:∇²u with constant A, without time.
        powers: of time, beside a function of space.
        span: (t₀, T).
        kinds: of the condition on each piece of ∂Ω.
    """

    task: Task
    operator: SecondOrderOperator
    space: int
    source: Function | float | Tensor
    plain: bool
    powers: range
    span: tuple[float, float]
    kinds: dict[str, str]

    def over_time(self, made: Sequence[ExtraFunction]) -> list[ExtraFunction]:
        """Each function times powers of time."""
        return [extra_function(f.kind, f.parameters, f.dim, k, self.span) for f in made for k in self.powers]


def _setting(task: Task) -> _Setting | None:
    """None where no second-order equation is posed."""
    inner = next((c for c in task.problem.posed if c.kind == "interior"), None)
    if inner is None or inner.operator.order < 2 or task.problem.domain is None:
        return None
    operator = inner.operator
    powers = range(_IN_TIME + 1) if task.time else range(1)
    span = (task.frame.low[-1], 2.0 * task.frame.half[-1]) if task.time else (0.0, 1.0)
    plain = not task.time and _principal_only(operator, task)
    kinds = {piece: c.kind for c in task.problem.posed for piece in c.region.pieces}
    return _Setting(task, operator, task.dim - int(task.time), inner.target, plain, powers, span, kinds)


def _corner(corner: Corner, setting: _Setting, budget: int, most: float) -> Chosen:
    functions = _at_corner(corner, setting, budget, most)
    which = (
        f"{len(functions)} terms r^α, r^α log r at the corner {_place(corner.vertex)} of "
        f"{math.degrees(corner.angle):.0f}°"
    )
    return Chosen(tuple(setting.over_time(functions)), (which,) if functions else ())


def _principal_only(operator: SecondOrderOperator, task: Task) -> bool:
    """Whether 𝓛u = A:∇²u with constant A, and b_t u_t where there is time."""
    rows = operator.rows(task.reference[:4])
    space = task.dim - int(task.time)
    return (
        operator.constant
        and (rows.b is None or not bool(rows.b[:, :space].any()))
        and (rows.c is None or not bool(rows.c.any()))
    )


def _metric(operator: SecondOrderOperator, place: Sequence[float], task: Task, space: int) -> Tensor | None:
    """T with TAT ᵀ = ±I for the space part of A at the point of Ω nearest to a place; None where A is not definite."""
    x, c = task.reference, torch.tensor(place, dtype=torch.float64, device="cpu")
    near = x[int((x[:, :space] - c).square().sum(1).argmin())][None]
    A = operator.rows(near).second_order()[0, :space, :space]
    values, vectors = torch.linalg.eigh(A if float(A.trace()) > 0 else -A)
    if float(values[0]) <= 1e-8 * float(values[-1]):
        return None
    T: Tensor = (vectors / (values / values.mean()).sqrt()) @ vectors.mT
    return T


def _about_hole(hole: Hole, setting: _Setting, budget: int) -> list[ExtraFunction]:
    task, space = setting.task, setting.space
    T = _metric(setting.operator, hole.center, task, space)
    if T is None or space not in (2, 3):
        return []
    scaled = T / hole.radius
    own = own_functions(task, setting.operator, hole.center, scaled)
    if space == 3:
        inverse = extra_function("radial", (3.0, -1.0, *hole.center, *scaled.flatten().tolist()), task.dim)
        return [inverse, *(own.functions([0.0], True) if own else ())]
    base = (*hole.center, *scaled.flatten().tolist())
    layers = 1 if setting.plain else 2
    terms = max(1, min(_LAURENT, (budget // (layers + int(own is not None)) - 1) // 2))
    made = own.functions(range(terms + 1), True) if own else []
    for j in range(layers):
        made.append(extra_function("logarithm", (*base, 0.0, float(j), 0.0), task.dim))
        made += [
            extra_function("power", (*base, -float(m), float(j), im), task.dim)
            for m in range(1, terms + 1)
            for im in (0.0, 1.0)
        ]
    return made


def _at_corner(corner: Corner, setting: _Setting, budget: int, most: float) -> list[ExtraFunction]:
    """z^α with α = mπ/ω, or (m − ½)π/ω between two kinds of condition, times log z where α is whole;
    the cut is outside Ω.

    Smooth coefficients or a source as singular as u add |z|^{2j} z^{α + k − 2j}, j ≤ k, at a re-entrant corner for the
    two least α.
    """
    T = _metric(setting.operator, corner.vertex, setting.task, 2)
    if T is None:
        return []
    angles = torch.tensor([corner.start, corner.start + corner.angle], dtype=torch.float64, device="cpu")
    sides = torch.stack([angles.cos(), angles.sin()], 1) @ T.mT
    start, end = (math.atan2(float(s[1]), float(s[0])) for s in sides)
    omega = (end - start) % (2.0 * math.pi)
    middle = (
        start + 0.5 * omega
    )  # the positive axis of z points into Ω, so that the cut along the negative one stays outside
    turn = torch.tensor(
        [[math.cos(middle), math.sin(middle)], [-math.sin(middle), math.cos(middle)]], dtype=torch.float64, device="cpu"
    )
    size = 2.0 * max(setting.task.frame.half[:2])
    base = (*corner.vertex, *((turn @ T) / size).flatten().tolist())
    mixed = len({setting.kinds.get(side, "") in _VALUED for side in corner.sides}) > 1
    step = (0.5 if mixed else 1.0) * math.pi / omega
    powers = [step * (2 * m - 1 if mixed else m) for m in range(1, 2 + int(most / step))]
    harmonic = [(alpha, 0) for alpha in powers if alpha <= most]
    wide = corner.angle > math.pi
    layers = [(alpha, j) for j in (1, 2) for alpha in powers if alpha <= most] if not (setting.plain or wide) else []
    degrees = [(alpha, k) for alpha in powers[:2] for k in range(1, 1 + int(most - alpha))] if wide else []
    leading = [(alpha + k - 2 * j, j) for alpha, k in degrees for j in range(1, k + 1)]
    own = own_functions(setting.task, setting.operator, corner.vertex, (turn @ T) / size)
    orders = [alpha for alpha, _ in harmonic if abs(alpha - round(alpha)) >= _WHOLE]
    made = own.functions(orders[: max(1, budget // 6)], False) if own else []
    for exponent, j in (harmonic + leading + layers)[: max(1, (budget - len(made)) // 2)]:
        whole = abs(exponent - round(exponent)) < _WHOLE
        kind, value = ("logarithm", float(round(exponent))) if whole else ("power", exponent)
        made += [extra_function(kind, (*base, value, float(j), part), setting.task.dim) for part in (0.0, 1.0)]
    return made


def _bessel(functions: Sequence[ExtraFunction]) -> str:
    """The Bessel functions among them, for a report."""
    found = next((f for f in functions if f.kind == "bessel"), None)
    return "" if found is None else f"{FAMILIES[int(found.parameters[-4])]}_m(kr)"


def _place(point: Sequence[float]) -> str:
    return f"({', '.join(f'{v:.3g}' for v in point)})"
