"""A network on disk: its tensors bit for bit in one safetensors file, and what they belong to as JSON in the header;
no code is stored.

A two-layer network is h(x;θ) = s Σ_k (a₀ + Δa)_k σ((w₀ + Δw)_k·x̃) + Σ_j β_j ψ_j(x): four tensors and β, the name of σ,
and ψ_j as records.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.networks.extra import ExtraFunction, extra_function
from pinn_ntk.networks.mlp import MLP
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.module import AnyModule, model_of
from pinn_ntk.networks.two_layer import TwoLayer, Weights

NETWORK = "network.safetensors"
"""The name of the file in a run's folder."""
FORMAT, VERSION = "pinn_ntk.network", 1
_TENSORS = ("a0", "w0", "delta_a", "delta_w", "extra_weights")
_MLP = ("dim", "width", "depth", "bias", "scaling", "seed")
_PROBES = (-1.7, -0.3, 0.6, 2.1)


def save_network(network: Model | nn.Module, path: str | Path) -> None:
    """Write a `TwoLayer`, an `MLP`, or the state of any module.

    Args:
        network: h.
        path: of the file.

    Raises:
        ValueError: extra functions that are code, not records: what is left without them would be another function.
    """
    write_tensors(path, FORMAT, *described(network))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to, which takes the place of `path` once it is whole: a reader sees the old file or the new one,
    never half of it.
    """
    aside = path.with_name(path.name + ".part")
    try:
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_tensors(path: str | Path, form: str, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Tensors and what they belong to, in one safetensors file of that form, whole or not at all.

    Raises:
        ValueError: a folder that is not there.
    """
    from safetensors.torch import save

    if not Path(path).parent.is_dir():
        raise ValueError(f"path: got {str(path)!r}, expected a file in a folder that exists; make {Path(path).parent}")
    header = {"format": form, "version": str(VERSION), "about": json.dumps(about, allow_nan=False)}
    # on the CPU: to be written
    data = save({name: t.detach().clone().contiguous() for name, t in tensors.items()}, header)
    with replacing(Path(path)) as aside:
        aside.write_bytes(data)  # its own way to a file leaves one that nobody else may read


def described(network: Model | nn.Module) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    """(what the network is, its tensors), from which `network_from` makes it again.

    Raises:
        ValueError: no network, or extra functions that are code.
    """
    module = network.module if isinstance(network, AnyModule) else network
    if isinstance(module, TwoLayer):
        return _two_layer(module), {name: getattr(module, name) for name in _TENSORS}
    if isinstance(module, nn.Module):
        return _module(module, network), module.state_dict()
    raise ValueError(f"network: got a {type(network).__name__}, expected a TwoLayer, an MLP or any torch.nn.Module")


def _two_layer(network: TwoLayer) -> dict[str, Any]:
    foreign = [psi for psi in network.extra if not isinstance(psi, ExtraFunction)]
    if foreign:
        name = getattr(foreign[0], "__name__", type(foreign[0]).__name__)
        raise ValueError(
            f"extra functions: got {name}, which is code and cannot be stored; expected records of networks.extra"
        )
    return {
        "kind": "two_layer",
        "dim": network.dim,
        "width": network.width,
        "bias": network.bias,
        "gamma": network.gamma_name,
        "init": network.init,
        "scaling": network.scaling,
        "seed": network.seed,
        "extra": [asdict(psi) for psi in network.extra],  # type: ignore[call-overload]
        **_activation(network.activation),
    }


def _module(module: nn.Module, network: Model | nn.Module) -> dict[str, Any]:
    if isinstance(module, MLP):
        return {"kind": "mlp", **{name: getattr(module, name) for name in _MLP}, **_activation(module.activation)}
    return {"kind": "module", "class": type(module).__name__, "dim": getattr(network, "dim", None)}


def _activation(activation: Activation) -> dict[str, Any]:
    """Its name, and a few of its values: a person's own activation may change while it keeps its name."""
    return {"activation": activation.name, "probes": _probed(activation)}


def _probed(activation: Activation) -> list[float]:
    values: list[float] = activation(torch.tensor(_PROBES, dtype=torch.float64, device="cpu")).tolist()
    return values


def load_network(
    path: str | Path, activations: Mapping[str, Activation] = ACTIVATIONS, template: Model | nn.Module | None = None
) -> Model:
    """The network of a file that `save_network` wrote.

    Args:
        path: of the file.
        activations: by name, a person's own among them.
        template: a module of the same class, for one that is neither a `TwoLayer` nor an `MLP`; it is not changed.

    Raises:
        ValueError: no such file, a truncated or foreign one, one of a later version, or names in it that are not known
            here.
    """
    about, tensors = read_tensors(Path(path))
    with damage(f"network: {path}"):
        return network_from(about, tensors, activations, template)


@contextmanager
def damage(where: str) -> Iterator[None]:
    """What goes wrong while a file's content is read, told as damage of that file."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise ValueError(f"{where} is damaged ({type(error).__name__}: {first})") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def network_from(
    about: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    activations: Mapping[str, Activation] = ACTIVATIONS,
    template: Model | nn.Module | None = None,
) -> Model:
    """The network that `described` took apart.

    Raises:
        ValueError: an unknown kind, or names that are not known here.
    """
    kind = about["kind"]
    if kind == "two_layer":
        return _loaded_two_layer(about, tensors, activations)
    if kind == "mlp":
        options = {name: about[name] for name in _MLP}
        return _filled(MLP(**options, activation=_known(about, activations)), tensors, about["dim"])
    if kind != "module":
        raise ValueError(f"got the kind {kind!r}, expected two_layer, mlp or module")
    return _loaded_module(about, tensors, template)


def read_tensors(path: Path, form: str = FORMAT) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(the description, the tensors) of a file of that form, such as pinn_ntk.network.

    Raises:
        ValueError: it cannot be read, or is of another form.
    """
    what = form.rpartition(".")[2]
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ValueError(f"{what}: got {str(path)!r}, no such file; expected a {what}.safetensors")
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{what}: {path} is truncated or no safetensors file ({error})") from error
    if header.get("format") != form:
        raise ValueError(
            f"{what}: {path} holds other tensors (format {header.get('format')!r}), expected a {what} of pinn_ntk"
        )
    if header.get("version") != str(VERSION):
        raise ValueError(
            f"{what}: {path} is of version {header.get('version')!r}, expected {VERSION}; read it with the "
            "package it came from"
        )
    try:
        about = json.loads(header["about"])
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{what}: {path} has a damaged header ({error})") from error
    if not isinstance(about, dict):
        raise ValueError(f"{what}: {path} has a damaged header, expected a mapping")
    return about, tensors


def _loaded_two_layer(
    about: Mapping[str, Any], tensors: Mapping[str, Tensor], activations: Mapping[str, Activation]
) -> TwoLayer:
    extra = [extra_function(**entry) for entry in about["extra"]]
    N, D = about["width"], about["dim"] + about["bias"]
    for name, expected in zip(_TENSORS, ((N,), (N, D), (N,), (N, D), (len(extra),)), strict=True):
        if name not in tensors or tuple(tensors[name].shape) != expected:  # before anything of that size is made
            got = tuple(tensors[name].shape) if name in tensors else "none"
            raise ValueError(f"tensor {name}: got shape {got}, expected {expected}")
    options = {name: about[name] for name in ("dim", "width", "bias", "gamma", "scaling", "seed")}
    network = TwoLayer(activation=_known(about, activations), extra=extra, **options)  # drawn, to be replaced
    network.init = about["init"]
    return network.with_weights(Weights(*(tensors[name] for name in _TENSORS)))


def _loaded_module(
    about: Mapping[str, Any], tensors: Mapping[str, Tensor], template: Model | nn.Module | None
) -> Model:
    module = template.module if isinstance(template, AnyModule) else template
    if type(module).__name__ != about["class"] or not isinstance(module, nn.Module):
        got = "no module" if module is None else f"a {type(module).__name__}"
        raise ValueError(f"holds the state of a {about['class']}, got {got} to fill; give the code that makes one")
    return _filled(module, tensors, about["dim"])


def _filled(module: nn.Module, tensors: Mapping[str, Tensor], dim: int) -> Model:
    dtype = next((t.dtype for t in tensors.values() if t.is_floating_point()), torch.float64)
    copied = AnyModule(module, dim).module.to(dtype=dtype)
    copied.load_state_dict(dict(tensors))
    return model_of(copied, dim)


def _known(about: Mapping[str, Any], activations: Mapping[str, Activation]) -> Activation:
    name = about["activation"]
    if name not in activations:
        raise ValueError(
            f"got the activation {name!r}, expected one of {', '.join(activations)}; give the file that defines it"
        )
    now, then = _probed(activations[name]), about["probes"]
    if not np.allclose(now, then, rtol=1e-6, atol=1e-9, equal_nan=True):
        raise ValueError(f"the activation {name!r} has changed: σ({_PROBES[0]}) was {then[0]:.6g} and is {now[0]:.6g}")
    return activations[name]
