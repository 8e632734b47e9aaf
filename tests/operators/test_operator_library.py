"""Presets: each on a function whose image is known in closed form."""

import math

import pytest
import torch
from cases import points

from pinn_ntk.operators import (
    OPERATORS,
    advection_diffusion,
    black_scholes,
    divergence,
    elliptic,
    heat,
    helmholtz,
    identity,
    laplacian,
    normal_derivative,
    robin,
    time_derivative,
    wave,
)

SIN = lambda x: torch.sin(2.0 * x[:, 0]) * torch.exp(3.0 * x[:, 1])  # noqa: E731

KNOWN = {
    "identity": (identity(2), SIN, lambda x: SIN(x)),
    "laplacian": (laplacian(2), SIN, lambda x: (9.0 - 4.0) * SIN(x)),
    "helmholtz": (helmholtz(2, 3.0), SIN, lambda x: 14.0 * SIN(x)),
    "advection_diffusion": (
        advection_diffusion(2, 0.5, [0.0, 2.0]),
        SIN,
        lambda x: (-0.5 * 5.0 + 6.0) * SIN(x),
    ),
    "heat": (heat(1, 0.25), SIN, lambda x: (3.0 + 0.25 * 4.0) * SIN(x)),
    "wave": (wave(1, 2.0), SIN, lambda x: (9.0 + 4.0 * 4.0) * SIN(x)),
    "time_derivative": (time_derivative(1), SIN, lambda x: 3.0 * SIN(x)),
    "normal_derivative": (normal_derivative(2, [0.0, 1.0]), SIN, lambda x: 3.0 * SIN(x)),
    "robin": (robin(2, [0.0, -1.0], 2.0, 5.0), SIN, lambda x: (2.0 - 15.0) * SIN(x)),
    "black_scholes": (
        black_scholes(0.4, 0.03),
        lambda x: x[:, 0] ** 2 * torch.exp(-(0.03 + 0.16) * x[:, 1]),
        lambda x: 0.0 * x[:, 0],
    ),
    "divergence": (
        divergence(2, lambda x: 1.0 + x[:, 0] ** 2),
        lambda x: x[:, 0] ** 2,
        lambda x: -2.0 - 6.0 * x[:, 0] ** 2,
    ),
    "elliptic": (
        elliptic(2, lambda x: 1.0 + x[:, 0] ** 2, 0.0, divergence=lambda x: torch.stack([2 * x[:, 0], 0 * x[:, 0]], 1)),
        lambda x: x[:, 0] ** 2,
        lambda x: 2.0 + 6.0 * x[:, 0] ** 2,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_preset_has_its_closed_form_image(name: str) -> None:
    operator, u, image = KNOWN[name]
    x = points(20, 2)
    torch.testing.assert_close(operator.apply(u, x), image(x), rtol=1e-12, atol=1e-11)


def test_every_preset_is_tested() -> None:
    assert set(KNOWN) == set(OPERATORS)


@pytest.mark.parametrize("make", [lambda: heat(1, 0.0), lambda: wave(1, -1.0), lambda: black_scholes(math.nan)])
def test_a_parameter_that_is_not_positive_is_refused(make) -> None:
    with pytest.raises(ValueError, match="expected a (positive )?number"):
        make()
