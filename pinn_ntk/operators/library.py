"""Operators by name. A time axis is the last coordinate: points are (x₁, …, x_d, t)."""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.operators.coefficients import Coefficient, Field, call
from pinn_ntk.operators.divergence import divergence
from pinn_ntk.operators.second_order import GENERAL, MOST_COORDINATES, SecondOrderOperator
from pinn_ntk.rules import checked, positive, real, squared, whole

Dim = Annotated[int, whole("d, the number of coordinates", 1, MOST_COORDINATES)]
SpaceDim = Annotated[int, whole("d, the number of space coordinates", 0, MOST_COORDINATES)]
Diffusivity = Annotated[float, positive("κ")]


@checked
def identity(dim: Dim) -> SecondOrderOperator:
    """𝓛u = u: regression, Dirichlet and initial values.

    Examples:
        >>> import torch
        >>> from pinn_ntk import Block, Problem, TwoLayer, identity
        >>> x, net = torch.rand(4, 2, dtype=torch.float64), TwoLayer(2, width=8)
        >>> regression = Problem([Block(identity(2), x, target=1.0)])
        >>> torch.allclose(regression.residual(net), net(x) - 1.0)
        True
    """
    return SecondOrderOperator(dim, c=1.0, name="u")


@checked
def laplacian(dim: Dim) -> SecondOrderOperator:
    """𝓛u = Δu = Σ_a u_{x_a x_a}.

    Examples:
        >>> import torch
        >>> from pinn_ntk import laplacian
        >>> laplacian(2).apply(lambda p: p[:, 0] ** 2, torch.rand(2, 2))
        tensor([2., 2.])
    """
    return SecondOrderOperator(dim, A=1.0, name="Δu")


@checked
def elliptic(
    dim: Dim,
    A: Coefficient,
    b: Coefficient = 0.0,
    c: Coefficient = 0.0,
    *,
    divergence: Field | None = None,
    name: str = GENERAL,
) -> SecondOrderOperator:
    """𝓛u = A:∇²u + b·∇u + cu; with `divergence` = (∇·A)(x), 𝓛u = ∇·(A∇u) + b·∇u + cu.

    Args:
        dim: d.
        A: symmetric matrix field (see `SecondOrderOperator`).
        b: first-order coefficients.
        c: zeroth-order coefficient.
        divergence: function (n, d) → (n, d), the row-wise divergence Σ_a ∂_a A_ab, for the divergence form.
        name: how the operator is called.

    Examples:
        >>> import torch
        >>> from pinn_ntk import elliptic
        >>> L = elliptic(1, A=lambda p: p[:, 0], divergence=torch.ones_like)  # (xu')'
        >>> L.apply(lambda p: p[:, 0] ** 2, torch.tensor([[3.0]]))  # (2x²)' = 4x
        tensor([12.])
    """
    operator = SecondOrderOperator(dim, A, b, c, name)
    return operator if divergence is None else operator + SecondOrderOperator(dim, b=divergence, name="(∇·A)·∇u")


@checked
def advection_diffusion(dim: Dim, diffusivity: Diffusivity, velocity: Coefficient) -> SecondOrderOperator:
    """𝓛u = −κΔu + v·∇u.

    Args:
        dim: d.
        diffusivity: κ > 0.
        velocity: v, a (d,) tensor or a function (n, d) → (n, d).

    Examples:
        >>> import torch
        >>> from pinn_ntk import advection_diffusion
        >>> L = advection_diffusion(1, diffusivity=0.5, velocity=[2.0])
        >>> L.apply(lambda p: p[:, 0] ** 2, torch.tensor([[1.0]]))  # −½·2 + 2·2x
        tensor([3.])
    """
    return SecondOrderOperator(dim, A=-diffusivity, b=velocity, name="−κΔu + v·∇u")


@checked
def helmholtz(dim: Dim, wavenumber: Annotated[float, squared("k", -1e150)]) -> SecondOrderOperator:
    """𝓛u = Δu + k²u.

    Examples:
        >>> import torch
        >>> from pinn_ntk import helmholtz
        >>> values = helmholtz(1, wavenumber=3.0).apply(lambda p: torch.sin(3 * p[:, 0]), torch.rand(5, 1))
        >>> bool(values.abs().max() < 1e-4)
        True
    """
    return SecondOrderOperator(dim, A=1.0, c=float(wavenumber) ** 2, name="Δu + k²u")


@checked
def heat(space_dim: SpaceDim, diffusivity: Diffusivity = 1.0) -> SecondOrderOperator:
    """𝓛u = u_t − κΔ_x u on (x, t), so on space_dim + 1 coordinates.

    Examples:
        >>> import torch
        >>> from pinn_ntk import heat
        >>> heat(1).apply(lambda p: p[:, 0] ** 2 + 2 * p[:, 1], torch.rand(2, 2))  # points (x, t)
        tensor([0., 0.])
    """
    A = torch.diag(torch.tensor([-diffusivity] * space_dim + [0.0], dtype=torch.float64, device="cpu"))
    return SecondOrderOperator(space_dim + 1, A=A, b=_unit(space_dim), name="u_t − κΔu")


@checked
def wave(space_dim: SpaceDim, speed: Annotated[float, squared("v")] = 1.0) -> SecondOrderOperator:
    """𝓛u = u_tt − v²Δ_x u on (x, t), so on space_dim + 1 coordinates.

    Examples:
        >>> import torch
        >>> from pinn_ntk import wave
        >>> wave(1, speed=2.0).apply(lambda p: (p[:, 0] - 2 * p[:, 1]) ** 2, torch.rand(2, 2))  # points (x, t)
        tensor([0., 0.])
    """
    A = torch.diag(torch.tensor([-(speed**2)] * space_dim + [1.0], dtype=torch.float64, device="cpu"))
    return SecondOrderOperator(space_dim + 1, A=A, name="u_tt − v²Δu")


@checked
def black_scholes(
    volatility: Annotated[float, squared("ς")] = 0.2, rate: Annotated[float, real("r")] = 0.05
) -> SecondOrderOperator:
    """𝓛V = V_t + ½ς²S²V_SS + rSV_S − rV on (S, t).

    Examples:
        >>> import torch
        >>> from pinn_ntk import black_scholes
        >>> points = torch.rand(5, 2)  # (S, t)
        >>> bond = black_scholes(rate=0.05).apply(lambda p: torch.exp(0.05 * p[:, 1]), points)
        >>> bool(bond.abs().max() < 1e-6)
        True
    """

    def diffusion(x: Tensor) -> Tensor:
        return 0.5 * volatility**2 * x[:, 0] ** 2

    def growth(x: Tensor) -> Tensor:
        return rate * x[:, 0]

    return SecondOrderOperator(
        2, A=[[diffusion, 0.0], [0.0, 0.0]], b=[growth, 1.0], c=-rate, name="V_t + ½ς²S²V_SS + rSV_S − rV"
    )


@checked
def time_derivative(space_dim: SpaceDim) -> SecondOrderOperator:
    """𝓛u = u_t on (x, t): the initial velocity of a wave.

    Examples:
        >>> import torch
        >>> from pinn_ntk import time_derivative
        >>> time_derivative(1).apply(lambda p: p[:, 0] * p[:, 1], torch.tensor([[3.0, 0.0]]))  # u = xt
        tensor([3.])
    """
    return SecondOrderOperator(space_dim + 1, b=_unit(space_dim), name="u_t")


@checked
def normal_derivative(dim: Dim, normal: Coefficient) -> SecondOrderOperator:
    """𝓛u = ∂u/∂ν = ν·∇u.

    Args:
        dim: d.
        normal: ν, a (d,) tensor or a function (n, d) → (n, d) of boundary points, such as the `normal` of a domain.

    Examples:
        >>> from pinn_ntk import box, normal_derivative
        >>> square = box([0, 0], [1, 1])
        >>> x = square.boundary(2, pieces=["x=0", "x=1"])
        >>> normal_derivative(2, square.normal).apply(lambda p: 5 * p[:, 0], x)
        tensor([-5.,  5.], dtype=torch.float64)
    """
    return SecondOrderOperator(dim, b=normal, name="∂u/∂ν")


@checked
def robin(dim: Dim, normal: Coefficient, alpha: float | Field = 1.0, beta: float | Field = 1.0) -> SecondOrderOperator:
    """𝓛u = αu + β ∂u/∂ν.

    Args:
        dim: d.
        normal: ν as in `normal_derivative`.
        alpha: a number or a function (n, d) → (n,).
        beta: a number or a function (n, d) → (n,).

    Examples:
        >>> import torch
        >>> from pinn_ntk import robin
        >>> ends, outward = torch.tensor([[0.0], [1.0]]), lambda p: 2 * p - 1
        >>> robin(1, outward, alpha=3.0).apply(lambda p: p[:, 0], ends)  # 3u + ∂u/∂ν of u = x
        tensor([-1.,  4.])
    """
    flux = normal_derivative(dim, normal)
    scaled = flux * (_values(beta, dim) if callable(beta) else float(beta))
    operator = SecondOrderOperator(dim, c=alpha, name="αu") + scaled
    operator.name = "αu + β∂u/∂ν"
    return operator


def _values(field: Field, dim: int) -> Field:
    return lambda x: call(field, x, 0, dim, "beta of robin")


def _unit(axis: int) -> Tensor:
    """The unit vector of the last of axis + 1 coordinates."""
    return torch.eye(axis + 1, dtype=torch.float64, device="cpu")[axis]


OPERATORS: dict[str, Callable[..., SecondOrderOperator]] = {
    "identity": identity,
    "laplacian": laplacian,
    "divergence": divergence,
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
