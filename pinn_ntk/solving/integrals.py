"""Integrals of u and fluxes of ∇u with their errors: of u from independent fits, of the quadrature from finer rules.

With f_j the integrand of the j-th fit and Δ_j = f_1 − f_j, fits err by |∫Δ_j|, at least a tenth of ∫|Δ_j|, below which
two numbers agree by chance; what all fits may err by alike (`Fits.common`) does not cancel, so that it counts by
∫|Δ_j|.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.expressions import parse
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.geometry.quadrature import Place, Rule, piece_place, volume_place
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.answer import Answer
from pinn_ntk.problem.regions import named_pieces
from pinn_ntk.problem.residual import Problem
from pinn_ntk.solving.spread import Fits

Function = Callable[[Tensor], Tensor]
On = str | Sequence[str] | Domain | None
Integrand = SecondOrderOperator | Callable[[Tensor, Tensor], Tensor] | None
Factor = float | str | Function
Values = Callable[[Answer, Tensor], Tensor]
"""The integrand of an answer at points, (n,)."""

_NODES = {0: (1, 2), 1: (16, 32, 64, 128, 256, 512), 2: (8, 16, 32, 64, 128), 3: (6, 12, 24, 40)}
_MOST = 1 << 16  # nodes of a rule
_SCRAMBLINGS, _POINTS = 8, 8191  # of Sobol rules; each has a few hundred points fewer than the one before,
_FEWER = 433  # or all of them would cut an edge at the same point of their lattice
_CHANCE = 0.1  # share of ∫|Δ| below which |∫Δ| is chance
_ENOUGH = 0.1  # share of the other error at which a rule is fine enough
_EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Quantity:
    """A number with its estimated error.

    Attributes:
        value: the number.
        error: ±.

    Examples:
        >>> from pinn_ntk import Quantity
        >>> print(Quantity(1.23456789, 2e-6))
        1.234568 ± 2e-6
    """

    value: float
    error: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        """The digits that the error leaves, 1.2345678 ± 2e-7."""
        if not (math.isfinite(self.value) and math.isfinite(self.error) and self.error > 0.0):
            return f"{self.value:.15g} ± {self.error:g}"
        last = math.floor(math.log10(self.error))  # the place of its first digit
        first = math.floor(math.log10(abs(self.value))) if self.value else last
        digits = min(15, max(0, first - last))  # behind the first one
        fixed = -5 < first < 16 and last <= 0
        value = f"{self.value:.{max(0, digits - first)}f}" if fixed else _power(self.value, digits)
        return f"{value} ± {_power(self.error, 0)}"


def _power(value: float, digits: int) -> str:
    """1.2e-7: Python writes e-07."""
    mantissa, _, power = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(power)}"


@dataclass
class Sums:
    """∫ of all fits by one rule.

    Attributes:
        values: ∫f_j.
        apart: ∫|f_1 − f_j| of the others.
        size: ∫|f_1|.
    """

    values: list[float]
    apart: list[float]
    size: float

    def __add__(self, other: "Sums") -> "Sums":
        pairs = zip(self.values, other.values, strict=True), zip(self.apart, other.apart, strict=True)
        values, apart = ([a + b for a, b in pair] for pair in pairs)
        return Sums(values, apart, self.size + other.size)

    def error(self, fits: Fits) -> float:
        """Of the fits."""
        found = [_EPS * self.size]
        for value, apart, spread in zip(self.values[1:], self.apart, fits.spreads, strict=True):
            common = fits.common / spread.rms if spread.rms > 0.0 else 0.0
            found.append(max(abs(self.values[0] - value), _CHANCE * apart) + common * apart)
        return max(found)


def integral(fits: Fits, on: On, of: Integrand, at: float | None) -> Quantity:
    """∫ f(u) over Ω, a part of it or pieces of ∂Ω; see `UncertainAnswer.integral`."""
    problem = fits.answers[0].problem
    if isinstance(of, SecondOrderOperator) and of.dim != problem.dim:
        raise ValueError(f"of: got an operator on {of.dim} coordinates, expected {problem.dim}")
    if not (of is None or isinstance(of, SecondOrderOperator) or callable(of)):
        raise ValueError(f"of: got {of!r}, expected None for u, an operator, or a function of (x, u)")

    def values(answer: Answer, x: Tensor) -> Tensor:
        if isinstance(of, SecondOrderOperator):
            return answer.apply(of, x, outside=True)
        u = answer.u(x, outside=True)
        return u if of is None else _of_shape("of", of(x, u), x)

    return _total(fits, places(problem, on, at), lambda _: values)


def flux(fits: Fits, on: On, k: Factor, at: float | None) -> Quantity:
    """∫ k ∂u/∂ν over pieces of ∂Ω; see `UncertainAnswer.flux`."""
    problem = fits.answers[0].problem
    if isinstance(on, Domain):
        raise ValueError(f"on: got {on}, expected names of pieces of ∂Ω: a flux goes through a boundary")
    factor = parse(k, problem.dim, problem.time) if isinstance(k, str) else k
    if not (callable(factor) or (isinstance(factor, (int, float)) and math.isfinite(factor))):
        raise ValueError(f"k: got {k!r}, expected a finite number, text, or a function of points")

    def along(place: Place) -> Values:
        def conducted(x: Tensor) -> Tensor:
            normal = x if place.normal is None else place.normal(x)
            return normal * (_of_shape("k", factor(x), x)[:, None] if callable(factor) else factor)

        operator = SecondOrderOperator(problem.dim, b=conducted, name="k ∂u/∂ν")
        return lambda answer, x: answer.apply(operator, x, outside=True)

    return _total(fits, places(problem, "all" if on is None else on, at), along)


def _of_shape(what: str, values: object, x: Tensor) -> Tensor:
    if not isinstance(values, Tensor) or values.shape not in (torch.Size([]), x.shape[:1]):
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"{what}: got {got} from the function at {len(x)} points, expected a tensor of ({len(x)},)")
    return values.expand(x.shape[:1])


def places(problem: Problem, on: On, at: float | None) -> list[Place]:
    """Where to integrate.

    Raises:
        ValueError: a problem without a domain, no such piece, a part that reaches outside, or a wrong time.
    """
    whole = problem.domain
    if isinstance(on, Domain):
        return [_part(problem, on, at)]
    if whole is None:
        raise ValueError(
            f"on: the domain of problem {problem.name!r} is not known here, expected one; give on= a domain, such as "
            "box(0, 1), or load the solution with problem="
        )
    if at is None:
        indices = [] if on is None else _indices(problem, whole, on)
        return [volume_place(whole)] if on is None else [piece_place(whole, k) for k in indices]
    space, t = _space(problem, whole), _time(problem, whole, at)
    if on is None:
        return [volume_place(space).at_time(t)]
    indices = _indices(problem, whole, on)
    lids = [whole.pieces[k].name for k in indices if k >= len(space.pieces)]
    if lids:
        raise ValueError(f"on: got {', '.join(lids)} with at = {t:g}, expected pieces that are there at that time")
    return [piece_place(space, k).at_time(t) for k in indices]


def _part(problem: Problem, part: Domain, at: float | None) -> Place:
    """A domain inside Ω."""
    whole = problem.domain
    d = problem.dim - (at is not None)
    if part.dim != d:
        raise ValueError(f"on: got {part} of {part.dim} coordinates, expected {d}")
    place = volume_place(part)
    place = place if at is None else place.at_time(_time(problem, whole, at))
    x, _ = place.sobol(1024, 0)
    outside = torch.zeros_like(x[:, 0], dtype=torch.bool) if whole is None else ~whole.contains(x)
    if bool(outside.any()):
        raise ValueError(
            f"on: got {part}, which reaches outside {whole}, as at {x[int(outside.int().argmax())].tolist()}; "
            "expected a part of it: take the intersection"
        )
    return place


def _indices(problem: Problem, domain: Domain, on: object) -> list[int]:
    names = [piece.name for piece in domain.pieces]
    return [names.index(name) for name in named_pieces(on, domain, problem.time)]


def _space(problem: Problem, domain: Domain) -> Domain:
    """Ω of Ω × (t₀, T), whose pieces come first among those of both."""
    if not problem.time:
        raise ValueError(f"at: got a time, expected none: problem {problem.name!r} has no time")
    return domain.space if isinstance(domain, OverTime) else Box(domain.low[:-1], domain.high[:-1])


def _time(problem: Problem, domain: Domain | None, at: object) -> float:
    if not problem.time:
        raise ValueError(f"at: got {at!r}, expected none: problem {problem.name!r} has no time")
    low, high = (-math.inf, math.inf) if domain is None else (domain.low[-1], domain.high[-1])
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not low <= at <= high:
        raise ValueError(f"at: got {at!r}, expected a time from {low:g} to {high:g}")
    return float(at)


def _total(fits: Fits, where: Sequence[Place], values: Callable[[Place], Values]) -> Quantity:
    """The sum over places; errors of the fits are those of the sum, errors of rules add up."""
    sums, rough = Sums([0.0] * len(fits.answers), [0.0] * len(fits.spreads), 0.0), 0.0
    for place in where:
        part, error = _over(fits, place, values(place))
        sums, rough = sums + part, rough + error
    return Quantity(sums.values[0], sums.error(fits) + rough)


def _over(fits: Fits, place: Place, values: Values) -> tuple[Sums, float]:
    """(∫ of all fits, error of the rule) over one place."""
    if place.gauss is None:
        return _over_sobol(fits, place, values)
    before: Sums | None = None
    error = 0.0
    for rule in _refined(place.gauss, place.dim):
        sums = _sums(fits, rule, values)
        if before is not None:
            gap = abs(sums.values[0] - before.values[0])
            error = gap + place.rough * sums.size
            if gap <= max(_ENOUGH * sums.error(fits), 8.0 * _EPS * sums.size):
                return sums, error
        before = sums
    assert before is not None
    return before, error


def _refined(gauss: Callable[[int], Rule], dim: int) -> Iterator[Rule]:
    """Finer and finer rules, two at least."""
    for k, m in enumerate(_NODES[min(dim, 3)]):
        rule = gauss(m)
        if k > 1 and len(rule[1]) > _MOST:
            return
        yield rule


def _over_sobol(fits: Fits, place: Place, values: Values) -> tuple[Sums, float]:
    """The mean over independent scramblings, and twice its standard deviation."""
    made = [_sums(fits, place.sobol(_POINTS - _FEWER * k, k), values) for k in range(_SCRAMBLINGS)]
    sums = made[0]
    for other in made[1:]:
        sums = sums + other
    mean = Sums(
        [v / _SCRAMBLINGS for v in sums.values], [v / _SCRAMBLINGS for v in sums.apart], sums.size / _SCRAMBLINGS
    )
    deviation = torch.tensor([one.values[0] for one in made], dtype=torch.float64, device="cpu").std()
    return mean, 2.0 * float(deviation) / math.sqrt(_SCRAMBLINGS)


def _sums(fits: Fits, rule: Rule, values: Values) -> Sums:
    x, w = rule
    first, *others = (values(answer, x) for answer in fits.answers)
    return Sums(
        [float(w @ f) for f in (first, *others)],
        [float(w @ (first - f).abs()) for f in others],
        float(w @ first.abs()),
    )
