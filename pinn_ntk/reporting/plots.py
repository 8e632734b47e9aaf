"""All pictures of a run, section by section, for whatever the record holds."""

from pinn_ntk.reporting.kernel_plots import drift_section, spectrum_section
from pinn_ntk.reporting.mode_plots import mode_section
from pinn_ntk.reporting.outcome import Outcome
from pinn_ntk.reporting.solution_plots import solution_section
from pinn_ntk.reporting.solver_plots import search_section
from pinn_ntk.reporting.style import Section
from pinn_ntk.reporting.training_plots import dissipation_section, loss_section


def sections(record: Outcome) -> tuple[Section, ...]:
    """Solution, loss and forecast, decrease of the loss, spectrum, modes, drift; where a solver chose, solution,
    search and spectrum.
    """
    if record.solution is not None:
        kernel = (spectrum_section,) if record.kernels else ()
        return tuple(make(record) for make in (solution_section, search_section, *kernel))
    makers = (solution_section, loss_section, dissipation_section, spectrum_section, mode_section, drift_section)
    return tuple(make(record) for make in makers)
