"""What a statement is, and how a prediction and a history become a list of them."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from pinn_ntk.theory.prediction import Prediction
from pinn_ntk.training.trackers import History

Verdict = Literal["holds", "fails", "vacuous", "not_applicable"]


class Comparable(Protocol):
    """Anything with a prediction and a history, such as a record."""

    @property
    def prediction(self) -> Prediction | None:
        """What theory said before the first step."""

    @property
    def history(self) -> History:
        """What was measured."""


@dataclass(frozen=True)
class Statement:
    """One claim of the theory beside its measurement.

    Attributes:
        name: of the claim.
        claim: the claim in symbols.
        predicted: its right-hand side, None where it has none.
        measured: its left-hand side, None where it was not measured.
        slack: how far the claim is from failing: bound/measured or measured/bound, ≥ 1 where it holds; None where
            meaningless.
        verdict: 'holds' | 'fails' | 'vacuous' (true, but says nothing here) | 'not_applicable'.
        reason: in words, for every verdict but a plain 'holds'.
        e_folds: of a statement about all t up to some T, rate·T: by how many factors of e the bound e^{−rate·t} falls
            until then; None of one about a single time, and where there is no rate.
    """

    name: str
    claim: str
    predicted: float | None
    measured: float | None
    slack: float | None
    verdict: Verdict
    reason: str = ""
    e_folds: float | None = None


def at_most(
    name: str,
    claim: str,
    measured: float,
    bound: float,
    reason: str = "",
    tolerance: float = 1e-9,
    e_folds: float | None = None,
) -> Statement:
    """The statement measured ≤ bound."""
    slack = bound / measured if measured > 0.0 else math.inf
    holds = measured <= bound * (1.0 + tolerance)
    return Statement(name, claim, bound, measured, _finite(slack), "holds" if holds else "fails", reason, e_folds)


def at_least(
    name: str,
    claim: str,
    measured: float,
    bound: float,
    reason: str = "",
    tolerance: float = 1e-9,
    e_folds: float | None = None,
) -> Statement:
    """The statement measured ≥ bound."""
    slack = measured / bound if bound > 0.0 else math.inf
    holds = measured >= bound * (1.0 - tolerance)
    return Statement(name, claim, bound, measured, _finite(slack), "holds" if holds else "fails", reason, e_folds)


def silent(
    name: str,
    claim: str,
    verdict: Verdict,
    reason: str,
    predicted: float | None = None,
    measured: float | None = None,
    e_folds: float | None = None,
) -> Statement:
    """A statement that is not judged: vacuous or not applicable, and why."""
    return Statement(name, claim, predicted, measured, None, verdict, reason, e_folds)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
