"""u ± where: how far independent fits of one problem are apart from point to point is what is known of the error.

With D = u₁ − u_j and ℓ_k = rms(D)/rms(∂_kD) over the domain, the amplitude √(D² + mean_k ℓ_k²(∂_kD)²) is what D swings
by about a point: it does not vanish where two fits happen to cross, and of A sin(kx) it is A everywhere. The other way
round √((∂_kD)² + D²/ℓ_k²) is that of ∂_kD. What the estimate has beyond the rms of D, where residuals say that the fits
err alike, is added everywhere. Neither is taken to be below a tenth of the estimate, nor below rounding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.operators.library import identity
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.answer import Answer, Points

_LEAST = 0.1  # share of the estimate below which no ± is


@dataclass(frozen=True)
class Spread:
    """How far another fit is from the answer, over the domain.

    Attributes:
        rms: of D = u₁ − u_j.
        slopes: rms of ∂_kD, (d,).
    """

    rms: float
    slopes: tuple[float, ...]

    @property
    def rates(self) -> Tensor:
        """1/ℓ_k = rms(∂_kD)/rms(D), (d,); 0 where the fits are the same."""
        slopes = torch.tensor(self.slopes, dtype=torch.float64, device="cpu")
        return slopes / self.rms if self.rms > 0.0 else torch.zeros_like(slopes)

    @property
    def lengths(self) -> Tensor:
        """ℓ_k, (d,); 0 along axes on which D does not depend."""
        rates = self.rates
        return torch.where(rates > 0.0, 1.0 / rates, 0.0)


def spreads_of(answers: Sequence[Answer], x: Tensor) -> tuple[Spread, ...]:
    """How far every other answer is from the first one at points that stand for the domain."""
    first, *others = answers
    u, slope = first.u(x, outside=True), first.gradient(x, outside=True)
    found = []
    for other in others:
        rms = (u - other.u(x, outside=True)).square().mean().sqrt()
        slopes = (slope - other.gradient(x, outside=True)).square().mean(0).sqrt()
        found.append(Spread(float(rms), tuple(slopes.tolist())))
    return tuple(found)


@dataclass(frozen=True)
class Fits:
    """Independent fits of one problem, and how far they are apart.

    Attributes:
        answers: the fits; the first is the answer.
        error: the estimate in u's units, rms over the domain.
        spreads: of the others from the first.
    """

    answers: tuple[Answer, ...]
    error: float
    spreads: tuple[Spread, ...]

    @property
    def common(self) -> float:
        """What the estimate has beyond the spread: √(E² − rms(D)²), the share that all fits may err by alike."""
        apart = max(spread.rms for spread in self.spreads)
        return math.sqrt((self.error - apart) * (self.error + apart)) if self.error > apart else 0.0

    def uncertainty(self, x: Points, *, outside: bool = False) -> Tensor:
        """± of u at points, (n,); arguments and errors as in `Answer.u`."""
        first, *others = self.answers
        u, slope = first.u(x, outside=outside), first.gradient(x, outside=outside)
        amplitude = torch.zeros_like(u)
        for other, spread in zip(others, self.spreads, strict=True):
            gap, tilt = u - other.u(x, outside=outside), slope - other.gradient(x, outside=outside)
            swing = (spread.lengths.to(tilt) * tilt).square().mean(1)
            amplitude = torch.maximum(amplitude, gap.square() + swing)
        least = first.rounding(identity(first.dim), x, outside=outside).clamp(min=_LEAST * self.error)
        return torch.maximum((amplitude + self.common**2).sqrt(), least)

    def gradient_uncertainty(self, x: Points, *, outside: bool = False) -> Tensor:
        """± of ∇u at points, (n, d); arguments and errors as in `Answer.u`."""
        first, *others = self.answers
        u, slope = first.u(x, outside=outside), first.gradient(x, outside=outside)
        amplitude, rates = torch.zeros_like(slope), torch.zeros_like(slope[0])
        for other, spread in zip(others, self.spreads, strict=True):
            gap, tilt = u - other.u(x, outside=outside), slope - other.gradient(x, outside=outside)
            rate = spread.rates.to(tilt)
            amplitude = torch.maximum(amplitude, tilt.square() + (gap[:, None] * rate).square())
            rates = torch.maximum(rates, rate)
        least = torch.maximum(self._slope_rounding(x, outside), _LEAST * self.error * rates)
        return torch.maximum((amplitude + (self.common * rates).square()).sqrt(), least)

    def _slope_rounding(self, x: Points, outside: bool) -> Tensor:
        first = self.answers[0]
        rows = torch.eye(first.dim, dtype=torch.float64, device="cpu")
        along = [SecondOrderOperator(first.dim, b=row, name="∂u") for row in rows]
        return torch.stack([first.rounding(operator, x, outside=outside) for operator in along], 1)
