"""The race of first-, quasi-second- and second-order methods in pictures and findings."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pinn_ntk.comparison.finding import Finding
from pinn_ntk.reporting.scaling_plots import Series, scaling_picture
from pinn_ntk.reporting.style import Picture, Section, number
from pinn_ntk.studies.study import Document, Results

FIRST, QUASI, SECOND = "first order", "quasi-second order", "second order"
CLASSES = {
    "gradient_descent": FIRST,
    "heavy_ball": FIRST,
    "nesterov": FIRST,
    "adam": FIRST,
    "sgd": FIRST,
    "lbfgs": QUASI,
    "levenberg_marquardt": SECOND,
    "spring": SECOND,
    "variable_projection": SECOND,
}
COLOURS = {
    "gradient_descent": "#1a1a1a",
    "heavy_ball": "#0072b2",
    "nesterov": "#56b4e9",
    "adam": "#e69f00",
    "sgd": "#8a8f98",
    "lbfgs": "#009e73",
    "levenberg_marquardt": "#d55e00",
    "spring": "#b8a100",
    "variable_projection": "#cc79a7",
}
NAMES = {
    "gradient_descent": "gradient descent",
    "heavy_ball": "heavy ball",
    "nesterov": "Nesterov",
    "adam": "Adam",
    "sgd": "SGD",
    "lbfgs": "L-BFGS",
    "levenberg_marquardt": "Levenberg–Marquardt",
    "spring": "SPRING",
    "variable_projection": "variable projection",
}
_GRID = 30
_DRIFT = "relative drift of the kernel"


def document(results: Results) -> Document:
    """Error against seconds and steps, drift against steps, and what the lecture's sentence becomes here."""
    methods = [str(m) for m in results.values("method")]
    runs = {m: [arrays for cell, arrays in results.arrays if cell.parameters["method"] == m] for m in methods}
    seconds = float(results.column("seconds").max())
    label = str(results.values("error_is")[0])
    races = (_picture(runs, "seconds", "error", label), _picture(runs, "step", "error", label))
    ends = "; ".join(_end(results, m) for m in methods)
    sections = (
        Section("The race", f"Medians over seeds at the end, after at most {number(seconds)} s each: {ends}.", races),
        Section(
            "The tangent kernel under each method",
            "‖K̂_t − K̂_0‖/‖K̂_0‖ of the same kernel, whatever moves θ: the linearisation at θ⁰ speaks only of "
            "those that stay low.",
            (_picture(runs, "step", "drift", _DRIFT), _picture(runs, "seconds", "drift", _DRIFT)),
        ),
    )
    best = {c: _best(results, [m for m in methods if CLASSES[m] == c]) for c in (FIRST, QUASI, SECOND)}
    findings = [_error_ratio(results, best[c], best[FIRST], c) for c in (QUASI, SECOND)]
    findings += [_time_ratio(runs, best[c], best[FIRST], c) for c in (QUASI, SECOND)]
    return Document(sections, tuple(findings))


def _end(results: Results, method: str) -> str:
    where = {"method": method}
    error, steps = (float(np.nanmedian(results.column(name, where))) for name in ("error", "steps_taken"))
    return f"{NAMES[method]} {number(error)} in {number(round(steps))} steps"


def _best(results: Results, methods: Sequence[str]) -> str | None:
    """The method whose median error at the end is the least."""
    ends = {m: float(np.median(results.column("error", {"method": m}))) for m in methods}
    finite = {m: e for m, e in ends.items() if math.isfinite(e)}
    return min(finite, key=finite.__getitem__) if finite else None


_WORDS = {
    ("seconds", "error"): ("error against time", "seconds of training", "Lower and further left is better."),
    ("step", "error"): ("error against steps", "steps", "The same runs by steps, which cost each method its own time."),
    ("step", "drift"): ("drift of the kernel against steps", "steps", "How far the kernel is from where it began."),
    ("seconds", "drift"): ("drift of the kernel against time", "seconds of training", "The same against time."),
}


def _picture(runs: dict[str, list[Any]], along: str, column: str, label: str) -> Picture:
    """Medians over seeds on a common grid, their range shaded; a run that has ended stays where it was."""
    series = []
    for method, courses in runs.items():
        kept = [c for c in courses if (c[along] > 0.0).sum() > 1]
        if not kept:
            continue
        x = np.geomspace(max(c[along][c[along] > 0.0][0] for c in kept), max(c[along][-1] for c in kept), _GRID)
        values = np.stack([_at(c[along], c[column], x) for c in kept])
        middle, low, high = (np.nanquantile(values, q, axis=0) for q in (0.5, 0.0, 1.0))
        series.append(Series(NAMES[method], x, middle, low=low, high=high, colour=COLOURS[method]))
    title, xlabel, words = _WORDS[along, column]
    caption = f"{words} Medians over seeds, their range shaded."
    return scaling_picture(f"{column}_by_{along}", title, xlabel, label, series, caption, wide=True)


def _at(along: Any, values: Any, x: Any) -> Any:
    """Values at x, straight between measurements on logarithmic axes; the last one after the end."""
    kept = (along > 0.0) & (values > 0.0) & np.isfinite(values)
    if not kept.any():
        return np.full(len(x), math.nan)
    return np.exp(np.interp(np.log(x), np.log(along[kept]), np.log(values[kept])))


def _interval(logs: Any) -> tuple[float, float | None, float | None]:
    """The geometric mean and its 95 % t-interval; no interval for one seed."""
    from scipy.stats import t

    middle = float(np.mean(logs))
    if len(logs) < 2:
        return math.exp(middle), None, None
    half = float(t.ppf(0.975, len(logs) - 1)) * float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def _error_ratio(results: Results, other: str | None, first: str | None, kind: str) -> Finding:
    """Error of the best first-order method over that of the best of another class, after the same seconds;
    seeds paired.
    """
    name, claim = (
        f"{FIRST} against {kind}: error after the same time",
        f"relative L² error, best {FIRST} over best {kind}",
    )
    expected = "at most 1 (lecture 13: first order methods usually have the best performance)"
    if other is None or first is None:
        return Finding(
            name, claim, None, None, None, expected, "not_applicable", "no such method ended with a finite error"
        )
    above, below = (_by_seed(results, m) for m in (first, other))
    logs = [math.log(above[s] / below[s]) for s in above if s in below and above[s] > 0.0 and below[s] > 0.0]
    if not logs:
        return Finding(name, claim, None, None, None, expected, "vacuous", "no seed has both errors")
    value, low, high = _interval(np.array(logs))
    words = (
        f"{NAMES[first]} against {NAMES[other]}, {len(logs)} seeds; few rows, all in every step, favour costly steps."
    )
    return Finding(name, claim, value, low, high, expected, "holds" if value <= 1.0 else "fails", words)


def _by_seed(results: Results, method: str) -> dict[float, float]:
    where = {"method": method}
    return dict(zip(results.column("seed", where).tolist(), results.column("error", where).tolist(), strict=True))


def _time_ratio(runs: dict[str, list[Any]], other: str | None, first: str | None, kind: str) -> Finding:
    """How many times sooner the best of a class reaches what the best first-order method has in the end."""
    name, claim = (
        f"{kind}: time to the best {FIRST} error",
        f"seconds of the best {FIRST} method over seconds of the best {kind} one",
    )
    expected = "above 1 where the costlier step pays"
    if other is None or first is None:
        return Finding(
            name, claim, None, None, None, expected, "not_applicable", "no such method ended with a finite error"
        )
    goal = float(np.median([c["error"][-1] for c in runs[first]]))
    spent = float(np.median([c["seconds"][-1] for c in runs[first]]))
    times = [_reached(c, goal) for c in runs[other]]
    good = [t for t in times if t is not None]
    if not good:
        return Finding(
            name, claim, None, None, None, expected, "fails", f"no seed of {NAMES[other]} reached {number(goal)}"
        )
    value, low, high = _interval(np.log(spent / np.array(good)))
    words = f"{NAMES[other]} reached {number(goal)} with {len(good)} of {len(times)} seeds."
    return Finding(name, claim, value, low, high, expected, "holds" if value > 1.0 else "fails", words)


def _reached(course: Any, goal: float) -> float | None:
    """Seconds until the error was first seen at the goal."""
    there = np.flatnonzero(course["error"] <= goal)
    return max(float(course["seconds"][there[0]]), 1e-9) if len(there) else None
