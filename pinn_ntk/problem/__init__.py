"""Blocks, problems, boxes with hard conditions, ready problems, and problems from text."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.problem.ansatz import MAX_BLENDED, dirichlet_box, evolution_box
    from pinn_ntk.problem.ansatz_shapes import dirichlet_shape, evolution_shape
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
    from pinn_ntk.problem.data import read_points
    from pinn_ntk.problem.domains import KINDS
    from pinn_ntk.problem.evolution import heat_1d, wave_1d
    from pinn_ntk.problem.finding import ProblemWarning
    from pinn_ntk.problem.formulas import Faults, Formulas, SpecError
    from pinn_ntk.problem.from_text import problem_from_text
    from pinn_ntk.problem.gridded import Gridded, read_gridded
    from pinn_ntk.problem.library import PROBLEMS, poisson_1d, poisson_3d
    from pinn_ntk.problem.periodic import periodic_conditions
    from pinn_ntk.problem.points import given_points
    from pinn_ntk.problem.pose import pose, second_order_in_time
    from pinn_ntk.problem.posed import Condition, Partner, Region
    from pinn_ntk.problem.regression import regression
    from pinn_ntk.problem.residual import Ansatz, Block, Problem, constrained, drawn
    from pinn_ntk.problem.text_conditions import TYPES
    from pinn_ntk.problem.validation import check_problem, inconsistencies
    from pinn_ntk.problem.wellposed import ill_posed, posedness

face(__name__)
