"""References from another method: quadratic finite elements on the same posed problem, by scikit-fem,
an optional package.
"""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.reference.fem import check_fem_reference, fem_reference

face(__name__)
