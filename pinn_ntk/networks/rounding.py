"""How far rounding lets R_S = ‖e‖²/(2n) fall: the floor n(c ε max_i t_i)², t_i the size of what e_i sums.

For neurons t_i = s(Σ_k a_k²φ_ik²)^½ + |Sf|_i, row scales in φ and Sf: N terms of random sign lose ε times the root of
the sum of their squares, whatever they cancel to.
"""

from typing import overload

import torch
from torch import Tensor

from pinn_ntk.networks.features import System, features, neuron_chunks
from pinn_ntk.networks.model import Equations, Theta
from pinn_ntk.networks.module_system import ModuleSystem
from pinn_ntk.networks.two_layer import Weights

ROUNDINGS = 10.0
"""c of every floor: of R_S (the tails of 576 runs in both precisions lay below .28 of it), of eigenvalues, and of a
kernel's drift (two ways of summing the same million neurons differ by up to seven).
"""


@overload
def term_sizes(system: System, weights: Weights) -> Tensor: ...
@overload
def term_sizes(system: Equations, weights: Theta) -> Tensor: ...
def term_sizes(system, weights):  # type: ignore[no-untyped-def]
    """t_i = s(Σ_k a_k²φ_ik² + Σ_j β_j²ψ_ij²/s²)^½ + |Sf|_i, (…, n); |S𝓛h|_i + |Sf|_i of a module, whose terms are not
    known.
    """
    if isinstance(system, ModuleSystem):
        with torch.no_grad():
            return (system.residual(weights) + system.target).abs() + system.target.abs()
    members = weights.a0.shape[:-1].numel()
    total = weights.a0.new_zeros((*weights.a0.shape[:-1], system.points))
    for part in neuron_chunks(system.points * members, weights.a0.shape[-1]):
        a = weights.a0[..., part] + weights.da[..., part]
        w = weights.w0[..., part, :] + weights.dw[..., part, :]
        total = total + (features(system, w) * a[..., None, :]).square().sum(-1)
    total = system.scale**2 * total
    if system.extra is not None:
        total = total + weights.extra.square() @ system.extra.square().mT
    return total.sqrt() + system.target.abs()


def rounding_loss(system: Equations, weights: Theta, eps: float | None = None) -> Tensor:
    """n(c ε max_i t_i)², below which R_S follows no prediction; shape (…).

    Args:
        system: the rows.
        weights: θ.
        eps: ε of the run; that of the rows by default.
    """
    unit = torch.finfo(system.target.dtype).eps if eps is None else eps
    return system.points * (ROUNDINGS * unit * term_sizes(system, weights).amax(-1)).square()
