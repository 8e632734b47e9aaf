"""Coverage: the exact binomial interval, and what it decides about a promise of 1 − δ."""

import itertools
import math

import pytest

from pinn_ntk.comparison import Coverage, Promise, Statement, Verdict, clopper_pearson, coverage


def tail(successes: range, trials: int, p: float) -> float:
    return sum(math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in successes)


@pytest.mark.parametrize(("x", "n"), [(1, 1), (0, 5), (5, 5), (3, 10), (18, 20), (97, 100), (199, 200)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_ends_are_where_a_binomial_tail_equals_its_share(x: int, n: int, level: float) -> None:
    low, high = clopper_pearson(x, n, level)
    assert low == 0.0 if x == 0 else tail(range(x, n + 1), n, low) == pytest.approx((1 - level) / 2, rel=1e-9)
    assert high == 1.0 if x == n else tail(range(x + 1), n, high) == pytest.approx((1 - level) / 2, rel=1e-9)
    assert low <= x / n <= high


def test_the_interval_covers_at_least_as_often_as_it_says() -> None:
    n, level = 20, 0.9
    ends = [clopper_pearson(x, n, level) for x in range(n + 1)]
    for p in (0.03, 0.2, 0.5, 0.77, 0.9, 0.99):
        covered = sum(tail(range(x, x + 1), n, p) for x, (low, high) in enumerate(ends) if low <= p <= high)
        assert covered >= level
    widths = [high - low for low, high in (clopper_pearson(m // 2, m) for m in (10, 100, 1000))]
    assert all(b < a for a, b in itertools.pairwise(widths))


@pytest.mark.parametrize("bad", [(3, 2, 0.95), (-1, 2, 0.95), (0, 0, 0.95), (1, 2, 1.0)])
def test_impossible_counts_are_refused(bad: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 ≤ successes ≤ trials"):
        clopper_pearson(*bad)


def members(*verdicts: Verdict) -> list[tuple[Statement, ...]]:
    return [(Statement("claim", "x ≤ y", 1.0, 0.5, 2.0, verdict, f"why {verdict}"),) for verdict in verdicts]


def of(verdicts: list[Verdict], promised: float | None) -> Coverage:
    (found,) = coverage(
        members(*verdicts), {} if promised is None else {"claim": Promise(promised, (True,) * len(verdicts))}
    )
    return found


def test_a_promise_is_broken_only_when_the_whole_interval_lies_below_it() -> None:
    # 14 of 20: the interval is 0.457…0.881; 15 of 20: 0.509…0.913
    assert of(["holds"] * 14 + ["fails"] * 6, 0.9).verdict == "fails"
    found = of(["holds"] * 15 + ["fails"] * 5, 0.9)
    assert found.verdict == "holds"
    assert found.high == pytest.approx(0.913, abs=5e-4)
    assert of(["fails"] * 200, None).verdict is None


def test_seeds_that_cannot_be_judged_are_counted_apart() -> None:
    found = of(["holds", "holds", "fails", "vacuous", "not_applicable"], 0.9)
    assert (found.holds, found.fails, found.vacuous, found.not_applicable) == (2, 1, 1, 1)
    assert found.share == pytest.approx(2 / 3)
    assert (found.low, found.high) == clopper_pearson(2, 3)
    nobody = of(["vacuous", "not_applicable"], 0.9)
    assert (nobody.verdict, nobody.share, nobody.reason) == ("vacuous", None, "why vacuous")
    assert of(["not_applicable"], None).verdict == "not_applicable"


def test_a_promise_is_asked_of_the_seeds_that_meet_its_width() -> None:
    each = members("holds", "holds", "fails", "fails")
    (found,) = coverage(each, {"claim": Promise(0.9, (True, True, True, False))})
    assert (found.holds, found.fails, found.not_applicable) == (2, 1, 1)
    assert "1 seed left out" in found.reason
    (none,) = coverage(each, {"claim": Promise(0.9, (True, False, False, False))})
    assert (none.holds, none.fails, none.promised, none.verdict) == (2, 2, None, None)
    assert "met by 1 of 4" in none.reason
