"""The same step by DeepXDE on its PyTorch backend: an FNN with one hidden layer, the weights set to ours,
optimizer sgd.
"""

import os
import time

os.environ["DDE_BACKEND"] = "pytorch"
import contextlib
import io

import torch
from timing import arguments, data, report

args = arguments()
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    import deepxde as dde

    dde.config.set_default_float(args.dtype)
    dtype = getattr(torch, args.dtype)
    x, w, bias, a = data(args.n, args.N, args.d)

    def pde(points, value):
        """Δu + u − 1."""
        return sum(dde.grad.hessian(value, points, i=j, j=j) for j in range(args.d)) + value - 1.0

    domain = dde.geometry.Hypercube([0.0] * args.d, [1.0] * args.d)
    rows = dde.data.PDE(domain, pde, [], num_domain=1, anchors=x[: args.n - 1])
    net = dde.nn.FNN([args.d, args.N, 1], "tanh", "Glorot normal")
    model = dde.Model(rows, net)
    model.compile("sgd", lr=1e-6)
    with torch.no_grad():
        net.linears[0].weight.copy_(torch.from_numpy(w).to(dtype))
        net.linears[0].bias.copy_(torch.from_numpy(bias).to(dtype))
        net.linears[1].weight.copy_(torch.from_numpy(a)[None].to(dtype))
        net.linears[1].bias.zero_()
    model.train(iterations=2, display_every=1000)
    each, total, count = [], 0.0, 10
    while total < args.seconds:
        begin = time.perf_counter()
        model.train(iterations=count, display_every=10**9)
        taken = time.perf_counter() - begin
        each.append(1e3 * taken / count)
        total += taken
each.sort()
report(each[len(each) // 2], float("nan"), f"DeepXDE {dde.__version__}, torch {torch.__version__}")
