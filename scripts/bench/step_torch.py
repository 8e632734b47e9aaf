"""The same step by torch.func: vmap of the Hessian of h, its gradient by autograd."""

import torch
from timing import arguments, data, median_ms, report
from torch.func import grad_and_value, hessian, vmap

args = arguments()
dtype = getattr(torch, args.dtype)
x, w, bias, a = (torch.from_numpy(v).to(dtype) for v in data(args.n, args.N, args.d))


def u(theta, point):
    """h at one point."""
    own, inner, shift = theta
    return own @ torch.tanh(inner @ point + shift)


def operator(theta, point):
    """Δu + u at one point."""
    return hessian(u, 1)(theta, point).trace() + u(theta, point)


def loss(theta):
    """R_S."""
    e = vmap(lambda p: operator(theta, p), chunk_size=512)(x) - 1.0
    return e @ e / (2 * args.n)


theta = [(a, w, bias)]
losses: list[float] = []


def step() -> None:
    """θ ← θ − τ∇R_S."""
    slope, value = grad_and_value(loss)(theta[0])
    losses.append(float(value))
    theta[0] = tuple((p - 1e-6 * g).detach() for p, g in zip(theta[0], slope, strict=True))


report(median_ms(step, args.seconds), losses[0], f"torch.func {torch.__version__}")
