"""Linear second-order PDEs with two-layer networks: tangent kernels, tracked gradient descent,
linear-convergence theory, and a solver.

𝓛u = Σ A_ab u_ab + Σ b_a u_a + cu,   h(x;θ) = Σ_k a_k σ(w_k·x),   R_S = (1/2n) Σ_i |𝓛h(x_i) − f(x_i)|².

Examples:
    >>> import torch
    >>> from pinn_ntk import Block, Problem, TwoLayer, box, identity, laplacian
    >>> square, net = box([0, 0], [1, 1]), TwoLayer(dim=2, width=16)
    >>> inside = Block(-laplacian(2), square.interior(16), target=lambda p: p[:, 0], name="interior")  # −Δu = x
    >>> edge = Block(identity(2), square.boundary(8), target=0.0, name="boundary", weight=100.0)  # u = 0
    >>> problem = Problem([inside, edge])
    >>> e = problem.residual(net)  # of all rows, weights and numbers of points folded in
    >>> round(float(e @ e) / (2 * problem.points) / problem.loss(net), 4)
    1.0
"""

import pinn_ntk._runtime  # noqa: F401 - before torch
from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.comparison.compare import compare
from pinn_ntk.comparison.statements import Statement
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.experiment.ensemble import run_ensemble
from pinn_ntk.experiment.run import run
from pinn_ntk.experiment.settings import Experiment, Settings, Solver
from pinn_ntk.experiment.solved import solved_run
from pinn_ntk.geometry.algebra import difference, intersection, union
from pinn_ntk.geometry.annulus import annulus
from pinn_ntk.geometry.ball import ball
from pinn_ntk.geometry.box import Box, box
from pinn_ntk.geometry.ellipse import ellipse
from pinn_ntk.geometry.over_time import over_time
from pinn_ntk.geometry.polygon import l_shape, polygon
from pinn_ntk.kernels.autograd import autograd_kernel
from pinn_ntk.kernels.closed_form import closed_form_kernel, kernel_spectrum, solution_kernel
from pinn_ntk.kernels.gram import Kernel
from pinn_ntk.kernels.infinite_width import infinite_width_kernel
from pinn_ntk.kernels.infinite_width_solve import InfiniteWidthSolution, infinite_width_solve
from pinn_ntk.kernels.matrix_free import KernelProduct, extreme_eigenvalues
from pinn_ntk.kernels.spectrum import Spectrum
from pinn_ntk.kernels.tangent import tangent_kernel, tangent_spectrum
from pinn_ntk.networks.fused import compiling
from pinn_ntk.networks.least_squares import OuterSolution, solve_outer
from pinn_ntk.networks.mlp import MLP
from pinn_ntk.networks.module import AnyModule
from pinn_ntk.networks.two_layer import TwoLayer
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
from pinn_ntk.operators.second_order import SecondOrderOperator, hard_constraint, lift_bias
from pinn_ntk.problem.answer import Answer
from pinn_ntk.problem.conditions import (
    Given,
    dirichlet,
    initial_value,
    initial_velocity,
    measured,
    neumann,
    periodic,
    robin_condition,
)
from pinn_ntk.problem.from_text import problem_from_text
from pinn_ntk.problem.library import PROBLEMS
from pinn_ntk.problem.pose import pose
from pinn_ntk.problem.residual import Ansatz, Block, Problem
from pinn_ntk.reference.fem import fem_reference
from pinn_ntk.reporting.record import Record
from pinn_ntk.solving.solution import Solution
from pinn_ntk.solving.solve import solve
from pinn_ntk.theory.linear_model import LinearModel, LinearState, linearise
from pinn_ntk.theory.prediction import Prediction, predict
from pinn_ntk.theory.sufficient import sufficient_width
from pinn_ntk.training.descent import gradient_descent, step_limit
from pinn_ntk.training.first_order import adam, sgd
from pinn_ntk.training.flow import gradient_flow
from pinn_ntk.training.gauss_newton import levenberg_marquardt
from pinn_ntk.training.least_squares import least_squares
from pinn_ntk.training.quasi_newton import lbfgs
from pinn_ntk.training.spring import spring
from pinn_ntk.training.states import State, Status, StopRule
from pinn_ntk.training.variable_projection import variable_projection

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "OPERATORS",
    "PROBLEMS",
    "Activation",
    "Ansatz",
    "Answer",
    "AnyModule",
    "Block",
    "Box",
    "Dynamics",
    "Experiment",
    "Given",
    "InfiniteWidthSolution",
    "Kernel",
    "KernelProduct",
    "LinearModel",
    "LinearState",
    "OuterSolution",
    "Prediction",
    "Problem",
    "Record",
    "SecondOrderOperator",
    "Settings",
    "Solution",
    "Solver",
    "Spectrum",
    "State",
    "Statement",
    "Status",
    "StopRule",
    "TwoLayer",
    "adam",
    "advection_diffusion",
    "annulus",
    "autograd_kernel",
    "ball",
    "black_scholes",
    "box",
    "closed_form_kernel",
    "compare",
    "compiling",
    "difference",
    "dirichlet",
    "ellipse",
    "elliptic",
    "extreme_eigenvalues",
    "fem_reference",
    "gradient_descent",
    "gradient_flow",
    "hard_constraint",
    "heat",
    "helmholtz",
    "identity",
    "infinite_width_kernel",
    "infinite_width_solve",
    "initial_value",
    "initial_velocity",
    "intersection",
    "kernel_spectrum",
    "l_shape",
    "laplacian",
    "lbfgs",
    "least_squares",
    "levenberg_marquardt",
    "lift_bias",
    "linearise",
    "measured",
    "neumann",
    "normal_derivative",
    "over_time",
    "periodic",
    "polygon",
    "pose",
    "predict",
    "problem_from_text",
    "robin",
    "robin_condition",
    "run",
    "run_ensemble",
    "sgd",
    "solution_kernel",
    "solve",
    "solve_outer",
    "solved_run",
    "spring",
    "step_limit",
    "sufficient_width",
    "tangent_kernel",
    "tangent_spectrum",
    "time_derivative",
    "union",
    "variable_projection",
    "wave",
]
