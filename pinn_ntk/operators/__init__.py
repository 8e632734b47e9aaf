"""Linear second-order operators: one class closed under the algebra, presets as functions."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.operators.divergence import divergence
    from pinn_ntk.operators.gradients import gradient, twice, value_and_gradient
    from pinn_ntk.operators.library import (
        OPERATORS,
        advection_diffusion,
        black_scholes,
        elliptic,
        heat,
        helmholtz,
        identity,
        laplacian,
        normal_derivative,
        robin,
        time_derivative,
        wave,
    )
    from pinn_ntk.operators.rows import Rows, unpaired
    from pinn_ntk.operators.second_order import SecondOrderOperator, check_operator, hard_constraint, lift_bias
    from pinn_ntk.operators.symbols import figure

face(__name__)
