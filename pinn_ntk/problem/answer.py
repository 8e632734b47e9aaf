"""The answer of a run: u, ∇u and 𝓛u − f at any points, by exact derivatives of the neurons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pinn_ntk import hints
from pinn_ntk.networks.features import features
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.module import model_of
from pinn_ntk.networks.sums import residual
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.second_order import SecondOrderOperator, hard_constraint
from pinn_ntk.problem.residual import Function, Problem
from pinn_ntk.rules import checked

Points = Tensor | Sequence[Any] | Any
"""(n, d) numbers: a tensor, a numpy array or nested lists."""

_AT_ONCE = 1 << 22  # neurons × points in memory
_FEWEST = 256  # points: very wide networks go through their neurons in chunks themselves


@checked
@dataclass(frozen=True)
class Answer:
    """u = h, or u = g + ϕh under hard conditions; of a `TwoLayer` every derivative is 𝓛σ(w·x) in closed form,
    of a module autograd's.

    Args:
        problem: what was solved.
        network: h, trained; any module is wrapped as `run` wraps it.
        source: f of the interior equation, a function of points or a number, for a problem that knows it only at its
            own points.

    Raises:
        ValueError: a network of another dimension.

    Examples:
        >>> from pinn_ntk import Answer, TwoLayer, box, laplacian, pose
        >>> problem = pose(laplacian(1), box(0, 1), exact="1 + x**2")  # u = g + ϕh holds at both ends for every h
        >>> [round(value, 4) for value in Answer(problem, TwoLayer(1, width=8)).u([[0.0], [1.0]]).tolist()]
        [1.0, 2.0]
    """

    problem: Problem
    network: Model
    source: Function | float | None = None

    def __init__(self, problem: Problem, network: Model | nn.Module, source: Function | float | None = None) -> None:
        model = model_of(network, problem.dim)
        if model.dim != problem.dim:
            raise ValueError(
                f"network: got dim={model.dim}, expected {problem.dim}, the coordinates of problem {problem.name!r}"
            )
        for key, value in {"problem": problem, "network": model, "source": source}.items():
            object.__setattr__(self, key, value)

    @property
    def dim(self) -> int:
        """d, the number of coordinates (time counts)."""
        return self.problem.dim

    def u(self, x: Points, *, outside: bool = False) -> Tensor:
        """The values of u.

        Args:
            x: (n, d) points.
            outside: whether points outside the domain are evaluated, where nothing was asked of the network.

        Returns:
            (n,) values in the network's precision, where the points are.

        Raises:
            ValueError: points of another shape, not finite, or outside the domain.
        """
        return self._evaluated(self.problem.solution(self.network), x, outside)

    def gradient(self, x: Points, *, outside: bool = False) -> Tensor:
        """∇u(x) as (n, d), column j from the rows of ∂/∂x_j; arguments and errors as in `u`."""
        along = [
            SecondOrderOperator(self.dim, b=row, name="∂u")
            for row in torch.eye(self.dim, dtype=torch.float64, device="cpu")
        ]
        return self._evaluated(
            lambda points: torch.stack([self._of_u(operator, points) for operator in along], 1), x, outside
        )

    def apply(self, operator: SecondOrderOperator, x: Points, *, outside: bool = False) -> Tensor:
        """𝓛u(x) of any operator as (n,); arguments and errors as in `u`."""
        return self._evaluated(lambda points: self._of_u(operator, points), x, outside)

    def rounding(self, operator: SecondOrderOperator, x: Points, *, outside: bool = False) -> Tensor:
        """ε(s Σ_k|a_k φ_k| + Σ_j|β_j 𝓛ψ_j|)(x) with φ_k = 𝓛σ(w_k·x), (n,): what rounding may change of 𝓛u.

        ε is that of the network's precision. Of a network without neurons that add up it is ε|𝓛u|. Arguments and
        errors as in `u`.
        """
        epsilon = torch.finfo(self.network.dtype).eps
        network, ansatz = self.network, self.problem.ansatz
        if not isinstance(network, TwoLayer):
            return epsilon * self.apply(operator, x, outside=outside).abs()
        inner = operator if ansatz is None else hard_constraint(operator, ansatz.phi, ansatz.g)[0]
        theta = network.weights

        def sums(points: Tensor) -> Tensor:
            system = network.system((inner.rows(points),), torch.zeros_like(points[:, 0]))
            total = system.scale * (features(system, theta.w).abs() @ theta.a.abs())
            return total if system.extra is None else total + system.extra.abs() @ theta.extra.abs()

        return epsilon * self._evaluated(sums, x, outside)

    def residual(self, x: Points, *, outside: bool = False) -> Tensor:
        """𝓛u − f of the interior equation as (n,), without weights; arguments and errors as in `u`.

        Raises:
            ValueError: besides, an equation that is known only for h, or a source that is known only at the points of
                the problem.
        """
        operator, source = self.equation()

        def remainder(points: Tensor) -> Tensor:
            f = source(points) if callable(source) else source
            return self._of_u(operator, points) - f

        return self._evaluated(remainder, x, outside)

    def equation(self) -> tuple[SecondOrderOperator, Function | float]:
        """(𝓛, f) of the interior equation about u itself.

        Raises:
            ValueError: it is known only for h, or f is known only at the points of the problem.
        """
        posed = next((c for c in self.problem.posed if c.kind == "interior"), None)
        where = posed or next((b for b in self.problem.blocks if b.name == "interior"), None)
        name, hidden = self.problem.name, posed is None and self.problem.ansatz is not None
        if where is None or hidden:
            why = "has no interior equation" if where is None else "has it for h of the ansatz only"
            raise ValueError(
                f"residual: problem {name!r} {why}; expected a Condition of kind 'interior' in Problem(posed=…)"
            )
        known = posed.target if posed is not None and self.source is None else self.source
        if known is None or isinstance(known, Tensor):
            raise ValueError(
                f"residual: the source of problem {name!r} is known at its own points only, expected a function; "
                "pass Answer(…, source=f), or a Condition in Problem(posed=…)"
            )
        return where.operator, known

    @property
    def knows_residual(self) -> bool:
        """Whether `residual` can be asked."""
        try:
            self.equation()
        except ValueError:
            return False
        return True

    def _of_u(self, operator: SecondOrderOperator, x: Tensor) -> Tensor:
        """𝓛u = 𝓛g + 𝓛̃h with 𝓛̃h from the features of the neurons."""
        ansatz = self.problem.ansatz
        if ansatz is None:
            return self._of_h(operator, x)
        constrained, shift = hard_constraint(operator, ansatz.phi, ansatz.g)
        return self._of_h(constrained, x) + shift(x)

    def _of_h(self, operator: SecondOrderOperator, x: Tensor) -> Tensor:
        """𝓛h."""
        system: Any = self.network.system((operator.rows(x),), torch.zeros_like(x[:, 0]))
        values: Tensor = residual(system, self.network.weights)
        return values

    def _evaluated(self, function: Callable[[Tensor], Tensor], x: Points, outside: bool) -> Tensor:
        """The function at checked points, some at a time."""
        points = as_points(x, self.dim)
        if not outside:
            check_inside(self.problem, points)
        own = points.to(device=self.network.device, dtype=self.network.dtype)
        size = max(_FEWEST, _AT_ONCE // max(1, self.network.width))
        with torch.no_grad():
            parts = [function(part) for part in own.split(size)]
        return torch.cat(parts).detach().to(points.device)  # on the CPU: where the points were given there


def as_points(x: Points, dim: int) -> Tensor:
    """The points as an (n, d) tensor.

    Args:
        x: a tensor, a numpy array or nested lists.
        dim: d.

    Raises:
        ValueError: no numbers, another shape, or a coordinate that is not finite.
    """
    points = hints.points("points", x, dim).detach()
    if not len(points):
        raise ValueError(f"points: got shape {tuple(points.shape)}, expected (n, {dim}) with n ≥ 1")
    finite = torch.isfinite(points).all(1)
    if not bool(finite.all()):  # read back: whether points can be answered
        i = int((~finite).int().argmax())
        raise ValueError(f"points: got {points[i].tolist()} in row {i}, expected finite numbers")
    return points


def check_inside(problem: Problem, points: Tensor) -> None:
    """Raise ValueError where points lie outside the closure of the problem's domain, if it has one."""
    if problem.domain is None:
        return
    out = ~problem.domain.contains(points)
    if bool(out.any()):  # read back: whether points can be answered
        i, many = int(out.int().argmax()), int(out.sum())
        raise ValueError(
            f"points: got {points[i].tolist()} in row {i}{f' and {many - 1} more' if many > 1 else ''} outside "
            "the domain "
            f"{problem.domain}, expected points inside; outside=True evaluates the network there, too"
        )
