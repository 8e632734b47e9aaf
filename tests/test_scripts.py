"""What the scripts print is what is quoted: least widths and λ_S to the digits known from independent computations."""

import csv
import runpy
from pathlib import Path

import numpy as np
import pytest
from pretended_gpu import pretended_gpu

SCRIPT = Path(__file__).parent.parent / "scripts" / "reference_values.py"
KNOWN = {
    "regression, x = 1": (0.5, 1.43e4),
    "regression, {0, 1} + bias": (0.16024, 7.3e6),
    "regression, e_i, n = 2": (0.340845, 1.33e6),
    "regression, e_i, n = 3": (0.340845, 1.8e7),
    "regression, e_i, n = 4": (0.340845, 1.5e8),
    "Laplace, e_i, n = 2": (8.18, 1.6e15),
    "regression, i/(n−1) + bias, n = 10": (1.0e-5, 6.9e17),
    "Laplace, i/(n+1) + bias, n = 10": (6.5e-5, 3.2e27),
    "Laplace, i/(n−1) + bias, n = 10": (9.8e-5, 1.4e27),
}


def test_reference_values_are_printed_to_the_digits_known(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(SCRIPT))["main"]()
    lines = capsys.readouterr().out.splitlines()
    for name, (lambda_s, width) in KNOWN.items():
        (line,) = [text for text in lines if text.startswith(name.ljust(40))]
        found = line[40:].split()
        assert float(found[0]) == pytest.approx(lambda_s, rel=0.02)
        assert float(found[1]) == pytest.approx(width, rel=0.03)


def test_the_reference_of_a_perforated_square_is_harmonic_and_right_on_the_boundary() -> None:
    script = runpy.run_path(str(SCRIPT.parent / "perforated_square.py"))
    z, u = script["boundary"](3000)
    table = np.loadtxt(script["FILE"], delimiter=",", skiprows=script["HEADER"])
    coefficients = np.linalg.lstsq(script["columns"](z[::7]), u[::7], rcond=1e-16)[0]
    assert np.abs(script["columns"](z) @ coefficients - u).max() < 1e-13
    inside = table[::50, 0] + 1j * table[::50, 1]
    assert np.abs(script["columns"](inside) @ coefficients - table[::50, 2]).max() < 1e-13


GPU = SCRIPT.parent / "gpu.py"


def test_the_checks_of_a_gpu_have_a_dry_run_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main, table = runpy.run_path(str(GPU))["main"], tmp_path / "gpu.csv"
    for _ in range(2):
        assert main(["--device", "cpu", "--only", "draws,checkpoints,s8_kernel,s8_step", "--csv", str(table)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not [line for line in lines if line.startswith("FAIL")] and lines[-1].startswith("all passed")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (
        len(rows) == 6 and {row["id"] for row in rows} == {"S8"} and {row["device"] for row in rows} == {"cpu, dry run"}
    )


def test_the_checks_of_a_gpu_pass_on_one_that_is_pretended(capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(GPU))["main"]
    with pretended_gpu():
        assert main(["--small", "--only", "draws,kernels,checkpoints,s8_kernel,s8_step"]) == 0
    assert "a pretended GPU, a dry run" in capsys.readouterr().out


def test_without_a_gpu_the_checks_say_so_and_end_with_their_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert runpy.run_path(str(GPU))["main"](["--device", "cuda:7"]) == 2
    assert "no GPU to check here" in capsys.readouterr().out


def test_a_check_that_fails_or_has_no_time_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(GPU))
    assert script["main"](["--device", "cpu", "--seconds", "0", "--only", "draws"]) == 1
    assert "not begun" in capsys.readouterr().out
    script["PARTS"]["draws"] = lambda session: session.say("one", False, "it is planted")
    script["PARTS"]["kernels"] = lambda session: 1 / 0
    assert script["main"](["--device", "cpu", "--only", "draws,kernels"]) == 1
    said = capsys.readouterr().out
    assert "FAIL one" in said and "ZeroDivisionError" in said and "2 failed" in said
