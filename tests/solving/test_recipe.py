"""Recipes draw what they say; corners and extra functions are where they belong."""

import math

import numpy as np
import pytest
import torch

from pinn_ntk.geometry import Box, ball, difference, l_shape
from pinn_ntk.networks import extra_rows
from pinn_ntk.operators import laplacian
from pinn_ntk.problem import dirichlet, pose
from pinn_ntk.solving import Focus, Frame, Recipe, Task, called_for, corners_besides, wedges

FRAME = Frame((0.0, -1.0, 2.0), (1.0, 3.0, 2.5))


def test_scales_are_measured_in_half_lengths() -> None:
    w = Recipe("tanh", (1.0, 2.0, 8.0), 3).draw(4000, FRAME, 0)
    largest = w[:, :3].abs().amax(0) * torch.tensor(FRAME.half)
    assert torch.allclose(largest, torch.tensor([1.0, 2.0, 8.0], dtype=torch.float64), rtol=1e-2)
    centre = torch.tensor([0.5, 1.0, 2.25], dtype=torch.float64)
    assert float((w[:, :3] @ centre + w[:, 3]).mean().abs()) < 0.2  # planes σ = σ(0) pass through the box


@pytest.mark.parametrize("axes", [1, 2])
def test_sparse_neurons_see_as_many_axes(axes: int) -> None:
    w = Recipe("sin", (1.0, 1.0, 1.0), axes).draw(500, FRAME, 1)
    assert bool(((w[:, :3] != 0.0).sum(1) == axes).all())


def test_the_same_seed_draws_the_same_neurons() -> None:
    recipe = Recipe("sin", (1.0, 1.0, 1.0), 3)
    assert torch.equal(recipe.draw(10, FRAME, 5), recipe.draw(10, FRAME, 5))
    assert not torch.equal(recipe.draw(10, FRAME, 5), recipe.draw(10, FRAME, 6))


def test_focus_draws_centres_where_the_monitor_is_large() -> None:
    points = np.random.default_rng(0).random((4000, 2))
    peak = np.exp(-200.0 * ((points - 0.5) ** 2).sum(1))
    recipe = Recipe("tanh", (4.0, 4.0), 2, Focus.on(points, peak))
    w = recipe.draw(2000, Frame((0.0, 0.0), (1.0, 1.0)), 0)
    near = (w[:, :2] @ torch.tensor([0.5, 0.5], dtype=torch.float64) + w[:, 2]).abs().median()
    plain = Recipe("tanh", (4.0, 4.0), 2).draw(2000, Frame((0.0, 0.0), (1.0, 1.0)), 0)
    assert near < 0.5 * (plain[:, :2] @ torch.tensor([0.5, 0.5], dtype=torch.float64) + plain[:, 2]).abs().median()
    assert "where u bends" in str(recipe)


def test_corners_of_boxes_and_polygons() -> None:
    square, shape = wedges(Box([0.0, 0.0], [2.0, 1.0])), wedges(l_shape())
    assert [c.angle for c in square] == [math.pi / 2] * 4
    assert sorted(round(math.degrees(c.angle)) for c in shape) == [90] * 5 + [270]
    assert not wedges(Box([0.0] * 3, [1.0] * 3)) and not wedges(None)
    holed = difference(Box([0.0, 0.0], [2.0, 1.0]), ball([1.0, 0.5], 0.2))
    assert [(c.angle, c.vertex) for c in sorted(wedges(holed), key=str)] == [
        (math.pi / 2, c.vertex) for c in sorted(square, key=str)
    ]
    assert {c.vertex: c.sides for c in wedges(holed)} == {c.vertex: c.sides for c in square}
    notched = difference(Box([0.0, 0.0], [2.0, 2.0]), Box([1.0, 1.0], [3.0, 3.0]))
    assert sorted(round(math.degrees(c.angle)) for c in wedges(notched)) == [90] * 5 + [270]
    assert [round(math.degrees(c.angle)) for c in notched.corners] == [270]


def test_harmonic_functions_at_a_corner_are_harmonic() -> None:
    task = Task(pose(laplacian(2), l_shape(), source=-1.0, given=[dirichlet(0)]))
    rows = laplacian(2).rows(task.problem.domain.interior(64))  # type: ignore[union-attr]
    harmonic = [f for f in called_for(task).functions if f.parameters[-2] == 0.0] + list(
        corners_besides(task).functions
    )
    assert harmonic
    for psi in harmonic:
        size = psi.jet(rows.x)[2].abs().amax()
        assert float(extra_rows(rows, psi).abs().max()) <= 1e-10 * float(size)
