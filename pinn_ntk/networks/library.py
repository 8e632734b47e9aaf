"""The networks by name: functions of (dim, …, activation, seed) whose further arguments are the keys that a person may
set.
"""

from collections.abc import Callable

from torch import nn

from pinn_ntk.networks.mlp import MLP
from pinn_ntk.networks.two_layer import TwoLayer

NETWORKS: dict[str, Callable[..., nn.Module]] = {"two_layer": TwoLayer, "mlp": MLP}
