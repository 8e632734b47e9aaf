"""The floor of the step: σ alone for all rows and neurons, twice, by the same compiler with the same instructions,
nothing stored.
"""

import torch
from timing import arguments, data, median_ms, report

import pinn_ntk  # before torch: it sets how threads wait
from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.networks import written_out

args = arguments()
dtype, tanh = getattr(torch, args.dtype), ACTIVATIONS["tanh"].lean
assert tanh is not None
x, w, _, _ = (torch.from_numpy(v).to(dtype) for v in data(args.n, args.N, args.d))
columns = w.mT.contiguous()


@torch.compile(dynamic=True)
def by_rows(points: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """Σ_k σ(w_k·x_i)."""
    return tanh(written_out(points, inner.mT), 0)[0].sum(-1)


@torch.compile(dynamic=True)
def by_neurons(points: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """Σ_i σ(w_k·x_i)."""
    return tanh(written_out(points, inner.mT), 0)[0].sum(-2)


report(
    median_ms(lambda: (by_rows(x, columns), by_neurons(x, columns)), args.seconds),
    float("nan"),
    f"pinn_ntk {pinn_ntk.__version__}",
)
