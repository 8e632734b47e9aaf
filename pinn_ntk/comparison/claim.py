"""A claim: one statement of the theory as one record, from its premises to its verdict.

premises met? → reading: measured against bound → condition on what was measured → vacuous? → holds or fails

What would hold and is about θ(t) is vacuous where nothing has happened yet, by one rule (`vacuity`).

Comparison, coverage, report, terminal and documentation read these records: a new statement is a `Claim` in the table
`compare.CLAIMS`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from pinn_ntk.comparison.envelope import e_folds
from pinn_ntk.comparison.rounding import share_tolerance
from pinn_ntk.comparison.statements import Statement, Verdict
from pinn_ntk.comparison.vacuity import THIN, thin
from pinn_ntk.theory.prediction import Guarantee, Lazy, Prediction
from pinn_ntk.training.trackers import Array, History


@dataclass(frozen=True)
class Evidence:
    """What a run has to show.

    Attributes:
        history: what was measured.
        prediction: what theory said before the first step; None with theory switched off.
    """

    history: History
    prediction: Prediction | None

    @property
    def theory(self) -> Prediction:
        """The prediction, for a claim about one.

        Raises:
            LookupError: there is none.
        """
        if self.prediction is None:
            raise LookupError("a claim about a prediction was asked of a run without one")
        return self.prediction

    @property
    def lazy(self) -> Lazy:
        """The infinite-width predictions, for a claim whose premises ask for them.

        Raises:
            LookupError: there are none.
        """
        if self.theory.lazy is None:
            raise LookupError(self.theory.unavailable)
        return self.theory.lazy

    @property
    def guarantee(self) -> Guarantee:
        """The theorem's promises, for a claim whose premises ask for them.

        Raises:
            LookupError: no theorem applies.
        """
        if self.theory.guarantee is None:
            raise LookupError(self.theory.verdict.reason)
        return self.theory.guarantee

    @property
    def eps(self) -> float:
        """ε of the precision of the run."""
        return float(torch.finfo(self.history.final.residual.dtype).eps)

    def column(self, name: str) -> Array:
        """A tracked column, empty where it was not tracked."""
        return self.history.columns.get(name, np.empty(0))

    def e_folds(self, last: int | None = None) -> float | None:
        """rate·T up to the tracked time T of that index; None without a rate, or where θ moves by no gradient flow."""
        return e_folds(self.theory.lazy, self.history, last)


@dataclass(frozen=True)
class Premise:
    """What has to be so for a claim to say anything of a run.

    Attributes:
        words: the premise, for the documentation.
        why_not: what is missing in this run, '' where the premise is met.
    """

    words: str
    why_not: Callable[[Evidence], str]


@dataclass(frozen=True)
class Reading:
    """The two sides of a claim, as a run shows them.

    Attributes:
        measured: the left-hand side; None where it was not measured.
        bound: the right-hand side; None where it has none.
        note: what a person should know beside the verdict.
        e_folds: of a claim about all t up to some T, by how many factors of e the bound falls until then.
        tolerance: rounding that the comparison may take, as a share of the bound; by default what the precision of the
            run asks for.
    """

    measured: float | None
    bound: float | None
    note: str = ""
    e_folds: float | None = None
    tolerance: float | None = None


Doubt = Callable[[Evidence, Reading], str]
"""Why a reading is not to be judged, '' where it is."""


@dataclass(frozen=True)
class WidthPremise:
    """With probability 1 − δ, from some width on.

    Attributes:
        words: what it needs, for the documentation.
        met: (promises of the theorem, N) → whether N is enough.
    """

    words: str
    met: Callable[[Guarantee, int], bool]


Sentence = Callable[[Statement, Callable[[float], str]], str]
"""(statement, how numbers are written) → a sentence, '' for nothing."""


def _never(_: Evidence, __: Reading) -> str:
    return ""


@dataclass(frozen=True)
class Claim:
    """One statement of the theory.

    Attributes:
        name: of the statement.
        symbols: the claim in symbols; under some dynamics it reads differently.
        judged: how, in words: what is measured, and what it is held against.
        reading: both sides; a text is why there is nothing to compare, and the claim then says nothing.
        premises: what has to be so, in the order in which it is asked.
        relation: measured ≤ bound, or measured ≥ bound.
        condition: why what was measured puts the run outside the claim.
        vacuous: why the claim says nothing here, such as a reading below rounding.
        vacuous_when: that in words.
        follows: displacement columns of the parameters that it follows through time; it is then vacuous where it would
            hold before anything has happened. Empty for a claim about single states.
        promise: with what probability theory promises it; None where it promises nothing.
        about_theory: whether it needs a prediction.
        sentence: what a report says of it in its answer.
    """

    name: str
    symbols: str | Callable[[Evidence], str]
    judged: str
    reading: Callable[[Evidence], Reading | str]
    premises: tuple[Premise, ...] = ()
    relation: Literal["≤", "≥"] = "≤"
    condition: Doubt = _never
    vacuous: Doubt = _never
    vacuous_when: str = ""
    follows: tuple[str, ...] = ()
    promise: WidthPremise | None = None
    about_theory: bool = True
    sentence: Sentence = lambda _, __: ""

    def statement(self, evidence: Evidence) -> Statement:
        """The verdict on one run."""
        for premise in self.premises:
            if why := premise.why_not(evidence):
                return self._silent(evidence, "not_applicable", why)
        reading = self.reading(evidence)
        if isinstance(reading, str):
            return self._silent(evidence, "vacuous", reading)
        if why := self.condition(evidence, reading):
            return self._silent(evidence, "not_applicable", why, reading)
        if why := self.vacuous(evidence, reading):
            return self._silent(evidence, "vacuous", why, reading)
        judged = self._judged(evidence, reading)
        if self.follows and judged.verdict == "holds":
            why = thin(evidence.history, evidence.eps, reading.e_folds, self.follows)
            if why:
                return self._silent(evidence, "vacuous", "; ".join(w for w in (why, reading.note) if w), reading)
        return judged

    @property
    def silent_when(self) -> str:
        """When it is vacuous, in words; '' for never."""
        return "; ".join(words for words in (self.vacuous_when, THIN if self.follows else "") if words)

    def symbols_for(self, evidence: Evidence) -> str:
        """The claim in symbols, for the dynamics of that run."""
        return self.symbols if isinstance(self.symbols, str) else self.symbols(evidence)

    def _silent(self, evidence: Evidence, verdict: Verdict, why: str, reading: Reading | None = None) -> Statement:
        bound, measured, folds = (reading.bound, reading.measured, reading.e_folds) if reading else (None, None, None)
        return Statement(self.name, self.symbols_for(evidence), bound, measured, None, verdict, why, folds)

    def _judged(self, evidence: Evidence, reading: Reading) -> Statement:
        measured, bound = reading.measured, reading.bound
        if measured is None or bound is None:
            raise LookupError(f"{self.name}: a reading without {'bound' if bound is None else 'measurement'}")
        most = self.relation == "≤"
        small, large = (measured, bound) if most else (bound, measured)
        tolerance = share_tolerance(evidence.eps) if reading.tolerance is None else reading.tolerance
        holds = measured <= bound * (1 + tolerance) if most else measured >= bound * (1 - tolerance)
        slack = large / small if small > 0.0 else math.inf
        return Statement(
            self.name,
            self.symbols_for(evidence),
            bound,
            measured,
            slack if math.isfinite(slack) else None,
            "holds" if holds else "fails",
            reading.note,
            reading.e_folds,
        )
