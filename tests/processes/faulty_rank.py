"""A run of several processes of which the last one dies, hangs, fails, or is asked to stop:
python faulty_rank.py FAULT PATIENCE.
"""

import os
import signal
import sys
import time

import torch

from pinn_ntk import parallel


def main(fault: str, patience: float) -> None:
    """Share sums until the fault."""
    with parallel.joined(patience=patience):
        last = parallel.rank() == parallel.size() - 1
        for step in range(1000):
            parallel.exchange(
                [torch.full((3,), float(step + r)) for r in range(parallel.size())], range(parallel.size())
            )
            if last and step == 3 and fault == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if last and step == 3 and fault == "hangs":
                time.sleep(600)
            if last and step == 3 and fault == "fails":
                raise ValueError("three is too many")


if __name__ == "__main__":
    begin = time.monotonic()
    try:
        main(sys.argv[1], float(sys.argv[2]))
    except parallel.RankError as error:
        print(f"{error} [{time.monotonic() - begin:.1f} s]", file=sys.stderr, flush=True)
        sys.exit(4)
