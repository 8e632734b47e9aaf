"""The solver: frozen neurons chosen by probes, outer weights by one least-squares solve,
an error estimate from independent draws.
"""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.solving.corners import wedges
    from pinn_ntk.solving.extras import called_for, corners_besides
    from pinn_ntk.solving.integrals import Quantity
    from pinn_ntk.solving.own_functions import own_functions
    from pinn_ntk.solving.reasons import REASONS, Reason
    from pinn_ntk.solving.recipe import Focus, Frame, Recipe
    from pinn_ntk.solving.saved import SOLUTION, SavedSolution, load_solution
    from pinn_ntk.solving.solution import Solution
    from pinn_ntk.solving.solve import solve
    from pinn_ntk.solving.spread import Fits, spreads_of
    from pinn_ntk.solving.starting import starting_layers
    from pinn_ntk.solving.task import Task

face(__name__)
