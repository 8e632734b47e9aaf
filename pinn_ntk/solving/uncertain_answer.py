"""What a person asks of an answer beside u: ± at points, integrals and fluxes, each with its error."""

from abc import ABC, abstractmethod
from functools import cached_property

from torch import Tensor

from pinn_ntk.problem.answer import Answer, Points
from pinn_ntk.solving.integrals import Factor, Integrand, On, Quantity, flux, integral
from pinn_ntk.solving.spread import Fits


class UncertainAnswer(ABC):
    """u with what is known of its error, at points, along ∂Ω and over Ω."""

    @property
    @abstractmethod
    def fits(self) -> Fits:
        """The independent fits; the first is the answer."""

    @cached_property
    def answer(self) -> Answer:
        """u, ∇u and 𝓛u − f at any points."""
        return self.fits.answers[0]

    def u(self, x: Points) -> Tensor:
        """The values of u at points, (n,)."""
        return self.answer.u(x)

    def gradient(self, x: Points) -> Tensor:
        """∇u(x), (n, d)."""
        return self.answer.gradient(x)

    def residual(self, x: Points) -> Tensor:
        """(𝓛u − f)(x), (n,)."""
        return self.answer.residual(x)

    def uncertainty(self, x: Points) -> Tensor:
        """± of u at points, (n,): how far independent fits swing apart there, plus what the estimate has beyond that;
        at least a tenth of the estimate, and ε·s·Σ|a_kφ_k| of rounding.

        On a boundary where u is given it is about as large as beside it: larger than the truth.
        """
        return self.fits.uncertainty(x)

    def gradient_uncertainty(self, x: Points) -> Tensor:
        """± of ∇u at points, (n, d), by the same rule."""
        return self.fits.gradient_uncertainty(x)

    def integral(self, on: On = None, of: Integrand = None, at: float | None = None) -> Quantity:
        """∫ u over Ω, a part of it, or pieces of ∂Ω.

        Args:
            on: None for Ω, the name of a piece of ∂Ω, a list of names, "all" for ∂Ω (without the ends of time), or a
                domain inside Ω.
            of: None for u; an operator 𝓛 for ∫𝓛u; a function of (x, u) for ∫F(x, u).
            at: a time, for the integral over space alone.

        Returns:
            The value with its estimated error, of u and of the quadrature.

        Raises:
            ValueError: no such piece or time, a part that reaches outside Ω, an operator of another dimension, or a
                problem without a domain.

        Examples:
            >>> from pinn_ntk import box, dirichlet, laplacian, pose, solve
            >>> solution = solve(pose(-laplacian(1), box(0, 1), 2, [dirichlet(0)]), tolerance=1e-8)  # u = x(1 − x)
            >>> whole = solution.integral()
            >>> round(whole.value, 6), abs(whole.value - 1 / 6) <= 3 * whole.error
            (0.166667, True)
        """
        return integral(self.fits, on, of, at)

    def flux(self, on: On = None, k: Factor = 1.0, at: float | None = None) -> Quantity:
        """∫ k ∂u/∂ν over pieces of ∂Ω, ν the outward normal. Of heat that flows as −k∇u, what enters.

        Args:
            on: the name of a piece, a list of names, or None for ∂Ω (without the ends of time).
            k: the conductivity: a number, text in the coordinates, or a function of points.
            at: a time, for the flux at that time.

        Returns:
            The value with its estimated error, of ∇u and of the quadrature.

        Raises:
            ValueError: no such piece or time, or a problem without a domain.

        Examples:
            >>> from pinn_ntk import box, dirichlet, laplacian, pose, solve
            >>> solution = solve(pose(-laplacian(1), box(0, 1), 2, [dirichlet(0)]), tolerance=1e-8)  # u = x(1 − x)
            >>> round(solution.flux().value, 6)  # ∫u'' = −2
            -2.0
        """
        return flux(self.fits, on, k, at)
