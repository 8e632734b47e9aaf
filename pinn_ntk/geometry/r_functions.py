"""R-functions: smooth formulas whose sign is that of a logical one.

References:
    V. L. Rvachev, Theory of R-functions and some applications (1982); V. Shapiro, Semi-analytic geometry with
    R-functions (2007).
"""

import torch
from torch import Tensor


def conjunction(a: Tensor, b: Tensor) -> Tensor:
    """a ∧ b = a + b − (a² + b²)^½, positive exactly where both are.

    Where one vanishes and the other is positive it is the former to first order. Not differentiable where both vanish;
    what autograd gives there is finite all the same.
    """
    return a + b - _root(a, b)


def disjunction(a: Tensor, b: Tensor) -> Tensor:
    """a ∨ b = a + b + (a² + b²)^½, positive exactly where one of them is."""
    return a + b + _root(a, b)


def _root(a: Tensor, b: Tensor) -> Tensor:
    return (a * a + b * b + 2.0**20 * torch.finfo(a.dtype).tiny).sqrt()
