"""Rules of quadrature obey the divergence theorem ∫_Ω div F = ∫_∂Ω F·ν on every domain, and tell their own error."""

import math

import pytest
import torch
from geometry_cases import DOMAINS, PERFORATED
from torch import Tensor

from pinn_ntk.geometry import ball, box, difference, ellipse, piece_place, polygon, union, volume_place

PRODUCTS = ("interval", "square", "disc", "ball", "annulus", "thin_ring", "shell", "triangle", "l_shape", "star")
PRODUCTS += ("ball_1d", "interval_over_time", "disc_over_time")
FAST = [name for name in DOMAINS if DOMAINS[name].dim <= 6]


def field(x: Tensor) -> Tensor:
    """F = x e^{x₁/2}."""
    return x * (0.5 * x[:, :1]).exp()


def divergence(x: Tensor) -> Tensor:
    return (x.shape[1] + 0.5 * x[:, 0]) * (0.5 * x[:, 0]).exp()


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_gauss_obey_the_divergence_theorem_to_rounding(name: str) -> None:
    domain, through = DOMAINS[name], 0.0
    rule = volume_place(domain).gauss
    assert rule is not None
    x, w = rule(24)
    assert bool(domain.contains(x).all())
    assert float(w.sum()) == pytest.approx(domain.volume, rel=1e-13)
    for k, piece in enumerate(domain.pieces):
        place = piece_place(domain, k)
        assert place.gauss is not None and place.normal is not None
        y, v = place.gauss(24)
        assert bool(piece.contains(y).all())
        assert float(v.sum()) == pytest.approx(piece.measure, rel=1e-13)
        through += float((v * (field(y) * place.normal(y)).sum(1)).sum())
    assert through == pytest.approx(float((w * divergence(x)).sum()), rel=1e-11)


@pytest.mark.parametrize("name", FAST)
def test_scrambled_points_agree_within_their_own_spread(name: str) -> None:
    domain = DOMAINS[name]

    def both(n: int, seed: int) -> float:
        x, w = volume_place(domain).sobol(n, seed)
        total = float((w * divergence(x)).sum())
        for k in range(len(domain.pieces)):
            place = piece_place(domain, k)
            assert place.normal is not None
            y, v = place.sobol(n, seed)
            total -= float((v * (field(y) * place.normal(y)).sum(1)).sum())
        return total

    gaps = torch.tensor([both(2039 - 101 * k, k) for k in range(8)], dtype=torch.float64)
    assert abs(float(gaps.mean())) <= 4.0 * float(gaps.std()) / math.sqrt(8) + 1e-9 * domain.volume


def test_a_polygon_with_straight_and_reflex_vertices_is_whole() -> None:
    comb = polygon([(0, 0), (7, 0), (7, 3), (6, 3), (6, 1), (4, 1), (4, 3), (3, 3), (3, 1), (1, 1), (1, 3), (0, 3)])
    rule = volume_place(comb).gauss
    assert rule is not None
    x, w = rule(4)
    assert float(w.sum()) == pytest.approx(comb.volume, rel=1e-14)
    assert float((w * x[:, 0] * x[:, 1]).sum()) == pytest.approx(
        24.5 * 0.5 + 4.0 * (0.5 + 3.5 + 6.5), rel=1e-13
    )  # ∫xy of the back [0, 7] × [0, 1] and the three teeth of height 2


SLICED = {
    "perforated": (PERFORATED, 1.0 - 0.04 * math.pi),
    "ellipse": (DOMAINS["ellipse"], 3.0 * math.pi),
    "a tilted square out of a disc": (
        difference(ball([0, 0], 1.0), polygon([(0.5, 0.1), (0.1, 0.5), (-0.3, 0.1), (0.1, -0.3)])),
        math.pi - 0.32,
    ),
    "a slanted hole": (
        difference(box([0, 0], [4, 4]), polygon([(1, 1), (3, 2), (3, 3)]), ellipse([1, 3], [0.5, 0.2], 0.4)),
        16.0 - 1.0 - 0.1 * math.pi,
    ),
    "two discs": (union(ball([0, 0], 1.0), ball([3, 0.5], 0.5)), 1.25 * math.pi),
}


@pytest.mark.parametrize("name", SLICED)
def test_slices_of_plane_domains_have_their_area_and_moments(name: str) -> None:
    domain, area = SLICED[name]
    rule = volume_place(domain).gauss
    assert rule is not None
    (x, w), (y, v) = rule(16), rule(32)
    assert bool(domain.contains(x).all())
    assert float(w.sum()) == pytest.approx(area, rel=1e-10)
    assert float((w * divergence(x)).sum()) == pytest.approx(float((v * divergence(y)).sum()), rel=1e-10)


def test_domains_whose_boundaries_cross_are_not_sliced() -> None:
    """Where two parts cut one another, an interval may be born at a place that no part knows of."""
    assert all(volume_place(DOMAINS[name]).gauss is None for name in ("keyhole", "lens", "cross", "c_shape"))


def test_a_place_at_a_time_is_the_place_with_that_time_last() -> None:
    disc = DOMAINS["disc"]
    for place in (volume_place(disc), piece_place(disc, 0)):
        then = place.at_time(0.3)
        assert place.gauss is not None and then.gauss is not None
        (x, w), (y, v) = place.gauss(5), then.gauss(5)
        assert torch.equal(y[:, :2], x) and torch.equal(v, w) and bool((y[:, 2] == 0.3).all())
    assert then.normal is not None and bool((then.normal(y)[:, 2] == 0.0).all())
