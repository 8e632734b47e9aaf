"""Derivatives of torch functions of points, one value per point, by reverse mode: ∇f(x_i)
is the gradient of Σ_k f(x_k).

Under a transform of `torch.func` they are its own; elsewhere plain autograd gives the same without torch's compiler,
which the first use of `torch.func` imports.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def gradient(f: Function, x: Tensor) -> Tensor:
    """∇f at x, (n, d)."""
    return value_and_gradient(f, x)[1]


def value_and_gradient(f: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    """(f (n,), ∇f (n, d)), differentiable in whatever f depends on where gradients are enabled.

    Raises:
        ValueError: not one value per point.
    """
    if transformed():
        slope, value = torch.func.grad(lambda p: _summed(f, p), has_aux=True)(x)
        return value, slope
    kept = _kept(f, x)
    value, slope, _ = _recorded(f, x, create=kept)
    return (value, slope) if kept else (value.detach(), slope.detach())


def twice(f: Function, x: Tensor) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]:
    """(f (n,), ∇f (n, d), v ↦ (∇²f)v for v (n, d)): one pull through ∇f for each v.

    Raises:
        ValueError: not one value per point.
    """
    if transformed():
        both = torch.func.grad(lambda p: _summed(f, p), has_aux=True)
        slope, pull, value = torch.func.vjp(both, x, has_aux=True)  # type: ignore[misc]
        return value, slope, lambda v: pull(v)[0]
    kept = _kept(f, x)
    value, slope, points = _recorded(f, x, create=True)

    def pulled(v: Tensor) -> Tensor:
        if not slope.requires_grad:
            return torch.zeros_like(points)
        with torch.enable_grad():
            found = torch.autograd.grad(
                slope, points, v, retain_graph=True, create_graph=kept, allow_unused=True, materialize_grads=True
            )
        return found[0]

    return (value, slope, pulled) if kept else (value.detach(), slope.detach(), pulled)


def _kept(f: Function, x: Tensor) -> bool:
    """Whether a caller may differentiate in something else than x: then, and only then, results stay in the graph."""
    return torch.is_grad_enabled() and (x.requires_grad or bool(f(x).requires_grad))


def _recorded(f: Function, x: Tensor, create: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(values, ∇f, the points that it is taken in)."""
    with torch.enable_grad():
        points = x if x.requires_grad else x.detach().requires_grad_()
        total, value = _summed(f, points)
        if not total.requires_grad:
            return value, torch.zeros_like(x), points
        (slope,) = torch.autograd.grad(total, points, create_graph=create, allow_unused=True, materialize_grads=True)
    return value, slope, points


def one_each(f: Function, x: Tensor) -> Tensor:
    """f(x), (n,).

    Raises:
        ValueError: not one value per point.
    """
    values = f(x)
    if values.shape != x.shape[:1]:
        raise ValueError(
            f"u: got values of shape {tuple(values.shape)} for {x.shape[0]} points, expected ({x.shape[0]},)"
        )
    return values


def _summed(f: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    values = one_each(f, x)
    return values.sum(), values


def transformed() -> bool:
    """Whether a transform of `torch.func` is running."""
    return torch._C._functorch.maybe_current_level() is not None
