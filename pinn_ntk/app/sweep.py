"""A sweep as one document: each job in a folder named by its configuration, finished jobs kept,
a table and a report of them all.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pinn_ntk.app.faults import Exit
from pinn_ntk.app.run_folder import SUMMARY
from pinn_ntk.app.schema import flatten
from pinn_ntk.experiment.provenance import versions
from pinn_ntk.reporting.files import write_summary, write_text
from pinn_ntk.reporting.outcome import finite
from pinn_ntk.reporting.study_page import study_html
from pinn_ntk.reporting.sweep_page import slopes_table, sweep_sections, varied
from pinn_ntk.reporting.tables import Value, write_table
from pinn_ntk.training.states import Status

NOT_ITS_RESULT = ("device", "report", "logger", "checkpoint", "output", "name")
"""Keys that change no number of a run, but for its last bits."""
_PATHS = {
    "status": ("status",),
    "loss_initial": ("loss", "initial"),
    "loss_final": ("loss", "final"),
    "relative_l2": ("error", "relative_l2"),
    "relative_linf": ("error", "relative_linf"),
    "lambda_min": ("kernel", "lambda_min_initial"),
    "lambda_min_a": ("kernel", "lambda_min_a_initial"),
    "drift": ("kernel", "drift"),
    "drift_a": ("kernel", "drift_a"),
    "lambda_s": ("theory", "lambda_s"),
    "rate": ("theory", "rate"),
    "rate_measured": ("theory", "rate_measured"),
    "e_folds": ("theory", "e_folds"),
    "bound_holds": ("theory", "bound_holds"),
    "worst_ratio": ("theory", "worst_ratio"),
    "exit_time": ("theory", "exit_time"),
    "least_width": ("theory", "least_width"),
    "max_delta_a": ("displacement", "max_delta_a"),
    "max_delta_w": ("displacement", "max_delta_w"),
    "seconds": ("time", "total"),
}
"""Columns of the table → where they are in a summary."""
_FAULTY = (Status.DIVERGED, Status.NON_FINITE, Status.UNDERDETERMINED, Status.INCONSISTENT, Status.UNRESOLVED)
_STATUS_CODES = dict.fromkeys(_FAULTY, Exit.NUMERICAL)


def job_folder(config: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits of the configuration without what its numbers do not depend on.

    Args:
        config: plain.
        texts: files that it depends on, such as plugins.
    """
    kept = {k: v for k, v in config.items() if k not in NOT_ITS_RESULT}
    text = json.dumps([kept, dict(texts)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def finished(folder: Path) -> int | None:
    """The exit code of the job that ended in that folder; None when there is none, or it was interrupted."""
    summary = _summary(folder)
    if summary is None or summary["status"] in (Status.INTERRUPTED, "PARTIAL", "FAILED"):
        return None
    return int(_STATUS_CODES.get(summary["status"], Exit.DONE))


def _summary(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if "status" in found else None


def write_sweep(folder: Path, failed: Sequence[tuple[str, int, str]]) -> Path:
    """table.csv, figures/, report.html and summary.json of every finished job in a sweep's folder.

    Args:
        folder: of the sweep.
        failed: words, exit code and reason of the jobs of this command that left no result.

    Returns:
        The path of the report.
    """
    jobs = [
        (path, summary)
        for path in sorted(folder.iterdir())
        if path.is_dir() and (summary := _summary(path)) is not None
    ]
    settings = [flatten(_configuration(path), {}) for path, _ in jobs]
    known = list(dict.fromkeys(key for setting in settings for key in setting))
    keys = [k for k in varied(settings, known) if k.split(".")[0] not in NOT_ITS_RESULT]
    rows: list[dict[str, Value]] = [
        {**{k: _value(setting.get(k)) for k in keys}, **_numbers(summary), "job": path.name}
        for (path, summary), setting in zip(jobs, settings, strict=True)
    ]
    rows.sort(
        key=lambda row: [
            (not isinstance(row[k], (int, float)), row[k] if isinstance(row[k], (int, float)) else 0, str(row[k]))
            for k in keys
        ]
    )
    lost: list[dict[str, Value]] = [
        {"status": f"FAILED, exit {code}", "job": words, "reason": reason} for words, code, reason in failed
    ]
    table = rows + lost
    write_table(table, folder / "table.csv")
    sections = sweep_sections(rows, keys)
    (folder / "figures").mkdir(exist_ok=True)
    for picture in (p for part in sections for p in part.pictures):
        picture.write(folder / "figures")
    facts = [("folder", folder.name), ("versions", ", ".join(f"{k} {v}" for k, v in versions().items()))]
    question = f"{len(rows)} jobs; what varies: {', '.join(keys) or 'nothing'}."
    notes = [f"no result for {words}: exit {code}, {reason}" for words, code, reason in failed]
    text = study_html(
        f"Sweep {folder.name}", question, (), sections, table, facts, None, notes, slopes_table(rows, keys)
    )
    write_text(folder / "report.html", text)
    nonfinite: list[str] = []
    summary = finite({"sweep": folder.name, "varied": keys, "jobs": table, "failed": len(failed)}, "", nonfinite)
    write_summary({**summary, "nonfinite": nonfinite}, folder / SUMMARY)
    return folder / "report.html"


def _configuration(folder: Path) -> dict[str, Any]:
    try:
        plain = OmegaConf.to_container(OmegaConf.load(folder / ".hydra" / "config.yaml"), resolve=False)
    except (OSError, OmegaConfBaseException):
        return {}
    return {str(k): v for k, v in plain.items()} if isinstance(plain, dict) else {}


def _value(value: object) -> Value:
    return value if value is None or isinstance(value, (str, int, float, bool)) else json.dumps(value, default=str)


def _numbers(summary: Mapping[str, Any]) -> dict[str, Value]:
    row: dict[str, Value] = {}
    for name, path in _PATHS.items():
        found: Any = summary
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is not None:
            row[name] = found
    kernel = summary.get("kernel") or {}
    for name, floor in (("lambda_min", "floor"), ("lambda_min_a", "floor_a")):  # rounding is no eigenvalue
        below = row.get(name)
        if isinstance(below, float) and below <= (kernel.get(floor) or 0.0):
            row[name] = None
    return row
