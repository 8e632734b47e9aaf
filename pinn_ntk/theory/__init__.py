"""What the lecture proves and the lazy limit predicts, as formulas on plain numbers and matrices;
nothing here has seen a run.
"""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.theory.applicability import Setting, applicability
    from pinn_ntk.theory.ball_certificate import ball_certificate
    from pinn_ntk.theory.bounds import (
        Premises,
        convergence_rate,
        cut_time,
        drift_lemma,
        evolved_lambda_min,
        exit_time,
        expected_initial_loss,
        first_term,
        initial_loss_lemma,
        initial_loss_lemma_pde,
        lambda_min_lemma,
        log_descent_envelope,
        log_envelope,
        second_term,
        stopping_radius,
        third_term,
    )
    from pinn_ntk.theory.certificate import certify, scaling_powers
    from pinn_ntk.theory.constants import PDE, REGRESSION, Theorem, absolute_moment, eta, l1_moment
    from pinn_ntk.theory.forecast import Forecast
    from pinn_ntk.theory.linear_model import LinearModel, LinearState, linearise
    from pinn_ntk.theory.linearised import FLOW, Linearisation, clamped, decay, rate, response
    from pinn_ntk.theory.lipschitz import (
        curvature_bound,
        curvature_norms,
        gradient_norms,
        gradient_parts,
        jacobian_lipschitz,
    )
    from pinn_ntk.theory.mean_field import cloud, coupled_distance, loss_excess, sliced_wasserstein
    from pinn_ntk.theory.mode_certificate import mode_rate, spectral_radius
    from pinn_ntk.theory.modes import descent_decay, descent_rate, descent_response, flow_decay, flow_response
    from pinn_ntk.theory.momentum import momentum_decay, momentum_rate, momentum_response
    from pinn_ntk.theory.prediction import Prediction, predict
    from pinn_ntk.theory.shared import shared_prediction
    from pinn_ntk.theory.sufficient import promise, sufficient_width
    from pinn_ntk.theory.whitened import Whitened
    from pinn_ntk.theory.widths import Gamma, LeastWidth, gamma_at, least_width, whitened_term, width_terms

face(__name__)
