"""`pinn-ntk-eval` gives back the answer of a run, from its folder alone, and refuses what it cannot know."""

import csv
import importlib.util
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray
from safetensors.torch import save_file
from test_plugins import PLUGIN
from test_process import ENVIRONMENT

from pinn_ntk.app import EVALUATE_HELP, evaluate
from pinn_ntk.networks import NETWORK
from pinn_ntk.solving import SOLUTION

RING = """\
kind: text
name: ring
domain: {kind: difference, of: [{kind: ball, center: [0, 0], radius: 1}, {kind: ball, center: [0.2, 0], radius: 0.4}]}
operator: {A: [["1 + x*x", 0.3], [0.3, 1]], b: ["y", "-x"], c: "-exp(x*y)"}
exact: "sin(x)*cos(2*y)"
"""
HEAT = ("problem=heat_1d", "problem.boundary=soft", "problem.boundary_points=6")


@pytest.fixture
def evaluated(workplace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = evaluate([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return call


@pytest.fixture
def refuses(evaluated, workplace: Path) -> Callable[..., str]:
    """Exit code 2, its reason, and no file that was not there before."""

    def call(*words: object) -> str:
        before = sorted(workplace.rglob("*"))
        code, out, err = evaluated(*words)
        assert (code, out) == (2, ""), err
        assert sorted(workplace.rglob("*")) == before
        return err

    return call


def table(text: str) -> dict[str, np.ndarray]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def points(place: Path, text: str = "x,y\n0.5,-0.6\n-0.7,0.1\n") -> Path:
    (place / "points.csv").write_text(text, encoding="utf-8")
    return place / "points.csv"


def test_a_grid_is_the_file_that_the_run_wrote(ran, evaluated) -> None:
    folder = ran(*HEAT).folder
    code, out, err = evaluated(folder / "report.html", "--grid", 101, "--residual", "--exact")
    assert (code, out.splitlines()[-1]) == (0, str(Path("answer.nc").resolve())), err
    options = {"engine": "h5netcdf"}
    with (
        xarray.open_dataset("answer.nc", **options) as one,
        xarray.open_dataset(folder / "solution.nc", **options) as other,
    ):
        assert set(one.data_vars) == set(other.data_vars) == {"u", "exact", "error", "residual"}
        for name in one.variables:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-13, atol=1e-14)
        assert one["residual"].notnull().sum() == 99**2
        assert all(one[name].attrs["units"] == "1" and one[name].attrs["long_name"] for name in one.variables)


def test_points_of_a_problem_in_text_from_any_folder_without_its_yaml(
    ran, mine, evaluated, workplace, monkeypatch
) -> None:
    mine(RING)
    outcome = ran("--config-dir", "my_conf", "problem=mine", "problem.points=9", "output=run")
    assert outcome.code == 0, outcome.err
    shutil.rmtree("my_conf")
    elsewhere = workplace / "else where"
    elsewhere.mkdir()
    shutil.move("run", elsewhere / "moved")
    monkeypatch.chdir(elsewhere)
    code, out, err = evaluated("moved", points(elsewhere), "--gradient", "--residual", "--exact")
    assert code == 0, err
    found = table(out)
    assert list(found) == ["x", "y", "u", "exact", "error", "u_x", "u_y", "residual"]
    np.testing.assert_allclose(found["exact"], np.sin(found["x"]) * np.cos(2 * found["y"]), rtol=1e-14)
    np.testing.assert_allclose(found["error"], found["u"] - found["exact"], atol=1e-15)
    step = 1e-5
    shifted = "x,y\n" + "".join(f"{x + s},{y}\n" for x, y in ((0.5, -0.6), (-0.7, 0.1)) for s in (step, -step))
    ahead, behind = np.split(table(evaluated("moved", points(elsewhere, shifted))[1])["u"].reshape(2, 2), 2, axis=1)
    np.testing.assert_allclose((ahead - behind).ravel() / (2 * step), found["u_x"], rtol=1e-7)


def test_outside_is_masked_on_grids_and_refused_at_points(ran, mine, evaluated, refuses, workplace) -> None:
    mine(RING)
    folder = ran("--config-dir", "my_conf", "problem=mine", "problem.points=9").folder
    assert evaluated(folder, "--grid", 41)[0] == 0
    with xarray.open_dataset("answer.nc", engine="h5netcdf") as found:
        r, hole = np.hypot(found["x"], found["y"]), np.hypot(found["x"] - 0.2, found["y"])
        np.testing.assert_array_equal(found["u"].isnull(), ~((r <= 1 + 1e-12) & (hole >= 0.4 - 1e-12)))
    file = points(workplace, "x,y\n0.9,0\n0.2,0.1\n3,0\n")
    assert "[0.2, 0.1] in row 2 below the header and 1 more, outside the domain" in refuses(folder, file)
    code, out, err = evaluated(folder, file, "--outside")
    assert code == 0, err
    assert np.isfinite(table(out)["u"]).all()


def test_other_names_and_further_columns(ran, evaluated, workplace) -> None:
    folder = ran(*HEAT).folder
    usual = table(evaluated(folder, points(workplace, "x,t\n0.25,0.5\n"))[1])
    plain = table(evaluated(folder, points(workplace, "label, x2 ,x1\n7,0.5,0.25\n"))[1])
    assert list(usual) == ["x", "t", "u"]
    assert list(plain) == ["x1", "x2", "u"]
    assert usual["u"] == plain["u"]


def test_a_plugin_is_asked_for_by_its_copy_and_never_taken(ran, evaluated, refuses, workplace) -> None:
    (workplace / "mine.py").write_text(PLUGIN + "\nimport pathlib; pathlib.Path('ran').touch()\n", encoding="utf-8")
    words = ("plugins=[mine.py]", "problem=bump", "activation=cosine", "network=narrow", "network.neurons=9")
    outcome = ran(*words, "~problem.test_points", "~network.width", "output=run")
    assert outcome.code == 0, outcome.err
    (workplace / "ran").unlink()
    file = points(workplace, "x\n0.3\n")
    error = refuses("run", file)
    assert "problem.kind: got 'bump', expected one of" in error
    assert f"--plugin {workplace / 'run' / '.hydra' / 'mine.py'}" in error
    code, out, err = evaluated("run", file, "--plugin", "run/.hydra/mine.py")
    assert code == 0, err
    assert np.isfinite(table(out)["u"]).all()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("problem: {kind: poisson_1d, _target_: os.getcwd}\nseed: 0\n", "problem._target_: got 'os.getcwd'"),
        ("problem: !!python/object/apply:os.getcwd []\n", "config.yaml, line 1"),
        ("problem: {kind: poisson_1d, points: -3}\nseed: 0\n", "problem.points: got -3"),
        (
            "problem: {kind: poisson_1d, points: '${nowhere}'}\nseed: 0\n",
            "problem.points: Interpolation key 'nowhere' not found",
        ),
        ("seed: 0\n", "problem: missing in"),
        ("- 1\n", "expected keys"),
        ("", "problem: missing in"),
    ],
)
def test_a_configuration_is_checked_as_the_command_would(refuses, workplace, config: str, message: str) -> None:
    (workplace / "run" / ".hydra").mkdir(parents=True)
    (workplace / "run" / ".hydra" / "config.yaml").write_text(config, encoding="utf-8")
    assert message in refuses("run", points(workplace, "x\n0.5\n"))


AUTO = ("optimizer=auto", "problem=poisson_2d", "optimizer.tolerance=1e-6", "tracker.kernel=false")


def test_the_uncertainty_of_the_solver_covers_the_error(pageless, evaluated, refuses, workplace) -> None:
    folder = pageless(*AUTO).folder
    file = points(workplace, "x,y\n" + "".join(f"{0.07 * i},{0.13 * i % 1}\n" for i in range(1, 14)))
    code, out, err = evaluated(folder, file, "--uncertainty", "--gradient", "--exact")
    assert code == 0, err
    found = table(out)
    assert list(found) == ["x", "y", "u", "u_error", "exact", "error", "u_x", "u_y", "u_x_error", "u_y_error"]
    assert (np.abs(found["error"]) <= 3.0 * found["u_error"]).all()
    assert ((found["u_error"] > 0.0) & (found["u_error"] < 1e-5)).all()
    assert (found["u_x_error"] < 1e-3).all()
    assert list(table(evaluated(folder, file, "--uncertainty")[1])) == ["x", "y", "u", "u_error"]
    assert evaluated(folder, "--grid", 5, "--uncertainty", "--gradient")[0] == 0
    with xarray.open_dataset("answer.nc", engine="h5netcdf") as grid:
        assert grid["u_error"].attrs["long_name"] == "estimated error of u, from independent fits"
        assert grid["u_x_error"].attrs["long_name"] == "estimated error of the derivative of u along x"
    other = pageless(*AUTO, "seed=7").folder
    shutil.copy(other / SOLUTION, folder / SOLUTION)
    assert "is of another run: its first fit is not network.safetensors" in refuses(folder, file, "--uncertainty")
    (folder / SOLUTION).write_bytes((other / SOLUTION).read_bytes()[:-5])
    assert "--uncertainty: solution: " in refuses(folder, file, "--uncertainty")


def test_a_run_of_one_fit_has_no_uncertainty_and_says_what_is_missing(ran, refuses, workplace) -> None:
    file = points(workplace, "x\n0.5\n")
    for folder in (ran().folder, Path(__file__).parent.parent / "data" / "run_0_1"):
        error = refuses(folder, file, "--uncertainty")
        assert f"--uncertainty: {folder / SOLUTION} is missing" in error
        assert "Run optimizer=auto, or leave it out" in error


def test_a_network_that_is_missing_damaged_or_of_another_problem_is_refused(ran, refuses, workplace) -> None:
    folder, file = ran().folder, points(workplace, "x\n0.5\n")
    stored = (folder / NETWORK).read_bytes()
    (folder / NETWORK).write_bytes(stored[:-9])
    assert "truncated" in refuses(folder, file)
    save_file({"a": torch.ones(3)}, folder / NETWORK)
    assert "holds other tensors" in refuses(folder, file)
    shutil.copy(ran(*HEAT).folder / NETWORK, folder / NETWORK)
    assert "got dim=2, expected 1" in refuses(folder, file)
    (folder / NETWORK).unlink()
    assert "runs of several seeds" in refuses(folder, file)


BAD: list[tuple[tuple[str, ...], str]] = [
    ((), "required: RUN"),
    (("run",), "expected POINTS.csv or --grid"),
    (("run", "points.csv", "--grid", "3"), "got both"),
    (("run", "--grid", "3", "--out", "a.png"), "--out: got '.png', expected one of .csv, .nc, .vtu"),
    (("run", "--grid", "3", "--out", "none/a.nc"), "a folder that exists"),
    (("run", "--grid", "three"), "invalid int value"),
    (("run", "--gird", "3"), "unrecognized arguments: --gird"),
    (("nowhere", "--grid", "3"), "expected the folder of a run"),
    (("run", "--grid", "1"), "grid: got 1 nodes"),
    (("run", "none.csv"), "none.csv cannot be read"),
    (("run", "run/history.csv"), "expected x or x1"),
    (("run", "--grid", "3", "--plugin", "none.py"), "no such file"),
]


def test_bad_input(ran, refuses) -> None:
    ran("output=run")
    for words, message in BAD:
        assert message in refuses(*words or ("--gradient",))


def test_row_42_a_missing_package_is_one_line(ran, refuses, monkeypatch) -> None:
    ran("output=run")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = refuses("run", "--grid", 3, "--out", "a.vtu")
    assert "pip install 'pinn_ntk[vtk]'" in error
    assert len(error.splitlines()) == 2


def test_a_mesh_of_the_cells_inside(ran, mine, evaluated, workplace) -> None:
    pyvista = pytest.importorskip("pyvista")
    mine(RING)
    folder = ran("--config-dir", "my_conf", "problem=mine", "problem.points=9").folder
    code, _, err = evaluated(folder, "--grid", 101, "--gradient", "--out", "ring.vtu")
    assert code == 0, err
    mesh = pyvista.read("ring.vtu")
    assert set(mesh.point_data) >= {"u", "u_x", "u_y"}
    assert np.isfinite(mesh.point_data["u"]).all()
    assert mesh.area == pytest.approx(np.pi * (1 - 0.16), rel=0.05)
    assert evaluated(folder, points(workplace), "--out", "two.vtu")[0] == 0
    two = pyvista.read("two.vtu")
    np.testing.assert_array_equal(two.points[:, 2], 0.0)
    np.testing.assert_allclose(two.point_data["u"], table(evaluated(folder, points(workplace))[1])["u"])


def test_the_help_fits_a_terminal(evaluated) -> None:
    assert max(map(len, EVALUATE_HELP.splitlines())) <= 80
    assert evaluated("--help") == (0, EVALUATE_HELP + "\n", "")
    assert evaluated()[0] == 2


def test_the_command_as_a_process_of_its_own(ran, workplace) -> None:
    ran("output=run")
    call = [sys.executable, "-m", "pinn_ntk.app.evaluate", "run", str(points(workplace, "x\n0.5\n")), "--out", "a.csv"]
    done = subprocess.run(
        call, cwd=workplace, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(table((workplace / "a.csv").read_text(encoding="utf-8"))) == ["x", "u"]
