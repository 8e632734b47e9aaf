"""What theory says before the first step of all seeds of one configuration alike: K^∞, λ_S, rate, forecast,
theorem and widths.
"""

import contextlib
import math
from dataclasses import dataclass, replace

import torch

from pinn_ntk.kernels.gram import Kernel
from pinn_ntk.kernels.infinite_width import NotAvailableError, infinite_width_kernel, infinite_width_spectrum
from pinn_ntk.kernels.memory import MemoryShortageError
from pinn_ntk.kernels.moments import feature_variance_sum, whitened_fourth_moment
from pinn_ntk.kernels.spectrum import Spectrum
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.theory.applicability import Applicability, Setting, applicability
from pinn_ntk.theory.bounds import (
    DriftLemma,
    LambdaMinLemma,
    Premises,
    convergence_rate,
    drift_lemma,
    expected_initial_loss,
    initial_loss_lemma,
    initial_loss_lemma_pde,
    lambda_min_lemma,
)
from pinn_ntk.theory.constants import REGRESSION
from pinn_ntk.theory.forecast import Forecast
from pinn_ntk.theory.widths import LeastWidth, WidthTerms, least_width, variance_term, whitened_term, width_terms

MOMENT_DRAWS = 50_000
"""Neurons drawn for the fourth moments of the sharper first terms: about one per cent of standard error."""

DEEP = "the infinite-width kernel is for two-layer networks"
"""Why a module has no infinite-width predictions."""

THEOREMS = "the theorems are about two-layer networks"

UNIFORM_VARIANCE = 1.0 / 3.0
"""E a²/γ² under init 'uniform', a ~ γU(−1,1); 1 under the others."""


@dataclass(frozen=True)
class Lazy:
    """Predictions that hold for any activation: infinite-width kernel, rate, expected initial loss and the forecast.

    Attributes:
        kernel: K^∞ with parts; γ = 1 in (w).
        spectrum_a: of K^(a).
        lambda_s: λ_S = λ_min(K^(a)).
        rate: s²Nλ_S/n, 0 when λ_S is below its floor.
        expected_loss: E R_S(θ⁰).
        forecast: E R_S(t) and its band.
    """

    kernel: Kernel
    spectrum_a: Spectrum
    lambda_s: float
    rate: float
    expected_loss: float
    forecast: Forecast


@dataclass(frozen=True)
class Guarantee:
    """What the applicable theorem promises, with R_S(θ⁰) as realised by this network.

    Attributes:
        premises: what the theorem is told.
        lambda_min: the ¾ lemma with its own width.
        drift: q, η and their width.
        loss_bound: the R_S(θ⁰) lemma; None where it has no version (|Sf| > 1 in regression).
        terms: the three terms at this width.
        least: least width by the theorem, R_S(θ⁰) in expectation.
        sharper: least widths with the sharper first terms, by name.
    """

    premises: Premises
    lambda_min: LambdaMinLemma
    drift: DriftLemma
    loss_bound: float | None
    terms: WidthTerms
    least: LeastWidth
    sharper: dict[str, LeastWidth]

    def realised(self, width: int, gamma: float, initial_loss: float) -> "Guarantee":
        """The promises with another R_S(θ⁰)."""
        drift = drift_lemma(self.premises, width, gamma, initial_loss)
        return replace(self, drift=drift, terms=width_terms(self.premises, width, initial_loss))


@dataclass(frozen=True)
class Shared:
    """What theory says of all seeds of one configuration alike.

    Attributes:
        lazy: infinite-width predictions, None when not available.
        unavailable: why not.
        verdict: which theorem applies, or why none does.
        guarantee: the theorem's promises, with R_S(θ⁰) in expectation; None when none applies.
    """

    lazy: Lazy | None
    unavailable: str
    verdict: Applicability
    guarantee: Guarantee | None


def shared_prediction(problem: Problem, network: Model, delta: float = 0.1, draws: int = 1000, seed: int = 0) -> Shared:
    """λ_S, rate, forecast, verdict and widths: all of `predict` that does not depend on the seed of the network;
    arguments as there.

    Raises:
        ValueError: δ outside (0, 1).
    """
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta: got {delta}, expected a number between 0 and 1, e.g. 0.1")
    problem, network = in_double(problem, network)
    if not isinstance(network, TwoLayer):
        return Shared(None, DEEP, Applicability(None, (f"{THEOREMS}, and this is {network.about.words}",)), None)
    lazy, unavailable = _lazy(problem, network, network.kernel_scale, draws, seed)
    verdict = _verdict(problem, network, lazy, unavailable)
    promised = (
        _guarantee(problem, network, lazy, verdict, delta, lazy.expected_loss) if lazy and verdict.applicable else None
    )
    return Shared(lazy, unavailable, verdict, promised)


def in_double(problem: Problem, network: Model) -> tuple[Problem, Model]:
    """Both in float64, on the network's device; the network is a copy."""
    return problem.to(torch.float64, network.device), network.with_weights(network.weights).to(dtype=torch.float64)


def _lazy(problem: Problem, network: TwoLayer, scale: float, draws: int, seed: int) -> tuple[Lazy | None, str]:
    """Infinite-width predictions, or the reason why there are none."""
    n = problem.points
    try:
        if network.extra:
            raise NotAvailableError("the infinite-width kernel of a network with extra functions is not defined")
        kernel = infinite_width_kernel(problem, network.activation, bias=network.bias, init=network.init)
        spectrum = infinite_width_spectrum(problem, network.activation, bias=network.bias, init=network.init, part="a")
    except (NotAvailableError, MemoryShortageError) as error:
        return None, str(error)
    part_a, part_w = kernel.a, kernel.w
    if part_a is None or part_w is None:
        return None, "the infinite-width kernel came without its parts"
    lambda_s = 0.0 if spectrum.below_floor else spectrum.lambda_min
    if network.init == "uniform":  # the kernel's (w) part is for a ~ U(−1,1); every formula here is for E a² = γ²
        part_w = part_w / UNIFORM_VARIANCE
    gamma = network.gamma * math.sqrt(UNIFORM_VARIANCE if network.init == "uniform" else 1.0)
    centred = network.init == "centred"
    expected = expected_initial_loss(
        # read back: numbers of the prediction
        float(problem.target @ problem.target),
        0.0 if centred else float(part_a.trace()),
        n,
        gamma,
        scale,
    )
    forecast = Forecast.from_kernels(part_a, part_w, problem.target, gamma, scale, centred, draws, seed)
    return Lazy(kernel, spectrum, lambda_s, convergence_rate(scale, lambda_s, n), expected, forecast), ""


def _verdict(problem: Problem, network: TwoLayer, lazy: Lazy | None, unavailable: str) -> Applicability:
    if lazy is None:
        return Applicability(None, (unavailable,))
    x = torch.cat([r.x for r in problem.system(network).rows])
    return applicability(
        Setting(
            activation=network.activation.name,
            order=problem.order,
            points=x,
            scaling=network.scaling,
            init=network.init,
            gamma=network.gamma,
            extra=len(network.extra),
            parameters=network.parameter_count,
            lambda_s=lazy.spectrum_a.lambda_min,
            floor=lazy.spectrum_a.floor,
            paired=problem.paired,
        )
    )


def _guarantee(
    problem: Problem, network: TwoLayer, lazy: Lazy, verdict: Applicability, delta: float, initial_loss: float
) -> Guarantee:
    """The theorem's terms; the verdict has said that it applies."""
    theorem = verdict.theorem
    assert theorem is not None and lazy.kernel.a is not None
    n, width, target = problem.points, network.width, problem.target
    bound = max(1.0, *(rows.bound() for rows in problem.rows()))
    p = Premises(theorem, n, network.inputs, lazy.lambda_s, delta, bound)
    square, trace = float(target @ target), float(lazy.kernel.a.trace())  # read back: numbers of the prediction
    gamma = network.gamma_name
    if theorem is REGRESSION:
        known = float(target.abs().max()) <= 1.0  # read back: numbers of the prediction
        loss_bound = initial_loss_lemma(width, network.inputs, network.gamma, delta, bound) if known else None
    else:
        loss_bound = initial_loss_lemma_pde(p, width, network.gamma, square)
    firsts = _sharper_first_terms(problem, network, lazy, delta)
    return Guarantee(
        p,
        lambda_min_lemma(p),
        drift_lemma(p, width, network.gamma, initial_loss),
        loss_bound,
        width_terms(p, width, initial_loss),
        least_width(p, gamma, square, trace),
        {name: least_width(p, gamma, square, trace, first) for name, first in firsts.items()},
    )


def _sharper_first_terms(problem: Problem, network: TwoLayer, lazy: Lazy, delta: float) -> dict[str, float]:
    """First terms with sampled fourth moments; the whitened one is left out where K^(a)
    has no inverse in floating point.
    """
    rows, part_a = problem.system(network).rows, lazy.kernel.a
    assert part_a is not None  # an infinite-width kernel with parts
    draws = MOMENT_DRAWS
    terms = {
        "variance": variance_term(
            feature_variance_sum(rows, network.activation, part_a, draws)[0], lazy.lambda_s, delta
        )
    }
    with contextlib.suppress(ValueError):
        terms["whitened"] = whitened_term(
            whitened_fourth_moment(rows, network.activation, part_a, draws)[0], problem.points, delta
        )
    return terms
