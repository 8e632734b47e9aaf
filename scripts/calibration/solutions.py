"""Solutions U for the generator: smooth, oscillating, with layers, spots and kinks, as text in X1 … Xd and T."""

import math
from dataclasses import dataclass
from random import Random

from described import Span
from shapes import Place

_FORTH = 24  # boxes along a layer


@dataclass(frozen=True)
class Known:
    """U with what is narrow of it.

    Attributes:
        text: U.
        tag: in a word.
        scale: its smallest, over the size of the domain.
        filling: whether that is met everywhere.
        smooth: whether U has all derivatives.
        features: boxes about what is narrow.
    """

    text: str
    tag: str
    scale: float
    filling: bool = True
    smooth: bool = True
    features: tuple[Span, ...] = ()


def some_solution(rng: Random, place: Place, end: float = 0.0) -> Known:
    """A smooth part and, often, something difficult on top of it."""
    smooth = smooth_part(rng, place, end)
    kinds = [oscillating, layer, layer, boundary_layer, bump, bump, kink]
    if rng.random() < 0.35:
        return smooth
    hard = rng.choice(kinds)(rng, place, end)
    amplitude = _say(rng.uniform(0.3, 2.0))
    return Known(
        f"{smooth.text} + {amplitude}*({hard.text})",
        hard.tag,
        min(smooth.scale, hard.scale),
        hard.filling,
        hard.smooth,
        hard.features,
    )


def smooth_part(rng: Random, place: Place, end: float = 0.0) -> Known:
    """A few waves, an exponential, a rational function or a polynomial, times a function of time."""
    d, size = place.dim, place.length
    variables = [f"X{j + 1}" for j in range(d)]
    kind = rng.randrange(4)
    if kind == 0:
        k = [rng.uniform(0.5, 3.0) / size for _ in variables]
        text = "*".join(
            f"{rng.choice(('sin', 'cos'))}({_say(kj)}*{X} + {_say(rng.uniform(0, 3))})"
            for kj, X in zip(k, variables, strict=True)
        )
    elif kind == 1:
        linear = " + ".join(f"{_say(rng.uniform(-1.5, 1.5) / size)}*{X}" for X in variables)
        text = f"exp({linear})"
    elif kind == 2:
        radius = " + ".join(
            f"({X} - {_say(rng.uniform(a, b))})**2" for X, a, b in zip(variables, place.low, place.high, strict=True)
        )
        text = f"1/(1 + {_say(2.0 / size**2)}*({radius}))"
    else:
        text = " + ".join(f"{_say(rng.uniform(-1, 1))}*{X}**{rng.randint(1, 3)}" for X in variables) + " + 0.3"
    if end:
        text = f"({text})*({_of_time(rng, end)})"
    return Known(text, "smooth", 0.25 if not end else 0.2)


def oscillating(rng: Random, place: Place, end: float) -> Known:
    """sin(k_1X_1 + …)·sin(…), up to fifty radians along the domain; fewer where there are more coordinates."""
    d = place.dim + (end > 0.0)
    most = {1: 150.0, 2: 60.0, 3: 20.0}.get(d, 8.0)
    k = most ** rng.uniform(0.5, 1.0)
    variables = [f"X{j + 1}" for j in range(place.dim)]
    text = "*".join(
        f"sin({_say(k / place.length * rng.uniform(0.5, 1.0))}*{X} + {_say(rng.uniform(0, 3))})" for X in variables
    )
    if end:
        text += f"*cos({_say(min(k, 20.0) / end)}*T)"
    return Known(text, "oscillating", 1.0 / k)


def layer(rng: Random, place: Place, end: float) -> Known:
    """tanh across a plane, a sphere, or a plane that moves."""
    w = width(rng) * place.length
    d, c = place.dim, place.center
    if d >= 2 and not end and rng.random() < 0.35:
        r = _round(0.6 * place.reach)
        square = " + ".join(f"(X{j + 1} - {_say(c[j])})**2" for j in range(d))
        return Known(
            f"tanh(({square} - {_say(r * r)})/{_say(2 * r * w)})", "layer: round", w / place.length, filling=False,
            features=tuple(_around(_add(c, _scaled(_direction(rng, d), r)), 6 * w, place, end) for _ in range(_FORTH)),
        )  # fmt: skip
    normal = _direction(rng, d) if rng.random() < 0.5 else (1.0, *[0.0] * (d - 1))
    speed = rng.uniform(-0.4, 0.4) * place.length / end if end and rng.random() < 0.7 else 0.0
    at = sum(n * x for n, x in zip(normal, c, strict=True))
    phase = " + ".join(f"{_say(n)}*X{j + 1}" for j, n in enumerate(normal) if n)
    phase = f"{phase} - {_say(at)}" + (f" - {_say(speed)}*(T - {_say(end / 2)})" if speed else "")
    features = []
    for _ in range(1 if d == 1 and not speed else _FORTH):
        t = end * rng.random()
        x = tuple(rng.uniform(a, b) for a, b in zip(place.low, place.high, strict=True))
        gap = sum(n * (xj - cj) for n, xj, cj in zip(normal, x, c, strict=True)) - (speed * (t - end / 2) if end else 0)
        x = tuple(xj - gap * n for xj, n in zip(x, normal, strict=True))
        features.append(_around(x, 6 * w, place, end, t if speed else None, 6 * w / abs(speed) if speed else 0.0))
    return Known(
        f"tanh(({phase})/{_say(w)})", "layer: moving" if speed else "layer", w / place.length, filling=False,
        features=tuple(features),
    )  # fmt: skip


def boundary_layer(rng: Random, place: Place, end: float) -> Known:
    """exp(−distance from the lowest X1 over w)."""
    w = width(rng) * place.length
    low, high = list(place.low), list(place.high)
    high[0] = low[0] + 8 * w
    return Known(
        f"exp(-(X1 - {_say(place.low[0])})/{_say(w)})", "layer: at the boundary", w / place.length, filling=False,
        features=(_timed(tuple(low), tuple(high), end),),
    )  # fmt: skip


def bump(rng: Random, place: Place, end: float) -> Known:
    """A Gaussian in space, over time one that moves or flashes."""
    w = width(rng) * place.length
    c = _add(place.center, _scaled(_direction(rng, place.dim), 0.4 * place.reach))
    square = " + ".join(f"(X{j + 1} - {_say(c[j])})**2" for j in range(place.dim))
    if end and rng.random() < 0.5:  # a flash
        t, wt = end * rng.uniform(0.3, 0.7), end * width(rng)
        text = f"exp(-({square})/{_say(2 * w * w)} - (T - {_say(t)})**2/{_say(2 * wt * wt)})"
        span = _around(c, 6 * w, place, end, t, 6 * wt)
        return Known(text, "spot: a flash", min(w / place.length, wt / end), filling=False, features=(span,))
    return Known(
        f"exp(-({square})/{_say(2 * w * w)})", "spot", w / place.length, filling=False,
        features=(_around(c, 6 * w, place, end),),
    )  # fmt: skip


def kink(rng: Random, place: Place, end: float) -> Known:
    """maximum(X1 − p, 0)^m: the second or third derivative jumps, and with it f or its slope."""
    p, m = place.center[0], rng.choice((2, 2, 3))
    low, high = list(place.low), list(place.high)
    low[0], high[0] = p - 0.02 * place.length, p + 0.02 * place.length
    return Known(
        f"{_say(place.length**-m)}*maximum(X1 - {_say(p)}, 0)**{m}", "jump: in f", 0.25, filling=False, smooth=False,
        features=(_timed(tuple(low), tuple(high), end),),
    )  # fmt: skip


def hot_spot(rng: Random, place: Place, w: float) -> Known:
    """−ΔU is a source of width w and power one, U smooth beside it: a softened logarithm or charge."""
    c = _add(place.center, _scaled(_direction(rng, place.dim), 0.4 * place.reach))
    square = " + ".join(f"(X{j + 1} - {_say(c[j])})**2" for j in range(place.dim)) + f" + {_say(w * w)}"
    if place.dim == 1:
        s = f"(X1 - {_say(c[0])})"
        wide, deep = _say(math.sqrt(2) * w), _say(w * math.sqrt(2 / math.pi))
        text = f"-0.5*({s}*erf({s}/{wide}) + {deep}*exp(-{s}**2/{_say(2 * w * w)}))"
    else:
        text = f"-log({square})/(4*pi)" if place.dim == 2 else f"1/(4*pi*sqrt({square}))"
    return Known(text, "spot: in f", w / place.length, filling=False, features=(_around(c, 8 * w, place, 0.0),))


def width(rng: Random) -> float:
    """1e-1 … 1e-3, evenly in the logarithm."""
    return _round(10.0 ** rng.uniform(-3.0, -1.0))


def _of_time(rng: Random, end: float) -> str:
    """Slow, decaying, growing, oscillating or a sum."""
    kind = rng.randrange(4)
    if kind == 0:
        return f"exp(-{_say(rng.uniform(0.3, 4.0) / end)}*T)"
    if kind == 1:
        return f"cos({_say(rng.uniform(1.0, 6.0) / end)}*T)"
    if kind == 2:
        return f"1 + {_say(1.0 / end)}*T + {_say(0.3)}*sin({_say(rng.uniform(1.0, 5.0) / end)}*T)"
    return f"exp({_say(rng.uniform(0.3, 3.0) / end)}*T)"


def _direction(rng: Random, d: int) -> tuple[float, ...]:
    raw = [rng.gauss(0.0, 1.0) for _ in range(d)]
    size = math.sqrt(sum(v * v for v in raw)) or 1.0
    return tuple(_round(v / size) for v in raw)


def _around(x: tuple[float, ...], r: float, place: Place, end: float, t: float | None = None, wt: float = 0.0) -> Span:
    """A box of half a side r about a point, at all times or about one, cut at the box about the domain."""
    low = tuple(max(a, v - r) for v, a in zip(x, place.low, strict=True))
    high = tuple(min(b, v + r) for v, b in zip(x, place.high, strict=True))
    if not end:
        return low, high
    return ((*low, 0.0), (*high, end)) if t is None else ((*low, max(0.0, t - wt)), (*high, min(end, t + wt)))


def _timed(low: tuple[float, ...], high: tuple[float, ...], end: float) -> Span:
    return ((*low, 0.0), (*high, end)) if end else (low, high)


def _add(x: tuple[float, ...], y: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(_round(a + b) for a, b in zip(x, y, strict=True))


def _scaled(x: tuple[float, ...], factor: float) -> tuple[float, ...]:
    return tuple(factor * v for v in x)


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _say(value: float) -> str:
    text = f"{value:.6g}"
    return f"({text})" if text.startswith("-") else text
