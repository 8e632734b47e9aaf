"""Well-posed problems in time: heat, waves, transport, reactions, with solutions chosen first or by their own law."""

import math
from random import Random
from typing import Any

from described import Described
from shapes import some_place, unit_box
from solutions import some_solution, width

INITIAL = ({"type": "dirichlet"}, {"type": "initial"})


def heat(rng: Random) -> Described:
    """U_t − κΔU (+ v·∇U + cU) = f, U manufactured; T up to 50."""
    dim = rng.choices((1, 2, 3, 4), (10, 5, 1, 1))[0]
    place, end, d = some_place(rng, dim), _end(rng), dim
    known = some_solution(rng, place, end)
    kappa = 10.0 ** rng.uniform(-2.5, 0.0)
    kind, A = rng.choice(("heat", "heat", "variable heat", "advected heat")), [_say(-kappa)] * d
    b, c = ["0"] * d, ""
    if kind == "variable heat":
        A = [f"-{_say(kappa)}*(1 + 0.5*sin(2*X1)*cos({_say(2 / end)}*T))"] * d
    elif kind == "advected heat":
        b, c = [_say(rng.uniform(-1, 1)) for _ in range(d)], rng.choice(("", "0.5"))
    conditions: tuple[dict[str, Any], ...] = INITIAL
    if place.box and rng.random() < 0.3:
        conditions = ({"type": "dirichlet", "on": [0]}, {"type": "neumann", "on": list(range(1, 2 * d))}, INITIAL[1])
    return Described(
        place.domain, d, A=[*A, "0"], b=[*b, "1"], c=c, end=end, exact=known.text, conditions=conditions,
        tags=("evolution", kind, place.kind, known.tag, *_long(end)), scale=known.scale, filling=known.filling,
        smooth=known.smooth, features=known.features,
    )  # fmt: skip


def cooling(rng: Random) -> Described:
    """U_t = κU_xx, modes that decay by their own law and, for long times, a profile that stays."""
    end, kappa, n = _end(rng), 10.0 ** rng.uniform(-2.5, 0.0), rng.randint(1, 4)
    rate = kappa * (n * math.pi) ** 2
    text = f"sin({n}*pi*X1)*exp(-{_say(kappa)}*({n}*pi)**2*T)" + (" + X1" if rng.random() < 0.7 else "")
    features = (((0.0, 0.0), (1.0, min(end, 5.0 / rate))),)
    scale = min(1.0 / (n * math.pi), 1.0 / (rate * end))
    return Described(
        unit_box([1.0]).domain, 1, A=[_say(-kappa), "0"], b=["0", "1"], end=end, exact=text, source="0",
        conditions=INITIAL, tags=("evolution", "heat", "own law", *_long(end)), scale=scale, filling=False,
        features=features,
    )  # fmt: skip


def growing(rng: Random) -> Described:
    """U_t = κU_xx + aU with a above the first rate of decay: errors grow as U does; or errors grow and U does not."""
    end, kappa = rng.choice((1.0, 4.0, 20.0, 50.0)), 0.05
    gain = kappa * math.pi**2 + rng.uniform(1.0, 25.0) / end
    grows = rng.random() < 0.5
    text = (
        f"sin(pi*X1)*exp(({_say(gain)} - {_say(kappa)}*pi**2)*T)"
        if grows
        else f"sin(pi*X1)*cos({_say(6 / end)}*T) + X1*(1 - X1)"
    )
    total = (gain - kappa * math.pi**2) * end
    return Described(
        unit_box([1.0]).domain, 1, A=[_say(-kappa), "0"], b=["0", "1"], c=_say(-gain), end=end, exact=text,
        conditions=INITIAL, scale=1.0 / max(total, 3.0), smooth=total <= 15.0,
        tags=("evolution", "heat", "growth" if grows else "growth of errors", *_long(end)),
    )  # fmt: skip


def wave(rng: Random) -> Described:
    """U_tt − v²ΔU = f: standing modes, pulses that travel, or U manufactured."""
    end, v, kind = rng.choice((1.0, 1.0, 3.0, 10.0)), _round(rng.uniform(0.5, 2.0)), rng.randrange(3)
    conditions: tuple[dict[str, Any], ...] = (*INITIAL, {"type": "initial_velocity"})
    if kind == 2:
        place = some_place(rng, rng.choice((1, 2)))
        known = some_solution(rng, place, end)
        return Described(
            place.domain, place.dim, A=[*[_say(-v * v)] * place.dim, "1"], end=end, exact=known.text,
            conditions=conditions, tags=("evolution", "wave", place.kind, known.tag, *_long(end)), scale=known.scale,
            filling=known.filling, smooth=known.smooth, features=known.features,
        )  # fmt: skip
    if kind == 1:
        w, p = width(rng), _round(rng.uniform(0.2, 0.5))
        text, tag, scale = f"exp(-(X1 - {p} - {v}*T)**2/{_say(2 * w * w)})", "spot: travelling", w
        end = min(end, 0.8 / v)
        features = _path(p, v, end, 6 * w)
    else:
        n = rng.randint(1, 6)
        text, tag, features = f"sin({n}*pi*X1)*cos({n}*pi*{v}*T)", "own law", ()
        scale = min(1 / (n * math.pi), 1 / (n * math.pi * v * end))
    return Described(
        unit_box([1.0]).domain, 1, A=[_say(-v * v), "1"], end=end, exact=text, source="0", conditions=conditions,
        tags=("evolution", "wave", tag, *_long(end)), scale=scale, filling=kind == 0, features=tuple(features),
    )  # fmt: skip


def transport(rng: Random) -> Described:
    """U_t + vU_x + cU = 0 with the value at the inflow; or v·∇U + cU = f in the plane."""
    if rng.random() < 0.3:
        place = unit_box([1.0, 1.0])
        known = some_solution(rng, place)
        return Described(
            place.domain, 2, b=["1", _say(rng.uniform(0.2, 1.0))], c=rng.choice(("", "1")), exact=known.text,
            conditions=({"type": "dirichlet", "on": [0, 2]},), tags=("first order", "transport", known.tag),
            scale=known.scale, filling=known.filling, smooth=known.smooth, features=known.features,
        )  # fmt: skip
    end, v, w = _end(rng), rng.choice((1.0, 0.5, -1.0)), width(rng)
    phase = f"(X1 - {v}*T)"
    shape = rng.randrange(3)
    k = 2 * math.pi * rng.randint(1, 4)
    if shape == 0:
        text, tag, scale, features = f"sin({_say(k)}*{phase})", "oscillating", 1 / (k * abs(v) * end), ()
    else:
        p = 0.4 if v > 0 else 0.6
        text = f"exp(-({phase} - {p})**2/{_say(2 * w * w)})" if shape == 1 else f"tanh(({phase} - {p})/{_say(w)})"
        tag, scale, features = ("spot: travelling" if shape == 1 else "layer: moving"), w, _path(p, v, end, 6 * w)
        end = min(end, 2.0)
    inflow = {"type": "dirichlet", "on": [0 if v > 0 else 1]}
    return Described(
        unit_box([1.0]).domain, 1, b=[_say(v), "1"], end=end, exact=text, source="0",
        conditions=(inflow, {"type": "initial"}), tags=("first order", "transport", tag, *_long(end)), scale=scale,
        filling=shape == 0, features=tuple(f for f in features if f[0][-1] < end),
    )  # fmt: skip


def ordinary(rng: Random) -> Described:
    """U′ + λU = f on [0, L]: decay, growth (U′ = U on [0, 50]), stiff after a slow U, or a second-order oscillator."""
    kind, end = rng.randrange(4), rng.choice((1.0, 5.0, 20.0, 50.0))
    domain = unit_box([end]).domain
    start = ({"type": "dirichlet", "on": [0]},)
    if kind == 3:
        k = _round(rng.uniform(1.0, 3.0))
        return Described(
            domain, 1, A=["1"], c=_say(k * k), exact=f"cos({k}*X1)", source="0",
            conditions=(*start, {"type": "neumann", "on": [0]}), tags=("ordinary", "oscillator", *_long(end)),
            scale=1 / (k * end),
        )  # fmt: skip
    if kind == 2:
        rate = 10.0 ** rng.uniform(1.0, 3.0)
        return Described(
            domain, 1, b=["1"], c=_say(rate), exact=f"cos({_say(5 / end)}*X1) + exp({_say(-rate)}*X1)",
            conditions=start, tags=("ordinary", "reaction", "layer: at the start", *_long(end)), scale=1 / (rate * end),
            filling=False, features=(((0.0,), (min(end, 10 / rate),)),),
        )  # fmt: skip
    rate = 1.0 if kind == 0 else _round(rng.uniform(-1.0, -0.1))
    scale = 1 / max(abs(rate) * end, 1)
    return Described(
        domain, 1, b=["1"], c=_say(rate), exact=f"exp({_say(-rate)}*X1)", source="0", conditions=start,
        tags=("ordinary", "reaction", "growth" if rate < 0 else "decay", *_long(end)), scale=scale,
        filling=False, smooth=-rate * end <= 20.0, features=(((0.0,), (min(end, 3.0),)),),
    )  # fmt: skip


def _path(p: float, v: float, end: float, r: float) -> tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]:
    """Boxes along the way of a pulse, inside the unit interval."""
    steps = 32
    spans = []
    for i in range(steps):
        t0, t1 = end * i / steps, end * (i + 1) / steps
        a, b = sorted((p + v * t0, p + v * t1))
        if b + r > 0.0 and a - r < 1.0:
            spans.append(((max(0.0, a - r), t0), (min(1.0, b + r), t1)))
    return tuple(spans)


def _end(rng: Random) -> float:
    """1 mostly, then up to 50."""
    return rng.choice((1.0, 1.0, 1.0, 0.3, 5.0, 20.0, 50.0))


def _long(end: float) -> tuple[str, ...]:
    return ("long time",) if end >= 20.0 else ()


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _say(value: float) -> str:
    text = f"{value:.8g}"
    return f"({text})" if text.startswith("-") else text
