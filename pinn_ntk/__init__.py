"""Linear second-order PDEs with two-layer networks."""
