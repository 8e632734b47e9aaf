"""What figures draw is what the record holds, at the right place and under the right name."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from modules import module_of

from pinn_ntk.comparison import exit_time
from pinn_ntk.reporting import (
    ENVELOPE,
    MEASURED,
    Record,
    axis_names,
    curve,
    draw_field,
    drift_section,
    legend,
    log_y,
    loss_section,
    number,
    panel,
    plain,
    positive,
    progress_x,
    render,
    solution_section,
)

field_plots = module_of(draw_field)
kernel_plots = module_of(drift_section)
solution_plots = module_of(solution_section)
training_plots = module_of(loss_section)

RecordOf = Callable[[str], Record]
Drawn = dict[str, Figure]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Record], Drawn]:
    """Figures of a section by name, caught before they become SVG."""

    def draw(section: Any, record: Record) -> Drawn:
        caught: list[Figure] = []
        for module in (field_plots, kernel_plots, solution_plots, training_plots):
            monkeypatch.setattr(module, "render", lambda figure: caught.append(figure) or b"")
        return dict(zip((p.name for p in section(record).pictures), caught, strict=True))

    return draw


def line(figure: Figure, label: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    found = next(item for item in figure.axes[0].get_lines() if label in str(item.get_label()))
    return np.asarray(found.get_xdata(), dtype=float), np.asarray(found.get_ydata(), dtype=float)


def test_the_black_line_is_the_measured_loss(drawn: Callable[[Any, Record], Drawn], record_of: RecordOf) -> None:
    record = record_of("theorem")
    steps, losses = line(drawn(training_plots.loss_section, record)["loss"], "measured")
    np.testing.assert_array_equal(losses, record.history.losses[steps.astype(int)])
    assert steps[0] == 0
    assert steps[-1] == record.history.final.step


def test_the_linearised_curve_starts_at_the_measured_loss(
    drawn: Callable[[Any, Record], Drawn], record_of: RecordOf
) -> None:
    record = record_of("theorem")
    steps, linear = line(drawn(training_plots.loss_section, record)["loss"], "linearised")
    assert math.isclose(linear[0], record.history.losses[0], rel_tol=1e-12)
    np.testing.assert_array_equal(steps, record.history.columns["step"])


def test_the_bound_is_a_straight_line_of_the_promised_slope(
    drawn: Callable[[Any, Record], Drawn], record_of: RecordOf
) -> None:
    record = record_of("theorem")
    assert record.prediction is not None
    assert record.prediction.lazy is not None
    times, bound = line(drawn(training_plots.loss_section, record)["bound"], "bound")
    np.testing.assert_allclose(np.diff(np.log(bound)) / np.diff(times), -record.prediction.lazy.rate, rtol=1e-9)
    assert math.isclose(bound[0], record.history.losses[0], rel_tol=1e-12)
    measured = line(drawn(training_plots.loss_section, record)["bound"], "measured")
    assert np.all(measured[1] <= np.interp(measured[0], times, bound) * 1.001)


def test_the_error_history_and_its_prediction_agree_while_the_network_is_lazy(
    drawn: Callable[[Any, Record], Drawn], record_of: RecordOf
) -> None:
    record = record_of("1d")
    figure = drawn(training_plots.loss_section, record)["error_history"]
    (_, measured), (_, linear) = line(figure, "$L^2$, measured"), line(figure, "linearised")
    np.testing.assert_array_equal(measured, record.history.columns["relative_l2"])
    assert math.isclose(linear[0], measured[0], rel_tol=1e-10)
    assert math.isclose(linear[1], measured[1], rel_tol=0.05)


def test_three_ways_to_the_decrease_of_the_loss_agree_in_the_picture(
    drawn: Callable[[Any, Record], Drawn], record_of: RecordOf
) -> None:
    figure = drawn(training_plots.dissipation_section, record_of("theorem"))["dissipation"]
    (_, kernel), (_, gradient), (_, fall) = (line(figure, label) for label in ("kernel", "gradient", "measured"))
    np.testing.assert_allclose(kernel, gradient, rtol=1e-9)
    assert np.all(np.abs(fall / gradient[: len(fall)] - 1.0) < 0.6)  # half the step limit: 1 − τλ_max/2 ≥ ½


def test_lines_of_the_drift_are_at_a_quarter_and_a_half_of_lambda_s(
    drawn: Callable[[Any, Record], Drawn], record_of: RecordOf
) -> None:
    record = record_of("theorem")
    assert record.prediction is not None
    figures = drawn(kernel_plots.drift_section, record)
    lambda_s = 0.5 - 0.5 / math.pi
    assert math.isclose(line(figures["drift"], "/4")[1][0], lambda_s / 4.0, rel_tol=1e-6)
    green = sorted(
        float(np.asarray(item.get_ydata())[0])
        for item in figures["lambda_min"].axes[0].get_lines()
        if item.get_color() == ENVELOPE
    )
    np.testing.assert_allclose(green, [lambda_s / 2.0, 0.75 * lambda_s, lambda_s], rtol=1e-6)
    left = exit_time(record.prediction, record.history)
    axes = figures["drift"].axes[0]
    marked = [item for item in axes.patches if "t*" in str(item.get_label())]
    assert (left is not None) == bool(marked)


def test_maps_of_u_and_exact_share_their_colours_and_the_error_is_their_difference(
    drawn: Callable[[Any, Record], Drawn], record_of: RecordOf
) -> None:
    figures = drawn(solution_plots.solution_section, record_of("heat_in_space_and_time"))
    u, exact, error = (figures[name].axes[0].images[0] for name in ("solution", "exact", "error"))
    assert u.get_clim() == exact.get_clim()
    assert error.get_clim()[0] == -error.get_clim()[1]
    np.testing.assert_allclose(error.get_array(), u.get_array() - exact.get_array(), atol=1e-14)
    axes = figures["exact"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "t")
    middle = exact.get_array()[:, 50]  # x = ½: e^{−κπ²t}
    np.testing.assert_allclose(middle, np.exp(-0.1 * math.pi**2 * np.linspace(0.0, 1.0, 101)), rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "names", "held"),
    [("soft_3d", ("x", "y", "z"), ("x", "y", "z")), ("5d", ("x₁", "x₂", "x₃", "x₄", "x₅"), ("x₂", "x₃", "x₄"))],
)
def test_beyond_two_dimensions_planes_go_through_the_middle_and_say_so(
    record_of: RecordOf, kind: str, names: tuple[str, ...], held: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = record_of(kind)
    assert axis_names(record.problem) == names
    if kind == "5d":  # sin x₁ + x₅: what is exact is told, whatever the network has learned of it
        monkeypatch.setattr(type(record.problem), "solution", lambda self, network: self.exact)
    lead = solution_plots.solution_section(record).lead
    assert [name for name in names if f"{name} = 0.5" in lead] == list(held)


def test_a_section_of_a_flow_has_time_on_its_axis(drawn: Callable[[Any, Record], Drawn], record_of: RecordOf) -> None:
    record = record_of("flow")
    times, losses = line(drawn(training_plots.loss_section, record)["loss"], "measured")
    np.testing.assert_array_equal(times, record.history.columns["time"])
    np.testing.assert_array_equal(losses, record.history.losses)


@given(st.text(max_size=40))
@settings(max_examples=12, deadline=None)
def test_any_name_can_be_a_label(name: str) -> None:
    figure, axes = panel("title", "x", "y")
    curve(axes, [0.0, 1.0, 2.0], [1.0, 2.0, 3.0], MEASURED, plain(name) or "unnamed")
    legend(axes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert render(figure).startswith(b"<?xml")


@given(st.lists(st.floats(), max_size=6))
@settings(max_examples=12, deadline=None)
def test_any_numbers_can_be_drawn_on_logarithmic_axes(values: list[float]) -> None:
    figure, axes = panel("title", "x", "y")
    curve(axes, np.arange(len(values)), positive(values), MEASURED)
    log_y(axes, values)
    progress_x(axes, np.arange(len(values)))
    low, high = axes.get_ylim()
    assert low < high
    shown = positive(values)[np.isfinite(positive(values))]
    assert np.all((shown >= low * (1 - 1e-9)) & (shown <= high * (1 + 1e-9)))
    assert render(figure).startswith(b"<?xml")


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_a_number_is_shown_to_three_digits(value: float) -> None:
    text = number(value).replace("\u202f", "").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert math.isclose(float(text.replace("·10", "e")), value, rel_tol=5.001e-3)
    assert number(-value) == "−" + number(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (0.0, "0"),
        (4096, "4\u202f096"),
        (0.0117, "0.0117"),
        (1.28e-32, "1.28·10⁻³²"),
    ],
)
def test_numbers_read_as_a_person_would_write_them(value: float | None, text: str) -> None:
    assert number(value) == text


def test_below_the_floor_no_digits_are_shown() -> None:
    assert number(1e-19, floor=2e-16) == "below its floor 2.00·10⁻¹⁶"
