"""What every worker shares: arguments, the same numbers for all, and the median time of a call. Imported by path,
in any environment.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np


def arguments() -> argparse.Namespace:
    """Sizes, precision and seconds, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=2048)
    parser.add_argument("--N", type=int, default=1024)
    parser.add_argument("--d", type=int, default=2)
    parser.add_argument("--dtype", default="float64", choices=("float64", "float32"))
    parser.add_argument("--seconds", type=float, default=2.0)
    return parser.parse_args()


def data(n: int, N: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(x, w, bias, a): points in the unit cube and weights ~ N(0, 1), a ~ N(0, 1/N)."""
    rng = np.random.default_rng(0)
    return rng.random((n, d)), rng.standard_normal((N, d)), rng.standard_normal(N), rng.standard_normal(N) / np.sqrt(N)


def median_ms(call: Callable[[], object], seconds: float, least: int = 3) -> float:
    """The median time of a call, in ms, over that many seconds, after two calls to warm up."""
    call()
    call()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < least or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(taken)


def report(ms: float, check: float, version: str) -> None:
    """One line that the script reads: the time, a number that all workers have to agree on, and whose version it is."""
    print(f"result,{ms!r},{check!r},{version}", flush=True)
