"""Sparse direct solves Kx = r, with one step of refinement."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pinn_ntk.reference.task import Array

_RESIDUAL = 1e-8  # of the right side: above it the factors without much pivoting are not trusted
_SYMMETRIC = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.01, "options": {"SymmetricMode": True}}
_GENERAL: dict[str, Any] = {}


def factorised(matrix: Any) -> Callable[[Array], Array]:
    """r ↦ K⁻¹r for a sparse K, real or complex.

    The ordering is one for symmetric patterns, with little pivoting; where that leaves a residual, columns are pivoted
    in full.

    Raises:
        ValueError: a singular matrix.
    """
    K = matrix.tocsc()
    probe = K @ np.ones(K.shape[1])
    for options in (_SYMMETRIC, _GENERAL):
        solve = _solver(K, options)
        if solve is not None and np.linalg.norm(K @ solve(probe) - probe) <= _RESIDUAL * np.linalg.norm(probe):
            return solve
    raise ValueError(
        "fem reference: got singular equations on the mesh, expected one solution: conditions that fix it, no resonance"
    )


def _solver(K: Any, options: dict[str, Any]) -> Callable[[Array], Array] | None:
    """Solves by factors; None where a pivot vanishes."""
    from scipy.sparse.linalg import splu

    try:
        factors = splu(K, **options)
    except RuntimeError:
        return None

    def solve(r: Array) -> Array:
        """One step of refinement on the factors' answer."""
        x = factors.solve(r)
        refined: Array = x + factors.solve(r - K @ x)
        return refined

    return solve
