"""What a run of optimizer=auto adds to a report: what was chosen and why, how right u is,
and how the error fell with the width.
"""

from collections.abc import Sequence

import numpy as np

from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.page import definitions, paragraph, section, table
from pinn_ntk.reporting.style import (
    LINEAR,
    MEASURED,
    QUIET,
    THEORY,
    Picture,
    Section,
    legend,
    log_y,
    number,
    panel,
    render,
)
from pinn_ntk.solving.reasons import REASONS, USABLE
from pinn_ntk.solving.search import Trial
from pinn_ntk.solving.solution import Solution, choices

_COLOURS = (THEORY, LINEAR, MEASURED)


def solver_words(record: Outcome, solution: Solution) -> str:
    """The answer in two sentences: the error, measured or estimated, and by what."""
    history = record.history.columns
    own = f"(± {number(solution.error)} rms, in u's units)"
    if "relative_l2" in history:
        measured = number(float(history["relative_l2"][-1]))
        error = f"a relative L² error of {measured}, estimated {number(solution.estimate)} {own}"
    else:
        error = f"an estimated relative L² error of {number(solution.estimate)} {own}"
    solved = "Solved to" if solution.reason in USABLE and solution.estimate < 0.1 else "Not solved:"
    sigma = solution.final.recipe.activation
    extra = f" and {len(solution.network.extra)} extra functions" if solution.network.extra else ""
    why = "; ".join([REASONS[solution.reason], *solution.notes])
    return (
        f"{solved} {error}, by {number(solution.network.width)} {sigma} neurons{extra}, chosen in "
        f"{number(solution.seconds)} s. "
        f"It ended because {why}."
    )


def solver_sections(solution: Solution) -> list[str]:
    """What was chosen and why; how right u is; error against width as a table."""
    known = solution.assessment
    residuals = [(r.name, number(r.points), number(r.rms), number(r.largest), number(r.size)) for r in known.residuals]
    bound = known.bound
    loose = "" if bound is None else bound.loose(solution.estimate)
    pairs = [
        ("estimate", f"± {number(solution.error)} (rms, in u's units), {number(solution.estimate)} of ‖u‖"),
        (
            "second solve",
            f"a fit with other neurons and other points differs by {number(known.agreement)} in relative L²",
        ),
        (
            "residual share",
            f"{number(solution.final.share)} of the terms of a row are left as residual on points that no fit has seen",
        ),
    ]
    if bound is None:
        pairs.append(("bound", f"none: {known.why_not}"))
    elif not loose:
        pairs.append(
            ("bound", f"‖u − h‖_∞ ≤ {number(bound.value)} ({number(bound.relative)} of max|h|), {bound.words}")
        )
    return [
        section("What was chosen and why", definitions(choices(solution))),
        section(
            "How right is u",
            paragraph(
                "Residuals 𝓛u − f of every condition on fresh points, and what they and a second solve say of "
                "the error."
            ),
            table(("condition", "points", "rms residual", "largest", "rms of f"), residuals),
            definitions(pairs),
            *([paragraph(loose)] if loose else []),
            *_against_time(solution),
        ),
        section(
            "Convergence",
            paragraph(_CONVERGENCE),
            table(("N", "n", "estimated error", "order", "neurons", "seconds"), _levels(solution)),
        ),
    ]


def _against_time(solution: Solution) -> list[str]:
    """The estimate in spans of time."""
    if not solution.through_time:
        return []
    rows = [(f"{s.start:.4g} … {s.end:.4g}", number(s.error), number(s.size)) for s in solution.through_time]
    return [table(("time", "estimate, rms", "rms of u"), rows)]


_CONVERGENCE = (
    "The best pair of fits at each width. Order is p of an error N^{−p} since the row before; the last row is "
    "the solution, with neurons "
    "and points that no choice was made by."
)


def _levels(solution: Solution) -> list[tuple[str, ...]]:
    return [
        (
            number(v.width),
            number(v.points),
            number(v.error),
            "–" if v.order is None else f"{v.order:.1f}",
            v.recipe,
            number(v.seconds),
        )
        for v in solution.levels
    ]


def search_section(record: Outcome) -> Section:
    """Every pair of fits by its width: how far they disagree."""
    solution = record.solution
    if solution is None:
        return Section("The search", "")
    lead = (
        "Each point is a pair of fits with independent neurons: the less they differ, the more digits both have right."
    )
    return Section("The search", lead, (_search(solution), _probes(solution)))


def _search(solution: Solution) -> Picture:
    figure, axes = panel("disagreement of two fits against width", "width $N$", "relative $L^2$")
    names = list(dict.fromkeys(t.recipe.activation for t in solution.trials))
    for name, colour in zip(names, _cycled(len(names)), strict=True):
        some = [t for t in solution.trials if t.recipe.activation == name]
        axes.scatter([t.width for t in some], _shown(some), s=16, color=colour, alpha=0.75, label=name, linewidths=0)
    levels = solution.levels
    axes.plot([v.width for v in levels], [v.error for v in levels], "--", color=QUIET, lw=1.2, label="best", zorder=1)
    axes.set_xscale("log")
    log_y(axes, _shown(solution.trials))
    legend(axes)
    caption = (
        "Every pair of fits by its width. The broken line joins the best of each width; its last point is the solution."
    )
    return Picture("search", caption, render(figure))


def _probes(solution: Solution) -> Picture:
    figure, axes = panel("probes: disagreement against scale", "mean scale of the inner weights", "relative $L^2$")
    first = [t for t in solution.trials if t.width == solution.trials[0].width]
    names = list(dict.fromkeys(t.recipe.activation for t in first))
    for name, colour in zip(names, _cycled(len(names)), strict=True):
        some = sorted((t for t in first if t.recipe.activation == name), key=_scale)
        axes.plot([_scale(t) for t in some], _shown(some), "o", color=colour, ms=4, label=name)
    axes.set_xscale("log")
    log_y(axes, _shown(first))
    legend(axes)
    caption = (
        f"The probes with N = {solution.trials[0].width}. A sharp valley says that the scale matters and was found."
    )
    return Picture("probes", caption, render(figure))


def _scale(trial: Trial) -> float:
    return float(np.exp(np.mean(np.log(trial.recipe.scales))))


def _shown(trials: Sequence[Trial]) -> list[float]:
    """Criteria as they can be drawn: at most 10."""
    return [min(max(t.criterion, 1e-17), 10.0) for t in trials]


def _cycled(count: int) -> list[str]:
    return [_COLOURS[k % len(_COLOURS)] for k in range(count)]
