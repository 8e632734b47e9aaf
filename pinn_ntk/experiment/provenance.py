"""What the numbers of a run depend on beside its configuration."""

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from pinn_ntk import parallel
from pinn_ntk.kernels.memory import peak_bytes

_PACKAGE = Path(__file__).resolve().parents[1] / "__init__.py"
_SECONDS = 5.0  # for git, on a slow file system


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for name in ("pinn_ntk", "numpy", "scipy", "hydra-core"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine(device: torch.device, kernels: Mapping[str, Any], compiled: bool = False) -> dict[str, Any]:
    """Threads, processes, chunk, processor, whether steps were compiled, and the commits of the code:
    what changes the last bits.
    """
    chunk = kernels["initial"].chunk if kernels else None
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    about = {
        "processor": name,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "peak_bytes": peak_bytes(device),
    }
    used = {"threads": torch.get_num_threads(), "processes": parallel.started(), "chunk": chunk, "compiled": compiled}
    return {**used, "machine": about, "commit": commits()}


def commits() -> dict[str, str | None]:
    """The git commits of the package and of the folder where the program runs,
    with '+' where files that git follows were changed.

    A package that was installed, and a folder outside of any repository, have None. They are looked up once in a
    process.
    """
    return {"pinn_ntk": commit_of(_PACKAGE.parent, _PACKAGE.name), "project": commit_of(Path.cwd())}


@cache
def commit_of(folder: Path, file: str = "") -> str | None:
    """HEAD of the repository that a folder lies in, 40 hexadecimal digits,
    with '+' where files that git follows were changed.

    Args:
        folder: in the repository.
        file: which git has to follow, so that an environment inside a repository of something else does not count.

    Returns:
        None without git or a repository.
    """
    # a repository may name a program that git is to start, as fsmonitor: what is only looked at must start none
    git = ["git", "-c", "core.fsmonitor=false", "-C", str(folder)]
    try:
        if file:
            _said([*git, "ls-files", "--error-unmatch", file])
        head = _said([*git, "rev-parse", "HEAD"])
        changed = _said([*git, "status", "--porcelain", "--untracked-files=no"])
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}+" if changed else head


def _said(command: list[str]) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
    ).stdout.strip()


@cache
def _processor() -> str:
    """The processor's model where the system tells it, its architecture otherwise."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
