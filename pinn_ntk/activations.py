"""Activations as records: σ with its first three derivatives, its degree of homogeneity and its smoothness.

An operator of order o turns a neuron into φ = Qσ'' + ℓσ' + cσ and its gradient needs σ⁽ᵒ⁺¹⁾, so three derivatives serve
every second-order operator. The closed forms are written by hand: autograd's version of them is the independent twin in
the tests.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.rules import Rule, checked, whole

Jet = Callable[[Tensor, int], tuple[Tensor, ...]]

_SQRT_2PI = math.sqrt(2.0 * math.pi)
_LOG2E = math.log2(math.e)
_TANH_SERIES = (1.0, -1 / 3, 2 / 15, -17 / 315)
_SMALL_SQUARE = 1e-4
_JET_TOLERANCE = 1e-7  # of a derivative, relative: closed forms that cancel keep half of the digits


@checked
@dataclass(frozen=True)
class Activation:
    """σ: ℝ → ℝ with σ', σ'', σ'''.

    Attributes:
        name: what a person types.
        jet: (z, k) ↦ (σ(z), σ'(z), …, σ⁽ᵏ⁾(z)), k ≤ 3; almost everywhere where σ is not smooth.
        degree: p where σ(λz) = λᵖσ(z) for λ > 0, else None.
        smoothness: number of continuous derivatives (ReLUᵖ: p − 1), `math.inf` for smooth σ.
        formula: σ as text for a report.
        lean: the same, to a few units in the last place, in instructions that cost less once they are fused into one
            loop; None for `jet`.

    Raises:
        ValueError: a jet that is short, of other shapes, or whose derivatives are not those of σ (by automatic
            differentiation on 20 points).

    Examples:
        >>> import torch
        >>> from pinn_ntk import ACTIVATIONS
        >>> relu3 = ACTIVATIONS["relu3"]
        >>> [round(float(value), 4) for value in relu3.jet(torch.tensor([2.0]), 3)]  # z³/6, z²/2, z, 1
        [1.3333, 2.0, 2.0, 1.0]
    """

    name: str
    jet: Jet
    degree: Annotated[int | None, whole("p of a homogeneous σ")]
    smoothness: Annotated[float, Rule("continuous derivatives", "number", 0.0, infinite=True)]
    formula: str
    lean: Jet | None = None

    def __post_init__(self) -> None:
        for what, jet in (("jet", self.jet), ("lean", self.lean)):
            if jet is not None:
                _check_jet(f"{what} of activation {self.name!r}", jet)

    def __call__(self, z: Tensor) -> Tensor:
        """σ(z)."""
        return self.jet(z, 0)[0]


def _check_jet(what: str, jet: Jet) -> None:
    """Whether (σ, …, σ⁽ᵏ⁾) has k + 1 entries for each k and each is the derivative of the one before, on 20 points.

    Raises:
        ValueError: it is not, or the function fails.
    """
    z = torch.linspace(-2.9, 3.1, 20, dtype=torch.float64, device="cpu").requires_grad_()  # none at 0, a kink
    for k in range(4):
        try:
            found = jet(z, k)
        except Exception as error:
            raise ValueError(f"{what}: it raised {type(error).__name__} for k = {k}: {error}") from error
        right = isinstance(found, tuple) and all(isinstance(v, Tensor) and v.shape == z.shape for v in found)
        if not right or len(found) != k + 1:
            got = f"{len(found)} entries" if right else f"a {type(found).__name__}"
            raise ValueError(f"{what}: got {got} for k = {k}, expected a tuple (σ, …, σ⁽ᵏ⁾) of {k + 1}, each like z")
    for k, (value, slope) in enumerate(zip(found, found[1:], strict=False)):
        exact = _slope(value, z)
        apart = (slope.detach() - exact).abs() / (1.0 + exact.abs())
        apart = torch.where(slope == exact, 0.0, apart)  # both may be infinite
        if not bool((apart <= _JET_TOLERANCE).all()):
            i = int(apart.nan_to_num(math.inf).argmax())
            raise ValueError(
                f"{what}: got σ⁽{k + 1}⁾({z.tolist()[i]:.4g}) = {slope.tolist()[i]:.6g}, expected "
                f"the derivative of σ⁽{k}⁾, {float(exact[i]):.6g}; write out d/dz of entry {k}"
            )


def _slope(value: Tensor, z: Tensor) -> Tensor:
    """dv/dz of values that each depend on their own z; 0 where they do not depend on it."""
    if not value.requires_grad:
        return torch.zeros_like(z)
    (slope,) = torch.autograd.grad(value.sum(), z, retain_graph=True, allow_unused=True)
    return torch.zeros_like(z) if slope is None else slope


def _exp(z: Tensor) -> Tensor:
    """eᶻ as a power of two: torch's compiler stores every exp that is used twice, and recomputes powers of two."""
    return torch.exp2(_LOG2E * z)


def _relu_power(p: int) -> Jet:
    """σ = max(z,0)ᵖ/p!, so that σ' is the same with p − 1; σ⁽ᵖ⁾ is the step and what follows is 0 almost everywhere."""

    def jet(z: Tensor, k: int) -> tuple[Tensor, ...]:
        """(σ, …, σ⁽ᵏ⁾), almost everywhere."""
        derivatives = [z.clamp_min(0.0)]
        for q in range(2, p + 1):  # products: a power costs as much as a tanh
            derivatives.insert(0, derivatives[0] * derivatives[-1] / q)
        if k >= p:
            derivatives.append((z > 0).to(z.dtype))
        derivatives.extend(torch.zeros_like(z) for _ in range(k - p))
        return tuple(derivatives[: k + 1])

    return jet


def _tanh(z: Tensor, k: int) -> tuple[Tensor, ...]:
    return _of_tanh(torch.tanh(z), k)


def _lean_tanh(z: Tensor, k: int) -> tuple[Tensor, ...]:
    """tanh |z| = (1 − t)/(1 + t), t = e^{−2|z|}, and its series where that would cancel:
    cheaper than tanh itself in a fused loop.
    """
    t, square = _exp(-2.0 * z.abs()), z * z
    far = torch.copysign((1.0 - t) / (1.0 + t), z)
    near = z * _tanh_series(square)
    return _of_tanh(torch.where(square < _SMALL_SQUARE, near, far), k)


def _tanh_series(square: Tensor) -> Tensor:
    """tanh(z)/z in powers of z², right to rounding for z² < 0.0001."""
    total = torch.full_like(square, _TANH_SERIES[-1])
    for c in _TANH_SERIES[-2::-1]:
        total = total * square + c
    return total


def _of_tanh(s: Tensor, k: int) -> tuple[Tensor, ...]:
    """(σ, …) from tanh itself."""
    d1 = 1.0 - s * s
    if k < 2:
        return (s, d1)[: k + 1]
    d2 = -2.0 * s * d1
    return (s, d1, d2, d1 * (4.0 - 6.0 * d1))[: k + 1]


def _gelu(z: Tensor, k: int) -> tuple[Tensor, ...]:
    cdf = 0.5 * (1.0 + torch.erf(z / math.sqrt(2.0)))
    if k == 0:
        return (z * cdf,)
    pdf, square = _exp(-0.5 * z * z) / _SQRT_2PI, z * z
    return (z * cdf, cdf + z * pdf, pdf * (2.0 - square), pdf * z * (square - 4.0))[: k + 1]


def _softplus(z: Tensor, k: int) -> tuple[Tensor, ...]:
    s = torch.logaddexp(z, torch.zeros_like(z))
    d1 = 1.0 / (1.0 + _exp(-z))
    d2 = d1 * (1.0 - d1)
    return (s, d1, d2, d2 * (1.0 - 2.0 * d1))[: k + 1]


def _sin(z: Tensor, k: int) -> tuple[Tensor, ...]:
    s = torch.sin(z)
    if k == 0:
        return (s,)
    c = torch.cos(z)
    return (s, c, -s, -c)[: k + 1]


def _gaussian(z: Tensor, k: int) -> tuple[Tensor, ...]:
    g, square = _exp(-0.5 * z * z), z * z
    return (g, -z * g, (square - 1.0) * g, z * (3.0 - square) * g)[: k + 1]


def _erf(z: Tensor, k: int) -> tuple[Tensor, ...]:
    s = torch.erf(z)
    if k == 0:
        return (s,)
    d1 = _exp(-z * z) * (2.0 / math.sqrt(math.pi))
    return (s, d1, -2.0 * z * d1, (4.0 * z * z - 2.0) * d1)[: k + 1]


ACTIVATIONS: dict[str, Activation] = {
    record.name: record
    for record in (
        Activation("relu", _relu_power(1), 1, 0, "max(0, z)"),
        Activation("relu2", _relu_power(2), 2, 1, "max(0, z)²/2"),
        Activation("relu3", _relu_power(3), 3, 2, "max(0, z)³/6"),
        Activation("tanh", _tanh, None, math.inf, "tanh z", _lean_tanh),
        Activation("gelu", _gelu, None, math.inf, "z Φ(z), Φ the normal distribution function"),
        Activation("softplus", _softplus, None, math.inf, "log(1 + eᶻ)"),
        Activation("sin", _sin, None, math.inf, "sin z"),
        Activation("gaussian", _gaussian, None, math.inf, "exp(−z²/2)"),
        Activation("erf", _erf, None, math.inf, "erf z"),
    )
}


def activation_named(name: str | Activation) -> Activation:
    """The record of that name (a record is returned as it is).

    Raises:
        ValueError: no activation has that name; the known ones are listed.
    """
    if isinstance(name, Activation):
        return name
    if name not in ACTIVATIONS:
        raise ValueError(f"activation: got {name!r}, expected one of {', '.join(ACTIVATIONS)} or an Activation record")
    return ACTIVATIONS[name]


def smoothness_verdict(activation: Activation, order: int) -> str:
    """'true' | 'almost_everywhere' | 'refused' for an operator of that order acting on ReLUᵖ: p ≥ o+1 | p = o | p < o.

    With p ≥ o+1, φ is Lipschitz in w and the almost-everywhere ∇φ is its true gradient; with p = o the gradient drops a
    delta term (autograd drops the same one); with p < o the operator itself does.
    """
    p = activation.smoothness + 1
    if p >= order + 1:
        return "true"
    return "almost_everywhere" if p == order else "refused"
