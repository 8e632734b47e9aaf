"""Linear second-order operators: one class closed under the algebra, presets as functions."""
