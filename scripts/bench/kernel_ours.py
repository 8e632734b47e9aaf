"""The dense kernel K̂ of Δu + b·∇u + u by pinn_ntk, the form chosen by itself."""

import torch
from timing import arguments, data, median_ms, report

import pinn_ntk  # before torch: it sets how threads wait

args = arguments()

from pinn_ntk import parallel  # noqa: E402
from pinn_ntk.kernels import closed_form_kernel  # noqa: E402
from pinn_ntk.networks import TwoLayer, Weights  # noqa: E402
from pinn_ntk.operators import SecondOrderOperator  # noqa: E402
from pinn_ntk.problem import Block, Problem  # noqa: E402

dtype = getattr(torch, args.dtype)
x, w, _, a = (torch.from_numpy(v).to(dtype) for v in data(args.n, args.N, args.d))
operator = SecondOrderOperator(args.d, A=1.0, b=[1.0] * args.d, c=1.0)
problem = Problem((Block(operator, x, torch.ones(args.n, dtype=dtype)),))
network = TwoLayer(args.d, args.N, "tanh", bias=False).to(dtype)
network = network.with_weights(Weights(a, w, torch.zeros_like(a), torch.zeros_like(w), a.new_zeros(0)))
with parallel.joined():
    kernel = closed_form_kernel(network, problem)
    check = float(kernel.total.norm()) * kernel.scale
    seconds = args.seconds if parallel.size() == 1 else 0.0  # several processes make the same number of calls
    taken = median_ms(lambda: closed_form_kernel(network, problem), seconds, least=5)
if parallel.first():
    report(taken, check, f"pinn_ntk {pinn_ntk.__version__}")
