"""What an ensemble's trackers said, by step and member, until each member's history is written out."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.training.ensemble_states import EnsembleState, EnsembleTracker
from pinn_ntk.training.trackers import Array


@dataclass(frozen=True)
class _Row:
    """One tracked step: its members, those of them that trackers were asked about, and what they said."""

    step: int
    members: tuple[int, ...]
    basic: Mapping[str, Array]
    asked: tuple[int, ...]
    values: Mapping[str, Array]


@dataclass
class Ledger:
    """Rows as they grow, and the time that went into asking.

    Attributes:
        trackers: what is asked.
        size: members of the batch, among whom its time is shared.
        rows: the answers.
        spent: seconds of tracking.
        begin: when training began.
    """

    trackers: Sequence[EnsembleTracker]
    size: int
    rows: list[_Row] = field(default_factory=list)
    spent: float = 0.0
    begin: float = field(default_factory=time.perf_counter)

    @property
    def training(self) -> float:
        """Seconds of training so far, tracking excluded."""
        return time.perf_counter() - self.begin - self.spent

    def ask(self, state: EnsembleState, finite: Sequence[int]) -> tuple[int, ...]:
        """One more row; of members that are not finite only what needs no eigenvalues.

        Args:
            state: of the members to be recorded.
            finite: places in it of the members that trackers can be asked about.

        Returns:
            Members whose kernel turned out not finite; they have no row.
        """
        if not state.members or (
            self.rows and self.rows[-1].step == state.step and set(state.members) <= set(self.rows[-1].members)
        ):
            return ()
        start = time.perf_counter()
        share = np.full(len(state.members), (start - self.begin - self.spent) / self.size)
        step = np.full(len(state.members), float(state.step))
        basic = {"step": step, "time": step * _numpy(state.step_size), "loss": _numpy(state.loss), "seconds": share}
        asked, values, broken = state.select(finite), {}, set[int]()
        for tracker in self.trackers if asked.members else ():
            values.update({name: _numpy(value) for name, value in tracker(asked).items()})
            broken |= set(getattr(tracker, "not_finite", ()))
        kept = [i for i, m in enumerate(state.members) if m not in broken]
        good = [i for i, m in enumerate(asked.members) if m not in broken]
        row = _Row(
            state.step,
            tuple(state.members[i] for i in kept),
            {name: value[kept] for name, value in basic.items()},
            tuple(asked.members[i] for i in good),
            {name: value[good] for name, value in values.items()},
        )
        self.rows.append(row)
        self.spent += time.perf_counter() - start
        return tuple(sorted(broken))

    def tables(self, members: Sequence[int]) -> list[tuple[dict[str, Array], dict[str, Array]]]:
        """Columns and arrays of each member, over the steps at which it has a row."""
        place = {m: i for i, m in enumerate(members)}
        present, asked = (_mask(self.rows, place, which) for which in (lambda row: row.members, lambda row: row.asked))
        everything = {}
        for name in dict.fromkeys(name for row in self.rows for name in (*row.basic, *row.values)):
            everything[name] = _filled(self.rows, place, name)
        tables = []
        for i in range(len(members)):
            rows, has = present[:, i], bool(asked[:, i].any())
            mine = {
                name: table[rows, i]
                for name, table in everything.items()
                if has or name in ("step", "time", "loss", "seconds")
            }
            columns = {name: table for name, table in mine.items() if table.ndim == 1}
            tables.append((columns, {name: table for name, table in mine.items() if table.ndim > 1}))
        return tables


def _mask(rows: Sequence[_Row], place: Mapping[int, int], which: Callable[[_Row], tuple[int, ...]]) -> np.ndarray:
    mask = np.zeros((len(rows), len(place)), dtype=bool)
    for t, row in enumerate(rows):
        mask[t, [place[m] for m in which(row)]] = True
    return mask


def _filled(rows: Sequence[_Row], place: Mapping[int, int], name: str) -> Array:
    """The values of one name, (rows, members, …), NaN where nobody asked."""
    shape = next(table[name].shape[1:] for row in rows for table in (row.values, row.basic) if name in table)
    filled = np.full((len(rows), len(place), *shape), np.nan)
    for t, row in enumerate(rows):
        for members, table in ((row.members, row.basic), (row.asked, row.values)):
            if name in table:
                filled[t, [place[m] for m in members]] = table[name]
    return filled


def _numpy(value: Tensor) -> Array:
    return value.detach().to(device="cpu", dtype=torch.float64).numpy()  # on the CPU: columns and files are numpy's
