"""The two-layer network h(x;θ) = s Σ_k a_k σ(w_k·x) (+ Σ_j β_j ψ_j(x)), its initialisations and scalings."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from pinn_ntk.activations import Activation, activation_named
from pinn_ntk.networks.features import System, neuron_chunks
from pinn_ntk.operators.rows import Rows

Function = Callable[[Tensor], Tensor]
Init = Literal["lecture", "uniform", "centred"]
Scaling = Literal["sum", "ntk", "mean_field"]
GAMMAS: dict[str, Callable[[int], float]] = {"inv_sqrt_width": lambda n: 1.0 / math.sqrt(n), "inv_width": lambda n: 1.0 / n}
SCALINGS: dict[str, Callable[[int], float]] = {"sum": lambda _: 1.0, "ntk": lambda n: 1.0 / math.sqrt(n), "mean_field": lambda n: 1.0 / n}
INITS = ("lecture", "uniform", "centred")


@dataclass(frozen=True)
class Weights:
    """θ = θ₀ + Δ, displacements kept apart: at theorem widths Δ is 1e-8…1e-18 beside weights of order one and would be rounded away.

    Attributes:
        a0: initial outer weights (…, N).
        w0: initial inner weights (…, N, D).
        da: Δa (…, N).
        dw: Δw (…, N, D).
        extra: coefficients β of the extra functions (…, m).
    """

    a0: Tensor
    w0: Tensor
    da: Tensor
    dw: Tensor
    extra: Tensor

    @property
    def a(self) -> Tensor:
        """a = a₀ + Δa."""
        return self.a0 + self.da

    @property
    def w(self) -> Tensor:
        """w = w₀ + Δw."""
        return self.w0 + self.dw

    def moved(self, da: Tensor, dw: Tensor, extra: Tensor) -> "Weights":
        """The weights displaced further by those amounts."""
        return replace(self, da=self.da + da, dw=self.dw + dw, extra=self.extra + extra)


def gamma_value(gamma: float | str, width: int) -> float:
    """γ as a number: itself, 1/√N for 'inv_sqrt_width', 1/N for 'inv_width'.

    Raises:
        ValueError: an unknown name or a number that is not positive.
    """
    if isinstance(gamma, str):
        if gamma not in GAMMAS:
            raise ValueError(f"gamma: got {gamma!r}, expected a positive number or one of {', '.join(GAMMAS)}")
        return GAMMAS[gamma](width)
    if not (math.isfinite(gamma) and gamma > 0.0):
        raise ValueError(f"gamma: got {gamma}, expected a positive number or one of {', '.join(GAMMAS)}")
    return float(gamma)


def draw(width: int, inputs: int, gamma: float, init: str, seed: int) -> tuple[Tensor, Tensor]:
    """(a, w) at initialisation, float64 on the CPU, neuron after neuron: a wider network of the same seed begins with the same neurons.

    'lecture': a ~ N(0,γ²), w ~ N(0,I). 'uniform': a ~ γU(−1,1), w ~ U(−1,1)ᴰ. 'centred': the lecture's in pairs (a,w), (−a,w): h = 0.
    """
    if init not in INITS:
        raise ValueError(f"init: got {init!r}, expected one of {', '.join(INITS)}")
    if init == "centred" and width % 2:
        raise ValueError(f"init 'centred' pairs neurons: got width {width}, expected an even one; try {width + 1}")
    rng = np.random.default_rng(seed)
    shape = (width // 2 if init == "centred" else width, inputs + 1)
    table = torch.from_numpy(rng.uniform(-1.0, 1.0, shape) if init == "uniform" else rng.standard_normal(shape))
    if init == "centred":
        table = table.repeat_interleave(2, 0)
        table[1::2, 0] *= -1.0
    return gamma * table[:, 0].contiguous(), table[:, 1:].contiguous()


class TwoLayer(nn.Module):
    """h(x;θ) = s Σ_{k≤N} a_k σ(w_k·x̃) + Σ_j β_j ψ_j(x), with x̃ = (x, 1) when there is a bias and s = 1, 1/√N or 1/N.

    Args:
        dim: d, coordinates of x.
        width: N.
        activation: a name or a record.
        bias: whether the input is lifted to (x, 1).
        gamma: γ, the standard deviation of a: a number, 'inv_sqrt_width' or 'inv_width'.
        init: 'lecture' | 'uniform' | 'centred' (see `draw`).
        scaling: 'sum' (s = 1, the lecture's) | 'ntk' (1/√N) | 'mean_field' (1/N).
        seed: of the initialisation.
        extra: fixed functions ψ_j: (n, d) → (n,), whose coefficients start at 0 and are trained.

    Raises:
        ValueError: a size that is not positive, or an unknown name.
    """

    a0: Tensor
    w0: Tensor

    def __init__(
        self,
        dim: int,
        width: int,
        activation: str | Activation = "tanh",
        bias: bool = True,
        gamma: float | str = "inv_sqrt_width",
        init: str = "lecture",
        scaling: str = "sum",
        seed: int = 0,
        extra: Sequence[Function] = (),
    ) -> None:
        super().__init__()
        for what, value in (("dim", dim), ("width", width)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{what}: got {value!r}, expected a whole number, at least 1")
        if scaling not in SCALINGS:
            raise ValueError(f"scaling: got {scaling!r}, expected one of {', '.join(SCALINGS)}")
        self.dim, self.width, self.bias, self.seed = dim, width, bias, seed
        self.activation = activation_named(activation)
        self.init, self.scaling, self.gamma_name = init, scaling, gamma
        self.gamma, self.scale = gamma_value(gamma, width), SCALINGS[scaling](width)
        self.extra = tuple(extra)
        a, w = draw(width, dim + int(bias), self.gamma, init, seed)
        self.register_buffer("a0", a)
        self.register_buffer("w0", w)
        self.delta_a, self.delta_w = nn.Parameter(torch.zeros_like(a)), nn.Parameter(torch.zeros_like(w))
        self.extra_weights = nn.Parameter(a.new_zeros(len(self.extra)))

    @property
    def inputs(self) -> int:
        """D = d + 1 with bias, else d."""
        return self.dim + int(self.bias)

    @property
    def parameter_count(self) -> int:
        """P = N(D+1) + m."""
        return self.width * (self.inputs + 1) + len(self.extra)

    @property
    def weights(self) -> Weights:
        """θ as plain tensors, detached."""
        return Weights(self.a0, self.w0, self.delta_a.detach(), self.delta_w.detach(), self.extra_weights.detach())

    @property
    def a(self) -> Tensor:
        """Outer weights (N,)."""
        return self.a0 + self.delta_a

    @property
    def w(self) -> Tensor:
        """Inner weights (N, D)."""
        return self.w0 + self.delta_w

    def forward(self, x: Tensor) -> Tensor:
        """h(x), (n, d) → (n,)."""
        if x.shape[-1] != self.dim:
            raise ValueError(f"points: got shape {tuple(x.shape)}, expected (n, {self.dim})")
        a, w, h = self.a, self.w, x.new_zeros(x.shape[:-1])
        for part in neuron_chunks(max(1, x.shape[:-1].numel()), self.width):
            z = x @ w[part, : self.dim].mT
            h = h + self.activation(z + w[part, self.dim] if self.bias else z) @ a[part]
        h = self.scale * h
        for j, psi in enumerate(self.extra):
            h = h + self.extra_weights[j] * psi(x)
        return h

    def with_weights(self, weights: Weights) -> "TwoLayer":
        """The same network with those weights; this one is left as it is."""
        other = copy.deepcopy(self)
        other.a0, other.w0 = weights.a0, weights.w0
        other.delta_a, other.delta_w = nn.Parameter(weights.da.clone()), nn.Parameter(weights.dw.clone())
        other.extra_weights = nn.Parameter(weights.extra.clone())
        return other

    def system(self, rows: tuple[Rows, ...], target: Tensor) -> System:
        """S𝓛h = Sf for these neurons.

        Args:
            rows: S𝓛 at points of d coordinates.
            target: Sf, (n,).

        Raises:
            ValueError: rows of another dimension.
        """
        if rows[0].x.shape[1] != self.dim:
            raise ValueError(f"network: got dim={self.dim}, expected {rows[0].x.shape[1]}, the number of coordinates of the problem")
        columns = [torch.cat([r.apply(psi) for r in rows]) for psi in self.extra]
        lifted = tuple(r.lifted() if self.bias else r for r in rows)
        return System(lifted, target, self.activation, self.scale, torch.stack(columns, 1) if columns else None)

    def extra_repr(self) -> str:
        """One line with the sizes."""
        return f"dim={self.dim}, width={self.width}, activation={self.activation.name!r}, bias={self.bias}, scaling={self.scaling!r}"
