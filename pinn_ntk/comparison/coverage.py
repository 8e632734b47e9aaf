"""Statements over an ensemble: in what share of the seeds each one held, with its interval,
against the 1 − δ that theory promises.

X ~ Binomial(S, p): the interval of Clopper and Pearson holds every p for which neither P(X ≥ x) nor P(X ≤ x) is below
(1 − level)/2.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pinn_ntk.comparison.compare import CLAIMS
from pinn_ntk.comparison.statements import Statement, Verdict
from pinn_ntk.theory.prediction import Guarantee

LEVEL = 0.95


@dataclass(frozen=True)
class Promise:
    """A statement that theory promises with probability 1 − δ from some width on.

    That width may hold the realised R_S(θ⁰), so that some seeds meet it and others do not. The promise is asked of
    those that do.

    Attributes:
        probability: 1 − δ.
        met: whether each seed's width is met.
    """

    probability: float
    met: tuple[bool, ...]

    @property
    def stands(self) -> bool:
        """Whether at least half of the seeds are under the promise."""
        return 2 * sum(self.met) >= len(self.met)


@dataclass(frozen=True)
class Coverage:
    """One statement over S seeds.

    Attributes:
        name: of the statement.
        claim: in symbols.
        holds: seeds in which it held.
        fails: seeds in which it failed.
        vacuous: seeds in which it said nothing.
        not_applicable: seeds to which it, or the promise, did not apply.
        share: holds/(holds + fails), None where no seed could be judged.
        low: lower end of the 95 % interval of Clopper and Pearson for the probability that it holds.
        high: its upper end.
        promised: 1 − δ where theory promises it at this width, else None.
        verdict: where it is promised, 'holds' when the interval reaches up to 1 − δ and 'fails' when all of it lies
            below; where no seed could be judged, 'vacuous' or 'not_applicable'; None where nothing is promised and the
            share stands alone.
        reason: in words.
    """

    name: str
    claim: str
    holds: int
    fails: int
    vacuous: int
    not_applicable: int
    share: float | None
    low: float | None
    high: float | None
    promised: float | None
    verdict: Verdict | None
    reason: str


def clopper_pearson(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval for p of a binomial: P(X ≥ x; low) = P(X ≤ x; high) = (1 − level)/2;
    0 and 1 where x is 0 or `trials`.

    Args:
        successes: x.
        trials: how many.
        level: of confidence.

    Raises:
        ValueError: not 0 ≤ successes ≤ trials with at least one trial, or a level outside (0, 1).

    References:
        Clopper & Pearson 1934, Biometrika 26, 404.
    """
    from scipy.stats import beta

    if not 0 <= successes <= trials or trials < 1 or not 0.0 < level < 1.0:
        raise ValueError(
            f"clopper_pearson: got {successes} of {trials} at level {level}, expected 0 ≤ successes ≤ trials, 1 "
            "≤ trials"
        )
    tail = (1.0 - level) / 2.0
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(beta.ppf(1.0 - tail, successes + 1, trials - successes))
    return low, high


def promises(guarantees: Sequence[Guarantee | None], width: int) -> dict[str, Promise]:
    """What theory promises with probability 1 − δ, and in which seeds its width is met.

    Args:
        guarantees: of all members; None where no theorem applies.
        width: N.
    """
    given = [g for g in guarantees if g is not None]
    if not given or len(given) < len(guarantees):
        return {}
    probability = 1.0 - given[0].premises.delta
    return {
        claim.name: Promise(probability, tuple(claim.promise.met(g, width) for g in given))
        for claim in CLAIMS
        if claim.promise is not None
    }


def coverage(
    members: Sequence[Sequence[Statement]], promised: Mapping[str, Promise], level: float = LEVEL
) -> tuple[Coverage, ...]:
    """Every statement over the members, in the order of the first.

    Args:
        members: the statements of each seed.
        promised: by name (see `promises`).
        level: of the intervals.
    """
    names = {statement.name: statement.claim for statements in members for statement in statements}
    found = []
    for name, claim in names.items():
        each = [next((s for s in statements if s.name == name), None) for statements in members]
        promise = promised.get(name)
        if promise is not None and promise.stands:
            each = [s if met else None for s, met in zip(each, promise.met, strict=True)]
            words = (
                ""
                if all(promise.met)
                else f"{_seeds(promise.met.count(False))} left out, whose R_S(θ⁰) asks for a larger width"
            )
            found.append(_covered(name, claim, each, promise.probability, words, level))
        else:
            words = (
                ""
                if promise is None
                else f"not promised: its width is met by {sum(promise.met)} of {len(promise.met)} seeds"
            )
            found.append(_covered(name, claim, each, None, words, level))
    return tuple(found)


def _covered(
    name: str, claim: str, each: Sequence[Statement | None], promised: float | None, remark: str, level: float
) -> Coverage:
    """One statement over the seeds; None stands for a seed to which the promise does not apply."""
    count = Counter("not_applicable" if s is None else s.verdict for s in each)
    holds, judged = count["holds"], count["holds"] + count["fails"]
    numbers = (holds, count["fails"], count["vacuous"], count["not_applicable"])
    if not judged:
        verdict: Verdict = "vacuous" if count["vacuous"] else "not_applicable"
        reason = next((s.reason for s in each if s is not None and s.verdict == verdict), remark)
        return Coverage(name, claim, *numbers, None, None, None, promised, verdict, reason)
    low, high = clopper_pearson(holds, judged, level)
    share = holds / judged
    if promised is None:
        return Coverage(name, claim, *numbers, share, low, high, None, None, remark)
    within = high >= promised
    words = (
        f"promised in {promised:.4g} of seeds; the {100 * level:g} % interval "
        f"{'reaches' if within else 'ends below'} that"
    )
    reason = "; ".join(part for part in (words, remark) if part)
    return Coverage(name, claim, *numbers, share, low, high, promised, "holds" if within else "fails", reason)


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"
