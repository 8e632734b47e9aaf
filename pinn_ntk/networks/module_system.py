"""A torch module under rows, by automatic differentiation: e = S(𝓛h − f), ∇_θR_S = Jᵀe/n, J = ∂e/∂θ; R_S = ‖e‖²/(2n).

The general case of `features` and `sums`: nothing is known of h but its values.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pinn_ntk.networks.features import CHUNK_ELEMENTS
from pinn_ntk.operators.rows import Rows

ROWS_AT_ONCE = 16
"""Rows whose Jacobian is taken in one go: each is pulled back through the graph of all of them,
which costs their number squared.
"""


@dataclass(frozen=True)
class ModuleWeights:
    """θ = θ⁰ + Δ by parameter tensor.

    Attributes:
        names: of the trainable parameters.
        start: θ⁰.
        displacement: Δ.
    """

    names: tuple[str, ...]
    start: tuple[Tensor, ...]
    displacement: tuple[Tensor, ...]

    @property
    def values(self) -> dict[str, Tensor]:
        """θ by name."""
        return {name: a + b for name, a, b in zip(self.names, self.start, self.displacement, strict=True)}

    def moved(self, *delta: Tensor) -> "ModuleWeights":
        """The weights displaced further by those amounts."""
        return replace(self, displacement=tuple(a + b for a, b in zip(self.displacement, delta, strict=True)))

    def displaced(self, *delta: Tensor) -> "ModuleWeights":
        """The weights with that Δ."""
        return replace(self, displacement=delta)

    def movement(self, start: "ModuleWeights") -> Mapping[str, float]:
        """max_j |θ_j − θ_j(0)| and ‖θ − θ(0)‖/‖θ(0)‖ over all parameters."""
        apart = [a - b for a, b in zip(self.displacement, start.displacement, strict=True)]
        size = _norm(start.values.values())
        most = torch.stack([d.abs().max() for d in apart if d.numel()]).max()
        return {
            "max_delta": float(most),  # read back: a column of the history
            "relative_delta": _norm(apart) / size if size > 0.0 else math.nan,
        }

    def to(self, dtype: torch.dtype | None, device: torch.device | str | None) -> "ModuleWeights":
        """The weights in that precision on that device."""
        move = [tuple(t.to(device=device, dtype=dtype) for t in part) for part in (self.start, self.displacement)]
        return ModuleWeights(self.names, *move)


def _norm(parts: Iterable[Tensor]) -> float:
    squares = torch.stack([(p * p).sum() for p in parts])
    return math.sqrt(sum(squares.tolist()))  # read back: a column of the history


def row_jacobian(module: nn.Module, parameters: Mapping[str, Tensor], rows: Rows) -> dict[str, Tensor]:
    """∂(𝓛h(x_i))/∂θ for the rows given: one (n, P_j) matrix per parameter tensor."""
    pieces: dict[str, list[Tensor]] = {name: [] for name in parameters}
    for part in _parts(rows, ROWS_AT_ONCE):
        jacobian = torch.func.jacrev(lambda theta, part=part: _values(module, theta, part))(dict(parameters))
        for name, j in jacobian.items():
            pieces[name].append(j.detach().reshape(len(part), -1))
    return {name: torch.cat(found) for name, found in pieces.items()}


def _parts(rows: Rows, size: int) -> Iterator[Rows]:
    for start in range(0, len(rows), size):
        yield rows.select(slice(start, start + size))


def _values(module: nn.Module, theta: Mapping[str, Tensor], rows: Rows) -> Tensor:
    """(𝓛h(x_i;θ))_i."""
    replaced = _everywhere(module, theta)
    return rows.apply(
        lambda x: torch.func.functional_call(module, replaced, (x,), tie_weights=False).reshape(x.shape[0])
    )


def _everywhere(module: nn.Module, theta: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """θ at every place that holds it, a layer used twice counted once:
    `tie_weights` would leave such a module changed.
    """
    names = {id(p): name for name, p in module.named_parameters()}
    own = [(path, m.named_parameters(recurse=False, remove_duplicate=False)) for path, m in module.named_modules()]
    places = ((f"{path}.{key}".lstrip("."), p) for path, parameters in own for key, p in parameters)
    return {place: theta[names[id(p)]] for place, p in places if names[id(p)] in theta}


@dataclass(frozen=True)
class ModuleSystem:
    """S𝓛h = Sf for a module.

    Attributes:
        rows: S𝓛 at the points, block after block.
        target: Sf, (n,).
        module: h; its parameters are replaced by those that are asked about.
        width: numbers per point of its widest layer, for the size of chunks.
    """

    rows: tuple[Rows, ...]
    target: Tensor
    module: nn.Module
    width: int

    @property
    def points(self) -> int:
        """n."""
        return self.target.shape[0]

    def _chunks(self) -> Iterator[Rows]:
        for rows in self.rows:
            yield from _parts(rows, max(1, CHUNK_ELEMENTS // self.width))

    def residual(self, weights: ModuleWeights) -> Tensor:
        """e = S(𝓛h − f), (n,)."""
        theta = weights.values
        return torch.cat([_values(self.module, theta, rows).detach() for rows in self._chunks()]) - self.target

    def residual_and_gradient(self, weights: ModuleWeights) -> tuple[Tensor, tuple[Tensor, ...]]:
        """e and ∇_θR_S = Jᵀe/n of R_S = ‖e‖²/(2n), a tensor for each parameter."""
        theta, found, start = weights.values, [], 0
        total = [torch.zeros_like(value) for value in theta.values()]
        for rows in self._chunks():
            value, pull = torch.func.vjp(lambda t, r=rows: _values(self.module, t, r), theta)  # type: ignore[misc]
            found.append(value.detach() - self.target[start : start + len(rows)])
            start += len(rows)
            gradient = pull(found[-1] / self.points)[0]
            total = [a + gradient[name].detach() for a, name in zip(total, theta, strict=True)]
        return torch.cat(found), tuple(total)

    def jacobian(self, weights: ModuleWeights) -> Tensor:
        """J = ∂e/∂θ, (n, P), columns parameter tensor after parameter tensor."""
        blocks = [row_jacobian(self.module, weights.values, rows) for rows in self.rows]
        return torch.cat([torch.cat(list(block.values()), 1) for block in blocks])
