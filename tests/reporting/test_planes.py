"""Maps end where the domain ends, panels share one scale, and nothing is asked or painted outside."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from modules import module_of
from torch import Tensor

from pinn_ntk.experiment import Settings, run
from pinn_ntk.geometry import Domain, annulus, ball, box, difference, ellipse, l_shape, over_time, union
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity
from pinn_ntk.problem import Block, Problem
from pinn_ntk.reporting import (
    FRAMES,
    Plane,
    Scale,
    center_of,
    draw_field,
    plane,
    planes_of,
    solution_section,
    telling,
    values_on,
)

PLANAR: dict[str, Domain] = {
    "box": box([-1.0, 0.0], [2.0, 1.0]),
    "disc": ball([0.3, -0.2], 1.5),
    "ellipse": ellipse([0.0, 0.0], [2.0, 0.7], 0.4),
    "annulus": annulus([0.0, 0.0], 0.4, 1.0),
    "l_shape": l_shape(),
    "made of others": difference(
        union(box([-2, -1], [1, 1]), ball([1, 0], 1.0)), ball([0.9, 0], 0.35), ball([-1, 0.2], 0.5)
    ),
}


def wavy(x: Tensor) -> Tensor:
    return torch.sin(3.0 * x[:, 0]) * torch.cos(2.0 * x.sum(1))


def problem_on(domain: Domain, exact: Callable[[Tensor], Tensor] = wavy, time: bool = False) -> Problem:
    x = domain.interior(12)
    return Problem([Block(identity(domain.dim), x, exact)], exact=exact, domain=domain, time=time)


def whole_plane(name: str) -> Plane:
    problem = problem_on(PLANAR[name])
    return plane(problem, (0, 1), center_of(problem), 61)


def area(curve: np.ndarray) -> float:
    """½ Σ (x_i y_{i+1} − x_{i+1} y_i), positive with the inside on the left."""
    (x, y), (p, q) = curve.T, np.roll(curve, -1, 0).T
    return float((x * q - p * y).sum()) / 2.0


@pytest.mark.parametrize("name", PLANAR)
def test_the_outline_encloses_the_domain(name: str) -> None:
    found = whole_plane(name)
    assert sum(map(area, found.outline)) == pytest.approx(PLANAR[name].volume, rel=1e-3)
    assert len(found.outline) == 1 + len(PLANAR[name].holes)
    for curve in found.outline:
        np.testing.assert_allclose(curve[0], curve[-1], atol=1e-12)


def test_the_outline_is_as_sharp_as_the_eye() -> None:
    for curve in whole_plane("annulus").outline:
        radius = np.hypot(*curve.T)
        assert min(np.abs(radius - r).max() for r in (0.4, 1.0)) < 2e-3
    corner = min(float(np.hypot(*(point - np.zeros(2)))) for curve in whole_plane("l_shape").outline for point in curve)
    assert corner < 0.01


def test_a_function_is_not_asked_outside() -> None:
    for name, domain in PLANAR.items():

        def picky(x: Tensor, domain: Domain = domain) -> Tensor:
            assert bool(domain.contains(x).all())
            return x.sum(1)

        where = whole_plane(name)
        field = values_on(picky, where, 1)
        np.testing.assert_array_equal(np.isnan(field), ~where.inside)
        assert where.whole == (name == "box")


@pytest.mark.parametrize("name", ["annulus", "l_shape", "ellipse", "made of others"])
def test_pixels_outside_are_white_and_those_inside_are_not(name: str) -> None:
    where, figure = whole_plane(name), Figure(figsize=(4, 2), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    draw_field(axes, where, np.where(where.inside, 0.5, np.nan), Scale("viridis", 0.0, 1.0))
    axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba")
    pixels = np.frombuffer(buffer.getvalue(), dtype=np.uint8).reshape(200, 400, 4)[::-1]
    rows, columns = np.mgrid[5:195:7, 5:395:7]
    x = axes.transData.inverted().transform(np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], 1))
    shrunk = [torch.from_numpy(x + 0.03 * np.array(v)) for v in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    votes = torch.stack([PLANAR[name].contains(s) for s in shrunk]).sum(0).numpy()
    white = (pixels[rows.ravel(), columns.ravel(), :3] == 255).all(1)
    assert not white[votes == 4].any()
    assert white[votes == 0].all()


def test_colours_are_carried_to_the_outline_and_not_changed_inside() -> None:
    field = np.full((7, 7), np.nan)
    field[2:5, 2:5] = np.arange(9.0).reshape(3, 3)
    carried = module_of(draw_field)._carried(field)
    np.testing.assert_array_equal(carried[2:5, 2:5], field[2:5, 2:5])
    assert carried[1, 1] == field[2, 2]
    assert np.nanmin(carried) >= 0.0
    assert np.nanmax(carried) <= 8.0


def test_which_planes_are_shown() -> None:
    def planes(domain: Domain, exact: Callable[[Tensor], Tensor] = wavy, time: bool = False) -> tuple[Plane, ...]:
        return planes_of(problem_on(domain, exact, time), exact, 16)

    assert planes(box([0.0], [1.0])) == ()
    assert [p.held for p in planes(PLANAR["annulus"])] == [""]
    assert [p.held for p in planes(ball([0, 0, 0], 1.0))] == ["z = 0", "y = 0", "x = 0"]
    moments = planes(over_time(PLANAR["annulus"], 0.0, 2.0), time=True)
    assert [p.held for p in moments] == ["t = 0", "t = 0.4", "t = 0.8", "t = 1.2", "t = 1.6", "t = 2"]
    assert len(moments) == FRAMES
    far = planes(box([0.0] * 5, [1.0] * 5), lambda x: torch.sin(6.0 * x[:, 1]) + x[:, 4])
    assert [(p.axes, p.held) for p in far] == [((1, 4), "x₁ = 0.5, x₃ = 0.5, x₄ = 0.5")]
    later = planes(box([0.0] * 4, [1.0] * 4), lambda x: x[:, 0] * x[:, 3] + x[:, 2], time=True)
    assert {p.axes for p in later} == {(0, 2)}
    (space_time,) = planes(box([0.0, 0.0], [1.0, 3.0]), time=True)
    assert not space_time.alike


def test_the_centre_lies_in_the_domain_where_the_middle_does_not() -> None:
    shell = problem_on(annulus([0.0, 0.0, 0.0], 0.5, 1.0))
    center = torch.tensor([center_of(shell)])
    assert bool(shell.domain.contains(center).all())
    assert 0.5 <= float(center.norm()) < 0.7
    assert telling(shell, lambda x: x[:, 1] + 0.1 * x[:, 2], center_of(shell)) == (1, 2)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Figure]]:
    def draw(problem: Problem, steps: int = 2) -> dict[str, Figure]:
        caught: list[Figure] = []
        for drawing in (draw_field, solution_section):
            monkeypatch.setattr(module_of(drawing), "render", lambda figure: caught.append(figure) or b"")
        settings = Settings(steps=steps, tracked=2, theory=False, kernel=False)
        record = run(problem, TwoLayer(problem.dim, 16, "tanh"), settings)
        pictures = solution_section(record).pictures
        return dict(zip((p.name for p in pictures), caught, strict=True))

    return draw


@pytest.mark.parametrize(
    ("domain", "time", "panels"),
    [
        (over_time(PLANAR["annulus"], 0.0, 1.0), True, FRAMES),
        (ball([0, 0, 0], 1.0), False, 3),
        (PLANAR["made of others"], False, 1),
    ],
)
def test_all_panels_of_a_picture_share_one_scale(drawn, domain: Domain, time: bool, panels: int) -> None:
    figures = drawn(problem_on(domain, time=time))
    images = {
        name: [image for axes in figure.axes for image in axes.images]
        for name, figure in figures.items()
        if name != "residual"
    }
    assert {name: len(found) for name, found in images.items()} == {
        "solution": panels,
        "exact": panels,
        "error": panels,
    }
    limits = {name: {image.get_clim() for image in found} for name, found in images.items()}
    assert limits["solution"] == limits["exact"]
    assert all(len(one) == 1 for one in limits.values())
    assert sum(next(iter(limits["error"]))) == 0.0
    for u, exact, error in zip(*images.values(), strict=True):
        np.testing.assert_allclose(error.get_array(), u.get_array() - exact.get_array(), atol=1e-13)


def test_a_curve_stops_where_the_domain_does(drawn) -> None:
    figures = drawn(problem_on(union(box([0.0], [1.0]), box([2.0], [3.0]))))
    for line in figures["solution"].axes[0].get_lines():
        x, y = (np.asarray(values, dtype=float) for values in line.get_data())
        np.testing.assert_array_equal(np.isnan(y), (x > 1.0 + 1e-9) & (x < 2.0 - 1e-9))


def test_a_peak_of_the_error_does_not_make_the_rest_white() -> None:
    size_of = module_of(solution_section)._size
    error = np.full(1000, 1e-3)
    error[7] = -1.0
    assert size_of(error) == (1e-3, 1.0)
    assert size_of(np.linspace(-1.0, 1.0, 1000)) == (1.0, 1.0)
    assert size_of(np.zeros(4)) == (1e-300, 1e-300)
    assert size_of(np.full(3, np.nan))[1] == 1e-300


def test_axes_of_space_are_to_scale(drawn) -> None:
    axes = drawn(problem_on(PLANAR["disc"]))["solution"].axes[0]
    figure, size = axes.figure, axes.get_position()
    width, height = size.width * figure.get_figwidth(), size.height * figure.get_figheight()
    spans = [hi - lo for lo, hi in (axes.get_xlim(), axes.get_ylim())]
    assert height / width == pytest.approx(spans[1] / spans[0])
