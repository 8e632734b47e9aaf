"""Data that contradict the equation: with ∂u/∂ν = g on all of ∂Ω, ∫_Ω aΔu = a∫_∂Ω g,
so that a∫g ≠ ∫f has no solution.
"""

import torch

from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.residual import drawn
from pinn_ntk.solving.task import Task

_POINTS, _SEED = 2**15, 860_011
_GAP = 1e-2  # of ∫|f| + a∫|g|: well above what the sampled integrals are off by


def contradiction(task: Task) -> str:
    """In words, how source and fluxes contradict one another; empty where they do not,
    or where the rule does not apply.

    Args:
        task: a problem that knows u up to a constant.
    """
    conditions = task.problem.posed
    inner = [c for c in conditions if c.kind == "interior"]
    walls = [c for c in conditions if c.kind == "neumann"]
    if (
        not task.floating
        or task.time
        or len(inner) != 1
        or len(inner) + len(walls) != len(conditions)
        or not inner[0].operator.constant
    ):
        return ""
    rows = inner[0].operator.rows(task.reference[:1])
    A, d = rows.second_order()[0], task.dim
    factor = float(A[0, 0])
    if rows.b is not None or not torch.allclose(A, factor * torch.eye(d, dtype=A.dtype, device=A.device)):
        return ""
    source, flux = _integral(inner[0], task), [_integral(wall, task) for wall in walls]
    left, right = source[0], factor * sum(value for value, _ in flux)
    if abs(left - right) <= _GAP * (source[1] + abs(factor) * sum(size for _, size in flux)):
        return ""
    return (
        f"got ∫f = {left:.4g} in Ω and {right:.4g} as the flux of the Neumann data through ∂Ω; they have to be "
        "equal, or no u exists: "
        "change the source or the data by a constant, or give u on a part of the boundary"
    )


def _integral(condition: Condition, task: Task) -> tuple[float, float]:
    """(∫f, ∫|f|) over the region."""
    values = drawn(condition, _POINTS, task.seed + _SEED).target
    return float(values.mean()) * condition.region.measure, float(values.abs().mean()) * condition.region.measure
