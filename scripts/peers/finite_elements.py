"""scikit-fem on A1, A6 and A8: error against seconds over refinements.

Run by peers.py in the peers' environment: `finite_elements.py SECONDS CASE …`. Seconds are those of mesh, assembly and
solve.
"""

import sys
import time

import numpy as np
from cases import CASES, CENTRES, RADIUS, Case, measured_at, relative, row
from skfem import Basis, BilinearForm, ElementTriP2, ElementTriP4, LinearForm, MeshTri, MeshTri2, condense, solve

ELEMENTS = {"scikit-fem P2": ElementTriP2, "scikit-fem P4": ElementTriP4}
CELLS = (4, 8, 16, 32, 64, 128, 256, 512)
MOST = 300_000  # nodes: factors of more do not fit a small machine


def square(case: Case, n: int) -> MeshTri:
    """n × n squares, halved."""
    side = np.linspace(case.low, case.high, n + 1)
    return MeshTri.init_tensor(side, side)


def perforated(n: int) -> MeshTri2:
    """Four squares, each with rings from its hole to its sides, 4n points around and n out;
    edges on the holes are arcs.
    """
    points, triangles, total = [], [], 0
    for centre in CENTRES:
        ring = perimeter(n) * 0.25 + np.sign(centre) * 0.25
        angle = np.arctan2(ring[:, 1] - centre[1], ring[:, 0] - centre[0])
        hole = np.array(centre) + RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])
        share = np.linspace(0, 1, n + 1)[:, None, None]
        points.append(((1 - share) * hole + share * ring).reshape(-1, 2))
        k, m = (v.ravel() for v in np.meshgrid(np.arange(n), np.arange(4 * n), indexing="ij"))
        a, b, c, d = (total + i * 4 * n + j % (4 * n) for i, j in ((k, m), (k, m + 1), (k + 1, m), (k + 1, m + 1)))
        triangles += [np.stack([a, b, d]), np.stack([a, d, c])]
        total += points[-1].shape[0]
    every = np.concatenate(points)
    _, first, number = np.unique(np.round(every, 10) + 0.0, axis=0, return_index=True, return_inverse=True)
    return curved(MeshTri(every[first].T.copy(), number.ravel()[np.concatenate(triangles, 1)]))


def perimeter(n: int) -> np.ndarray:
    """4n points around [−1, 1]², corners among them."""
    s = np.linspace(-1, 1, n, endpoint=False)
    one = np.ones_like(s)
    return np.concatenate([np.column_stack(side) for side in ((s, -one), (one, s), (-s, one), (-one, -s))])


def curved(mesh: MeshTri) -> MeshTri2:
    """The same triangles with the middles of the edges on the holes moved onto them."""
    basis = Basis(mesh, ElementTriP2())
    places = basis.doflocs.copy()
    own = basis.get_dofs(on_holes(mesh)).all()
    for centre in CENTRES:
        away = places[:, own] - np.array(centre)[:, None]
        r = np.linalg.norm(away, axis=0)
        near = r < 1.5 * RADIUS
        places[:, own[near]] = np.array(centre)[:, None] + RADIUS * away[:, near] / r[near]
    return MeshTri2(places, MeshTri2.from_mesh(mesh).t)


def on_holes(mesh) -> np.ndarray:
    """The boundary facets that are not on the square."""
    facets = mesh.boundary_facets()
    middle = mesh.p[:, mesh.facets[:, facets]].mean(1)
    return facets[np.abs(middle).max(0) < 0.5 - 1e-9]


def weak(case: Case):
    """∫ A∇u·∇v + (div A)·∇u v = −∫ f v; A8's div A is (x, y) + (0.3π cos πy, 0)."""

    def left(u, v, w):
        a, b, d = case.matrix(w.x)
        (ux, uy), (vx, vy) = u.grad, v.grad
        flux = (a * ux + b * uy) * vx + (b * ux + d * uy) * vy
        return (
            flux
            if case.name != "A8"
            else flux + ((w.x[0] + 0.3 * np.pi * np.cos(np.pi * w.x[1])) * ux + w.x[1] * uy) * v
        )

    return BilinearForm(left), LinearForm(lambda v, w: -case.source(w.x) * v)


def solved(case: Case, n: int, element) -> tuple[Basis, np.ndarray]:
    """The nodal values."""
    mesh = perforated(n) if case.name == "A6" else square(case, n)
    basis = Basis(mesh, element(), intorder=2 * element.maxdeg + (0 if case.name == "A1" else 1))
    left, right = weak(case)
    u = np.zeros(basis.N)
    if case.exact is None:
        outer = np.setdiff1d(mesh.boundary_facets(), on_holes(mesh))
        u[basis.get_dofs(outer).all()] = 1.0
    else:
        fixed = basis.get_dofs().all()
        u[fixed] = case.exact(basis.doflocs[:, fixed])
    return basis, solve(*condense(left.assemble(basis), right.assemble(basis), x=u, D=basis.get_dofs()))


def values(basis: Basis, u: np.ndarray, x: np.ndarray) -> np.ndarray:
    """u at points: the elements with the nearest centres are tried,
    and the one kept in which the point lies deepest.
    """
    from scipy.spatial import cKDTree

    mesh = basis.mesh
    _, near = cKDTree(mesh.p[:, mesh.t[:3]].mean(1).T).query(x.T, min(12, mesh.nelements))
    deepest, found = np.full(x.shape[1], -np.inf), np.zeros(x.shape[1])
    for element in near.T:
        local = local_coordinates(basis, x, element)
        depth = np.minimum(local.min(0), 1 - local.sum(0))
        value = np.zeros(x.shape[1])
        for i in range(basis.Nbfun):
            shape = basis.elem.gbasis(basis.mapping, local[:, :, None], i, tind=element)[0]
            value += np.asarray(shape)[:, 0] * u[basis.element_dofs[i, element]]
        better = depth > deepest
        deepest[better], found[better] = depth[better], value[better]
    if deepest.min() < -1e-3:
        raise ValueError(f"a point lies {-deepest.min():.1e} outside the mesh")
    return found


def local_coordinates(basis: Basis, x: np.ndarray, element: np.ndarray) -> np.ndarray:
    """Where points lie in the reference triangle of elements, by Newton's iteration for curved ones."""
    local = np.full_like(x, 1 / 3)
    for _ in range(30):
        X = local[:, :, None]
        gap = x - basis.mapping.F(X, tind=element)[:, :, 0]
        step = np.einsum("ijm,jm->im", basis.mapping.invDF(X, tind=element)[..., 0], gap)
        local = local + step
        if np.abs(step).max() < 1e-14:
            break
        local = np.clip(local, -2, 3)
    return local


def main(seconds: float, names: list[str]) -> None:
    for name in names:
        case = CASES[name]
        x, exact = measured_at(case)
        for solver, element in ELEMENTS.items():
            if name == "A6" and element is not ElementTriP2:
                continue  # its curved edges are quadratic
            solved(case, CELLS[0], element)  # what is loaded at the first call is no part of it
            for n in CELLS:
                began = time.perf_counter()
                basis, u = solved(case, n, element)
                taken = time.perf_counter() - began
                row(case, solver, taken, relative(values(basis, u, x), exact), basis.N)
                if taken > seconds or 4 * basis.N > MOST:
                    break


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
