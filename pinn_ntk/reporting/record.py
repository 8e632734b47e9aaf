"""A record: the outcome of a run that can write itself into a folder."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from pinn_ntk.networks.storage import NETWORK, save_network
from pinn_ntk.problem.answer import Answer
from pinn_ntk.reporting.files import Files, with_report, write_arrays, write_history, write_summary
from pinn_ntk.reporting.grid import grid_of, usual_side
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.report import write_report
from pinn_ntk.reporting.samples import sample, write_netcdf
from pinn_ntk.solving.saved import SOLUTION as FITS

SOLUTION = "solution.nc"


@dataclass(frozen=True)
class Record(Outcome):
    """An `Outcome` with `save`: pictures and files read the outcome, so nothing in this folder imports in a circle."""

    @property
    def answer(self) -> Answer:
        """u, ∇u and 𝓛u − f of the trained network at any points."""
        return Answer(self.problem, self.trained)

    def save(self, folder: str | Path) -> Path:
        """Write report.html, summary.json, history.csv, arrays.nc, network.safetensors, solution.nc (up to d = 3)
        and figures/*.svg; of optimizer=auto also solution.safetensors, which has every fit.

        Args:
            folder: made when missing.

        Returns:
            The path of the report.
        """
        return self.write(folder).report

    def write(self, folder: str | Path) -> Files:
        """The files of `save`; the summary is that of summary.json, with the time that the report took."""
        path, begin = Path(folder), time.perf_counter()
        path.mkdir(parents=True, exist_ok=True)
        write_history(self.history, path / "history.csv")
        write_arrays(self, path / "arrays.nc")
        notes = _write_network(self, path / NETWORK)
        if self.solution is not None:
            self.solution.save(path / FITS)
        _write_solution(self.answer, path / SOLUTION)
        noted = replace(self, warnings=(*self.warnings, *notes))
        summary = noted.summary()
        report = write_report(noted, summary, path)
        summary["time"] = with_report(self.seconds, time.perf_counter() - begin)
        write_summary(summary, path / "summary.json")
        return Files(report, summary)


def _write_network(record: Outcome, path: Path) -> list[str]:
    """The trained network; a note where it cannot be stored, since a run is not lost for that."""
    try:
        save_network(record.trained, path)
    except ValueError as error:
        return [f"{path.name} was not written, so this answer cannot be evaluated later: {error}"]
    return []


def _write_solution(answer: Answer, path: Path) -> None:
    """u, the error and the residual on a grid, as far as they are known."""
    side = usual_side(answer.dim, answer.network.width)
    if side is None:
        return
    grid = grid_of(answer.problem, side)
    try:
        samples = sample(answer, grid.names, grid, gradient=False, residual=answer.knows_residual, exact=True)
    except ValueError:  # a coefficient that has no value at some node
        samples = sample(answer, grid.names, grid, gradient=False, residual=False, exact=True)
    write_netcdf(samples, path)
