"""What was drawn, as a `Problem` without its solution, with its sensors, and points to measure errors at."""

import csv
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from described import Drawn
from scipy.stats import qmc
from torch import Tensor

from pinn_ntk.geometry import Domain
from pinn_ntk.problem import Problem, SpecError, problem_from_text
from pinn_ntk.problem.residual import Function

POINTS = 4096  # spread over the domain, and as many in what is narrow


@dataclass(frozen=True)
class Built:
    """A problem that can be solved.

    Attributes:
        problem: without its exact solution.
        exact: u; None where it is not known.
    """

    problem: Problem
    exact: Function | None

    @property
    def domain(self) -> Domain:
        """Ω."""
        assert self.problem.domain is not None
        return self.problem.domain


def build(drawn: Drawn) -> Built:
    """The problem; σ of sensors is told where conditions of type data have a key for it."""
    with tempfile.TemporaryDirectory() as folder:
        spec = drawn.spec
        if drawn.sensors is not None:
            table = Path(folder) / "sensors.csv"
            sigma = write_sensors(drawn, table)
            data: dict[str, Any] = {"type": "data", "csv": str(table)}
            told = {**data, "noise": sigma} if drawn.sensors.known and sigma else data
            try:
                return _built({**spec, "conditions": [*spec["conditions"], told]})
            except SpecError as error:
                if "noise" not in str(error):
                    raise
            spec = {**spec, "conditions": [*spec["conditions"], data]}
        return _built(spec)


def _built(spec: dict[str, Any]) -> Built:
    full = problem_from_text(spec)
    return Built(replace(full, exact=None), full.exact)


def write_sensors(drawn: Drawn, path: Path) -> float:
    """Points, and u there with noise, as a table; σ is returned."""
    sensors, plain = drawn.sensors, problem_from_text({**drawn.spec, "conditions": [{"type": "dirichlet"}]})
    assert sensors is not None and plain.exact is not None and plain.domain is not None
    x = plain.domain.interior(sensors.count, sensors.seed % 1000, "uniform")
    u = plain.exact(x).detach()
    spread = float(u.std())
    sigma = sensors.noise * spread
    values = u + sigma * torch.randn(len(u), dtype=u.dtype, generator=torch.Generator().manual_seed(sensors.seed))
    if sensors.twice:
        x, values = torch.cat([x, x[:1]]), torch.cat([values, values[:1] + sensors.twice * spread])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{j + 1}" for j in range(x.shape[1])), "value"])
        writer.writerows(
            [*map(repr, point), repr(value)] for point, value in zip(x.tolist(), values.tolist(), strict=True)
        )
    return sigma


def fresh_points(domain: Domain, features: Any, seed: int = 99) -> tuple[Tensor, Tensor]:
    """Points x_i in Ω and weights ω_i with Σω_i g(x_i) ≈ ∫g/|Ω|: one half spread over Ω, the other in its features.

    The density of the mixture divides, so that a narrow feature is seen by thousands of points and counts for what it
    is.
    """
    x = _inside(domain, domain.low, domain.high, POINTS, seed)[0]
    if not features:
        return x, torch.full((len(x),), 1.0 / len(x), dtype=torch.float64)
    each = max(32, POINTS // len(features))
    parts, boxes = [x], []
    for k, (low, high) in enumerate(features):
        points, share = _inside(domain, low, high, each, seed + k + 1)
        if len(points) >= each // 4:  # else it lies outside
            ends = torch.tensor([low, high], dtype=torch.float64)
            boxes.append((ends, share * float((ends[1] - ends[0]).prod()) / domain.volume, len(points)))
            parts.append(points)
    every = torch.cat(parts)
    density = torch.full((len(every),), float(len(x)), dtype=torch.float64)
    for ends, share, count in boxes:
        met = ((every >= ends[0]) & (every <= ends[1])).all(1)
        density += met * (count / max(share, 1e-300))
    return every, 1.0 / density


def _inside(domain: Domain, low: Any, high: Any, n: int, seed: int) -> tuple[Tensor, float]:
    """Points of a box that lie in Ω, n at most, and the share of the box that does."""
    a, b = (torch.tensor(ends, dtype=torch.float64) for ends in (low, high))
    unit = torch.from_numpy(qmc.Sobol(domain.dim, scramble=True, seed=seed).random(1 << (16 * n - 1).bit_length()))
    x = a + (b - a) * unit
    met = domain.inside(x)
    return x[met][:n], float(met.double().mean())


def relative_error(h: Tensor, u: Tensor, weights: Tensor, free: bool = False) -> float:
    """‖u − h‖/‖u‖ in L²; of u up to a constant, of both without their means."""
    if free:
        h, u = h - (weights * h).sum() / weights.sum(), u - (weights * u).sum() / weights.sum()
    return float(((weights * (u - h) ** 2).sum() / (weights * u**2).sum()).sqrt())
