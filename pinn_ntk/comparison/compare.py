"""Every statement of the lecture that one run can test, each measured and judged."""

from pinn_ntk.comparison.certificate_statement import CERTIFICATE_CLAIMS
from pinn_ntk.comparison.claim import Claim, Evidence
from pinn_ntk.comparison.convergence_statements import DESCENT_CONVERGENCE, LINEAR_CONVERGENCE
from pinn_ntk.comparison.kernel_statements import (
    DISSIPATION,
    INEQUALITY_2,
    LAMBDA_MIN_AT_START,
    LAMBDA_MIN_BEFORE_EXIT,
    STOPPING_TIME,
)
from pinn_ntk.comparison.lazy_statements import FORECAST, LINEARISED
from pinn_ntk.comparison.statements import Comparable, Statement
from pinn_ntk.comparison.theorem_statements import THEOREM_CLAIMS
from pinn_ntk.rules import checked

CLAIMS: tuple[Claim, ...] = (
    DISSIPATION,
    INEQUALITY_2,
    LINEAR_CONVERGENCE,
    DESCENT_CONVERGENCE,
    LAMBDA_MIN_AT_START,
    LAMBDA_MIN_BEFORE_EXIT,
    STOPPING_TIME,
    LINEARISED,
    FORECAST,
    *CERTIFICATE_CLAIMS,
    *THEOREM_CLAIMS,
)
"""Every statement, in the order of a report."""


@checked
def compare(run: Comparable) -> tuple[Statement, ...]:
    """Prediction and history of a run as statements with verdicts.

    Args:
        run: a record, or anything with `.prediction` and `.history`.

    Examples:
        >>> from pinn_ntk import Settings, TwoLayer, box, compare, laplacian, pose, run
        >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
        >>> record = run(problem, net, Settings(steps=20, tracked=5))
        >>> {s.name: s.verdict for s in compare(record)}["inequality (2)"]  # eᵀK̂^(a)e ≤ eᵀK̂e
        'holds'
    """
    evidence = Evidence(run.history, run.prediction)
    asked = CLAIMS if run.prediction is not None else tuple(c for c in CLAIMS if not c.about_theory)
    return tuple(claim.statement(evidence) for claim in asked)
