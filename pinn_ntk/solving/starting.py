"""Extra functions for the start of diffusion: data that jump, or whose slopes do, between the initial value and a wall.

There u is not smooth, and its residual is not even square-integrable in the limit; u less the similarity functions of
`networks.similarity` is smoother by half an order in time for each of them. They are made for the faces of boxes, with
the diffusivity found there, and are tried beside the plain fit: compatible data do not need them. Where the equation is
u_t = κ∇²u + f, the images beyond a face follow.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.networks.extra import ExtraFunction, extra_function
from pinn_ntk.networks.similarity import Similarity
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.solving.task import Task

_HALVES = 7  # iᵏerfc for k below that
_IMAGES = 2  # beyond each face
_MOMENTS = 6  # highest power of the distance to the face, where the equation has other terms
_LOWEST = 3  # derivatives of erfc beside these powers
_ALONG, _ALONG_HALVES = 3, 4  # highest power of the other coordinate in the plane, and k below that
_SPACE = 2  # coordinates of space up to which this is done


@dataclass(frozen=True)
class _Face:
    """A wall, and the first of its functions."""

    name: str
    first: Similarity


def starting_layers(task: Task, operator: SecondOrderOperator, plain: bool) -> tuple[list[ExtraFunction], list[str]]:
    """(functions, one sentence for each face that has them).

    Args:
        task: the problem.
        operator: 𝓛 of the equation.
        plain: 𝓛u = b_t u_t + A:∇²u with constant A, b_t.
    """
    faces = _faces(task, operator)
    middle = [low + half for low, half in zip(task.frame.low, task.frame.half, strict=True)]
    made, words = list[tuple[Similarity, ...]](), list[str]()
    for face in faces:
        own: list[tuple[Similarity, ...]] = [(f,) for f in _family(face.first, plain)]
        for axis in range(task.dim - 1):
            if axis != face.first.axis:
                other = replace(
                    face.first, axis=axis, place=middle[axis], half=0, diffusivity=0.0, length=task.frame.half[axis]
                )
                powers = itertools.product(range(_ALONG_HALVES), range(1, _ALONG + 1))
                own += [(replace(face.first, half=k), replace(other, power=q)) for k, q in powers]
        made += own
        words.append(
            f"{len(own)} terms t^(k/2) iᵏerfc(distance/√(4κt)) at the start of {face.name}, κ = "
            f"{face.first.diffusivity:.3g}"
        )
    for one, two in itertools.combinations((face.first for face in faces), 2):
        if one.axis != two.axis:
            made += list(itertools.product(_family(one, plain, 1), _family(two, plain, 1)))
    return [extra_function("similarity", _numbers(factors), task.dim) for factors in made], words


def _family(first: Similarity, plain: bool, halves: int = _HALVES) -> list[Similarity]:
    """iᵏerfc for all k, about the face and about its images; or with powers of the distance."""
    if plain:
        places = [first.place - first.side * m * first.length for m in range(_IMAGES + 1)]
        return [replace(first, place=a, half=k) for a in places for k in range(halves)]
    pairs = ((p, k) for p in range(_MOMENTS + 1) for k in range(-min(p - 1, _LOWEST) if p else 0, halves))
    return [replace(first, power=p, half=k) for p, k in pairs if p + k < halves]


def _numbers(factors: Iterable[Similarity]) -> tuple[float, ...]:
    return tuple(v for factor in factors for v in factor.numbers)


def _faces(task: Task, operator: SecondOrderOperator) -> list[_Face]:
    """The walls of a box on which something else than periodicity is given,
    in a problem that is parabolic there and starts.
    """
    posed, space, box = task.problem.posed, task.dim - 1, _space(task)
    kinds = {c.kind for c in posed}
    if not task.time or "initial" not in kinds or "velocity" in kinds or box is None or space > _SPACE:
        return []
    walls = {
        piece
        for c in posed
        if 0 < c.region.dim < task.dim and c.kind not in ("initial", "periodic")
        for piece in c.region.pieces
    }
    start, duration = task.frame.low[-1], 2.0 * task.frame.half[-1]
    found = []
    for axis in range(space):
        pieces = box.pieces[2 * axis : 2 * axis + 2]
        for side, place, piece in zip((1.0, -1.0), (box.low[axis], box.high[axis]), pieces, strict=True):
            kappa = _diffusivity(task, operator, axis, place)
            if kappa is not None and piece.name in walls:
                found.append(
                    _Face(
                        piece.name,
                        Similarity(axis, place, side, kappa, 0, 0, 2.0 * task.frame.half[axis], start, duration),
                    )
                )
    return found


def _space(task: Task) -> Box | None:
    """Ω where it is a box."""
    domain = task.problem.domain
    domain = domain.space if isinstance(domain, OverTime) else domain
    return domain if isinstance(domain, Box) else None


def _diffusivity(task: Task, operator: SecondOrderOperator, axis: int, place: float) -> float | None:
    """κ = −A_jj/b_t at the middle of the face, at the start; None where the equation is not parabolic there."""
    low, half = (
        torch.tensor(task.frame.low, dtype=torch.float64, device="cpu"),
        torch.tensor(task.frame.half, dtype=torch.float64, device="cpu"),
    )
    x = (low + half)[None].clone()
    x[0, axis], x[0, -1] = place, task.frame.low[-1]
    rows = operator.rows(x)
    A = rows.second_order()[0]
    if rows.b is None or float(A[-1].abs().max()) > 0.0 or float(rows.b[0, -1]) == 0.0:
        return None
    kappa = -float(A[axis, axis]) / float(rows.b[0, -1])
    return kappa if kappa > 0.0 else None
