"""Nothing but a formula is read: whatever else is typed is refused at its position, by one kind of error,
without a warning.
"""

import inspect
import pickle
import sys
import warnings

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pinn_ntk.expressions import Expression, ExpressionError, parse


def read_or_error(text: str) -> Expression | ExpressionError:
    try:
        return parse(text, 2)
    except ExpressionError as error:
        return error


def refused(text: object, dim: int = 2, time: bool = False) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(text, dim, time)
    return caught.value


HOSTILE = [
    "__import__('os').system('true')", "__import__(x)", "__builtins__", "().__class__", "x.__class__", "x.real",
    "1 .real", "x[0]", "[x]",
    "{x}", "{x: 1}", "'x'", '"x"', "f'{x}'", "lambda: 0", "lambda", "[i for i in x]", "(i for i in x)", "(x := 1)",
    "x = 1", "sin(*x)",
    "sin(**x)", "sin(x=1)", "sin(x, y)", "sin()", "atan2(x)", "heaviside()", "heaviside(x, 1, 2)", "x, y", "(x, y)",
    "()",
    "x if y else 1", "x and y", "not x", "1or 2", "1if 2else 3", "0x1for x", "x < y", "x == y", "x in y", "x is y",
    "x // y", "x % y",
    "x @ y", "x & y", "x | y", "x << 1", "~x", "x ^ 2", "x!", "True", "None", "False", "...", "1j", "2 + 3j", "b'1'",
    "yield x",
    "await x", "(yield)", "print(x)", "eval(x)", "exec", "open(x)", "x(1)", "pi(1)", "1(2)", "(x)(y)", "sin(x)(y)",
    "sin", "sin + 1",
    "sin(cos)", "2x", "x y", "2(x)", "x +", "* x", "(x", "x)", "", "   ", "x;y", "x\\", "#", "x # y", "x$", "`x`", "x?",
    "nan", "inf",
    "1e400", "-1e400", "1e999*x", "1e200*1e200", "9**9**9", "x**17", "x**-17", "x**17.0", "x**1e300", "x**(8 + 9)",
    "(1e308)**16",
    "exp(1000)", "1/0", "x/0*0 + 1/(1 - 1)", "log(0)", "log(-1)", "sqrt(-1)", "(-8)**(1/3)", "0**-1", "asin(2)", "x\0",
    "\0", "x\n",
    "x\ny", "x\ty", "x\r", "x\f", "\ufeffx", "ｘ", "х", "x²", "π", "x−y", "٣", "𝑥", "x\u200b", "\u202ex", "\ud800",
    "x·y", "x" * 2001,
    "+" * 1999 + "x", "-" * 390 + "x", "x" + "+x" * 200, "(" * 199 + "x" + ")" * 199 + "+",
    "(" * 1000 + "x" + ")" * 999, "(" * 2000,
    "sin(" * 60 + "x" + ")" * 60, "x" + "**x" * 60, "1" * 2000, "0x" + "f" * 1998, "0b" + "1" * 1998, "9" * 10**5, "z",
    "x3", "x0", "x01",
    "t", "X", "Pi", "01", "0_x", "1__0", "1e", "1e+", ".", "._", "_", "__", "x__", "..", "1..x", "1.e.x",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:30])
def test_hostile_text_is_refused_at_its_position(text: str) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        error = refused(text)
    assert not seen
    assert 0 <= error.position <= len(error.text)
    assert isinstance(error, ValueError)
    reason, shown, caret = str(error).rsplit("\n", 2)
    assert reason == error.reason
    assert len(reason) < 500
    under = len(caret) - 1
    assert (
        shown[under : under + 1] == error.text[error.position : error.position + 1]
        or not error.text[error.position].isprintable()
    )


NO_FORMULA = [None, True, [10**5000], {"x": 1}, b"x", 1j, float("nan"), float("-inf"), 10**5000, -(10**309)]


@pytest.mark.parametrize("value", NO_FORMULA, ids=lambda value: type(value).__name__)
def test_what_is_no_text_and_no_finite_number_is_refused(value: object) -> None:
    assert refused(value).position == 0


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("sin(x) + z", 9, "names: x, y, x1, x2, pi, e; functions: sin, cos"),
        ("1 + sni(x)", 4, "did you mean sin?"),
        ("x * maximun(x, y)", 4, "did you mean maximum?"),
        ("x + y^2", 5, r"\*\*"),
        ("(x) // y", 4, "operator"),
        ("3*x**20", 3, "at most 16"),
        ("x + 1/(2 - 2)", 5, "finite"),
        ("2*sin", 2, r"write sin\(…\)"),
        ("x*y(1)", 2, "product"),
        ("x + (y < 1)", 7, "heaviside"),
        ("atan2(x)", 0, "2 argument"),
        ("x + (1 if x else 2)", 5, "if/else"),
    ],
)
def test_the_error_says_where_and_what(text: str, position: int, says: str) -> None:
    error = refused(text)
    assert error.position == position
    with pytest.raises(ExpressionError, match=says):
        raise error


def test_caret_stands_under_the_position_also_in_a_long_text() -> None:
    text = "x + " * 90 + "zz + x" + " + x" * 30
    _, shown, caret = str(refused(text)).rsplit("\n", 2)
    assert shown[caret.index("^") :].startswith("zz")


def test_nesting_beyond_the_interpreter_is_refused_deep_in_the_call_stack() -> None:
    def deeper(levels: int) -> ExpressionError:
        return deeper(levels - 1) if levels else refused("-" * 1999 + "x")

    assert "nested" in deeper(sys.getrecursionlimit() - len(inspect.stack(0)) - 200).reason


def test_error_survives_pickling() -> None:
    error = refused("x +* y")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_time_is_a_name_only_with_a_time_axis() -> None:
    assert "names: x, t, x1, pi, e;" in refused("y", 2, time=True).reason
    refused("x2", 2, time=True)
    assert "names: x1, x2, …," in refused("x101", 100).reason


fragments = st.lists(st.sampled_from([
    "x", "y", "z", "1", "2.5", "1e", "9**9", "0x1", "(", ")", "+", "-", "**", "*", "/", ",", ".", " ", "sin(", "atan2(",
    "exp(", "for",
    "if", "or", "lambda", ":", "[", "__class__", "\0", "\n", "^", "'", "=", "1j", "True", "e", "pi", "_", "²", "ｘ",
    "\\", "#", "{", "@",
]), max_size=25).map("".join)  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=60), fragments, st.text(alphabet="xy12.e+-*/() ", max_size=25)))
@example("1_0**-2.")
def test_any_text_is_read_or_refused(text: str) -> None:
    expression = read_or_error(text)
    if isinstance(expression, ExpressionError):
        assert 0 <= expression.position <= len(expression.text)
    else:
        assert expression(torch.full((7, 2), 0.5, dtype=torch.float64)).shape == (7,)
