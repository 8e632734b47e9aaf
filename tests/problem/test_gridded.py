"""A field on a grid: interpolated exactly where it can be, refused outside, and never differentiated."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr

from pinn_ntk.geometry import box
from pinn_ntk.operators import SecondOrderOperator, laplacian
from pinn_ntk.problem import read_gridded

X = box([0.0, -1.0], [2.0, 1.0]).interior(50)


def bilinear(x, y):
    return 1 + 2 * x - y + 3 * x * y


def cubic(x, y):
    return x**3 - 2 * x * y**2 + y**3 * x


def csv_file(path, function, xs=(0.0, 0.5, 2.0), ys=(-1.0, 1.0), header="x,y,value"):
    rows = [f"{x},{y},{function(x, y)}" for x, y in itertools.product(xs, ys)]
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")  # in any order
    return str(path)


def netcdf(path, **fields):
    x, y = np.linspace(0.0, 2.0, 9), np.linspace(-1.0, 1.0, 7)
    grid = {name: (("x", "y"), f(x[:, None], y[None, :])) for name, f in fields.items()}
    xr.Dataset(grid, {"x": x, "y": y}).to_netcdf(path, engine="h5netcdf")
    return str(path)


def test_a_bilinear_field_is_reproduced(tmp_path):
    field = read_gridded({"grid": csv_file(tmp_path / "a.csv", bilinear)}, 2, False)
    assert torch.allclose(field(X), bilinear(*X.T), rtol=0, atol=1e-13)
    assert field(X.float()).dtype == torch.float32
    assert field.text == "a (interpolated from a.csv, linear, never differentiated)"


def test_a_cubic_field_is_reproduced_by_the_cubic_spline(tmp_path):
    path = netcdf(tmp_path / "a.nc", a=cubic, other=bilinear)
    field = read_gridded({"grid": path, "variable": "a", "interpolation": "cubic"}, 2, False)
    assert torch.allclose(field(X), cubic(*X.T), rtol=0, atol=1e-12)
    assert torch.allclose(
        read_gridded({"grid": path, "variable": "other"}, 2, False)(X), bilinear(*X.T), rtol=0, atol=1e-13
    )


def test_linear_interpolation_is_of_second_order(tmp_path):
    errors, many = [], box([0.0, -1.0], [2.0, 1.0]).interior(500)
    for m in (9, 17, 33):
        axes = np.linspace(0.0, 2.0, m).tolist(), np.linspace(-1.0, 1.0, m).tolist()
        path = csv_file(tmp_path / f"{m}.csv", lambda x, y: float(np.sin(2 * x) * np.exp(y)), *axes)
        field = read_gridded({"grid": path}, 2, False)
        errors.append(float((field(many) - torch.sin(2 * many[:, 0]) * torch.exp(many[:, 1])).norm()))
    assert 3.0 < errors[0] / errors[1] < 5.0
    assert 3.0 < errors[1] / errors[2] < 5.0


def test_a_grid_in_some_coordinates_does_not_depend_on_the_others(tmp_path):
    path = csv_file(tmp_path / "a.csv", bilinear, header="x,t,value")
    x = torch.cat([X[:, :1], torch.full_like(X[:, :1], 7.0), X[:, 1:]], 1)
    assert torch.allclose(read_gridded({"grid": path}, 3, True)(x), bilinear(*X.T), rtol=0, atol=1e-13)


def test_its_ends_belong_to_the_grid_and_the_outside_does_not(tmp_path):
    field = read_gridded({"grid": csv_file(tmp_path / "a.csv", bilinear)}, 2, False)
    corner = torch.tensor([[2.0, 1.0]], dtype=X.dtype)
    assert float(field(corner * (1 + 1e-12))) == pytest.approx(bilinear(2.0, 1.0))
    with pytest.raises(ValueError, match=r"\[2.5, 1.0\], expected points of the grid \[0, 2\] × \[-1, 1\]"):
        field(torch.cat([X, torch.tensor([[2.5, 1.0]], dtype=X.dtype)]))


def test_it_is_a_coefficient_and_never_differentiated(tmp_path):
    field = read_gridded({"grid": csv_file(tmp_path / "a.csv", bilinear)}, 2, False)
    operator = SecondOrderOperator(2, A=field)
    assert torch.allclose(operator.apply(lambda p: (p * p).sum(1), X), 4 * bilinear(*X.T), rtol=1e-13)
    with pytest.raises(ValueError, match="never differentiated"):
        torch.func.grad(lambda p: field(p).sum())(X)
    with pytest.raises(ValueError, match="never differentiated"):
        laplacian(2).apply(field, X)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y,value\n0,0,1\n0,1,2\n1,0,3\n", "3 rows for 2 · 2 grid points"),
        ("x,y,value\n0,0,1\n0,1,2\n1,0,3\n1,0,3\n", "each of them once"),
        ("x,q,value\n0,0,1\n0,1,2\n1,0,3\n1,1,4\n", "coordinate q, expected some of x, y"),
        ("x,y,a\n0,0,1\n0,1,2\n1,0,3\n1,1,4\n", "expected coordinates and value"),
        ("x,value\n0,1\n", "at least 2"),
        ("x,value\n0,nan\n1,0\n", "line 2"),
        ("", "no rows"),
    ],
)
def test_a_faulty_table_is_refused(text, words, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_gridded({"grid": str(path)}, 2, False)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "expected `variable` to name one of them"),
        ({"variable": "alpha"}, "expected one of a, b"),
        ({"variable": "a", "interpolation": "quintic"}, "expected one of linear, cubic"),
        ({"variable": "b"}, "got nan at x = 0"),
        ({"grid": "missing.nc"}, "cannot be read"),
        ({"grid": 3}, "path"),
    ],
)
def test_a_faulty_file_is_refused(more, words, tmp_path):
    path = netcdf(tmp_path / "a.nc", a=bilinear, b=lambda x, y: np.where(x + y > -1, 1.0, np.nan))
    with pytest.raises(ValueError, match=words):
        read_gridded({"grid": path} | more, 2, False)
