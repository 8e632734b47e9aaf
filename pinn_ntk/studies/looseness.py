"""How loose the theorem is: the width that it asks for beside the first one at which its conclusion holds in 1 − δ of the seeds.

    R_S(t) ≤ e^{−Nλ_S t/n} R_S(0) for 0 ≤ t ≤ E·n/(Nλ_S),
gradient flow from the lecture's start, E e-folds of the bound.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.comparison.coverage import clopper_pearson
from pinn_ntk.devices import threads_for
from pinn_ntk.kernels.moments import feature_variance_sum, whitened_fourth_moment
from pinn_ntk.networks.two_layer import TwoLayer, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.studies.arguments import names, positive_number, whole_number
from pinn_ntk.studies.lazy_runs import member_seeds
from pinn_ntk.studies.looseness_document import document
from pinn_ntk.studies.study import Cell, Factory, Measured, Row, Study
from pinn_ntk.theory.bounds import convergence_rate, evolved_lambda_min, lambda_min_lemma, stopping_radius
from pinn_ntk.theory.sufficient import Promise, promise, resized
from pinn_ntk.theory.widths import variance_term, whitened_term
from pinn_ntk.training.ensemble_states import member_network, stacked
from pinn_ntk.training.exponential import FlowState, exponential_flow

MOMENT_DRAWS = 200_000
_AT_ONCE = 1 << 20  # members × rows × neurons of one batch


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


def looseness(
    factory: Factory,
    *,
    cases: Sequence[str] = tuple(CASES),
    gammas: Sequence[float | str] = ("inv_sqrt_width", "inv_width", 0.1),
    gamma_cases: Sequence[str] = ("unit_2", "ends", "laplace_unit_2"),
    seeds: int = 50,
    e_folds: float = 10.0,
    smallest: int = 4,
    widest: int = 8192,
    tolerance: float = 0.01,
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
        tolerance: of the integrator: relative error of the residual after one step.
    """
    chosen = names("cases", cases, CASES)
    further = names("gamma_cases", gamma_cases, CASES) if len(gamma_cases) else []
    common = {
        "seeds": whole_number("seeds", seeds, 2),
        "e_folds": positive_number("e_folds", e_folds),
        "smallest": whole_number("smallest", smallest),
        "widest": whole_number("widest", widest, smallest),
        "tolerance": positive_number("tolerance", tolerance),
    }
    if isinstance(gammas, str) or not len(gammas):
        raise ValueError(f"gammas: got {gammas!r}, expected a list such as [inv_sqrt_width, 0.1]")
    pairs = [(case, gammas[0]) for case in chosen] + [(case, g) for g in gammas[1:] for case in chosen if case in further]
    return Study(
        "looseness",
        "How loose the linear-convergence theorems are",
        f"From which width on does the conclusion hold, R_S(t) ≤ e^{{−Nλ_S t/n}} R_S(0) for all t until the bound has fallen by {e_folds:g} "
        f"e-folds, in at least 1 − δ of {seeds} seeds? Widths are doubled until two in a row pass; gradient flow by exponential Euler steps. "
        "Beside it stand the width that the theorem asks for, and the same with its sharper first terms.",
        tuple(Cell({"case": case, "gamma": gamma, **common}) for case, gamma in pairs),
        lambda cell: measure(factory, cell),
        document,
    )


def measure(factory: Factory, cell: Cell) -> Measured:
    """One row per width: in what share of the seeds the conclusion held; every row names the least widths of its case."""
    p: dict[str, Any] = dict(cell.parameters)
    case = CASES[p["case"]]
    made = factory({**case.overrides(), "network.gamma": p["gamma"]})
    network, delta = require_two_layer(made.network, "the study of looseness"), made.settings.delta
    promised = promise(made.problem, network, delta)
    about = {"words": case.words, "operator": case.operator, "n": made.problem.points, "delta": delta, **_asked(made.problem, network, promised)}
    rows = list(_widths(made.problem, network, promised, p))
    first = next((a["width"] for a, b in zip(rows, rows[1:], strict=False) if a["enough"] and b["enough"]), None)
    still = next((a["width"] for a, b in zip(rows, rows[1:], strict=False) if a["still_enough"] and b["still_enough"]), None)
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
    """Widths doubled until the conclusion and t* = ∞ have both held at two in a row, or the widest is reached."""
    width, passed, stood = p["smallest"], 0, 0
    while width <= p["widest"] and (passed < 2 or stood < 2):
        row = _at_width(problem, resized(network, width), promised, p)
        passed, stood = (passed + 1 if row["enough"] else 0, stood + 1 if row["still_enough"] else 0)
        yield row
        width *= 2


def _at_width(problem: Problem, network: TwoLayer, promised: Promise, p: dict[str, Any]) -> Row:
    judge = _trained(problem, network, promised, p)
    seeds, least = p["seeds"], math.ceil((1.0 - promised.premises.delta) * p["seeds"] - 1e-9)
    held, still, start = (int(mask.sum()) for mask in (judge.held, judge.held & judge.still, judge.start))
    low, high = clopper_pearson(held, seeds)
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
        "undecided": judge.undecided,
    }


class Judge:
    """Who has broken the bound, left the ball of radius λ_S/4, or begun below ¾λ_S.

    Attributes:
        held: whether the bound has held so far, (S,).
        still: whether ‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ λ_S/4 so far.
        start: whether λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S.
        undecided: members whose flow was given up, counted as broken.
    """

    def __init__(self, members: int, lambda_s: float, rate: float, e_folds: float) -> None:
        self.lambda_s, self.rate, self.e_folds = lambda_s, rate, e_folds
        self.held, self.still, self.start = (torch.ones(members, dtype=torch.bool) for _ in range(3))
        self.undecided = 0
        self.first: tuple[Tensor, Tensor] | None = None

    def __call__(self, state: FlowState) -> Tensor:
        """Who ends: the bound is broken, or the loss lies below where the bound will end, and falls on."""
        if self.first is None:
            self.first = state.loss, state.kernel_a
            self.start = torch.linalg.eigvalsh(state.kernel_a)[:, 0] >= 1.5 * evolved_lambda_min(self.lambda_s)
        loss, kernel = (part[state.members] for part in self.first)
        logs = torch.log(state.loss / loss)
        broken = ~(logs <= 1e-9 - self.rate * state.time)
        drift = torch.linalg.matrix_norm(state.kernel_a - kernel)
        self.held[state.members] &= ~broken
        self.still[state.members] &= drift <= stopping_radius(self.lambda_s)
        return broken | (logs <= -self.e_folds)


def _trained(problem: Problem, network: TwoLayer, promised: Promise, p: dict[str, Any]) -> Judge:
    """The flow of all seeds, judged."""
    system, lambda_s = problem.system(network), promised.premises.lambda_s
    rate = convergence_rate(network.kernel_scale, lambda_s, problem.points)
    whole = Judge(p["seeds"], lambda_s, rate, p["e_folds"])
    size = max(1, _AT_ONCE // (problem.points * network.width))
    seeds = member_seeds(network.width, p["seeds"])
    with threads_for(min(size, len(seeds)) * problem.points * network.width):
        for begin in range(0, len(seeds), size):
            part = slice(begin, begin + size)
            weights = stacked([member_network(network, seed) for seed in seeds[part]])
            judge = Judge(len(weights.a0), lambda_s, rate, p["e_folds"])
            horizon = weights.a0.new_full((len(weights.a0),), p["e_folds"] / rate)
            left = exponential_flow(system, weights, horizon, judge, p["tolerance"])
            judge.held[left], whole.undecided = False, whole.undecided + len(left)
            whole.held[part], whole.still[part], whole.start[part] = judge.held, judge.still, judge.start
    return whole

