"""The solver: frozen neurons chosen by probes, outer weights by one least-squares solve,
an error estimate from independent draws.
"""
