"""Networks of any depth, h(x) = s a·x⁽ᴸ⁾ with x⁽ˡ⁾ = σ(z⁽ˡ⁾): the two-layer network of the lecture is L = 1.

    z⁽¹⁾ = W⁽¹⁾x̃,   z⁽ˡ⁺¹⁾ = s_σ W⁽ˡ⁺¹⁾x⁽ˡ⁾ + b⁽ˡ⁺¹⁾,   x̃ = (x, 1) with bias.

Both scalings are one function at the start, with z⁽ˡ⁾ of variance one in each entry for |x̃| = 1; they train
differently.
"""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from pinn_ntk.activations import Activation, activation_named
from pinn_ntk.arguments import MAX_SEED
from pinn_ntk.networks.model import About, Fact
from pinn_ntk.networks.two_layer import draw
from pinn_ntk.rules import checked, flag, one_of, whole

SCALINGS = ("standard", "ntk")


def second_moment(activation: Activation) -> float:
    """E σ(z)² for z ~ N(0, 1), by the trapezoid rule on a grid with a node at the kink of ReLUᵖ: exact to rounding."""
    z = torch.linspace(-12.0, 12.0, 2401, dtype=torch.float64, device="cpu")
    return float((activation(z).square() * torch.exp(-0.5 * z * z)).sum()) * 0.01 / math.sqrt(2.0 * math.pi)


class MLP(nn.Module):
    """h(x) = s a·σ(z⁽ᴸ⁾), z⁽ˡ⁺¹⁾ = s_σ W⁽ˡ⁺¹⁾σ(z⁽ˡ⁾) + b⁽ˡ⁺¹⁾, z⁽¹⁾ = W⁽¹⁾x̃.

    'ntk': a, W ~ N(0, 1), s = 1/√N, s_σ = 1/√(N E σ²); 'standard': s = s_σ = 1, a ~ N(0, 1/N), W⁽ˡ⁺¹⁾ ~ N(0, 1/(N E
    σ²)). W⁽¹⁾ ~ N(0, 1) in both, b = 0. L = 1 is `TwoLayer` with scaling 'ntk' and γ = 1, or 'sum' and γ = 1/√N, of the
    same seed.

    Args:
        dim: d, coordinates of x.
        width: N, neurons of each hidden layer.
        depth: L, hidden layers.
        activation: a name or a record.
        bias: whether the input is lifted to (x, 1), and the layers between have b.
        scaling: 'ntk' or 'standard'.
        seed: of the initialisation, which depends on nothing else.

    Raises:
        ValueError: a size that is not positive, or an unknown name.

    References:
        Du, Lee, Li, Wang, Zhai 2019 (ICML), section 3: the scaling 'ntk', whose s_σ² is their c_σ/m.

    Examples:
        >>> import torch
        >>> from pinn_ntk import MLP, TwoLayer
        >>> x = torch.rand(5, 2, dtype=torch.float64)
        >>> torch.allclose(MLP(2, width=8, depth=1)(x), TwoLayer(2, width=8, scaling="ntk", gamma=1.0)(x))
        True
    """

    @checked
    def __init__(
        self,
        dim: Annotated[int, whole("d, coordinates of x", 1)],
        width: Annotated[int, whole("N, neurons of each hidden layer", 1)] = 64,
        depth: Annotated[int, whole("L, hidden layers", 1, high=1000)] = 3,
        activation: str | Activation = "tanh",
        bias: Annotated[bool, flag("input lifted to (x, 1), and a bias in every layer between")] = True,
        scaling: Annotated[
            str,
            one_of("ntk: weights of order one behind factors 1/√N; standard: weights of order 1/√N", SCALINGS),
        ] = "ntk",
        seed: Annotated[int, whole("of the initialisation", high=MAX_SEED)] = 0,
    ) -> None:
        super().__init__()
        self.dim, self.width, self.depth, self.bias, self.scaling, self.seed = dim, width, depth, bias, scaling, seed
        self.activation = activation_named(activation)
        inner = 1.0 / math.sqrt(width * second_moment(self.activation)) if depth > 1 else 1.0
        outer = 1.0 / math.sqrt(width)
        self.inner_scale, self.outer_scale = (inner, outer) if scaling == "ntk" else (1.0, 1.0)
        size_inner, size_outer = (1.0, 1.0) if scaling == "ntk" else (inner, outer)
        a, first = draw(width, dim + int(bias), size_outer, "lecture", seed)
        layers = [size_inner * _normal(width, (seed, layer)) for layer in range(1, depth)]
        self.W = nn.ParameterList([first, *layers])
        self.b = nn.ParameterList([torch.zeros_like(a) for _ in layers] if bias else [])
        self.a = nn.Parameter(a)

    def forward(self, x: Tensor) -> Tensor:
        """h(x), (n, d) → (n,)."""
        if x.shape[-1] != self.dim:
            raise ValueError(f"network: got points of shape {tuple(x.shape)}, expected (n, {self.dim})")
        first = self.W[0]
        z = x @ first[:, : self.dim].mT
        z = z + first[:, self.dim] if self.bias else z
        for layer, W in enumerate(list(self.W)[1:]):
            z = self.inner_scale * (self.activation(z) @ W.mT)
            z = z + self.b[layer] if self.bias else z
        return self.outer_scale * (self.activation(z) @ self.a)

    @property
    def about(self) -> About:
        """The network in words."""
        sigma, depth = self.activation, self.depth
        facts: dict[str, Fact] = {"activation": sigma.name, "scaling": self.scaling, "bias": self.bias, "depth": depth}
        lifted = "(x, 1)" if self.bias else "x"
        ntk, small = self.scaling == "ntk", f"({second_moment(sigma):.3g} N)^{{−1/2}} "
        layers = f"x^{{(l)}} = σ({small if ntk else ''}W_l x^{{(l−1)}}{' + b_l' if self.bias else ''})"
        between = [
            f"{layers} for l = {'2, 3' if depth == 3 else f'2…{depth}'}"
            if depth > 2
            else layers.replace("l−1", "1").replace("(l)", "(2)").replace("_l", "_2")
        ]
        chain = [
            f"h(x) = {'N^{−1/2} ' if ntk else ''}a·x^{{({depth})}}",
            *(between if depth > 1 else []),
            f"x^{{(1)}} = σ(W_1 {lifted})",
        ]
        return About(
            "mlp",
            f"a {sigma.name} network with {depth} hidden layer{'' if depth == 1 else 's'}",
            f"{', '.join(chain)}; σ(z) = {sigma.formula or sigma.name}",
            f"independent normal weights in the {'NTK' if ntk else 'standard'} scaling, biases of the layers "
            f"between 0, seed {self.seed}",
            self.width,
            {**facts, "init": "normal", "seed": self.seed},
        )

    def extra_repr(self) -> str:
        """One line with the sizes."""
        return (
            f"dim={self.dim}, width={self.width}, depth={self.depth}, activation={self.activation.name!r}, "
            f"scaling={self.scaling!r}"
        )


def _normal(width: int, seed: Sequence[int]) -> Tensor:
    """A square matrix of N(0, 1), float64 on the CPU."""
    # on the CPU: the same numbers for every device
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((width, width)))
