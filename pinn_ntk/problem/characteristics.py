"""First-order equations b·∇u + cu = f: along x' = b(x), u' = f − cu, so that each characteristic needs one value,
and u is the same at both of its ends where c = f = 0.

Characteristics are followed both ways from points inside until they leave Ω; what is closed, or ends at rest, says
nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain
from pinn_ntk.problem.coverage import called, covered, the_equation
from pinn_ntk.problem.finding import ILL_POSED, Finding, shown
from pinn_ntk.problem.posed import Condition

_STARTS = 512  # characteristics
_STEP, _FINEST = 1 / 32, 1 / 128  # of the bounding box, scaled to a cube
_LENGTH = 8.0  # of a characteristic, in sides of that cube
_LOOKS = 8  # points along a step at which it is asked whether it is inside still
_HALVINGS = 50
_REST = 1e-9  # of the largest |b|: slower is at rest
_FEWEST = 3  # characteristics before anything is said: one alone may have grazed a wall
_GAP, _SHARE = 0.05, 0.05  # of the values: how far both ends may differ, and for how many characteristics

_NOTHING, _FLUX, _VALUE = 0, 1, 2


@dataclass(frozen=True)
class _Exit:
    """Where characteristics leave Ω.

    Attributes:
        x: (n, d), the last points of Ω̄.
        piece: (n,), the number of the piece; −1 where they do not leave, or at an edge of two pieces.
    """

    x: Tensor
    piece: Tensor


def along_characteristics(posed: tuple[Condition, ...], domain: Domain, time: bool) -> list[Finding]:
    """Characteristics on which no value is given, by the pieces at which they enter,
    and those whose two ends contradict one another.

    Args:
        posed: all conditions; measured data inside may stand for any, and nothing is said then.
        domain: Ω, or Ω × [t₀, T].
        time: whether the last coordinate is time.
    """
    equation = the_equation(posed)
    given = [c for c in posed if c.kind != "interior"]
    if equation is None or any(c.kind == "data" for c in given) or not given or domain.dim > 16:
        return []
    x = domain.interior(_STARTS)
    A, b, c = equation.operator.coefficients(x)
    if bool(A.any()) or not bool(b.any()):
        return []
    try:
        entry, leaving = (_followed(equation, domain, x, b, sign) for sign in (-1.0, 1.0))
    except ValueError:  # b that is not finite on ∂Ω, where the last steps of characteristics look
        return []
    if missing := list(_missing(given, domain, time, x, entry, leaving, algebraic=domain.dim == 1 and bool(c.any()))):
        return missing
    carried = not bool(c.any()) and equation.number == 0.0  # of a function some thousand points may miss a spot
    return list(_contradictions(given, domain, entry, leaving)) if carried else []


def _missing(
    given: list[Condition], domain: Domain, time: bool, x: Tensor, entry: _Exit, leaving: _Exit, *, algebraic: bool
) -> Iterator[Finding]:
    """Characteristics without a value at either end. A flux at the inflow, or where c ≠ 0 in one dimension, may hold
    u, too.
    """
    knows = torch.tensor(
        [_knowledge(piece.name, given, domain) for piece in domain.pieces], dtype=torch.int64, device=x.device
    )
    first, last = knows[entry.piece], knows[leaving.piece]
    bare = (entry.piece >= 0) & (leaving.piece >= 0) & (first == _NOTHING)
    bare &= (last == _NOTHING) if algebraic else (last != _VALUE)
    if int(bare.sum()) < _FEWEST:  # read back: a check of the problem, once
        return
    names = called(domain, time)
    pieces = [domain.pieces[k] for k in torch.unique(entry.piece[bare]).tolist()]  # read back: words of a finding
    share = 100.0 * float(bare.double().mean())  # read back: words of a finding
    middle = x[bare][(x[bare] - x[bare].mean(0)).square().sum(1).argmin()]
    yield Finding(
        ILL_POSED,
        f"a value is missing at the inflow {', '.join(names[p.name] for p in pieces)} (b·ν < 0): u is not "
        f"determined on the characteristics that enter there, in about {share:.0f} % of Ω, as at x = {shown(middle)}; "
        "give u there",
    )


def _knowledge(piece: str, given: list[Condition], domain: Domain) -> int:
    """What conditions on a piece say: a value, as far as one with u or a periodic one does, only derivatives, or
    nothing.
    """
    on = [c for c in given if piece in covered(c, domain)]
    if any(c.kind == "periodic" or c.partner is not None or _holds(c) for c in on):
        return _VALUE
    return _FLUX if on else _NOTHING


def _holds(condition: Condition) -> bool:
    """Whether u itself occurs in a condition."""
    x = condition.region.sample(max(16, len(condition.region.pieces)), 0)
    return bool(condition.operator.coefficients(x)[2].any())


def _contradictions(given: list[Condition], domain: Domain, entry: _Exit, leaving: _Exit) -> Iterator[Finding]:
    """Values at both ends that one solution along the characteristic does not take."""
    valued = [c for c in given if c.kind in ("dirichlet", "initial")]
    (first, known), (last, also) = (_given_at(valued, domain, end) for end in (entry, leaving))
    both = known & also
    if int(both.sum()) < _FEWEST:  # read back: a check of the problem, once
        return
    gap = (first - last).abs().where(both, 0.0)
    size = torch.cat([first[both], last[both]]).abs().amax()
    wrong = gap > _GAP * size
    if int(wrong.sum()) <= max(_FEWEST, _SHARE * len(wrong)):  # read back: a check of the problem, once
        return
    i = int(gap.argmax())
    yield Finding(
        ILL_POSED,
        f"the equation carries u = {float(first[i]):.6g} from x = {shown(entry.x[i])} to x = {shown(leaving.x[i])}, "
        f"where u = {float(last[i]):.6g} is given: no u does both; an equation of first order "
        "takes values at the inflow alone (b·ν < 0)",
    )


def _given_at(valued: list[Condition], domain: Domain, end: _Exit) -> tuple[Tensor, Tensor]:
    """The values at ends of characteristics and where there is one, and only one, that says it; (n,) each."""
    values, times = torch.full_like(end.x[:, 0], torch.nan), torch.zeros_like(end.piece)
    for k, piece in enumerate(domain.pieces):
        here = end.piece == k
        for condition in (c for c in valued if piece.name in c.region.pieces and bool(here.any())):
            values[here] = condition.values(end.x[here])
            times[here] += 1
    return values, (times == 1) & values.isfinite()


def _followed(equation: Condition, domain: Domain, x: Tensor, b: Tensor, sign: float) -> _Exit:
    """Characteristics from inside until they leave, forwards or backwards."""
    sides = x.new_tensor(domain.high) - x.new_tensor(domain.low)
    slowest = _REST * (b / sides).norm(dim=1).max()
    flow = _Flow(equation, domain, sides, sign, float(slowest))
    step, state = _step(domain, sides), x.clone()
    piece, going = x.new_full((len(x),), -1, dtype=torch.int64), torch.arange(len(x), device=x.device)
    left = torch.zeros_like(piece, dtype=torch.bool)
    for _ in range(int(_LENGTH / step)):
        old = state[going]
        new = flow.step(old, step)
        out = _leaves(domain, old, new)
        left[going[out]] = True
        state[going[~out]] = new[~out]
        still = ~out & ((new - old).abs().amax(1) > 0)
        going = going[still]
        if not len(going):
            break
    if bool(left.any()):  # halved all at once, when each has come to its last step
        state[left] = _last_inside(flow, domain, state[left], step)
        piece[left] = _piece(domain, state[left])
    return _Exit(state, piece)


def _step(domain: Domain, sides: Tensor) -> float:
    """Short enough to see every hole."""
    radii = [2 * hole.radius / float(sides.max()) for hole in domain.holes]
    return max(_FINEST, min([_STEP, *radii]))


@dataclass(frozen=True)
class _Flow:
    """x' = ±b/|b|, |b| measured in the box scaled to a cube; 0 at rest; b of the box where a step looks beyond it."""

    equation: Condition
    domain: Domain
    sides: Tensor
    sign: float
    slowest: float

    def slope(self, x: Tensor) -> Tensor:
        """x', (n, d)."""
        near = torch.minimum(torch.maximum(x, x.new_tensor(self.domain.low)), x.new_tensor(self.domain.high))
        b = self.equation.operator.coefficients(near)[1]
        speed = (b / self.sides).norm(dim=1)
        factor = torch.where(speed > self.slowest, self.sign / speed.clamp_min(self.slowest), 0.0)
        return factor[:, None] * b

    def step(self, x: Tensor, h: float | Tensor) -> Tensor:
        """One step of Runge and Kutta's method of order four."""
        k1 = self.slope(x)
        k2 = self.slope(x + 0.5 * h * k1)
        k3 = self.slope(x + 0.5 * h * k2)
        k4 = self.slope(x + h * k3)
        return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _leaves(domain: Domain, old: Tensor, new: Tensor) -> Tensor:
    """Whether a step ends outside Ω̄, or passes what is outside."""
    t = torch.arange(1, _LOOKS + 1, dtype=old.dtype, device=old.device) / _LOOKS
    along = old[:, None] + t[:, None] * (new - old)[:, None]
    return ~domain.contains(along.flatten(0, 1)).reshape(len(old), _LOOKS).all(1)


def _last_inside(flow: _Flow, domain: Domain, state: Tensor, step: float) -> Tensor:
    """The state at the first way out, to rounding: by looks along the step, then by halving."""
    low, high = torch.zeros_like(state[:, :1]), torch.full_like(state[:, :1], step)
    for k in range(_LOOKS, 0, -1):  # the earliest look that is outside
        t = torch.full_like(low, step * k / _LOOKS)
        outside = ~domain.contains(flow.step(state, t))[:, None]
        high = torch.where(outside, t, high)
    low = (high - step / _LOOKS).clamp_min(0.0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        inside = domain.contains(flow.step(state, middle))[:, None]
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return flow.step(state, low)


def _piece(domain: Domain, x: Tensor) -> Tensor:
    """The number of the piece on which points are, −1 where they are on none or on several."""
    on = torch.stack([piece.contains(x) for piece in domain.pieces])
    return torch.where(on.sum(0) == 1, on.int().argmax(0), -1)
