"""The solver: frozen neurons chosen by probes, outer weights by one least-squares solve, an estimate of the error from independent draws."""
