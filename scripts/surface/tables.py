"""The tables that a person chooses from, the words that a run ends with, and the statements that it comes to."""

import re
import typing
from collections.abc import Iterator

from keys import Options, smaller
from library import PROBLEM, cases
from signatures import signature_text
from texts import BASE, DOMAINS

from pinn_ntk import (
    MLP,
    OPERATORS,
    PROBLEMS,
    AnyModule,
    Problem,
    Settings,
    Status,
    TwoLayer,
    identity,
    laplacian,
    problem_from_text,
    run,
)
from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.comparison import Verdict
from pinn_ntk.geometry import SAMPLINGS
from pinn_ntk.networks import NETWORKS
from pinn_ntk.problem import Block
from pinn_ntk.reporting import Verdict as Likeness
from pinn_ntk.solving import REASONS
from pinn_ntk.training import METHODS

_NUMBER = re.compile(r"\d[\d.]*e[+-]\d+")
EVERY = Settings(steps=2, tracked=2, forecast_draws=2, device="cpu", compile="never")


def problems(options: Options) -> Iterator[str]:
    """Lines `problem NAME …`: what conf/ makes of each, as a report prints it."""
    for name, config in options.nodes["problem"].items():
        spec = {
            ("weights" if key == "weight" else key): value
            for key, value in smaller("problem", config).items()
            if key != "kind"
        }
        spec |= {"seed": 0} if "seed" in spec else {}
        yield f"problem {name} arguments: {signature_text(PROBLEMS[name]) if name in PROBLEMS else 'a text'}"
        for boundary in ("hard", "soft") if "boundary" in spec else ("",):
            chosen = spec | ({"boundary": boundary} if boundary else {})
            made = problem_from_text(chosen) if name == "text" else PROBLEMS[name](**chosen)
            yield from _problem(f"problem {name}{f' ({boundary})' if boundary else ''}", made)


def _problem(name: str, made: Problem) -> Iterator[str]:
    yield f"{name} blocks: {', '.join(f'{b.name} of order {b.order}' for b in made.blocks)}"
    yield f"{name} conditions: {'; '.join(made.conditions) or 'none'}"
    yield f"{name} domain: {made.domain}, {made.dim} coordinates{', the last one t' if made.time else ''}"
    yield f"{name} equation: {made.equation}"
    yield f"{name} exact solution: {'known' if made.exact else 'not known'}"
    yield f"{name} imposed by: {made.ansatz.text if made.ansatz else 'blocks'}"
    posed = [f"{c.name} ({c.kind}) {c.words}".strip() for c in made.posed]
    yield f"{name} posed: {', '.join(posed) or 'of points alone'}"


def tables() -> Iterator[str]:
    """Lines `activation`, `domain`, `network`, `operator`, `optimizer`, `sampling`."""
    for name, one in ACTIVATIONS.items():
        yield f"activation {name}: {one.formula}, degree {one.degree}, {one.smoothness} derivatives"
    for name, spec in DOMAINS.items():
        domain = problem_from_text({**BASE, "domain": spec}).domain
        assert domain is not None
        pieces = ", ".join(f"{p.name} ({p.words})" if getattr(p, "words", "") else p.name for p in domain.pieces)
        yield f"domain {name}: {domain}, pieces {pieces}, {len(domain.corners)} corners, {len(domain.holes)} holes"
    yield from (f"network {name}: {signature_text(make)}" for name, make in NETWORKS.items())
    good = cases()
    for name, make in OPERATORS.items():
        yield f"operator {name}: {make(**good[name]).name}, of order {make(**good[name]).order}, {signature_text(make)}"
    yield from (
        f"optimizer {name}: {m.words}, options {', '.join(m.options)}{', every state tracked' * m.every}"
        for name, m in METHODS.items()
    )
    yield from (f"sampling {name}" for name in SAMPLINGS)


def endings() -> Iterator[str]:
    """Lines `status`, `reason`, `verdict`: what a run, the solver, a statement and a comparison of runs end with."""
    yield from (f"status {status.name}: {status.value}" for status in Status)
    yield from (f"reason {reason.name}: {words}" for reason, words in REASONS.items())
    yield from (f"verdict of a statement: {name}" for name in typing.get_args(Verdict))
    yield from (f"verdict of pinn-ntk-compare {one.name}: {one.value}" for one in Likeness)


def statements() -> Iterator[str]:
    """Lines `statement`: every one that small runs of each sort come to, and why it is not applicable to which."""
    points = PROBLEM.x[:1] * 4
    regression = Problem([Block(identity(1), points, 0.5)], name="regression")
    equation = Problem([Block(laplacian(1), points, 0.5)], name="equation")
    relu, cubic, smooth = (
        TwoLayer(1, 4, "relu", bias=False),
        TwoLayer(1, 4, "relu3", bias=False),
        TwoLayer(1, 4, "tanh"),
    )
    runs = {
        "a theorem for regression": (regression, relu, EVERY),
        "a theorem for equations": (equation, cubic, EVERY),
        "no theorem": (PROBLEM, smooth, EVERY),
        "a module": (PROBLEM, AnyModule(MLP(1, 2, 2), 1), EVERY),
        "another law of motion": (regression, relu, Settings("adam", **_beside(EVERY))),
        "momentum": (regression, relu, Settings("heavy_ball", **_beside(EVERY))),
        "no kernel": (regression, relu, Settings(kernel=False, **_beside(EVERY))),
        "no theory": (regression, relu, Settings(theory=False, **_beside(EVERY))),
    }
    for case, (problem, network, settings) in runs.items():
        for one in run(problem, network, settings).statements:
            yield f"statement {one.name}: {one.claim}"
            yield f"statement {one.name}, {case}: " + (
                _NUMBER.sub("#", one.reason) if one.verdict == "not_applicable" else "judged"
            )


def _beside(settings: Settings) -> dict[str, typing.Any]:
    names = ("steps", "tracked", "forecast_draws", "device", "compile")
    return {name: getattr(settings, name) for name in names}
