"""The cases that peers solve, in numpy: A1 and A8 of boxes with their solutions, A6 with a table of reference values.

Nothing of pinn_ntk is imported: these files run in the peers' own environment.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TABLE = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "data" / "perforated_square.csv"
CENTRES, RADIUS = [(x, y) for x in (-0.3, 0.3) for y in (-0.3, 0.3)], 0.1
POINTS, SEED = 20_000, 99


@dataclass(frozen=True)
class Case:
    """Σ A_ij u_ij = f on a square, with the values of u on its boundary; A6 has holes besides."""

    name: str
    low: float
    high: float
    exact: Callable[[np.ndarray], np.ndarray] | None
    source: Callable[[np.ndarray], np.ndarray]
    matrix: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def ones(x):
    """A11, A12, A22 of the Laplacian, at (2, …) points."""
    return np.ones_like(x[0]), np.zeros_like(x[0]), np.ones_like(x[0])


def sines(x):
    """sin πx sin πy."""
    return np.sin(np.pi * x[0]) * np.sin(np.pi * x[1])


def peak(x):
    """1/(1 + 25r²)."""
    return 1 / (1 + 25 * (x[0] ** 2 + x[1] ** 2))


def full(x):
    """A11, A12, A22 of A8."""
    return 1 + x[0] ** 2 / 2, 0.3 * np.sin(np.pi * x[1]), 1 + x[1] ** 2 / 2


def full_source(x):
    """f of A8: with q = 1 + 25r², u_ij = −50δ_ij/q² + 5000 x_i x_j/q³."""
    q = 1 + 25 * (x[0] ** 2 + x[1] ** 2)
    a, b, d = full(x)
    return -50 * (a + d) / q**2 + 5000 * (a * x[0] ** 2 + 2 * b * x[0] * x[1] + d * x[1] ** 2) / q**3


def zero(x):
    """0."""
    return np.zeros_like(x[0])


CASES = {
    "A1": Case("A1", 0.0, 1.0, sines, lambda x: -2 * np.pi**2 * sines(x), ones),
    "A6": Case("A6", -0.5, 0.5, None, zero, ones),
    "A8": Case("A8", -1.0, 1.0, peak, full_source, full),
}


def measured_at(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Points (2, n) where errors are measured, and u there: the fixed scrambled Sobol set, or the table."""
    if case.exact is None:
        table = np.loadtxt(TABLE, delimiter=",", comments="#", skiprows=skipped(TABLE))
        return table[:, :2].T.copy(), table[:, 2].copy()
    from scipy.stats import qmc

    x = (
        case.low + (case.high - case.low) * qmc.Sobol(2, scramble=True, seed=SEED).random(2**19)[:POINTS].T
    )  # as in accuracy.py
    return x, case.exact(x)


def skipped(path: Path) -> int:
    """How many lines there are before the numbers: comments and one of names."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(k for k, line in enumerate(lines) if line and (line[0].isdigit() or line[0] == "-"))


def relative(found: np.ndarray, exact: np.ndarray) -> float:
    """‖found − exact‖/‖exact‖."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def row(case: Case, solver: str, seconds: float, error: float, degrees: int) -> None:
    """One line of benchmarks/peers.csv on the standard output, where peers.py reads it."""
    print(f"row,{case.name},{solver},{seconds:.4g},{error:.4e},{degrees}", flush=True)
