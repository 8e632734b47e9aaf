"""Two-layer networks: parameters, features of an operator, sums over neurons."""
