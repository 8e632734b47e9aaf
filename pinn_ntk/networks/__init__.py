"""Two-layer networks: parameters, features of an operator, sums over neurons."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.networks.bessel import FAMILIES, bessel_numbers
    from pinn_ntk.networks.derivative_bounds import CELL, derivative, derivative_sup, reachable_sup, unbounded
    from pinn_ntk.networks.extra import ExtraFunction, extra_function, extra_rows
    from pinn_ntk.networks.features import (
        System,
        feature_gradients,
        features,
        jacobian_columns,
        neuron_chunks,
        neuron_terms,
    )
    from pinn_ntk.networks.fused import accelerated, compiling, pays, written_out
    from pinn_ntk.networks.least_squares import TIKHONOV, OuterFactor, OuterSolution, outer_matrix, solve_outer
    from pinn_ntk.networks.library import NETWORKS
    from pinn_ntk.networks.mlp import MLP, second_moment
    from pinn_ntk.networks.model import About, Model
    from pinn_ntk.networks.module import AnyModule, model_of
    from pinn_ntk.networks.module_system import ModuleSystem, row_jacobian
    from pinn_ntk.networks.rounding import rounding_loss, term_sizes
    from pinn_ntk.networks.storage import FORMAT, NETWORK, load_network, replacing, save_network
    from pinn_ntk.networks.sums import pullback, pushforward, residual, residual_and_gradient
    from pinn_ntk.networks.two_layer import TwoLayer, Weights, draw, gamma_value, require_two_layer

face(__name__)
