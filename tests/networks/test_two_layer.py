"""Initialisations, scalings, and displacements that survive beside weights of order one."""

import math

import pytest
import torch
from cases import points

from pinn_ntk.networks import TwoLayer, draw, gamma_value


def test_the_lecture_draws_a_with_gamma_and_w_with_one() -> None:
    a, w = draw(200_000, 2, 0.3, "lecture", 0)
    assert float(a.std()) == pytest.approx(0.3, rel=0.01)
    assert float(w.std()) == pytest.approx(1.0, rel=0.01)
    assert abs(float((a[:, None] * w).mean())) < 3 * 0.3 / math.sqrt(400_000)


def test_a_wider_network_begins_with_the_same_neurons() -> None:
    for init in ("lecture", "uniform", "centred"):
        small, large = draw(10, 3, 1.0, init, 5), draw(16, 3, 1.0, init, 5)
        assert torch.equal(small[0], large[0][:10])
        assert torch.equal(small[1], large[1][:10])


def test_centred_networks_vanish_at_initialisation() -> None:
    net = TwoLayer(3, 10, "tanh", init="centred", gamma=1.0)
    assert float(net(points(7, 3)).detach().abs().max()) <= 1e-15
    with pytest.raises(ValueError, match="even one; try 12"):
        TwoLayer(3, 11, init="centred")


def test_uniform_stays_within_its_box() -> None:
    net = TwoLayer(2, 1000, init="uniform", gamma=0.5)
    assert float(net.weights.a.abs().max()) <= 0.5
    assert float(net.weights.w.abs().max()) <= 1.0


@pytest.mark.parametrize(("name", "value"), [("inv_sqrt_width", 0.1), ("inv_width", 0.01), (0.7, 0.7)])
def test_gamma_by_name_or_number(name: float | str, value: float) -> None:
    assert gamma_value(name, 100) == pytest.approx(value)


@pytest.mark.parametrize(("scaling", "s"), [("sum", 1.0), ("ntk", 0.1), ("mean_field", 0.01), (0.75, 10**-1.5)])
def test_scaling_multiplies_the_sum(scaling: str | float, s: float) -> None:
    net, plain, x = TwoLayer(2, 100, scaling=scaling), TwoLayer(2, 100), points(4, 2)
    torch.testing.assert_close(net(x), s * plain(x))


@pytest.mark.parametrize(("name", "p"), [("sum", 0), ("ntk", 0.5), ("mean_field", 1)])
def test_a_named_scaling_is_its_exponent(name: str, p: float) -> None:
    named, numbered = TwoLayer(2, 7, scaling=name), TwoLayer(2, 7, scaling=p)
    assert (named.scaling, named.scale) == (numbered.scaling, numbered.scale) == (name, numbered.scale)


def test_displacements_far_below_rounding_are_kept() -> None:
    net = TwoLayer(2, 3)
    w = net.weights
    tiny = net.with_weights(w.moved(torch.full_like(w.da, 1e-25), torch.full_like(w.dw, 1e-30), w.extra))
    assert float(tiny.delta_a.detach()[0]) == 1e-25
    assert torch.equal(tiny.a, net.a)


def test_a_network_is_a_value() -> None:
    net = TwoLayer(2, 3)
    before = net.a.clone()
    w = net.weights
    other = net.with_weights(w.moved(torch.ones_like(w.da), torch.ones_like(w.dw), w.extra))
    assert torch.equal(net.a, before)
    assert not torch.equal(other.a, before)


def test_bias_is_a_coordinate_held_at_one() -> None:
    net, x = TwoLayer(2, 6, "tanh", bias=True), points(5, 2)
    lifted = torch.cat([x, torch.ones(5, 1, dtype=x.dtype)], 1)
    torch.testing.assert_close(net(x), torch.tanh(lifted @ net.w.mT) @ net.a)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"width": 2.5},
        {"dim": 0},
        {"gamma": -1.0},
        {"gamma": "small"},
        {"init": "zero"},
        {"scaling": "no"},
        {"scaling": 1.5},
        {"scaling": -0.1},
        {"scaling": float("nan")},
        {"activation": "x"},
    ],
)
def test_row_3_bad_sizes_and_names_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="got .*, expected"):
        TwoLayer(**{"dim": 2, "width": 4, **options})


def test_the_dtype_and_device_do_not_change_the_draw(device: torch.device, dtype: torch.dtype) -> None:
    net = TwoLayer(2, 8).to(device=device, dtype=dtype)
    assert net.a0.dtype == dtype
    torch.testing.assert_close(net.a0.cpu(), TwoLayer(2, 8).a0.to(dtype))


def test_a_network_like_another_is_the_one_drawn_with_its_options(device: torch.device, dtype: torch.dtype) -> None:
    options = {"activation": "relu3", "bias": False, "gamma": "inv_width", "init": "uniform", "scaling": 0.25}
    psi = (lambda x: x[:, 0],)
    net = TwoLayer(2, 6, **options, seed=3, extra=psi).to(device=device, dtype=dtype)
    trained = net.with_weights(net.weights.moved(*map(torch.ones_like, net.weights.displacement)))
    for change in ({"seed": 5}, {"width": 9}, {"width": 4, "seed": 0}, {}):
        drawn = TwoLayer(**{"dim": 2, "width": 6, "seed": 3, "extra": psi, **options, **change})
        like = trained.like(**change)
        for name in ("a0", "w0", "da", "dw", "extra"):
            expected = getattr(drawn.weights, name).to(device=device, dtype=dtype)
            assert torch.equal(getattr(like.weights, name), expected)
        assert like.about == drawn.about and like.extra == psi


def test_a_network_like_another_is_refused_what_the_other_would_be() -> None:
    with pytest.raises(ValueError, match="expected an even one"):
        TwoLayer(2, 4, init="centred").like(width=5)
