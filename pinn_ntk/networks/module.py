"""Any torch module as a network with parameters that are a value; `TwoLayer`, with its closed forms,
is the special case.
"""

import copy
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from pinn_ntk.activations import Activation
from pinn_ntk.networks.model import About, Model
from pinn_ntk.networks.module_system import ModuleSystem, ModuleWeights
from pinn_ntk.networks.smoothness import activation_notes, require_curvature
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.rows import Rows
from pinn_ntk.rules import checked, whole


@checked
@dataclass(frozen=True, eq=False)
class AnyModule:
    """h: (n, d) → (n,) from any module whose values are (n,) or (n, 1), each depending on its own point only.

    The module is copied and evaluated in its `eval` mode: dropout is off, batch normalisation keeps its running
    statistics.

    Args:
        module: h; its parameters with requires_grad are θ.
        dim: d.
        weights: θ, those of the module by default.
        about: the network in words; by default the module's own `about` where it has one, else its name.

    Attributes:
        module: a copy that holds θ.

    Raises:
        ValueError: no trainable parameters, complex ones, or a module that cannot be copied.

    Examples:
        >>> import torch
        >>> from pinn_ntk import AnyModule
        >>> net = AnyModule(torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)), dim=2)
        >>> net(torch.rand(5, 2)).shape, net.parameter_count
        (torch.Size([5]), 33)
    """

    module: nn.Module
    dim: int
    weights: ModuleWeights
    about: About

    def __init__(
        self,
        module: nn.Module,
        dim: Annotated[int, whole("d", 1)],
        weights: ModuleWeights | None = None,
        about: About | None = None,
    ) -> None:
        own = _copied(module)
        parameters = {name: p for name, p in own.named_parameters() if p.requires_grad and p.numel()}
        if not parameters:
            raise ValueError(
                f"network: got {_name(module)} without trainable parameters, expected at least one with requires_grad"
            )
        if not all(p.is_floating_point() for p in parameters.values()):
            raise ValueError(
                f"network: got parameters of {_name(module)} that are not real, expected float32 or float64"
            )
        with torch.no_grad():
            for name, moved in ({} if weights is None else weights.values).items():
                parameters[name].copy_(moved)
        start = tuple(p.detach().clone() for p in parameters.values())
        theta = weights or ModuleWeights(tuple(parameters), start, tuple(torch.zeros_like(p) for p in start))
        for key, value in {"module": own, "dim": dim, "weights": theta, "about": about or _about(module)}.items():
            object.__setattr__(self, key, value)

    @property
    def width(self) -> int:
        """Numbers per point of the widest layer: the largest first extent of a parameter."""
        about = self.about.width
        return max(p.shape[0] if p.ndim else 1 for p in self.weights.start) if about is None else about

    @property
    def kernel_scale(self) -> float:
        """1: K̂ = JJᵀ."""
        return 1.0

    @property
    def parameter_count(self) -> int:
        """P."""
        return sum(p.numel() for p in self.weights.start)

    @property
    def device(self) -> torch.device:
        """Where θ is."""
        return self.weights.start[0].device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of θ."""
        return self.weights.start[0].dtype

    def __call__(self, x: Tensor) -> Tensor:
        """h(x), (n, d) → (n,)."""
        values: Tensor = self.module(x).reshape(x.shape[0])
        return values

    def with_weights(self, weights: ModuleWeights) -> "AnyModule":
        """The same network with those weights; this one is left as it is."""
        return AnyModule(self.module, self.dim, weights, self.about)

    def to(self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "AnyModule":
        """The network on that device in that precision."""
        return AnyModule(
            _copied(self.module).to(device=device, dtype=dtype), self.dim, self.weights.to(dtype, device), self.about
        )

    def system(self, rows: tuple[Rows, ...], target: Tensor) -> ModuleSystem:
        """S𝓛h = Sf for this module.

        Raises:
            ValueError: rows of another dimension.
        """
        if rows[0].x.shape[1] != self.dim:
            raise ValueError(
                f"network: got dim={self.dim}, expected {rows[0].x.shape[1]}, the number of coordinates of the problem"
            )
        return ModuleSystem(rows, target, self.module, self.width)

    def check(self, rows: tuple[Rows, ...]) -> list[str]:
        """Warnings about this module under these rows, from a look at a few points; in the rows' precision,
        whatever its own is.

        Raises:
            ValueError: values of another shape, values that depend on other points or are not finite, an error in
                `forward`, or derivatives that are not there.
        """
        few = tuple(r.select(slice(0, 4)) for r in rows)
        network = self.to(device=few[0].x.device, dtype=few[0].x.dtype)
        check_values(network, torch.cat([r.x for r in few]))
        try:
            network.system(few, torch.cat([r.x[:, 0] for r in few])).residual_and_gradient(network.weights)
        except _FAILURES as error:
            raise _failed(network, error) from error
        activation = getattr(self.module, "activation", None)
        if isinstance(activation, Activation):
            return activation_notes(activation, max(r.order for r in rows))
        require_curvature(network, rows)
        return []


_FAILURES = (RuntimeError, TypeError, IndexError, AttributeError, NotImplementedError)


def _failed(network: AnyModule, error: Exception) -> ValueError:
    name, dim = _name(network.module), network.dim
    return ValueError(f"network: {name} failed at points of shape (n, {dim}): {_first_line(error)}")


def check_values(network: AnyModule, x: Tensor) -> None:
    """Whether the values at some points are (n,) or (n, 1), finite, in the points' precision, each that of its own.

    Raises:
        ValueError: they are not, or the module fails.
    """
    try:
        _check_values(network, x)
    except _FAILURES as error:
        raise _failed(network, error) from error


def _check_values(network: AnyModule, x: Tensor) -> None:
    name = _name(network.module)
    with torch.no_grad():
        values, n = network.module(x), x.shape[0]
        if not isinstance(values, Tensor) or values.shape not in ((n,), (n, 1)):
            got = tuple(values.shape) if isinstance(values, Tensor) else f"a {type(values).__name__}"
            raise ValueError(f"network: got values {got} from {name} for {n} points, expected ({n},) or ({n}, 1)")
        if values.dtype != x.dtype:
            raise ValueError(
                f"network: got {values.dtype} from {name} at points of {x.dtype}, expected the same; make "
                "tensors like x"
            )
        if not bool(torch.isfinite(values).all()):  # read back: whether the module will do, asked once
            raise ValueError(f"network: got values of {name} that are not finite, expected finite ones at the points")
        alone = torch.cat([network(point[None]) for point in x])
    # read back: whether the module will do, asked once
    if not torch.allclose(alone, values.reshape(-1), rtol=1e-4, atol=1e-6 * float(values.abs().max())):
        raise ValueError(
            f"network: the value of {name} at a point changes with the other points or from call to call; "
            "expected h(x_i) alone "
            "(no normalisation over the batch, no randomness)"
        )


def _copied(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module).eval()
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"network: {_name(module)} cannot be copied: {_first_line(error)}") from error


def _name(module: nn.Module) -> str:
    return type(module).__name__


def _about(module: nn.Module, seed: int | None = None) -> About:
    """The module's own words, else its name and how it came about."""
    own, name = getattr(module, "about", None), _name(module)
    if isinstance(own, About):
        return own
    start = "as given" if seed is None else f"as its builder made it, torch's seed being {seed}"
    return About(
        name, f"the network {name}", f"h(x;θ) = {name}(x), differentiated automatically", start, None, {"seed": seed}
    )


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"


def model_of(network: Model | nn.Module, dim: int, seed: int | None = None) -> Model:
    """The network itself where it is one, else the module wrapped.

    Args:
        network: `TwoLayer`, `AnyModule`, or any module.
        dim: d of the problem.
        seed: of torch when the module was built, for the record.

    Raises:
        ValueError: no network at all, or a module that cannot be one.
    """
    if isinstance(network, (TwoLayer, AnyModule)):
        return network
    if not isinstance(network, nn.Module):
        raise ValueError(f"network: got a {type(network).__name__}, expected a TwoLayer, an MLP or any torch.nn.Module")
    return AnyModule(network, dim, about=_about(network, seed))
