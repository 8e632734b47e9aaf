"""The document of the study `mean_field`: losses and distances against N, for each problem."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pinn_ntk.comparison.finding import Finding, slope_finding
from pinn_ntk.comparison.slopes import Slope, fit_slope
from pinn_ntk.reporting.scaling_plots import COLOURS, Series, scaling_picture
from pinn_ntk.reporting.style import (
    ENVELOPE,
    LINEAR,
    MEASURED,
    QUIET,
    THEORY,
    Picture,
    Section,
    Values,
    curve,
    legend,
    log_y,
    number,
    panel,
    positive,
    progress_x,
    render,
)
from pinn_ntk.studies.mean_field_clouds import clouds, of_kind
from pinn_ntk.studies.study import Arrays, Cell, Document, Results
from pinn_ntk.theory.mean_field import sliced_wasserstein

_DIRECTIONS = 64
_EARLY = 0.25
_TOLERANCE = 0.1


def document(results: Results) -> Document:
    """A section on convergence and one on the clouds for each problem; slopes with their intervals as findings."""
    sections: list[Section] = []
    findings: list[Finding] = []
    for problem in results.values("problem"):
        of_it = [(cell, arrays) for cell, arrays in results.arrays if cell.parameters["problem"] == problem]
        mine = Results(results.where({"problem": problem}), of_it)
        for part in (_convergence, clouds):
            section, found = part(str(problem), mine)
            sections += section
            findings += found
    return Document(tuple(sections), tuple(findings))


@dataclass(frozen=True)
class _Runs:
    """The runs of one problem beside their limit.

    Attributes:
        cells: at each N, in ascending order.
        limit: the reference.
        limit_width: its N.
        start: rows on E R_N(0).
        early: tracked time at which the limit's loss is a quarter of its start.
    """

    cells: Sequence[tuple[Cell, Arrays]]
    limit: Arrays
    limit_width: int
    start: Results
    early: int

    @property
    def widths(self) -> list[int]:
        """N."""
        return [int(cell.parameters["width"]) for cell, _ in self.cells]

    def coupled(self, index: int) -> tuple[Values, Values]:
        """N and the coupled distance of every seed, at one tracked time."""
        pairs = [
            (float(n), float(d))
            for n, (_, arrays) in zip(self.widths, self.cells, strict=True)
            for d in arrays["coupled"][:, index]
        ]
        table = np.array(pairs)
        return table[:, 0], table[:, 1]

    def gaps(self, index: int) -> Values:
        """Mean |R_N − R_∞| over seeds for each N, at one tracked time; R_∞(0) = ‖f‖²/(2n) is known."""
        limit = float(self.start.column("limit_start")[0]) if index == 0 else float(self.limit["losses"][0, index])
        return np.array([float(np.abs(arrays["losses"][:, index] - limit).mean()) for _, arrays in self.cells])


def _runs(results: Results) -> _Runs | None:
    """None without the reference, or without runs."""
    cells = sorted(of_kind(results, "width"), key=lambda one: int(one[0].parameters["width"]))
    found = of_kind(results, "reference")
    if not cells or not found:
        return None
    (cell, limit), *_ = found
    fallen = np.flatnonzero(limit["losses"][0] <= _EARLY * limit["losses"][0, 0])
    early = int(fallen[0]) if len(fallen) else len(limit["time"]) - 1
    return _Runs(cells, limit, int(cell.parameters["width"]), Results(results.where({"what": "start"}), []), early)


def _convergence(problem: str, results: Results) -> tuple[list[Section], list[Finding]]:
    """R_N, coupled particles and clouds against N; nothing without the reference."""
    runs = _runs(results)
    if runs is None:
        return [], []
    sliced = [_sliced(runs, end) for end in ("start", "end")]
    slopes = {
        "gap_start": fit_slope(runs.widths, runs.gaps(0)),
        "gap_early": fit_slope(runs.widths, runs.gaps(runs.early)),
        "gap_end": fit_slope(runs.widths, runs.gaps(-1)),
        "coupled_early": fit_slope(*runs.coupled(runs.early)),
        "coupled_end": fit_slope(*runs.coupled(-1)),
        "cloud_start": fit_slope(*sliced[0]),
        "cloud_end": fit_slope(*sliced[1]),
        "excess": fit_slope(runs.start.column("width"), runs.start.column("excess")),
    }
    pictures = (
        _losses(problem, runs),
        _gaps(problem, runs, slopes),
        _apart(problem, runs),
        _coupled(problem, runs, slopes),
        _cloud_distances(problem, sliced, runs.widths, slopes),
    )
    early, end = (number(float(runs.limit["time"][i])) for i in (runs.early, -1))
    lead = (
        f"The limit is a run of N = {runs.limit_width}. Early is the mean-field time t = {early}, when its loss "
        f"is {number(_EARLY)} of the "
    )
    lead += f"start; the end is t = {end}. Means over seeds; no two widths share particles."
    return [Section(f"{problem}: how N particles approach the mean field", lead, pictures)], _findings(
        problem, slopes, runs.start
    )


def _sliced(runs: _Runs, end: str) -> tuple[Values, Values]:
    """N and the sliced Wasserstein distance from the reference, for each cloud that was kept."""
    limit = torch.from_numpy(runs.limit[end][0]).double()
    pairs = [
        (float(n), sliced_wasserstein(torch.from_numpy(one).double(), limit, _DIRECTIONS))
        for n, (_, arrays) in zip(runs.widths, runs.cells, strict=True)
        for one in arrays[end]
    ]
    table = np.array(pairs)
    return table[:, 0], table[:, 1]


def _over_time(runs: _Runs, name: str, column: str, title: str, label: str, words: str, limit: bool) -> Picture:
    """Means over seeds against mean-field time, for a few widths."""
    figure, axes = panel(title, "mean-field time t", label)
    shown = runs.cells[:: max(1, math.ceil(len(runs.cells) / 4))]
    drawn = [arrays[column].mean(0) for _, arrays in shown]
    for (cell, arrays), y, colour in zip(shown, drawn, COLOURS[1:], strict=False):
        curve(axes, arrays["time"], positive(y), colour, f"N = {cell.parameters['width']}")
    if limit:
        drawn.append(runs.limit[column][0])
        curve(axes, runs.limit["time"], drawn[-1], MEASURED, "limit", "--")
    log_y(axes, *drawn)
    progress_x(axes, runs.limit["time"])
    legend(axes)
    return Picture(name, words, render(figure))


def _losses(problem: str, runs: _Runs) -> Picture:
    words = "In mean-field time every width follows one curve, the mean field's; narrow networks scatter about it."
    return _over_time(runs, f"{problem}_losses", "losses", "the loss in mean-field time", "$R_S$", words, True)


def _apart(problem: str, runs: _Runs) -> Picture:
    words = (
        "Runs of N and 2N neurons share their first N particles, which begin at distance 0 and come apart as "
        "the field of each is its own."
    )
    label = "root mean square distance"
    return _over_time(runs, f"{problem}_apart", "coupled", "particles that N and 2N share", label, words, False)


def _gaps(problem: str, runs: _Runs, slopes: Mapping[str, Slope]) -> Picture:
    start = runs.start
    series = [
        Series("|R_N − R_∞|, t = 0", runs.widths, runs.gaps(0), slopes["gap_start"], colour=QUIET),
        Series("early", runs.widths, runs.gaps(runs.early), slopes["gap_early"], colour=LINEAR),
        Series("end", runs.widths, runs.gaps(-1), slopes["gap_end"], colour=MEASURED),
        Series("E R_N − R_∞, t = 0", start.column("width"), start.column("excess"), slopes["excess"], colour=THEORY),
        Series("tr K^(a)/(2nN)", start.column("width"), start.column("excess_predicted"), colour=ENVELOPE, style=":"),
    ]
    words = (
        "A single run is off by a random N^{−1/2}; on average N particles miss tr K^(a)/(2nN), which is known before."
    )
    return scaling_picture(
        f"{problem}_gaps", "loss against its limit", "width N", "difference of losses", series, words, wide=True
    )


def _coupled(problem: str, runs: _Runs, slopes: Mapping[str, Slope]) -> Picture:
    series = []
    for index, label, colour, key in (
        (runs.early, "early", LINEAR, "coupled_early"),
        (-1, "end", MEASURED, "coupled_end"),
    ):
        x, y = runs.coupled(index)
        means = [float(y[x == n].mean()) for n in runs.widths]
        series.append(Series(label, runs.widths, means, slopes[key], colour=colour))
    words = "The same distance against the width, with the fitted powers of N. It was 0 at t = 0."
    label = "root mean square distance"
    return scaling_picture(f"{problem}_coupled", "particles that N and 2N share", "width N", label, series, words)


def _cloud_distances(
    problem: str, sliced: Sequence[tuple[Values, Values]], widths: list[int], slopes: Mapping[str, Slope]
) -> Picture:
    series = []
    for (x, y), label, colour, key in zip(
        sliced, ("t = 0", "end"), (QUIET, MEASURED), ("cloud_start", "cloud_end"), strict=True
    ):
        series.append(Series(label, widths, [float(y[x == n].mean()) for n in widths], slopes[key], colour=colour))
    words = (
        "Sliced Wasserstein distance of the cloud from the limit's, and what it was before training: sampling alone."
    )
    return scaling_picture(
        f"{problem}_cloud", "the cloud against its limit", "width N", "sliced Wasserstein distance", series, words
    )


def _findings(problem: str, slopes: Mapping[str, Slope], start: Results) -> list[Finding]:
    """Slopes beside the expected ones, and the mean excess at t = 0 beside its formula."""
    ratio = start.column("excess") / start.column("excess_predicted")
    error = start.column("excess_error") / start.column("excess_predicted")
    weight = 1.0 / error**2
    mean, half = float((weight * ratio).sum() / weight.sum()), 1.96 / float(weight.sum()) ** 0.5
    holds = abs(mean - 1.0) <= max(2.0 * half, 1e-12)
    late = "Early the power is there; the distance grows with time, and at these widths the later power is smaller."
    expected = {
        "gap_early": ("mean |R_N − R_∞|, early", "|R_N(t) − R_∞(t)| ~ N^{−1/2}", -0.5, _baseline(slopes["gap_start"])),
        "gap_end": (
            "mean |R_N − R_∞| at the end",
            "|R_N(t) − R_∞(t)| ~ N^{−1/2}",
            -0.5,
            f"{_baseline(slopes['gap_start'])} {late}",
        ),
        "coupled_early": (
            "distance of shared particles, early",
            "√(Σ|θ_k^N − θ_k^{2N}|²/N) ~ N^{−1/2}",
            -0.5,
            "It is 0 at t = 0.",
        ),
        "coupled_end": ("distance of shared particles at the end", "√(Σ|θ_k^N − θ_k^{2N}|²/N) ~ N^{−1/2}", -0.5, late),
        "cloud_end": (
            "sliced Wasserstein distance at the end",
            "SW₂(p^N, p) ~ N^{−1/2}",
            -0.5,
            _baseline(slopes["cloud_start"]),
        ),
        "excess": ("E R_N(0) − R_∞(0)", "~ N^{−1}", -1.0, "Means over draws and their mirror images −a."),
    }
    made = [
        slope_finding(f"{problem}: slope of {name}", claim, slopes[key], value, _TOLERANCE, reason)
        for key, (name, claim, value, reason) in expected.items()
    ]
    words = f"Over all widths, {len(ratio)} of them; the interval is 95 %, and twice its half-width is allowed."
    claim = "(E R_N(0) − R_∞(0)) / (tr K^(a)/(2nN))"
    verdict = Finding(
        f"{problem}: excess of the loss at t = 0",
        claim,
        mean,
        mean - half,
        mean + half,
        "1",
        "holds" if holds else "fails",
        words,
    )
    return [verdict, *made]


def _baseline(slope: Slope) -> str:
    return f"At t = 0 the slope is {slope}: sampling alone."
