"""The radial functions of a constant-coefficient operator, about a hole or in a corner:
Bessel functions where c or b is not zero.

r^{−m} and log r are what −Δ has about a hole; with a zeroth-order term k²u they hold for kr ≪ 1 only, and about a small
hole in a thin layer or a short wave nothing smooth replaces K_m(kr) or Y_m(kr). See `networks.bessel` for the formulas,
with convection and anisotropy.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.networks.bessel import bessel_numbers
from pinn_ntk.networks.extra import ExtraFunction, extra_function
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.solving.task import Task

_SLIGHT = 1e-10  # k² below that: powers are as good


@dataclass(frozen=True)
class Own:
    """Δ_z v + κv = 0 for v = e^{−g·(x−c)}u, z = T(x − c).

    Attributes:
        task: the problem.
        center: c.
        T: with TATᵀ a multiple of I.
        drift: g.
        oscillates: κ > 0.
        k: √|κ|, in lengths of z.
    """

    task: Task
    center: tuple[float, ...]
    T: Tensor
    drift: Tensor
    oscillates: bool
    k: float

    def functions(self, orders: Iterable[float], outside: bool) -> list[ExtraFunction]:
        """Those of the orders: decaying from the place or singular there (outside: Y, K), or bounded there (J, I)."""
        family = ("Y" if outside else "J") if self.oscillates else ("K" if outside else "I")
        peak, made = self._peak({"K": -1.0, "I": 1.0}.get(family, 0.0)), list[ExtraFunction]()
        for order in orders:
            for part in (0.0, 1.0) if order > 0.0 else (0.0,):
                try:
                    numbers = bessel_numbers(
                        self.center, self.T, self.drift.tolist(), peak, family, order, self.k, part
                    )
                except ValueError:  # too large or too small for a number
                    return made
                made.append(extra_function("bessel", numbers, self.task.dim))
        return made

    def _peak(self, growth: float) -> float:
        """The largest exponent in Ω."""
        away = self.task.reference[:, : len(self.center)] - self.T.new_tensor(self.center)
        r = (away @ self.T.mT).square().sum(1).sqrt()
        return float((away @ self.drift + growth * self.k * (r - 1.0)).max())


def own_functions(task: Task, operator: SecondOrderOperator, center: Sequence[float], T: Tensor) -> Own | None:
    """What the operator's own functions about a place are made of; None where powers are, or coefficients vary,
    or there is time.

    Args:
        task: the problem.
        operator: 𝓛.
        center: the place, (m,).
        T: with TATᵀ a multiple of I, (m, m), divided by the length that is to be 1.
    """
    if task.time or not operator.constant:
        return None
    rows = operator.rows(task.reference[:1])
    A = rows.second_order()[0]
    b = torch.zeros_like(A[0]) if rows.b is None else rows.b[0]
    c = 0.0 if rows.c is None else float(rows.c[0])
    ahead = torch.linalg.solve(A, b)
    kappa = (c - 0.25 * float(b @ ahead)) / (float((T @ A @ T.mT).trace()) / len(center))
    if abs(kappa) <= _SLIGHT:
        return None
    return Own(task, tuple(center), T, -0.5 * ahead, kappa > 0.0, math.sqrt(abs(kappa)))
