"""u beside the same problem by another method: ‖u − u_h‖/‖u_h‖ with u_h of quadratic finite elements."""

from dataclasses import dataclass, replace
from typing import Annotated

from pinn_ntk.problem.residual import Problem
from pinn_ntk.reference.fem import check_fem_reference, fem_reference
from pinn_ntk.reporting.outcome import Compared
from pinn_ntk.reporting.record import Record
from pinn_ntk.rules import check_fields, checked, whole


@checked
@dataclass(frozen=True)
class Reference:
    """Finite elements to compare with.

    Attributes:
        degrees: nodes of the mesh of space, about; None for the usual ones.
        steps: in time; None for as many as go with the nodes.
    """

    degrees: Annotated[
        int | None, whole("nodes of the mesh of space, about; null for the usual ones", 3, high=2_000_000)
    ] = None
    steps: Annotated[int | None, whole("in time; null for as many as go with the nodes", 2, high=1_000_000)] = None

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self, problem: Problem) -> None:
        """Refuse what finite elements here cannot solve, before any compute.

        Raises:
            ValueError: the problem is not supported.
        """
        check_fem_reference(problem)

    def beside(self, record: Record, posed: Problem) -> Record:
        """The record with what finite elements say.

        Args:
            record: of a run.
            posed: the problem that was asked.
        """
        found = fem_reference(posed, self.degrees, steps=self.steps)
        own = None if posed.exact is None else found.difference(posed.exact)
        compared = Compared(
            str(found),
            found.degrees,
            found.steps,
            found.seconds,
            found.estimate,
            found.difference(record.answer.u),
            own,
        )
        seconds = {**record.seconds, "reference": found.seconds, "total": record.seconds["total"] + found.seconds}
        return replace(record, compared=compared, seconds=seconds)
