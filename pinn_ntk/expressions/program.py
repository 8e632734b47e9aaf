"""What a formula becomes: a flat program for a stack of tensors.

Flat rather than nested, so that neither a long sum nor a caller deep in the call stack (`torch.func` transforms, a
sweep) can exhaust the recursion limit when it is evaluated, and plain tuples, so that it can be pickled and compared.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Constant(NamedTuple):
    """Push a number."""

    value: float


class Coordinate(NamedTuple):
    """Push a column of the points."""

    column: int


class Power(NamedTuple):
    """Raise to a constant power: an int where it is one, so that torch differentiates a polynomial exactly,
    also at 0.
    """

    exponent: int | float


class Apply(NamedTuple):
    """Replace the last `arity` values by a function of them."""

    name: str
    arity: int


Program = tuple[Constant | Coordinate | Power | Apply, ...]


class Function(NamedTuple):
    """A function that a formula may call: how torch applies it, how many arguments it takes."""

    apply: Callable[..., Tensor]
    arities: tuple[int, ...] = (1,)


def _sign(z: Tensor) -> Tensor:
    return torch.where(
        torch.isnan(z), z, torch.sign(z)
    )  # torch.sign(nan) is 0, which would hide the logarithm of a negative number


def _heaviside(z: Tensor, at_zero: Tensor | None = None) -> Tensor:
    step = (1 + _sign(z)) / 2  # torch.heaviside has no derivative, not even 0
    return step if at_zero is None else torch.where(z == 0, at_zero, step)


ARITHMETIC: dict[str, Callable[..., Tensor]] = {
    "+": torch.add, "-": torch.sub, "*": torch.mul, "/": torch.div, "**": torch.pow, "negative": torch.neg,
}  # fmt: skip
FUNCTIONS: dict[str, Function] = {
    "sin": Function(torch.sin),
    "cos": Function(torch.cos),
    "tan": Function(torch.tan),
    "asin": Function(torch.asin),
    "acos": Function(torch.acos),
    "atan": Function(torch.atan),
    "sinh": Function(torch.sinh),
    "cosh": Function(torch.cosh),
    "tanh": Function(torch.tanh),
    "exp": Function(torch.exp),
    "log": Function(torch.log),
    "sqrt": Function(torch.sqrt),
    "abs": Function(torch.abs),
    "sign": Function(_sign),
    "erf": Function(torch.erf),
    "heaviside": Function(_heaviside, (1, 2)),
    "minimum": Function(torch.minimum, (2,)),
    "maximum": Function(torch.maximum, (2,)),
    "atan2": Function(torch.atan2, (2,)),
}


def evaluate(program: Program, x: Tensor) -> Tensor:
    """Run a program on points x (…, d); the result broadcasts to (…)."""
    stack: list[Tensor] = []
    for step in program:
        match step:
            case Constant(value):
                stack.append(x.new_full((), value))
            case Coordinate(column):
                stack.append(x[..., column])
            case Power(exponent):
                stack.append(torch.pow(stack.pop(), exponent))
            case Apply(name, arity):
                arguments = stack[-arity:]
                del stack[-arity:]
                stack.append((FUNCTIONS[name].apply if name in FUNCTIONS else ARITHMETIC[name])(*arguments))
    return stack.pop()


@dataclass(frozen=True)
class Expression:
    """x ↦ f(x), ℝᵈ → ℝ: the function that a formula says; made by `parse`.

    Args:
        text: the formula as read.
        names: the coordinates' names, one for each column of x.
        program: what was understood, constants folded, in postfix order.
    """

    text: str
    names: tuple[str, ...]
    program: Program

    @property
    def is_constant(self) -> bool:
        """Whether the formula holds no coordinate."""
        return isinstance(self.program[-1], Constant)

    @property
    def as_factor(self) -> tuple[int, str]:
        """f = sign · text, where the text can stand in a product: a sum in parentheses, a minus before it taken out."""
        text, sign = self.text.strip(), 1
        while True:
            if _enclosed(text):
                text = text[1:-1].strip()
            elif _is_sum(text):
                return sign, f"({text})"
            elif text[0] in "+-":
                sign, text = -sign if text[0] == "-" else sign, text[1:].lstrip()
            else:
                return sign, text

    def derivative(self, column: int) -> "Expression | float":
        """∂f/∂x_j as a formula, almost everywhere where f has kinks or jumps; a number where it is constant.

        Args:
            column: j.

        Examples:
            >>> import torch
            >>> from pinn_ntk.expressions import parse
            >>> slope = parse("x**2 * y", 2).derivative(0)
            >>> slope.text, slope(torch.tensor([[3.0, 5.0]]))
            ('∂_x(x**2 * y)', tensor([30.]))
        """
        from pinn_ntk.expressions.derivative import differentiate  # which builds on this file

        inner = self.text[1:-1] if _enclosed(self.text) else self.text
        slope = Expression(f"∂_{self.names[column]}({inner})", self.names, differentiate(self.program, column))
        return slope.value if slope.is_constant else slope

    @property
    def value(self) -> float:
        """The number that a constant formula says.

        Raises:
            ValueError: the formula holds a coordinate.
        """
        match self.program[-1]:
            case Constant(value):
                return value
        raise ValueError(
            f"`{self.text}` depends on the coordinates and has no single value: evaluate it at points instead"
        )

    def __call__(self, x: Tensor) -> Tensor:
        """f(x) in the dtype and on the device of x, by autograd's own operations; also under `torch.func.grad`,
        `jvp` and `vmap`.

        Args:
            x: points (n, d), or any (…, d).

        Returns:
            values (n,), or (…). Those of a constant formula do not depend on x, also for autograd.

        Raises:
            ValueError: x has another number of columns, or is not of a floating type in which every constant of the
                formula is finite.
        """
        if x.ndim == 0 or x.shape[-1] != len(self.names):
            raise ValueError(
                f"`{self.text}` needs points (n, {len(self.names)}), columns {', '.join(self.names)}; got "
                f"{tuple(x.shape)}"
            )
        if not x.is_floating_point():
            raise ValueError(
                f"`{self.text}` needs points of a floating type, got {x.dtype}: convert them, for example by x.double()"
            )
        largest = max((abs(step.value) for step in self.program if isinstance(step, Constant)), default=0.0)
        if largest > torch.finfo(x.dtype).max:
            raise ValueError(
                f"`{self.text}` holds the constant {largest:g}, beyond the range of {x.dtype}: use float64"
            )
        if self.is_constant:
            return x.new_full(x.shape[:-1], self.value)
        return evaluate(self.program, x).expand(x.shape[:-1])  # a derivative may hold a constant that is not finite


def _enclosed(text: str) -> bool:
    """Whether one pair of parentheses holds the whole text."""
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return i == len(text) - 1 and i > 0
    return False


def _is_sum(text: str) -> bool:
    if text.startswith("∂"):  # of a derivative, which Python cannot read
        return False
    node = ast.parse(text, mode="eval").body
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def check_finite(expression: Expression, x: Tensor, what: str) -> None:
    """|f(x)| < ∞ at every given point, or an error that names the first point where it is not.

    Args:
        expression: the formula f.
        x: points (n, d).
        what: what the formula is to the person (`problem.target`), for the message.

    Raises:
        ValueError: with `what`, the text, the point and the value.
    """
    values = expression(x.detach())
    bad = torch.nonzero(~torch.isfinite(values))[:, 0].tolist()
    if bad:
        point = ", ".join(f"{name} = {c:.9g}" for name, c in zip(expression.names, x[bad[0]].tolist(), strict=True))
        raise ValueError(
            f"{what}: `{expression.text}` is {values[bad[0]].item()} at {point} ({len(bad)} of {len(values)} points); "
            "expected finite values on the whole domain: change the formula or the domain"
        )
