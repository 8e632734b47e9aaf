"""A network that was stored is the same function, bit for bit; what is no network of ours is refused with its
reason.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cases import points
from safetensors.torch import load_file, save_file
from torch import nn

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.networks import FORMAT, MLP, AnyModule, TwoLayer, extra_function, load_network, model_of, save_network

PLANE = (0.0, 0.0, 1.0, 0.0, 0.0, 1.0)
EXTRA = [
    extra_function("logarithm", (*PLANE, 0.0, 0.0, 0.0), 2),
    extra_function("power", (*PLANE, 2.0 / 3.0, 0.0, 1.0), 2, power=2, span=(0.0, 0.5)),
]


def moved(network: TwoLayer) -> TwoLayer:
    """Trained a little: displacements far below the rounding of the weights they belong to."""
    weights = network.weights
    return network.with_weights(
        weights.moved(1e-19 * weights.a0, 1e-3 * weights.w0, 0.7 + torch.zeros_like(weights.extra))
    )


NETWORKS: dict[str, Callable[[], TwoLayer]] = {
    "tanh": lambda: TwoLayer(2, 7, seed=3),
    "bare": lambda: TwoLayer(1, 1, "relu3", bias=False, gamma=0.3, scaling="ntk", seed=9),
    "centred": lambda: TwoLayer(3, 6, "gelu", gamma="inv_width", init="centred", scaling=0.75),
    "extra": lambda: TwoLayer(2, 4, "sin", extra=EXTRA),
    "float32": lambda: TwoLayer(2, 5).to(dtype=torch.float32),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_two_layer_network_comes_back_to_the_bit(tmp_path: Path, name: str) -> None:
    network, path = moved(NETWORKS[name]()), tmp_path / "network.safetensors"
    save_network(network, path)
    back = load_network(path)
    assert isinstance(back, TwoLayer)
    for key in ("a0", "w0", "delta_a", "delta_w", "extra_weights"):
        assert torch.equal(getattr(back, key), getattr(network, key))
        assert getattr(back, key).dtype == getattr(network, key).dtype
    assert back.extra == network.extra
    assert back.about == network.about
    x = points(9, network.dim, network.dtype)
    assert torch.equal(back(x), network(x))
    assert {p.requires_grad for p in back.parameters()} == {True}


def test_a_deep_network_comes_back(tmp_path: Path) -> None:
    network, path, x = (
        model_of(MLP(2, 6, depth=3, activation="sin", bias=True, seed=4), 2),
        tmp_path / "n",
        points(5, 2),
    )
    save_network(network, path)
    back = load_network(path)
    assert torch.equal(back(x), network(x))
    assert back.about == network.about


def test_any_module_comes_back_into_one_of_its_class(tmp_path: Path) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double()

    network, other, path, x = AnyModule(make(), 2), make(), tmp_path / "n", points(5, 2)
    before = [p.clone() for p in other.parameters()]
    save_network(network, path)
    assert torch.equal(load_network(path, template=other)(x), network(x))
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))
    with pytest.raises(ValueError, match="state of a Sequential, got no module to fill"):
        load_network(path)
    with pytest.raises(ValueError, match=r"damaged \(RuntimeError"):
        load_network(path, template=nn.Sequential(nn.Linear(2, 5)))


def test_extra_functions_that_are_code_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got <lambda>, which is code"):
        save_network(TwoLayer(2, 3, extra=[EXTRA[0], lambda x: x[:, 0]]), tmp_path / "n")
    assert not list(tmp_path.iterdir())


def test_a_persons_activation_is_asked_for_by_name_and_must_not_have_changed(tmp_path: Path) -> None:
    def steep(factor: float) -> Activation:
        jet = ACTIVATIONS["tanh"].jet
        return Activation(
            "steep", lambda z, k: tuple(factor**j * s for j, s in enumerate(jet(factor * z, k))), None, 9, "tanh"
        )

    path, network = tmp_path / "n", TwoLayer(2, 3, steep(2.0))
    save_network(network, path)
    with pytest.raises(ValueError, match="got the activation 'steep', expected one of relu"):
        load_network(path)
    assert torch.equal(load_network(path, {"steep": steep(2.0)})(points(4, 2)), network(points(4, 2)))
    with pytest.raises(ValueError, match="'steep' has changed"):
        load_network(path, {"steep": steep(3.0)})


def altered(path: Path, change: Callable[[dict[str, object]], None], **header: str) -> Path:
    """The same tensors with another description."""
    about = json.loads(_header(path)["about"])
    change(about)
    save_file(load_file(path), path, {"format": FORMAT, "version": "1", "about": json.dumps(about), **header})
    return path


def _header(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return dict(file.metadata())


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    save_network(TwoLayer(2, 7, extra=EXTRA), tmp_path / "n")
    return tmp_path / "n"


@pytest.mark.parametrize("keep", [0, 7, 200, -8])
def test_a_truncated_file_is_refused(stored: Path, keep: int) -> None:
    stored.write_bytes(stored.read_bytes()[:keep])
    with pytest.raises(ValueError, match="truncated or no safetensors file"):
        load_network(stored)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        load_network(tmp_path / "none")
    save_file({"weight": torch.ones(2)}, tmp_path / "other")
    with pytest.raises(ValueError, match="other tensors"):
        load_network(tmp_path / "other")
    torch.save({"a": torch.ones(2)}, tmp_path / "pickle")
    with pytest.raises(ValueError, match="no safetensors file"):
        load_network(tmp_path / "pickle")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("width", 8, "tensor a0: got shape .7,., expected .8,."),
        ("width", 10**15, "tensor a0: got shape"),
        ("width", "many", "tensor a0: got shape .7,., expected .'many',."),
        ("kind", "transformer", "the kind 'transformer'"),
        (
            "extra",
            [{"kind": "os.system", "parameters": [1.0], "dim": 2}],
            "the kind 'os.system', expected one of power",
        ),
        ("extra", [{"kind": "power"}], "damaged"),
        ("extra", [], "tensor extra_weights"),
        ("scaling", "huge", "scaling: got 'huge'"),
        ("activation", None, "activation None"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(stored: Path, key: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_network(altered(stored, lambda about: about.update({key: value})))


def test_other_versions_and_damaged_headers_are_refused(stored: Path) -> None:
    for header, message in (
        ({"version": "2"}, "version '2', expected 1"),
        ({"about": "{"}, "damaged header"),
        ({"about": "[]"}, "damaged"),
    ):
        with pytest.raises(ValueError, match=message):
            load_network(altered(stored, lambda about: None, **header))
        save_network(TwoLayer(2, 7), stored)
