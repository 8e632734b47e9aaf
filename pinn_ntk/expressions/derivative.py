"""∂f/∂x_j of a formula as a formula: the chain rule on the flat program, by the same whitelist of functions.

Where f has a kink or a jump, the derivative is the one almost everywhere: that of sign and heaviside is 0, and where
two arguments of minimum or maximum are equal each counts half, as in torch.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from pinn_ntk.expressions.program import Apply, Constant, Coordinate, Power, Program, evaluate

_ZERO: Program = (Constant(0.0),)
_ONE: Program = (Constant(1.0),)


class _Part(NamedTuple):
    """A value that the program computes on its way, and its derivative."""

    value: Program
    slope: Program


def differentiate(program: Program, column: int) -> Program:
    """∂f/∂x_j, products with 0 and 1 left out and constants folded.

    Args:
        program: f.
        column: j.

    Examples:
        >>> from pinn_ntk.expressions import parse
        >>> from pinn_ntk.expressions.derivative import differentiate
        >>> differentiate(parse("3*x + sin(y)", 2).program, 0)
        (Constant(value=3.0),)
    """
    stack: list[_Part] = []
    for step in program:
        match step:
            case Constant():
                stack.append(_Part((step,), _ZERO))
            case Coordinate(own):
                stack.append(_Part((step,), _ONE if own == column else _ZERO))
            case Power(exponent):
                f = stack.pop()
                outer = _ZERO if exponent == 0 else _times(_number(exponent), _power(f.value, exponent - 1))
                stack.append(_Part(_power(f.value, exponent), _times(outer, f.slope)))
            case Apply(name, arity):
                parts = stack[-arity:]
                del stack[-arity:]
                value = (*(inner for part in parts for inner in part.value), step)
                moving = any(_value(part.slope) != 0.0 for part in parts)
                stack.append(_Part(value, _RULES[name](*parts) if moving else _ZERO))
    return stack.pop().slope


def _number(value: float) -> Program:
    return (Constant(float(value)),)


def _value(program: Program) -> float | None:
    """The number that it is; steps are tuples, so that the coordinate 0 would be equal to the number 0."""
    return program[0].value if len(program) == 1 and isinstance(program[0], Constant) else None


def _apply(name: str, *parts: Program) -> Program:
    """name(parts), a number where all of them are and it is finite."""
    program: Program = (*(step for part in parts for step in part), Apply(name, len(parts)))
    if all(_value(part) is not None for part in parts):
        # on the CPU: a constant of a text is a number of Python
        folded = evaluate(program, torch.zeros(1, dtype=torch.float64, device="cpu")).item()
        return _number(folded) if math.isfinite(folded) else program
    return program


def _plus(a: Program, b: Program) -> Program:
    return b if _value(a) == 0.0 else a if _value(b) == 0.0 else _apply("+", a, b)


def _minus(a: Program, b: Program) -> Program:
    return a if _value(b) == 0.0 else _negative(b) if _value(a) == 0.0 else _apply("-", a, b)


def _negative(a: Program) -> Program:
    return _apply("negative", a)


def _times(a: Program, b: Program) -> Program:
    if 0.0 in (_value(a), _value(b)):
        return _ZERO
    return b if _value(a) == 1.0 else a if _value(b) == 1.0 else _apply("*", a, b)


def _over(a: Program, b: Program) -> Program:
    return _ZERO if _value(a) == 0.0 else a if _value(b) == 1.0 else _apply("/", a, b)


def _power(a: Program, exponent: float) -> Program:
    return _ONE if exponent == 0 else a if exponent == 1 else (*a, Power(exponent))


def _at_zero(a: Program) -> Program:
    """1 where a = 0, else 0."""
    return _minus(_ONE, _apply("abs", _apply("sign", a)))


def _chain(outer: Callable[[Program], Program]) -> Callable[..., Program]:
    """f(g)' = f'(g) g'."""
    return lambda g: _times(outer(g.value), g.slope)


def _product(a: _Part, b: _Part) -> Program:
    return _plus(_times(a.slope, b.value), _times(a.value, b.slope))


def _quotient(a: _Part, b: _Part) -> Program:
    """(a' − (a/b) b')/b."""
    return _over(_minus(a.slope, _times(_over(a.value, b.value), b.slope)), b.value)


def _general_power(a: _Part, b: _Part) -> Program:
    """(aᵇ)' = b aᵇ⁻¹ a' + aᵇ log(a) b', the second with 0 for aᵇ log a at a = 0, as in torch."""
    first = _times(_times(b.value, _apply("**", a.value, _minus(b.value, _ONE))), a.slope)
    base = a.value if _value(a.value) not in (None, 0.0) else _plus(a.value, _at_zero(a.value))
    second = _times(_times(_apply("**", a.value, b.value), _apply("log", base)), b.slope)
    return _plus(first, second)


def _heaviside(z: _Part, at_zero: _Part | None = None) -> Program:
    """0 but where z = 0, if that is more than a point."""
    return _ZERO if at_zero is None else _times(_at_zero(z.value), at_zero.slope)


def _chosen(sign: int) -> Callable[..., Program]:
    """Of maximum (sign 1) or minimum (sign −1): the slope of the argument that counts."""

    def slope(a: _Part, b: _Part) -> Program:
        ahead, behind = (a, b) if sign > 0 else (b, a)
        first = _apply("heaviside", _minus(ahead.value, behind.value))
        second = _apply("heaviside", _minus(behind.value, ahead.value))
        return _plus(_times(first, a.slope), _times(second, b.slope))

    return slope


def _atan2(a: _Part, b: _Part) -> Program:
    """(b a' − a b')/(a² + b²)."""
    top = _minus(_times(b.value, a.slope), _times(a.value, b.slope))
    return _over(top, _plus(_power(a.value, 2), _power(b.value, 2)))


def _inverse_root(g: Program) -> Program:
    """1/√(1 − g²)."""
    return _power(_minus(_ONE, _power(g, 2)), -0.5)


_RULES: dict[str, Callable[..., Program]] = {
    "+": lambda a, b: _plus(a.slope, b.slope),
    "-": lambda a, b: _minus(a.slope, b.slope),
    "*": _product,
    "/": _quotient,
    "**": _general_power,
    "negative": lambda a: _negative(a.slope),
    "sin": _chain(lambda g: _apply("cos", g)),
    "cos": _chain(lambda g: _negative(_apply("sin", g))),
    "tan": _chain(lambda g: _plus(_ONE, _power(_apply("tan", g), 2))),
    "asin": _chain(_inverse_root),
    "acos": _chain(lambda g: _negative(_inverse_root(g))),
    "atan": _chain(lambda g: _over(_ONE, _plus(_ONE, _power(g, 2)))),
    "sinh": _chain(lambda g: _apply("cosh", g)),
    "cosh": _chain(lambda g: _apply("sinh", g)),
    "tanh": _chain(lambda g: _minus(_ONE, _power(_apply("tanh", g), 2))),
    "exp": _chain(lambda g: _apply("exp", g)),
    "log": _chain(lambda g: _over(_ONE, g)),
    "sqrt": _chain(lambda g: _over(_number(0.5), _apply("sqrt", g))),
    "abs": _chain(lambda g: _apply("sign", g)),
    "sign": lambda g: _ZERO,  # noqa: ARG005
    "erf": _chain(lambda g: _times(_number(2.0 / math.sqrt(math.pi)), _apply("exp", _negative(_power(g, 2))))),
    "heaviside": _heaviside,
    "minimum": _chosen(-1),
    "maximum": _chosen(1),
    "atan2": _atan2,
}
"""The derivative of every function and operation of a formula."""
