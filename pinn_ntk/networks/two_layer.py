"""The two-layer network h(x;θ) = s Σ_k a_k σ(w_k·x) (+ Σ_j β_j ψ_j(x)), its initialisations and scalings."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from pinn_ntk.activations import Activation, activation_named
from pinn_ntk.arguments import MAX_SEED
from pinn_ntk.networks.extra import extra_rows
from pinn_ntk.networks.features import System, neuron_chunks
from pinn_ntk.networks.model import About, Fact
from pinn_ntk.networks.smoothness import activation_notes
from pinn_ntk.operators.rows import Rows
from pinn_ntk.rules import checked, flag, one_of, positive, real, whole

Function = Callable[[Tensor], Tensor]
GAMMAS: dict[str, Callable[[int], float]] = {
    "inv_sqrt_width": lambda n: 1.0 / math.sqrt(n),
    "inv_width": lambda n: 1.0 / n,
}
SCALINGS: dict[str, float] = {"sum": 0.0, "ntk": 0.5, "mean_field": 1.0}
"""p of s = N^{−p}: from lazy training at ½ to feature learning at 1."""
INITS = ("lecture", "uniform", "centred")
GAMMA = positive("γ, size of the outer weights at the start", GAMMAS)
INIT = one_of("initialisation", INITS)
SCALING = real("s of h = s Σ a σ(w·x): 1, 1/√N, 1/N, or the p of N^(-p)", 0.0, 1.0, SCALINGS)
Bias = Annotated[bool, flag("input lifted to (x, 1)")]


@dataclass(frozen=True)
class Weights:
    """θ = θ₀ + Δ, displacements kept apart: at theorem widths Δ is 1e-8…1e-18 beside weights of order one and would be
    rounded away.

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

    @property
    def displacement(self) -> tuple[Tensor, Tensor, Tensor]:
        """(Δa, Δw, β)."""
        return self.da, self.dw, self.extra

    def moved(self, *delta: Tensor) -> "Weights":
        """The weights displaced further by those amounts of (a, w, β)."""
        da, dw, extra = delta
        return replace(self, da=self.da + da, dw=self.dw + dw, extra=self.extra + extra)

    def displaced(self, *delta: Tensor) -> "Weights":
        """The weights with that (Δa, Δw, β)."""
        da, dw, extra = delta
        return replace(self, da=da, dw=dw, extra=extra)

    def movement(self, start: "Weights") -> Mapping[str, float]:
        """max_k |a_k − a_k(0)| and max_kj |w_kj − w_kj(0)|."""
        most = torch.stack([(self.da - start.da).abs().max(), (self.dw - start.dw).abs().max()])
        by_a, by_w = most.tolist()  # read back: columns of the history
        return {"max_delta_a": by_a, "max_delta_w": by_w}


def gamma_value(gamma: float | str, width: int) -> float:
    """γ as a number: itself, 1/√N for 'inv_sqrt_width', 1/N for 'inv_width'.

    Raises:
        ValueError: an unknown name or a number that is not positive.
    """
    GAMMA.require("gamma", gamma)
    return GAMMAS[gamma](width) if isinstance(gamma, str) else float(gamma)


def scaling_value(scaling: str | float, width: int) -> tuple[str | float, float]:
    """(name, s), s = N^{−p}: p is 0 for 'sum', ½ for 'ntk', 1 for 'mean_field', or another number from 0 to 1,
    whose name is p itself.

    Raises:
        ValueError: an unknown name or a number outside [0, 1].
    """
    SCALING.require("scaling", scaling)
    p = SCALINGS[scaling] if isinstance(scaling, str) else float(scaling)
    names = {value: name for name, value in SCALINGS.items()}
    return names.get(p, p), 1.0 / math.sqrt(width) if p == 0.5 else 1.0 / width**p


def draw(width: int, inputs: int, gamma: float, init: str, seed: int) -> tuple[Tensor, Tensor]:
    """(a, w) at initialisation, float64 on the CPU, neuron after neuron:
    a wider network of the same seed begins with the same neurons.

    'lecture': a ~ N(0,γ²), w ~ N(0,I). 'uniform': a ~ γU(−1,1), w ~ U(−1,1)ᴰ. 'centred': the lecture's in pairs (a,w),
    (−a,w): h = 0.
    """
    INIT.require("init", init)
    if init == "centred" and width % 2:
        raise ValueError(f"init 'centred' pairs neurons: got width {width}, expected an even one; try {width + 1}")
    rng = np.random.default_rng(seed)
    shape = (width // 2 if init == "centred" else width, inputs + 1)
    # on the CPU: the same numbers for every device
    table = torch.from_numpy(rng.uniform(-1.0, 1.0, shape) if init == "uniform" else rng.standard_normal(shape))
    if init == "centred":
        table = table.repeat_interleave(2, 0)
        table[1::2, 0] *= -1.0
    return gamma * table[:, 0].contiguous(), table[:, 1:].contiguous()


class TwoLayer(nn.Module):
    """h(x;θ) = s Σ_{k≤N} a_k σ(w_k·x̃) + Σ_j β_j ψ_j(x), with x̃ = (x, 1) when there is a bias and s = N^{−p}.

    Args:
        dim: d, coordinates of x.
        width: N.
        activation: a name or a record.
        bias: whether the input is lifted to (x, 1).
        gamma: γ, the standard deviation of a: a number, 'inv_sqrt_width' or 'inv_width'.
        init: 'lecture' | 'uniform' | 'centred' (see `draw`).
        scaling: 'sum' (s = 1, the lecture's) | 'ntk' (1/√N) | 'mean_field' (1/N) | p from 0 to 1 (N^{−p}).
        seed: of the initialisation.
        extra: fixed functions ψ_j: (n, d) → (n,), whose coefficients start at 0 and are trained.

    Raises:
        ValueError: a size that is not positive, or an unknown name.

    Examples:
        >>> import torch
        >>> from pinn_ntk import TwoLayer
        >>> net, x = TwoLayer(dim=2, width=8, activation="tanh", bias=False), torch.rand(5, 2, dtype=torch.float64)
        >>> torch.allclose(net(x), torch.tanh(x @ net.w.mT) @ net.a)
        True
    """

    a0: Tensor
    w0: Tensor

    @checked
    def __init__(
        self,
        dim: Annotated[int, whole("d, coordinates of x", 1)],
        width: Annotated[int, whole("N, neurons", 1)] = 1024,
        activation: str | Activation = "tanh",
        bias: Bias = True,
        gamma: Annotated[float | str, GAMMA] = "inv_sqrt_width",
        init: Annotated[str, INIT] = "lecture",
        scaling: Annotated[float | str, SCALING] = "sum",
        seed: Annotated[int, whole("of the initialisation", high=MAX_SEED)] = 0,
        extra: Sequence[Function] = (),
    ) -> None:
        super().__init__()
        self.dim, self.width, self.bias, self.seed = dim, width, bias, seed
        self.activation = activation_named(activation)
        self.init, self.gamma_name, self.gamma = init, gamma, gamma_value(gamma, width)
        self.scaling, self.scale = scaling_value(scaling, width)
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
    def kernel_scale(self) -> float:
        """s²N, with JJᵀ = s²N K̂."""
        return self.scale**2 * self.width

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.a0.device

    @property
    def dtype(self) -> torch.dtype:
        """Their precision."""
        return self.a0.dtype

    @property
    def module(self) -> nn.Module:
        """The network itself."""
        return self

    @property
    def about(self) -> About:
        """The network in words."""
        sigma = self.activation
        facts: dict[str, Fact] = {"activation": sigma.name, "depth": 1}
        factor = {"sum": "", "ntk": "N^{−1/2} ", "mean_field": "N^{−1} "}.get(
            str(self.scaling), f"N^{{−{self.scaling}}} "
        )
        extra = f" + {len(self.extra)} fixed functions" if self.extra else ""
        return About(
            "two_layer",
            f"a two-layer {sigma.name} network",
            f"h(x) = {factor}Σ_k a_k σ(w_k·{'(x, 1)' if self.bias else 'x'}){extra}, σ(z) = "
            f"{sigma.formula or sigma.name}",
            f"{self.init} initialisation with γ = {self.gamma:.3g} (size of the a_k), seed {self.seed}",
            self.width,
            facts | {key: getattr(self, key) for key in ("scaling", "gamma", "bias", "init", "seed")},
        )

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
        other = copy.copy(self)
        other._buffers, other._parameters = (
            dict(self._buffers),
            dict(self._parameters),
        )  # θ itself is not copied to be replaced
        other.a0, other.w0 = weights.a0, weights.w0
        other.delta_a, other.delta_w = nn.Parameter(weights.da.clone()), nn.Parameter(weights.dw.clone())
        other.extra_weights = nn.Parameter(weights.extra.clone())
        return other

    def like(self, *, width: int | None = None, seed: int | None = None) -> "TwoLayer":
        """A network drawn as this one was, untrained, with another width or seed: of the wider one's neurons this one's
        are the first.

        Args:
            width: N; None for this one's. A γ by name, such as 'inv_sqrt_width', follows it.
            seed: of the draw; None for this one's.

        Examples:
            >>> import torch
            >>> from pinn_ntk import TwoLayer
            >>> net = TwoLayer(dim=2, width=4, activation="relu3", bias=False)
            >>> wider, other = net.like(width=8), net.like(seed=1)
            >>> torch.equal(wider.w[:4], net.w), torch.equal(other.w, net.w), other.activation.name
            (True, False, 'relu3')
        """
        other = TwoLayer(
            self.dim,
            self.width if width is None else width,
            self.activation,
            self.bias,
            self.gamma_name,
            self.init,
            self.scaling,
            self.seed if seed is None else seed,
            self.extra,
        )
        return other.to(self.a0)

    def system(self, rows: tuple[Rows, ...], target: Tensor) -> System:
        """S𝓛h = Sf for these neurons.

        Args:
            rows: S𝓛 at points of d coordinates.
            target: Sf, (n,).

        Raises:
            ValueError: rows of another dimension.
        """
        if rows[0].x.shape[1] != self.dim:
            raise ValueError(
                f"network: got dim={self.dim}, expected {rows[0].x.shape[1]}, the number of coordinates of the problem"
            )
        columns = [torch.cat([extra_rows(r, psi) for r in rows]) for psi in self.extra]
        lifted = tuple(r.lifted() if self.bias else r for r in rows)
        return System(lifted, target, self.activation, self.scale, torch.stack(columns, 1) if columns else None)

    def check(self, rows: tuple[Rows, ...]) -> list[str]:
        """Warnings about the activation under these rows.

        Raises:
            ValueError: it is not smooth enough.
        """
        return activation_notes(self.activation, max(r.order for r in rows))

    def extra_repr(self) -> str:
        """One line with the sizes."""
        return (
            f"dim={self.dim}, width={self.width}, activation={self.activation.name!r}, bias={self.bias}, "
            f"scaling={self.scaling!r}"
        )


def require_two_layer(network: object, what: str) -> TwoLayer:
    """The network, for what is about two layers only: `what`, the subject of a sentence, needs it.

    Raises:
        ValueError: another kind of network.
    """
    if not isinstance(network, TwoLayer):
        about = getattr(network, "about", None)
        got = about.words if isinstance(about, About) else type(network).__name__
        raise ValueError(f"network: got {got}; {what} is about two-layer networks; use network=two_layer (TwoLayer)")
    return network
