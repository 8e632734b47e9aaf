"""Eigenvalues of the limit kernel by the operator's order, and spectral bias:
mode j of the residual is learnt in a time n/(s²Nλ_j).
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, smoothness_verdict
from pinn_ntk.geometry.box import box
from pinn_ntk.kernels.closed_form import kernel_spectrum
from pinn_ntk.kernels.infinite_width import infinite_width_kernel, infinite_width_spectrum
from pinn_ntk.kernels.spectrum import spectrum_of_gram
from pinn_ntk.networks.two_layer import TwoLayer, require_two_layer
from pinn_ntk.operators.library import identity, laplacian
from pinn_ntk.operators.second_order import SecondOrderOperator, hard_constraint
from pinn_ntk.problem.residual import Block, Problem
from pinn_ntk.rules import checked, one_of, several, whole
from pinn_ntk.studies.arguments import (
    Seeds,
    Sigmas,
    distinct,
)
from pinn_ntk.studies.decay_document import document
from pinn_ntk.studies.study import Cell, Factory, Measured, Row, Study
from pinn_ntk.theory.linearised import clamped
from pinn_ntk.theory.modes import descent_decay
from pinn_ntk.training.ensemble import residual_tracker, train_ensemble
from pinn_ntk.training.states import StopRule
from pinn_ntk.training.trackers import History, tracked_steps

CONDITIONS = ("none", "hard", "soft")
_STEP = 0.5  # of the stability limit
_AMPLITUDE = (
    1e-5  # of the target beside features: small, so that the kernel stands still, also for modes of nearly equal speed
)
_TRACKED = 250


def operator(order: int) -> SecondOrderOperator:
    """u, u' or u'' on the line."""
    return (identity(1), SecondOrderOperator(1, b=1.0, name="u'"), laplacian(1))[order]


def line_problem(order: int, conditions: str, points: int, target: Tensor | float = 0.0) -> Problem:
    """𝓛u = f at i/(n+1) on (0, 1), 𝓛 of that order: without conditions, for u = 4x(1 − x)h,
    or with a block for the two ends.

    Args:
        order: 0, 1 or 2.
        conditions: 'none', 'hard' or 'soft'.
        points: n.
        target: f.
    """
    x, of = box(0.0, 1.0).interior(points, method="grid"), operator(order)
    if conditions == "hard":
        of, _ = hard_constraint(of, lambda p: 4.0 * p[:, 0] * (1.0 - p[:, 0]))
    blocks = [Block(of, x, target)]
    if conditions == "soft":
        blocks.append(Block(identity(1), x.new_tensor([[0.0], [1.0]]), 0.0, "boundary"))
    return Problem(blocks, f"order_{order}")


@checked
def eigenvalue_decay(
    factory: Factory,
    *,
    activations: Sigmas = ("relu3", "relu2", "tanh", "gaussian"),
    conditions: Annotated[Sequence[str], several("of the line", one_of("", CONDITIONS))] = CONDITIONS,
    points: Annotated[int, whole("collocation points of the spectra", 64)] = 256,
    bias_activations: Sigmas = ("relu3", "tanh"),
    bias_points: Annotated[int, whole("points of the problems that are trained", 4)] = 16,
    width: Annotated[int, whole("N of the networks that are trained", 2)] = 1024,
    seeds: Seeds = 2,
    steps: Annotated[int, whole("of gradient descent in each cell", 10)] = 10000,
) -> Study:
    """Decay of λ_j(K^∞) for 𝓛 = u, u', u'', and measured e-folding times of single modes of K̂₀ beside −1/log|1 −
    τs²Nλ_j/n| steps.

    Args:
        factory: the base configuration; only its device and precision matter.
        activations: σ; orders for which σ is not smooth enough are left out.
        conditions: none, hard, soft.
        points: n of the spectra.
        bias_activations: σ of the networks that are trained.
        bias_points: n of their problems.
        width: N.
        seeds: networks.
        steps: of gradient descent, half the stability limit each.
    """
    del factory  # the line and its operators are no configuration's
    n, small = points, bias_points
    training = {
        "width": 2 * (width // 2),
        "seeds": seeds,
        "steps": steps,
    }
    spectra = [(a, o) for a in distinct(activations) for o in range(3) if _smooth_enough(a, o)]
    trained = [(a, o) for a in distinct(bias_activations) for o in range(3) if _smooth_enough(a, o)]
    cells = [
        Cell({"what": "spectrum", "activation": a, "order": o, "conditions": c, "points": n})
        for a, o in spectra
        for c in distinct(conditions)
    ]
    cells += [
        Cell({"what": "modes", "activation": a, "order": o, "conditions": "none", "points": small, **training})
        for a, o in trained
    ]
    return Study(
        "eigenvalue_decay",
        "How fast the eigenvalues fall, and which modes are learnt when",
        f"The limit kernel K^∞ of u, u' and u'' at {n} points of the line, under no, hard and soft conditions; "
        "and networks of width "
        f"{width} trained on a target with equal parts of all eigenvectors at {small} points: mode j of K̂₀ is "
        "to fall to 1/e in "
        "n/(s²Nλ_j), smooth modes first. Every derivative in the operator lifts the small eigenvalues: the "
        "bias towards "
        "smooth modes is milder for PDEs.",
        tuple(cells),
        lambda cell: _spectrum(cell) if cell.parameters["what"] == "spectrum" else _modes(cell),
        document,
    )


def _smooth_enough(activation: str, order: int) -> bool:
    return smoothness_verdict(ACTIVATIONS[activation], order) == "true"


def _spectrum(cell: Cell) -> Measured:
    """Eigenvalues of K^(a) and of K^(a) + K^(w), with their floors."""
    p: dict[str, Any] = dict(cell.parameters)
    problem = line_problem(p["order"], p["conditions"], p["points"])
    arrays: dict[str, Any] = {}
    row: Row = {}
    for part in ("a", "total"):
        spectrum = infinite_width_spectrum(problem, p["activation"], part=part)
        arrays[part] = spectrum.eigenvalues.flip(0).numpy()
        row |= {
            f"floor_{part}": spectrum.floor,
            f"lambda_max_{part}": spectrum.lambda_max,
            f"lambda_min_{part}": spectrum.lambda_min,
        }
    return Measured([row], arrays)


def _modes(cell: Cell) -> Measured:
    """One row per seed and mode: predicted and measured e-folding steps."""
    p: dict[str, Any] = dict(cell.parameters)
    plain = line_problem(p["order"], "none", p["points"])
    limit = spectrum_of_gram(infinite_width_kernel(plain, p["activation"], tolerance=1e-10).total)
    eigenvalues, vectors = limit.eigenvalues.flip(0), limit.vectors.flip(1)
    n = plain.points
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64, device="cpu").repeat(n)[:n]
    target = vectors @ signs * _AMPLITUDE * float(eigenvalues.sum() / n) ** 0.5
    problem = line_problem(p["order"], "none", p["points"], target)
    # paired neurons make h = 0 at the start, so that e₀ = −f holds all modes in equal parts
    network = TwoLayer(1, p["width"], p["activation"], gamma=1.0, scaling="ntk", init="centred")
    steps = tracked_steps(p["steps"], _TRACKED)
    never = StopRule(window=p["steps"] + 1)
    histories = train_ensemble(
        network, problem, range(p["seeds"]), step_size=_STEP, steps=p["steps"], tracked=steps, stop=never, kernel=False,
        errors=False, trackers=[residual_tracker],
    )  # fmt: skip
    return Measured([row for h in histories for row in _times(h, problem, eigenvalues, p["steps"])])


def _times(history: History, problem: Problem, limits: Tensor, steps: int) -> list[Row]:
    """The steps in which each mode of K̂₀ falls to 1/e, predicted and measured."""
    start = require_two_layer(history.final.start, "eigenvalue_decay")
    spectrum = kernel_spectrum(start, problem)
    rates = clamped(start.scale**2 * start.width / problem.points * spectrum.eigenvalues.flip(0))
    e = torch.from_numpy(history.arrays["residual"]).to(spectrum.vectors) @ spectrum.vectors.flip(1)
    share = e[0].abs() / torch.linalg.vector_norm(e[0])
    per_step, k = descent_decay(rates, 1, history.step_size), history.columns["step"]
    rows: list[Row] = []
    for j in range(len(rates)):
        factor = abs(float(per_step[j]))
        predicted = -1.0 / math.log(factor) if 0.0 < factor < 1.0 else None
        row: Row = {"seed": start.seed, "mode": j + 1, "share": float(share[j]), "predicted": predicted}
        row["measured"] = first_crossing(k, (e[:, j] / e[0, j]).numpy(), math.exp(-1.0))
        row["within_reach"] = predicted is not None and predicted <= steps
        row["over_limit"] = float(rates[j] * problem.points / limits[j]) if float(limits[j]) > 0.0 else None
        rows.append(row)
    return rows


def first_crossing(x: np.ndarray, y: np.ndarray, level: float) -> float | None:
    """Where y first falls below the level, by linear interpolation; None if it never does, or does from the start."""
    below = np.flatnonzero(y < level)
    if not len(below) or below[0] == 0:
        return None
    i = int(below[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (y[i - 1] - level) / (y[i - 1] - y[i]))
