"""Clouds of particles: every picture is one valid SVG without scripts, the moving one moves,
and clouds are seen where they spread.
"""

from xml.etree import ElementTree

import numpy as np
import pytest

from pinn_ntk.reporting import cloud_picture, marginals_picture, moving_cloud, plane_of, side_by_side

RNG = np.random.default_rng(0)
START = RNG.standard_normal((30, 3))
FRAMES = np.stack([START + t for t in np.linspace(0.0, 1.0, 5)])
PLANE = plane_of(START, bias=True)


def parsed(svg: bytes) -> ElementTree.Element:
    assert b"<script" not in svg
    return ElementTree.fromstring(svg)


def test_two_inputs_are_their_own_plane() -> None:
    assert np.array_equal(PLANE(START), START[:, 1:])
    assert (PLANE.xlabel, PLANE.ylabel) == ("$w_1$", "bias $w_2$")
    assert "bias" not in plane_of(START, bias=False).ylabel


def test_one_input_is_seen_beside_a() -> None:
    cloud = START[:, :2]
    assert np.array_equal(plane_of(cloud, bias=False)(cloud), cloud[:, ::-1])


def test_more_inputs_are_seen_where_they_spread_most() -> None:
    spread = np.array([1.0, 0.1, 5.0, 0.1, 3.0])
    cloud = RNG.standard_normal((4000, 5)) * spread
    seen = plane_of(cloud, bias=True)(cloud)
    # coordinates 2 and 4 have the standard deviations 5 and 3, and a itself is not looked at
    assert np.std(seen, axis=0) == pytest.approx([5.0, 3.0], rel=0.1)
    assert np.allclose(plane_of(cloud, bias=True).axes[0], 0.0)
    assert np.allclose(plane_of(cloud[::-1], bias=True).axes, plane_of(cloud, bias=True).axes)


def test_still_pictures_are_valid() -> None:
    cloud = cloud_picture("c", "a $title$ & more", FRAMES[0], FRAMES[-1], PLANE, "caption", beside=[2.0 * START])
    marginals = marginals_picture(
        "m", "m", "a", START[:, 0], [("one", START[:, 0] + 1.0), ("same", START[:, 0])], "caption"
    )
    for picture in (cloud, marginals):
        assert parsed(picture.svg).tag.endswith("svg")


def test_every_particle_moves_through_its_frames() -> None:
    root = parsed(moving_cloud("m", "moving", FRAMES, [f"t < {t}" for t in range(5)], PLANE, "caption").svg)
    circles = [node for node in root.iter() if node.tag.endswith("circle")]
    assert len(circles) == len(START)
    for circle in circles:
        moves = {child.get("attributeName"): child.get("values", "").split(";") for child in circle}
        x, y = (np.array(moves[name], dtype=float) for name in ("cx", "cy"))
        # equal steps to the right and up, and then a rest
        assert np.allclose(np.diff(x[:5]), np.diff(x[:5])[0], atol=0.11) and x[4] > x[0]
        assert y[4] < y[0]
        assert set(x[5:]) == {x[4]}
    assert [node.text for node in root.iter() if node.tag.endswith("text")] == [f"t < {t}" for t in range(5)]


def test_who_stands_still_is_not_animated() -> None:
    root = parsed(moving_cloud("m", "still", np.stack([START] * 3), ["", "", ""], PLANE, "caption").svg)
    assert all(len(node) == 0 for node in root.iter() if node.tag.endswith("circle"))


def test_two_pictures_become_one_that_keeps_both() -> None:
    each = moving_cloud("m", "moving", FRAMES, list("abcde"), PLANE, "caption")
    both = side_by_side("both", each, each, "caption")
    root = parsed(both.svg)
    inner = [node for node in root if node.tag.endswith("svg")]
    assert [float(node.get("x", "nan")) for node in inner] == [0.0, float(inner[0].get("width", "nan"))]
    assert len([node for node in root.iter() if node.tag.endswith("circle")]) == 2 * len(START)
    assert both.wide


def test_clouds_of_one_point_have_axes() -> None:
    one = np.zeros((3, 1, 3))
    assert parsed(moving_cloud("m", "one", one, ["a", "b", "c"], PLANE, "caption").svg).tag.endswith("svg")
    assert parsed(marginals_picture("m", "one", "a", one[0, :, 0], [], "caption").svg).tag.endswith("svg")


def test_one_label_per_frame() -> None:
    with pytest.raises(ValueError, match="labels: got 2 for 5 frames"):
        moving_cloud("m", "m", FRAMES, ["a", "b"], PLANE, "caption")
