"""What the numbers of a run depend on beside its configuration."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from pinn_ntk import parallel
from pinn_ntk.kernels.memory import peak_bytes


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
    """Threads, processes, chunk, processor and whether steps were compiled: what changes the last bits."""
    chunk = kernels["initial"].chunk if kernels else None
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    about = {"processor": name, "cores": os.cpu_count(), "peak_bytes": peak_bytes(device)}
    used = {"threads": torch.get_num_threads(), "processes": parallel.started(), "chunk": chunk, "compiled": compiled}
    return {**used, "machine": about}
