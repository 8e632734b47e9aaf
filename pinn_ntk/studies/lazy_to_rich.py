"""From lazy training to feature learning along the p of h = N^{−p} Σ a_k σ(w_k·x):
the drift of the kernel is the order parameter.

Training to a given loss moves every w_k by O(N^{p−1}); to first order in that the kernel does not move, because a_k is
symmetric, so ‖K̂_T − K̂_0‖/‖K̂_0‖ ~ N^{−2(1−p)}: a power of N for every p < 1, of order one at p = 1.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from pinn_ntk.comparison.finding import Finding, slope_finding
from pinn_ntk.comparison.slopes import Slope, fit_slope
from pinn_ntk.devices import threads_for
from pinn_ntk.networks.two_layer import require_two_layer
from pinn_ntk.reporting.scaling_plots import Series, scaling_picture
from pinn_ntk.reporting.style import QUIET, Picture, Section, number
from pinn_ntk.rules import checked, real, several
from pinn_ntk.studies.arguments import (
    Remaining,
    Seeds,
    Steps,
    StepSize,
    Widths,
    ascending,
)
from pinn_ntk.studies.lazy_runs import KernelDrift, member_seeds
from pinn_ntk.studies.study import Cell, Document, Factory, Measured, Results, Row, Study
from pinn_ntk.training.ensemble import train_ensemble
from pinn_ntk.training.states import Status, StopRule
from pinn_ntk.training.trackers import History, tracked_steps

LAZY, RICH = 0.5, 1.0
_TOLERANCE = 0.15
_TRACKED = 12


@checked
def lazy_to_rich(
    factory: Factory,
    *,
    exponents: Annotated[Sequence[float], several("p of s = N^(-p)", real("", LAZY, RICH))] = (
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        1.0,
    ),
    widths: Widths = (32, 128, 512, 2048),
    seeds: Seeds = 4,
    remaining: Remaining = 0.01,
    steps: Steps = 3000,
    step_size: StepSize = 0.5,
) -> Study:
    """Drift of the kernel and error at new points against p and N, at one and the same loss.

    Args:
        factory: configuration → experiment; its problem is the one that is learned.
        exponents: p of s = N^{−p}, from ½ (the tangent kernel's scaling) to 1 (mean field).
        widths: N, even.
        seeds: runs for each p and N.
        remaining: training ends when R_S is this share of ‖f‖²/(2n).
        steps: at most.
        step_size: fraction of 2n/(s²Nλ_max).

    Raises:
        ValueError: an option that is not allowed.
    """
    wanted = [float(p) for p in exponents]
    sizes = ascending(widths)
    if any(n % 2 for n in sizes):
        raise ValueError(f"widths: got {sizes}, expected even ones: neurons begin in pairs (a, w), (−a, w)")
    common = {"seeds": seeds, "remaining": remaining, "steps": steps}
    common |= {"step_size": step_size}
    return Study(
        "lazy_to_rich",
        "From lazy training to feature learning",
        "The same network under h = N^{−p} Σ a_k σ(w_k·x), a_k and w_k normal, in pairs so that h = 0 at the "
        "start, is trained until "
        f"R_S is {remaining:g} of its start. How far has its kernel moved by then, for p from {LAZY:g} (lazy) to "
        f"{RICH:g} (mean field), and "
        "what does that do to the error at new points?",
        tuple(Cell({"exponent": p, "width": n, **common}) for p in wanted for n in sizes),
        lambda cell: measure(factory, cell),
        document,
    )


def measure(factory: Factory, cell: Cell) -> Measured:
    """One row per seed: drift = ‖K̂_T − K̂_0‖_F/‖K̂_0‖_F at the end, relative_l2 where the solution is known,
    steps_taken, status.
    """
    p: dict[str, Any] = dict(cell.parameters)
    scaled = {
        "network.width": p["width"],
        "network.scaling": p["exponent"],
        "network.gamma": 1.0,
        "network.init": "centred",
    }
    made = factory(scaled)
    network, problem = require_two_layer(made.network, "lazy_to_rich"), made.problem
    start = float(problem.target @ problem.target) / (2 * problem.points)
    members = member_seeds(p["width"], p["seeds"])
    with threads_for(problem.points * p["width"]):
        histories = train_ensemble(
            network,
            problem,
            members,
            step_size=p["step_size"],
            steps=p["steps"],
            tracked=tracked_steps(p["steps"], _TRACKED),
            stop=StopRule(tolerance=p["remaining"] * start),
            kernel=False,
            trackers=[KernelDrift()],
        )
    return Measured([_row(history) | {"seed": seed} for seed, history in zip(members, histories, strict=True)])


def _row(history: History) -> Row:
    row: Row = {
        "drift": float(history.columns["drift"][-1]),
        "max_delta_w": float(history.columns["max_delta_w"][-1]),
        "steps_taken": history.final.step,
        "loss": history.final.loss,
        "status": history.status.value,
    }
    return row | (
        {"relative_l2": float(history.columns["relative_l2"][-1])} if "relative_l2" in history.columns else {}
    )


def expected_slope(exponent: float) -> float:
    """−2(1 − p)."""
    return 2.0 * (exponent - 1.0)


def document(results: Results) -> Document:
    """Drift against p and against N with its slopes, the slopes against p, the error at new points,
    and the findings.
    """
    done = Results([row for row in results.rows if row["status"] == Status.CONVERGED.value], results.arrays)
    late = len(results.rows) - len(done.rows)
    exponents, widths = _sorted(done, "exponent"), [int(n) for n in _sorted(done, "width")]
    slopes = {p: _slope(done, p) for p in exponents}
    lead = "Every run ends at the same loss, so what differs is the way there." + (
        f" {late} of {len(results.rows)} runs did not get there and are left out." if late else ""
    )
    kernel = Section(
        "The kernel's drift is the order parameter",
        lead
        + (
            " At p = ½ wider networks are lazier; at p = 1 no width is lazy; in between the drift falls with a "
            "power of N."
        ),
        (
            _against_exponent(done, "drift", exponents, widths),
            _slopes(slopes),
            _against_width(done, exponents, widths, slopes),
        ),
    )
    sections, findings = [kernel], [_slope_finding(p, slope) for p, slope in slopes.items()]
    if done.values("relative_l2"):
        words = (
            "The training loss is the same everywhere in these pictures: the scaling alone decides what is "
            "learned between the points."
        )
        sections.append(
            Section("What it does to the solution", words, (_against_exponent(done, "relative_l2", exponents, widths),))
        )
        findings.append(_gain(done, exponents, widths))
    steps = _against_exponent(done, "steps_taken", exponents, widths)
    sections.append(
        Section(
            "How long it takes", "Steps to that loss, each of the same fraction of its own stability limit.", (steps,)
        )
    )
    return Document(tuple(sections), tuple(findings))


def _sorted(results: Results, name: str) -> list[float]:
    return sorted(float(v) for v in results.values(name))  # type: ignore[arg-type]


def _slope(results: Results, exponent: float) -> Slope:
    rows = {"exponent": exponent}
    return fit_slope(results.column("width", rows), results.column("drift", rows))


def _slope_finding(exponent: float, slope: Slope) -> Finding:
    reason = ""
    if exponent == LAZY:
        reason = "The bound O(N^{−1/2}) of the theory of the tangent kernel is not sharp for symmetric a_k."
    elif exponent == RICH:
        reason = "The kernel moves by as much in a wide network as in a narrow one."
    claim = f"‖K̂_T − K̂_0‖/‖K̂_0‖ ~ N^{{{number(expected_slope(exponent))}}}, from −2(1 − p)"
    return slope_finding(
        f"slope of the drift at p = {exponent:g}", claim, slope, expected_slope(exponent), _TOLERANCE, reason
    )


def _gain(results: Results, exponents: list[float], widths: list[int]) -> Finding:
    """The error at the largest p over that at the least, from the same initial weights, at the largest width;
    paired t-interval.
    """
    from scipy.stats import t

    name, claim = (
        "error at new points, feature learning over lazy",
        f"relative L² error at p = {exponents[-1]:g} over p = {exponents[0]:g}",
    )
    rich, lazy = (
        dict(zip(results.column("seed", at).tolist(), results.column("relative_l2", at).tolist(), strict=True))
        for at in ({"exponent": p, "width": widths[-1]} for p in (exponents[-1], exponents[0]))
    )
    gains = np.array([math.log(rich[seed] / lazy[seed]) for seed in rich if seed in lazy])
    if len(gains) < 2:
        return Finding(
            name, claim, None, None, None, "not 1", "vacuous", "fewer than two seeds reached the loss at both ends"
        )
    half = float(t.ppf(0.975, len(gains) - 1)) * float(gains.std(ddof=1)) / math.sqrt(len(gains))
    middle = float(gains.mean())
    other = abs(middle) > half
    reason = (
        f"At N = {widths[-1]} and one training loss, {len(gains)} seeds: the interval "
        f"{'leaves out' if other else 'contains'} 1."
    )
    ends = math.exp(middle - half), math.exp(middle + half)
    return Finding(name, claim, math.exp(middle), *ends, "not 1", "holds" if other else "fails", reason)


_WORDS = {
    "drift": (
        "how far the kernel moved",
        "relative drift of the kernel",
        "One curve for each width; they fan out towards p = ½ and meet at p = 1.",
    ),
    "relative_l2": (
        "error at new points",
        "relative L² error",
        "The error of the solution at the test points, at the end.",
    ),
    "steps_taken": ("steps to the loss", "steps", "Feature learning needs fewer steps where the curve falls."),
}


def _against_exponent(results: Results, column: str, exponents: list[float], widths: list[int]) -> Picture:
    """Medians against p, one curve for each N, the range over seeds shaded."""
    series = []
    for n in widths:
        shown = [p for p in exponents if results.where({"exponent": p, "width": n})]
        values = [results.column(column, {"exponent": p, "width": n}) for p in shown]
        middle, low, high = ([float(f(v)) for v in values] for f in (np.median, np.min, np.max))
        series.append(Series(f"N = {n}", shown, middle, low=low, high=high))
    title, label, words = _WORDS[column]
    caption = f"{words} Medians over seeds, their range shaded."
    return scaling_picture(
        f"{column}_by_exponent", title, r"exponent $p$ of $N^{-p}$", label, series, caption, log_x=False
    )


def _against_width(results: Results, exponents: list[float], widths: list[int], slopes: dict[float, Slope]) -> Picture:
    """Medians of the drift against N, one line for each p with its slope."""
    series = []
    for p in exponents:
        shown = [n for n in widths if results.where({"exponent": p, "width": n})]
        middle = [float(np.median(results.column("drift", {"exponent": p, "width": n}))) for n in shown]
        series.append(Series(f"p = {p:g}", shown, middle, slopes[p], style=""))
    caption = (
        "The same numbers against the width; broken lines are fitted to all seeds. Flat at p = 1: the kernel "
        "of a mean field moves."
    )
    return scaling_picture(
        "drift_by_width", "drift against width", "width N", "relative drift of the kernel", series, caption, wide=True
    )


def _slopes(slopes: dict[float, Slope]) -> Picture:
    """The fitted slopes against p, and −2(1 − p)."""
    shown = [p for p, s in slopes.items() if math.isfinite(s.value)]
    found = [slopes[p] for p in shown]
    low, high = ([getattr(s, end) if math.isfinite(s.low) else s.value for s in found] for end in ("low", "high"))
    series = [
        Series("fitted, 95 % interval", shown, [s.value for s in found], low=low, high=high),
        Series("−2(1 − p)", shown, [expected_slope(p) for p in shown], colour=QUIET, style=":"),
    ]
    caption = (
        "The power of N with which the drift falls, against p. The dotted line is what the symmetry of a_k "
        "leaves of it."
    )
    label = "slope of log drift against log N"
    return scaling_picture(
        "slopes", "from −1 to 0", r"exponent $p$ of $N^{-p}$", label, series, caption, log_x=False, logarithmic=False
    )
