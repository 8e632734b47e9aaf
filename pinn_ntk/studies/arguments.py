"""Options that several studies share, each with what it accepts; defaults stand in the signatures of the studies."""

from collections.abc import Iterable, Sequence
from typing import Annotated, TypeVar

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.problem.library import PROBLEMS
from pinn_ntk.rules import one_of, positive, several, share, whole

T = TypeVar("T")

Problems = Annotated[Sequence[str], several("ready problems", one_of("", PROBLEMS))]
Sigma = Annotated[str, one_of("σ", ACTIVATIONS)]
Sigmas = Annotated[Sequence[str], several("σ, a list", one_of("", ACTIVATIONS))]
Widths = Annotated[Sequence[int], several("N, a list", whole("", 1))]
Width = Annotated[int, whole("N", 1)]
Seeds = Annotated[int, whole("seeds of each cell", 1)]
Points = Annotated[int, whole("collocation points", 1)]
Pairs = Annotated[int, whole("collocation points", 2)]
Steps = Annotated[int, whole("of gradient descent in each cell", 1)]
StepSize = Annotated[float, positive("fraction of the step limit")]
Remaining = Annotated[float, share("training ends at this share of the loss at the start")]
Frequency = Annotated[int, whole("a of the solution sin aπx", 1)]


def ascending(values: Iterable[int]) -> list[int]:
    """The values, each once, from the least on."""
    return sorted(set(values))


def distinct(values: Iterable[T]) -> list[T]:
    """The values, each once, in their order."""
    return list(dict.fromkeys(values))
