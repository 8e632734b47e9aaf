"""What many runs at several widths say together: quartiles by width, and slopes against width."""

from typing import Any

import numpy as np

from pinn_ntk.comparison.slopes import Slope, fit_slope
from pinn_ntk.reporting.style import number
from pinn_ntk.studies.study import Results


def medians(results: Results, column: str, where: dict[str, Any]) -> tuple[list[int], np.ndarray]:
    """Widths, and the quartiles (3, widths) over all runs of a width; widths without that column are left out."""
    rows = [row for row in results.where(where) if row.get(column) is not None]
    widths = sorted({int(row["width"]) for row in rows})  # type: ignore[arg-type]
    quartiles = [np.nanquantile(results.column(column, {**where, "width": w}), (0.25, 0.5, 0.75)) for w in widths]
    return widths, np.array(quartiles).T.reshape(3, len(widths))


def slope_of(
    results: Results, column: str, where: dict[str, Any], widest: int | None = None, logs: float = 0.0
) -> Slope:
    """The slope of log y − logs·log log N against log N over all runs, no two of which share neurons.

    Args:
        results: rows with a width.
        column: y.
        where: entries that the rows have to have.
        widest: how many of the widest networks are used; None for all.
        logs: power of log N that y carries beside its power of N.
    """
    rows = [row for row in results.where(where) if row.get(column) is not None]
    kept = sorted({int(row["width"]) for row in rows})[-(widest or len(rows)) :]  # type: ignore[arg-type]
    rows = [row for row in rows if row["width"] in kept]
    x = np.array([float(row["width"]) for row in rows])  # type: ignore[arg-type]
    return fit_slope(x, np.array([float(row[column]) for row in rows]) / np.log(x) ** logs)  # type: ignore[arg-type]


def median_slope(results: Results, column: str, where: dict[str, Any], widest: int, draws: int = 400) -> Slope:
    """The slope of the medians over all runs of a width, the statistic that is published,
    with a bootstrap interval over seeds.

    Args:
        results: rows with a width and a seed.
        column: y.
        where: entries that the rows have to have.
        widest: how many of the widest networks are used.
        draws: of seeds, with replacement, whole seeds at a time: runs of one seed share their weights across problems.
    """
    rows = [row for row in results.where(where) if row.get(column) is not None]
    widths = sorted({int(row["width"]) for row in rows})[-widest:]  # type: ignore[arg-type]
    by_seed: list[dict[Any, list[float]]] = []
    for width in widths:
        groups: dict[Any, list[float]] = {}
        for row in (r for r in rows if r["width"] == width):
            groups.setdefault(row["seed"], []).append(float(row[column]))  # type: ignore[arg-type]
        by_seed.append(groups)
    middle = fit_slope(widths, [float(np.median([v for g in groups.values() for v in g])) for groups in by_seed])
    if middle.points < 3 or min(map(len, by_seed)) < 2:
        return middle
    rng, slopes = np.random.default_rng(0), []
    for _ in range(draws):
        picked = [[list(g.values())[i] for i in rng.integers(len(g), size=len(g))] for g in by_seed]
        slopes.append(fit_slope(widths, [float(np.median(np.concatenate(p))) for p in picked]).value)
    low, high = np.quantile(slopes, (0.025, 0.975))
    return Slope(middle.value, float(low), float(high), middle.intercept, middle.points)


def local_slopes(results: Results, column: str, where: dict[str, Any]) -> str:
    """The slopes of the medians between neighbouring widths, in words: whether the power law is already there."""
    widths, quartiles = medians(results, column, where)
    slopes = np.diff(np.log(quartiles[1])) / np.diff(np.log(widths)) if len(widths) > 1 else np.array([])
    return (
        "Local slopes of the medians, from the narrowest on: "
        + (", ".join(number(float(s)) for s in slopes) or "–")
        + "."
    )
