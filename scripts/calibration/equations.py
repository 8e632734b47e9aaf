"""Well-posed problems whose solution is chosen first: operators × domains × solutions × conditions."""

import math
from dataclasses import dataclass
from random import Random
from typing import Any

from described import Described
from shapes import Place, some_box, some_place, unit_box
from solutions import Known, hot_spot, smooth_part, some_solution, width


@dataclass(frozen=True)
class Operator:
    """A, b, c as text.

    Attributes:
        tag: in a word.
        A: second-order coefficients, of space.
        b: first-order coefficients, of space.
        c: zeroth-order coefficient.
        scale: the smallest of its own, such as √κ.
        mixed: whether Neumann and Robin pieces leave U unique.
        floating: whether constants are in its kernel.
    """

    tag: str
    A: Any
    b: list[str] | None = None
    c: str = ""
    scale: float = 1.0
    mixed: bool = True
    floating: bool = False


def elliptic(rng: Random) -> Described:
    """An elliptic equation in one to five coordinates, U manufactured."""
    dim = rng.choices((1, 2, 3, 4, 5), (5, 12, 4, 1, 1))[0]
    place = some_place(rng, dim)
    operator = rng.choice(OPERATORS)(rng, place)
    known = some_solution(rng, place)
    conditions, how = some_conditions(rng, operator, place)
    return _described(place, operator, known, conditions, ("elliptic", operator.tag, known.tag, *how))


def power_source(rng: Random) -> Described:
    """−ΔU = a narrow source of power one: U is smooth nearly everywhere, f is not."""
    place = some_place(rng, rng.choice((1, 2, 2, 2, 3)))
    known = hot_spot(rng, place, width(rng) * place.length)
    operator = Operator("laplace", ["-1"] * place.dim)
    return _described(place, operator, known, _dirichlet(), ("elliptic", "laplace", known.tag))


def layered(rng: Random) -> Described:
    """−∇·(k∇U) = 0 through layers: 1/k = α + β tanh(s/w), so that U = q(αs + βw log cosh(s/w)) along the first axis."""
    d, w, ratio = rng.choice((1, 2, 2, 3)), width(rng), 10.0 ** rng.uniform(0.5, 2.5)
    place = unit_box([1.0] * d)
    at = _round(rng.uniform(0.3, 0.7))
    high, low = 1.0, 1.0 / ratio
    alpha, beta = _say((high + low) / 2), _say((high - low) / 2 * rng.choice((-1.0, 1.0)))
    s = f"((X1 - {at})/{_say(w)})"
    k = f"1/({alpha} + {beta}*tanh{s})"
    bent = f"(abs{s} + log(1 + exp(-2*abs{s})))"  # log cosh, up to a constant, without its overflow
    slope = f"(-{beta}/{_say(w)}*(1 - tanh{s}**2)/({alpha} + {beta}*tanh{s})**2)"
    across = [
        {"type": "dirichlet", "on": [0]},
        rng.choice(({"type": "neumann", "on": [1]}, {"type": "dirichlet", "on": [1]})),
    ]
    walls = [{"type": "neumann", "on": list(range(2, 2 * d)), "value": "0"}] if d > 1 else []
    half = 6 * w
    span = ((max(0.0, at - half), *[0.0] * (d - 1)), (min(1.0, at + half), *[1.0] * (d - 1)))
    return Described(
        place.domain, d, A=[f"-({k})"] * d, b=[f"-{slope}", *["0"] * (d - 1)],
        exact=f"{alpha}*X1 + {beta}*{_say(w)}*{bent}", source="0", conditions=(*across, *walls),
        tags=("elliptic", "divergence", "layer: in k"), scale=w, filling=False, features=(span,),
    )  # fmt: skip


def advected(rng: Random) -> Described:
    """−κU″ + U′ = 0 or 1 and its layer at the outflow, in one or two coordinates."""
    d, kappa = rng.choice((1, 1, 2)), width(rng)
    place = unit_box([1.0] * d)
    shape = f"(exp((X1 - 1)/{_say(kappa)}) - exp(-1/{_say(kappa)}))/(1 - exp(-1/{_say(kappa)}))"
    forced = rng.random() < 0.5
    text, source = (f"X1 - {shape}", "1") if forced else (shape, "0")
    walls = [{"type": "neumann", "on": [2, 3], "value": "0"}] if d == 2 else []
    span = ((max(0.0, 1.0 - 8 * kappa), *[0.0] * (d - 1)), (1.0,) * d)
    return Described(
        place.domain, d, A=[_say(-kappa)] * d, b=["1", *["0"] * (d - 1)], exact=text, source=source,
        conditions=({"type": "dirichlet", "on": [0, 1]}, *walls),
        tags=("elliptic", "advection-diffusion", "layer: at the outflow"), scale=kappa, filling=False, features=(span,),
    )  # fmt: skip


def harmonic(rng: Random) -> Described:
    """ΔU = 0 with boundary values alone: waves, a charge beside the domain or in its hole, a jump at a corner."""
    if rng.random() < 0.25:
        box = unit_box([1.0, 1.0])
        return Described(
            box.domain, 2, A=["1", "1"], exact="2/pi*atan2(X2, X1)", source="0", conditions=_dirichlet(), smooth=False,
            scale=1e-3, filling=False, tags=("elliptic", "laplace", "jump: of the boundary values"),
            features=(((0.0, 0.0), (0.02, 0.02)),),
        )  # fmt: skip
    place = some_place(rng, rng.choice((2, 2, 3)))
    if place.holes and rng.random() < 0.7:
        at, r = place.holes[0]
        c = [v + 0.3 * r * (j == 0) for j, v in enumerate(at)]
        square = " + ".join(f"(X{j + 1} - {_say(v)})**2" for j, v in enumerate(c))
        text, tag = (f"log({square})" if place.dim == 2 else f"1/sqrt({square})"), "a charge in the hole"
        scale = 0.7 * r / place.length
    else:
        k = rng.uniform(0.5, 12.0) / place.length
        text, tag, scale = f"exp({_say(-k)}*X1)*cos({_say(k)}*X2 + 0.4)", "smooth", 1.0 / (k * place.length)
    return Described(
        place.domain, place.dim, A=["1"] * place.dim, exact=text, source="0", conditions=_dirichlet(), scale=scale,
        filling=False, tags=("elliptic", "laplace", place.kind, tag),
    )  # fmt: skip


def re_entrant(rng: Random) -> Described:
    """The singularity of the L's corner under cosines."""
    wave = rng.choice(("cos(pi*X1/2)*cos(pi*X2/2)", "1"))
    text = f"{wave}*(X1**2 + X2**2)**(1/3)*sin(2*(atan2(-X1 - X2, X2 - X1) + 3*pi/4)/3)"
    domain = {"kind": "l_shape", "low": [-1.0, -1.0], "high": [1.0, 1.0]}
    return Described(
        domain, 2, A=["-1", "-1"], exact=text, conditions=_dirichlet(), smooth=False, scale=1e-3, filling=False,
        tags=("elliptic", "laplace", "l_shape", "re-entrant corner"), features=(((-0.05, -0.05), (0.05, 0.05)),),
    )  # fmt: skip


def near_resonance(rng: Random) -> Described:
    """U″ + k²U = f next to an eigenvalue: unique, and 1/δ times as sensitive."""
    d, delta = rng.choice((1, 1, 2)), 10.0 ** rng.uniform(-6.0, -2.0) * rng.choice((-1, 1))
    place, n = unit_box([1.0] * d), rng.randint(1, 4)
    c = f"{d * n * n}*pi**2*(1 + {delta!r})"
    known = smooth_part(rng, place)
    return Described(
        place.domain, d, A=["1"] * d, c=c, exact=known.text, conditions=_dirichlet(), fixed=True,
        scale=1 / (n * math.pi), smooth=abs(delta) >= 1e-4, tags=("elliptic", "helmholtz+", "resonance: near"),
    )  # fmt: skip


def insulated(rng: Random) -> Described:
    """Fluxes all around, or a period in every direction: U up to a constant, which is no fault."""
    place = some_box(rng, rng.choice((1, 2, 2)))
    if rng.random() < 0.3:
        place = unit_box([1.0] * place.dim)
        text = "*".join(f"sin(2*pi*X{j + 1} + {_say(rng.uniform(0, 3))})" for j in range(place.dim))
        conditions: tuple[dict[str, Any], ...] = tuple({"type": "periodic", "axis": j} for j in range(place.dim))
        scale = 1 / (2 * math.pi)
    else:
        known = smooth_part(rng, place)
        text, scale, conditions = known.text, known.scale, ({"type": "neumann"},)
    return Described(
        place.domain, place.dim, A=["-1"] * place.dim, exact=text, conditions=conditions, scale=scale,
        tags=("elliptic", "laplace", "up to a constant"),
    )  # fmt: skip


def some_conditions(
    rng: Random, operator: Operator, place: Place
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Dirichlet all around, or Neumann and Robin on a piece of a box or a ring."""
    if not operator.mixed or not (place.box or place.kind in ("annulus", "eccentric ring")) or rng.random() < 0.5:
        return _dirichlet(), ()
    count = 2 * place.dim if place.box else 2
    flux = rng.randrange(count)
    rest = [i for i in range(count) if i != flux]
    other = (
        {"type": "neumann", "on": [flux]}
        if rng.random() < 0.5
        else {"type": "robin", "on": [flux], "alpha": _say(rng.uniform(0.5, 4.0)), "beta": 1}
    )
    return ({"type": "dirichlet", "on": rest}, other), (str(other["type"]),)


def laplace(rng: Random, place: Place) -> Operator:
    """±Δ."""
    return Operator("laplace", [rng.choice(("-1", "1"))] * place.dim)


def helmholtz(rng: Random, place: Place) -> Operator:
    """Δ + k², k² in the middle of a gap between eigenvalues (boxes), or below the first one."""
    sides = [b - a for a, b in zip(place.low, place.high, strict=True)]
    first = sum((math.pi / side) ** 2 for side in sides)
    if not place.box:
        return Operator("helmholtz+", ["1"] * place.dim, c=_say(rng.uniform(0.2, 0.8) * first), mixed=False)
    top = first * {1: 400.0, 2: 40.0}.get(place.dim, 5.0) * rng.random() + first
    gap = max(_gaps(sides, top)[-6:], key=lambda g: g[1] - g[0])
    c = (gap[0] + gap[1]) / 2
    scale = 1.0 / (math.sqrt(c) * max(sides))
    return Operator("helmholtz+", ["1"] * place.dim, c=_say(c), scale=scale, mixed=False)


def screened(rng: Random, place: Place) -> Operator:
    """−ε²Δ + 1."""
    return Operator("helmholtz-", [_say(-(width(rng) ** 2))] * place.dim, c="1")


def variable(rng: Random, place: Place) -> Operator:
    """A(x) full in the plane, b(x), c(x)."""
    d = place.dim
    if d == 2 and rng.random() < 0.6:
        A: Any = [["-(1 + X1**2/2)", "-0.3*sin(pi*X2)"], ["-0.3*sin(pi*X2)", "-(1 + X2**2/2)"]]
    else:
        A = [f"-(1 + 0.5*sin({_say(rng.uniform(1, 6) / place.length)}*X{d - j}))" for j in range(d)]
    b = [f"cos(X{d - j})" for j in range(d)]
    return Operator("variable", A, b, "1 + X1**2" if rng.random() < 0.5 else "")


def anisotropic(rng: Random, place: Place) -> Operator:
    """κ times slower along one axis, turned in the plane."""
    d, ratio = place.dim, 10.0 ** rng.uniform(-3.0, -1.0)
    if d != 2 or rng.random() < 0.5:
        return Operator("anisotropic", [*["-1"] * (d - 1), _say(-ratio)])
    angle = rng.uniform(0.0, math.pi)
    p, q = math.cos(angle), math.sin(angle)
    a, m, c = (p * p + ratio * q * q, (1 - ratio) * p * q, q * q + ratio * p * p)
    return Operator("anisotropic", [[_say(-a), _say(-m)], [_say(-m), _say(-c)]])


def advection(rng: Random, place: Place) -> Operator:
    """−κΔ + v·∇, v constant or turning."""
    d, kappa = place.dim, 10.0 ** rng.uniform(-3.0, 0.0)
    turning = d == 2 and rng.random() < 0.5
    b = ["-X2", "X1"] if turning else [_say(rng.uniform(-1, 1)) for _ in range(d)]
    return Operator("advection-diffusion", [_say(-kappa)] * d, b)


def divergence(rng: Random, place: Place) -> Operator:
    """−∇·(k∇U) written out, b = −∇k: k exponential, a wave, or a step of width w."""
    d, kind = place.dim, rng.randrange(3)
    zero = ["0"] * (d - 1)
    if kind == 0:
        m = _say(rng.uniform(-3, 3) / place.length)
        k, slope, scale = f"exp({m}*X1)", f"{m}*exp({m}*X1)", 0.3
    elif kind == 1:
        m = rng.uniform(2, 20) / place.length
        k, slope = f"(1 + 0.8*sin({_say(m)}*X1))", f"0.8*{_say(m)}*cos({_say(m)}*X1)"
        scale = 1 / (m * place.length)
    else:
        w, ratio = width(rng) * place.length, 10.0 ** rng.uniform(0.5, 2.0)
        s = f"((X1 - {_say(place.center[0])})/{_say(w)})"
        mean, half = _say((1 + ratio) / 2), _say((ratio - 1) / 2)
        k, slope = f"({mean} + {half}*tanh{s})", f"{half}/{_say(w)}*(1 - tanh{s}**2)"
        scale = w / place.length
    return Operator("divergence", [f"-{k}"] * d, [f"-({slope})", *zero], scale=scale)


def reaction(rng: Random, place: Place) -> Operator:
    """−εΔ + (1 + |x|²)."""
    square = " + ".join(f"X{j + 1}**2" for j in range(place.dim))
    return Operator("reaction-diffusion", [_say(-(10.0 ** rng.uniform(-3, 0)))] * place.dim, c=f"1 + {square}")


OPERATORS = (laplace, laplace, helmholtz, screened, variable, anisotropic, advection, divergence, reaction)


def _described(
    place: Place, operator: Operator, known: Known, conditions: tuple[dict[str, Any], ...], tags: tuple[str, ...]
) -> Described:
    inner = [("operator scale", operator.scale, operator.tag != "divergence"), ("", known.scale, known.filling)]
    _, scale, filling = min(inner, key=lambda one: one[1])
    return Described(
        place.domain, place.dim, A=operator.A, b=operator.b, c=operator.c, exact=known.text, conditions=conditions,
        tags=(*tags[:2], place.kind, *tags[2:]), scale=scale, filling=filling, smooth=known.smooth,
        features=known.features,
    )  # fmt: skip


def _dirichlet() -> tuple[dict[str, Any], ...]:
    return ({"type": "dirichlet"},)


def _gaps(sides: list[float], top: float) -> list[tuple[float, float]]:
    """Neighbouring Dirichlet eigenvalues of −Δ on a box, up to a bound and one above it."""
    values = [0.0]
    for side in sides:
        most = int(math.sqrt(2 * top) * side / math.pi) + 2
        values = [v + (n * math.pi / side) ** 2 for v in values for n in range(1, most + 1)]
    values = sorted({round(v, 6) for v in values})
    below = [v for v in values if v <= top]
    return list(zip(values, values[1 : len(below) + 1], strict=False))[: max(1, len(below))]


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _say(value: float) -> str:
    text = f"{value:.8g}"
    return f"({text})" if text.startswith("-") else text
