"""Random problems for the calibration of the estimate: `problem(seed)` is the same problem for ever.

Families are drawn with their weights, then units: x in micrometres or metres, u in kelvins or tiny, tolerances from
1e-4 to 1e-10. Nothing here knows the solver; what it gets wrong is no reason to change what is drawn (final figures
are those of fresh seeds).
"""

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

import equations
import evolutions
import hostile
from described import Described, Drawn, Units, placed

FAMILIES: tuple[tuple[float, Callable[[Random], Described]], ...] = (
    (34, equations.elliptic),
    (7, equations.power_source),
    (6, equations.layered),
    (4, equations.advected),
    (6, equations.harmonic),
    (1, equations.re_entrant),
    (4, equations.near_resonance),
    (3, equations.insulated),
    (14, evolutions.heat),
    (5, evolutions.cooling),
    (3, evolutions.growing),
    (8, evolutions.wave),
    (7, evolutions.transport),
    (5, evolutions.ordinary),
    (5, hostile.resonance),
    (10, lambda rng: rng.choice(hostile.UNDETERMINED)(rng)),
    (8, lambda rng: rng.choice(hostile.NO_SOLUTION)(rng)),
    (5, lambda rng: rng.choice(hostile.ILL_POSED)(rng)),
    (9, lambda rng: rng.choice(hostile.NOISE)(rng)),
)
SEEDS = range(200)
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)


def problem(seed: int) -> Drawn:
    """The problem of a seed."""
    rng = Random(f"calibration {seed}")
    weights = [weight for weight, _ in FAMILIES]
    one = rng.choices([family for _, family in FAMILIES], weights)[0](rng)
    units, tags = some_units(rng, one)
    words = "-".join(tag.split(":")[0].replace(" ", "_") for tag in one.tags[1:])
    return placed(replace(one, tags=(*one.tags, *tags)), units, f"r{seed:04d}-{words}", rng.choice(TOLERANCES))


def some_units(rng: Random, one: Described) -> tuple[Units, tuple[str, ...]]:
    """Lengths, origins, offsets and sizes; each plain more often than not."""
    d, time, tags = one.dim, one.end > 0.0, []
    length, start = 1.0, [0.0] * d
    if rng.random() < 0.3:
        length = rng.choice((1e-6, 1e-3, 0.0254, 12.0, 1e3))
        tags.append("lengths")
    if rng.random() < 0.2:
        start = [length * round(rng.uniform(-20.0, 20.0), 2) for _ in range(d)]
        tags.append("origin")
    lengths = [length] * d
    if d > 1 and one.domain["kind"] == "box" and rng.random() < 0.15:
        lengths[-1] = length * rng.choice((0.05, 20.0))
        tags.append("unequal sides")
    if time:
        second = rng.choice((1e-3, 3600.0)) if rng.random() < 0.15 else 1.0
        lengths, start = [*lengths, second], [*start, second * rng.choice((0.0, 0.0, 0.0, 2.0))]
        tags += ["time unit"] if second != 1.0 else []
    offset = rng.choice((293.15, 293.15, -40.0, 1e3, 1e6)) if rng.random() < 0.3 and may_shift(one) else 0.0
    size = 10.0 ** rng.uniform(-6.0, 6.0) if rng.random() < 0.3 and not one.fixed else 1.0
    tags += (["offset"] if offset else []) + (["size"] if size != 1.0 else [])
    factor = lengths[0] ** -2 if rng.random() < 0.5 else 1.0
    exponent = math.floor(math.log10(factor)) if factor != 1.0 else 0
    return Units(tuple(start), tuple(lengths), offset, float(f"{size:.3g}"), 10.0**exponent), tuple(tags)


def may_shift(one: Described) -> bool:
    """Whether U + C solves the same kind of problem: no c, or a source that follows from U."""
    return not one.fixed and (not one.c or (bool(one.exact) and not one.source))
