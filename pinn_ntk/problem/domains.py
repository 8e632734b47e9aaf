"""Domains from text: a kind and the numbers that its factory takes, nested where domains are made of others."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pinn_ntk.arguments import choose, count
from pinn_ntk.geometry.algebra import difference, intersection, union
from pinn_ntk.geometry.annulus import annulus
from pinn_ntk.geometry.ball import ball
from pinn_ntk.geometry.box import Box, box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.ellipse import ellipse
from pinn_ntk.geometry.over_time import over_time
from pinn_ntk.geometry.polygon import l_shape, polygon
from pinn_ntk.problem.formulas import Faults, constant

SHAPES: dict[str, Callable[..., Domain]] = {
    "ball": ball,
    "ellipse": ellipse,
    "annulus": annulus,
    "polygon": polygon,
    "l_shape": l_shape,
}
COMBINED: dict[str, Callable[..., Domain]] = {"union": union, "difference": difference, "intersection": intersection}
KINDS = ("box", *SHAPES, *COMBINED)
MAX_DIM = 100  # every coordinate has two faces and a Hessian column of ϕ: seconds here, a quarter of an hour at 1000
MAX_PARTS, MAX_DEPTH = 256, 16  # of a domain made of others, which YAML's anchors can make without end
_EXAMPLE = "{kind: box, low: [0, 0], high: [1, 1]}"


def read_domain(spec: Mapping[str, Any], time: bool, faults: Faults) -> Domain | None:
    """Ω, or Ω × [t₀, T], from `domain`, `dim` and `time_span`; None where something is wrong, which is noted.

    A box without a `time_span` has time as its own last coordinate; every other domain is one of space.
    """
    given, dim, span = spec.get("domain"), spec.get("dim"), spec.get("time_span")
    if dim is not None and faults.attempt("dim", lambda: count("dim", dim, most=MAX_DIM)) is None:
        return None
    if given is not None and not isinstance(given, Mapping):
        faults.add("domain", f"got {given!r}, expected a mapping such as {_EXAMPLE}")
        return None
    described = given or {}
    times = None if span is None else _times(span, time, faults)
    if span is not None and times is None:
        return None
    if described.get("kind", "box") == "box":
        return _checked_box(described, dim, time, times, faults)
    domain = _domain("domain", described, None, faults) if _finite(described, faults) else None
    if domain is None:
        return None
    if time and times is None:
        faults.add(
            "time_span", f"missing; {described['kind']} is a domain of space: write for example time_span: [0, 1]"
        )
        return None
    made = domain if times is None else faults.attempt("time_span", lambda: over_time(domain, *times))
    if made is not None and dim is not None and dim != made.dim:
        faults.add("dim", f"got {dim}, expected {made.dim}, as many coordinates as {made} has; leave it out")
        return None
    return made


def _finite(described: Mapping[str, Any], faults: Faults) -> bool:
    """Whether a nested domain has an end: its levels and its parts are counted first."""
    level, parts = [described], 1
    for _ in range(MAX_DEPTH):
        inner = [d.get("of") for d in level if str(d.get("kind")) in COMBINED]
        parts += sum(len(of) for of in inner if isinstance(of, (list, tuple)))
        if parts > MAX_PARTS:
            break
        level = [part for of in inner if isinstance(of, (list, tuple)) for part in of if isinstance(part, Mapping)]
        if not level:
            return True
    faults.add(
        "domain",
        f"got more than {MAX_PARTS} parts or {MAX_DEPTH} levels of them, expected fewer; leave out what matters least",
    )
    return False


def _times(span: object, time: bool, faults: Faults) -> tuple[float, float] | None:
    if not time:
        faults.add("time_span", "given in a problem without time; write time: true, the last coordinate being t")
        return None
    if not isinstance(span, (list, tuple)) or len(span) != 2:
        faults.add("time_span", f"got {span!r}, expected the start and the end, such as [0, 1]")
        return None
    ends = [faults.attempt("time_span", lambda v=v: constant("time_span", v)) for v in span]  # type: ignore[misc]
    start, end = ends
    if start is None or end is None:
        return None
    if not start < end:
        faults.add("time_span", f"got {span!r}, expected start < end")
        return None
    return start, end


def _checked_box(
    described: Mapping[str, Any], dim: int | None, time: bool, times: tuple[float, float] | None, faults: Faults
) -> Box | None:
    """The box of space with its times, or the box that has time as its last coordinate."""
    space = None if dim is None else dim - (times is not None)
    if space == 0 or (time and times is None and (dim or 2) < 2):
        faults.add(
            "dim",
            "got 1 coordinate with time: true, expected space coordinates and time as the last one; dim counts time",
        )
        return None
    made = _box("domain", described, space, faults)
    if made is None:
        return None
    if time and times is None and made.dim < 2:
        faults.add(
            "dim",
            "got 1 coordinate with time: true, expected space coordinates and time as the last one; dim counts time",
        )
        return None
    return (
        made
        if times is None
        else faults.attempt("time_span", lambda: box([*made.low, times[0]], [*made.high, times[1]]))
    )


def _box(key: str, described: Mapping[str, Any], dim: int | None, faults: Faults) -> Box | None:
    """A box of so many coordinates, numbers being repeated for each; the unit box where nothing is said."""
    faults.unknown(f"{key}.", described, ("kind", "low", "high"))
    low = faults.attempt(f"{key}.low", lambda: _ends(f"{key}.low", described.get("low", 0.0)))
    high = faults.attempt(f"{key}.high", lambda: _ends(f"{key}.high", described.get("high", 1.0)))
    if low is None or high is None:
        return None
    d = dim or max(len(low), len(high))
    low, high = ([v[0]] * d if len(v) == 1 else v for v in (low, high))
    if d > MAX_DIM:
        faults.add(key, f"got {d} coordinates, expected at most {MAX_DIM}")
        return None
    if len(low) != d or len(high) != d:
        faults.add(
            key, f"got {len(low)} lower and {len(high)} upper ends for {d} coordinates, expected one of each for each"
        )
        return None
    return faults.attempt(key, lambda: box(low, high))


def _ends(key: str, value: object) -> list[float]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ValueError("got an empty list, expected one number for each coordinate")
    return [constant(key, v) for v in values]


def _domain(key: str, described: object, dim: int | None, faults: Faults) -> Domain | None:
    """A domain of space of any kind."""
    if not isinstance(described, Mapping):
        faults.add(key, f"got {described!r}, expected a mapping such as {_EXAMPLE}")
        return None
    kind = faults.attempt(
        f"{key}.kind", lambda: choose(f"{key}.kind", described.get("kind", "box"), {name: name for name in KINDS})
    )
    if kind is None:
        return None
    if kind == "box":
        return _box(key, described, dim, faults)
    return _combination(key, kind, described, faults) if kind in COMBINED else _shape(key, kind, described, faults)


def _combination(key: str, kind: str, described: Mapping[str, Any], faults: Faults) -> Domain | None:
    faults.unknown(f"{key}.", described, ("kind", "of"))
    parts = described.get("of")
    if not isinstance(parts, (list, tuple)) or not parts:
        faults.add(
            f"{key}.of",
            f"got {parts!r}, expected a list of domains such as [{_EXAMPLE}, "
            f"{{kind: ball, center: [0, 0], radius: 1}}]",
        )
        return None
    made = [_domain(f"{key}.of[{i}]", part, None, faults) for i, part in enumerate(parts)]
    domains = [domain for domain in made if domain is not None]
    return faults.attempt(key, lambda: COMBINED[kind](*domains)) if len(domains) == len(parts) else None


def _shape(key: str, kind: str, described: Mapping[str, Any], faults: Faults) -> Domain | None:
    before, parameters = len(faults.found), inspect.signature(SHAPES[kind]).parameters
    faults.unknown(f"{key}.", described, ("kind", *parameters))
    for name, parameter in parameters.items():
        if name not in described and parameter.default is inspect.Parameter.empty:
            faults.add(f"{key}.{name}", f"missing; {kind} needs it")
    arguments = {name: _numbers(f"{key}.{name}", described[name], faults) for name in parameters if name in described}
    if len(faults.found) > before:
        return None
    try:
        return SHAPES[kind](**arguments)
    except ValueError as error:  # of the kind "radius of the ball: got …"
        name = str(error).split(" ")[0]
        faults.add(f"{key}.{name}" if name in parameters else key, str(error))
        return None


def _numbers(key: str, value: object, faults: Faults) -> Any:
    """A number, a formula without coordinates, or a nested list of these, as floats."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_numbers(f"{key}[{i}]", v, faults) for i, v in enumerate(value)]
    return faults.attempt(key, lambda: constant(key, value))
