"""How a formula is read: an alphabet, then `ast.parse` (syntax only), then a reader that knows numbers, coordinates,
arithmetic and a table of functions, and refuses everything else at its position.
"""

import ast
import difflib
import math
import re
import warnings
from dataclasses import dataclass

import torch

from pinn_ntk.expressions.program import FUNCTIONS, Apply, Constant, Coordinate, Expression, Power, Program, evaluate

MAX_CHARACTERS = 2000
MAX_NODES = 400
MAX_DEPTH = 50
MAX_INTEGER_EXPONENT = 16

_NUMBERS = {"pi": math.pi, "e": math.e}
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_ALLOWED = "numbers, + - * / **, parentheses, names and functions"
_FOREIGN = re.compile(r"[^0-9A-Za-z_.,+\-*/() ]")
_COMPARISON = "a condition is written with heaviside, minimum or maximum"
_HINTS = {
    "^": "a power is written **", "²": "write **2", "³": "write **3", "π": "write pi", "−": "write -",
    "×": "write *", "·": "write *",
    "<": _COMPARISON, ">": _COMPARISON, "=": "a formula is one expression, without = and without keyword arguments",
    "\n": "write the formula on one line (in YAML: >- instead of > or |)",
}  # fmt: skip
_REFUSED: dict[type[ast.expr], str] = {
    ast.Attribute: "an attribute", ast.BoolOp: "and/or", ast.Compare: "a comparison", ast.IfExp: "if/else",
    ast.Starred: "a starred argument", ast.Tuple: "a comma outside a call",
}  # fmt: skip


class ExpressionError(ValueError):
    """A formula that was refused: the reason, the text, and a caret under the offending position.

    Args:
        reason: what is wrong and what is allowed.
        text: the formula as read (spaces around it removed).
        position: offset of the offending character in `text`.
    """

    def __init__(self, reason: str, text: str, position: int) -> None:
        super().__init__(
            reason, text, position
        )  # the plain arguments, so that the error survives pickling between processes
        self.reason, self.text, self.position = reason, text, position

    def __str__(self) -> str:
        start = max(self.position - 60, 0)
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in self.text[start : start + 100])
        return f"{self.reason}\n    {shown}\n    {' ' * (self.position - start)}^"


def variable_names(dim: int, time: bool = False) -> tuple[str, ...]:
    """(x, y, z), or (x1, …, xd) beyond three space coordinates, and t last with time: the name of each column of x.

    Args:
        dim: number of coordinates d ≥ 1, time included.
        time: whether the last coordinate is t.

    Returns:
        d names. In a formula the space coordinates may also be called x1, x2, …, whatever their number.

    Raises:
        ValueError: dim is not a positive integer.
    """
    if type(dim) is not int or dim < 1:
        raise ValueError(f"dim must be an integer of at least 1, got {dim!r}")
    space = dim - 1 if time else dim
    names = ("x", "y", "z")[:space] if space <= 3 else tuple(f"x{i + 1}" for i in range(space))
    return (*names, "t") if time else names


def parse(text: str | float | int, dim: int, time: bool = False) -> Expression:
    """'sin(pi*x)*exp(-t)' ↦ f: reads a formula; nothing of it is executed.

    It may hold finite numbers, the coordinates (`variable_names`, or x1, x2, …), pi, e, + - * / **, parentheses, and
    the functions sin cos tan asin acos atan sinh cosh tanh exp log sqrt abs sign erf heaviside minimum maximum atan2,
    named as in torch; heaviside(z) is ½ at z = 0, heaviside(z, v) is v there.

    Args:
        text: the formula, or a number.
        dim: number of coordinates, time included.
        time: whether the last coordinate is called t.

    Returns:
        the function.

    Raises:
        ExpressionError: anything else; more than 2,000 characters, 400 numbers, names and operations, or 50 levels; an
            integer exponent beyond ±16; a constant that is not finite.
        ValueError: dim is not a positive integer.

    Examples:
        >>> import torch
        >>> from pinn_ntk.expressions import parse
        >>> parse("x*y**2 + 1", dim=2)(torch.tensor([[2.0, 3.0]]))
        tensor([19.])
    """
    names = variable_names(dim, time)
    columns = {name: i for i, name in enumerate(names)} | {f"x{i + 1}": i for i in range(dim - time)}
    source = _source(text)
    program = _Reader(source, columns).read(_syntax(source), 0)
    return Expression(source, names, program)


def _source(text: str | float | int) -> str:
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        kind = type(text).__name__  # and not its repr, which may be endless or raise
        raise ExpressionError(
            f"a formula is a text or a number, got {kind}", str(text) if isinstance(text, bool) else f"<{kind}>", 0
        )
    if isinstance(text, str):
        source = text.strip(" ")
    elif isinstance(text, int):
        _finite(text, f"an integer of {text.bit_length()} bits", 0)
        source = str(text)
    else:
        source = repr(_finite(text, repr(float(text)), 0))
    if not source:
        raise ExpressionError("the formula is empty: for zero write 0", source, 0)
    if len(source) > MAX_CHARACTERS:
        raise ExpressionError(
            f"the formula has {len(source)} characters; at most {MAX_CHARACTERS} are read", source, MAX_CHARACTERS
        )
    if foreign := _FOREIGN.search(source):
        hint = _HINTS.get(foreign[0], f"allowed are {_ALLOWED}")
        raise ExpressionError(f"the character {foreign[0]!a} is not allowed: {hint}", source, foreign.start())
    return source


def _syntax(source: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # '1or 2' makes the tokenizer warn; the reader refuses it anyway
            tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        position = min(max((error.offset or 1) - 1, 0), len(source))
        raise ExpressionError(f"not a formula ({error.msg}); a product is written with *", source, position) from None
    except (MemoryError, RecursionError, ValueError, OverflowError):
        raise ExpressionError("the formula is nested too deeply", source, 0) from None
    nodes = sum(isinstance(node, ast.expr) for node in ast.walk(tree))
    if nodes > MAX_NODES:
        raise ExpressionError(
            f"the formula has {nodes} numbers, names and operations; at most {MAX_NODES} are read", source, 0
        )
    return tree


def _finite(number: float, source: str, position: int) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ExpressionError(
            f"a constant is {value}; expected a finite number, at most 1.8e308 in size", source, position
        )
    return value


def _constant(program: Program) -> float | None:
    """The number that a program is, None for one that reads a coordinate."""
    last = program[-1]
    return last.value if isinstance(last, Constant) else None


@dataclass(frozen=True)
class _Reader:
    """One formula being read: from syntax nodes to programs, every one of them either known or refused."""

    source: str
    columns: dict[str, int]

    def read(self, node: ast.expr, depth: int) -> Program:
        """The program that a node stands for."""
        if depth > MAX_DEPTH:
            raise self.error(f"the formula is nested more than {MAX_DEPTH} levels deep", node.col_offset)
        match node:
            case ast.Constant(value=value):
                return self.number(value, node.col_offset)
            case ast.Name(id=name):
                return self.name(name, node.col_offset)
            case ast.BinOp():
                return self.chain(node, depth)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.read(operand, depth + 1)
                return self.apply(Apply("negative", 1), (inner,), node.col_offset)
            case ast.Call():
                return self.call(node, depth)
        raise self.error(
            f"{_REFUSED.get(type(node), 'this')} is not allowed in a formula: allowed are {_ALLOWED}", node.col_offset
        )

    def chain(self, node: ast.BinOp, depth: int) -> Program:
        """A left-hand chain a + b + c …, read in a loop: long sums are long, not deep."""
        pending = [node]  # a loop down the left operands: a sum of a hundred terms is long, not deep
        while isinstance(pending[-1].left, ast.BinOp):
            pending.append(pending[-1].left)
        part = self.read(pending[-1].left, depth + 1)
        for step in reversed(pending):
            part = self.binary(step, part, self.read(step.right, depth + 1))
        return part

    def binary(self, node: ast.BinOp, left: Program, right: Program) -> Program:
        """left ∘ right for one of the operators allowed."""
        sign = _OPERATORS.get(type(node.op))
        end = node.left.end_col_offset or 0
        place = end + len(self.source[end:]) - len(self.source[end:].lstrip(" )"))
        if sign is None:
            raise self.error(f"this operator is not allowed: allowed are {_ALLOWED}", place)
        if sign == "**" and (power := _constant(right)) is not None:
            if power.is_integer() and abs(power) > MAX_INTEGER_EXPONENT:
                raise self.error(f"an integer exponent is at most {MAX_INTEGER_EXPONENT} in size, got {power:g}", place)
            return self.apply(Power(int(power) if power.is_integer() else power), (left,), place)
        return self.apply(Apply(sign, 2), (left, right), place)

    def call(self, node: ast.Call, depth: int) -> Program:
        """f(…) for a function of the table."""
        if not isinstance(node.func, ast.Name) or node.func.id in self.columns or node.func.id in _NUMBERS:
            raise self.error("only a function can be called; a product is written with *", node.func.col_offset)
        name = node.func.id
        if name not in FUNCTIONS:
            raise self.unknown(name, "function", node.col_offset)
        if node.keywords:
            raise self.error("keyword arguments are not allowed", node.keywords[0].value.col_offset)
        function = FUNCTIONS[name]
        if len(node.args) not in function.arities:
            expected = " or ".join(map(str, function.arities))
            raise self.error(f"{name} takes {expected} argument(s), got {len(node.args)}", node.col_offset)
        parts = tuple(self.read(argument, depth + 1) for argument in node.args)
        return self.apply(Apply(name, len(parts)), parts, node.col_offset)

    def apply(self, step: Apply | Power, parts: tuple[Program, ...], position: int) -> Program:
        program: Program = (*(inner for part in parts for inner in part), step)
        if all(_constant(part) is not None for part in parts):  # folded by the torch functions that would evaluate it
            # on the CPU: a constant of a text is a number of Python
            value = evaluate(program, torch.zeros(1, dtype=torch.float64, device="cpu")).item()
            program = (Constant(_finite(value, self.source, position)),)
        return program

    def number(self, value: object, position: int) -> Program:
        """A finite constant."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(f"{value!a} is not a real number: allowed are {_ALLOWED}", position)
        return (Constant(_finite(value, self.source, position)),)

    def name(self, name: str, position: int) -> Program:
        """A coordinate or a named constant."""
        if name in self.columns:
            return (Coordinate(self.columns[name]),)
        if name in _NUMBERS:
            return (Constant(_NUMBERS[name]),)
        if name in FUNCTIONS:
            raise self.error(f"{name} is a function: write {name}(…)", position)
        raise self.unknown(name, "name", position)

    def unknown(self, name: str, kind: str, position: int) -> ExpressionError:
        """The error for a name that is not in the table, with the nearest that is."""
        known = [*self.columns, *_NUMBERS]
        nearest = difflib.get_close_matches(name, [*known, *FUNCTIONS], n=1)
        shown = name if len(name) <= 40 else f"{name[:40]}…"
        suggestion = f", did you mean {nearest[0]}?" if nearest else ";"
        names = ", ".join(known if len(known) <= 12 else [*known[:2], "…", *known[-4:]])
        return self.error(
            f"unknown {kind} {shown}{suggestion} names: {names}; functions: {', '.join(FUNCTIONS)}", position
        )

    def error(self, reason: str, position: int) -> ExpressionError:
        return ExpressionError(reason, self.source, position)
