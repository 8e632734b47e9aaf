"""References from another method: quadratic finite elements on the same posed problem, by scikit-fem,
an optional package.
"""
