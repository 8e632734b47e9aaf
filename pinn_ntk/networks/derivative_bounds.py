"""sup |σ⁽ᵏ⁾| over intervals, for every k: what a closed-form Lipschitz constant of the Jacobian is made of.

On an interval |σ⁽ᵏ⁾| is largest at an end or at a zero of σ⁽ᵏ⁺¹⁾ inside it. Every smooth activation here is, from its
first few derivatives on, a polynomial times an envelope,

    tanh: (1−t²)Q_k(t), t = tanh z;   softplus: the same in tanh(z/2);   gaussian, gelu: Q_k(z)e^{−z²/2};   erf:
    Q_k(z)e^{−z²},

so Q_k follows by recurrence and the zeros are roots of Q_{k+1}. ReLUᵖ is monotone. The value is exact up to rounding,
which `OUTWARD` covers: it is never below the supremum.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from numpy.polynomial import Polynomial
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, Activation

OUTWARD = 1e-10
"""Relative and absolute widening, far above what float64 loses in a polynomial of degree six times an envelope."""

CELL = 1.0 / 64.0
"""Width of a cell of z in `reachable_sup`."""

_CELLS = 1024  # on either side of 0; what lies beyond is one cell more
_FAR = 1e3  # beyond it every derivative is constant or zero in float64

_GELU_MINIMUM = -0.7517915246935645  # σ' = Φ + zφ = 0


@dataclass(frozen=True)
class _Smooth:
    """σ⁽ᵏ⁾ for k ≥ `first` as envelope·Q_k(t(z)).

    Attributes:
        first: from which k on; below it the jet of the activation is used.
        start: Q_first.
        step: Q_k → Q_{k+1}.
        envelope: z → envelope(z).
        variable: z → t.
        position: t → z, for the zeros; None where no z belongs to t.
        early: zeros of σ⁽ᵏ⁺¹⁾ for k < first − 1, by k.
    """

    first: int
    start: Polynomial
    step: Callable[[Polynomial], Polynomial]
    envelope: Callable[[Tensor], Tensor]
    variable: Callable[[Tensor], Tensor]
    position: Callable[[float], float | None]
    early: Mapping[int, tuple[float, ...]]


def _square_sech(z: Tensor) -> Tensor:
    """1 − tanh²z = 4e^{−2|z|}/(1 + e^{−2|z|})², without cancellation in the tails."""
    decay = torch.exp(-2.0 * z.abs())
    return 4.0 * decay / (1.0 + decay) ** 2


_T = Polynomial([0.0, 1.0])
_BELL = Polynomial([1.0, 0.0, -1.0])


def _inverse_tanh(t: float) -> float | None:
    return math.atanh(t) if abs(t) < 1.0 else None


_SMOOTH: dict[str, _Smooth] = {
    "tanh": _Smooth(
        1, Polynomial([1.0]), lambda q: q.deriv() * _BELL - 2.0 * _T * q, _square_sech, torch.tanh, _inverse_tanh, {}
    ),
    "softplus": _Smooth(
        2,
        Polynomial([0.25]),
        lambda q: 0.5 * (q.deriv() * _BELL - 2.0 * _T * q),
        lambda z: _square_sech(0.5 * z),
        lambda z: torch.tanh(0.5 * z),
        lambda t: None if (z := _inverse_tanh(t)) is None else 2.0 * z,
        {},
    ),
    "gaussian": _Smooth(
        0,
        Polynomial([1.0]),
        lambda q: q.deriv() - _T * q,
        lambda z: torch.exp(-0.5 * z * z),
        lambda z: z,
        lambda t: t,
        {},
    ),
    "gelu": _Smooth(
        2,
        Polynomial([2.0, 0.0, -1.0]) / math.sqrt(2.0 * math.pi),
        lambda q: q.deriv() - _T * q,
        lambda z: torch.exp(-0.5 * z * z),
        lambda z: z,
        lambda t: t,
        {0: (_GELU_MINIMUM,)},
    ),
    "erf": _Smooth(
        1,
        Polynomial([2.0 / math.sqrt(math.pi)]),
        lambda q: q.deriv() - 2.0 * _T * q,
        lambda z: torch.exp(-z * z),
        lambda z: z,
        lambda t: t,
        {},
    ),
}


@cache
def _polynomial(name: str, k: int) -> Polynomial:
    """Q_k."""
    family = _SMOOTH[name]
    q = family.start
    for _ in range(k - family.first):
        q = family.step(q)
    return q


@cache
def _extremes(name: str, k: int) -> tuple[float, ...]:
    """Zeros of σ⁽ᵏ⁺¹⁾: where |σ⁽ᵏ⁾| may be largest. An error δ in one of them changes the value there by O(δ²) only."""
    family = _SMOOTH[name]
    if k + 1 < family.first:
        return tuple(family.early.get(k, ()))
    roots = _polynomial(name, k + 1).roots()
    places = (family.position(float(r.real)) for r in roots if abs(r.imag) < 1e-6)
    return tuple(p for p in places if p is not None)


def derivative(activation: Activation, z: Tensor, k: int) -> Tensor:
    """σ⁽ᵏ⁾(z), almost everywhere for ReLUᵖ.

    Args:
        activation: one of the built-in ones.
        z: any shape.
        k: at least 0.

    Raises:
        ValueError: an activation without closed form here (see `unbounded`).
    """
    name, p = activation.name, activation.degree
    if activation != ACTIVATIONS.get(name):  # equal, not identical: networks are copied
        raise ValueError(f"activation: got {name!r}, expected a built-in one: {', '.join(ACTIVATIONS)}")
    if p is not None:
        return (
            torch.zeros_like(z)
            if k > p
            else (z > 0).to(z)
            if k == p
            else z.clamp_min(0.0) ** (p - k) / math.factorial(p - k)
        )
    if name == "sin":
        return torch.sin(z + 0.5 * math.pi * (k % 4))
    family = _SMOOTH[name]
    if k < family.first:
        return activation.jet(z, k)[k]
    t, total = family.variable(z), torch.zeros_like(z)
    for coefficient in _polynomial(name, k).coef[::-1]:
        total = total * t + float(coefficient)
    return family.envelope(z) * total


def derivative_sup(activation: Activation, low: Tensor, high: Tensor, k: int) -> Tensor:
    """sup_{low ≤ z ≤ high} |σ⁽ᵏ⁾(z)|, never below it and above it by rounding only.

    Args:
        activation: one of the built-in ones.
        low: lower ends, any shape.
        high: upper ends, the same shape, not below `low`.
        k: at least 0; for ReLUᵖ k ≤ p (almost everywhere, so that it is the Lipschitz constant of σ⁽ᵏ⁻¹⁾).

    Raises:
        ValueError: no closed form, or k > p for ReLUᵖ.
    """
    p = activation.degree
    if p is not None and k > p:
        raise ValueError(f"{activation.name}: σ⁽{k}⁾ has no bound, the derivative of order {p} jumps; expected k ≤ {p}")
    if p is not None:
        top = derivative(activation, high, k)  # a closed interval that touches 0 from the left stays 0; monotone
        return top * (1.0 + OUTWARD)
    ends = torch.maximum(derivative(activation, low, k).abs(), derivative(activation, high, k).abs())
    if activation.name == "sin":
        offset = 0.5 * math.pi * (k % 4) - 0.5 * math.pi
        first, last = (low + offset) / math.pi - OUTWARD, (high + offset) / math.pi + OUTWARD
        inside = torch.floor(last) >= torch.ceil(first)  # a multiple of π: |sin| = 1 there
        return torch.where(inside, 1.0 + OUTWARD, ends * (1.0 + OUTWARD) + OUTWARD).clamp_max(1.0 + OUTWARD)
    for place in _extremes(activation.name, k):
        value = float(derivative(activation, torch.tensor(place, dtype=torch.float64, device="cpu"), k).abs())
        margin = OUTWARD * (1.0 + abs(place))
        inside = (low <= place + margin) & (high >= place - margin)
        ends = torch.where(inside, ends.clamp_min(value), ends)
    return ends * (1.0 + OUTWARD) + 1e-14


def reachable_sup(activation: Activation, reach: float, k: int) -> Callable[[Tensor], Tensor]:
    """z ↦ sup |σ⁽ᵏ⁾| over [z − r, z + r] for many z and one r: never below it,
    and at most the supremum over r + `CELL`.

    `derivative_sup` is tabulated on cells of z, so that each z costs a look-up.

    Args:
        activation: one of the built-in ones.
        reach: r ≥ 0.
        k: at least 1 (σ itself need not be bounded), and k ≤ p for ReLUᵖ.
    """
    if activation.degree is not None:
        return lambda z: derivative_sup(activation, z - reach, z + reach, k)
    edges = torch.arange(-_CELLS, _CELLS + 1, dtype=torch.float64, device="cpu") * CELL
    low, high = torch.cat([edges.new_tensor([-_FAR]), edges]), torch.cat([edges, edges.new_tensor([_FAR])])
    table = derivative_sup(activation, low - reach, high + reach, k)

    def look_up(z: Tensor) -> Tensor:
        """The entry of the cell that z lies in."""
        place = torch.floor(z / CELL).clamp(-_CELLS - 1, _CELLS).to(torch.int64) + _CELLS + 1
        return table.to(z)[place]

    return look_up


def unbounded(activation: Activation, order: int) -> str:
    """Why the Jacobian of an operator of that order has no Lipschitz constant in closed form here; empty where it has.

    ∇_wφ holds σ⁽ᵒ⁺¹⁾, so the Jacobian is Lipschitz where σ⁽ᵒ⁺²⁾ is bounded: smooth σ, or ReLUᵖ with p ≥ o + 2.
    """
    if activation != ACTIVATIONS.get(activation.name):
        return (
            f"no bounds on the derivatives of the activation {activation.name} are known: expected one of "
            f"{', '.join(ACTIVATIONS)}"
        )
    p = activation.degree
    if p is None or p >= order + 2:
        return ""
    need = f"which an operator of order {order} needs"
    return f"the Jacobian is not Lipschitz: {activation.name} has no bounded derivative of order {order + 2}, {need}"
