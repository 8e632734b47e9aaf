"""Run the experiments and put their numbers and pictures on the page docs/gallery.md:
`python scripts/gallery.py [NAME …]`.

Without names all of them are run. Results are kept in sweeps/: a second call measures no finished cell again and only
writes the page. Every number of the gallery is printed by this script and kept in docs/gallery/gallery.json.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE, PAGES = ROOT / "docs" / "gallery.md", ROOT / "docs" / "gallery"
HEAD = """\
# The gallery

<!-- written by scripts/gallery.py -->

Each of these is `pinn-ntk experiment=NAME`; it writes a table (CSV), pictures and one HTML report into `sweeps/NAME/`,
with every number beside what was expected of it and a verdict. Interrupted or changed, it measures only what is
missing. The numbers are those that `python scripts/gallery.py` printed.
"""
# experiment → its picture, its findings that are quoted, by the beginnings of their names (none: the first two)
EXPERIMENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "theorem_width": ("bound", ()),
    "looseness": (
        "widths",
        ("looseness factor", "u = f, x_i = e_i, n = 2, γ = 1/√N", "Δu = f, x_i = e_i, n = 2, γ = 1/√N"),
    ),
    "certificate": ("rates_poisson_3d", ("poisson_3d: certified width", "poisson_3d: share of the rate")),
    "kernel_scaling": (
        "kernel_uniform",
        (
            "lecture: slope of initial error",
            "lecture: slope of drift",
            "uniform: slope of initial error",
            "uniform: slope of drift",
        ),
    ),
    "linearisation_gap": (
        "residual_gap_regression_tanh",
        (
            "regression, tanh, s = 1/√N, γ = 1: slope on the training",
            "regression, tanh, s = 1, γ = 1/√N: slope on the training",
        ),
    ),
    "lazy_to_rich": (
        "drift_by_exponent",
        ("slope of the drift at p = 0.5", "slope of the drift at p = 1", "error at new points"),
    ),
    "mean_field": (
        "regression_cloud",
        (
            "regression: excess of the loss",
            "regression: slope of mean |R_N − R_∞|, early",
            "regression: slope of sliced Wasserstein distance at the end",
        ),
    ),
    "optimizers": ("error_by_seconds", ()),
    "eigenvalue_decay": (
        "spectrum_relu3_none",
        tuple(f"relu3, {u}, no conditions: power of K^∞" for u in ("u", "u'", "u''")),
    ),
    "wang2020_fig1": (
        "spectra_code_500_copied",
        ("code, width 500, distinct rows: mean", "paper, width 500, distinct rows: mean"),
    ),
    "wang2020_fig2": ("kernel_code", ("code: slope of the parameters", "code: slope of the kernel", "code, width 500")),
    "wang2020_fig4": ("error_code", ("code, boundary weight 1:", "code, boundary weight 100:")),
}


def run(name: str) -> Path:
    """The folder of the finished experiment."""
    folder = ROOT / "sweeps" / name
    subprocess.run(
        [sys.executable, "-m", "pinn_ntk", f"experiment={name}", f"output={folder}", "report.bar=false"],
        cwd=ROOT,
        check=True,
    )
    return folder


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}".replace("-", "−")


def words(finding: dict[str, Any]) -> str:
    """A finding in one line: its number, interval, expectation."""
    interval = "" if finding["low"] is None else f" ({number(finding['low'])} … {number(finding['high'])})"
    verdict = finding["verdict"].replace("_", " ")
    return f"{finding['name']}: **{number(finding['value'])}**{interval}; expected {finding['expected']}: {verdict}"


def of_run(summary: dict[str, Any]) -> list[str]:
    """What one run at the theorem's width shows."""
    theory = summary["theory"]
    verdicts = [s["verdict"] for s in theory["statements"]]
    counted = ", ".join(f"{verdicts.count(v)} {v.replace('_', ' ')}" for v in dict.fromkeys(verdicts))
    never = "t* never" if theory["exit_time"] is None else f"t* = {number(theory['exit_time'])}"
    return [
        f"N = **{summary['width']:,}** neurons, R_S(t) ≤ e^(−Nλ_S t/n) R_S(0) "
        f"{'held' if theory['bound_holds'] else 'failed'} "
        f"over **{number(theory['e_folds'])}** e-folds, largest ratio {number(theory['worst_ratio'])}; {never}",
        f"rate {number(theory['rate_measured'])} measured, {number(theory['rate'])} promised; statements: {counted}",
    ]


def lines_of(name: str, summary: dict[str, Any]) -> list[str]:
    """The quoted findings."""
    if "findings" not in summary:
        return of_run(summary)
    wanted = EXPERIMENTS[name][1]
    chosen = [f for f in summary["findings"] if f["name"].startswith(wanted)] if wanted else summary["findings"][:2]
    return [words(f) for f in chosen]


def entry(name: str, result: dict[str, Any]) -> str:
    """One section of the gallery."""
    lines = "\n".join(f"- {line}" for line in result["lines"])
    return f"## {result['title']}\n\n`pinn-ntk experiment={name}`\n\n{lines}\n\n![{name}](gallery/{name}.svg)\n"


def main(names: list[str]) -> None:
    PAGES.mkdir(parents=True, exist_ok=True)
    kept = PAGES / "gallery.json"
    results: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for name in names:
        folder = run(name)
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        shutil.copy(folder / "figures" / f"{EXPERIMENTS[name][0]}.svg", PAGES / f"{name}.svg")
        lines = lines_of(name, summary)
        title = summary.get("title") or f"The theorem at its own width, seed {summary['seed']}"
        results[name] = {"title": title, "lines": lines}
        print(name, *lines, sep="\n  ", flush=True)
    ordered = {name: results[name] for name in EXPERIMENTS if name in results}
    kept.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text("\n".join([HEAD, *(entry(name, result) for name, result in ordered.items())]), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(EXPERIMENTS)}")
    parser.add_argument(
        "--page", action="store_true", help="write the page from docs/gallery/gallery.json and run nothing"
    )
    given = parser.parse_args()
    chosen = [] if given.page else given.names or list(EXPERIMENTS)
    if unknown := [name for name in chosen if name not in EXPERIMENTS]:
        parser.error(f"unknown experiments: {', '.join(unknown)}")
    main(chosen)
