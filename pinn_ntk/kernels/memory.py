"""Memory is predicted before it is taken, and a chunk is halved when an allocation fails all the same."""

import os
import sys
from collections.abc import Callable
from typing import TypeVar

import torch

from pinn_ntk import parallel

Result = TypeVar("Result")
MIN_CHUNK = 1


class MemoryShortageError(MemoryError):
    """More memory is needed than there is, also in the smallest chunks."""


def available_bytes(device: torch.device | str) -> int:
    """Free memory of that device: of the machine (what the kernel says is available) for the CPU.

    Where several processes share a run each has its part of it, and the least of them counts, so that all decide alike.
    """
    device = torch.device(device)
    free = _free(device)
    return int(parallel.least(free // parallel.local()[1] if device.type == "cpu" else free))


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        with open("/proc/meminfo", encoding="ascii") as table:
            fields = dict(line.split(":", 1) for line in table)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def peak_bytes(device: torch.device | str) -> int | None:
    """The most memory that this process has held so far: resident on the CPU, allocated by torch on a GPU;
    None where nobody counts.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if sys.platform == "win32":
        return None
    import resource  # not there on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def require_bytes(needed: int, device: torch.device | str, what: str) -> None:
    """Refuse what cannot fit before it is allocated.

    Raises:
        MemoryShortageError: with both sizes and what to change.
    """
    free = available_bytes(device)
    if needed > free:
        raise MemoryShortageError(
            f"{what}: needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are available on {device}; use "
            "fewer points (it grows as n²)"
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is an allocation that failed, on the CPU or on a GPU."""
    words = ("can't allocate memory", "out of memory", "not enough memory", "alloc_cpu")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError)
        and not isinstance(error, parallel.RankError)
        and any(w in str(error).lower() for w in words)
    )


def with_backoff(compute: Callable[[int], Result], chunk: int) -> tuple[Result, int]:
    """compute(chunk), with the chunk halved after each failed allocation.

    Returns:
        The result and the chunk that worked.

    Raises:
        MemoryShortageError: not even the smallest chunk fits.
    """
    while True:
        try:
            return compute(chunk), chunk
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or isinstance(error, MemoryShortageError):
                raise
            if chunk <= MIN_CHUNK:
                raise MemoryShortageError(
                    f"out of memory with the smallest chunk ({MIN_CHUNK} neuron at a time): {error}"
                ) from error
            chunk = max(MIN_CHUNK, chunk // 2)
