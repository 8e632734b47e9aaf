"""The journal of a run: what trackers say of its states, row by row, and R_S at every step."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.training.states import State, Status

Value = float | Tensor
Tracker = Callable[[State], Mapping[str, Value]]
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass
class Journal:
    """What was tracked so far.

    Attributes:
        rows: numbers and arrays of each tracked step.
        losses: R_S at every step.
        seconds: of training before, in a run that goes on.
        listeners: told of each new row, such as loggers.
    """

    rows: list[Mapping[str, Value]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    listeners: list[Callable[[Mapping[str, Value]], None]] = field(default_factory=list)

    @property
    def last(self) -> int | None:
        """The last tracked step; None before the first."""
        return int(self.rows[-1]["step"]) if self.rows else None

    def ask(self, trackers: Sequence[Tracker], state: State, seconds: float) -> None:
        """One more row, unless that step has one; of a state that is not finite only what needs no eigenvalues."""
        if self.rows and self.rows[-1]["step"] == state.step:
            return
        row: dict[str, Value] = {"step": float(state.step), "time": state.time, "loss": state.loss, "seconds": seconds}
        if state.status is not Status.NON_FINITE:
            for tracker in trackers:
                row.update(tracker(state))
        self.rows.append(row)
        for listener in self.listeners:
            listener(row)

    def columns(self) -> dict[str, Array]:
        """Numbers by name, NaN where a step has none, (T,)."""
        names = {name: None for row in self.rows for name, v in row.items() if not isinstance(v, Tensor)}
        return {name: np.array([row.get(name, math.nan) for row in self.rows], dtype=np.float64) for name in names}

    def arrays(self) -> dict[str, Array]:
        """Arrays by name, stacked, (T, …)."""
        names = {name: None for row in self.rows for name, v in row.items() if isinstance(v, Tensor)}
        shapes = {name: next(_numpy(row[name]).shape for row in self.rows if name in row) for name in names}
        return {
            name: np.stack([_numpy(row[name]) if name in row else np.full(shapes[name], math.nan) for row in self.rows])
            for name in names
        }


def _numpy(value: Value) -> Array:
    # on the CPU: columns and files are numpy's
    return torch.as_tensor(value, dtype=torch.float64, device="cpu").detach().numpy()
