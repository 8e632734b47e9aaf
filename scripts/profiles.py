"""Where the time of S1 (the step) and S2 (the kernel, d = 2 and 50) goes:
benchmarks/profile_step.txt and profile_kernel.txt.

python scripts/profiles.py
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_kernel import problem_of as kernel_problem
from bench_step import problem_of as step_problem

from pinn_ntk.kernels import closed_form_kernel
from pinn_ntk.networks import TwoLayer, accelerated, compiling, residual_and_gradient

RESULTS, CALLS = Path(__file__).resolve().parent.parent / "benchmarks", 20


def profiled(title: str, call: Callable[[], object]) -> str:
    """torch's profile of some calls, the ten operations that take most."""
    for _ in range(3):
        call()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(CALLS):
            call()
    table = profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=10, max_name_column_width=40)
    kept = "\n".join(line.rstrip() for line in table.splitlines())
    return f"{title}, {CALLS} calls, {torch.get_num_threads()} threads, torch {torch.__version__}\n{kept}\n"


def main() -> None:
    """Write both files."""
    problem, network = step_problem(2048, 2), TwoLayer(2, 1024, "tanh")
    weights, parts = network.weights, []
    for preference in ("always", "never"):
        with compiling(preference):
            system = accelerated(problem.system(network), network, 1)
            words = "compiled" if preference == "always" else "not compiled"
            parts.append(
                profiled(f"S1, n=2048, N=1024, d=2, {words}", lambda s=system: residual_and_gradient(s, weights))
            )
    (RESULTS / "profile_step.txt").write_text("\n".join(parts), encoding="utf-8")
    parts = []
    for d in (2, 50):
        rows, net = kernel_problem(512, d), TwoLayer(d, 1024, "tanh", bias=False)
        parts.append(profiled(f"S2, n=512, N=1024, d={d}", lambda r=rows, n=net: closed_form_kernel(n, r)))
    (RESULTS / "profile_kernel.txt").write_text("\n".join(parts), encoding="utf-8")
    print(RESULTS / "profile_step.txt", RESULTS / "profile_kernel.txt")


if __name__ == "__main__":
    main()
