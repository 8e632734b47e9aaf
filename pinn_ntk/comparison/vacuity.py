"""The one rule for what is true and says nothing: nothing has happened yet that the statement could have survived."""

from collections.abc import Sequence

import numpy as np

from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.training.trackers import History

ANY = ("max_delta_a", "max_delta_w", "max_delta")
"""Displacements of θ, whatever the network is."""
INNER, OUTER = ("max_delta_w",), ("max_delta_a",)
"""Those of inner weights, on which alone K̂^(a) depends, and of outer weights."""

THIN = (
    "fewer than two states were tracked, the bound falls by less than one e-fold, or θ moves by less than its rounding"
)
"""The rule in words."""


def thin(history: History, eps: float, e_folds: float | None, follows: Sequence[str]) -> str:
    """Why a statement about θ(t) that would hold says nothing; '' where it says something.

    Args:
        history: what was measured.
        eps: ε of the run.
        e_folds: by how many its bound fell; None of one that does not fall.
        follows: displacement columns of the parameters that it is about.
    """
    if len(history.columns.get("step", ())) < 2:
        return "fewer than two states were tracked"
    if e_folds is not None and e_folds < 1.0:
        return f"the bound fell by {e_folds:.2g} e-folds only"
    moved = {name: history.columns[name] for name in follows if name in history.columns}
    if moved and all(np.nanmax(values, initial=0.0) <= eps * _size(history, name) for name, values in moved.items()):
        return "θ moved by less than its rounding"
    return ""


def _size(history: History, name: str) -> float:
    """max |θ⁰| over the parameters of that displacement; 0 where it is not known, so that any motion counts."""
    start = history.final.start
    if not isinstance(start, TwoLayer):
        # read back: a number that a verdict depends on
        return max((float(p.detach().abs().max()) for p in start.module.parameters() if p.numel()), default=0.0)
    weights = {"max_delta_a": start.a0, "max_delta_w": start.w0}.get(name)
    # read back: a number that a verdict depends on
    return 0.0 if weights is None else float(weights.abs().max())
