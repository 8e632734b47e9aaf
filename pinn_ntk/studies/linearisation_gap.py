"""How far a network goes from its linearisation at θ⁰, against width, under four scalings:
max_t ‖e_t − e_t^lin‖/‖e₀‖ ~ N^s.
"""

from typing import Annotated, Any

from pinn_ntk.activations import ACTIVATIONS, smoothness_verdict
from pinn_ntk.comparison.finding import Finding, slope_finding
from pinn_ntk.comparison.slopes import Slope
from pinn_ntk.networks.two_layer import require_two_layer
from pinn_ntk.problem.library import PROBLEMS
from pinn_ntk.reporting.scaling_plots import Series, scaling_picture
from pinn_ntk.reporting.style import Section
from pinn_ntk.rules import checked, whole
from pinn_ntk.studies.arguments import Points, Problems, Seeds, Sigmas, Steps, StepSize, Widths, ascending, distinct
from pinn_ntk.studies.lazy_runs import Training, lazy_runs, member_seeds
from pinn_ntk.studies.study import Cell, Document, Factory, Measured, Results, Study
from pinn_ntk.studies.width_statistics import local_slopes, medians, slope_of

SCALINGS: dict[str, tuple[str, dict[str, object]]] = {
    "ntk": ("s = 1/√N, γ = 1", {"network.scaling": "ntk", "network.gamma": 1.0}),
    "sum_1": ("s = 1, γ = 1", {"network.scaling": "sum", "network.gamma": 1.0}),
    "sum_inv_sqrt": ("s = 1, γ = 1/√N", {"network.scaling": "sum", "network.gamma": "inv_sqrt_width"}),
    "sum_inv": ("s = 1, γ = 1/N", {"network.scaling": "sum", "network.gamma": "inv_width"}),
}
PREDICTED = {"ntk": -1.0, "sum_1": -1.0, "sum_inv_sqrt": -2.0, "sum_inv": -2.0}
KINKED = {"ntk": -0.75, "sum_1": -0.75, "sum_inv_sqrt": -2.0, "sum_inv": -2.0}
"""Smooth σ, and ReLU. Under the first two scalings Δw_k = O(N^{-1/2}) has the random sign of a_k:
first-order terms sum to √N of them and second-order ones to N, both O(1/N) in the kernel. With ReLU a share N^{-1/2} of
the neurons changes sides, and their random sum is N^{-1}·√(N·N^{-1/2}) = N^{-3/4}. Under the last two Δa_k = O(1/N) and
training takes a time O(1/N), in which Δw_k = O(N^{-3/2}) with a random sign and O(N^{-2}) without."""
WELL_CONDITIONED: dict[str, dict[str, object]] = {"regression": {"problem.dim": 5, "problem.low": -1.0}}
"""A mode of speed λ_j is off by its share t·δλ_j of itself: where λ_j is tiny, no width at hand is asymptotic.
In five dimensions λ_max/λ_min of the kernel is below a hundred."""
_WIDEST = 3  # widths that slopes are fitted to: narrow networks are far from any power law
_TOLERANCE = {"smooth": 0.15, "kinked": 0.2}
_GAPS = {"residual_gap": "on the training points", "solution_gap": "on the test points"}


@checked
def linearisation_gap(
    factory: Factory,
    *,
    problems: Problems = ("regression", "poisson_3d"),
    activations: Sigmas = ("tanh", "relu"),
    widths: Widths = (64, 256, 1024, 4096),
    seeds: Seeds = 10,
    points: Points = 16,
    test_points: Annotated[int, whole("points at which solutions are compared", 1)] = 64,
    steps: Steps = 400,
    step_size: StepSize = 0.5,
) -> Study:
    """Slopes of the distance between network and linearisation, each beside the predicted one.

    Args:
        factory: configuration → experiment.
        problems: ready problems; an activation is left out where it is not smooth enough.
        activations: σ.
        widths: N.
        seeds: runs each.
        points: n.
        test_points: where the solutions are compared.
        steps: of gradient descent.
        step_size: fraction of 2n/(s²Nλ_max).
    """
    common = {
        "seeds": seeds,
        "points": points,
        "test_points": test_points,
        "steps": steps,
        "step_size": step_size,
    }
    sizes, sigmas = ascending(widths), distinct(activations)
    pairs = [(p, a) for p in distinct(problems) for a in sigmas if _smooth_enough(p, a)]
    cells = [
        Cell({"problem": p, "activation": a, "scaling": s, "width": n, **common})
        for p, a in pairs
        for s in SCALINGS
        for n in sizes
    ]
    return Study(
        "linearisation_gap",
        "The network and its linearisation, against width",
        f"{seeds} seeds for each width and scaling, {steps} steps of {step_size:g} of the stability limit. The "
        "linearised network is "
        "solved exactly, mode by mode; the distance is the largest over time, as a share of ‖e₀‖.",
        tuple(cells),
        lambda cell: measure(factory, cell),
        document,
    )


def _smooth_enough(problem: str, activation: str) -> bool:
    """Whether the features of the problem's operator exist for σ and are differentiable in w."""
    return smoothness_verdict(ACTIVATIONS[activation], PROBLEMS[problem](points=4).order) == "true"


def measure(factory: Factory, cell: Cell) -> Measured:
    """One row per seed."""
    p: dict[str, Any] = dict(cell.parameters)
    overrides = {
        "problem": p["problem"],
        "activation": p["activation"],
        "problem.points": p["points"],
        "problem.test_points": p["test_points"],
        "network.width": p["width"],
        **WELL_CONDITIONED.get(p["problem"], {}),
        **SCALINGS[p["scaling"]][1],
    }
    made = factory(overrides)
    how = Training(p["steps"], p["step_size"])
    network = require_two_layer(made.network, "linearisation_gap")
    return Measured(
        lazy_runs(network, made.problem, member_seeds(p["width"], p["seeds"]), how, made.problem.test_points)
    )


def document(results: Results) -> Document:
    """A picture for each problem and activation, and the slopes beside the predicted ones."""
    sections, findings = [], []
    pairs = dict.fromkeys((str(row["problem"]), str(row["activation"])) for row in results.rows)
    for problem, activation in pairs:
        where = {"problem": problem, "activation": activation}
        pictures = []
        for column, words in _GAPS.items():
            pictures.append(
                scaling_picture(
                    f"{column}_{problem}_{activation}",
                    f"distance {words}",
                    "width N",
                    "share of the initial residual",
                    [_series(results, column, where, s) for s in SCALINGS],
                    "Medians over seeds, quartiles shaded; slopes of the three widest. The steeper, the sooner "
                    "the linearisation is right.",
                )
            )
        sections.append(Section(f"{problem}, {activation}", "", tuple(pictures)))
        findings += [_finding(results, where, s) for s in SCALINGS]
        if problem == "regression":
            findings += [_half(results, {**where, "scaling": "ntk"}, column) for column in _GAPS]
    return Document(tuple(sections), tuple(findings))


def _series(results: Results, column: str, where: dict[str, Any], scaling: str) -> Series:
    here = {**where, "scaling": scaling}
    widths, q = medians(results, column, here)
    return Series(SCALINGS[scaling][0], widths, q[1], slope_of(results, column, here, _WIDEST), q[0], q[2])


def _finding(results: Results, where: dict[str, Any], scaling: str) -> Finding:
    kinked = ACTIVATIONS[str(where["activation"])].smoothness < 1
    here = {**where, "scaling": scaling}
    slope, test = (slope_of(results, column, here, _WIDEST) for column in _GAPS)
    return slope_finding(
        f"{where['problem']}, {where['activation']}, {SCALINGS[scaling][0]}: slope on the training points",
        "max_t ‖e_t − e_t^{lin}‖/‖e₀‖ against N",
        slope,
        (KINKED if kinked else PREDICTED)[scaling],
        _TOLERANCE["kinked" if kinked else "smooth"],
        f"On the test points: {test}. {local_slopes(results, 'residual_gap', here)}",
    )


def _half(results: Results, where: dict[str, Any], column: str) -> Finding:
    """The published rate is an upper bound: a steeper slope keeps it."""
    slope: Slope = slope_of(results, column, where, _WIDEST)
    return Finding(
        f"regression, {where['activation']}, NTK scaling {_GAPS[column]}: O(N^{{-1/2}})",
        "the largest distance over time between network and linearisation is O(N^{-1/2})",
        slope.value,
        slope.low,
        slope.high,
        "at most −½ (Lee et al. 2019, arXiv:1902.06720)",
        "vacuous" if slope.points < 3 else "holds" if slope.value <= -0.5 else "fails",
        "A bound: two layers do better, since the kernel's first-order changes have random signs.",
    )
