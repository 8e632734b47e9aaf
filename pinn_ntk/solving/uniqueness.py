"""Whether the rows determine u at all, asked with neurons of its own.

Uniqueness belongs to the rows, not to the neurons that happen to fit u: where u is simple, or zero, those may be too
smooth to follow what the rows leave open. So the known v is solved for once more, by waves of several scales, until it
comes back to rounding (u is unique) or its rows are met by something else (`Slack.open`).
"""

from pinn_ntk.solving.search import Search, isotropic
from pinn_ntk.solving.slack import Slack

_WIDTHS = {1: 200, 2: 300}
_WIDTH = 400
_SCALES = (2.0, 4.0, 8.0)
_TOLD = 1e-6  # of v: an error at which the rows determine it
_WAVE = "sin"


def uniqueness(search: Search) -> Slack:
    """How the known v comes back, by the fit that tells most.

    Args:
        search: its bench and its effort, of which three small pairs are taken at most.
    """
    task, bench = search.bench.task, search.bench
    width = _WIDTHS.get(task.dim, _WIDTH)
    if task.largest_width is not None:
        width = min(width, task.largest_width)
    sample = task.fit_sample(width, task.seed + 1)
    bench.prepare(sample)
    best: Slack | None = None
    for scale in _SCALES:
        search.effort.spend(0.5 * search.predicted(width))
        fit = bench.fit(isotropic(_WAVE, scale, task.dim), width, task.seed + 11, sample)
        slack = bench.view(fit).slack
        if slack.error < _TOLD:
            return slack
        if best is None or slack.open or (slack.share < best.share and not best.open):
            best = slack
    assert best is not None
    return best
