"""Whether a problem has one solution that its data determine, as far as coefficients and conditions tell before any
compute: values that meet and differ, data that contradict one another or the equation, Cauchy problems of the wrong
type, characteristics without a value, free constants, parts of ∂Ω without a word.

Only what is posed on regions is judged as a whole; rows at points that a person chose are theirs.
"""

from pinn_ntk.problem.balance import unbalanced
from pinn_ntk.problem.cauchy import cauchy_problems
from pinn_ntk.problem.characteristics import along_characteristics
from pinn_ntk.problem.constants import floating_constant, free_constants, said_free
from pinn_ntk.problem.contradictions import contradictions
from pinn_ntk.problem.coverage import missing_conditions
from pinn_ntk.problem.finding import ILL_POSED, Finding
from pinn_ntk.problem.jumps import jumps
from pinn_ntk.problem.residual import Problem


def posedness(problem: Problem) -> list[Finding]:
    """What is wrong with the conditions of a problem as a whole; of points alone,
    only that they may leave a constant open.
    """
    posed, domain = problem.posed, problem.domain
    if not posed or domain is None:
        fluxes = problem.ansatz is None and {block.order for block in problem.blocks} >= {1, 2}
        return list(floating_constant(problem.blocks)) if fluxes else []
    if problem.ansatz is not None and len(posed) == 1:  # a person's own ansatz stands for the conditions
        return []
    wrong = [*cauchy_problems(posed, domain, problem.time), *along_characteristics(posed, domain, problem.time)]
    missing = [] if wrong else list(missing_conditions(posed, domain, problem.time))
    free = [] if missing or wrong else free_constants(posed, domain)
    return [
        *wrong,
        *contradictions(posed, domain),
        *jumps(posed, domain),
        *missing,
        *said_free(free),
        *unbalanced(posed, domain, free),
    ]


def ill_posed(problem: Problem) -> list[Finding]:
    """The findings for which the automatic solver computes nothing: no u exists, or the data determine none.

    Args:
        problem: any problem.
    """
    return [finding for finding in posedness(problem) if finding.severity == ILL_POSED]
