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
from pinn_ntk.comparison import Statement, compare
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.experiment import Experiment, Settings, Solver, run, run_ensemble, solved_run
from pinn_ntk.geometry import (
    Box,
    annulus,
    ball,
    box,
    difference,
    ellipse,
    intersection,
    l_shape,
    over_time,
    polygon,
    union,
)
from pinn_ntk.kernels import (
    InfiniteWidthSolution,
    Kernel,
    KernelProduct,
    Spectrum,
    autograd_kernel,
    closed_form_kernel,
    extreme_eigenvalues,
    infinite_width_kernel,
    infinite_width_solve,
    kernel_spectrum,
    solution_kernel,
    tangent_kernel,
    tangent_spectrum,
)
from pinn_ntk.networks import MLP, AnyModule, OuterSolution, TwoLayer, compiling, solve_outer
from pinn_ntk.operators import (
    OPERATORS,
    SecondOrderOperator,
    advection_diffusion,
    black_scholes,
    divergence,
    elliptic,
    hard_constraint,
    heat,
    helmholtz,
    identity,
    laplacian,
    lift_bias,
    normal_derivative,
    robin,
    time_derivative,
    wave,
)
from pinn_ntk.problem import (
    PROBLEMS,
    Ansatz,
    Answer,
    Block,
    Given,
    Problem,
    dirichlet,
    initial_value,
    initial_velocity,
    measured,
    neumann,
    periodic,
    pose,
    problem_from_text,
    robin_condition,
)
from pinn_ntk.reference import fem_reference
from pinn_ntk.reporting import Record
from pinn_ntk.solving import Quantity, SavedSolution, Solution, load_solution, solve
from pinn_ntk.theory import LinearModel, LinearState, Prediction, linearise, predict, sufficient_width
from pinn_ntk.training import (
    State,
    Status,
    StopRule,
    adam,
    gradient_descent,
    gradient_flow,
    lbfgs,
    least_squares,
    levenberg_marquardt,
    sgd,
    spring,
    step_limit,
    variable_projection,
)

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
    "Quantity",
    "Record",
    "SavedSolution",
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
    "divergence",
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
    "load_solution",
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
