"""Where prediction and measurement meet: statements with verdicts."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.comparison.calibration import calibrated, calibration
    from pinn_ntk.comparison.certificate_statement import CERTIFICATE_CLAIMS, certificate_summary
    from pinn_ntk.comparison.claim import Claim, Evidence, Premise, Reading, WidthPremise
    from pinn_ntk.comparison.compare import CLAIMS, compare
    from pinn_ntk.comparison.coverage import Coverage, Promise, clopper_pearson, coverage, promises
    from pinn_ntk.comparison.decay import fit_exponential, fit_power_law
    from pinn_ntk.comparison.envelope import envelope, step_share, step_times
    from pinn_ntk.comparison.finding import Finding, slope_finding
    from pinn_ntk.comparison.kernel_statements import exit_time
    from pinn_ntk.comparison.lazy_statements import (
        forecast_losses,
        forecast_quantiles,
        linearised_losses,
        linearised_mode_losses,
    )
    from pinn_ntk.comparison.slopes import fit_slope
    from pinn_ntk.comparison.statements import Statement, Verdict
    from pinn_ntk.comparison.theorem_statements import least_ratio

face(__name__)
