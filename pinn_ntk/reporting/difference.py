"""Two runs side by side: what differs in configurations, in what made them, and in results, and whether by rounding."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pinn_ntk.reporting.measures import Measure, Verdict, measures, only_one
from pinn_ntk.reporting.outcome import flat
from pinn_ntk.reporting.results import read_results

ROUNDINGS = 1e4
"""So many ε of the precision, times a quantity's scale, are what sums over n·N terms in another order may differ by."""
_MADE = ("versions", "commit", "threads", "processes", "chunk", "compiled", "machine", "device")
_IN_CONFIG_ONLY = ("output", "report", "logger", "checkpoint", "name")


@dataclass(frozen=True)
class Difference:
    """Two runs compared.

    Attributes:
        config: (key, one, two) of the configurations, without what changes no number.
        keys: how many keys there are.
        made: (fact, one, two) of versions, commits, threads and machine.
        facts: how many facts there are.
        results: all that were compared.
        only_one: (result, 1 or 2) of what only one of both has, which is compared with nothing.
        allowance: the share of its scale by which a number may differ by rounding.
    """

    config: tuple[tuple[str, Any, Any], ...]
    keys: int
    made: tuple[tuple[str, Any, Any], ...]
    facts: int
    results: tuple[Measure, ...]
    only_one: tuple[tuple[str, int], ...]
    allowance: float

    @property
    def verdict(self) -> Verdict:
        """The worst of all results."""
        return max((m.verdict for m in self.results), key=list(Verdict).index)

    @property
    def words(self) -> str:
        """It in a sentence."""
        worst = max((m.size for m in self.results if m.size is not None and math.isfinite(m.size)), default=0.0)
        many = f"{len(self.results)} results"
        if self.verdict is Verdict.SAME:
            return f"The same to the bit: {many}."
        if self.verdict is Verdict.ROUNDING:
            largest = f"the largest difference {worst:.2g} of its scale; {self.allowance:.2g} is allowed"
            return f"The same up to rounding: {many}, {largest}."
        cause = (
            "what differs in the configuration"
            if self.config
            else "rounding that training has amplified"
            if self.made
            else "what neither record tells"
        )
        if self.verdict is Verdict.GROWN:
            return f"The same at the start up to rounding, and {worst:.2g} of its scale apart later: by {cause}."
        size = f": up to {worst:.2g} of its scale" if worst else ""
        return f"Different, and not by rounding{size}."

    def summary(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "verdict": str(self.verdict),
            "words": self.words,
            "config": [{"key": k, "one": a, "two": b} for k, a, b in self.config],
            "made": [{"fact": k, "one": a, "two": b} for k, a, b in self.made],
            "results": [{**vars(m), "verdict": str(m.verdict)} for m in self.results],
            "only_one": [{"name": name, "run": run} for name, run in self.only_one],
            "allowance": self.allowance,
        }


def compare_runs(one: Path, two: Path) -> Difference:
    """Both runs side by side; or both sweeps, or both studies.

    A number is the same up to rounding where |x − y| ≤ 10⁴·ε·scale: scale is √(2R_S(0)) for √(2R_S), λ_max for
    eigenvalues, the largest entry for parameters, the largest value for any other series; ε that of the less precise
    run. What follows from λ_S is rounded as λ_S is.

    Args:
        one: the folder of a run.
        two: of another.

    Raises:
        ValueError: a folder that holds nothing that is over, a damaged file in it, or a run beside a sweep.
    """
    a, b = read_results(one), read_results(two)
    if a.kind != b.kind:
        raise ValueError(f"RUN: got a {a.kind} in {str(one)!r} and a {b.kind} in {str(two)!r}, expected two of a kind")
    single = "float32" in (a.summary.get("dtype"), b.summary.get("dtype"))
    allowance = ROUNDINGS * float(np.finfo(np.float32 if single else np.float64).eps)
    config = [flat(run.summary.get("config") or {}) for run in (a, b)]
    config = [{k: v for k, v in c.items() if k.split(".")[0] not in _IN_CONFIG_ONLY} for c in config]
    made = [flat({k: run.summary[k] for k in _MADE if k in run.summary}) for run in (a, b)]
    made = [{k: v for k, v in facts.items() if not k.endswith("peak_bytes")} for facts in made]
    return Difference(
        _unequal(*config), len({*config[0], *config[1]}), _unequal(*made), len({*made[0], *made[1]}),
        tuple(measures(a, b, allowance)), tuple(only_one(a, b)), allowance,
    )  # fmt: skip


def _unequal(one: Mapping[str, Any], two: Mapping[str, Any]) -> tuple[tuple[str, Any, Any], ...]:
    pairs = ((key, one.get(key), two.get(key)) for key in dict.fromkeys([*one, *two]))
    return tuple((key, x, y) for key, x, y in pairs if x != y)
