"""A formula is the function it says."""

import inspect
import math
import pickle
import sys

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import grad, hessian, jvp, vmap

from pinn_ntk.expressions import Expression, ExpressionError, check_finite, parse, variable_names

pytestmark = pytest.mark.filterwarnings(
    "ignore:.torch.jit.script. is deprecated:DeprecationWarning"
)  # by torch's own forward mode
SAME = (
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "exp",
    "log",
    "sqrt",
    "abs",
    "sign",
    "minimum",
    "maximum",
    "pi",
    "e",
)
NUMPY = {name: getattr(np, name) for name in SAME} | {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "erf": scipy.special.erf,
    "heaviside": lambda z, v=0.5: np.heaviside(z, v), "np": np,
}  # fmt: skip


def points(n: int = 7, dim: int = 2) -> torch.Tensor:
    return 0.1 + 0.8 * torch.rand(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def reference(text: str, x: torch.Tensor) -> np.ndarray:
    """The same text by Python's own evaluation on numpy arrays: only for texts that these tests wrote."""
    columns = dict(zip(("x", "y", "z"), x.numpy().T, strict=False)) | {
        f"x{i + 1}": c for i, c in enumerate(x.numpy().T)
    }
    with np.errstate(all="ignore"):
        return np.broadcast_to(eval(text, {"__builtins__": {}}, NUMPY | columns), len(x))


def read_or_error(text: str) -> Expression | ExpressionError:
    try:
        return parse(text, 2)
    except ExpressionError as error:
        return error


# ------------------------------------------------------------------------------------------------------------- the
# function it says
@pytest.mark.parametrize(
    "text",
    [
        "sin(x)", "cos(x)", "tan(x)", "asin(x)", "acos(x)", "atan(x)", "sinh(x)", "cosh(x)", "tanh(x)", "exp(x)",
        "log(x)", "sqrt(x)",
        "abs(x - y)", "sign(x - .5)", "erf(x)", "heaviside(x - .5)", "heaviside(x - x, .25)", "minimum(x, y)",
        "maximum(x, .5)",
        "minimum(.5, x)", "atan2(y, x)", "atan2(1, x)", "2*pi**2*sin(pi*x)*sin(pi*y)", "-x**2", "(-x)**2", "2**-x",
        "2**x**2", "x**y",
        "x**-3", "x**0.5", "x**(1/3)", "-+-x", "x - y - x*y", "x/y/2", "x/(y/2)", "x - (y - 2)", "1_000*x", "0x10*y",
        "1e-3*x + .5",
        "e**x", "x1*x2 + x", "x**0", "3", "-pi/4", "2**3**2/10", "+".join(["x"] * 200), " x ",
        "(" * 60 + "x" + ")" * 60, "-exp(x*y)",
        "1 + x*x", "x**-16",
    ],
)  # fmt: skip
def test_formula_equals_numpy(text: str) -> None:
    x = points()
    values = parse(text, 2)(x)
    assert values.shape == (7,)
    assert values.dtype == torch.float64
    np.testing.assert_allclose(values.numpy(), reference(text.strip(), x), rtol=1e-13, atol=1e-15)


literal = st.sampled_from(["2", "0.5", "3.0", "1e-2", "7"]).map(lambda number: f"⟨{number}⟩")
trees = st.recursive(
    st.one_of(st.sampled_from(["x", "y", "x1", "x2", "pi"]), literal),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
        st.tuples(st.sampled_from(["-", "+", ""]), inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
        st.tuples(inner, st.sampled_from(["0", "1", "2", "3", "-1", "-2", "0.5", "-1.5"])).map(
            lambda pair: f"({pair[0]})**{pair[1]}"
        ),
        st.tuples(st.sampled_from(["sin", "cos", "tanh", "atan", "erf", "abs", "sqrt"]), inner).map(
            lambda pair: f"{pair[0]}({pair[1]})"
        ),
        st.tuples(st.sampled_from(["minimum", "maximum"]), inner, inner).map(
            lambda three: f"{three[0]}({three[1]}, {three[2]})"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(trees)
def test_random_formula_equals_numpy(tree: str) -> None:
    x = points(5)
    expected = reference(tree.replace("⟨", "np.float64(").replace("⟩", ")"), x)
    text = tree.replace("⟨", "").replace("⟩", "")
    expression = read_or_error(text)
    if isinstance(expression, ExpressionError):
        assert "a constant is" in expression.reason  # 1/0 and the like: the only refusal that such a tree can earn
        return
    np.testing.assert_allclose(expression(x).numpy(), expected, rtol=1e-7, atol=1e-9, equal_nan=True)
    if expression.is_constant:
        assert math.isfinite(expression.value)


def test_constants_are_folded_and_known() -> None:
    cases = [
        ("0", 0.0),
        ("-pi", -math.pi),
        (2, 2.0),
        (-1.5e-7, -1.5e-7),
        ("sqrt(2)**2/2", 1.0),
        (np.float64(0.5), 0.5),
        (10**300, 1e300),
    ]
    for text, value in cases:
        expression = parse(text, 3)
        assert expression.is_constant
        assert expression.value == pytest.approx(value, rel=1e-15)
        assert expression(points(4, 3)).tolist() == [expression.value] * 4
    expression = parse("2*x", 3)
    assert not expression.is_constant
    with pytest.raises(ValueError, match="depends on the coordinates"):
        _ = expression.value


def test_coordinates_have_names_and_aliases() -> None:
    assert variable_names(2) == ("x", "y")
    assert variable_names(3, time=True) == ("x", "y", "t")
    assert variable_names(4, time=True) == ("x", "y", "z", "t")
    assert variable_names(5) == ("x1", "x2", "x3", "x4", "x5")
    assert variable_names(1, time=True) == ("t",)
    x = points(3, 5)
    assert torch.equal(parse("x3", 5)(x), x[:, 2])
    assert torch.equal(parse("t - x1", 5, time=True)(x), x[:, 4] - x[:, 0])
    assert torch.equal(parse("z", 4, time=True)(x[:, :4]), parse("x3", 4, time=True)(x[:, :4]))
    for bad in (0, -1, True, 2.0):
        with pytest.raises(ValueError, match="dim must be"):
            variable_names(bad)


# -------------------------------------------------------------------------------------------------------------
# derivatives, transforms
DERIVATIVES = [
    ("sin(pi*x)*exp(-y)", "pi*cos(pi*x)*exp(-y)", "-sin(pi*x)*exp(-y)"),
    ("x**3*y - 2*x", "3*x**2*y - 2", "x**3"),
    ("log(1 + x*x) / y", "2*x/(1 + x*x)/y", "-log(1 + x*x)/y**2"),
    ("2**x + sqrt(y)", "log(2)*2**x", "0.5/sqrt(y)"),
    ("tanh(x) + erf(y)", "1 - tanh(x)**2", "2/sqrt(pi)*exp(-y**2)"),
    ("atan2(y, x)", "-y/(x*x + y*y)", "x/(x*x + y*y)"),
    ("x**y", "y*x**(y - 1)", "log(x)*x**y"),
    ("maximum(x, 2)*abs(-y)", "0*x", "2"),
    ("heaviside(x - .5)*y + sign(x)*x", "1", "heaviside(x - .5)"),
]


@pytest.mark.parametrize(("text", "dx", "dy"), DERIVATIVES)
def test_derivative_by_autograd_and_by_torch_func(text: str, dx: str, dy: str) -> None:
    f, x = parse(text, 2), points()
    expected = torch.stack([parse(dx, 2)(x), parse(dy, 2)(x)], dim=1)
    leaf = x.clone().requires_grad_()
    assert torch.allclose(torch.autograd.grad(f(leaf).sum(), leaf)[0], expected, rtol=1e-13, atol=1e-14)
    assert torch.allclose(vmap(grad(f))(x), expected, rtol=1e-13, atol=1e-14)
    direction = torch.ones_like(x)
    assert torch.allclose(jvp(f, (x,), (direction,))[1], expected.sum(1), rtol=1e-13, atol=1e-14)


def test_constant_has_zero_gradient_and_maps() -> None:
    f = parse("3/2", 2)
    assert torch.equal(vmap(grad(f))(points()), torch.zeros(7, 2, dtype=torch.float64))
    assert torch.equal(vmap(f)(points()), f(points()))


def test_powers_are_exact_at_zero() -> None:
    origin = torch.zeros(2, dtype=torch.float64)
    for text, second in [
        ("x**2", 2.0),
        ("x**2.0", 2.0),
        ("x**3", 0.0),
        ("x**1", 0.0),
        ("x**0", 0.0),
        ("(x + y)**2*1", 2.0),
    ]:
        assert hessian(parse(text, 2))(origin)[0, 0] == second
        assert torch.isfinite(grad(parse(text, 2))(origin)).all()
    root = parse("x**0.5", 2)(torch.tensor([[2.0, 0.0]], dtype=torch.float64)).item()
    assert root == pytest.approx(math.sqrt(2), rel=4e-16)  # a vector unit may differ in the last bit


def test_laplacian_of_a_harmonic_formula_vanishes() -> None:
    f = parse("exp(x)*sin(y) + x**3 - 3*x*y**2", 2)
    assert vmap(hessian(f))(points()).diagonal(dim1=1, dim2=2).sum(1).abs().max() < 1e-13


def test_dtype_and_device_follow_the_points() -> None:
    for text in ("pi*sin(x) + 2", "maximum(x, 1/3)", "x**2", "heaviside(x, .5)", "7"):
        assert parse(text, 2)(points().float()).dtype == torch.float32
        assert parse(text, 2)(points().to("meta")).device.type == "meta"
    with pytest.raises(ValueError, match=r"beyond the range of torch\.float32"):
        parse("1e300*x", 2)(points().float())
    with pytest.raises(ValueError, match="floating type"):
        parse("x", 2)(torch.ones(3, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"needs points \(n, 2\), columns x, y; got \(7, 3\)"):
        parse("x", 2)(points(7, 3))


def test_nan_is_never_hidden() -> None:
    for text in (
        "sign(log(-x))",
        "heaviside(log(-x))",
        "maximum(log(-x), 0)",
        "minimum(1, sqrt(-x))",
        "abs(acos(2 + x))",
    ):
        assert parse(text, 2)(points()).isnan().all()


def test_expression_survives_pickling_and_compares() -> None:
    f = parse("+".join(["x*y"] * 100), 2)
    copy = pickle.loads(pickle.dumps(f))
    assert isinstance(copy, Expression)
    assert copy == f
    assert hash(copy) == hash(f)


def test_long_sum_is_evaluated_deep_in_the_call_stack() -> None:
    f, x = parse("+".join(["x"] * 200), 2), points()

    def deeper(levels: int) -> torch.Tensor:
        return deeper(levels - 1) if levels else f(x)

    assert torch.allclose(deeper(sys.getrecursionlimit() - len(inspect.stack(0)) - 60), 200 * x[:, 0])


# ------------------------------------------------------------------------------------------------------------- finite
# on the domain
def test_non_finite_value_is_reported_with_its_first_point() -> None:
    x = torch.tensor([[0.5, 1.0], [0.0, 0.25], [0.0, 2.0]], dtype=torch.float64)
    check_finite(parse("log(x + 1)", 2), x, "problem.target")
    with pytest.raises(ValueError, match=r"problem.target: `log\(x\)` is -inf at x = 0, y = 0.25 \(2 of 3 points\)"):
        check_finite(parse("log(x)", 2), x, "problem.target")
    with pytest.raises(ValueError, match=r"c: `sqrt\(-x1\)` is nan at x = 0.5, t = 1 "):
        check_finite(parse("sqrt(-x1)", 2, time=True), x, "c")
    check_finite(parse("1", 2), x[:0], "no points")
