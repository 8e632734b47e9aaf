"""The tangent kernel at infinite width, exact up to a stated error: K^(a) = E_w φφ' and K^(w) = E a² E_w ∇φ·∇φ' at γ = 1.

    K̂^(a)(θ⁰) → K^(a)  and  K̂^(w)(θ⁰) → γ² K^(w)  as N → ∞.

No Monte Carlo: ReLUᵖ is integrated exactly over the plane of each pair of points, analytic σ by the trapezoid, over the weights
themselves in up to three dimensions and over the plane of each pair in more.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.activations import Activation, activation_named, smoothness_verdict
from pinn_ntk.kernels.gram import Kernel, block_map
from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.kernels.planar_forms import DenseRows, dense_rows
from pinn_ntk.kernels.planar_quadrature import Moments, PairKernel, Trapezoid, homogeneous_moments, pair_kernel, trapezoid_moments
from pinn_ntk.kernels.spectrum import Spectrum, spectrum_of_factor, spectrum_of_gram, triangular_factor
from pinn_ntk.kernels.uniform_weights import uniform_limit
from pinn_ntk.kernels.weight_space import Nodes, normal_count, normal_nodes, weighted_columns, weighted_gram
from pinn_ntk.networks.features import System
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.residual import Problem
