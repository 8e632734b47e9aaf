"""Values of quadratic elements at any points: the simplex that holds a point is found by barycentric coordinates."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pinn_ntk.reference.task import Array

_CHUNK = 20_000
_SLACK = 1e-9  # by which the smallest barycentric coordinate may be negative


@dataclass(frozen=True)
class Places:
    """u(x_i) = Σ_k values[k, i] U[nodes[k, i]]."""

    nodes: Array
    values: Array

    def of(self, U: Array) -> Array:
        """The values (…, m) of nodal values (…, n)."""
        return np.asarray((U[..., self.nodes] * self.values).sum(-2))


class Finder:
    """Which simplex holds a point: the nearest centres are tried first, then more of them, then all."""

    def __init__(self, basis: Any) -> None:
        from scipy.spatial import cKDTree

        self.basis = basis
        corners = basis.mesh.p[:, basis.mesh.t]
        self._tree = cKDTree(corners.mean(1).T)
        self._origin = corners[:, 0].T
        edges = np.moveaxis(corners[:, 1:] - corners[:, :1], -1, 0)
        self._inverse = np.linalg.inv(edges)

    def places(self, x: Array) -> Places:
        """Where (m, d) points lie.

        Raises:
            ValueError: a point outside the mesh.
        """
        parts = [self._some(x[k : k + _CHUNK]) for k in range(0, len(x), _CHUNK)]
        return Places(np.concatenate([p.nodes for p in parts], 1), np.concatenate([p.values for p in parts], 1))

    def _some(self, x: Array) -> Places:
        element, local = np.zeros(len(x), dtype=np.int64), np.zeros_like(x)
        left, total = np.arange(len(x)), len(self._origin)
        for k in (6, 40, 250, total):
            tried = min(k, total)
            _, near = self._tree.query(x[left], tried)
            near = np.reshape(near, (len(left), tried))
            coordinates = np.einsum("mkij,mkj->mki", self._inverse[near], x[left][:, None] - self._origin[near])
            least = np.minimum(coordinates.min(-1), 1.0 - coordinates.sum(-1))
            best, rows = least.argmax(1), np.arange(len(left))
            element[left], local[left] = near[rows, best], coordinates[rows, best]
            left = left[least[rows, best] < -_SLACK]
            if not len(left) or tried == total:
                break
        if len(left):
            raise ValueError(
                f"fem reference: got the point {x[left[0]].tolist()}, expected points of the closed domain"
            )
        element_type = self.basis.elem
        shapes = [element_type.lbasis(local.T, i)[0] for i in range(self.basis.Nbfun)]
        return Places(self.basis.element_dofs[:, element], np.array([np.broadcast_to(s, len(x)) for s in shapes]))
