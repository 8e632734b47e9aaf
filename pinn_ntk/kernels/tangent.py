"""The tangent kernel of any network: in closed form where there is one, by automatic differentiation elsewhere.
The choice is made here.

K̂ = JJᵀ/scale with J = ∂(S𝓛h)/∂θ; scale = s²N for two layers, 1 for modules.
"""

from torch import Tensor

from pinn_ntk.kernels.autograd import autograd_kernel
from pinn_ntk.kernels.closed_form import closed_form_kernel, kernel_factor, kernel_with_factors
from pinn_ntk.kernels.gram import At, Kernel, Part
from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.kernels.spectrum import Spectrum, spectrum_of_factor, triangular_factor
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked


@checked
def tangent_kernel(network: Model, problem: Problem, at: At = None) -> Kernel:
    """K̂ at the points of a problem, with parts (a) and (w) for two layers.

    Args:
        network: two layers or a module.
        problem: n rows.
        at: m other rows: the cross kernel K(at, X), (m, n).

    Raises:
        MemoryShortageError: n² numbers do not fit.

    Examples:
        >>> import torch
        >>> from pinn_ntk import AnyModule, TwoLayer, box, laplacian, pose, tangent_kernel
        >>> problem, net = pose(-laplacian(2), box([0, 0], [1, 1]), exact="x*y", points=8), TwoLayer(2, width=16)
        >>> closed, automatic = tangent_kernel(net, problem), tangent_kernel(AnyModule(net, dim=2), problem)
        >>> torch.allclose(closed.scale * closed.total, automatic.scale * automatic.total)
        True
    """
    if isinstance(network, TwoLayer):
        return closed_form_kernel(network, problem, at)
    return autograd_kernel(network.module, problem, at)


def tangent_factor(network: Model, problem: Problem, part: str = "total") -> Tensor:
    """R with RᵀR = JJᵀ, (≤ n, n); of two layers also part 'a', s²ΦΦᵀ.

    Raises:
        ValueError: part 'a' of a module.
        MemoryShortageError: the Jacobian of a module does not fit.
    """
    if isinstance(network, TwoLayer):
        return kernel_factor(network, problem, part)
    if part != "total":
        raise ValueError(f"part: got {part!r}, expected 'total': a module has no outer weights")
    size = 3 * problem.points * network.parameter_count * network.dtype.itemsize
    require_bytes(
        size, network.device, f"the Jacobian of {problem.points} rows by {network.parameter_count} parameters"
    )
    return triangular_factor([problem.system(network).jacobian(network.weights)], problem.points)


def tangent_kernel_and_factors(network: Model, problem: Problem) -> tuple[Kernel, dict[str, Tensor]]:
    """K̂ and the factors R of its parts, RᵀR = JJᵀ ('total') and, of two layers, s²ΦΦᵀ ('a'):
    what a tracked step needs, in one pass.

    Raises:
        NonFiniteError: the Jacobian is not finite.
        MemoryShortageError: n² numbers, or the Jacobian of a module, do not fit.
    """
    if isinstance(network, TwoLayer):
        require_bytes(
            8 * problem.points**2 * network.dtype.itemsize, network.device, f"the kernel of {problem.points} rows"
        )
        kernel, whole, by_a = kernel_with_factors(network, problem)
        return kernel, {"total": whole, "a": by_a}
    return tangent_kernel(network, problem), {"total": tangent_factor(network, problem)}


@checked
def tangent_spectrum(network: Model, problem: Problem, part: Part = "total") -> Spectrum:
    """Spectrum of K̂ from singular values of the Jacobian: right down to (nε)²λ_max.

    Raises:
        ValueError: an unknown part.
        SpectrumError: the Jacobian is not finite.

    Examples:
        >>> import torch
        >>> from pinn_ntk import AnyModule, Block, Problem, identity, tangent_spectrum
        >>> line, x = torch.nn.Linear(1, 1).double(), torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
        >>> spectrum = tangent_spectrum(AnyModule(line, dim=1), Problem([Block(identity(1), x, 0.0)]))
        >>> [round(value, 4) for value in spectrum.eigenvalues.tolist()]  # of xx' + 1: two parameters, rank two
        [0.0, 2.0, 3.0]
    """
    return spectrum_of_factor(tangent_factor(network, problem, part), network.kernel_scale, problem.points)


def solution_tangent(network: Model, problem: Problem, x: Tensor) -> Kernel:
    """The cross kernel of u − g at new points against the rows of the problem: what moves u(x)
    when the residual is reduced.

    Args:
        network: two layers or a module.
        problem: n rows.
        x: new points (m, d).
    """
    return tangent_kernel(network, problem, at=(problem.solution_rows(x),))
