"""How loose the theorem is: the width that it asks for beside the first one at which its conclusion holds in 1 − δ of the seeds.

    R_S(t) ≤ e^{−Nλ_S t/n} R_S(0) for 0 ≤ t ≤ E·n/(Nλ_S),
gradient descent in fine steps from the lecture's start, E e-folds of the bound.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.comparison.coverage import clopper_pearson
from pinn_ntk.kernels.batched import batched_kernel
from pinn_ntk.kernels.moments import feature_variance_sum, whitened_fourth_moment
from pinn_ntk.networks.features import System
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.networks.two_layer import TwoLayer, Weights, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.studies.arguments import names, positive_number, whole_number
from pinn_ntk.studies.lazy_runs import member_seeds
from pinn_ntk.studies.looseness_document import document
from pinn_ntk.studies.study import Cell, Factory, Measured, Row, Study
from pinn_ntk.theory.bounds import convergence_rate, lambda_min_lemma, stopping_radius
from pinn_ntk.theory.sufficient import Promise, promise, resized
from pinn_ntk.theory.widths import variance_term, whitened_term
from pinn_ntk.training.ensemble import batch_size, step_limits
from pinn_ntk.training.ensemble_states import member_network, selected, stacked

MOMENT_DRAWS = 200_000
_FINEST = 0.05  # e-folds of the bound in one step at most: the slow modes then fall as they would under the flow
_FURTHER = 2  # widths at which t* = ∞ is still looked for
_LOOKS = 1.3  # ratio of the steps at which the kernel is looked at


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
    widest: int = 4096,
    step_size: float = 0.25,
    most_steps: int = 60_000,
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
        step_size: τ as a share of each network's limit 2n/(s²Nλ_max(K̂)).
        most_steps: a case that needs about Eλ_max/(2·step_size·λ_S) steps, more than this, is not trained.
    """
    chosen = names("cases", cases, CASES)
    further = names("gamma_cases", gamma_cases, CASES) if len(gamma_cases) else []
    common = {
        "seeds": whole_number("seeds", seeds, 2),
        "e_folds": positive_number("e_folds", e_folds),
        "smallest": whole_number("smallest", smallest),
        "widest": whole_number("widest", widest, smallest),
        "step_size": positive_number("step_size", step_size),
        "most_steps": whole_number("most_steps", most_steps),
    }
    if isinstance(gammas, str) or not len(gammas):
        raise ValueError(f"gammas: got {gammas!r}, expected a list such as [inv_sqrt_width, 0.1]")
    pairs = [(case, gammas[0]) for case in chosen] + [(case, g) for g in gammas[1:] for case in chosen if case in further]
    question = (
        "From which width on does the conclusion hold, R_S(t) ≤ e^{−Nλ_S t/n} R_S(0) for all t until the bound has fallen by "
        f"{e_folds:g} e-folds, in at least 1 − δ of {seeds} seeds? Widths are doubled until two in a row pass; gradient descent takes "
        f"steps of at most {step_size:g} of the stability limit and {_FINEST:g} e-folds of the bound. Beside it stand the width that the "
        "theorem asks for, and the same with its sharper first terms."
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
    steps = p["e_folds"] * float(torch.linalg.eigvalsh(promised.kernel)[-1]) / (2 * p["step_size"] * promised.premises.lambda_s)
    about["steps"] = steps
    if steps > p["most_steps"]:
        return Measured([{**about, "first_width": None, "first_still_width": None}])
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
    """Widths doubled until the conclusion has held at two in a row, and then on until t* = ∞ has, for two more at most."""
    width, passed, stood, further = p["smallest"], 0, 0, _FURTHER
    while width <= p["widest"] and (passed < 2 or (stood < 2 and further > 0)):
        row = _at_width(problem, resized(network, width), promised, p)
        further -= int(passed >= 2)
        passed, stood = (passed + 1 if row["enough"] else 0, stood + 1 if row["still_enough"] else 0)
        yield row
        width *= 2


def _at_width(problem: Problem, network: TwoLayer, promised: Promise, p: dict[str, Any]) -> Row:
    judges = _trained(problem, network, promised, p)
    seeds, least = p["seeds"], math.ceil((1.0 - promised.premises.delta) * p["seeds"] - 1e-9)
    held, still, start = (sum(counts) for counts in zip(*(judge.counts() for judge in judges), strict=True))
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
    }


class Judge:
    """Who has broken the bound, left the ball of radius λ_S/4, or begun below ¾λ_S.

    Attributes:
        held: whether the bound has held so far, (S,).
        still: whether ‖K̂^(a)(t) − K̂^(a)(0)‖_F ≤ λ_S/4 so far.
        start: whether λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S.
    """

    def __init__(self, loss: Tensor, kernel_a: Tensor, lambda_s: float, e_folds: float) -> None:
        self.loss, self.kernel, self.lambda_s, self.e_folds = loss, kernel_a, lambda_s, e_folds
        self.held, self.still = torch.ones_like(loss, dtype=torch.bool), torch.ones_like(loss, dtype=torch.bool)
        self.start = torch.linalg.eigvalsh(kernel_a)[:, 0] >= 0.75 * lambda_s

    def counts(self) -> tuple[int, int, int]:
        """In how many the bound held, t* = ∞ as well, and λ_min at the start was large enough."""
        return int(self.held.sum()), int((self.held & self.still).sum()), int(self.start.sum())

    def ended(self, members: Tensor, loss: Tensor, folds: Tensor) -> Tensor:
        """Who needs no further step: the bound is broken, has fallen by all its e-folds, or will stay above a loss that falls on.

        Args:
            members: (S,) whose losses these are.
            loss: R_S(t).
            folds: rate·t.
        """
        logs = torch.log(loss / self.loss[members])
        broken = ~(logs <= 1e-9 - folds)
        self.held[members] &= ~broken
        return broken | (logs <= -self.e_folds) | (folds >= self.e_folds)

    def drifted(self, members: Tensor, kernel_a: Tensor) -> None:
        """Look how far part (a) of the kernel is from where it was."""
        drift = torch.linalg.matrix_norm(kernel_a - self.kernel[members])
        self.still[members] &= drift <= stopping_radius(self.lambda_s)


def _trained(problem: Problem, network: TwoLayer, promised: Promise, p: dict[str, Any]) -> list[Judge]:
    """All seeds, trained and judged batch by batch."""
    system, lambda_s = problem.system(network), promised.premises.lambda_s
    rate = convergence_rate(network.kernel_scale, lambda_s, problem.points)
    size, seeds = batch_size(problem.points, network.width, network.device), member_seeds(network.width, p["seeds"])
    judges = []
    for begin in range(0, len(seeds), size):
        weights = stacked([member_network(network, seed) for seed in seeds[begin : begin + size]])
        folds = (rate * p["step_size"] * step_limits(system, weights)).clamp(max=_FINEST)
        judges.append(_descended(system, weights, folds / rate, folds, lambda_s, p["e_folds"]))
    return judges


def _descended(system: System, weights: Weights, tau: Tensor, folds: Tensor, lambda_s: float, e_folds: float) -> Judge:
    """Gradient descent until every member has ended.

    Args:
        system: the rows, shared.
        weights: θ⁰ of S networks.
        tau: (S,) steps.
        folds: (S,) rate·τ, e-folds of the bound in each step.
        lambda_s: λ_S.
        e_folds: E.
    """
    members, k, look = torch.arange(len(tau)), 0, 1
    e, gradient = residual_and_gradient(system, weights)
    judge = Judge(_losses(e), batched_kernel(system, weights)[1], lambda_s, e_folds)
    while len(members):
        weights = weights.moved(*(g * -tau[members].reshape(-1, *[1] * (g.ndim - 1)) for g in gradient))
        e, gradient = residual_and_gradient(system, weights)
        k += 1
        ended = judge.ended(members, _losses(e), k * folds[members])
        if k >= look or bool(ended.any()):
            judge.drifted(members, batched_kernel(system, weights)[1])
            look = math.ceil(_LOOKS * k)
            on = ~ended
            members, weights, gradient = members[on], selected(weights, on), (gradient[0][on], gradient[1][on], gradient[2][on])
    return judge


def _losses(e: Tensor) -> Tensor:
    """R_S = ‖e‖²/(2n), (S,)."""
    return (e * e).sum(-1) / (2 * e.shape[-1])
