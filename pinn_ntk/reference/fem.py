"""A reference for 𝓛u = f with its conditions by quadratic finite elements: order three in L²,
the error told by half the resolution.
"""

import importlib.util
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.arguments import count
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.problem.residual import Problem
from pinn_ntk.reference.evolution import check_start, combine, evolve
from pinn_ntk.reference.linear import factorised
from pinn_ntk.reference.meshes import meshes_of
from pinn_ntk.reference.places import Finder
from pinn_ntk.reference.space import Space
from pinn_ntk.reference.task import Array, Task, read_task
from pinn_ntk.rules import checked

DEGREES = {1: 4_000, 2: 40_000, 3: 20_000}  # by the number of space coordinates
DEGREES_IN_TIME = {1: 2_000, 2: 10_000, 3: 8_000}
MOST = 2_000_000
_TEST_POINTS, _CHUNK = 4_096, 50_000
_CONSTANT = 1e-10


@dataclass(frozen=True)
class FemReference:
    """u_h, quadratic on each simplex, and with time a polynomial of degree three on each step.

    Attributes:
        degrees: nodes of the mesh of space.
        steps: taken in time, None without it.
        seconds: from the posed problem to u_h, without the coarser solution of the estimate.
        estimate: ‖u_2h − u_h‖/‖u_h‖ at test points, u_2h from half the resolution (and half the steps): above the error
            of u_h where u_h converges; NaN where it was not asked for.
        domain: Ω, or Ω × (t₀, T).
        finder: the mesh.
        U: nodal values, (1, n), or at the start and all stages (3·steps + 1, n).
        times: ends of the steps, None without time.
    """

    degrees: int
    steps: int | None
    seconds: float
    estimate: float
    domain: Domain
    finder: Finder
    U: Array
    times: Array | None

    @overload
    def u(self, x: Tensor) -> Tensor: ...
    @overload
    def u(self, x: Array) -> Array: ...
    def u(self, x: Tensor | Array) -> Tensor | Array:
        """u_h at (n, d) points of the closed domain, (n,), a tensor for a tensor.

        Raises:
            ValueError: a wrong shape, or a point outside.
        """
        points = np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.domain.dim:
            raise ValueError(f"points of {self.domain}: got shape {points.shape}, expected (n, {self.domain.dim})")
        values = np.concatenate(
            [np.zeros(0), *(self._values(points[k : k + _CHUNK]) for k in range(0, len(points), _CHUNK))]
        )
        return torch.from_numpy(values).to(x) if isinstance(x, Tensor) else values

    def difference(self, u: Callable[[Tensor], Tensor], points: Tensor | None = None) -> float:
        """‖u − u_h‖/‖u_h‖ over points; None takes 4,096 test points of the domain."""
        x = self.domain.test_points(_TEST_POINTS) if points is None else points
        own = self.u(x).double()
        gap = u(x).detach().to(own) - own
        return float(gap.norm() / own.norm().clamp_min(torch.finfo(torch.float64).tiny))

    def __str__(self) -> str:
        steps = "" if self.steps is None else f", {self.steps:,} steps in time"
        half = "" if math.isnan(self.estimate) else f", half the resolution differs by {self.estimate:.1e}"
        return f"quadratic finite elements, {self.degrees:,} nodes{steps}, {self.seconds:.1f} s{half}"

    def _values(self, x: Array) -> Array:
        if self.times is None:
            return self.finder.places(x).of(self.U[0])
        places = self.finder.places(x[:, :-1])
        step = np.clip(np.searchsorted(self.times, x[:, -1], side="right") - 1, 0, len(self.times) - 2)
        theta = (x[:, -1] - self.times[step]) / (self.times[step + 1] - self.times[step])
        if np.any((theta < -1e-6) | (theta > 1 + 1e-6)):
            raise ValueError(
                f"fem reference: got a time outside [{self.times[0]:g}, {self.times[-1]:g}], expected one within"
            )
        weights = combine(theta)
        total = np.zeros(len(x))
        for k in range(4):
            total += weights[k] * (self.U[3 * step + k, places.nodes] * places.values).sum(0)
        return total


@checked
def fem_reference(
    problem: Problem, degrees: int | None = None, *, steps: int | None = None, estimate: bool = True
) -> FemReference:
    """u_h of a posed problem by quadratic finite elements on simplices, and in time by Radau collocation of order five.

    Supported are boxes of one to three space coordinates and polygons, each possibly over time, with Dirichlet, Neumann
    and Robin pieces, one equation, and a value (and velocity) at the start; A may be any function with a derivative.
    There is no stabilisation: where convection rules on a mesh that is too coarse for its layers, u_h oscillates, and
    the estimate says so. The order three falls towards two where Neumann or Robin pieces meet at a corner and Aν is far
    from ν.

    Args:
        problem: with its conditions (`problem.posed`) and domain.
        degrees: nodes of the mesh of space, about; None: 4,000, 40,000, 20,000 in one, two, three coordinates, and with
            time 2,000, 10,000, 8,000.
        steps: in time; None: the nodes per axis to the power ¾, at least 16. There are more where start and boundary do
            not agree.
        estimate: whether to solve once more at half the resolution.

    Raises:
        ValueError: a problem that is not supported; the message says what is.
        ModuleNotFoundError: scikit-fem is not installed.

    Examples:
        >>> from pinn_ntk import box, dirichlet, fem_reference, laplacian, pose
        >>> problem = pose(-laplacian(2), box([0, 0], [1, 1]), exact="x*y")  # quadratic, so elements are exact
        >>> reference = fem_reference(problem, degrees=100)
        >>> reference.estimate < 1e-10
        True
    """
    task = _task(problem)
    d, timed = task.space.dim, task.span is not None
    n = (DEGREES_IN_TIME if timed else DEGREES)[d] if degrees is None else count("degrees", degrees, 3**d, MOST)
    k = None if not timed else max(16, round(n ** (0.75 / d))) if steps is None else count("steps", steps, 2)
    began = time.perf_counter()
    coarse_mesh, mesh = meshes_of(task, n)
    fine = _solved(task, mesh, k)
    found = replace(fine, seconds=time.perf_counter() - began)
    if not estimate:
        return found
    coarse = _solved(task, coarse_mesh, None if k is None else max(1, k // 2))
    return replace(found, estimate=found.difference(coarse.u))


def check_fem_reference(problem: Problem) -> None:
    """Refuse what `fem_reference` would, by a mesh of a few nodes and nothing solved on it.

    Raises:
        ValueError: as in `fem_reference`.
        ModuleNotFoundError: scikit-fem is not installed.
    """
    task = _task(problem)
    space = Space(task, meshes_of(task, 8**task.space.dim)[0])
    if task.span is None:
        _check_determined(space)
    else:
        check_start(task)


def _task(problem: Problem) -> Task:
    if importlib.util.find_spec("skfem") is None:
        raise ModuleNotFoundError(
            "fem reference: needs scikit-fem, which is not installed: pip install 'pinn_ntk[fem]'"
        )
    return read_task(problem)


def _solved(task: Task, mesh: Any, steps: int | None) -> FemReference:
    """The solution on that mesh."""
    space = Space(task, mesh)
    path = None if steps is None else evolve(space, steps)
    U, times = (_stationary(space)[None], None) if path is None else (path.U, path.times)
    taken = None if times is None else len(times) - 1
    return FemReference(U.shape[1], taken, 0.0, math.nan, task.domain, Finder(space.basis), U, times)


def _stationary(space: Space) -> Array:
    """KU = r on the free nodes.

    Raises:
        ValueError: conditions that leave a constant free.
    """
    _check_determined(space)
    K, u = space.system(0.0).K, np.zeros(len(space.nodes))
    u[space.fixed] = space.boundary(0.0)
    right = (space.load(0.0) - K @ u)[space.free]
    u[space.free] = factorised(K[np.ix_(space.free, space.free)])(right)
    return u


def _check_determined(space: Space) -> None:
    """Whether a constant does not solve the equation without a right side."""
    K = space.system(0.0).K
    if not len(space.fixed) and float(np.abs(K @ np.ones(K.shape[1])).max()) <= _CONSTANT * float(abs(K).max()):
        raise ValueError(
            "fem reference: got conditions on ∂u/∂ν alone, which determine u up to a constant; expected u or "
            "αu + β∂u/∂ν on some piece"
        )
