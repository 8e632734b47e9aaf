"""Problems that have no answer, many, one that is ill-posed, or data with noise: the class is what is to be said."""

from collections.abc import Callable
from random import Random

from described import Described, Sensors
from shapes import some_box, some_place, unit_box
from solutions import smooth_part

_HEAT = (["-1", "0"], ["0", "1"])
_INITIAL = {"type": "initial"}


def resonance(rng: Random) -> Described:
    """U″ + n²π²U = f at an eigenvalue: with f = 0 or f = 𝓛U any multiple of a sine is free; with another f there is
    no solution.
    """
    d, n, kind = rng.choice((1, 1, 2)), rng.randint(1, 3), rng.randrange(3)
    factor = _say(10.0 ** rng.uniform(-1.0, 1.0))
    box, A, c = unit_box([1.0] * d), [factor] * d, f"{factor}*{d * n * n}*pi**2"
    zero = ({"type": "dirichlet", "value": "0"},)
    if kind == 0:
        return Described(
            box.domain, d, A=A, c=c, source="0", conditions=zero, expected="undetermined", fixed=True,
            tags=("elliptic", "helmholtz+", "resonance: zero data"),
        )  # fmt: skip
    if kind == 1:
        return Described(
            box.domain, d, A=A, c=c, exact=smooth_part(rng, box).text, conditions=({"type": "dirichlet"},),
            expected="undetermined", fixed=True, tags=("elliptic", "helmholtz+", "resonance: compatible data"),
        )  # fmt: skip
    wave = "*".join(f"sin({n}*pi*X{j + 1})" for j in range(d))
    return Described(
        box.domain, d, A=A, c=c, source=rng.choice((wave, f"{wave} + X1", f"exp(-X1) + 2*{wave}")), conditions=zero,
        expected="no-solution", fixed=True, tags=("elliptic", "helmholtz+", "resonance: incompatible data"),
    )  # fmt: skip


def missing_wall(rng: Random) -> Described:
    """−ΔU = f, and nothing is said on one side."""
    d = rng.choice((1, 2, 2, 3))
    box, left = some_box(rng, d), rng.randrange(2 * d)
    said = [i for i in range(2 * d) if i != left]
    return Described(
        box.domain, d, A=["-1"] * d, exact=smooth_part(rng, box).text,
        conditions=({"type": "dirichlet", "on": said},), expected="undetermined",
        tags=("elliptic", "laplace", "missing: a side"),
    )  # fmt: skip


def missing_inner(rng: Random) -> Described:
    """−ΔU = f in a ring, values outside alone."""
    r = _round(rng.uniform(0.2, 0.6))
    domain = {"kind": "annulus", "center": [0.0, 0.0], "inner": r, "outer": 1.0}
    return Described(
        domain, 2, A=["-1", "-1"], source=rng.choice(("1", "0", "X1")),
        conditions=({"type": "dirichlet", "on": [rng.randrange(2)], "value": "1"},), expected="undetermined",
        tags=("elliptic", "laplace", "annulus", "missing: a circle"),
    )  # fmt: skip


def two_bodies(rng: Random) -> Described:
    """Two plates, the second insulated: a constant of its own is free."""
    gap = _round(rng.uniform(0.2, 2.0))
    first = {"kind": "box", "low": [0.0, 0.0], "high": [1.0, 1.0]}
    second = {"kind": "box", "low": [1.0 + gap, 0.0], "high": [2.0 + gap, 1.0]}
    return Described(
        {"kind": "union", "of": [first, second]}, 2, A=["-1", "-1"], source="0",
        conditions=(
            {"type": "dirichlet", "on": [0, 1], "value": rng.choice(("1", "X2", "X1"))},
            {"type": "neumann", "on": [2, 3], "value": "0", "name": "insulated"},
            {"type": "neumann", "on": [4, 5, 6, 7], "value": "0", "name": "around"},
        ),
        expected="undetermined", tags=("elliptic", "laplace", "union", "missing: one body"),
    )  # fmt: skip


def missing_start(rng: Random) -> Described:
    """Heat without an initial value, or waves without a velocity, or without either."""
    box = unit_box([1.0])
    if rng.random() < 0.5:
        A, b = _HEAT
        return Described(
            box.domain, 1, A=A, b=b, end=rng.choice((0.1, 1.0)), source="0",
            conditions=({"type": "dirichlet", "value": "0"},), expected="undetermined",
            tags=("evolution", "heat", "missing: the start"),
        )  # fmt: skip
    given = ({"type": "initial", "value": "sin(pi*X1)"},) if rng.random() < 0.6 else ()
    return Described(
        box.domain, 1, A=["-1", "1"], end=rng.choice((1.0, 3.0)), source="0",
        conditions=({"type": "dirichlet", "value": "0"}, *given), expected="undetermined",
        tags=("evolution", "wave", "missing: the velocity" if given else "missing: the start"),
    )  # fmt: skip


def missing_inflow(rng: Random) -> Described:
    """U_t + vU_x = 0 with its value at the outflow or nowhere; a plane flow with one of two inflows; U′ = λU alone."""
    kind = rng.randrange(3)
    if kind == 0:
        at_outflow = ({"type": "dirichlet", "on": [1], "value": "sin(2*pi*(X1 - T))"},) if rng.random() < 0.6 else ()
        return Described(
            unit_box([1.0]).domain, 1, b=["1", "1"], end=1.0, source="0",
            conditions=({"type": "initial", "value": "sin(2*pi*X1)"}, *at_outflow), expected="undetermined",
            tags=("first order", "transport", "missing: the inflow"),
        )  # fmt: skip
    if kind == 1:
        return Described(
            unit_box([1.0, 1.0]).domain, 2, b=["1", _say(rng.uniform(0.3, 1.0))], source="1",
            conditions=({"type": "dirichlet", "on": [0], "value": "sin(pi*X2)"},), expected="undetermined",
            tags=("first order", "transport", "missing: the inflow"),
        )  # fmt: skip
    return Described(
        unit_box([1.0]).domain, 1, A=["1"], c="4", source="1",
        conditions=({"type": "dirichlet", "on": [0], "value": "1"},), expected="undetermined",
        tags=("ordinary", "oscillator", "missing: a value"),
    )  # fmt: skip


def unbalanced(rng: Random) -> Described:
    """Fluxes or periods that no U has: ∫f is not what flows out."""
    if rng.random() < 0.5:
        d = rng.choice((1, 2))
        return Described(
            unit_box([1.0] * d).domain, d, A=["-1"] * d, source=rng.choice(("1", "1 + sin(2*pi*X1)", "exp(-X1)")),
            conditions=tuple({"type": "periodic", "axis": j} for j in range(d)), expected="no-solution",
            tags=("elliptic", "laplace", "contradiction: periodic"),
        )  # fmt: skip
    place = some_place(rng, 2)
    k = rng.choice(("1", "1 + X1**2"))
    A, b = [f"-({k})"] * 2, (["-2*X1", "0"] if k != "1" else None)
    return Described(
        place.domain, 2, A=A, b=b, source="1", conditions=({"type": "neumann", "value": "0"},),
        expected="no-solution", tags=("elliptic", "divergence", place.kind, "contradiction: fluxes"),
    )  # fmt: skip


def contradictory(rng: Random) -> Described:
    """Two values of one thing: a piece twice, a sensor twice, both ends of a first-order equation, or Cauchy data."""
    kind, d = rng.randrange(4), rng.choice((1, 2))
    box, low = unit_box([1.0] * d), _say(rng.uniform(0.5, 2.0))
    every = {"type": "dirichlet", "value": low, "name": "walls"}
    if kind == 0:
        twice = {
            "type": "dirichlet",
            "on": [0],
            "value": f"{low} + {_say(10.0 ** rng.uniform(-1, 1))}",
            "name": "again",
        }
        return Described(
            box.domain, d, A=["-1"] * d, source="1", conditions=(every, twice), expected="no-solution",
            tags=("elliptic", "laplace", "contradiction: a piece twice"),
        )  # fmt: skip
    if kind == 1:
        return Described(
            box.domain, d, A=["-1"] * d, exact=smooth_part(rng, box).text, conditions=({"type": "dirichlet"},),
            expected="no-solution", tags=("elliptic", "laplace", "contradiction: a sensor twice"),
            sensors=Sensors(12, 0.0, rng.randrange(10**6), twice=rng.choice((0.5, 2.0))),
        )  # fmt: skip
    if kind == 2:
        ends = ({"type": "dirichlet", "on": [0], "value": "1"}, {"type": "dirichlet", "on": [1], "value": "3"})
        return Described(
            unit_box([1.0]).domain, 1, b=["1"], c="1", source="0", conditions=ends, expected="no-solution",
            tags=("ordinary", "reaction", "contradiction: both ends"),
        )  # fmt: skip
    extra = {"type": "neumann", "on": [0], "value": "5", "name": "flux"}
    return Described(
        box.domain, d, A=["-1"] * d, source="0", conditions=(every, extra), expected="no-solution",
        tags=("elliptic", "laplace", "contradiction: value and flux"),
    )  # fmt: skip


def backwards(rng: Random) -> Described:
    """Heat with the sign of the second derivative forgotten, or its value given at the end; smooth data that no
    solution takes, or data that have one and depend on them without bound.
    """
    kappa, value = _say(10.0 ** rng.uniform(-1.0, 0.0)), rng.choice(("X1*(1 - X1)", "sin(pi*X1) + X1**2*(1 - X1)"))
    walls = {"type": "dirichlet", "value": "0"}
    if rng.random() < 0.7:
        return Described(
            unit_box([1.0]).domain, 1, A=[kappa, "0"], b=["0", "1"], end=rng.choice((0.5, 1.0)), source="0",
            conditions=(walls, {"type": "initial", "value": value}), expected="ill-posed",
            tags=("evolution", "heat", "ill-posed: backwards"),
        )  # fmt: skip
    return Described(
        unit_box([1.0]).domain, 1, A=[f"-{kappa}", "0"], b=["0", "1"], end=1.0, source="0",
        conditions=(walls, {"type": "dirichlet", "on": [3], "value": value, "name": "end"}), expected="ill-posed",
        tags=("evolution", "heat", "ill-posed: a value at the end"),
    )  # fmt: skip


def elliptic_start(rng: Random) -> Described:
    """U_tt + ΔU = 0 with initial value and velocity: waves with a sign forgotten."""
    k = rng.randint(1, 3)
    return Described(
        unit_box([1.0]).domain, 1, A=[_say(10.0 ** rng.uniform(-0.5, 0.5)), "1"], end=1.0, source="0",
        conditions=(
            {"type": "dirichlet", "value": "0"},
            {"type": "initial", "value": rng.choice((f"sin({k}*pi*X1)", "X1*(1 - X1)"))},
            {"type": "initial_velocity", "value": "0"},
        ),
        expected="ill-posed", tags=("evolution", "laplace", "ill-posed: initial values"),
    )  # fmt: skip


def noisy(rng: Random) -> Described:
    """Sensors with noise beside an equation: every wall known, one side not, or one alone."""
    kind, d = rng.randrange(3), rng.choice((1, 2, 2))
    box = unit_box([1.0] * d)
    walls = {"type": "dirichlet", "on": [0] if kind == 2 else list(range(2 * d - (kind == 1)))}
    sensors = Sensors(
        rng.choice((20, 60, 200, 800)), 10.0 ** rng.uniform(-2.3, -1.0), rng.randrange(10**6), rng.random() < 0.5
    )
    return Described(
        box.domain, d, A=["-1"] * d, exact=smooth_part(rng, box).text, conditions=(walls,), expected="noise",
        sensors=sensors, tags=("elliptic", "laplace", ("noise", "noise: a side is missing", "noise: one wall")[kind]),
    )  # fmt: skip


def fitted(rng: Random) -> Described:
    """U = data with noise: regression."""
    place = some_place(rng, rng.choice((1, 2)))
    heat = rng.random() < 0.4
    end = 1.0 if heat else 0.0
    known = smooth_part(rng, place, end)
    sensors = Sensors(
        rng.choice((60, 200, 800)), 10.0 ** rng.uniform(-2.3, -1.0), rng.randrange(10**6), rng.random() < 0.5
    )
    if heat:  # walls and sensors, the start unknown
        return Described(
            place.domain, place.dim, A=[*["-0.1"] * place.dim, "0"], b=[*["0"] * place.dim, "1"], end=end,
            exact=known.text, conditions=({"type": "dirichlet"},), expected="noise", sensors=sensors,
            tags=("evolution", "heat", place.kind, "noise: the start is missing"),
        )  # fmt: skip
    return Described(
        place.domain, place.dim, A=[_say(-(10.0 ** rng.uniform(-2, 0)))] * place.dim, c="1", exact=known.text,
        conditions=({"type": "dirichlet"},), expected="noise", sensors=sensors,
        tags=("elliptic", "helmholtz-", place.kind, "noise"),
    )  # fmt: skip


UNDETERMINED: tuple[Callable[[Random], Described], ...] = (
    missing_wall, missing_inner, two_bodies, missing_start, missing_inflow,
)  # fmt: skip
NO_SOLUTION: tuple[Callable[[Random], Described], ...] = (unbalanced, contradictory)
ILL_POSED: tuple[Callable[[Random], Described], ...] = (backwards, elliptic_start)
NOISE: tuple[Callable[[Random], Described], ...] = (noisy, noisy, fitted)


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _say(value: float) -> str:
    text = f"{value:.8g}"
    return f"({text})" if text.startswith("-") else text
