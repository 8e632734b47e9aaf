"""Text to tensor function: a formula typed in YAML, read against a whitelist and evaluated by torch;
no code of it is ever run.
"""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.expressions.program import FUNCTIONS, Apply, Constant, Coordinate, Expression, Power, check_finite
    from pinn_ntk.expressions.reader import (
        MAX_CHARACTERS,
        MAX_DEPTH,
        MAX_INTEGER_EXPONENT,
        MAX_NODES,
        ExpressionError,
        parse,
        variable_names,
    )

face(__name__)
