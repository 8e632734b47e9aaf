"""Fields given on a grid, from a NetCDF or CSV file: interpolated between its points, and never differentiated but
where an operator asks for ∇·(a∇u), which takes a for its cubic spline.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.arguments import choose, require_file
from pinn_ntk.expressions import variable_names
from pinn_ntk.problem.data import read_table

METHODS = {"linear": 1, "cubic": 3}  # the degree of the spline along each axis, which needs a point more than that
KEYS = ("grid", "variable", "interpolation")
_SLACK = 1e-9  # of the grid's length: rounding of end points


@dataclass(frozen=True, eq=False)
class Gridded:
    """x ↦ a(x), between the values a(g_i) on a tensor grid: multilinear, or a cubic spline along each axis.

    Its derivative is refused, since that of an interpolation says little about the field, unless it was asked for: then
    a is the cubic spline, and ∇a that of the spline.

    Attributes:
        text: the field in words.
        columns: which coordinates the grid has; the field does not depend on the others.
        axes: the grid's points along each of them, increasing.
        values: a on the grid.
        method: linear or cubic.
        symbol: the field in a formula, such as kappa(x).
        smooth: whether a is taken for its spline, whose derivatives exist.
        orders: how often a was differentiated along each axis; none for a itself.
    """

    text: str
    columns: tuple[int, ...]
    axes: tuple[np.ndarray, ...]
    values: np.ndarray
    method: str = "linear"
    is_constant: bool = False
    symbol: str = "a(x)"
    smooth: bool = False
    orders: tuple[int, ...] = ()

    @property
    def as_factor(self) -> tuple[int, str]:
        """The field as a factor of a product."""
        return 1, self.symbol

    def __call__(self, x: Tensor) -> Tensor:
        """a(x), (n,) in x's dtype and device.

        Raises:
            ValueError: a point outside the grid.
        """
        return _Interpolated.apply(x, self)  # type: ignore[no-any-return, no-untyped-call]

    def derivative(self, column: int) -> "Gridded | float":
        """∂a/∂x_j of the spline; 0 for a coordinate that the grid has not, and beyond the third.

        Raises:
            ValueError: a field that is not taken for its spline.
        """
        if not self.smooth:
            raise ValueError(self._refusal)
        if column not in self.columns:
            return 0.0
        orders = list(self.orders or [0] * len(self.axes))
        orders[self.columns.index(column)] += 1
        if max(orders) > METHODS[self.method]:
            return 0.0
        words, symbol = (f"∂_{self._names[self.columns.index(column)]} {one}" for one in (self.text, self.symbol))
        return replace(self, orders=tuple(orders), text=words, symbol=symbol)

    @property
    def _names(self) -> list[str]:
        return self.symbol.rpartition("(")[2].rstrip(")").split(", ")

    @property
    def _refusal(self) -> str:
        return (
            f"{self.text}: got asked for its derivative, expected use by value only: a field on a grid is "
            "differentiated as the k of {kind: divergence}, and nowhere else"
        )

    @property
    def value(self) -> float:
        """A field on a grid is no number; see `Expression.value`."""
        raise ValueError(f"{self.text} depends on the coordinates and has no single value")

    @cached_property
    def _interpolate(self) -> Any:
        from scipy.interpolate import NdBSpline, make_interp_spline

        degree, knots, coefficients = METHODS[self.method], [], self.values
        for j, axis in enumerate(self.axes):  # direct solves: scipy's own class iterates, to 1e-6
            spline = make_interp_spline(axis, np.moveaxis(coefficients, j, 0), degree)
            knots.append(spline.t)
            coefficients = np.moveaxis(spline.c, 0, j)
        return NdBSpline(tuple(knots), coefficients, degree)

    def at(self, x: Tensor) -> Tensor:
        """The values, without a place in torch's graph."""
        points = x.detach().double().cpu().numpy()[:, self.columns]  # on the CPU: scipy interpolates
        low, high = (np.array([axis[end] for axis in self.axes]) for end in (0, -1))
        outside = ((points < low - _SLACK * (high - low)) | (points > high + _SLACK * (high - low))).any(1)
        if outside.any():
            grid = " × ".join(f"[{lo:g}, {hi:g}]" for lo, hi in zip(low, high, strict=True))
            raise ValueError(
                f"{self.text}: got the point {x[int(outside.argmax())].tolist()}, expected points of the grid {grid}"
            )
        return torch.from_numpy(self._interpolate(np.clip(points, low, high), nu=self.orders or None)).to(x)


class _Interpolated(torch.autograd.Function):
    """Gridded.at, whose backward pass is an error unless a is smooth: torch would take it for a constant otherwise."""

    @staticmethod
    def forward(x: Tensor, field: Gridded) -> Tensor:
        return field.at(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Gridded], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(inputs[0])
        ctx.field = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        slopes = [ctx.field.derivative(column) for column in range(x.shape[1])]
        columns = [slope(x) if callable(slope) else torch.full_like(x[:, 0], slope) for slope in slopes]
        return gradients[0][:, None] * torch.stack(columns, 1), None


def read_gridded(given: Mapping[str, Any], dim: int, time: bool, smooth: bool = False) -> Gridded:
    """The field that {grid: FILE, variable: NAME, interpolation: linear | cubic} says.

    Args:
        given: that mapping; `variable` is needed where a NetCDF file holds several.
        dim: d, coordinates of the problem.
        time: whether the last is t.
        smooth: whether it is differentiated, and so taken for its cubic spline.

    Raises:
        ValueError: a file that cannot be read, names that are no coordinates, points that are no tensor grid, values
            that are not finite.
    """
    path, method = given.get("grid"), given.get("interpolation", "cubic" if smooth else "linear")
    if not isinstance(path, (str, Path)) or not str(path):
        raise ValueError(
            f"got {path!r}, expected the path of a NetCDF file (.nc) or a CSV file with the columns x, …, value"
        )
    choose("interpolation", method, METHODS)
    if smooth and method != "cubic":
        raise ValueError(
            f"interpolation: got {method}, expected cubic for a field that is differentiated; leave it out"
        )
    require_file("grid", path)
    names = variable_names(dim, time)
    known = {name: j for j, name in enumerate(names)} | {f"x{j + 1}": j for j in range(dim - time)}
    found, axes, values = (_from_netcdf if str(path).endswith((".nc", ".nc4", ".h5")) else _from_csv)(
        str(path), given.get("variable")
    )
    if strange := [name for name in found if name not in known]:
        raise ValueError(f"{path}: got the coordinate {strange[0]}, expected some of {', '.join(names)}")
    _check(path, found, axes, values, METHODS[method] + 1)
    name = given.get("variable") or Path(path).stem
    file = Path(path).name
    words = (
        f"the cubic spline through {file}, ∇{name} that of the spline"
        if smooth
        else f"interpolated from {file}, {method}, never differentiated"
    )
    columns, symbol = tuple(known[n] for n in found), f"{name}({', '.join(found)})"
    return Gridded(f"{name} ({words})", columns, axes, values, method, symbol=symbol, smooth=smooth)


def _check(path: object, names: Sequence[str], axes: Sequence[np.ndarray], values: np.ndarray, least: int) -> None:
    for name, axis in zip(names, axes, strict=True):
        if len(axis) < least or not np.isfinite(axis).all() or not (np.diff(axis) > 0).all():
            raise ValueError(
                f"{path}: got {len(axis)} values of {name}, expected at least {least}, finite and increasing"
            )
    if not np.isfinite(values).all():
        place = np.unravel_index(int(np.argmin(np.isfinite(values))), values.shape)
        point = ", ".join(f"{n} = {a[i]:g}" for n, a, i in zip(names, axes, place, strict=True))
        raise ValueError(f"{path}: got {values[place]} at {point}, expected finite values on the whole grid")


def _from_csv(path: str, variable: object) -> tuple[list[str], tuple[np.ndarray, ...], np.ndarray]:
    """Names, axes and values of a table with one row for each point of a tensor grid, in any order."""
    names, table = read_table(path)
    wanted = variable or "value"
    if wanted not in names or len(names) < 2:
        raise ValueError(f"{path}: got the columns {', '.join(names)}, expected coordinates and {wanted}")
    rows = table.numpy()  # on the CPU: scipy interpolates
    value = rows[:, names.index(str(wanted))]
    coordinates = [j for j, name in enumerate(names) if name not in (wanted, "value")]
    axes, places = zip(*(np.unique(rows[:, j], return_inverse=True) for j in coordinates), strict=True)
    shape = tuple(len(axis) for axis in axes)
    flat = np.ravel_multi_index(places, shape)
    if len(rows) != math.prod(shape) or len(np.unique(flat)) != len(rows):
        raise ValueError(
            f"{path}: got {len(rows)} rows for {' · '.join(map(str, shape))} grid points, expected each of them once"
        )
    grid = np.empty(shape)
    grid.flat[flat] = value
    return [names[j] for j in coordinates], axes, grid


def _from_netcdf(path: str, variable: object) -> tuple[list[str], tuple[np.ndarray, ...], np.ndarray]:
    """Names, axes and values of a variable on coordinates of its own."""
    import xarray as xr

    try:
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            data = opened.load()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as NetCDF ({error})") from error
    variables = {str(name): array for name, array in data.data_vars.items()}
    if variable is None and len(variables) != 1:
        raise ValueError(f"{path}: got the variables {', '.join(variables)}, expected `variable` to name one of them")
    array = choose("variable", variable, variables) if variable is not None else next(iter(variables.values()))
    names = [str(name) for name in array.dims]
    if missing := [name for name in names if name not in data.coords]:
        raise ValueError(
            f"{path}: got no coordinate for the dimension {missing[0]} of {array.name}, expected its points"
        )
    sorted_array = array.sortby(names)
    axes = tuple(np.asarray(sorted_array[name], dtype=np.float64) for name in names)
    return names, axes, np.asarray(sorted_array, dtype=np.float64)
