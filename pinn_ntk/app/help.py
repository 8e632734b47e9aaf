"""What `pinn-ntk --help` and `--version` say."""

import platform
import textwrap
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from pinn_ntk.app.schema import DRAWN, KEYS, keys_of
from pinn_ntk.networks.two_layer import TwoLayer

WIDTH = 80
_HEAD = """\
pinn-ntk: solve a linear second-order PDE with a two-layer network under
tracked gradient descent, and compare the loss with linear-convergence theory.

Usage: pinn-ntk [flags] [group=option] [key=value] [plugins=[my_problem.py]]

Examples:
  pinn-ntk
      −Δu = f on the unit square; the last line printed is the report's path
  pinn-ntk problem=wave_1d problem.boundary=soft problem.weight.boundary=10
      the wave equation, its boundary and initial conditions as blocks
  pinn-ntk -m name=widths network.width=128,512,2048 seed=0,1
      a sweep: six runs and one report; again, it runs only what is missing
  pinn-ntk resume=outputs/poisson_2d/2026-11-27_10-00-00-000000
      a run that was stopped goes on, to the same bits; it may get more steps
  torchrun --nproc-per-node=2 -m pinn_ntk problem.points=2048
      one run, its sums shared by two processes
  pinn-ntk experiment=kernel_scaling
      a study: many runs that answer one question
  pinn-ntk --config-dir my_conf problem=mine
      your own problem, as text in my_conf/problem/mine.yaml
  pinn-ntk-eval RUN points.csv; pinn-ntk-compare RUN1 RUN2
      u at your points; what differs between two runs, and whether by rounding

Flags:
  -m, --multirun       sweep over comma-separated values
  --config-dir FOLDER  your own groups, beside those below
  --cfg job            print the configuration instead of running
  --help, --version

Text with parentheses is quoted twice: 'problem.target="sin(pi*x)"'
"""


def help_text(groups: Mapping[str, Sequence[str]]) -> str:
    """Examples, flags, groups with their options, and keys, at most 80 columns wide.

    Args:
        groups: options by group.
    """
    lines = [_HEAD, "Groups and their options:"]
    lines += [_entry(group, " ".join(options)) for group, options in groups.items()]
    lines += ["", "Keys (a problem, network or optimizer may have others, see --cfg job):"]
    lines += [
        _entry(name, f"{key.doc}: {key.expected()}")
        for name, key in (KEYS | keys_of(TwoLayer, "network.", DRAWN)).items()
        if not name.endswith((".kind", ".name"))
    ]
    return "\n".join(lines)


def _entry(name: str, text: str) -> str:
    head = f"  {name:<24} "
    if len(name) > 24:
        head = f"  {name}\n{'':27}"
    return head + textwrap.fill(text, WIDTH - 27).replace("\n", "\n" + " " * 27)


def version_text() -> str:
    """The versions that a bug report needs."""
    found = []
    for name in ("pinn_ntk", "torch", "hydra-core"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (from a checkout)")
    return ", ".join([*found, f"Python {platform.python_version()}"])
