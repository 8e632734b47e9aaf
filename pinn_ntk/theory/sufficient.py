"""The theorem's own width for a problem: the N from which on it promises linear convergence,
for the network that this seed draws.

N ≥ max{three terms of N and R_S(θ⁰)}, first with E R_S(θ⁰) = (‖f‖² + Nγ² tr K^(a))/(2n), then with R_S(θ⁰) as it turns
out.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.kernels.infinite_width import NotAvailableError, infinite_width_kernel, infinite_width_spectrum
from pinn_ntk.kernels.memory import available_bytes
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, share
from pinn_ntk.theory.applicability import Setting, applicability
from pinn_ntk.theory.bounds import Premises
from pinn_ntk.theory.widths import LeastWidth, gamma_at, least_width, width_terms

ARRAYS = 10
"""Arrays of the size of θ that live at once in a tracked run at its peak: θ⁰, Δ, their sum, gradient, step,
and copies of the network.
"""
_ROUNDS = 100


@dataclass(frozen=True)
class Promise:
    """What the theorem that applies is told, whatever N is.

    Attributes:
        premises: n, d, λ_S, δ, M.
        kernel: K^(a) of the operator's features, (n, n).
        target_square: ‖f‖² over the (row-scaled) points.
        gamma: γ as a number or a name.
    """

    premises: Premises
    kernel: Tensor
    target_square: float
    gamma: float | str

    def least(self, first: float | None = None) -> LeastWidth:
        """The least N from which on the three terms are met, with E R_S(θ⁰) for R_S(θ⁰).

        Args:
            first: a sharper first term in place of the lecture's (`variance_term`, `whitened_term`).
        """
        return least_width(self.premises, self.gamma, self.target_square, float(self.kernel.trace()), first)


def promise(problem: Problem, network: TwoLayer, delta: float = 0.1) -> Promise:
    """The theorem that applies to networks like this one.

    Args:
        problem: n rows.
        network: of any width: its activation, γ, bias, initialisation and scaling count.
        delta: δ of the theorem.

    Raises:
        ValueError: no theorem applies; with every reason.
    """
    # on the CPU: in float64, whatever the run has
    problem = problem.to(torch.float64, "cpu")
    try:
        kernel = infinite_width_kernel(problem, network.activation, bias=network.bias, init=network.init)
        spectrum = infinite_width_spectrum(problem, network.activation, bias=network.bias, init=network.init, part="a")
    except NotAvailableError as error:
        raise ValueError(f"width: no theorem applies, so none has a sufficient width: {error}") from error
    verdict = applicability(_setting(problem, network, spectrum.lambda_min, spectrum.floor))
    if verdict.theorem is None:
        raise ValueError(f"width: no theorem applies, so none has a sufficient width: {verdict.reason}")
    assert kernel.a is not None  # both parts were asked for
    bound = max(1.0, *(rows.bound() for rows in problem.rows()))
    premises = Premises(verdict.theorem, problem.points, network.inputs, spectrum.lambda_min, delta, bound)
    return Promise(premises, kernel.a, float(problem.target @ problem.target), network.gamma_name)


def _setting(problem: Problem, network: TwoLayer, lambda_s: float, floor: float) -> Setting:
    """The facts that do not depend on N; a γ(N) that falls is below 1 at every width that the theorem could ask for."""
    return Setting(
        activation=network.activation.name,
        order=problem.order,
        # on the CPU: in float64, whatever the run has
        points=torch.cat([r.x for r in problem.system(_in_double(network)).rows]),
        scaling=network.scaling,
        init=network.init,
        gamma=gamma_at(network.gamma_name, 1e6),
        extra=len(network.extra),
        parameters=problem.points,
        lambda_s=lambda_s,
        floor=floor,
        paired=problem.paired,
    )


@checked
def sufficient_width(
    problem: Problem,
    network: TwoLayer,
    delta: Annotated[float, share("δ: the theorem holds with probability 1 − δ")] = 0.1,
) -> int:
    """The least width of the theorem, enlarged until N ≥ max{three terms} with R_S(θ⁰)
    of the network that has this seed and this N.

    Args:
        problem: n rows.
        network: of any width: a network like it, of the width returned, is one that the theorem speaks about.
        delta: δ of the theorem.

    Raises:
        ValueError: no theorem applies, or a network of that width does not fit in memory; both with their numbers or
            reasons.

    References:
        Lecture 13, equation (4) and the PDE theorem.

    Examples:
        >>> import torch
        >>> from pinn_ntk import Block, Problem, TwoLayer, identity, sufficient_width
        >>> problem = Problem([Block(identity(1), torch.ones(1, 1, dtype=torch.float64), 0.5**0.5)])  # one point
        >>> sufficient_width(problem, TwoLayer(1, width=1, activation="relu", bias=False, seed=2))
        14284
    """
    promised = promise(problem, network, delta)
    # on the CPU: in float64, whatever the run has
    problem, start, N = problem.to(torch.float64, "cpu"), _in_double(network), promised.least().width
    for _ in range(_ROUNDS):
        _require_memory(N, network)
        terms = width_terms(promised.premises, N, problem.loss(start.like(width=int(N))))
        if terms.largest <= N:
            break
        N = math.ceil(terms.largest * (1.0 + 1e-9))
    return int(N)


def _in_double(network: TwoLayer) -> TwoLayer:
    """The network in float64 on the CPU; the one that was given is left as it is."""
    # on the CPU: in float64, whatever the run has
    return network.with_weights(network.weights).to(device="cpu", dtype=torch.float64)


def _require_memory(width: float, network: TwoLayer) -> None:
    needed, free = 8.0 * ARRAYS * width * (network.inputs + 1), available_bytes("cpu")
    if not needed <= free:
        raise ValueError(
            f"width: the theorem asks for N = {width:.3g} neurons, about {needed / 2**30:.3g} GiB while they train; "
            f"{free / 2**30:.3g} GiB are available: take fewer points, or points further apart"
        )
