"""Tangent kernels of a problem: by autograd for any module, in closed form for two layers, exact at infinite width;
their spectra.
"""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.kernels.autograd import autograd_kernel
    from pinn_ntk.kernels.batched import batched_kernel, batched_spectrum
    from pinn_ntk.kernels.closed_form import (
        closed_form_kernel,
        default_chunk,
        kernel_factor,
        kernel_spectrum,
        solution_kernel,
    )
    from pinn_ntk.kernels.forms import chosen_directions, prefers_free
    from pinn_ntk.kernels.gram import Kernel
    from pinn_ntk.kernels.infinite_width import (
        infinite_width_diagonal,
        infinite_width_kernel,
        infinite_width_spectrum,
        kernel_limit,
    )
    from pinn_ntk.kernels.infinite_width_solve import InfiniteWidthSolution, infinite_width_solve
    from pinn_ntk.kernels.limit import NotAvailableError, system_of
    from pinn_ntk.kernels.matrix_free import KernelProduct, extreme_eigenvalues, largest_eigenvalue
    from pinn_ntk.kernels.memory import MemoryShortageError, available_bytes, require_bytes, with_backoff
    from pinn_ntk.kernels.moments import feature_variance_sum, whitened_fourth_moment
    from pinn_ntk.kernels.neuron_sums import gram
    from pinn_ntk.kernels.spectrum import (
        NonFiniteError,
        Spectrum,
        SpectrumError,
        spectrum_of_factor,
        spectrum_of_gram,
        triangular_factor,
    )
    from pinn_ntk.kernels.tangent import solution_tangent, tangent_factor, tangent_kernel, tangent_spectrum
    from pinn_ntk.kernels.triangle import Rectangle, Square

face(__name__)
