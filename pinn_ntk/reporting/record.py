"""A record: the outcome of a run that can write itself into a folder."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from pinn_ntk.reporting.files import write_arrays, write_history, write_summary
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.report import write_report


@dataclass(frozen=True)
class Record(Outcome):
    """An `Outcome` with `save`: pictures and files read the outcome, so nothing in this folder imports in a circle."""

    def save(self, folder: str | Path) -> Path:
        """Write report.html, summary.json, history.csv, arrays.nc and figures/*.svg.

        Args:
            folder: made when missing.

        Returns:
            The path of the report.
        """
        path, begin = Path(folder), time.perf_counter()
        path.mkdir(parents=True, exist_ok=True)
        write_history(self.history, path / "history.csv")
        write_arrays(self, path / "arrays.nc")
        report = write_report(self, path)
        spent = time.perf_counter() - begin
        timed = replace(self, seconds={**self.seconds, "report": spent, "total": self.seconds["total"] + spent})
        write_summary(timed.summary(), path / "summary.json")
        return report
