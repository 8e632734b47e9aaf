"""A record of an ensemble: its outcome, which can write itself into a folder."""

import time
from dataclasses import dataclass
from pathlib import Path

from pinn_ntk.reporting.ensemble_files import write_ensemble_arrays, write_ensemble_history
from pinn_ntk.reporting.ensemble_outcome import EnsembleOutcome
from pinn_ntk.reporting.ensemble_report import ensemble_html, ensemble_sections
from pinn_ntk.reporting.files import Files, with_report, write_summary, write_text
from pinn_ntk.reporting.tables import write_table


@dataclass(frozen=True)
class EnsembleRecord(EnsembleOutcome):
    """An `EnsembleOutcome` with `save`."""

    def save(self, folder: str | Path) -> Path:
        """Write report.html, summary.json, ensemble.csv, history.csv, arrays.nc and figures/*.svg.

        Args:
            folder: made when missing.

        Returns:
            The path of the report.
        """
        return self.write(folder).report

    def write(self, folder: str | Path) -> Files:
        """The files of `save`; the summary is that of summary.json, with the time that the report took."""
        path, begin = Path(folder), time.perf_counter()
        figures = path / "figures"
        figures.mkdir(parents=True, exist_ok=True)
        write_ensemble_history(self, path / "history.csv")
        write_table(self.rows(), path / "ensemble.csv")
        write_ensemble_arrays(self, path / "arrays.nc")
        drawn = ensemble_sections(self)
        for picture in (p for part in drawn for p in part.pictures):
            picture.write(figures)
        report = path / "report.html"
        write_text(report, ensemble_html(self, drawn))
        summary = self.summary()
        summary["time"] = with_report(self.seconds, time.perf_counter() - begin)
        write_summary(summary, path / "summary.json")
        return Files(report, summary)
