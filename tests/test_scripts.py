"""What the scripts print is what is quoted: least widths and λ_S to the digits known from independent computations."""

import runpy
from pathlib import Path

import numpy as np
import pytest

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
