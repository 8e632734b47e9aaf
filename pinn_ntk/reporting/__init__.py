"""Records of runs: the summary, the files of a run's folder, pictures and one self-contained page."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.reporting.difference import ROUNDINGS, Difference, compare_runs
    from pinn_ntk.reporting.ensemble_files import quantiles_over_seeds
    from pinn_ntk.reporting.ensemble_outcome import aligned, losses_at, median_of
    from pinn_ntk.reporting.ensemble_record import EnsembleRecord
    from pinn_ntk.reporting.field_plots import Scale, draw_field
    from pinn_ntk.reporting.files import write_arrays, write_history, write_summary, write_text
    from pinn_ntk.reporting.grid import axis_names
    from pinn_ntk.reporting.kernel_plots import drift_section
    from pinn_ntk.reporting.loggers import LOGGERS, Careful, MLflow, TensorBoard
    from pinn_ntk.reporting.measures import Verdict
    from pinn_ntk.reporting.mode_plots import fall_times, mode_rates, mode_section
    from pinn_ntk.reporting.narrative import answer, key_numbers, question, theorem_words, widths
    from pinn_ntk.reporting.outcome import Outcome
    from pinn_ntk.reporting.page import BADGES, mathematics
    from pinn_ntk.reporting.particle_plots import cloud_picture, marginals_picture, moving_cloud, plane_of, side_by_side
    from pinn_ntk.reporting.planes import FRAMES, Plane, center_of, plane, planes_of, telling, values_on
    from pinn_ntk.reporting.record import Record
    from pinn_ntk.reporting.report import write_report
    from pinn_ntk.reporting.scaling_plots import Series, scaling_picture
    from pinn_ntk.reporting.solution_plots import solution_section
    from pinn_ntk.reporting.study_page import findings_table, study_html
    from pinn_ntk.reporting.style import (
        BLOCKS,
        ENVELOPE,
        LINEAR,
        MEASURED,
        THEORY,
        Section,
        curve,
        legend,
        log_y,
        number,
        panel,
        panels,
        plain,
        positive,
        progress_x,
        render,
    )
    from pinn_ntk.reporting.sweep_page import groups, slope_of, slopes_table, sweep_sections, varied
    from pinn_ntk.reporting.tables import table_html, write_table
    from pinn_ntk.reporting.training_plots import loss_section

face(__name__)
