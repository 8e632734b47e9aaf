"""Regression: the identity operator on points with values, from a target function or from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_DIM, count
from pinn_ntk.expressions import Expression, check_finite, parse
from pinn_ntk.geometry.box import Box, box
from pinn_ntk.geometry.sampling import SAMPLINGS
from pinn_ntk.operators.library import identity
from pinn_ntk.problem.assembly import PointSeed, TestPoints, Weights, weighted
from pinn_ntk.problem.data import read_points
from pinn_ntk.problem.posed import Condition
from pinn_ntk.problem.regions import at_points, inside
from pinn_ntk.problem.residual import Block, Function, Problem
from pinn_ntk.rules import Rule, checked, one_of, whole

_TARGET = "sin(2*pi*x1)"


@checked
def regression(
    *,
    target: Annotated[
        str | float | Function | None, Rule("f, text in x, y, z or x1 … xd; null is sin(2*pi*x1)", "any")
    ] = None,
    csv: Annotated[str | Path | None, Rule("a file of points and values in the place of f", "any")] = None,
    dim: Annotated[int | None, whole("d; null is 1, or read off the file", 1, MAX_DIM)] = None,
    low: Annotated[
        float | Sequence[float], Rule("lower ends of the box, a number for all axes or a list", "any")
    ] = 0.0,
    high: Annotated[float | Sequence[float], Rule("upper ends of the box", "any")] = 1.0,
    points: Annotated[
        int | Sequence[Sequence[float]] | Tensor, Rule("how many collocation points, or the points themselves", "any")
    ] = 64,
    sampling: Annotated[str, one_of("how points are drawn", (*SAMPLINGS, "equispaced"))] = "sobol",
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
) -> Problem:
    """u(x_i) = f(x_i), i = 1…n: the identity operator, one block named interior.

    Args:
        target: f, as text in x, y, z or x1 … xd, or as a function (n, d) → (n,); sin 2πx₁ when neither it nor `csv` is
            given. Beside `csv` it is the exact solution that errors are measured against.
        csv: a file of points and values, columns x1 … xd and value; their bounding box is the domain.
        dim: d; None reads it off the points or the ends of the box, else 1.
        low: lower ends of the box, a number for all.
        high: upper ends.
        points: how many, or the points themselves (n, d).
        sampling: sobol, halton, uniform, grid (i/(m+1)), or equispaced: m^d points (i−1)/(m−1) with the ends of the
            box.
        weights: λ_b by block name.
        seed: of the points.
        test_points: how many points errors are measured at.

    Raises:
        ValueError: a target or file that cannot be read, values that are not finite, points outside the box, counts or
            seeds out of range.
    """
    values: Tensor | None = None
    if csv is not None and not isinstance(csv, (str, Path)):
        raise ValueError(f"csv: got {csv!r}, expected the path of a file")
    given: object = points  # what a file says may be anything
    if isinstance(given, str) or not isinstance(given, (int, Sequence, Tensor)) or getattr(given, "ndim", 2) != 2:
        raise ValueError(f"points: got {points!r}, expected a whole number, or points as a list of coordinates")
    if csv is not None:
        x, values = read_points(csv, dim)
        domain = _bounding_box(x)
    else:
        x, domain = _points(points, _box(dim, low, high, points), sampling, seed)
    text = _TARGET if target is None and csv is None else target
    exact = parse(text, x.shape[1]) if isinstance(text, (str, int, float)) else text
    if exact is not None and not callable(exact):
        raise ValueError(f"target: got {target!r}, expected a formula such as sin(pi*x1), a number or a function")
    tests = None if domain is None or exact is None else domain.test_points(test_points)
    if isinstance(exact, Expression):
        check_finite(exact, x if tests is None else torch.cat([x, tests]), "target")
    right: Tensor | Function | float = values if values is not None else exact if exact is not None else 0.0
    block = Block(identity(x.shape[1]), x, right, "interior")
    words = exact.text if isinstance(exact, Expression) else str(csv) if exact is None else "a given function"
    return Problem(
        weighted([block], weights),
        name="regression",
        exact=exact,
        domain=domain,
        equation=f"u(x) = f(x), f = {words}" if csv is None else f"u(xᵢ) = yᵢ, (xᵢ, yᵢ) from {Path(csv).name}",
        test_points=tests,
        posed=[_posed(block, right, domain, isinstance(points, int) and csv is None)],
    )


def _posed(block: Block, target: Tensor | Function | float, domain: Box | None, drawn: bool) -> Condition:
    """u = f on the box where its points were drawn there, else at the points given."""
    if drawn and domain is not None:
        return Condition("interior", "interior", block.operator, target, inside(domain), block.weight)
    return Condition("interior", "data", block.operator, block.target, at_points(block.x), block.weight)


def _box(dim: int | None, low: float | Sequence[float], high: float | Sequence[float], points: object) -> Box:
    """The box of the given ends, numbers being repeated for each of the coordinates."""
    sizes = [len(v) for v in (low, high) if isinstance(v, Sequence)]
    if isinstance(points, (Sequence, Tensor)):
        sizes.append(torch.as_tensor(points, dtype=torch.float64, device="cpu").shape[-1] if len(points) else 1)
    d = count("dim", dim if dim is not None else sizes[0] if sizes else 1, most=MAX_DIM)
    if any(size != d for size in sizes):
        raise ValueError(
            f"regression: got low = {low}, high = {high}, dim = {dim}, expected them and the points to agree on d ({d})"
        )
    return box(*(list(v) if isinstance(v, Sequence) else [v] * d for v in (low, high)))


def _points(
    points: int | Sequence[Sequence[float]] | Tensor, domain: Box, sampling: str, seed: int
) -> tuple[Tensor, Box]:
    if isinstance(points, (Sequence, Tensor)):
        x = torch.as_tensor(points, dtype=torch.float64, device="cpu")
        outside = ~domain.contains(x)
        if bool(outside.any()):
            raise ValueError(
                f"points: got {x[int(outside.int().argmax())].tolist()}, expected points in {domain}; set low and high"
            )
        return x, domain
    count("points", points)
    return (
        _equispaced(domain, points) if sampling == "equispaced" else domain.interior(points, seed, sampling)
    ), domain


def _equispaced(domain: Box, n: int) -> Tensor:
    m = round(n ** (1 / domain.dim))
    if m**domain.dim != n or m < 2:
        raise ValueError(
            f"points: got {n}, expected m^{domain.dim} points with m ≥ 2 for equispaced points with the ends"
        )
    return domain.lattice(m)


def _bounding_box(x: Tensor) -> Box | None:
    low, high = x.amin(0), x.amax(0)
    return box(low, high) if bool((low < high).all()) else None
