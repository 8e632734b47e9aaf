"""The order of two arguments: some functions take (problem, network), others (network, problem),
and they are easily exchanged.
"""

from pinn_ntk.problem.residual import Problem


def require_order(network: object, problem: object) -> None:
    """Refuse a network and a problem in each other's place.

    Args:
        network: what stands in the place of the network.
        problem: what stands in the place of the problem.

    Raises:
        ValueError: they are exchanged, or the problem is none.
    """
    if isinstance(network, Problem):
        raise ValueError(
            f"network: got the Problem in its place and a {type(problem).__name__} in that of the problem; "
            "exchange the two"
        )
    if not isinstance(problem, Problem):
        raise ValueError(
            f"problem: got a {type(problem).__name__}, expected a Problem, such as pose(…) or "
            "Problem([Block(…), …]) makes"
        )
