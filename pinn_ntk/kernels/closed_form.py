"""The tangent kernel of two layers in closed form, streamed over neurons: memory n² + n·chunk, never n×N(D+1).

K̂^(a) = (1/N) Σ_k φ_kφ_kᵀ,   K̂^(w)_ij = (1/N) Σ_k a_k² ∇φ_k(x_i)·∇φ_k(x_j),   JJᵀ = s²N K̂.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pinn_ntk.kernels.gram import At, Chunk, Kernel, Part, block_map
from pinn_ntk.kernels.memory import require_bytes, with_backoff
from pinn_ntk.kernels.neuron_sums import gram, kernel_chunk
from pinn_ntk.kernels.spectrum import Spectrum, Triangle, spectrum_of_factor, triangular_factor
from pinn_ntk.networks.features import CHUNK_ELEMENTS, jacobian_columns
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked


def default_chunk(points: int, width: int) -> int:
    """Neurons held at a time: as many as keep one n × chunk array within the budget of `sums`."""
    return max(1, min(width, CHUNK_ELEMENTS // max(1, points)))


@checked
def closed_form_kernel(network: TwoLayer, problem: Problem, at: At = None, chunk: Chunk = None) -> Kernel:
    """K̂ = JJᵀ/(s²N) of S𝓛h at the points of a problem, exact up to rounding.

    Args:
        network: two layers.
        problem: n rows.
        at: m other rows on d coordinates (operators at new points): the cross kernel K(at, X), (m, n), for predictions
            there.
        chunk: neurons at a time; chosen, and halved when memory fails, by default.

    Raises:
        MemoryShortageError: n² numbers do not fit, or not even one neuron at a time.

    Examples:
        >>> import torch
        >>> from pinn_ntk import TwoLayer, autograd_kernel, box, closed_form_kernel, laplacian, pose
        >>> problem, net = pose(-laplacian(2), box([0, 0], [1, 1]), exact="x*y", points=8), TwoLayer(2, width=16)
        >>> K = closed_form_kernel(net, problem)
        >>> torch.allclose(K.total, autograd_kernel(net, problem).total), torch.allclose(K.total, K.a + K.w)
        (True, True)
    """
    system = problem.system(network)
    left = system if at is None else network.system(at, torch.cat([r.x[:, 0] for r in at]))
    n, m = system.points, left.points
    require_bytes(4 * n * m * system.target.element_size(), system.target.device, f"the kernel of {m} × {n} rows")
    weights = network.weights
    right = None if at is None else system

    def compute(size: int) -> tuple[Tensor, Tensor | None]:
        return gram(left, right, weights.w, weights.a, 1.0 / network.width, size)

    (part_a, part_w), used = with_backoff(compute, chunk or kernel_chunk(max(n, m), network.width))
    scale = network.scale**2 * network.width
    total = part_a if part_w is None else part_a + part_w
    extra = None
    if left.extra is not None and system.extra is not None:
        extra = left.extra @ system.extra.mT / scale
        total = total + extra
    columns = block_map(problem)
    rows = columns if at is None else {"new": (slice(0, m), 1.0)}
    return Kernel(total, scale, part_a, part_w, extra, rows, columns, None, used)


def kernel_with_factors(network: TwoLayer, problem: Problem) -> tuple[Kernel, Tensor, Tensor]:
    """K̂ with R and R_a, RᵀR = JJᵀ and R_aᵀR_a = s²ΦΦᵀ, of one pass over the columns of J;
    the kernels are products of the triangles.

    Args:
        network: two layers.
        problem: n rows.

    Raises:
        NonFiniteError: the Jacobian is not finite.
    """
    system, weights, scale = problem.system(network), network.weights, network.scale**2 * network.width
    values, slopes = Triangle(system.points), Triangle(system.points)
    size = default_chunk(system.points, network.width)
    for start in range(0, network.width, size):
        part = slice(start, start + size)
        for index, block in enumerate(
            jacobian_columns(system, weights.w[part], weights.a[part])
        ):  # one at a time: there are D + 1
            (slopes if index else values).add(network.scale * block)
    by_a, by_w = values.factor(), slopes.factor()
    extra = None if system.extra is None else system.extra @ system.extra.mT / scale
    whole = triangular_factor([by_a.mT, by_w.mT, *([] if system.extra is None else [system.extra])], system.points)
    parts = [(f.mT @ f) / scale for f in (by_a, by_w)]
    total = parts[0] + parts[1] if extra is None else parts[0] + parts[1] + extra
    blocks = block_map(problem)
    return Kernel(total, scale, parts[0], parts[1], extra, blocks, blocks, None, size), whole, by_a


def kernel_factor(network: TwoLayer, problem: Problem, part: str = "total", chunk: int | None = None) -> Tensor:
    """R with RᵀR = JJᵀ (part 'total') or s²ΦΦᵀ (part 'a'), gathered from chunks of columns of J; (≤ n, n)."""
    system = problem.system(network)
    weights = network.weights
    outer = weights.a if part == "total" else None
    size = chunk or default_chunk(system.points, network.width)

    def columns() -> Iterator[Tensor]:
        """Column blocks of J, chunk by chunk."""
        for start in range(0, network.width, size):
            a = None if outer is None else outer[start : start + size]
            for block in jacobian_columns(system, weights.w[start : start + size], a):
                yield network.scale * block
        if part == "total" and system.extra is not None:
            yield system.extra

    return triangular_factor(columns(), system.points)


@checked
def kernel_spectrum(network: TwoLayer, problem: Problem, part: Part = "total") -> Spectrum:
    """Spectrum of K̂ ('total') or K̂^(a) ('a') from singular values of the Jacobian: right down to (nε)²λ_max.

    Raises:
        ValueError: another part.
        SpectrumError: the Jacobian is not finite.

    Examples:
        >>> import torch
        >>> from pinn_ntk import TwoLayer, box, closed_form_kernel, kernel_spectrum, laplacian, pose
        >>> problem, net = pose(-laplacian(2), box([0, 0], [1, 1]), exact="x*y", points=8), TwoLayer(2, width=16)
        >>> spectrum, K = kernel_spectrum(net, problem), closed_form_kernel(net, problem)
        >>> spectrum.lambda_min >= 0, torch.allclose(spectrum.eigenvalues.sum(), K.total.trace())
        (True, True)
    """
    if part not in ("total", "a"):
        raise ValueError(f"part: got {part!r}, expected 'total' or 'a'")
    scale = network.scale**2 * network.width
    return spectrum_of_factor(kernel_factor(network, problem, part), scale, problem.points)


@checked
def solution_kernel(network: TwoLayer, problem: Problem, x: Tensor) -> Kernel:
    """The cross kernel of u − g at new points against the rows of the problem: what moves u(x)
    when the residual is reduced.

    Args:
        network: two layers.
        problem: n rows.
        x: new points (m, d).

    Examples:
        >>> import torch
        >>> from pinn_ntk import Block, Problem, TwoLayer, closed_form_kernel, identity, solution_kernel
        >>> x, net = torch.rand(5, 2, dtype=torch.float64), TwoLayer(2, width=16)
        >>> regression = Problem([Block(identity(2), x, 1.0)])
        >>> torch.allclose(solution_kernel(net, regression, x).total, closed_form_kernel(net, regression).total)
        True
    """
    return closed_form_kernel(network, problem, at=(problem.solution_rows(x),))
