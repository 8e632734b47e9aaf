"""What OpenMP and the allocator are told before torch is loaded, unless the environment says otherwise.

OpenMP's threads spin for milliseconds by default while they wait for one another. On a machine shared with other work
the spinning thread takes the processor from the one that is waited for, and small steps become many times slower;
threads that sleep at once have to be woken for every small region, also on a quiet machine. Some hundred turns are near
the better of both.

glibc hands arrays above 128 KiB back to the system when they are freed, and each one that follows is faulted in page by
page, which costs a step of several arrays of some MiB a large part of its time.
"""

import ctypes
import os
import sys

_TURNS = "500"
_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of mallopt(3)
_KEPT, _HEAP = (
    1 << 28,
    1 << 25,
)  # bytes of free memory that stay with the process; arrays up to that size come from its heap

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", _TURNS)
if sys.platform == "linux" and not any(name.startswith("MALLOC_") for name in os.environ):
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        pass
    else:
        mallopt(_TRIM, _KEPT)
        mallopt(_MMAP, _HEAP)
