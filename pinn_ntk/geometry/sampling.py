"""Points of the open unit cube by name: Sobol, Halton, independent, Latin, grid, Chebyshev;
and how many each of several sets gets.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_SEED

MARGIN = 2.0**-31  # half a cell of the Sobol lattice: keeps every sampled point strictly inside


def apportion(n: int, measures: Sequence[float]) -> list[int]:
    """The n ≥ len(measures) points shared out by measure, one at least each, the rest to the largest remainders."""
    free, total = n - len(measures), sum(measures)
    exact = [free * m / total for m in measures]
    shares = [1 + math.floor(e) for e in exact]
    by_remainder = sorted(range(len(exact)), key=lambda k: exact[k] - math.floor(exact[k]), reverse=True)
    for k in by_remainder[: n - sum(shares)]:
        shares[k] += 1
    return shares


def tensor_grid(axis: Tensor, dim: int) -> Tensor:
    """Every combination of the numbers of an axis, (m^dim, dim)."""
    return torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)


def _open(unit: Tensor) -> Tensor:
    return unit * (1.0 - 2.0 * MARGIN) + MARGIN


LAST_SEED = 2 * MAX_SEED + 1  # blocks take the seeds that follow a problem's


def stream(seed: int, k: int) -> int:
    """The seed of the k-th of several sets drawn under one seed, so that no two of them mirror each other."""
    return (seed + 1_000_003 * k) % (LAST_SEED + 1)


def unseen_stream() -> np.random.SeedSequence:
    """The scrambling of test points, of which no seed is the equal: it has more words. Made anew,
    since scipy spawns from it.
    """
    return np.random.SeedSequence(99, spawn_key=(1,))


def sobol(n: int, dim: int, seed: int | np.random.SeedSequence) -> Tensor:
    """The first n points of a scrambled Sobol sequence in the open unit cube, (n, dim)."""
    from scipy.stats import qmc

    engine = qmc.Sobol(dim, scramble=True, seed=np.random.default_rng(seed))
    return _open(torch.from_numpy(engine.random_base2(max(n - 1, 0).bit_length())[:n]))


def _halton(n: int, dim: int, seed: int) -> Tensor:
    from scipy.stats import qmc

    return _open(torch.from_numpy(qmc.Halton(dim, scramble=True, seed=np.random.default_rng(seed)).random(n)))


def _uniform(n: int, dim: int, seed: int) -> Tensor:
    draws = torch.Generator(device="cpu").manual_seed(seed)
    return _open(torch.rand(n, dim, generator=draws, dtype=torch.float64, device="cpu"))


def _latin(n: int, dim: int, seed: int) -> Tensor:
    from scipy.stats import qmc

    return _open(torch.from_numpy(qmc.LatinHypercube(dim, seed=np.random.default_rng(seed)).random(n)))


def _per_axis(n: int, dim: int, what: str) -> int:
    """m with m^dim = n."""
    m = round(math.pow(n, 1 / dim))
    if m**dim != n:
        lower = math.floor(n ** (1 / dim))
        raise ValueError(
            f"points: got {n}, expected m^{dim} points for {what} in {dim} dimensions; take "
            f"{max(lower, 1) ** dim} or {(lower + 1) ** dim}"
        )
    return m


def _grid(n: int, dim: int, seed: int) -> Tensor:  # noqa: ARG001  every sampling takes a seed
    m = _per_axis(n, dim, "a grid")
    return tensor_grid(torch.arange(1, m + 1, dtype=torch.float64, device="cpu") / (m + 1), dim)


def _chebyshev(n: int, dim: int, seed: int) -> Tensor:  # noqa: ARG001
    m = _per_axis(n, dim, "Chebyshev points")
    halves = torch.arange(1, 2 * m, 2, dtype=torch.float64, device="cpu") * (math.pi / (4 * m))
    return tensor_grid(halves.sin().square(), dim)  # (1 − cos 2z)/2 = sin² z without cancellation at the lower end


SAMPLINGS: dict[str, Callable[[int, int, int], Tensor]] = {
    "sobol": sobol,
    "halton": _halton,
    "uniform": _uniform,
    "latin": _latin,
    "grid": _grid,
    "chebyshev": _chebyshev,
}
LATTICES = ("grid", "chebyshev")  # those whose number of points is m^d
