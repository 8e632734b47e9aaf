"""The answer at points as a table that travels: CSV, NetCDF and VTK."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinn_ntk.networks.storage import replacing
from pinn_ntk.problem.answer import Answer
from pinn_ntk.reporting.files import write_text
from pinn_ntk.reporting.grid import Grid, Values
from pinn_ntk.solving.spread import Fits


@dataclass(frozen=True)
class Samples:
    """Numbers at points.

    Attributes:
        names: of the coordinates.
        points: (n, d).
        columns: (n,) values by name.
        grid: the grid whose nodes in the domain the points are, if they are.
        about: what a file says of all of them.
    """

    names: tuple[str, ...]
    points: Values
    columns: Mapping[str, Values]
    grid: Grid | None = None
    about: Mapping[str, str] = field(default_factory=dict)


_TEXTS = {
    "u": "the solution u",
    "u_error": "estimated error of u, from independent fits",
    "exact": "the exact solution u*",
    "error": "u - u*",
    "residual": "Lu - f of the interior equation",
}


def sample(
    answer: Answer,
    names: tuple[str, ...],
    points: Values | Grid,
    *,
    gradient: bool,
    residual: bool,
    exact: bool,
    outside: bool = False,
    fits: Fits | None = None,
) -> Samples:
    """u and what else is wanted.

    Args:
        answer: u.
        names: of the coordinates.
        points: (n, d), or a grid, of which the nodes in the domain are taken; its residual is not asked on the faces of
            the bounding box.
        gradient: whether to add u_x, u_y, ….
        residual: whether to add 𝓛u − f.
        exact: whether to add u* and u − u* where u* is known.
        outside: whether points outside the domain are evaluated.
        fits: independent fits, from which ± of u is added, and of the derivatives where these are wanted.

    Raises:
        ValueError: points that cannot be asked, or a residual that is not known.
    """
    grid = points if isinstance(points, Grid) else None
    x = grid.points if grid is not None else np.asarray(points, dtype=np.float64)
    problem, where = answer.problem, grid.within if grid is not None else np.ones(len(x), dtype=np.bool_)
    columns = {"u": _numbers(answer.u(x, outside=outside))}
    if fits is not None:
        columns["u_error"] = _numbers(fits.uncertainty(x, outside=outside))
    if exact and problem.exact is not None:
        network = answer.network
        with torch.no_grad():
            columns["exact"] = _numbers(
                problem.exact(torch.from_numpy(x).to(device=network.device, dtype=network.dtype))
            )
        columns["error"] = columns["u"] - columns["exact"]
    if gradient:
        slopes = _numbers(answer.gradient(x, outside=outside))
        columns |= {f"u_{name}": slopes[:, j] for j, name in enumerate(names)}
    if gradient and fits is not None:
        errors = _numbers(fits.gradient_uncertainty(x, outside=outside))
        columns |= {f"u_{name}_error": errors[:, j] for j, name in enumerate(names)}
    if residual:
        columns["residual"] = np.full(len(x), np.nan)
        if where.any():
            columns["residual"][where] = _numbers(answer.residual(x[where], outside=outside))
    about = {"problem": problem.name, "equation": problem.equation, "conditions": "; ".join(problem.conditions)}
    return Samples(names, x, columns, grid, about)


def _numbers(values: torch.Tensor) -> Values:
    numbers: Values = values.detach().cpu().double().numpy()
    return numbers


def csv_text(samples: Samples) -> str:
    """A header, and one row for each point; every number reads back as the same one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*samples.names, *samples.columns])
    table = np.column_stack([samples.points, *samples.columns.values()])
    writer.writerows([repr(value) for value in row] for row in table.tolist())
    return buffer.getvalue()


def write_csv(samples: Samples, path: Path) -> None:
    """The table as text."""
    write_text(path, csv_text(samples))


def write_netcdf(samples: Samples, path: Path) -> None:
    """A grid with its coordinates, NaN outside the domain; or points along one dimension."""
    import xarray

    grid = samples.grid
    dims = ("point",) if grid is None else samples.names
    axes: Mapping[str, Any] = (
        {name: (("point",), samples.points[:, j]) for j, name in enumerate(samples.names)}
        if grid is None
        else {name: ((name,), axis) for name, axis in zip(samples.names, grid.axes, strict=True)}
    )
    coordinates = {
        name: (*entry, _attributes("time" if name == "t" else f"coordinate {name}")) for name, entry in axes.items()
    }
    variables = {
        name: (dims, values if grid is None else grid.spread(values), _attributes(_words(name)))
        for name, values in samples.columns.items()
    }
    with replacing(path) as aside:
        xarray.Dataset(variables, coordinates, dict(samples.about)).to_netcdf(aside, engine="h5netcdf")


def _words(name: str) -> str:
    along = name.removeprefix("u_").removesuffix("_error")
    what = "estimated error of the derivative" if name.endswith("_error") else "derivative"
    return _TEXTS.get(name, f"{what} of u along {along}")


def _attributes(text: str) -> dict[str, str]:
    return {"long_name": text, "units": "1"}


def write_vtu(samples: Samples, path: Path) -> None:
    """A grid as the cells that lie in the domain, or points as vertices, for ParaView and its kin.

    Raises:
        ValueError: more than three coordinates.
        ModuleNotFoundError: pyvista is not installed.
    """
    d = samples.points.shape[1]
    if d > 3:
        raise ValueError(f"vtu: got {d} coordinates, expected at most 3; write .nc or .csv")
    mesh = _vertices(samples) if samples.grid is None else _cells(samples, samples.grid)
    aside = path.with_name(f"{path.stem}.part.vtu")  # the writer goes by the suffix
    try:
        mesh.save(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _vertices(samples: Samples) -> Any:
    import pyvista

    n, d = samples.points.shape
    cells = np.column_stack([np.ones(n, dtype=np.int64), np.arange(n)]).ravel()
    kinds = np.full(n, int(pyvista.CellType.VERTEX), dtype=np.uint8)
    mesh = pyvista.UnstructuredGrid(cells, kinds, np.pad(samples.points, ((0, 0), (0, 3 - d))))
    for name, values in samples.columns.items():
        mesh.point_data[name] = values
    return mesh


def _cells(samples: Samples, grid: Grid) -> Any:
    import pyvista

    axes = [*grid.axes, *[np.zeros(1)] * (3 - len(grid.axes))]
    box = pyvista.RectilinearGrid(*axes)
    for name, values in samples.columns.items():
        box.point_data[name] = grid.spread(values).ravel(order="F")
    inside = grid.inside.ravel(order="F")
    mesh: Any = box.cast_to_unstructured_grid()  # what it promises of types depends on its version
    corners = mesh.cells.reshape(mesh.n_cells, -1)[:, 1:]
    return mesh.extract_cells(np.flatnonzero(inside[corners].all(1)))
