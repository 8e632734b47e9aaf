"""The document of a sweep: one row per job, every number against every varied quantity,
power laws with their slopes.
"""

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np

from pinn_ntk.comparison.slopes import Slope, fit_slope
from pinn_ntk.reporting.page import paragraph, section
from pinn_ntk.reporting.scaling_plots import Series, scaling_picture
from pinn_ntk.reporting.style import Picture, Section, number
from pinn_ntk.reporting.tables import Rows, Value

QUANTITIES = {
    "relative_l2": "relative L² error",
    "loss_final": "R_S at the end",
    "drift": "kernel drift ‖K̂_t − K̂_0‖/‖K̂_0‖",
    "drift_a": "drift of K̂^(a), absolute",
    "lambda_min_a": "λ_min(K̂^(a)(0))",
    "rate_measured": "measured rate",
    "worst_ratio": "worst R_S(t)/bound",
    "max_delta_a": "max |Δa|",
    "max_delta_w": "max |Δw|",
    "seconds": "seconds of the run",
}
"""What is drawn: column of the table → label of the axis."""
_SERIES = 8  # curves that one picture can hold


def varied(rows: Rows, keys: Sequence[str]) -> list[str]:
    """The keys that take several values, in the order given."""
    return [key for key in keys if len({str(row.get(key)) for row in rows}) > 1]


def sweep_sections(rows: Rows, keys: Sequence[str]) -> list[Section]:
    """A section for each varied number, with a picture for each quantity; seeds become medians with a band.

    Args:
        rows: one per finished job.
        keys: the varied keys of the configuration.
    """
    axes = [key for key in keys if key != "seed" and len(_numbers(rows, key)) >= 2]
    return [
        part for key in axes if (part := _axis_section(rows, key, [k for k in keys if k not in (key, "seed")])).pictures
    ]


def _numbers(rows: Rows, key: str) -> set[float]:
    return {float(v) for row in rows if isinstance(v := row.get(key), (int, float)) and not isinstance(v, bool)}


def _axis_section(rows: Rows, key: str, others: Sequence[str]) -> Section:
    pictures = [p for name, label in QUANTITIES.items() if (p := _picture(rows, key, name, label, others)) is not None]
    lead = (
        f"Every number of the jobs against {key}; several seeds are drawn as their median with the range from 5 "
        "to 95 %."
    )
    return Section(f"Against {key}", lead, tuple(pictures))


def groups(rows: Rows, others: Sequence[str]) -> dict[str, list[dict[str, Value]]]:
    """The rows by what else varies, each group under its own label."""
    found: dict[str, list[dict[str, Value]]] = {}
    for row in rows:
        found.setdefault(", ".join(f"{k.rpartition('.')[2]}={row.get(k)}" for k in others), []).append(dict(row))
    return found


def slope_of(rows: Rows, key: str, name: str) -> tuple[list[float], list[list[float]], Slope]:
    """The positions, the values at each of them, and the power law through all pairs."""
    pairs = [
        (float(x), float(y))  # type: ignore[arg-type]
        for row in rows
        if _plain(x := row.get(key)) and _plain(y := row.get(name))
    ]
    xs = sorted({x for x, _ in pairs})
    slope = fit_slope([x for x, _ in pairs], [y for _, y in pairs])
    return xs, [[y for x, y in pairs if x == at] for at in xs], slope


def _plain(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)


def _picture(rows: Rows, key: str, name: str, label: str, others: Sequence[str]) -> Picture | None:
    series = []
    for words, part in list(groups(rows, others).items())[:_SERIES]:
        xs, values, slope = slope_of(part, key, name)
        if len(xs) < 2 or not any(y > 0 for at in values for y in at):
            continue
        several = any(len(at) > 1 for at in values)
        low, high = ([float(np.quantile(at, q)) for at in values] for q in (0.05, 0.95))
        middle = [float(np.median(at)) for at in values]
        positive = xs[0] > 0
        one = Series(words, xs, middle, slope if len(xs) >= 3 and positive else None)
        series.append(replace(one, low=low, high=high) if several else one)
    if not series:
        return None
    caption = (
        f"{label} against {key}; broken lines are the fitted power laws, with their slopes and 95 % intervals "
        "in the legend."
    )
    x_positive = all(x > 0 for one in series for x in one.x)
    return scaling_picture(f"{name}_against_{key.replace('.', '_')}", label, key, "", series, caption, log_x=x_positive)


def slopes_table(rows: Rows, keys: Sequence[str]) -> str:
    """Every fitted slope with its interval as a section of the page; empty where nothing was fitted."""
    lines = []
    for key in (k for k in keys if k != "seed" and len(_numbers(rows, k)) >= 3):
        others = [k for k in keys if k not in (key, "seed")]
        for words, part in groups(rows, others).items():
            for name, label in QUANTITIES.items():
                slope = slope_of(part, key, name)[2]
                if slope.points >= 3 and np.isfinite(slope.value):
                    interval = f"{number(slope.low)} … {number(slope.high)}"
                    lines.append((key, words or "all jobs", label, number(slope.value), interval))
    if not lines:
        return ""
    head = (
        "<tr><th>against</th><th>jobs</th><th>quantity</th><th class='number'>slope</th><th class='number'>95 % "
        "interval</th></tr>"
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=number' if i > 2 else ''}>{escape(cell)}</td>" for i, cell in enumerate(line))
        + "</tr>"
        for line in lines
    )
    lead = paragraph("Least squares of log y against log x over all finished jobs of a group.")
    return section(
        "Slopes", lead, f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'
    )
