"""The equation on a mesh of space: M_a U'' + M_b U' + K U = r on free nodes, U given on those of Dirichlet pieces.

𝓛u = f tested with v, ∫ v A:∇²u being integrated by parts:
    ∫ a_tt u_tt v + ∫ b_t u_t v − ∫ A∇u·∇v − ∫ (w·∇u − cu) v + ∫_∂Ω A∇u·ν v = ∫ f v,   w = div A − b.
A condition b_Γ·∇u + c_Γu = f_Γ with b_Γ = βν + τ and Aν = aν + σ, τ and σ tangential, says
    A∇u·ν = (a/β)(f_Γ − c_Γu) + (σ − (a/β)τ)·∇u.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pinn_ntk.geometry.domain import Piece
from pinn_ntk.problem.posed import Condition
from pinn_ntk.reference.coefficients import Coefficients, check_derivative, check_type, coefficients_at
from pinn_ntk.reference.task import Array, Task, target_at, values_at

_ORDER = 6  # of the quadrature: coefficients and sources are no polynomials
_TINY = 1e-12


@dataclass(frozen=True)
class System:
    """The matrices at one time, CSR, on all nodes, and the coefficients that they came from."""

    K: Any
    M_b: Any
    M_a: Any
    inside: Coefficients
    walls: tuple[Array, ...]


@dataclass(frozen=True)
class Wall:
    """A natural condition on its facets: quadrature points (m, d), normals (d, k, q), and the basis there."""

    condition: Condition
    basis: Any
    x: Array
    normal: Array


class Space:
    """Quadratic elements on a mesh, with the conditions of a task on their facets.

    Attributes:
        task: what is solved.
        basis: of skfem.
        nodes: (n, d) places of the unknowns.
        fixed: numbers of the nodes with given values.
        free: of the others.
    """

    def __init__(self, task: Task, mesh: Any) -> None:
        from skfem import Basis, ElementLineP2, ElementTetP2, ElementTriP2

        self.task = task
        self.basis = Basis(mesh, {1: ElementLineP2, 2: ElementTriP2, 3: ElementTetP2}[mesh.dim()](), intorder=_ORDER)
        self.nodes = self.basis.doflocs.T
        self._x = _points(self.basis)
        facets = self._facets()
        self._owners = [(c, self._nodes_on(_joined(facets, c))) for c in task.essential]
        self.fixed = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(own for _, own in self._owners)]))
        self.free = np.setdiff1d(np.arange(len(self.nodes)), self.fixed)
        self._walls = [self._wall(c, _joined(facets, c)) for c in task.natural]
        self._latest: System | None = None
        self._check(facets)

    def boundary(self, t: float) -> Array:
        """The given values at the fixed nodes; where two conditions meet, those of the first."""
        values: Array = np.zeros(len(self.nodes))
        for condition, own in reversed(self._owners):
            values[own] = self.nodal(condition, own, t)
        fixed: Array = values[self.fixed]
        return fixed

    def nodal(self, condition: Condition, own: Array, t: float) -> Array:
        """f_b/c at nodes, of a condition cu = f_b, or f_b/b_t of one b_t u_t = f_b."""
        x = self.task.points(self.nodes[own], t)
        _, b, c = condition.operator.coefficients(x)
        factor = np.asarray(c if condition.order == 0 else b[:, -1])
        if np.any(factor == 0.0):
            raise ValueError(
                f"fem reference: got {condition.name!r} with a factor of u that vanishes, expected none on its piece"
            )
        values: Array = target_at(condition, x) / factor
        return values

    def system(self, t: float) -> System:
        """The matrices at time t; the same object as before where no coefficient has changed."""
        inside, latest = coefficients_at(self.task, self._x, t), self._latest
        walls = tuple(self._wall_terms(wall, t) for wall in self._walls)
        same = latest is not None and inside.equals(latest.inside)
        if (
            latest is not None
            and same
            and all(np.array_equal(a[:-1], b[:-1]) for a, b in zip(walls, latest.walls, strict=True))
        ):
            return latest
        self._latest = self._assembled(inside, walls)
        return self._latest

    def load(self, t: float) -> Array:
        """r_i = ∫ f v_i − Σ ∫_Γ (a/β) f_Γ v_i."""
        from skfem import LinearForm

        form = LinearForm(lambda v, w: w["f"] * v)
        r = form.assemble(self.basis, f=self._shaped(values_at(self.task.source, self.task.points(self._x, t))))
        for wall in self._walls:
            share = self._wall_terms(wall, t)
            r = r - form.assemble(wall.basis, f=share[-1].reshape(wall.normal.shape[1:]))
        return np.asarray(r)

    def _shaped(self, values: Array) -> Array:
        return np.asarray(values.reshape(*values.shape[:-1], *self.basis.dx.shape))

    def _assembled(self, c: Coefficients, walls: tuple[Array, ...]) -> System:
        from skfem import BilinearForm

        d, mass = self.nodes.shape[1], BilinearForm(lambda u, v, w: w["a"] * u * v)

        def elliptic(u: Any, v: Any, w: Any) -> Any:
            flux = [sum(w["A"][i, j] * u.grad[j] for j in range(d)) for i in range(d)]
            return sum(-flux[i] * v.grad[i] - w["w"][i] * u.grad[i] * v for i in range(d)) + w["c"] * u * v

        def wall_form(u: Any, v: Any, w: Any) -> Any:
            return sum(w["q"][j] * u.grad[j] * v for j in range(d)) - w["c"] * u * v

        K = BilinearForm(elliptic).assemble(self.basis, A=self._shaped(c.A), w=self._shaped(c.w), c=self._shaped(c.c))
        for wall, terms in zip(self._walls, walls, strict=True):
            shape = wall.normal.shape
            K = K + BilinearForm(wall_form).assemble(
                wall.basis, q=terms[:d].reshape(shape), c=terms[d].reshape(shape[1:])
            )
        M_b, M_a = (mass.assemble(self.basis, a=self._shaped(a)) for a in (c.b_t, c.a_tt))
        return System(K, M_b, M_a, c, walls)

    def _wall(self, condition: Condition, facets: Array) -> Wall:
        from skfem import FacetBasis

        basis = FacetBasis(self.basis.mesh, self.basis.elem, facets=facets, intorder=_ORDER)
        return Wall(condition, basis, _points(basis), np.asarray(basis.normals))

    def _wall_terms(self, wall: Wall, t: float) -> Array:
        """Rows σ − (a/β)τ (d of them), (a/β)c_Γ and (a/β)f_Γ at the quadrature points of a wall."""
        x, d = self.task.points(wall.x, self.task.within(t)), wall.x.shape[1]
        normal = wall.normal.reshape(d, -1)
        A = np.asarray(self.task.operator.coefficients(x)[0][:, :d, :d].permute(1, 2, 0))
        b, c = (np.asarray(part) for part in wall.condition.operator.coefficients(x)[1:])
        flux = np.einsum("ijm,jm->im", A, normal)
        a, beta = (flux * normal).sum(0), (b[:, :d].T * normal).sum(0)
        if np.any(np.abs(beta) <= _TINY * np.abs(b).max()):
            raise ValueError(
                f"fem reference: got {wall.condition.name!r} with a factor of ∂u/∂ν that vanishes, expected "
                "none on its piece; "
                "write a Dirichlet condition there"
            )
        tangent = flux - a * normal - (a / beta) * (b[:, :d].T - beta * normal)
        return np.vstack([tangent, (a / beta) * c, (a / beta) * target_at(wall.condition, x)])

    def _facets(self) -> dict[str, Array]:
        """The boundary facets of each piece of ∂Ω, those whose middle lies on it."""
        mesh = self.basis.mesh
        facets = mesh.boundary_facets()
        middle = mesh.p[:, mesh.facets[:, facets]].mean(1)
        x = self.task.points(middle.T, self.task.start)
        found = {piece.name: facets[np.asarray(piece.contains(x))] for piece in self.task.walls}
        if sum(map(len, found.values())) != len(facets):
            raise ValueError(
                f"fem reference: the mesh of {self.task.space} does not fit its boundary; expected a domain "
                "above rounding"
            )
        return found

    def _nodes_on(self, facets: Array) -> Array:
        return np.asarray(self.basis.get_dofs(facets).all(), dtype=np.int64)

    def _check(self, facets: dict[str, Array]) -> None:
        """A fits finite elements, and every piece on which A∇u·ν is not zero has a condition."""
        mesh, task = self.basis.mesh, self.task
        check_derivative(task, mesh.p[:, mesh.t[0]].T, mesh.p[:, mesh.t[1]].T)
        check_type(task, coefficients_at(task, self._x, task.start))
        given = {name for c in (*task.essential, *task.natural) for name in c.region.pieces}
        for piece in task.walls:
            if piece.name not in given and self._carries_flux(piece, facets[piece.name]):
                raise ValueError(
                    f"fem reference: got no condition on {piece.name}, expected u, ∂u/∂ν or αu + β∂u/∂ν there: "
                    "A∇u·ν is not zero on it"
                )

    def _carries_flux(self, piece: Piece, facets: Array) -> bool:
        mesh = self.basis.mesh
        x = self.task.points(mesh.p[:, mesh.facets[:, facets]].mean(1).T, self.task.start)
        normal = piece.normal(x)
        A = self.task.operator.coefficients(x)[0]
        across = (normal[:, :, None] * A * normal[:, None, :]).sum((1, 2)).abs().max()
        return bool(across > _TINY * A.abs().max())


def _points(basis: Any) -> Array:
    """The quadrature points, (m, d)."""
    x = np.asarray(basis.global_coordinates())
    return x.reshape(len(x), -1).T.copy()


def _joined(facets: dict[str, Array], condition: Condition) -> Array:
    return np.concatenate([facets[name] for name in condition.region.pieces])
