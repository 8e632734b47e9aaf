"""M_a U'' + M_b U' + K U = r in time by Radau IIA collocation with three stages: order five,
damping what is not resolved.

On a step of length τ, U is the polynomial of degree three through U_n and the stages U_i at t_n + c_iτ. With D = 𝒜⁻¹/τ
its derivatives at the stages are V = D(U − U_n) and V' = D(V − V_n); the equation holds at the stages, the last of
which is the step's end. D = TΛT⁻¹ makes one real and one complex system of the three.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pinn_ntk.problem.posed import Condition
from pinn_ntk.reference.coefficients import coefficients_at, second_in_time
from pinn_ntk.reference.linear import factorised
from pinn_ntk.reference.space import Space, System
from pinn_ntk.reference.task import Array, Task

NODES = np.array([(4.0 - np.sqrt(6.0)) / 10.0, (4.0 + np.sqrt(6.0)) / 10.0, 1.0])
_POWERS = np.arange(3)
_INVERSE = np.linalg.inv(NODES[:, None] ** (_POWERS + 1) / (_POWERS + 1) @ np.linalg.inv(NODES[:, None] ** _POWERS))
_TOLERANCE, _MOST, _OLD = (
    1e-12,
    60,
    8,
)  # of GMRES: relative residual, iterations, and those from which factors are renewed
_FIRST = 8  # halvings of the first step where start and boundary do not agree
_AGREE = 1e-6
_SAME = 1e-9  # by which lengths of equal steps may differ in rounding


@dataclass(frozen=True)
class Path:
    """U at the start and at all stages, (3k + 1, n), and the ends of the k steps."""

    U: Array
    times: Array


def evolve(space: Space, steps: int) -> Path:
    """The solution from the start to the end in so many steps, with shorter ones at first where start and boundary do
    not agree.
    """
    task = space.task
    span, initial = check_start(task)
    every = np.arange(len(space.nodes))
    u = space.nodal(initial, every, task.start)
    v = np.zeros_like(u) if task.velocity is None else space.nodal(task.velocity, every, task.start)
    boundary = space.boundary(task.start)
    agree = bool(np.all(np.abs(boundary - u[space.fixed]) <= _AGREE * (np.abs(u).max() + 1e-300)))
    u[space.fixed] = boundary
    times = _times(span, steps, agree)
    stepper, stages = _Stepper(space), [u]
    for start, end in zip(times[:-1], times[1:], strict=True):
        U, v = stepper.step(float(start), float(end - start), stages[-1], v)
        stages += list(U)
    return Path(np.array(stages), times)


def check_start(task: Task) -> tuple[tuple[float, float], Condition]:
    """(t₀, T) and the value at the start.

    Raises:
        ValueError: none is given, or no velocity in an equation of second order in time.
    """
    if task.span is None or task.initial is None:
        raise ValueError(
            "fem reference: got an evolution problem without its value at the start, expected `initial` in the problem"
        )
    inside = np.array([0.5 * (lo + hi) for lo, hi in zip(task.space.low, task.space.high, strict=True)])[None]
    if task.velocity is None and second_in_time(coefficients_at(task, inside, task.start)):
        raise ValueError(
            "fem reference: got an equation with u_tt and no velocity at the start, expected `velocity` in the problem"
        )
    return task.span, task.initial


def _times(span: tuple[float, float], steps: int, agree: bool) -> Array:
    """The ends of the steps: equal ones, or at least √steps in each of (T/2, T), (T/4, T/2),
    … where u has a layer at the start.
    """
    if agree:
        return np.linspace(*span, steps + 1)
    depth, least = _FIRST + math.ceil(math.log2(steps)), math.ceil(math.sqrt(steps))
    ends = np.concatenate([[0.0], 0.5 ** np.arange(depth, -1, -1)])
    pairs = list(zip(ends[:-1], ends[1:], strict=True))
    parts = [np.linspace(lo, hi, max(least, math.ceil(steps * (hi - lo))), endpoint=False) for lo, hi in pairs]
    return span[0] + (span[1] - span[0]) * np.concatenate([*parts, [1.0]])


class _Stepper:
    """Steps that keep the factors of their matrices while these do not change."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._inner = np.ix_(space.free, space.free)
        self._length = 0.0
        self._system: System | None = None
        self._worn = False
        self._precondition: Callable[[Array], Array] = lambda r: r

    def step(self, t: float, length: float, u: Array, v: Array) -> tuple[Array, Array]:
        """The stages (3, n) of u, and u_t at the end of the step."""
        space, D = self.space, _INVERSE / length
        times = t + length * NODES
        systems = [space.system(float(at)) for at in times]
        r = np.array([space.load(float(at)) for at in times])
        U = np.repeat(u[None], 3, 0)
        U[:, space.fixed] = [space.boundary(float(at)) for at in times]
        V = D @ (U - u)
        dV = D @ (V - v)
        defect = np.array(
            [r_i - s.M_a @ a - s.M_b @ b - s.K @ c for r_i, s, a, b, c in zip(r, systems, dV, V, U, strict=True)]
        )
        U[:, space.free] += self._solve(systems, D, length, defect[:, space.free])
        return U, (D @ (U - u))[-1]

    def _solve(self, systems: list[System], D: Array, length: float, defect: Array) -> Array:
        """(D²⊗M_a + D⊗M_b + I⊗K) δ = defect on the free nodes."""
        constant = all(system is systems[0] for system in systems)
        new = abs(length - self._length) > _SAME * length or self._system is None
        if new or (constant and systems[0] is not self._system) or (not constant and self._worn):
            self._length, self._system = length, systems[1]
            self._precondition = self._factors(systems[1], D)
        if constant:
            return self._precondition(defect.ravel()).reshape(3, -1)
        return self._iterate(systems, D, defect)

    def _iterate(self, systems: list[System], D: Array, defect: Array) -> Array:
        """By GMRES, with the factors of matrices that were frozen in time."""
        from scipy.sparse.linalg import LinearOperator, gmres

        cut = [(s.M_a[self._inner], s.M_b[self._inner], s.K[self._inner]) for s in systems]

        def apply(flat: Array) -> Array:
            z = flat.reshape(3, -1)
            first = D @ z
            second = D @ first
            return np.array(
                [M_a @ a + M_b @ b + K @ c for (M_a, M_b, K), a, b, c in zip(cut, second, first, z, strict=True)]
            ).ravel()

        count = [0]

        def counted(_: float) -> None:
            count[0] += 1

        size = defect.size
        found, failed = gmres(
            LinearOperator((size, size), matvec=apply),
            defect.ravel(),
            M=LinearOperator((size, size), matvec=self._precondition),
            rtol=_TOLERANCE,
            restart=_MOST,
            maxiter=1,
            callback=counted,
            callback_type="pr_norm",
        )
        left = float(np.linalg.norm(apply(found) - defect.ravel()) / max(float(np.linalg.norm(defect)), 1e-300))
        if failed and not left < 1e-8:
            raise ValueError(
                f"fem reference: a step in time left a residual of {left:.1e}, expected below 1e-8; take more steps"
            )
        self._worn = count[0] > _OLD
        return np.asarray(found).reshape(3, -1)

    def _factors(self, system: System, D: Array) -> Callable[[Array], Array]:
        """The inverse of D²⊗M_a + D⊗M_b + I⊗K by the eigenvectors of D."""
        values, T = np.linalg.eig(D)  # LAPACK: one real, two that are each other's conjugates
        back, real, upper = np.linalg.inv(T), int(np.argmin(np.abs(values.imag))), int(np.argmax(values.imag))
        lower = 3 - real - upper
        M_a, M_b, K = (m[self._inner] for m in (system.M_a, system.M_b, system.K))
        first = float(values[real].real)
        solve_real = factorised(first**2 * M_a + first * M_b + K)
        solve_complex = factorised(values[upper] ** 2 * M_a + values[upper] * M_b + K)

        def solve(flat: Array) -> Array:
            """T (Λ²⊗M_a + Λ⊗M_b + I⊗K)⁻¹ T⁻¹ r."""
            turned = back @ flat.reshape(3, -1)
            out = np.empty_like(turned)
            out[real] = solve_real(turned[real].real)
            out[upper] = solve_complex(turned[upper])
            out[lower] = np.conj(out[upper])
            return np.ascontiguousarray((T @ out).real).ravel()

        return solve


def combine(theta: Array) -> Array:
    """The weights (4, m) of U_n and the three stages in the step's polynomial at t_n + θτ."""
    places, weights = np.concatenate([[0.0], NODES]), []
    for k, own in enumerate(places):
        others = np.delete(places, k)
        weights.append(np.prod([(theta - other) / (own - other) for other in others], axis=0))
    return np.array(weights)
