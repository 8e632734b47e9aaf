"""Training as a generator of states; trackers turn states into numbers."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.training.damping import DampedSteps
    from pinn_ntk.training.descent import gradient_descent, heavy_ball, nesterov, step_limit
    from pinn_ntk.training.ensemble import batch_size, step_limits, train_ensemble
    from pinn_ntk.training.ensemble_states import EnsembleState, stacked
    from pinn_ntk.training.ensemble_trackers import each_member, residual_tracker
    from pinn_ntk.training.exponential import FlowState, Modes, exponential_flow, exponential_step
    from pinn_ntk.training.first_order import adam, batches, sgd
    from pinn_ntk.training.flow import flow_times, gradient_flow
    from pinn_ntk.training.gauss_newton import jacobian, levenberg_marquardt
    from pinn_ntk.training.journal import Journal
    from pinn_ntk.training.least_squares import least_squares
    from pinn_ntk.training.memory import Memory, copied
    from pinn_ntk.training.methods import METHODS, SUPPLIED, law
    from pinn_ntk.training.particles import particle_flow
    from pinn_ntk.training.quasi_newton import lbfgs
    from pinn_ntk.training.spring import remembered, spring
    from pinn_ntk.training.states import State, Status, StopRule
    from pinn_ntk.training.trackers import (
        History,
        KernelTracker,
        displacement_tracker,
        error_tracker,
        loss_tracker,
        spectrum_steps,
        track,
        tracked_steps,
    )
    from pinn_ntk.training.variable_projection import Eliminated, variable_projection

face(__name__)
