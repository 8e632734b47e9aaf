"""What was drawn, as a `Problem` without its solution, with its sensors, and points to measure errors at."""

import csv
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from described import Drawn, Span
from scipy.stats import qmc
from torch import Tensor

from pinn_ntk.geometry import Domain
from pinn_ntk.problem import Problem, SpecError, problem_from_text

POINTS = 4096  # spread over the domain, and as many in what is narrow


@dataclass(frozen=True)
class Posed:
    """A problem that can be solved.

    Attributes:
        problem: without its exact solution, which is none of the solver's business.
        exact: u; None where it is not known.
    """

    problem: Problem
    exact: Callable[[Tensor], Tensor] | None


def posed(drawn: Drawn) -> Posed:
    """The problem; σ of sensors is told where conditions of type data have a key for it."""
    if drawn.sensors is None:
        return read(drawn.spec)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "sensors.csv"
        sigma = write_sensors(drawn, table)
        data: dict[str, Any] = {"type": "data", "csv": str(table)}
        if drawn.sensors.known and sigma:
            try:
                return read(_with(drawn.spec, {**data, "noise": sigma}))
            except SpecError as error:
                if "noise" not in str(error):
                    raise
        return read(_with(drawn.spec, data))


def read(spec: dict[str, Any]) -> Posed:
    """A problem in text, without its exact solution."""
    full = problem_from_text(spec)
    return Posed(replace(full, exact=None), full.exact)


def _with(spec: dict[str, Any], condition: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "conditions": [*spec["conditions"], condition]}


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
        writer.writerows(torch.cat([x, values[:, None]], 1).tolist())
    return sigma


def fresh_points(domain: Domain, features: Sequence[Span] = (), seed: int = 99) -> tuple[Tensor, Tensor]:
    """Points x_i in Ω and weights ω_i with Σω_i g(x_i) ≈ ∫g/|Ω|: one half spread over Ω, the other in its features.

    The density of the mixture divides, so that a narrow feature is seen by thousands of points and counts for what it
    is.
    """
    parts = [_inside(domain, domain.low, domain.high, POINTS, seed)[0]]
    boxes = []
    for k, (low, high) in enumerate(features):
        each = max(32, POINTS // len(features))
        points, share = _inside(domain, low, high, each, seed + k + 1)
        if len(points) >= each // 4:  # else it lies outside
            ends = torch.tensor([low, high], dtype=torch.float64)
            boxes.append((ends, share * float((ends[1] - ends[0]).prod()) / domain.volume, len(points)))
            parts.append(points)
    x = torch.cat(parts)
    density = torch.full((len(x),), float(len(parts[0])), dtype=torch.float64)
    for ends, share, count in boxes:
        density += ((x >= ends[0]) & (x <= ends[1])).all(1) * (count / share)
    return x, 1.0 / density


def _inside(domain: Domain, low: Sequence[float], high: Sequence[float], n: int, seed: int) -> tuple[Tensor, float]:
    """Points of a box that lie in Ω, n at most, and the share of the box that does."""
    a, b = (torch.tensor(ends, dtype=torch.float64) for ends in (low, high))
    unit = torch.from_numpy(qmc.Sobol(domain.dim, scramble=True, seed=seed).random(1 << (16 * n - 1).bit_length()))
    x = a + (b - a) * unit
    met = domain.inside(x)
    return x[met][:n], float(met.double().mean())


def relative_error(h: Tensor, u: Tensor, weights: Tensor, free: bool = False) -> float:
    """‖u − h‖/‖u‖ in L²; of u up to a constant, of both without their means, and less what the rounding of a u far from
    0 makes of it: then u itself is not known better.
    """
    rounding = float(torch.finfo(u.dtype).eps * u.abs().max()) if free else 0.0
    if free:
        h, u = h - (weights * h).sum() / weights.sum(), u - (weights * u).sum() / weights.sum()
    size = (weights * u**2).sum() / weights.sum()
    gap = float(((weights * (u - h) ** 2).sum() / (size * weights.sum())).sqrt())
    return max(gap - 2.0 * rounding / max(float(size.sqrt()), 1e-300), 0.0)
