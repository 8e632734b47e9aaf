"""The same kernel by torch.func: vmap of the gradient of 𝓛h, contracted."""

import torch
from timing import arguments, data, median_ms, report
from torch.func import grad, hessian, vmap

args = arguments()
dtype = getattr(torch, args.dtype)
x, w, _, a = (torch.from_numpy(v).to(dtype) for v in data(args.n, args.N, args.d))


def u(theta, point):
    """h at one point."""
    return theta[0] @ torch.tanh(theta[1] @ point)


def operator(theta, point):
    """Δu + b·∇u + u at one point, b = (1, …, 1)."""
    return hessian(u, 1)(theta, point).trace() + grad(u, 1)(theta, point).sum() + u(theta, point)


def kernel():
    """JJᵀ."""
    J = vmap(grad(operator), (None, 0), chunk_size=64 if args.d > 10 else 512)((a, w), x)
    return sum(j.reshape(args.n, -1) @ j.reshape(args.n, -1).T for j in J)


report(median_ms(kernel, args.seconds), float(kernel().norm()), f"torch.func {torch.__version__}")
