"""Heavy ball and Nesterov's method on a quadratic loss, mode by mode and in closed form for every k at once.

With s = τλ, θ_k − θ₀ = −(1/n)Jᵀ U c_k Uᵀe₀ and r_k = 1 − λc_k both methods obey r_{k+1} = T r_k − p r_{k−1}, r₀ = r₋₁ =
1:

    heavy ball   T = 1 + β − s,          p = β            θ_{k+1} = θ_k + β(θ_k − θ_{k−1}) − τ∇R_S(θ_k)
    Nesterov     T = (1 + β)(1 − s),     p = β(1 − s)     θ_{k+1} = y_k − τ∇R_S(y_k),  y_k = θ_k + β(θ_k − θ_{k−1})

T² − 4p is (s − (1 − √β)²)(s − (1 + √β)²) and (1 − s)((1 − β)² − s(1 + β)²). β = 0 is gradient descent. Nesterov's
method is looked at where its gradients are taken, at y_k: the point that torch.optim.SGD and `gradient_descent` store.

The roots z of z² − Tz + p have (1 − z₁)(1 − z₂) = s and (1 + z₁)(1 + z₂) = 1 + T + p, which gives their distance from
±1, and so their k-th powers, without cancellation: r_k keeps its digits for k = 10⁶ as for k = 1, and c_k at λ = 0 as
elsewhere, both up to 1/(1 − β). R_S = ‖e‖²/(2n); eigenvalues λ are those of JJᵀ/n.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.theory.modes import Steps, column


@dataclass(frozen=True)
class Recursion:
    """r_{k+1} = T r_k − p r_{k−1} for every mode, by numbers that hold no cancellation.

    Attributes:
        s: τλ = 1 − T + p, (n,).
        trace: T = z₁ + z₂.
        product: p = z₁z₂.
        loss: 1 − p.
        discriminant: T² − 4p = (z₁ − z₂)².
        margin: 1 + T + p, negative where the mode grows.
    """

    s: Tensor
    trace: Tensor
    product: Tensor
    loss: Tensor
    discriminant: Tensor
    margin: Tensor


def momentum_decay(eigenvalues: Tensor, k: Steps, step: float, momentum: float, nesterov: bool = False) -> Tensor:
    """r_k, the share of each residual mode that is left after k steps;
    at Nesterov's look-ahead point (1 + β)r_k − βr_{k−1}.

    Args:
        eigenvalues: (n,) λ ≥ 0.
        k: whole numbers ≥ 0, any shape.
        step: τ.
        momentum: β, 0 ≤ β < 1.
        nesterov: Nesterov's method, else heavy ball.

    Returns:
        k.shape + (n,); ±∞ where it overflows.
    """
    return _at_iterates(_decay, eigenvalues, k, step, momentum, nesterov)


def momentum_response(eigenvalues: Tensor, k: Steps, step: float, momentum: float, nesterov: bool = False) -> Tensor:
    """c_k = (1 − r_k)/λ, its limit where λ = 0; for Nesterov's method (1 + β)c_k − βc_{k−1};
    arguments as for `momentum_decay`.
    """
    return step * _at_iterates(_response, eigenvalues, k, step, momentum, nesterov)


def momentum_rate(eigenvalues: Tensor, step: float, momentum: float, nesterov: bool = False) -> Tensor:
    """−log max(|z₁|, |z₂|), by which log|r_k| falls in each late step, (n,): τλ/(1 − β) for slow modes,
    −½ log β for turning ones.
    """
    of = _recursion(eigenvalues * step, momentum, nesterov)
    return torch.where(of.discriminant < 0, -0.5 * _log(of.product, of.loss), -_roots(of)[2])


def _recursion(s: Tensor, momentum: float, nesterov: bool) -> Recursion:
    one, more, less = torch.ones_like(s), 1.0 + momentum, 1.0 - momentum
    if nesterov:
        rest = 1.0 - s
        discriminant = rest * (less**2 - s * more**2)
        return Recursion(
            s, more * rest, momentum * rest, less + momentum * s, discriminant, 2.0 * more - s * (1.0 + 2.0 * momentum)
        )
    root = momentum**0.5
    discriminant = (s - (less / (1.0 + root)) ** 2) * (s - (1.0 + root) ** 2)
    return Recursion(s, more - s, momentum * one, less * one, discriminant, 2.0 * more - s)


def _at_iterates(
    of: Callable[[Recursion, Tensor], Tensor], eigenvalues: Tensor, k: Steps, step: float, beta: float, ahead: bool
) -> Tensor:
    """A sequence of θ_k at the points that the method stores."""
    count, law = column(k, eigenvalues, "k"), _recursion(eigenvalues * step, beta, ahead)
    here = of(law, count)
    if not ahead or beta == 0.0:
        return here
    return torch.where(torch.isinf(here), here, (1.0 + beta) * here - beta * of(law, (count - 1).clamp(min=0)))


def _decay(of: Recursion, k: Tensor) -> Tensor:
    """r_k = (z₁^{k+1}(1 − z₂) − z₂^{k+1}(1 − z₁))/(z₁ − z₂)."""
    return torch.where(k == 0, 1.0, torch.where(of.discriminant < 0, _turning(of, k)[0], _straight(of, k)[0]))


def _response(of: Recursion, k: Tensor) -> Tensor:
    """(1 − r_k)/s, k at s = 0 and β = 0."""
    exact = torch.where(of.discriminant < 0, _turning(of, k)[1], _straight(of, k)[1])
    slow = of.trace > 0  # elsewhere s ≥ 1: nothing cancels in 1 − r
    return torch.where(k == 0, 0.0, torch.where(slow, exact, (1.0 - _decay(of, k)) / torch.where(slow, 1.0, of.s)))


def _log(value: Tensor, one_less: Tensor) -> Tensor:
    """log of a number ≥ 0 of which 1 − value is known, too."""
    return torch.where(value < 0.5, torch.log(value), torch.log1p(-one_less))


def _times(k: Tensor, log: Tensor) -> Tensor:
    """k·log with 0·∞ = 0."""
    return torch.where((k == 0) | (log == 0), 0.0, k * log)


def _roots(of: Recursion) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Real roots: z₁, the larger in modulus, z₂ = p/z₁, log|z₁| and the distance |z₁ − z₂|."""
    apart = of.discriminant.clamp(min=0).sqrt()
    size = (of.trace.abs() + apart) / 2
    first = torch.where(of.trace < 0, -size, size)
    second = torch.where(size > 0, of.product / first, 0.0)
    # 1 − |z₁| from the product of the distances from the nearer one of ±1
    near = torch.where(of.trace < 0, of.margin / (1.0 + second), of.s / (1.0 - second))
    return first, second, _log(size, near), apart


def _straight(of: Recursion, k: Tensor) -> tuple[Tensor, Tensor]:
    """r_k and (1 − r_k)/s for real roots: r_k = z₁ᵏ(z₁ + (1 − z₁)G), G = Σ_{j≤k} (z₂/z₁)ʲ."""
    first, second, log, apart = _roots(of)
    ratio, odd = second / first, k.remainder(2) == 1
    gap = apart / first.abs()  # 1 − z₂/z₁
    near = -torch.expm1(_times(k + 1, torch.log1p(-gap))) / gap
    power = torch.exp(_times(k + 1, ratio.abs().log()))
    far = (1.0 - torch.where((ratio < 0) & ~odd, -power, power)) / (1.0 - ratio)
    series = torch.where(first == 0, 1.0, torch.where(apart == 0, k + 1, torch.where(ratio > 0.5, near, far)))
    power = torch.exp(_times(k, log))
    power = torch.where((first < 0) & odd, -power, power)
    slowness = of.s / (1.0 - second)  # 1 − z₁ where T > 0
    decay = power * (first + torch.where(of.trace > 0, slowness, 1.0 - first) * series)
    sums = torch.where(slowness == 0, k + 1, -torch.expm1(_times(k + 1, log)) / slowness)  # Σ_{j≤k} z₁ʲ
    return decay, (sums - power * series) / (1.0 - second)


def _turning(of: Recursion, k: Tensor) -> tuple[Tensor, Tensor]:
    """r_k and (1 − r_k)/s for roots ρe^{±iω}: r_k = ρᵏ(cos kω + (cos ω − ρ) sin kω/sin ω)."""
    log, angle = 0.5 * _log(of.product, of.loss), torch.atan2((-of.discriminant).clamp(min=0).sqrt(), of.trace)
    less, power = -torch.expm1(log), torch.exp(_times(k, log))
    swing = torch.where(power == 0, 0.0, torch.sin(k * angle) / torch.sin(angle))
    half = torch.where(power == 0, 0.0, torch.sin(k * angle / 2) * torch.sin((k + 1) * angle / 2))
    cosine = torch.where(power == 0, 0.0, torch.cos(k * angle))
    # cos ω − ρ = (1 − ρ) − 2 sin²(ω/2): neither difference cancels for slow modes
    tilt = less - 2.0 * torch.sin(angle / 2).square()
    fallen = -torch.expm1(_times(k, log)) - less * power * swing + 2.0 * power * half / torch.cos(angle / 2)
    return power * (cosine + tilt * swing), fallen / of.s
