"""The linearised network as a model of its own: u at trained and new points at any time or after any number of steps,
without training.

    e = U r(Λ) Uᵀe₀,   u(x) = u₀(x) − (1/n) J_xJᵀ U c(Λ) Uᵀe₀,   JJᵀ/n = UΛUᵀ,   R_S = ‖e‖²/(2n)

with the kernel JJᵀ of a network at its initialisation, or its limit s²N K_γ = s²N (K^(a) + γ²K^(w)) at infinite width.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.gram import Kernel
from pinn_ntk.kernels.infinite_width import infinite_width_kernel
from pinn_ntk.kernels.limit import NotAvailableError
from pinn_ntk.kernels.tangent import solution_tangent, tangent_factor
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked
from pinn_ntk.theory.linearised import FLOW, Linearisation, rate
from pinn_ntk.theory.modes import Times


@dataclass(frozen=True)
class LinearState:
    """A state of linearised training, or several along a first dimension.

    Attributes:
        residual: e = S(𝓛u − f), (…, n).
        loss: R_S = ‖e‖²/(2n), (…).
        u: the solution at the new points, (…, p); None when the model was made without any.
    """

    residual: Tensor
    loss: Tensor
    u: Tensor | None


@dataclass(frozen=True)
class LinearModel:
    """Training in closed form; made by `linearise`.

    Attributes:
        linear: modes, rates and the initial residual.
        dynamics: the law that `losses`, `mode_losses` and `times_to` follow.
        target: (n,) f, rows scaled.
        cross: (p, n) (1/n) J_xJᵀ at the new points; None without any.
        initial: (p,) u₀(x).
        background: (p,) u of a network that is zero: g(x) under hard conditions, else 0.
    """

    linear: Linearisation
    dynamics: Dynamics
    target: Tensor
    cross: Tensor | None = None
    initial: Tensor | None = None
    background: Tensor | None = None

    @property
    def eigenvalues(self) -> Tensor:
        """(n,) λ_j of JJᵀ/n, largest first: the speed of each mode along the flow."""
        return self.linear.eigenvalues

    @property
    def step_limit(self) -> float:
        """τ below which the dynamics of this model are stable; that of plain gradient descent, 2/λ_max,
        where they are a flow.
        """
        return self.linear.step_limit if self.dynamics.kind == "flow" else self.linear.limit_under(self.dynamics)

    def under(self, dynamics: Dynamics) -> "LinearModel":
        """The same model with another law."""
        return replace(self, dynamics=dynamics)

    def descent(
        self, step_size: float = 0.5, momentum: float = 0.0, nesterov: bool = False, absolute: bool = False
    ) -> Dynamics:
        """The law of `gradient_descent` with these arguments.

        Args:
            step_size: τ as a fraction of the method's own limit s_max/λ_max, s_max = 2 without momentum; or τ itself
                with `absolute`.
            momentum: β.
            nesterov: Nesterov's method in the place of heavy ball.
            absolute: how step_size is meant.

        Raises:
            ValueError: a step size that is not positive, a momentum outside [0, 1), or a fraction of no limit.
        """
        if not (math.isfinite(step_size) and step_size > 0.0):
            raise ValueError(
                f"step_size: got {step_size}, expected a positive number, by default a fraction of the step limit"
            )
        law = Dynamics("descent" if momentum == 0.0 else "nesterov" if nesterov else "heavy_ball", 0.0, momentum)
        limit = 1.0 if absolute else self.linear.limit_under(law)
        if math.isinf(limit):
            raise ValueError(
                "step_size: got a fraction, but the kernel is zero and no step is too large; expected absolute=True"
            )
        return replace(law, step=step_size * limit)

    def state(self, at: Times) -> LinearState:
        """Residual, loss and solution under the dynamics of this model.

        Args:
            at: time or times of a flow (∞ is one), else steps.
        """
        e = self.linear.residual_under(self.dynamics, at)
        u = None
        if self.cross is not None and self.initial is not None:
            u = self.linear.at_under(self.cross, self.initial, self.dynamics, at)
        return LinearState(e, self.linear.loss_under(self.dynamics, at), u)

    def predict(self, t: Times) -> LinearState:
        """The state at time t of the gradient flow θ' = −∇R_S; t = ∞ is the end of training,
        and modes without a rate stay.
        """
        return self.under(FLOW).state(t)

    def losses(self, at: Times) -> Tensor:
        """R_S at times of a flow or after steps, shape of `at`."""
        return self.linear.loss_under(self.dynamics, at)

    def mode_losses(self, at: Times) -> Tensor:
        """(u_jᵀe)²/(2n), the part of the loss that each mode holds, shape at.shape + (n,),
        fastest mode of the flow first.
        """
        return self.linear.mode_losses_under(self.dynamics, at)

    def times_to(self, fraction: float = 1.0 / math.e) -> Tensor:
        """When each mode of the residual has fallen by that factor: t_j = log(1/fraction)/λ_j,
        the spectral bias of training; (n,).

        Under gradient descent steps in the place of time, under momentum steps at the final rate of the mode; ∞ where
        it stays or grows.

        Args:
            fraction: of the initial residual mode, between 0 and 1.

        Raises:
            ValueError: another fraction.
        """
        if not 0.0 < fraction < 1.0:
            raise ValueError(f"fraction: got {fraction}, expected a number between 0 and 1, e.g. 1/e")
        rates = rate(self.dynamics, self.eigenvalues)
        return torch.where(rates > 0, -math.log(fraction) / rates, math.inf)

    def expectation(self) -> "LinearModel":
        """The predictor that starts at its mean over initialisations, E h = 0 and E e₀ = −(f − 𝓛g).

        With the infinite-width kernel this is the mean over seeds of the trained infinitely wide network; as t → ∞ it
        is regression with the kernel K_γ, K_γ(x, X) K_γ(X, X)⁻¹ f. Its loss is that of the mean, below the mean of the
        losses.
        """
        linear = replace(self.linear, coefficients=-(self.linear.vectors.mT @ self.target))
        return replace(self, linear=linear, initial=self.background)


@checked
def linearise(
    problem: Problem,
    network: Model,
    x: Tensor | None = None,
    kernel: Literal["network", "infinite"] = "network",
    dynamics: Dynamics | None = None,
) -> LinearModel:
    """A network linearised at θ⁰, h(x) + J_x(θ − θ⁰), whose training on R_S = ‖e‖²/(2n) is solved mode by mode.

    Args:
        problem: n rows; computed in float64 whatever its precision.
        network: at initialisation; it gives e₀ and u₀ also with the kernel of infinite width.
        x: new points (p, d) where the solution is wanted.
        kernel: 'network', its own JJᵀ at initialisation, or 'infinite', s²N(K^(a) + γ²K^(w)), exact up to quadrature;
            two layers only.
        dynamics: law of `losses`, `mode_losses` and `times_to`; the gradient flow by default.

    Raises:
        ValueError: an unknown kernel, points of another dimension, or dynamics without a closed form.
        NotAvailableError: no infinite-width kernel for this network.

    References:
        Jacot, Gabriel & Hongler (2018); Lee et al. (2019), for values of networks; here for any linear operator of
        second order.

    Examples:
        >>> import torch
        >>> from pinn_ntk import TwoLayer, box, laplacian, linearise, pose
        >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
        >>> model = linearise(problem, net)
        >>> start, later = model.predict(0.0), model.predict(1.0)
        >>> torch.allclose(start.residual, problem.residual(net)), bool(later.loss < start.loss)
        (True, True)
    """
    if kernel not in ("network", "infinite"):
        raise ValueError(f"kernel: got {kernel!r}, expected 'network' or 'infinite'")
    law = dynamics or FLOW
    if not law.solvable:
        raise ValueError(
            f"dynamics: got {law.kind!r}, expected flow, descent, heavy_ball or nesterov; the rest have no closed form"
        )
    if x is not None and (x.ndim != 2 or x.shape[1] != problem.dim):
        raise ValueError(f"x: got shape {tuple(x.shape)}, expected (p, {problem.dim})")
    problem, network = (
        problem.to(torch.float64, network.device),
        network.with_weights(network.weights).to(dtype=torch.float64),
    )
    points = None if x is None else x.to(device=network.device, dtype=torch.float64)
    e = problem.residual(network)
    if kernel == "network":
        linear = Linearisation.from_jacobian_factor(tangent_factor(network, problem), e)
        across = None if points is None else solution_tangent(network, problem, points)
        cross = None if across is None else across.total * (across.scale / problem.points)
    else:
        linear, cross = _infinite(problem, network, points, e)
    if points is None:
        return LinearModel(linear, law, problem.target)
    with torch.no_grad():
        start, zero = problem.solution(network)(points), problem.solution(lambda p: torch.zeros_like(p[:, 0]))(points)
    return LinearModel(linear, law, problem.target, cross, start, zero)


def _infinite(problem: Problem, network: Model, x: Tensor | None, e: Tensor) -> tuple[Linearisation, Tensor | None]:
    """Modes and cross kernel of s²N(K^(a) + γ²K^(w))/n."""
    if not isinstance(network, TwoLayer) or network.extra:
        raise NotAvailableError(
            "kernel: got 'infinite', expected 'network': the infinite-width kernel is for two layers without "
            "extra functions"
        )
    scale = network.kernel_scale / problem.points

    def limit(at: Tensor | None) -> Tensor:
        rows = None if at is None else (problem.solution_rows(at),)
        return scale * _at_gamma(
            infinite_width_kernel(problem, network.activation, network.bias, network.init, rows), network.gamma
        )

    return Linearisation.from_kernel(limit(None), e), None if x is None else limit(x)


def _at_gamma(kernel: Kernel, gamma: float) -> Tensor:
    """K^(a) + γ²K^(w)."""
    assert kernel.a is not None and kernel.w is not None  # an infinite-width kernel with parts
    return kernel.a + gamma**2 * kernel.w
