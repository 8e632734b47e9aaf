"""Which device a run uses ('auto' | 'cpu' | 'cuda' | 'cuda:i'), and with how many threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pinn_ntk import parallel

SMALL = 1 << 19
"""Rows × neurons below which one thread is used: 4 MiB in float64."""
_THREADS = torch.get_num_threads()


def devices_seen() -> list[str]:
    """The devices of this machine by name."""
    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]


def resolve_device(name: str) -> torch.device:
    """The device of that name; 'auto' takes the first GPU, else the CPU.
    Processes of one run on one machine take a GPU each.

    Raises:
        ValueError: no such device here; the ones seen are listed.
    """
    seen = devices_seen()
    own, processes = parallel.local()
    if name == "auto":
        return torch.device(seen[1 + own] if len(seen) > processes else "cpu")
    if processes > 1 and name != "cpu" and (name != "cuda" or len(seen) <= processes):
        raise ValueError(
            f"device: got {name!r} for {processes} processes, expected 'cpu', or 'cuda' with a GPU for each; "
            f"seen: {', '.join(seen)}"
        )
    wanted = f"cuda:{own}" if name == "cuda" else name
    if wanted not in seen:
        raise ValueError(
            f"device: got {name!r}, expected 'auto' or one of {', '.join(seen)}, the devices of this machine"
        )
    return torch.device(wanted)


def full_precision() -> None:
    """Turn TF32 off: it keeps 10 bits of the mantissa, and a published case goes from 1.3e-2 to 1.0 relative error with
    it.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def threads_for(elements: int) -> Iterator[None]:
    """One thread where an array of rows × neurons is small: handing its pieces to several costs more than they save;
    else all of them.

    Args:
        elements: n·N. A number of threads set in the environment is left alone.
    """
    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1 if elements < SMALL else _THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
