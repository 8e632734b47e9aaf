"""How loose the theorem is: the width that it asks for beside the first one at which its conclusion holds in 1 − δ of
the seeds.

    R_S(t) ≤ e^{−Nλ_S t/n} R_S(0) for 0 ≤ t ≤ E·n/(Nλ_S),
gradient flow, or gradient descent in fine steps, from the lecture's start; E e-folds of the bound.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch

from pinn_ntk.comparison.coverage import clopper_pearson
from pinn_ntk.kernels.moments import feature_variance_sum, whitened_fourth_moment
from pinn_ntk.networks.two_layer import GAMMA, TwoLayer, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, one_of, positive, several, whole
from pinn_ntk.studies.arguments import (
    StepSize,
    distinct,
)
from pinn_ntk.studies.lazy_runs import member_seeds
from pinn_ntk.studies.looseness_document import document
from pinn_ntk.studies.looseness_runs import FINEST, Trial, judged, kinked
from pinn_ntk.studies.study import Cell, Factory, Measured, Row, Study
from pinn_ntk.theory.bounds import lambda_min_lemma
from pinn_ntk.theory.sufficient import Promise, promise
from pinn_ntk.theory.widths import variance_term, whitened_term

MOMENT_DRAWS = 200_000
_FURTHER = 2  # widths at which t* = ∞ is still looked for


@dataclass(frozen=True)
class Case:
    """One problem of which the theorem speaks, with f = ±√½ in turn.

    Attributes:
        operator: of `OPERATORS`.
        points: x_i.
        bias: whether the network has one.
        words: for a person.
    """

    operator: str
    points: tuple[Any, ...]
    bias: bool
    words: str

    def overrides(self) -> dict[str, object]:
        """The configuration of its runs."""
        return {
            "problem": "points",
            "activation": "relu" if self.operator == "identity" else "relu3",
            "problem.operator": self.operator,
            "problem.points": [list(p) if isinstance(p, tuple) else p for p in self.points],
            "network.bias": self.bias,
            "network.width": 2,
        }


def _unit(n: int, operator: str = "identity") -> Case:
    return Case(operator, tuple(tuple(float(i == j) for j in range(n)) for i in range(n)), False, f"x_i = e_i, n = {n}")


def _line(n: int, operator: str = "identity") -> Case:
    return Case(operator, tuple(f"{i}/{n + 1}" for i in range(1, n + 1)), True, f"x_i = i/(n+1) and bias, n = {n}")


CASES: dict[str, Case] = {
    **{f"unit_{n}": _unit(n) for n in (1, 2, 3, 4)},
    "ends": Case("identity", (0.0, 1.0), True, "x_i = 0, 1 and bias"),
    **{f"line_{n}": _line(n) for n in (2, 3, 5, 10)},
    "laplace_unit_2": _unit(2, "laplacian"),
    **{f"laplace_line_{n}": _line(n, "laplacian") for n in (2, 3, 5)},
}
"""Regression with ReLU on unit vectors, on the ends of an interval and inside it; Δu = f with ReLU³/6."""


@checked
def looseness(
    factory: Factory,
    *,
    cases: Annotated[Sequence[str], several("problems", one_of("", CASES))] = tuple(CASES),
    gammas: Annotated[Sequence[float | str], several("γ; all cases are measured under the first", GAMMA)] = (
        "inv_sqrt_width",
        "inv_width",
        0.1,
    ),
    gamma_cases: Annotated[
        Sequence[str], several("cases measured under the other γ too", one_of("", CASES), least=0)
    ] = ("unit_2", "ends", "laplace_unit_2"),
    seeds: Annotated[int, whole("seeds of each cell", 2)] = 50,
    e_folds: Annotated[float, positive("by which the bound has to fall")] = 10.0,
    smallest: Annotated[int, whole("width to begin with", 1)] = 4,
    widest: Annotated[int, whole("width to end with", 1)] = 4096,
    step_size: StepSize = 0.5,
    most_steps: Annotated[int, whole("a case that needs more is not trained", 1)] = 30_000,
) -> Study:
    """Least widths: by the theorem, by its sharper first terms, and measured, over problems and γ.

    Args:
        factory: configuration → experiment.
        cases: names of `CASES`.
        gammas: γ; all cases are measured under the first.
        gamma_cases: those that are measured under the others too.
        seeds: networks at each width.
        e_folds: E, over which the bound has to hold.
        smallest: width to begin with; it is doubled until two widths in a row hold.
        widest: to end with.
        step_size: τ of ReLU networks as a share of their limit 2n/(s²Nλ_max(K̂)).
        most_steps: a ReLU case that needs about Eλ_max/(2·step_size·λ_S) steps, more than this, is not trained; nor are
            ReLU³ networks that the exponential steps cannot follow.
    """
    chosen = distinct(cases)
    further = distinct(gamma_cases)
    common = {
        "seeds": seeds,
        "e_folds": e_folds,
        "smallest": smallest,
        "widest": widest,
        "step_size": step_size,
        "most_steps": most_steps,
    }
    if widest < smallest:
        raise ValueError(f"widest: got {widest}, expected a whole number, at least smallest, {smallest}")
    pairs = [(case, gammas[0]) for case in chosen] + [
        (case, g) for g in gammas[1:] for case in chosen if case in further
    ]
    question = (
        "From which width on does the conclusion hold, R_S(t) ≤ e^{−Nλ_S t/n} R_S(0) for all t until the bound "
        "has fallen by "
        f"{e_folds:g} e-folds, in at least 1 − δ of {seeds} seeds? Widths are doubled until two in a row pass. "
        "ReLU networks take steps of "
        f"gradient descent, at most {step_size:g} of the stability limit and {FINEST:g} e-folds of the bound; "
        "ReLU³ networks follow the "
        "flow by exponential Euler steps. Beside it stand the width that the theorem asks for, and the same "
        "with its sharper first terms."
    )
    cells = tuple(Cell({"case": case, "gamma": gamma, **common}) for case, gamma in pairs)
    title = "How loose the linear-convergence theorems are"
    return Study("looseness", title, question, cells, lambda cell: measure(factory, cell), document)


def measure(factory: Factory, cell: Cell) -> Measured:
    """One row per width: in what share of the seeds the conclusion held; every row names the least widths of its case.

    A case that would take too many steps has one row, without a width.
    """
    p: dict[str, Any] = dict(cell.parameters)
    case = CASES[p["case"]]
    made = factory({**case.overrides(), "network.gamma": p["gamma"]})
    network, delta = require_two_layer(made.network, "the study of looseness"), made.settings.delta
    promised = promise(made.problem, network, delta)
    about: Row = {"words": case.words, "operator": case.operator, "n": made.problem.points, "delta": delta}
    about |= _asked(made.problem, network, promised)
    steps = (
        p["e_folds"]
        * float(torch.linalg.eigvalsh(promised.kernel)[-1])
        / (2 * p["step_size"] * promised.premises.lambda_s)
    )
    about["steps"] = steps
    if steps > p["most_steps"] and kinked(network):
        return Measured([{**about, "first_width": None, "first_still_width": None}])
    rows = list(_widths(made.problem, network, promised, {**p, "descend": steps <= p["most_steps"]}))
    first = next((a["width"] for a, b in zip(rows, rows[1:], strict=False) if a["enough"] and b["enough"]), None)
    still = next(
        (a["width"] for a, b in zip(rows, rows[1:], strict=False) if a["still_enough"] and b["still_enough"]), None
    )
    return Measured([{**about, **row, "first_width": first, "first_still_width": still} for row in rows])


def _asked(problem: Problem, network: TwoLayer, promised: Promise) -> Row:
    """Least widths by the theorem and by its sharper first terms, with the standard errors of those."""
    p, rows, sigma = promised.premises, problem.system(network).rows, network.activation
    variance, variance_error = feature_variance_sum(rows, sigma, promised.kernel, MOMENT_DRAWS)
    white, white_error = whitened_fourth_moment(rows, sigma, promised.kernel, MOMENT_DRAWS)
    terms = {"variance": variance_term(variance, p.lambda_s, p.delta), "whitened": whitened_term(white, p.n, p.delta)}
    least = promised.least()
    return {
        "lambda_s": p.lambda_s,
        "theorem": least.width,
        "binding": least.terms.binding,
        "lambda_min_lemma": lambda_min_lemma(p).width,
        **{name: promised.least(term).width for name, term in terms.items()},
        "variance_term": terms["variance"],
        "variance_term_error": variance_term(variance_error, p.lambda_s, p.delta),
        "whitened_term": terms["whitened"],
        "whitened_term_error": 32.0 * white_error / p.delta,
    }


def _widths(problem: Problem, network: TwoLayer, promised: Promise, p: dict[str, Any]) -> Iterator[Row]:
    """Widths doubled until the conclusion has held at two in a row, and then on until t* = ∞ has,
    for two more at most.
    """
    width, passed, stood, further = p["smallest"], 0, 0, _FURTHER
    while width <= p["widest"] and (passed < 2 or (stood < 2 and further > 0)):
        row = _at_width(problem, network.like(width=width), promised, p)
        further -= int(passed >= 2)
        passed, stood = (passed + 1 if row["enough"] else 0, stood + 1 if row["still_enough"] else 0)
        yield row
        width *= 2


def _at_width(problem: Problem, network: TwoLayer, promised: Promise, p: dict[str, Any]) -> Row:
    trial = Trial(promised.premises.lambda_s, p["e_folds"], p["step_size"], p["descend"])
    judges = judged(problem, network, member_seeds(network.width, p["seeds"]), trial)
    seeds, least = p["seeds"], math.ceil((1.0 - promised.premises.delta) * p["seeds"] - 1e-9)
    held, still, start, given_up = (sum(counts) for counts in zip(*(judge.counts() for judge in judges), strict=True))
    low, high = (
        clopper_pearson(held, seeds)[0],
        clopper_pearson(held + given_up, seeds)[1],
    )  # whoever was given up may have held
    return {
        "width": network.width,
        "held": held,
        "share": held / seeds,
        "low": low,
        "high": high,
        "enough": held >= least,
        "still_share": still / seeds,
        "still_enough": still >= least,
        "start_share": start / seeds,
        "given_up": given_up,
    }
