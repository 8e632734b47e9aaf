"""Text to tensor function: a formula typed in YAML, read against a whitelist and evaluated by torch;
no code of it is ever run.
"""

from pinn_ntk.expressions.program import Expression, check_finite
from pinn_ntk.expressions.reader import ExpressionError, parse, variable_names

__all__ = ["Expression", "ExpressionError", "check_finite", "parse", "variable_names"]
