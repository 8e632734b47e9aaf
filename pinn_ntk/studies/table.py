"""The table of studies. The arguments of a builder after the first are the keys `study.<name>` that a person may
set.
"""

from collections.abc import Callable

from pinn_ntk.studies.certificate import certificate
from pinn_ntk.studies.eigenvalue_decay import eigenvalue_decay
from pinn_ntk.studies.kernel_scaling import kernel_scaling
from pinn_ntk.studies.lazy_to_rich import lazy_to_rich
from pinn_ntk.studies.linearisation_gap import linearisation_gap
from pinn_ntk.studies.looseness import looseness
from pinn_ntk.studies.mean_field import mean_field
from pinn_ntk.studies.optimizers import optimizers
from pinn_ntk.studies.study import Study
from pinn_ntk.studies.wang2020 import wang2020_fig1, wang2020_fig2, wang2020_fig4

ANY_NETWORK = ("optimizers",)
"""Those that train whatever network they are given; the others are about two layers."""
STUDIES: dict[str, Callable[..., Study]] = {
    "certificate": certificate,
    "kernel_scaling": kernel_scaling,
    "linearisation_gap": linearisation_gap,
    "eigenvalue_decay": eigenvalue_decay,
    "wang2020_fig1": wang2020_fig1,
    "wang2020_fig2": wang2020_fig2,
    "wang2020_fig4": wang2020_fig4,
    "lazy_to_rich": lazy_to_rich,
    "mean_field": mean_field,
    "looseness": looseness,
    "optimizers": optimizers,
}
