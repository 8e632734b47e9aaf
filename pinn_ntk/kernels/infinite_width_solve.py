"""The answer at N = ∞: regression with the kernel K = K^(a) + γ²K^(w) of the rows S𝓛,
which is where training ends in that limit.

    u(x) = g(x) + k(x, X)(K + νD²)⁻¹ Sf̃,   Var u(x) = ς²(k(x, x) − k(x, X)(K + νD²)⁻¹k(X, x)),   D² = diag K,

f̃ the target of h, that is f − 𝓛g under hard conditions. As a Gaussian process: u − g has the covariance ς²k before the
rows are known.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.activations import Activation, activation_named
from pinn_ntk.kernels.infinite_width import infinite_width_diagonal, infinite_width_kernel
from pinn_ntk.kernels.spectrum import SpectrumError
from pinn_ntk.networks.two_layer import INITS, gamma_value
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import Rule, checked, one_of, positive

NUGGET = 1e-12
"""Least ν: rounding in K beside its diagonal, with some room."""
_LARGEST = 1e-4


@dataclass(frozen=True)
class InfiniteWidthSolution:
    """u and its error bars; made by `infinite_width_solve`.

    Attributes:
        problem: n rows, in float64.
        activation: σ.
        bias: whether points are lifted to (x, 1).
        init: of the inner weights.
        gamma: γ.
        nugget: ν, the variance of noise in a row as a share of the row's own variance.
        sizes: D, (n,).
        factor: lower L with LLᵀ = D⁻¹KD⁻¹ + νI.
        coefficients: (K + νD²)⁻¹Sf̃, (n,).
        amplitude: ς, the maximum-likelihood scale √(yᵀ(K + νD²)⁻¹y/n), y = Sf̃, of the error bars.
        residual_norm: ‖S(𝓛u − f)‖.
        log_evidence: log density of y = Sf̃ under the process with that amplitude: larger for a better σ, init and γ.
    """

    problem: Problem
    activation: Activation
    bias: bool
    init: str
    gamma: float
    nugget: float
    sizes: Tensor
    factor: Tensor
    coefficients: Tensor
    amplitude: float
    residual_norm: float
    log_evidence: float

    def u(self, x: Tensor) -> Tensor:
        """u at points, (p, d) → (p,).

        Raises:
            ValueError: points of another dimension.
        """
        points, cross = self._cross(x)
        return self._mean(points, cross).to(x)  # on the CPU: where the points were given there

    def standard_deviation(self, x: Tensor) -> Tensor:
        """√Var u at points, (p, d) → (p,): an error bar if u is what the process takes for typical; at least ς√(νk(x,
        x)), for rounding.

        Raises:
            ValueError: points of another dimension.
        """
        return self._spread(*self._cross(x)).to(x)  # on the CPU: where the points were given there

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u and its standard deviation at points, at half the cost of both.

        Raises:
            ValueError: points of another dimension.
        """
        points, cross = self._cross(x)
        # on the CPU: where the points were given there
        return self._mean(points, cross).to(x), self._spread(points, cross).to(x)

    def _mean(self, points: Tensor, cross: Tensor) -> Tensor:
        background: Tensor = self.problem.solution(lambda _: torch.zeros_like(points[:, 0]))(points)
        return background + cross @ self.coefficients

    def _spread(self, points: Tensor, cross: Tensor) -> Tensor:
        own = infinite_width_diagonal((self.problem.solution_rows(points),), self.activation, self.bias, self.init)
        prior = own.a if own.w is None else own.a + self.gamma**2 * own.w
        known = torch.linalg.solve_triangular(self.factor, (cross / self.sizes).mT, upper=False).square().sum(0)
        return self.amplitude * torch.maximum(prior - known, self.nugget * prior).sqrt()

    def _cross(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The points in float64, and k(x, X), (p, n)."""
        if x.ndim != 2 or x.shape[1] != self.problem.dim:
            raise ValueError(f"x: got shape {tuple(x.shape)}, expected (p, {self.problem.dim})")
        points = x.detach().to(self.problem.x)
        return points, _kernel(
            self.problem, self.activation, self.bias, self.init, self.gamma, (self.problem.solution_rows(points),)
        )


@checked
def infinite_width_solve(
    problem: Problem,
    activation: str | Activation = "tanh",
    bias: bool = True,
    gamma: Annotated[float, positive("γ")] = 1.0,
    nugget: Annotated[float | None, Rule("ν", "number", 0.0, 1e12, above=True)] = None,
    init: Annotated[str, one_of("of the inner weights", INITS)] = "lecture",
) -> InfiniteWidthSolution:
    """u(x) = g + k(x, X)(K + νD²)⁻¹Sf̃ with K = K^(a) + γ²K^(w): the mean over seeds of trained networks as N → ∞,
    with error bars.

    Args:
        problem: n rows; computed in float64 whatever its precision.
        activation: a name or a record.
        bias: whether points are lifted to (x, 1).
        gamma: γ, the size of the outer weights; with scaling 'sum' and γ = 1/√N the limit is γ → 0.
        nugget: ν; by default 1e-12, raised tenfold until K + νD² is positive definite to rounding.
        init: 'lecture', 'centred' or 'uniform'.

    Raises:
        ValueError: a γ or ν that is not allowed.
        NotAvailableError: no exact kernel for this activation, initialisation and dimension.
        SpectrumError: K + νD² is not positive definite to rounding.

    References:
        Jacot, Gabriel & Hongler (2018); Raissi, Perdikaris & Karniadakis (2017) for linear operators; Rasmussen &
        Williams (2006), 2.7.

    Examples:
        >>> import torch
        >>> from pinn_ntk import Block, Problem, identity, infinite_width_solve
        >>> x = torch.tensor([[0.0], [0.5], [1.0]], dtype=torch.float64)
        >>> solution = infinite_width_solve(Problem([Block(identity(1), x, 1 + x[:, 0] ** 2)]))
        >>> [round(value, 4) for value in solution.u(x).tolist()]  # the given values
        [1.0, 1.25, 2.0]
    """
    gamma, sigma = gamma_value(gamma, 1), activation_named(activation)
    problem = problem.to(torch.float64, problem.x.device)
    K, y, n = _kernel(problem, sigma, bias, init, gamma, None), problem.target, problem.points
    diagonal = K.diagonal().clone()
    sizes = torch.where(diagonal > 0.0, diagonal, 1.0).sqrt()
    unit = K / sizes[:, None] / sizes
    factor, used = _factored(unit, nugget)
    scaled = torch.cholesky_solve((y / sizes)[:, None], factor)[:, 0]
    coefficients, energy = scaled / sizes, float(scaled @ (y / sizes))  # read back: the energy is a number
    # read back: the evidence is a number
    logs = float(factor.diagonal().log().sum() + sizes.log().sum())
    evidence = -0.5 * n * (math.log(2 * math.pi * energy / n) + 1.0) - logs if energy > 0.0 else math.inf
    missed = float((y - K @ coefficients).norm())  # read back: the residual is a number
    amplitude = math.sqrt(max(energy, 0.0) / n)
    return InfiniteWidthSolution(
        problem, sigma, bias, init, gamma, used, sizes, factor, coefficients, amplitude, missed, evidence
    )


def _kernel(
    problem: Problem, activation: Activation, bias: bool, init: str, gamma: float, at: tuple[Rows, ...] | None
) -> Tensor:
    """K^(a) + γ²K^(w)."""
    kernel = infinite_width_kernel(problem, activation, bias, init, at)
    assert kernel.a is not None and kernel.w is not None  # an infinite-width kernel has both parts
    return kernel.a + gamma**2 * kernel.w


def _factored(unit: Tensor, nugget: float | None) -> tuple[Tensor, float]:
    """L and ν with LLᵀ = D⁻¹KD⁻¹ + νI.

    Raises:
        SpectrumError: not positive definite.
    """
    tried = NUGGET if nugget is None else nugget
    while True:
        shifted = unit.clone()
        shifted.diagonal().add_(tried)
        factor, failed = torch.linalg.cholesky_ex(shifted)
        if not bool(failed):  # read back: whether more has to be added to the diagonal
            return factor, tried
        tried *= 10.0
        if nugget is not None or tried > _LARGEST:
            raise SpectrumError(
                f"the infinite-width kernel is not positive definite with the nugget {tried / 10.0:g}; try a larger one"
            )
