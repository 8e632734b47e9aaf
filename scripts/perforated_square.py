"""Reference values of benchmark A6: Δu = 0 on [−½, ½]² less four discs of radius 0.1 at (±0.3, ±0.3).

u is 1 on the square and 0 on the circles; u = Σ_k α_k Re (z/ρ)^{4k} + β Σ_j log|z − c_j| + Σ_m γ_m Σ_j Re (0.1
c_j/(|c_j|(z − c_j)))^m, which is harmonic and has the symmetries of the square term by term; α, β, γ by least squares
on the boundary. By the maximum principle the largest residual on the boundary, sampled much more densely than it was
fitted, bounds the error everywhere. `python scripts/perforated_square.py` rewrites
benchmarks/data/perforated_square.csv, at the points that are there.
"""

from pathlib import Path

import numpy as np

FILE = Path(__file__).resolve().parent.parent / "benchmarks" / "data" / "perforated_square.csv"
HEADER = 4  # lines above the values
CENTRES = 0.3 * np.array([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j])
RADIUS, CORNER = 0.1, abs(0.5 + 0.5j)
POWERS, POLES = 40, 60


def columns(z: np.ndarray) -> np.ndarray:
    """The harmonic functions at z, (n, 1 + POWERS + 1 + POLES)."""
    local = [RADIUS * c / abs(c) / (z - c) for c in CENTRES]
    powers = [((z / CORNER) ** (4 * k)).real for k in range(POWERS + 1)]
    logarithm = sum(np.log(np.abs(z - c)) for c in CENTRES)
    poles = [sum((w**m).real for w in local) for m in range(1, POLES + 1)]
    return np.stack([*powers, logarithm, *poles], axis=1)


def boundary(n: int) -> tuple[np.ndarray, np.ndarray]:
    """One eighth of the square and half of a circle, which stand for all of it: (z, values)."""
    side = 0.5 + 0.25j * (1.0 - np.cos(np.linspace(0.0, np.pi, n)))
    arc = CENTRES[0] + RADIUS * np.exp(1j * (np.pi / 4 + np.linspace(0.0, np.pi, n)))
    return np.concatenate([side, arc]), np.concatenate([np.ones(n), np.zeros(n)])


def main() -> None:
    """Fit, bound, write."""
    z, u = boundary(400)
    coefficients = np.linalg.lstsq(columns(z), u, rcond=1e-16)[0]
    dense, exact = boundary(20_000)
    bound = float(np.abs(columns(dense) @ coefficients - exact).max())
    x = np.loadtxt(FILE, delimiter=",", skiprows=HEADER)[:, :2]
    values = columns(x[:, 0] + 1j * x[:, 1]) @ coefficients
    centre = float((columns(np.zeros(1, dtype=complex)) @ coefficients)[0])
    head = [
        "# Laplace u_xx+u_yy=0 on [-1/2,1/2]^2 minus four discs of radius 0.1 at (+-0.3,+-0.3); u=1 on the "
        "square, u=0 on the circles.",
        f"# Values by scripts/perforated_square.py: {len(coefficients)} harmonic functions with the symmetries "
        "of the square. Largest",
        f"# residual on 40,000 boundary points {bound:.1e}, which bounds the error by the maximum principle. "
        f"u(0,0)={centre:.14f}",
        "x,y,u",
    ]
    rows = [f"{a:.15f},{b:.15f},{value:.15f}" for (a, b), value in zip(x, values, strict=True)]
    FILE.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    print("\n".join(head))


if __name__ == "__main__":
    main()
