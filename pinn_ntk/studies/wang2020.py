"""Three published figures on the tangent kernel of a PDE residual, made again: arXiv:2007.14527, figures 1, 2 and 4."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from pinn_ntk.networks.two_layer import TwoLayer, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, one_of, positive, several
from pinn_ntk.studies.arguments import (
    Frequency,
    Seeds,
    Steps,
    Width,
    Widths,
    ascending,
    distinct,
)
from pinn_ntk.studies.study import Cell, Factory, Measured, Study
from pinn_ntk.studies.wang_document import figure1, figure2, figure4
from pinn_ntk.studies.wang_setup import READINGS, descending, limit_ratio, model, network, their_kernel
from pinn_ntk.training.descent import gradient_descent, step_limit
from pinn_ntk.training.states import State, StopRule
from pinn_ntk.training.trackers import History, error_tracker, loss_tracker, track, tracked_steps

_TRACKED = 30


Readings = Annotated[
    Sequence[str], several("of the paper: as printed, and as in the authors' code", one_of("", READINGS))
]


@checked
def wang2020_fig1(
    factory: Factory,
    *,
    widths: Widths = (10, 100, 500),
    seeds: Seeds = 5,
    readings: Readings = ("paper", "code"),
) -> Study:
    """Eigenvalues of K_uu, K_rr and K at θ⁰, with the 50 copies of each end and with distinct rows.

    Args:
        factory: not needed: the set-up is the published one.
        widths: N.
        seeds: networks each.
        readings: 'paper' and 'code', see `wang_setup`.
    """
    del factory
    cells = [Cell({"reading": r, "width": n, "seeds": seeds}) for r in distinct(readings) for n in ascending(widths)]
    return Study(
        "wang2020_fig1",
        "Eigenvalues of the blocks of the kernel at the start",
        "u'' = f on (0, 1) with 100 points and 50 copies of each end, a network of one layer of tanh: are the "
        "eigenvalues of K_rr, the "
        "block of the equation, far above those of K_uu, the block of the boundary? Then the equation is "
        "learnt long before the latter. "
        "The kernel at θ⁰ does not know the solution sin aπx: one figure serves a = 1, 2 and 4.",
        tuple(cells),
        _initial_spectra,
        figure1,
    )


@checked
def wang2020_fig2(
    factory: Factory,
    *,
    widths: Widths = (10, 100, 500),
    seeds: Seeds = 3,
    frequency: Frequency = 1,
    steps: Steps = 10000,
    readings: Readings = ("paper", "code"),
) -> Study:
    """Relative change of θ and of K in training, and the spectra before and after.

    Args:
        factory: not needed: the set-up is the published one.
        widths: N.
        seeds: networks each.
        frequency: a of sin aπx.
        steps: of gradient descent.
        readings: 'paper' (loss ½Σ + ½Σ) and 'code' (means), see `wang_setup`.
    """
    del factory
    common = {"frequency": frequency, "steps": steps, "weight": 1.0}
    cells = [
        Cell({"reading": r, "width": n, "seed": s, "sums": r == "paper", **common})
        for r in distinct(readings)
        for n in ascending(widths)
        for s in range(seeds)
    ]
    return Study(
        "wang2020_fig2",
        "How far parameters and kernel move, by width",
        f"Networks of several widths trained by {steps} steps of 10⁻⁵ on u'' = f: does the kernel of a wider "
        "network move less, and does "
        "its spectrum stay what it was?",
        tuple(cells),
        lambda cell: _trained(cell, True),
        figure2,
    )


@checked
def wang2020_fig4(
    factory: Factory,
    *,
    width: Width = 100,
    seeds: Seeds = 3,
    frequency: Frequency = 4,
    steps: Steps = 40000,
    weights: Annotated[Sequence[float], several("λ of the boundary", positive(""))] = (1.0, 100.0),
    readings: Readings = ("paper", "code"),
) -> Study:
    """The relative L² error with boundary weight 1 and 100.

    Args:
        factory: not needed: the set-up is the published one.
        width: N.
        seeds: networks each, under the reading 'code'; one network under 'paper', where nothing is learnt in that time.
        frequency: a of sin aπx.
        steps: of gradient descent.
        weights: λ of the boundary.
        readings: 'paper' (means with the factor ½) and 'code' (means), see `wang_setup`.
    """
    del factory
    common = {
        "width": width,
        "frequency": frequency,
        "steps": steps,
        "sums": False,
    }
    cells = [
        Cell({"reading": r, "weight": w, "seed": s, **common})
        for r in distinct(readings)
        for w in weights
        for s in range(seeds if r == "code" else 1)
    ]
    return Study(
        "wang2020_fig4",
        "A boundary weight of 100",
        f"u'' = f with the solution sin {frequency}πx, width {width}, {steps} steps of 10⁻⁵: the equation's "
        "block of the kernel is the "
        "fast one, so a heavier boundary brings the two speeds together. Relative L² errors beside the published ones.",
        tuple(cells),
        lambda cell: _trained(cell, False),
        figure4,
    )


def _initial_spectra(cell: Cell) -> Measured:
    """Eigenvalues of all blocks for every seed."""
    p: dict[str, Any] = dict(cell.parameters)
    reading = READINGS[p["reading"]]
    made = model(reading, 1, 1.0, True)
    spectra: dict[str, list[Tensor]] = {}
    limit = limit_ratio(network(reading, p["width"], 0), made.problem)
    rows = []
    for seed in range(p["seeds"]):
        net = network(reading, p["width"], seed)
        row: dict[str, Any] = {"seed": seed, "limit_mean_ratio": limit}
        for which, problem in (("copied", made.copied), ("distinct", made.problem)):
            for name, kernel in their_kernel(net, problem).items():
                values = descending(kernel)
                spectra.setdefault(f"{which}_{name}", []).append(values)
                row[f"{which}_{name}_max"], row[f"{which}_{name}_mean"] = float(values[0]), float(values.mean())
        rows.append(row)
    return Measured(rows, {name: torch.stack(values).numpy() for name, values in spectra.items()})


def _trained(cell: Cell, kernel: bool) -> Measured:
    """One run: the row of its end, and its course as arrays."""
    p: dict[str, Any] = dict(cell.parameters)
    reading = READINGS[p["reading"]]
    made = model(reading, p["frequency"], p["weight"], p["sums"])
    start = network(reading, p["width"], p["seed"])
    trackers = [loss_tracker(made.problem), parameter_change, error_tracker(made.problem)]
    if kernel:
        trackers.append(kernel_change(start, made.copied))
    # losses are to be seen over all published steps
    never = StopRule(window=p["steps"] + 1)
    states = gradient_descent(start, made.problem, reading.step, p["steps"], True, never, limit=1.0)
    history = track(states, trackers, tracked_steps(p["steps"], _TRACKED))
    arrays = {
        name: history.columns[name]
        for name in ("step", "loss", "loss.interior", "loss.boundary", "relative_l2", "parameters")
    }
    if kernel:
        arrays |= {name: history.columns[name] for name in ("kernel",)} | _ends(history, made.copied)
    row = {
        name: float(history.columns[name][-1])
        for name in ("loss", "relative_l2", "parameters", *(["kernel"] if kernel else []))
    }
    limit = step_limit(start, made.problem)
    return Measured([{**row, "step_over_limit": reading.step / limit, "status": history.status.value}], arrays)


def parameter_change(state: State) -> Mapping[str, float | Tensor]:
    """‖θ − θ⁰‖/‖θ⁰‖ over all parameters."""
    first = require_two_layer(state.start, "wang2020").weights
    pairs = zip(state.weights.displacement, first.displacement, strict=True)
    moved = torch.cat([(now - before).flatten() for now, before in pairs])
    size = torch.cat([first.a.flatten(), first.w.flatten(), first.extra])
    return {"parameters": float(torch.linalg.vector_norm(moved) / torch.linalg.vector_norm(size))}


def kernel_change(start: TwoLayer, problem: Problem) -> Callable[[State], Mapping[str, float | Tensor]]:
    """‖K_t − K_0‖_F/‖K_0‖_F of unweighted rows."""
    first = their_kernel(start, problem)["all"]

    def change(state: State) -> Mapping[str, float | Tensor]:
        """The column 'kernel'."""
        now = their_kernel(require_two_layer(state.network, "wang2020"), problem)["all"]
        return {"kernel": float(torch.linalg.norm(now - first) / torch.linalg.norm(first))}

    return change


def _ends(history: History, problem: Problem) -> dict[str, Any]:
    """Eigenvalues of all blocks before and after."""
    made: dict[str, Any] = {}
    for when, state in (("start", history.final.start), ("end", history.final.network)):
        kernels = their_kernel(require_two_layer(state, "wang2020"), problem)
        made |= {f"{when}_{name}": descending(kernel).numpy() for name, kernel in kernels.items()}
    return made
