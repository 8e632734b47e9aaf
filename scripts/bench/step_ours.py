"""One full-batch step of gradient descent on R_S for Δu + u by pinn_ntk: loss, gradient, update. `compile` as argument:
auto or never.
"""

import sys

import torch
from timing import arguments, data, median_ms, report

import pinn_ntk  # before torch: it sets how threads wait

compile_ = sys.argv.pop(1)
args = arguments()

from pinn_ntk.networks import TwoLayer, Weights, accelerated, compiling, residual_and_gradient  # noqa: E402
from pinn_ntk.operators import SecondOrderOperator  # noqa: E402
from pinn_ntk.problem import Block, Problem  # noqa: E402

dtype = getattr(torch, args.dtype)
x, w, bias, a = (torch.from_numpy(v).to(dtype) for v in data(args.n, args.N, args.d))
problem = Problem((Block(SecondOrderOperator(args.d, A=1.0, c=1.0), x, torch.ones(args.n, dtype=dtype)),))
network = TwoLayer(args.d, args.N, "tanh").to(dtype)
w0 = torch.cat([w, bias[:, None]], 1)
state = [Weights(a, w0, torch.zeros_like(a), torch.zeros_like(w0), a.new_zeros(0))]
losses: list[float] = []
with compiling("always" if compile_ == "auto" else compile_):
    system = accelerated(problem.system(network), network, 1)

    def step() -> None:
        """θ ← θ − τ∇R_S."""
        e, gradient = residual_and_gradient(system, state[0])
        losses.append(float(e @ e) / (2 * args.n))
        state[0] = state[0].moved(*(-1e-6 * g for g in gradient))

    report(median_ms(step, args.seconds), losses[0], f"pinn_ntk {pinn_ntk.__version__}, torch {torch.__version__}")
