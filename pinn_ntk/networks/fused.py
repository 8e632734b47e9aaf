"""Compiled sums: one pass forward and one backward over rows × neurons,
which recompute σ⁽ᵏ⁾ instead of storing n×N arrays.

    forward:   Σ_k a_kφ_k(x_i) for every row,     backward:   Σ_i e_iφ_k(x_i) and Σ_i e_i∇_wφ_k(x_i) for every neuron.

The formulas are those of `features` and `sums`. Only x·w and the sums over rows are written out coordinate by
coordinate, so that torch.compile makes one vectorised loop of all of it, in C++ on a CPU and in Triton on a GPU. Sizes
are symbols: one compilation serves all n and N of a structure. Where there is no compiler, or not work enough to pay
for one, `sums` does the same by products of matrices.
"""

import logging
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.activations import Activation
from pinn_ntk.arguments import choose
from pinn_ntk.networks.features import System, contracted_gradient, neuron_terms
from pinn_ntk.operators.rows import Rows
from pinn_ntk.rules import checked

PREFERENCES = ("auto", "always", "never")
_COORDINATES = 12  # D up to which products are written out
_SAVED = {"cpu": 15e-9, "cuda": 0.4e-9}  # seconds for each row × neuron of a step
_CALLS = {"cpu": 0.0, "cuda": 2e-4}  # seconds for each step
_COMPILATION = 10.0  # seconds that a compilation may take: less is not worth one
# everything into one loop: by default a value that is used twice, such as tanh, is stored in between
_OPTIONS: dict[str, Any] = dict.fromkeys(
    ("realize_reads_threshold", "realize_opcount_threshold", "realize_acc_reads_threshold"), 10**6
)
_log = logging.getLogger(__name__)
_preference = "auto"
_failed: set[object] = set()
_used: set[str] = set()
_orphaned = False


def _after_fork() -> None:
    """A child of a process that has compiled has its compiler's queues without the threads that serve them,
    and would wait for ever.
    """
    global _orphaned
    _orphaned = "torch._inductor" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@checked
@contextmanager
def compiling(preference: str) -> Iterator[set[str]]:
    """Whether steps are compiled, within a `with`: 'auto' where it pays, 'always' or 'never'.

    Yields:
        The ways, forward and backward, in which compiled sums are used, as they come to be.

    Raises:
        ValueError: another word.

    Examples:
        >>> from pinn_ntk import TwoLayer, box, compiling, gradient_descent, laplacian, pose
        >>> problem, net = pose(laplacian(1), box(0, 1), exact="x**2", points=8), TwoLayer(1, width=8)
        >>> with compiling("never") as used:
        ...     states = list(gradient_descent(net, problem, steps=2))
        >>> used, len(states)
        (set(), 3)
    """
    global _preference, _used
    before, _preference, _used = (
        (_preference, _used),
        choose("compile", preference, {name: name for name in PREFERENCES}),
        set(),
    )
    try:
        yield _used
    finally:
        _preference, _used = before


def accelerated(system: Any, network: Any, steps: int, members: int = 1) -> Any:
    """The system, its sums compiled where that is possible and `pays`.

    Args:
        system: of neurons; any other is returned as it is.
        network: of which it is, or one of the members.
        steps: evaluations of residual and gradient that are to come.
        members: networks of that width that are trained together.
    """
    if not isinstance(system, System):
        return system
    inputs = system.rows[0].x.shape[1]
    return replace(system, compiled=pays(system.points * members * network.width, inputs, steps, system.target.device))


def pays(elements: int, inputs: int, steps: int, device: torch.device) -> bool:
    """Whether steps are compiled: as preferred, under 'auto' where steps × rows × neurons are worth a compiler's
    seconds.

    Args:
        elements: rows × neurons of one step.
        inputs: D, up to 12.
        steps: that are to come.
        device: where.
    """
    if _orphaned or _preference == "never" or inputs > _COORDINATES:
        return False
    saved = steps * (_SAVED.get(device.type, 0.0) * elements + _CALLS.get(device.type, 0.0))
    return _preference == "always" or saved > _COMPILATION


def written_out(x: Tensor, w: Tensor) -> Tensor:
    """XWᵀ as a sum over coordinates, which fuses with what follows."""
    total = x[:, 0, None] * w[..., None, :, 0]
    for j in range(1, x.shape[1]):
        total = total + x[:, j, None] * w[..., None, :, j]
    return total


def summed_moments(e: Tensor, coefficient: Tensor, values: Tensor | None) -> Tensor:
    """Σ_i e_i C_ij values_ik, (…, N, j), as sums that fuse with what precedes."""
    assert values is not None
    if coefficient.shape[0] == 1 and values.shape[-2] != 1:
        return (values * e[..., None]).sum(-2)[..., None] * coefficient
    return torch.stack([(values * (e * coefficient[:, j])[..., None]).sum(-2) for j in range(coefficient.shape[1])], -1)


def forward_sum(system: System, a: Tensor, w: Tensor) -> Tensor | None:
    """Σ_k a_kφ_k(x_i), (…, n), compiled; None where that failed."""
    found: Tensor | None = _called("forward", system, a, w)
    return found


def backward_sums(system: System, w: Tensor, e: Tensor) -> tuple[Tensor, Tensor] | None:
    """(Σ_i e_iφ_k, Σ_i e_i∇_wφ_k), (…, N) and (…, N, D), compiled; None where that failed."""
    found: tuple[Tensor, Tensor] | None = _called("backward", system, e, w)
    return found


def _called(way: str, system: System, vector: Tensor, w: Tensor) -> Any:
    """The compiled function of that structure on these rows."""
    structures, leaves = zip(*(_flat(r) for r in system.rows), strict=True)
    key = (system.activation, structures)
    if _orphaned or key in _failed:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the compiler, about itself
            found = _compiled(way, *key)(vector, w.mT.contiguous(), [t for own in leaves for t in own])
    except Exception as error:
        _failed.add(key)
        words = str(error).strip().splitlines()
        _log.warning(
            "compile: no compiled step (%s: %s); going on without",
            type(error).__name__,
            words[0] if words else "no message",
        )
        return None
    _used.add(way)
    return found


@cache
def _compiled(way: str, activation: Activation, structures: tuple[Any, ...]) -> Callable[..., Any]:
    """torch.compile of one way for blocks of that structure."""
    activation = replace(activation, jet=activation.lean or activation.jet)

    def forward(a: Tensor, wt: Tensor, leaves: list[Tensor]) -> Tensor:
        parts = []
        for rows in _rebuilt(structures, leaves):
            phi = neuron_terms(rows, activation, wt.mT, False, written_out).phi
            parts.append((phi * a[..., None, :]).sum(-1))
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    def backward(e: Tensor, wt: Tensor, leaves: list[Tensor]) -> tuple[Tensor, Tensor]:
        by_a, by_w, start, w = None, None, 0, wt.mT
        for rows in _rebuilt(structures, leaves):
            own = e[..., start : start + rows.x.shape[0]]
            start = start + rows.x.shape[0]
            terms = neuron_terms(rows, activation, w, True, written_out)
            by_phi, by_slope = (
                (terms.phi * own[..., None]).sum(-2),
                contracted_gradient(rows, terms, w, own, summed_moments),
            )
            by_a, by_w = (by_phi, by_slope) if by_a is None or by_w is None else (by_a + by_phi, by_w + by_slope)
        assert by_a is not None and by_w is not None
        return by_a, by_w

    chosen = forward if way == "forward" else backward
    # a code object of its own: torch counts recompilations by code, and gives up after eight structures
    own = types.FunctionType(
        chosen.__code__.replace(), chosen.__globals__, chosen.__name__, chosen.__defaults__, chosen.__closure__
    )
    return torch.compile(own, dynamic=True, options=_OPTIONS)


def _flat(rows: Rows) -> tuple[tuple[Any, ...], list[Tensor]]:
    """What the compiled code depends on, and the tensors."""
    own = (rows.x, rows.alpha, rows.patterns, rows.b, rows.c)
    present = tuple(None if t is None else t.shape[0] == 1 for t in own[1:])
    minus, more = (None, []) if rows.minus is None else _flat(rows.minus)
    return (rows.x.shape[1], present, minus), [t for t in own if t is not None] + more


def _rebuilt(structures: tuple[Any, ...], leaves: list[Tensor]) -> list[Rows]:
    """The rows of all blocks."""
    queue = list(leaves)
    return [_one(structure, queue) for structure in structures]


def _one(structure: tuple[Any, ...], queue: list[Tensor]) -> Rows:
    x = queue.pop(0)
    parts = [None if flag is None else queue.pop(0) for flag in structure[1]]
    minus = None if structure[2] is None else _one(structure[2], queue)
    return Rows(x, parts[0], parts[1], parts[2], parts[3], minus)
