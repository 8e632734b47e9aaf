"""Operators by name. A time axis is the last coordinate: points are (x₁, …, x_d, t)."""

from collections.abc import Callable

import torch
from torch import Tensor

from pinn_ntk.operators.coefficients import Coefficient, Field, call
from pinn_ntk.operators.second_order import SecondOrderOperator


def identity(dim: int) -> SecondOrderOperator:
    """𝓛u = u: regression, Dirichlet and initial values."""
    return SecondOrderOperator(dim, c=1.0, name="u")


def laplacian(dim: int) -> SecondOrderOperator:
    """𝓛u = Δu = Σ_a u_{x_a x_a}."""
    return SecondOrderOperator(dim, A=1.0, name="Δu")


def elliptic(
    dim: int,
    A: Coefficient,
    b: Coefficient = 0.0,
    c: Coefficient = 0.0,
    *,
    divergence: Field | None = None,
    name: str = "A:∇²u + b·∇u + cu",
) -> SecondOrderOperator:
    """𝓛u = A:∇²u + b·∇u + cu; with `divergence` = (∇·A)(x), 𝓛u = ∇·(A∇u) + b·∇u + cu.

    Args:
        dim: d.
        A: symmetric matrix field (see `SecondOrderOperator`).
        b: first-order coefficients.
        c: zeroth-order coefficient.
        divergence: function (n, d) → (n, d), the row-wise divergence Σ_a ∂_a A_ab, for the divergence form.
        name: how the operator is called.
    """
    operator = SecondOrderOperator(dim, A, b, c, name)
    return operator if divergence is None else operator + SecondOrderOperator(dim, b=divergence, name="(∇·A)·∇u")


def advection_diffusion(dim: int, diffusivity: float, velocity: Coefficient) -> SecondOrderOperator:
    """𝓛u = −κΔu + v·∇u.

    Args:
        dim: d.
        diffusivity: κ > 0.
        velocity: v, a (d,) tensor or a function (n, d) → (n, d).
    """
    _positive("diffusivity", diffusivity)
    return SecondOrderOperator(dim, A=-diffusivity, b=velocity, name="−κΔu + v·∇u")


def helmholtz(dim: int, wavenumber: float) -> SecondOrderOperator:
    """𝓛u = Δu + k²u."""
    return SecondOrderOperator(dim, A=1.0, c=float(wavenumber) ** 2, name="Δu + k²u")


def heat(space_dim: int, diffusivity: float = 1.0) -> SecondOrderOperator:
    """𝓛u = u_t − κΔ_x u on (x, t), so on space_dim + 1 coordinates."""
    _positive("diffusivity", diffusivity)
    A = torch.diag(torch.tensor([-diffusivity] * space_dim + [0.0], dtype=torch.float64))
    return SecondOrderOperator(space_dim + 1, A=A, b=_unit(space_dim), name="u_t − κΔu")


def wave(space_dim: int, speed: float = 1.0) -> SecondOrderOperator:
    """𝓛u = u_tt − v²Δ_x u on (x, t), so on space_dim + 1 coordinates."""
    _positive("speed", speed)
    A = torch.diag(torch.tensor([-(speed**2)] * space_dim + [1.0], dtype=torch.float64))
    return SecondOrderOperator(space_dim + 1, A=A, name="u_tt − v²Δu")


def black_scholes(volatility: float = 0.2, rate: float = 0.05) -> SecondOrderOperator:
    """𝓛V = V_t + ½ς²S²V_SS + rSV_S − rV on (S, t)."""
    _positive("volatility", volatility)

    def diffusion(x: Tensor) -> Tensor:
        return 0.5 * volatility**2 * x[:, 0] ** 2

    def growth(x: Tensor) -> Tensor:
        return rate * x[:, 0]

    return SecondOrderOperator(2, A=[[diffusion, 0.0], [0.0, 0.0]], b=[growth, 1.0], c=-rate, name="V_t + ½ς²S²V_SS + rSV_S − rV")


def time_derivative(space_dim: int) -> SecondOrderOperator:
    """𝓛u = u_t on (x, t): the initial velocity of a wave."""
    return SecondOrderOperator(space_dim + 1, b=_unit(space_dim), name="u_t")


def normal_derivative(dim: int, normal: Coefficient) -> SecondOrderOperator:
    """𝓛u = ∂u/∂ν = ν·∇u.

    Args:
        dim: d.
        normal: ν, a (d,) tensor or a function (n, d) → (n, d) of boundary points, such as the `normal` of a domain.
    """
    return SecondOrderOperator(dim, b=normal, name="∂u/∂ν")


def robin(dim: int, normal: Coefficient, alpha: Coefficient = 1.0, beta: Coefficient = 1.0) -> SecondOrderOperator:
    """𝓛u = αu + β ∂u/∂ν.

    Args:
        dim: d.
        normal: ν as in `normal_derivative`.
        alpha: a number or a function (n, d) → (n,).
        beta: a number or a function (n, d) → (n,).
    """
    flux = normal_derivative(dim, normal)
    scaled = flux * _checked(beta, dim) if callable(beta) else flux * float(beta)  # type: ignore[arg-type]
    operator = SecondOrderOperator(dim, c=alpha, name="αu") + scaled
    operator.name = "αu + β∂u/∂ν"
    return operator


def _checked(field: Field, dim: int) -> Field:
    return lambda x: call(field, x, 0, dim, "beta of robin")


def _unit(axis: int) -> Tensor:
    """The unit vector of the last of axis + 1 coordinates."""
    return torch.eye(axis + 1, dtype=torch.float64)[axis]


def _positive(what: str, value: float) -> None:
    if not value > 0.0:
        raise ValueError(f"{what}: got {value}, expected a positive number")


OPERATORS: dict[str, Callable[..., SecondOrderOperator]] = {
    "identity": identity,
    "laplacian": laplacian,
    "elliptic": elliptic,
    "advection_diffusion": advection_diffusion,
    "helmholtz": helmholtz,
    "heat": heat,
    "wave": wave,
    "black_scholes": black_scholes,
    "normal_derivative": normal_derivative,
    "robin": robin,
    "time_derivative": time_derivative,
}
