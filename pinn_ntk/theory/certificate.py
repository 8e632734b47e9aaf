"""A certificate of linear convergence for this network, this seed and this problem, at practical width.

The theorems promise exp(−Nλ_S t/n) for random weights, from widths of 10⁶…10²⁷ on. The certificate asks the weights
themselves: from the singular values of J₀, the residual e₀ and closed-form bounds of ∇²φ it proves exponential decay of
R_S = ‖e‖²/(2n) for all times, for the flow θ' = −∇R_S and for its Euler steps, or says by which factor it misses. It
holds for any activation with a Lipschitz Jacobian, any operator, block weights, scaling, initialisation and fixed
functions. Two ways, derived in their modules:

    ball    2L‖e₀‖ < σ_min²            R_S(t) ≤ exp(−2(σ_min² − 2L‖e₀‖)t/n) R_S(0)        `ball_certificate`
    modes   T̂ > M∘(|ẽ₀| + Ē(T̂)T̂)       R_S(t) ≤ exp(−2(1 − ε)σ_min² t/n) R_S(0)          `mode_certificate`

Stopping time. With ‖Φ(t) − Φ(0)‖_F ≤ d from either way, ‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ (2‖Φ(0)‖₂d + d²)/N: t* = ∞ when
that is at most λ_S/4.

Width. Either way estimates how much wider the network would have to be, if its neurons kept their law: N·ν.

Rounding. The bounds are evaluated in float64 without interval arithmetic; σ_min enters less 10 nεσ_max, whitened
quantities with nεσ_max/σ_i added. What is certified is exact arithmetic: a computed loss stops falling at rounding.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.closed_form import kernel_factor
from pinn_ntk.kernels.neuron_sums import gram, kernel_chunk
from pinn_ntk.networks.derivative_bounds import unbounded
from pinn_ntk.networks.features import System
from pinn_ntk.networks.rounding import ROUNDINGS
from pinn_ntk.networks.two_layer import GAMMAS, SCALINGS, TwoLayer, Weights
from pinn_ntk.problem.residual import Problem
from pinn_ntk.theory.ball_certificate import BallCertificate, ball_certificate
from pinn_ntk.theory.bounds import stopping_radius
from pinn_ntk.theory.mode_certificate import ModeCertificate, mode_certificate, mode_rate
from pinn_ntk.theory.whitened import Whitened

FLOW = Dynamics("flow")


@dataclass(frozen=True)
class Certificate:
    """What is proved about this run before its first step.

    Attributes:
        dynamics: of which it speaks.
        reason: why nothing can be said; empty when both ways were tried.
        points: n.
        width: N.
        sigma_min: σ_min(J₀) less its rounding.
        sigma_max: largest singular value of J₀.
        residual: ‖e₀‖.
        ball: the way through σ_min and L; None with a reason.
        modes: the way through the modes; None with a reason.
        width_factor: estimate of ν such that a network ν times as wide would be certified; at most 1 where this one is,
            ∞ where more neurons do not help.
        drift_a: bound on ‖K̂^(a)(t) − K̂^(a)(0)‖_F for all t, ∞ where not certified.
        stopping_radius: λ_S/4, None where λ_S is not known.
    """

    dynamics: Dynamics
    reason: str
    points: int
    width: int
    sigma_min: float
    sigma_max: float
    residual: float
    ball: BallCertificate | None
    modes: ModeCertificate | None
    width_factor: float
    drift_a: float
    stopping_radius: float | None

    @property
    def ways(self) -> tuple[BallCertificate | ModeCertificate, ...]:
        """The ways that were tried."""
        return tuple(way for way in (self.ball, self.modes) if way is not None)

    @property
    def certified(self) -> bool:
        """Whether one of the ways succeeded."""
        return any(way.certified for way in self.ways)

    @property
    def rate(self) -> float:
        """The larger certified rate: R_S(t) ≤ e^{−rate·t}R_S(0) for all t; 0 without a certificate."""
        return max((way.rate for way in self.ways), default=0.0)

    @property
    def estimated_width(self) -> float:
        """N·ν: about the width from which it holds."""
        return self.width * self.width_factor

    @property
    def never_leaves(self) -> bool | None:
        """Whether t* = ∞ is certified; None where λ_S is not known."""
        return None if self.stopping_radius is None else self.drift_a <= self.stopping_radius

    def rate_under(self, dynamics: Dynamics) -> float | None:
        """The certified rate of other dynamics that this certificate covers, None where it covers them not.

        The modes' way is the same for the flow and every descent with τ ≤ n/σ_max², half the stability limit.
        """
        if dynamics == self.dynamics:
            return self.rate
        known = (
            self.modes is not None and self.modes.certified and self.dynamics.step * self.sigma_max**2 <= self.points
        )
        if not known or not dynamics.gradient_flow or dynamics.step * self.sigma_max**2 > self.points * (1.0 + 1e-9):
            return None
        assert self.modes is not None
        return mode_rate(self.sigma_min, self.sigma_max, self.modes.turn, self.points, dynamics)


def scaling_powers(network: TwoLayer) -> tuple[float, float]:
    """(q, g) of s = N^{−q} and γ = N^{−g}."""
    falls = dict(zip(GAMMAS, (0.5, 1.0), strict=True))
    q = SCALINGS[network.scaling] if isinstance(network.scaling, str) else network.scaling
    return q, falls[network.gamma_name] if isinstance(network.gamma_name, str) else 0.0


def certify(
    problem: Problem,
    network: TwoLayer,
    dynamics: Dynamics = FLOW,
    lambda_s: float | None = None,
    factor: Tensor | None = None,
    residual: Tensor | None = None,
) -> Certificate:
    """The certificate of a run.

    Args:
        problem: n rows; computed in float64 whatever its precision.
        network: at initialisation.
        dynamics: how θ will move.
        lambda_s: λ_S = λ_min(K^(a)) of the infinite-width kernel, for t*; positive, or None where it is not known.
        factor: `kernel_factor(network, problem)`, where it is known.
        residual: e₀, likewise.
    """
    if network.a0.dtype != torch.float64 or problem.x.dtype != torch.float64:
        problem, network = (
            problem.to(torch.float64, network.device),
            network.with_weights(network.weights).to(torch.float64),
        )
    e, n, width = problem.residual(network) if residual is None else residual, problem.points, network.width
    # read back: a number of the certificate
    size, radius = float(torch.linalg.vector_norm(e)), stopping_radius(lambda_s) if lambda_s else None
    reason = _premises(problem, network, dynamics, size)
    least, most = math.nan, math.nan
    if not reason:
        _, singular, right = torch.linalg.svd(
            kernel_factor(network, problem) if factor is None else factor, full_matrices=False
        )
        # read back: numbers of the certificate
        most, smallest = torch.stack([singular[0], singular[-1]]).tolist()
        rounding = ROUNDINGS * n * torch.finfo(torch.float64).eps * most
        least = (smallest if singular.shape[0] == n else 0.0) - rounding
        reason = _spectral_reason(least, rounding, dynamics.step * most**2 / n)
    if reason:
        return Certificate(
            dynamics, reason, n, width, max(least, 0.0), most, size, None, None, math.inf, math.inf, radius
        )
    system, weights = problem.system(network), network.weights
    neurons = Whitened.of(system, weights, (singular - rounding).flip(0), right.mT.flip(1))
    powers = scaling_powers(network)
    ball = ball_certificate(system, weights, (least, most), e, dynamics, neurons.gradient_norms, powers)
    modes = mode_certificate(neurons, e, e + system.target, dynamics, powers)
    wider = min(ball.width_factor, modes.width_factor, 1.0 if ball.certified or modes.certified else math.inf)
    moved = min(modes.feature_drift, ball.lipschitz * ball.radius / abs(system.scale) if ball.certified else math.inf)
    drift = _drift(system, weights, moved)
    return Certificate(dynamics, "", n, width, least, most, size, ball, modes, wider, drift, radius)


def _spectral_reason(least: float, rounding: float, fastest: float) -> str:
    """Why the singular values allow no certificate; empty where they do."""
    if not least > rounding:
        return "σ_min(J₀) is below its rounding floor 10 nεσ_max: no rate can be proved in float64"
    return "" if fastest < 2.0 else "the step is at or beyond the stability limit 2n/σ_max²"


def _drift(system: System, weights: Weights, moved: float) -> float:
    """(2‖Φ₀‖₂d + d²)/N."""
    if not math.isfinite(moved):
        return math.inf
    width = weights.w.shape[0]
    square = gram(system, None, weights.w, None, 1.0, kernel_chunk(system.points, width))[0]
    return (2.0 * math.sqrt(float(torch.linalg.eigvalsh(square)[-1])) * moved + moved**2) / width


def _premises(problem: Problem, network: TwoLayer, dynamics: Dynamics, size: float) -> str:
    """Why there can be no certificate, before any singular value; empty where there can."""
    if not dynamics.gradient_flow:
        return (
            f"the certificate is about gradient flow and gradient descent, not about {dynamics.kind.replace('_', ' ')}"
        )
    if problem.points > network.parameter_count:
        return (
            f"there are more points ({problem.points}) than parameters ({network.parameter_count}): the residual "
            "cannot vanish"
        )
    if not 0.0 < size < math.inf:
        return "the residual is zero, or not finite, at the start"
    return unbounded(network.activation, problem.order)
