"""Ten thousand formulas, well-formed, hostile and random: each is a function within the limits,
or refused with its position.
"""

import math
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from fuzz.guard import watched
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

from pinn_ntk.expressions import (
    FUNCTIONS,
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_INTEGER_EXPONENT,
    MAX_NODES,
    Apply,
    Constant,
    Coordinate,
    Expression,
    ExpressionError,
    Power,
    parse,
)

GROWN, HOSTILE, RANDOM, LARGE = 4000, 3000, 2500, 500
assert GROWN + HOSTILE + RANDOM + LARGE == 10_000
LIKELY = "xyt0123456789.e+-*/() ,_'\"[]{}:=\n"
POINTS = torch.tensor([[0.3, -1.7, 0.9], [1.1, 0.4, 2.0], [-0.6, 0.0, 0.25]], dtype=torch.float64)
NAMES = ("x", "y", "t")


def fuzz(count: int) -> settings:
    """So many examples, the same ones every time."""
    quiet = [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ]
    return settings(max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=quiet)


# what each whitelisted function is to Python: the twin that a well-formed formula is evaluated by
TWINS: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "exp", "log")},
    **{name: getattr(math, name) for name in ("sqrt", "erf", "atan2")},
    "abs": abs, "sign": lambda z: math.copysign(1.0, z) if z else 0.0, "minimum": min, "maximum": max,
    "heaviside": lambda z, v=0.5: v if z == 0 else float(z > 0),
}  # fmt: skip
assert set(TWINS) == set(FUNCTIONS)
leaves = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(["pi", "e", "0", "1", "2", "0.5", "1e-3", "3.25", ".5", "1e300", "007.5"]),
    st.integers(0, 99).map(str),
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One operation more."""
    calls = [
        st.tuples(*[inner] * arity).map(lambda a, n=name: f"{n}({', '.join(a)})")
        for name, f in FUNCTIONS.items()
        for arity in f.arities
    ]
    binary = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", " * "]), inner).map(
        lambda p: f"({p[0]}){p[1]}({p[2]})"
    )
    loose = st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map("".join)
    power = st.tuples(inner, st.integers(-20, 20)).map(lambda p: f"({p[0]})**({p[1]})")
    return st.one_of(binary, loose, power, inner.map(lambda a: f"-({a})"), *calls)


formulas = st.recursive(leaves, _grown, max_leaves=14)
ATTACKS = (
    "__import__('os').system('touch owned')", "().__class__.__bases__[0].__subclasses__()", "x.__class__", "lambda: 0",
    "[x for x in y]", "(x := 1)", "f'{x}'", "'a'*9", "x[0]", "*x", "**x", "sin(**x)", "sin(x=1)", "eval('1')", "exec",
    "open('owned','w')", "globals()", "9**9**9", "9**999", "2**-99999", "1e400", "1e308*10",
    "(" * 200 + "x" + ")" * 200,
    "-" * 500 + "x", "x\x00", "x\nimport os", "x#y", "ⅹ", "ｘ", "π", "x\u202ey", "\ud800", "x;y", "x if y else t",
    "x and y",
    "not x", "~x", "x<y", "x==y", "x@y", "x%y", "x//y", "x<<2", "1j", "True", "None", "...", "yield x", "await x",
    "{x}", "{}",
    "()", "x,y", "torch.load('a')", "sin.__globals__", "1_000", "0x10", "0b1", "1or 2", "1if 1else 2", "x**x**x**x",
    "exp(exp(exp(99)))", "log(0)", "0/0", "sqrt(-1)", "heaviside()", "sin", "sin()", "sin(x)(y)", "2(x)", "x(y)", "\\",
    "`x`",
    "$x", "!x", "${oc.env:HOME}", "_target_", "\u00a0", "\t", "\r\n", "x" * 5000, "+".join(["x"] * 1000), "é", "𝑥",
    "\u202e",
    "print(x)", "breakpoint()", "__debug__",
)  # fmt: skip


class _Counted(TorchFunctionMode):
    """How many operations of torch are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        return func(*args, **(kwargs or {}))


def read(text: object) -> Expression | None:
    """The function, or None where it is refused as it should be; whatever else happens fails the test."""
    with warnings.catch_warnings(), watched():
        warnings.simplefilter("error")
        try:
            made = parse(text, dim=3, time=True)
        except ExpressionError as error:
            refused = error
        else:
            refused = None
    if refused is not None:
        assert 0 <= refused.position <= max(len(refused.text), MAX_CHARACTERS)
        assert refused.reason and len(str(refused)) < 1500
        return None
    within_limits(made)
    return made


def within_limits(made: Expression) -> None:
    """Only what the table has, finite constants, small exponents; and it evaluates to a number per point."""
    assert len(made.text) <= MAX_CHARACTERS and len(made.program) <= MAX_NODES
    for step in made.program:
        assert isinstance(step, Constant | Coordinate | Power | Apply)
        assert not isinstance(step, Constant) or math.isfinite(step.value)
        assert (
            not isinstance(step, Power)
            or not float(step.exponent).is_integer()
            or abs(step.exponent) <= MAX_INTEGER_EXPONENT
        )
        assert (
            not isinstance(step, Apply) or step.name in FUNCTIONS or step.name in ("+", "-", "*", "/", "**", "negative")
        )
    with watched():
        value = made(POINTS)
    assert value.shape == (3,) and value.dtype == torch.float64


TOLD = {"grown": 0, "hostile": 0, "compared": 0}


@pytest.fixture(scope="module", autouse=True)
def _not_vacuous():
    """Most grown formulas are read and agree with Python, hardly an attack is read."""
    yield
    if TOLD["grown"]:
        assert TOLD["grown"] > GROWN // 2 and TOLD["compared"] > GROWN, TOLD
    assert TOLD["hostile"] < HOSTILE // 10, TOLD


@fuzz(GROWN)
@given(formulas)
@example("007.5")
@example("x/0 - x/0")
def test_rows_8_to_11_a_well_formed_formula_is_what_python_says_or_is_refused(text: str) -> None:
    made = read(text)
    if made is None:
        return
    TOLD["grown"] += 1
    for point, value in zip(POINTS.tolist(), made(POINTS).tolist(), strict=True):
        names = {**TWINS, **dict(zip(NAMES, point, strict=True)), "pi": math.pi, "e": math.e}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Python's own syntax, about 1e300(…) and the like
                expected = float(eval(text, {"__builtins__": {}}, names))  # grown here, of whitelisted parts
        except (ArithmeticError, ValueError):
            # a number of mathematics that is none: torch has inf or nan, and the domain is checked where it is used
            continue
        if isinstance(expected, complex) or not math.isfinite(expected) or not math.isfinite(value):
            continue
        TOLD["compared"] += 1
        assert abs(value - expected) <= 1e-9 * max(1.0, abs(expected)), (text, point, value, expected)


@fuzz(HOSTILE)
@given(
    st.sampled_from(ATTACKS),
    formulas,
    st.integers(0, 80),
    st.sampled_from(["splice", "alone", "argument", "term", "twice"]),
)
def test_rows_8_and_9_a_hostile_formula_is_refused_and_runs_nothing(attack: str, text: str, at: int, how: str) -> None:
    here = {p.name for p in Path().iterdir()}
    made = {
        "splice": text[:at] + attack + text[at:], "alone": attack, "argument": f"sin({attack})",
        "term": f"{text} + {attack}",
        "twice": attack + attack,
    }[how]  # fmt: skip
    TOLD["hostile"] += read(made) is not None
    assert {p.name for p in Path().iterdir()} == here


@fuzz(RANDOM)
@given(
    st.one_of(
        st.text(max_size=80),
        st.text(alphabet=LIKELY, max_size=60),
        st.binary(max_size=40).map(lambda b: b.decode("latin-1")),
    )
)
def test_rows_8_and_9_random_text_is_a_function_or_refused(text: str) -> None:
    read(text)


@fuzz(LARGE)
@given(
    st.sampled_from(["{}+", "({}", "-{}", "sin({}", "{}**2+", "{}*", "{}**{}**"]), leaves, st.integers(MAX_DEPTH, 4000)
)
def test_row_9_what_is_too_large_is_refused_before_anything_is_evaluated(piece: str, leaf: str, times: int) -> None:
    text = piece.format(leaf, leaf) * times + "x" + ")" * (piece.count("(") * times)
    over = len(text) > MAX_CHARACTERS
    with _Counted() as counted:
        made = read(text)
    if over:
        assert made is None and counted.calls == 0


def test_the_guard_sees_what_it_is_for(tmp_path: Path) -> None:
    for act in (
        lambda: eval("1"),
        lambda: (tmp_path / "x").write_text("x", encoding="utf-8"),
        lambda: __import__("this_is_no_module"),
    ):
        with pytest.raises(AssertionError), watched(), suppress(ImportError):
            act()


@pytest.mark.parametrize(
    "value", [None, True, [], {}, object(), math.nan, math.inf, 10**400, b"x", 1j, ("x",), 2.5, -3]
)
def test_rows_4_and_8_what_is_no_text_is_refused_too(value: object) -> None:
    assert (read(value) is not None) == (value in (2.5, -3))
