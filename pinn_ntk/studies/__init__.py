"""Studies: many runs that answer one question, as one document."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.studies.certificate import certificate
    from pinn_ntk.studies.eigenvalue_decay import eigenvalue_decay, first_crossing, line_problem
    from pinn_ntk.studies.kernel_scaling import ELEVEN, kernel_scaling, limit_kernel, of_size
    from pinn_ntk.studies.lazy_runs import Training, lazy_runs, member_seeds
    from pinn_ntk.studies.lazy_to_rich import expected_slope, lazy_to_rich
    from pinn_ntk.studies.linearisation_gap import SCALINGS, linearisation_gap
    from pinn_ntk.studies.looseness import CASES, looseness
    from pinn_ntk.studies.looseness_runs import FINEST, Judge, Trial, judged, kinked
    from pinn_ntk.studies.mean_field import euler_step, mean_field
    from pinn_ntk.studies.optimizers import measure, optimizers, timed
    from pinn_ntk.studies.optimizers_document import CLASSES, COLOURS, NAMES
    from pinn_ntk.studies.runner import Progress, run_study
    from pinn_ntk.studies.study import Cell, Document, Factory, Measured, Results, Study
    from pinn_ntk.studies.table import STUDIES
    from pinn_ntk.studies.wang2020 import wang2020_fig1, wang2020_fig2, wang2020_fig4
    from pinn_ntk.studies.wang_setup import POINTS, READINGS, descending, limit_ratio, their_kernel
    from pinn_ntk.studies.wang_setup import model as wang_model
    from pinn_ntk.studies.wang_setup import network as wang_network
    from pinn_ntk.studies.width_statistics import medians, slope_of

face(__name__)
