"""Sums over neurons for rows, and sums over rows for neurons, shared out to the processes of a run.

    Σ_k t_k(x_i): each process does its own rows, or where they are few its own chunks of neurons;   Σ_i t_i(w_k): its
    own neurons.

Each row, chunk and neuron is summed as one process sums it, and chunks are added in one order: the numbers are the same
to the bit.
"""

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor

from pinn_ntk import parallel
from pinn_ntk.networks.features import System

_UNIT = 64  # rows of a block: with fewer, or at other places, BLAS adds in another order


def over_neurons(
    system: System, like: Tensor, parts: Sequence[slice], one: Callable[[System, slice], Tensor], sharing: bool
) -> Tensor:
    """Σ over chunks of neurons of one(rows, chunk), (…, n).

    Args:
        system: the rows.
        like: a (…, N), for what is in front of the n.
        parts: the chunks; with a compiled `one`, a single chunk of all.
        one: of some rows and one chunk.
        sharing: whether the processes of this run share it.
    """
    n, shape, units = system.points, like.shape[:-1], _units(system) if sharing else []
    by_rows = len(units) >= parallel.size()
    if not sharing or not (by_rows or len(parts) > 1):
        return added(one(system, part) for part in parts)
    if not by_rows:
        pieces = like.new_zeros(len(parts), *shape, n)
        spans = parallel.spans(len(parts), 1)
        for index in range(*spans[parallel.rank()].indices(len(parts))):
            pieces[index] = one(system, parts[index])
        parallel.exchange([pieces[span] for span in spans], range(len(spans)))
        return added(pieces)
    dealt = [units[span] for span in parallel.spans(len(units), 1)]
    total, spans = like.new_zeros(*shape, n), [slice(own[0].start, own[-1].stop) for own in dealt]
    own = spans[parallel.rank()]
    rows = system.select(own)
    total[..., own] = added(one(rows, part) for part in parts)
    parallel.exchange([total[..., span] for span in spans], range(len(spans)))
    return total


def over_rows(
    totals: Sequence[Tensor], parts: Sequence[slice], one: Callable[[slice], Sequence[Tensor]], sharing: bool
) -> None:
    """Fill arrays (…, N, ·) with one(neurons), chunk by chunk.

    Args:
        totals: to be filled.
        parts: the chunks; a single one, of all, is divided between the processes.
        one: sums over all rows for some neurons, in the order of the totals.
        sharing: whether the processes of this run share it.
    """
    if not sharing:
        mine, spans = list(parts), []
    elif len(parts) > 1:
        dealt = parallel.spans(len(parts), 1)
        mine = list(parts[dealt[parallel.rank()]])
        spans = [slice(parts[d][0].start, parts[d][-1].stop) if parts[d] else slice(0, 0) for d in dealt]
    else:
        spans = parallel.spans(totals[0].shape[-2])
        mine = [spans[parallel.rank()]]
    for part in mine:
        if part.start < part.stop:
            for total, found in zip(totals, one(part), strict=True):
                total[..., part, :] = found
    if sharing:
        pieces = [total[..., span, :] for span in spans for total in totals]
        parallel.exchange(pieces, [r for r in range(len(spans)) for _ in totals])


def _units(system: System) -> list[slice]:
    """Rows that are not divided: 64 of a block, and up to 127 at its end."""
    found, start = [], 0
    for rows in system.rows:
        bounds = [start + _UNIT * i for i in range(max(1, len(rows) // _UNIT))] + [start + len(rows)]
        found += [slice(*pair) for pair in zip(bounds, bounds[1:], strict=False)]
        start += len(rows)
    return found


def added(terms: Iterable[Tensor]) -> Tensor:
    """Their sum, the first one first."""
    total: Tensor | None = None
    for term in terms:
        total = term if total is None else total + term
    assert total is not None  # there is no network without neurons
    return total
