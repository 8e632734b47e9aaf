"""∂f/∂x_j of a formula is a formula: the derivative that autograd finds, for every function of the whitelist."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ntk.expressions import FUNCTIONS, Expression, ExpressionError, parse

POINTS = torch.tensor([[0.31, 0.72], [0.55, 0.13], [0.87, 0.64], [0.44, 0.29]], dtype=torch.float64)
CALLS = [
    *[f"{name}(0.9*x*y + 0.05)" for name, f in FUNCTIONS.items() if 1 in f.arities],
    *[f"{name}(x*y, y - x/3)" for name, f in FUNCTIONS.items() if 2 in f.arities],
]


def by_autograd(f: Expression, x: torch.Tensor) -> torch.Tensor:
    """∇f, (n, d)."""
    points = x.clone().requires_grad_()
    values = f(points)
    if not values.requires_grad:
        return torch.zeros_like(x)
    (slope,) = torch.autograd.grad(values.sum(), points, allow_unused=True, materialize_grads=True)
    return slope


def by_tree(f: Expression, x: torch.Tensor) -> torch.Tensor:
    """∇f from the derivatives that f says."""
    slopes = [f.derivative(j) for j in range(x.shape[1])]
    return torch.stack([s(x) if callable(s) else torch.full_like(x[:, 0], s) for s in slopes], 1)


def agree(text: str, x: torch.Tensor = POINTS) -> None:
    f = parse(text, 2)
    expected = by_autograd(f, x)
    good = torch.isfinite(expected).all(1) & torch.isfinite(f(x))
    size = 1.0 + float(f(x)[good].abs().max() if bool(good.any()) else 0.0) + float(expected[good].abs().sum())
    torch.testing.assert_close(by_tree(f, x)[good], expected[good], rtol=1e-10, atol=1e-12 * size)


@pytest.mark.parametrize(
    "text",
    [
        *CALLS, "x**3*y", "x**0", "x**-2", "x**0.5", "(x + y)**1.5", "2**(x*y)", "0**x + x", "x**y", "(1 + x)**(y*y)",
        "x/y", "1/(x*y)", "-(x - y)", "x - x", "3", "y", "heaviside(x - x, x*y)", "minimum(x, x)", "maximum(x*y, y*x)",
        "*".join(["x"] * 190), "+".join(["x*y"] * 90), "sin(" * 45 + "x" + ")" * 45,
    ],
)  # fmt: skip
def test_the_derivative_is_that_of_autograd(text: str) -> None:
    agree(text)


leaves = st.sampled_from(["x", "y", "2", "0.5", "3", "pi"])
unary, binary = ([n for n, f in FUNCTIONS.items() if k in f.arities] for k in (1, 2))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(lambda p: f"({p[0]}){p[1]}({p[2]})"),
        st.tuples(inner, st.sampled_from(["2", "-1", "0.5", "3"])).map(lambda p: f"({p[0]})**{p[1]}"),
        inner.map(lambda a: f"-({a})"),
        st.tuples(st.sampled_from(unary), inner).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(st.sampled_from(binary), inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(trees)
def test_any_formula(text: str) -> None:
    try:
        f = parse(text, 2)
    except ExpressionError:
        return
    slopes = by_autograd(f, POINTS)
    if not bool((slopes.abs() < 1e6).all()) or not bool((f(POINTS).abs() < 1e6).all()):
        return  # rounding of what cancels is no error of the derivative
    agree(text)


def test_a_derivative_that_is_constant_is_a_number() -> None:
    assert parse("3*x + sin(y)", 2).derivative(0) == 3.0
    assert parse("sin(y)", 2).derivative(0) == 0.0
    assert parse("heaviside(x - 0.5)", 2).derivative(0) == 0.0


def test_it_is_called_by_what_it_is() -> None:
    slope = parse("(x**2 + t)", 2, time=True).derivative(0)
    assert isinstance(slope, Expression)
    assert (slope.text, slope.as_factor) == ("∂_x(x**2 + t)", (1, "∂_x(x**2 + t)"))
    again = slope.derivative(0)
    assert again == 2.0


def test_it_can_be_differentiated_again() -> None:
    second = parse("x**3*y", 2).derivative(0).derivative(1)  # type: ignore[union-attr]
    torch.testing.assert_close(second(POINTS), 3 * POINTS[:, 0] ** 2)


def test_at_a_kink_each_side_counts_half() -> None:
    x = torch.tensor([[0.5]], dtype=torch.float64)
    assert float(parse("maximum(x, 1 - x)", 1).derivative(0)(x)) == 0.0  # type: ignore[operator]
    assert float(parse("abs(x - 0.5)", 1).derivative(0)(x)) == 0.0  # type: ignore[operator]


def test_a_power_at_zero_has_the_derivative_of_torch() -> None:
    x = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(by_tree(parse("x**y", 2), x), by_autograd(parse("x**y", 2), x))


def test_an_overflow_in_a_derivative_is_infinite_and_has_a_value_for_each_point() -> None:
    slope = parse("1e200*(1e200*x)", 1).derivative(0)
    values = slope(POINTS[:, :1]) if callable(slope) else slope
    assert values.shape == (4,)  # type: ignore[union-attr]
    assert math.isinf(float(values[0]))  # type: ignore[index]
