"""How fine the trapezoid has to be: the step is refined on a sample of pairs until two rules agree."""

import torch
from torch import Tensor

from pinn_ntk.activations import Activation
from pinn_ntk.kernels.limit import NotAvailableError, change_of, has_parity, size_of, spread
from pinn_ntk.kernels.planar_forms import DenseRows
from pinn_ntk.kernels.planar_quadrature import Trapezoid, pair_kernel, trapezoid_moments

SAMPLE = 12
REFINEMENT = 0.75
NODES_PER_PAIR = 4e6


def truncation_radius(order: int, D: int, tolerance: float) -> float:
    """R with E[r^m; r > R] = tolerance/100 · E r^m, m = 2·order + 2 (the features' growth) and r = |w|, w ~ N(0,
    I_D).
    """
    from scipy.special import gammainccinv

    return float((2.0 * gammainccinv((D + 2 * order + 2) / 2, tolerance / 100)) ** 0.5)


def sample_pairs(rows: DenseRows) -> tuple[Tensor, Tensor]:
    """All pairs, each row with itself too, among a few rows spread over the norms of the points;
    the longer point first.
    """
    picks = spread(rows.x.norm(dim=1), SAMPLE).flip(0)
    i, j = torch.triu_indices(len(picks), len(picks), device=picks.device)
    return picks[i], picks[j]


def resolve(rows: DenseRows, activation: Activation, gradient: bool, tolerance: float) -> tuple[Trapezoid, float]:
    """The coarsest rule whose result the next finer one (3/4 of the step) confirms, or the best that rounding allows.

    The diagonal is where the poles of both factors fall together, so the sample has it.

    Args:
        rows: the functionals.
        activation: analytic σ.
        gradient: whether E ∇φ·∇φ' is wanted.
        tolerance: relative to the largest entry.

    Returns:
        The rule and four times its largest difference from the finer one: the error of an entry.

    Raises:
        NotAvailableError: the points are so large that the nodes become too many, or no agreement is reached.
    """
    i, j = sample_pairs(rows)
    largest = float(rows.x.norm(dim=1).max())  # read back: how many nodes there are
    radius, half = truncation_radius(rows.order, 2, tolerance), has_parity(activation)
    rule = Trapezoid(1.2 * max(largest, 1e-3), radius, half)
    previous = pair_kernel(rows, i, j, trapezoid_moments(activation, rule), gradient)
    last = float("inf")
    while rule.cost(largest) <= NODES_PER_PAIR:
        finer = Trapezoid(REFINEMENT * rule.resolution, radius + 0.4, half)
        current = pair_kernel(rows, i, j, trapezoid_moments(activation, finer), gradient)
        change = change_of(previous.a, previous.w, current.a, current.w)
        scale = size_of(current.a, current.w)
        at_rounding = change <= 1e-10 * scale and change > 0.25 * last
        if change <= tolerance * scale or at_rounding:
            return rule, 4 * change
        rule, previous, last = Trapezoid(finer.resolution, radius, half), current, change
    raise NotAvailableError(
        f"activation {activation.name!r} at points of norm {largest:.3g}: the trapezoid has not settled to "
        f"{tolerance:g} with "
        f"{NODES_PER_PAIR:.0e} nodes per pair; scale the coordinates to the unit cube, or use a wide network's kernel"
    )
