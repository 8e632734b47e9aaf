"""What a statement is: a claim of the theory beside its measurement in one run."""

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
