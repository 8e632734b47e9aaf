"""The files of an ensemble: history.csv (quantiles over seeds), ensemble.csv (one row per seed),
arrays.nc (a dimension `seed`).
"""

import warnings
from pathlib import Path

import numpy as np

from pinn_ntk.networks.storage import replacing
from pinn_ntk.reporting.ensemble_outcome import LEVELS, EnsembleOutcome, aligned
from pinn_ntk.reporting.files import Variable
from pinn_ntk.reporting.tables import Value, write_table
from pinn_ntk.training.trackers import Array


def quantiles_over_seeds(values: Array) -> Array:
    """The quantiles of (T, S) over S, (3, T), NaN where no seed has a number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without numbers has no quantiles, as is said above
        quantiles: Array = np.nanquantile(values, LEVELS, axis=1)
    return quantiles


def write_ensemble_history(outcome: EnsembleOutcome, path: Path) -> None:
    """One row per tracked step: how many members ran, and of every column its median, with _q05 and _q95 behind it."""
    table = aligned([member.history for member in outcome.members])
    steps = table.pop("step")
    columns: dict[str, Array] = {"step": steps, "members": np.isfinite(table["time"]).sum(1)}
    for name, values in table.items():
        low, middle, high = quantiles_over_seeds(values)
        columns |= {name: middle} if name == "seconds" else {name: middle, f"{name}_q05": low, f"{name}_q95": high}
    rows: list[dict[str, Value]] = [
        {name: int(v[t]) if name in ("step", "members") else float(v[t]) for name, v in columns.items()}
        for t in range(len(steps))
    ]
    write_table(rows, path)


def write_ensemble_arrays(outcome: EnsembleOutcome, path: Path) -> None:
    """Every tracked column of every seed, the spectra at both ends, the last residuals,
    the points and the limit kernel, as NetCDF.

    Dimensions: seed, tracked (steps at which everyone that still ran was tracked), end (first and last tracked step),
    mode, row, column, coordinate.
    """
    import xarray

    problem = outcome.median.problem
    about = {"problem": problem.name, "status": str(outcome.status), "blocks": ", ".join(problem.slices)}
    coordinates = {"seed": [member.seed for member in outcome.members]}
    with replacing(path) as aside:
        dataset = xarray.Dataset(
            {**_tracked(outcome), **_ends(outcome), **_limit(outcome)}, coords=coordinates, attrs=about
        )
        dataset.to_netcdf(aside, engine="h5netcdf")


def _variable(dims: tuple[str, ...], values: Array, text: str) -> Variable:
    return dims, np.asarray(values, dtype=np.float64), {"long_name": text, "units": "1"}


def _tracked(outcome: EnsembleOutcome) -> dict[str, Variable]:
    table = aligned([member.history for member in outcome.members])
    found = {"tracked_step": _variable(("tracked",), table.pop("step"), "steps at which trackers were asked")}
    for name, values in table.items():
        label = "tracked_time" if name == "time" else name
        found[label] = _variable(("seed", "tracked"), values.T, f"{name} of every seed at the tracked steps")
    return found


def _ends(outcome: EnsembleOutcome) -> dict[str, Variable]:
    """Arrays of the trackers at the first and last tracked step, and the last residuals."""
    members = outcome.members
    residuals = np.stack([member.history.final.residual.double().cpu().numpy() for member in members])
    found = {"residual": _variable(("seed", "row"), residuals, "e = S(Lh - f) at the last state")}
    for name in members[0].history.arrays:
        if all(name in member.history.arrays for member in members):
            ends = np.stack([member.history.arrays[name][[0, -1]] for member in members])
            rest = tuple(f"{name}_{i}" for i in range(1, ends.ndim - 1))
            dims = (
                ("mode",)
                if name.startswith(("eigenvalues", "alignment", "mode"))
                else ("row",)
                if name == "residual"
                else rest
            )
            label = f"{name}_ends" if name in found else name
            found[label] = _variable(("seed", "end", *dims), ends, f"{name} at the first and last tracked step")
    return found


def _limit(outcome: EnsembleOutcome) -> dict[str, Variable]:
    """The points and the parts of K^∞."""
    found = {
        "points": _variable(("row", "coordinate"), outcome.median.problem.x.cpu().numpy(), "points, block after block")
    }
    lazy = outcome.median.prediction.lazy if outcome.median.prediction else None
    if lazy is not None and lazy.kernel.a is not None and lazy.kernel.w is not None:
        for part, matrix in (("a", lazy.kernel.a), ("w", lazy.kernel.w)):
            words = f"infinite-width part ({part}), gamma = 1"
            found[f"kernel_{part}_infinite"] = _variable(("row", "column"), matrix.cpu().numpy(), words)
    return found
