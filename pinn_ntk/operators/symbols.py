"""An operator in symbols: Σ A_ab u_ab + Σ b_a u_a + cu, every coefficient as it was given.

A coefficient is said by what its terms hold: numbers as numbers, formulas by their text, functions by their name. Since
sums and multiples of operators are sums and multiples of terms, what is said of them is right by construction.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pinn_ntk.expressions import variable_names
from pinn_ntk.operators.coefficients import Entries, Field, Number, Symbolic, SymmetricPart, Term

_MOST = 6  # derivatives of one order that are written out
LONGEST = 48  # characters of a coefficient that stands before its derivative; a longer one is said behind the equation

Factors = tuple[str, ...]


@dataclass(frozen=True)
class _Summand:
    """number · Π factors · derivative; `letter` is what a long coefficient is called."""

    number: float
    factors: Factors
    derivative: str
    letter: str = ""

    @property
    def coefficient(self) -> str:
        """|number| · Π factors, empty for 1."""
        size = abs(self.number)
        return "*".join([*([] if size == 1.0 else [figure(size)]), *self.factors])

    def __str__(self) -> str:
        return f"{self.coefficient} {self.derivative}".strip()


@dataclass
class _Symbols:
    """What is collected: summands, and the words that stand behind the equation."""

    names: tuple[str, ...]
    space: int
    summands: list[_Summand] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def derivative(self, *axes: int) -> str:
        """u_x, u_xy, u_x1x2 …"""
        return "u_" + "".join(self.names[a] for a in axes)


def operator_symbols(A: tuple[Term, ...], b: tuple[Term, ...], c: tuple[Term, ...], dim: int, time: bool) -> list[str]:
    """𝓛u, and behind it what is too long for it: a matrix with many entries, a long formula, a function that returns a
    whole matrix or vector.

    Args:
        A: terms of the second order.
        b: of the first.
        c: of the zeroth.
        dim: d.
        time: whether the last coordinate is t, whose derivatives come first; Δ is then about the others.
    """
    names = variable_names(dim, time)
    said = _Symbols(names, dim - time)
    _second(said, A)
    _first(said, b)
    for factors, number in _collected(c, 0, names)[0].items():
        said.summands.append(_Summand(float(number), factors, "u", "c"))
    said.summands.sort(key=lambda s: not (time and s.derivative.startswith("u_") and "t" in s.derivative))
    return [_sum(_shortened(said)), *said.notes]


def combination(parts: Sequence[tuple[float | Field, str]], dim: int, time: bool) -> str:
    """Σ coefficient · symbol, such as 2 u + x*y ∂u/∂ν."""
    names, summands = variable_names(dim, time), []
    for coefficient, symbol in parts:
        number, factors = _product((coefficient if callable(coefficient) else Number(float(coefficient)),), names)
        summands += [_Summand(number, factors, symbol)] if number != 0.0 else []
    return _sum(summands)


def figure(value: float) -> str:
    """A number by the fewest digits that give it back to the last bit but one."""
    texts = (f"{value:.{digits}g}" for digits in (6, 9, 12, 15, 16, 17))
    return next(t for t in texts if abs(float(t) - value) <= torch.finfo(torch.float64).eps * abs(value))


def _second(said: _Symbols, terms: tuple[Term, ...]) -> None:
    """Σ A_ab u_ab."""
    explicit, whole = _collected(terms, 2, said.names)
    summands = [s for factors, matrix in explicit.items() for s in _entries(said, factors, matrix)]
    many = len({s.derivative for s in summands}) > _MOST
    said.summands += [] if many else sorted(summands, key=lambda s: s.letter)
    size = len(said.names)
    _whole(said, whole, f"{_kind(explicit)} {size} × {size} matrix" if many else "", "A", "A:∇²u")


def _first(said: _Symbols, terms: tuple[Term, ...]) -> None:
    """Σ b_a u_a."""
    explicit, whole = _collected(terms, 1, said.names)
    summands = [
        _Summand(float(value), factors, said.derivative(a), f"b_{said.names[a]}")
        for factors, vector in explicit.items()
        for a, value in enumerate(vector.tolist())
        if value
    ]
    many = len({s.derivative for s in summands}) > _MOST
    said.summands += [] if many else sorted(summands, key=lambda s: s.letter)
    _whole(said, whole, f"{_kind(explicit)} vector of {len(said.names)}" if many else "", "b", "b·∇u")


def _kind(explicit: dict[Factors, Tensor]) -> str:
    return "a variable" if any(explicit) else "a constant"


def _whole(said: _Symbols, functions: list[_Summand], summary: str, letter: str, symbol: str) -> None:
    """A matrix or vector that is not written out, called by its letter."""
    if not functions and not summary:
        return
    said.summands.append(_Summand(1.0, (), symbol))
    words = [_sum(functions)] if functions else []
    said.notes.append(f"{letter} = {' + '.join([*words, summary] if summary else words)}")


def _entries(said: _Symbols, factors: Factors, matrix: Tensor) -> Iterator[_Summand]:
    """A matrix of numbers times the factors, c·I of two and more coordinates of space as cΔ."""
    entries, n = matrix.tolist(), said.space
    block = matrix[:n, :n]
    isotropic = (
        n > 1
        and entries[0][0] != 0.0
        and torch.equal(block, entries[0][0] * torch.eye(n, dtype=block.dtype, device=block.device))
    )
    if isotropic:
        yield _Summand(entries[0][0], factors, "Δu", "a")
    for i in range(len(entries)):
        for j in range(i, len(entries)):
            value = entries[i][j] if i == j else entries[i][j] + entries[j][i]
            if value and not (isotropic and j < n):
                yield _Summand(value, factors, said.derivative(i, j), f"a_{said.names[i]}{said.names[j]}")


def _collected(
    terms: tuple[Term, ...], rank: int, names: tuple[str, ...]
) -> tuple[dict[Factors, Tensor], list[_Summand]]:
    """Constant patterns by the factors that multiply them, and functions that return the whole coefficient."""
    explicit: dict[Factors, Tensor] = {}
    whole: list[_Summand] = []
    for term in _flat(terms):
        number, factors = _product(term.factors, names)
        pattern = term.pattern
        if pattern is None and term.whole is not None and (rank == 0 or isinstance(term.whole, Symbolic)):
            number, factors = _product((term.whole, *term.factors), names)
            one = torch.ones((), dtype=torch.float64, device="cpu")  # on the CPU: numbers to be printed
            pattern = torch.eye(len(names), dtype=one.dtype, device=one.device) if rank == 2 else one
        if pattern is None:
            called = (term.whole, *term.factors) if term.whole is not None else term.factors
            whole.append(_Summand(*_product(called, names), ""))
        else:
            explicit[factors] = explicit.get(factors, torch.zeros_like(pattern)) + number * pattern
    return {factors: pattern for factors, pattern in explicit.items() if bool(pattern.any())}, whole


def _flat(terms: tuple[Term, ...]) -> Iterator[Term]:
    """The terms as they were given, entries one by one."""
    for term in terms:
        inner = term.whole
        while isinstance(inner, SymmetricPart):  # of A, which is the same operator
            inner = inner.whole
        if isinstance(inner, Entries):
            yield from (Term(t.pattern, t.whole, (*t.factors, *term.factors)) for t in _flat(inner.terms))
        else:
            yield Term(term.pattern, inner, term.factors)


def _product(fields: Sequence[Callable[[Tensor], Tensor]], names: tuple[str, ...]) -> tuple[float, Factors]:
    """The numbers among factors, multiplied, and the others in symbols."""
    number, factors = 1.0, []
    for each in fields:
        if isinstance(each, Number):
            number *= each.value
        elif isinstance(each, Symbolic):
            sign, text = each.as_factor
            number *= sign
            factors.append(text)
        else:
            factors.append(_called(each, names))
    return number, tuple(factors)


def _called(function: Callable[[Tensor], Tensor], names: tuple[str, ...]) -> str:
    """A function of Python by its name."""
    name = getattr(function, "__name__", None)
    if name == "<lambda>":
        return "(a lambda)"
    return (
        f"(a {type(function).__name__})" if name is None else f"{name}({', '.join(names) if len(names) < 5 else 'x'})"
    )


def _shortened(said: _Symbols) -> list[_Summand]:
    """The summands, long coefficients by their letters, which are explained behind the equation."""
    short: list[_Summand] = []
    long: dict[str, list[_Summand]] = {}
    for s in said.summands:
        if len(s.coefficient) > LONGEST:
            short += [] if s.letter in long else [replace(s, number=1.0, factors=(s.letter,))]
            long.setdefault(s.letter, []).append(replace(s, derivative=""))
        else:
            short.append(s)
    said.notes[:0] = [f"{letter} = {_sum(summands)}" for letter, summands in long.items()]
    return short


def _sum(summands: Sequence[_Summand]) -> str:
    """Summands with their signs; 0 for none."""
    text = "".join(f" {'−' if s.number < 0.0 else '+'} {str(s) or '1'}" for s in summands)
    return "0" if not text else text[3:] if text.startswith(" +") else f"−{text[3:]}"
