"""One run in several processes: each holds θ and all rows and does a share of the sums,
which are then put together in every one.

Started as `torchrun --nproc-per-node=2 -m pinn_ntk …`. Every process takes the same steps; sums that are worth it are
shared out. Rows of a kernel, rows of a residual and neurons of a gradient are computed as one process computes them, so
that the numbers are the same to the bit. Only kernels of few rows are shared by neurons, and there the last digits
differ.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

PATIENCE = 600.0
"""Seconds that a process waits for another before it takes it for dead."""
_GRACE = 3.0  # seconds in which those that are alive say so
_UNIT = 64  # rows or neurons: shares begin where a vector register does, in one process as in many


class RankError(RuntimeError):
    """Another process of the run has died, hangs, or has ended before its time."""


@dataclass(frozen=True)
class _Group:
    """The processes of this run, and the table through which they tell why they end."""

    rank: int = 0
    size: int = 1
    table: Any = None


_group = _Group()


def started() -> int:
    """How many processes a launcher such as torchrun says it has started; 1 without one.

    Raises:
        ValueError: it says it in a way that is no number.
    """
    if not all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")):
        return 1
    try:
        return max(1, int(os.environ["WORLD_SIZE"])) if int(os.environ["RANK"]) >= 0 else 1
    except ValueError:
        raise ValueError(
            f"RANK, WORLD_SIZE: got {os.environ['RANK']!r}, {os.environ['WORLD_SIZE']!r}, expected whole numbers"
        ) from None


def first() -> bool:
    """Whether this process is the one that speaks and writes: rank 0, before and after the processes have met."""
    return started() == 1 or int(os.environ["RANK"]) == 0


def local() -> tuple[int, int]:
    """Number of this process among those of the same machine, and how many those are: 0 and 1 without a launcher."""
    if started() == 1:
        return 0, 1
    own, count = (os.environ.get(name, "") for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    return (int(own), int(count)) if own.isdecimal() and count.isdecimal() else (int(os.environ["RANK"]), started())


def rank() -> int:
    """Number of this process, from 0."""
    return _group.rank


def size() -> int:
    """How many processes share the work: 1 outside of `joined`."""
    return _group.size


@contextmanager
def joined(gpu: bool = False, patience: float = PATIENCE) -> Iterator[None]:
    """The processes that a launcher has started share sums, within a `with`; nothing happens where there is one.

    Args:
        gpu: whether tensors are on GPUs, one for each process.
        patience: seconds that one waits for another.

    Raises:
        RankError: they do not meet, or are not alike; later, from whatever is shared, when one of them dies or hangs.

    Examples:
        >>> from pinn_ntk import parallel
        >>> with parallel.joined():  # without torchrun: one process, which has everything to itself
        ...     parallel.rank(), parallel.size()
        (0, 1)
    """
    global _group
    if started() == 1 or _group.size > 1:
        yield
        return
    before, _group = _group, _met(gpu, patience)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, RankError):
            leave(f"{type(error).__name__}: {error}")
        raise
    finally:
        _group = before
        dist.destroy_process_group()


def _met(gpu: bool, patience: float) -> _Group:
    wait = timedelta(seconds=patience)
    try:
        table, own, size = next(rendezvous("env://", timeout=wait))
        table.set_timeout(wait)
        backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
        dist.init_process_group(backend, store=PrefixStore("sums", table), rank=own, world_size=size, timeout=wait)
    except (RuntimeError, ValueError, OSError) as error:
        raise RankError(
            f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']} does not meet the others: {_line(error)}"
        ) from error
    group = _Group(own, size, PrefixStore("pinn_ntk", table))
    alike = f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    group.table.set(f"machine/{own}", alike)
    for other in range(size):
        found = group.table.get(f"machine/{other}").decode()
        if found != alike:
            dist.destroy_process_group()
            raise RankError(
                f"rank {own} has {alike}; rank {other} has {found}: expected the same, or their numbers part"
            )
    return group


def spans(count: int, unit: int = _UNIT) -> list[slice]:
    """Rows, neurons or chunks for each process: contiguous, whole units, some empty where there are few.

    Args:
        count: of all.
        unit: that is not divided.
    """
    units = -(-count // unit)
    bounds = [min(count, unit * (units * r // _group.size)) for r in range(_group.size + 1)]
    return [slice(start, stop) for start, stop in zip(bounds, bounds[1:], strict=False)]


def dealt(costs: Sequence[float]) -> list[int]:
    """An owner for each piece of work, the costliest first to whom has least."""
    load, owners = [0.0] * _group.size, [0] * len(costs)
    for piece in sorted(range(len(costs)), key=lambda i: -costs[i]):
        owners[piece] = min(range(_group.size), key=lambda r: load[r])
        load[owners[piece]] += costs[piece]
    return owners


def exchange(parts: Sequence[Tensor], owners: Sequence[int]) -> None:
    """Fill each part, in place, with what its owner has there.

    Args:
        parts: of the same shapes everywhere; views will do.
        owners: the process that has each.

    Raises:
        RankError: a process died or hangs.
    """
    if _group.size == 1 or not parts:
        return
    flat = [
        _flat([p for p, owner in zip(parts, owners, strict=True) if owner == r], r == _group.rank, parts[0])
        for r in range(_group.size)
    ]
    # each to each: several times faster than gathering, on one machine
    others = [r for r in range(_group.size) if r != _group.rank]
    sent = [dist.P2POp(dist.isend, flat[_group.rank], r) for r in others if flat[_group.rank].numel()]
    received = [dist.P2POp(dist.irecv, flat[r], r) for r in others if flat[r].numel()]

    def all_of_it() -> None:
        for each in dist.batch_isend_irecv([*sent, *received]):
            each.wait()

    _together(all_of_it)
    taken = [0] * _group.size
    for part, owner in zip(parts, owners, strict=True):
        if owner != _group.rank:
            part.copy_(flat[owner][taken[owner] : taken[owner] + part.numel()].view(part.shape))
            taken[owner] += part.numel()


def _flat(parts: Sequence[Tensor], filled: bool, like: Tensor) -> Tensor:
    """Room for some parts in a row, with what is in them or without."""
    if filled and parts:
        return torch.cat([p.reshape(-1) for p in parts])
    return like.new_empty(sum(p.numel() for p in parts))


def summed(value: Tensor) -> Tensor:
    """Σ over processes, in place."""
    if _group.size > 1:
        _together(lambda: dist.all_reduce(value))
    return value


def any_rank(flag: bool) -> bool:
    """Whether it is so in any process."""
    return least(-float(flag)) < 0.0


def least(value: float) -> float:
    """The least that any process has."""
    if _group.size == 1:
        return value
    held = torch.tensor([value], dtype=torch.float64, device="cpu")
    _together(lambda: dist.all_reduce(held, op=dist.ReduceOp.MIN))
    return float(held)


def _together(work: Callable[[], object]) -> None:
    """A collective; when it fails, the processes that did not say why they stopped are named."""
    try:
        work()
    except (RuntimeError, ValueError) as error:
        raise RankError(f"rank {_group.rank} of {_group.size} stops: {_blamed()} ({_line(error)})") from error


def leave(why: str) -> None:
    """Say why this process ends before the others, who will repeat it; nothing happens outside of `joined`."""
    with suppress(Exception):  # the table may be gone with its keeper
        _group.table.set(f"left/{_group.rank}", why)


def _blamed() -> str:
    """Who is missing, or who ended by itself and why."""
    leave("")
    silent, told = [], []
    for other in range(_group.size):
        try:
            _group.table.wait([f"left/{other}"], timedelta(seconds=_GRACE))
            why = _group.table.get(f"left/{other}").decode(errors="replace")
        except Exception:
            silent.append(other)
        else:
            told += [f"rank {other} ended with {_line(why)}"] if why else []
    if told:
        return "; ".join(told)
    if not silent:
        return "the processes lost one another"
    ranks = ", ".join(map(str, silent))
    return (
        f"rank {ranks} {'does' if len(silent) == 1 else 'do'} not answer: dead, or hanging for longer than "
        "device.patience"
    )


def _line(text: object) -> str:
    lines = str(text).strip().splitlines()
    return lines[0][:120] if lines else "no message"
