"""K̂v = J(Jᵀv)/scale without K̂: products of n numbers where n² do not fit,
and extreme eigenvalues by Lanczos' method with their residuals.

For a symmetric K and any unit vector v with θ = vᵀKv there is an eigenvalue within ‖Kv − θv‖ of θ, and λ_min ≤ θ ≤
λ_max (Parlett, The Symmetric Eigenvalue Problem, §4.5): what is returned is true whether or not the method has
converged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_SEED
from pinn_ntk.networks.sums import pullback, pushforward
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, positive, whole


@checked
class KernelProduct:
    """v ↦ K̂v for two layers, memory n + N(D + 1) and what one chunk of neurons takes.

    Args:
        network: two layers.
        problem: n rows.

    Examples:
        >>> import torch
        >>> from pinn_ntk import KernelProduct, TwoLayer, box, closed_form_kernel, laplacian, pose
        >>> problem, net = pose(-laplacian(2), box([0, 0], [1, 1]), exact="x*y", points=8), TwoLayer(2, width=16)
        >>> v = torch.ones(8, dtype=torch.float64)
        >>> torch.allclose(KernelProduct(net, problem)(v), closed_form_kernel(net, problem).total @ v)
        True
    """

    def __init__(self, network: TwoLayer, problem: Problem) -> None:
        self.system, self.weights = problem.system(network), network.weights
        self.scale, self.points = network.kernel_scale, problem.points

    def __call__(self, v: Tensor) -> Tensor:
        """K̂v, (n,) → (n,)."""
        return pushforward(self.system, self.weights, pullback(self.system, self.weights, v)) * (
            self.points / self.scale
        )


@dataclass(frozen=True)
class RitzPair:
    """An approximate eigenpair.

    Attributes:
        value: θ = vᵀK̂v.
        vector: v, of length 1, (n,).
        residual: ‖K̂v − θv‖: an eigenvalue is as near as that.
        products: of K̂ with a vector that it took.
    """

    value: float
    vector: Tensor
    residual: float
    products: int


@checked
def extreme_eigenvalues(
    network: TwoLayer,
    problem: Problem,
    tolerance: Annotated[float, positive("on residuals, relative to λ_max")] = 1e-10,
    products: Annotated[int, whole("K̂v at most for each of the two", 1)] = 2000,
    seed: Annotated[int, whole("of the first vector", high=MAX_SEED)] = 0,
) -> tuple[RitzPair, RitzPair]:
    """(least, greatest) eigenvalue of K̂ by products K̂v, each with a bound on how far it is from an eigenvalue.

    λ_max by ARPACK's Lanczos method; λ_min as λ_max − μ with μ the greatest eigenvalue of λ_max I − K̂. Where
    eigenvalues crowd at zero, as those of smooth kernels do, λ_min comes slowly, and its residual says how well it is
    known; θ is an upper bound for it in any case.

    Args:
        network: two layers.
        problem: n rows.
        tolerance: on residuals, relative to λ_max.
        products: K̂v at most for each of the two.
        seed: of the first vector.

    Raises:
        ValueError: a tolerance or a number of products that is not positive.

    Examples:
        >>> import math
        >>> from pinn_ntk import TwoLayer, box, extreme_eigenvalues, kernel_spectrum, laplacian, pose
        >>> problem, net = pose(-laplacian(2), box([0, 0], [1, 1]), exact="x*y", points=8), TwoLayer(2, width=16)
        >>> least, greatest = extreme_eigenvalues(net, problem)
        >>> math.isclose(greatest.value, kernel_spectrum(net, problem).lambda_max), least.value <= greatest.value
        (True, True)
    """
    product = KernelProduct(network, problem)
    greatest = _greatest(product, 0.0, tolerance, products, seed)
    least = _greatest(product, greatest.value, tolerance, products, seed + 1)
    return least, greatest


def largest_eigenvalue(
    network: TwoLayer, problem: Problem, tolerance: float = 1e-10, products: int = 2000, seed: int = 0
) -> RitzPair:
    """λ_max of K̂ by products K̂v; arguments as for `extreme_eigenvalues`."""
    return _greatest(KernelProduct(network, problem), 0.0, tolerance, products, seed)


def _greatest(product: KernelProduct, shift: float, tolerance: float, most: int, seed: int) -> RitzPair:
    """The pair that is greatest for K̂, or with a shift for shift·I − K̂."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    n, like, count = product.points, product.system.target, [0]

    def apply(v: np.ndarray) -> np.ndarray:
        count[0] += 1
        # on the CPU: ARPACK's Lanczos method
        Kv = product(torch.from_numpy(np.ascontiguousarray(v.ravel())).to(like)).to("cpu", torch.float64).numpy()
        return shift * v.ravel() - Kv if shift else Kv

    first = np.random.default_rng(seed).standard_normal(n)
    if n < 3:  # ARPACK wants more rows than that
        matrix = np.stack([apply(row) for row in np.eye(n)], 1)
        v = np.linalg.eigh((matrix + matrix.T) / 2)[1][:, -1]
    else:
        operator = LinearOperator((n, n), matvec=apply, dtype=np.float64)
        held = min(n, 40)
        try:
            _, found = eigsh(operator, 1, which="LA", v0=first, ncv=held, tol=tolerance, maxiter=max(1, most // held))
        except ArpackNoConvergence:
            found = _lanczos(apply, first, min(n, most, 200))
        v = found[:, 0]
    vector = torch.from_numpy(v / np.linalg.norm(v)).to(like)
    Kv = product(vector)
    value = float(vector @ Kv)  # read back: the answer
    residual = float(torch.linalg.vector_norm(Kv - value * vector))  # read back: the answer
    return RitzPair(value, vector, residual, count[0] + 1)


def _lanczos(apply: Callable[[np.ndarray], np.ndarray], first: np.ndarray, steps: int) -> np.ndarray:
    """The best vector of one Krylov space, (n, 1), with full reorthogonalisation."""
    basis = [first / np.linalg.norm(first)]
    images: list[np.ndarray] = []
    for _ in range(steps):
        images.append(apply(basis[-1]))
        w = images[-1].copy()
        for _ in range(2):
            w -= np.stack(basis, 1) @ (np.stack(basis, 1).T @ w)
        size = np.linalg.norm(w)
        if size <= 1e-14 * np.linalg.norm(images[-1]) or len(basis) == len(first):
            break
        basis.append(w / size)
    Q = np.stack(basis[: len(images)], 1)
    T = Q.T @ np.stack(images, 1)
    return np.asarray(Q @ np.linalg.eigh((T + T.T) / 2)[1][:, -1:])
