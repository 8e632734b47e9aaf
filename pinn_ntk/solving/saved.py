"""A solution on disk: every fit to the bit in one safetensors file, what is known of its error as JSON in the header;
no code is stored.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.networks.storage import damage, described, network_from, read_tensors, write_tensors
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.library import identity
from pinn_ntk.problem.answer import Answer, Points
from pinn_ntk.problem.residual import Block, Problem
from pinn_ntk.solving.level import Level
from pinn_ntk.solving.reasons import Reason
from pinn_ntk.solving.spread import Fits, Spread
from pinn_ntk.solving.uncertain_answer import UncertainAnswer

SOLUTION = "solution.safetensors"
"""The name of the file in a run's folder."""
_FORM = "pinn_ntk.solution"
_SAME = 1e-9  # of an axis: by which a domain may differ from the one that was solved on


@dataclass(frozen=True)
class SavedSolution(UncertainAnswer):
    """A solution as it was saved: u, ∇u and ± at points; with its problem also residuals, integrals and fluxes.

    Attributes:
        name: of the problem.
        dim: d, the number of coordinates.
        box: (low, high) of the domain's bounding box.
        ansatz: whether u = g + ϕh, so that the networks alone are not u.
        networks: the independent fits, the first is the answer.
        reason: why the solver stopped.
        words: the outcome in a sentence.
        estimate: of ‖u − h‖/‖u‖ in L².
        error: the same in u's own units, rms over the domain.
        spreads: how far every other fit is from the first.
        levels: the table of convergence.
        extras: what extra functions were added and why.
        recipe: of the neurons, in words: activation and scales.
        floating: whether u is determined up to a constant, so that the one of mean zero was taken.
        seconds: wall time of the solver.
        problem: what was solved, if it was given when the file was read.
    """

    name: str
    dim: int
    box: tuple[tuple[float, ...], tuple[float, ...]]
    ansatz: bool
    networks: tuple[TwoLayer, ...]
    reason: Reason
    words: str
    estimate: float
    error: float
    spreads: tuple[Spread, ...]
    levels: tuple[Level, ...]
    extras: tuple[str, ...]
    recipe: str
    floating: bool
    seconds: float
    problem: Problem | None = None

    @cached_property
    def fits(self) -> Fits:
        """u by each of `networks`, and how far they are apart."""
        problem = self.problem or _unknown(self.name, self.dim)
        return Fits(tuple(Answer(problem, network) for network in self.networks), self.error, self.spreads)

    def residual(self, x: Points) -> Tensor:
        """(𝓛u − f)(x), (n,).

        Raises:
            ValueError: a solution that was read without its problem.
        """
        if self.problem is None:
            raise ValueError(
                f"residual: the equation of problem {self.name!r} is not in the file, expected the problem; "
                "read it with load_solution(path, problem=…)"
            )
        return super().residual(x)

    def save(self, path: str | Path) -> None:
        """Write it; see `Solution.save`."""
        about: dict[str, Any] = {"networks": []}
        tensors: dict[str, Tensor] = {}
        for k, network in enumerate(self.networks):
            words, own = described(network)
            about["networks"].append(words)
            tensors |= {f"{k}.{name}": tensor for name, tensor in own.items()}
        for key in ("name", "dim", "box", "ansatz", "words", "extras", "recipe", "floating"):
            about[key] = getattr(self, key)
        about |= {"reason": str(self.reason)}
        about |= {key: _text(getattr(self, key)) for key in ("estimate", "error", "seconds")}
        about["spreads"] = [_texts(asdict(spread)) for spread in self.spreads]
        about["levels"] = [_texts(asdict(level)) for level in self.levels]
        write_tensors(path, _FORM, about, tensors)


def load_solution(
    path: str | Path, problem: Problem | None = None, activations: Mapping[str, Activation] = ACTIVATIONS
) -> SavedSolution:
    """The solution of a file that `Solution.save`, or a run of optimizer=auto, wrote.

    Args:
        path: of the file, or of the run's folder that holds it.
        problem: what was solved: for residuals, integrals over its domain, and to refuse points outside of it.
        activations: by name, a person's own among them.

    Raises:
        ValueError: no such file, a truncated, damaged or foreign one, or a problem on another domain.

    Examples:
        >>> import tempfile
        >>> from pinn_ntk import box, dirichlet, laplacian, load_solution, pose, solve
        >>> problem = pose(-laplacian(1), box(0, 1), 2, [dirichlet(0)])  # u = x(1 − x)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     solve(problem, tolerance=1e-8).save(f"{folder}/plate.safetensors")
        ...     back = load_solution(f"{folder}/plate.safetensors", problem)
        >>> print(back.reason, round(float(back.u([[0.5]])), 6))
        CONVERGED 0.25
    """
    file = Path(path) / SOLUTION if Path(path).is_dir() else Path(path)
    about, tensors = read_tensors(file, _FORM)
    with damage(f"solution: {file}"):
        found = _read(about, tensors, activations)
    if problem is None:
        if found.ansatz:
            raise ValueError(f"problem: {file} holds h of u = g + ϕh, expected the problem that has g and ϕ; give it")
        return found
    _check(found, problem)
    return replace(found, problem=problem if found.ansatz else replace(problem, ansatz=None))


def _read(
    about: Mapping[str, Any], tensors: Mapping[str, Tensor], activations: Mapping[str, Activation]
) -> SavedSolution:
    networks = tuple(
        _network(about["networks"][k], _part(tensors, k), activations) for k in range(len(about["networks"]))
    )
    spreads = tuple(Spread(float(s["rms"]), tuple(map(float, s["slopes"]))) for s in about["spreads"])
    low, high = (tuple(map(float, end)) for end in about["box"])
    found = SavedSolution(
        name=str(about["name"]),
        dim=int(about["dim"]),
        box=(low, high),
        ansatz=bool(about["ansatz"]),
        networks=networks,
        reason=Reason(about["reason"]),
        words=str(about["words"]),
        spreads=spreads,
        levels=tuple(_level(row) for row in about["levels"]),
        extras=tuple(about["extras"]),
        recipe=str(about["recipe"]),
        floating=bool(about["floating"]),
        estimate=float(about["estimate"]),
        error=float(about["error"]),
        seconds=float(about["seconds"]),
    )
    sizes = {found.dim, len(low), len(high), *(len(s.slopes) for s in spreads), *(n.dim for n in networks)}
    if len(networks) < 2 or len(spreads) != len(networks) - 1 or len(sizes) > 1:
        raise ValueError(f"got {len(networks)} fits and {len(spreads)} spreads of dimensions {sorted(sizes)}, expected "
                         "two fits or more of one dimension")  # fmt: skip
    return found


def _part(tensors: Mapping[str, Tensor], k: int) -> dict[str, Tensor]:
    """The tensors of the k-th fit.

    Raises:
        ValueError: numbers that are not finite.
    """
    found = {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith(f"{k}.")}
    wrong = [name for name, t in found.items() if not bool(torch.isfinite(t).all())]
    if wrong:
        raise ValueError(f"got {wrong[0]} of fit {k + 1} with entries that are not finite, expected finite numbers")
    return found


def _network(about: Any, tensors: Mapping[str, Tensor], activations: Mapping[str, Activation]) -> TwoLayer:
    network = network_from(about, tensors, activations)
    if not isinstance(network, TwoLayer):
        raise ValueError(f"got a network of kind {about['kind']!r}, expected two_layer")
    return network


def _level(row: Mapping[str, Any]) -> Level:
    order = None if row["order"] is None else float(row["order"])
    return Level(
        int(row["width"]), int(row["points"]), float(row["error"]), order, str(row["recipe"]), float(row["seconds"])
    )


def _check(found: SavedSolution, problem: Problem) -> None:
    """Refuse another problem than the one that was solved."""
    if problem.dim != found.dim:
        raise ValueError(
            f"problem: got {problem.name!r} on {problem.dim} coordinates, expected {found.name!r} on {found.dim}"
        )
    if problem.domain is None:
        return
    pairs = zip((*problem.domain.low, *problem.domain.high), (*found.box[0], *found.box[1]), strict=True)
    longest = max(hi - lo for lo, hi in zip(*found.box, strict=True))
    if any(abs(given - own) > _SAME * longest for given, own in pairs):
        low, high = (", ".join(f"{v:g}" for v in end) for end in found.box)
        raise ValueError(
            f"problem: got {problem.name!r} on {problem.domain}, expected {found.name!r}, whose domain reaches from "
            f"({low}) to ({high})"
        )


def _unknown(name: str, dim: int) -> Problem:
    """A problem of which only the dimension is known: `Answer` asks for no more, where u is the network itself."""
    nowhere = torch.zeros(1, dim, dtype=torch.float64, device="cpu")
    return Problem([Block(identity(dim), nowhere, 0.0, name="unknown")], name=name)


def _text(value: Any) -> Any:
    """A number that JSON cannot write as its name, which `float` reads."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: [_text(v) for v in value] if isinstance(value, (list, tuple)) else _text(value)
        for key, value in row.items()
    }
