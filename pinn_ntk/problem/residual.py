"""Blocks and problems: R_S(θ) = Σ_b λ_b/(2n_b) ‖𝓛_b h(X_b;θ) − f_b‖² = ‖e‖²/(2n), with e = S(𝓛h − f).

A row may pair two points: 𝓛_b h(x_i) − 𝓜_b h(x'_i) = f_b, as periodic and interface conditions do.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, overload

import torch
from torch import Tensor

from pinn_ntk.geometry.domain import Domain
from pinn_ntk.networks.features import System
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.sums import residual
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.coefficients import values_at
from pinn_ntk.operators.library import identity
from pinn_ntk.operators.rows import Rows
from pinn_ntk.operators.second_order import SecondOrderOperator, hard_constraint
from pinn_ntk.problem.posed import Condition, Partner, order_of
from pinn_ntk.rules import checked, positive

Function = Callable[[Tensor], Tensor]


@checked
@dataclass(frozen=True)
class Ansatz:
    """u = g + ϕh: ϕ vanishes where u = g is imposed, so every h satisfies the conditions exactly.

    Attributes:
        phi: ϕ, (n, d) → (n,).
        g: extension of the imposed values, None for 0.
        text: the two functions in words, for a report.
    """

    phi: Function
    g: Function | None = None
    text: str = ""

    def solution(self, h: Function) -> Function:
        """The function g + ϕh."""

        def u(x: Tensor) -> Tensor:
            product = self.phi(x) * h(x)
            return product if self.g is None else self.g(x) + product

        return u


@checked
@dataclass(frozen=True)
class Block:
    """𝓛_b u(x_i) = f_b(x_i), i = 1…n_b, with weight λ_b: interior equation, boundary or initial condition, or data.

    Args:
        operator: 𝓛_b.
        x: points (n_b, d).
        target: f_b as (n_b,) values, a function of points, or a number; values and points may be arrays or lists.
        name: how the block is called.
        weight: λ_b > 0.
        partner: 𝓜_b with the points x'_i, or the map to them, for rows 𝓛_b u(x_i) − 𝓜_b u(x'_i) = f_b(x_i).

    Raises:
        ValueError: shapes that do not fit, no points, a weight that is not positive, or values that are not finite.
    """

    operator: SecondOrderOperator
    x: Tensor
    target: Tensor
    name: str
    weight: float
    partner: Partner | None

    def __init__(
        self,
        operator: SecondOrderOperator,
        x: Tensor,
        target: Tensor | Function | float,
        name: str = "interior",
        weight: Annotated[float, positive("λ_b; leave the block out to ignore it")] = 1.0,
        partner: Partner | None = None,
    ) -> None:
        if x.ndim != 2 or x.shape[1] != operator.dim or not x.shape[0]:
            raise ValueError(
                f"points of block {name!r}: got shape {tuple(x.shape)}, expected (n, {operator.dim}) with n ≥ 1"
            )
        values = (
            values_at(target, x, f"target of block {name!r}")
            if callable(target) and not isinstance(target, Tensor)
            else torch.as_tensor(target, dtype=x.dtype, device=x.device)
        )
        values = values.expand(x.shape[0]) if values.ndim == 0 else values
        if values.shape != x.shape[:1]:
            raise ValueError(
                f"target of block {name!r}: got shape {tuple(values.shape)}, expected ({x.shape[0]},), one "
                "value per point"
            )
        _check_finite(name, x, {"points": x, "target": values[:, None]})
        fixed = None if partner is None else _checked_partner(partner, x, operator.dim, name)
        made = {
            "operator": operator,
            "x": x,
            "target": values.to(x),
            "name": name,
            "weight": float(weight),
            "partner": fixed,
        }
        for key, value in made.items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def order(self) -> int:
        """The highest derivative that occurs."""
        return order_of(self.operator, self.partner)

    @property
    def places(self) -> tuple[tuple[SecondOrderOperator, Tensor], ...]:
        """Every operator with its points: (𝓛_b, x), and (𝓜_b, x') where rows are paired."""
        own = (self.operator, self.x)
        return (own,) if self.partner is None else (own, (self.partner.operator, self.partner.points(self.x)))

    def rows(self) -> Rows:
        """𝓛_b at the points, less 𝓜_b at the partners."""
        own, *others = (operator.rows(x) for operator, x in self.places)
        return own if not others else replace(own, minus=others[0])

    def select(self, index: Tensor | slice) -> "Block":
        """The rows of that index."""
        partner = None if self.partner is None else Partner(self.partner.operator, self.partner.points(self.x)[index])
        # read back: how many rows a mask chooses, once
        return replace(self, x=self.x[index], target=self.target[index], partner=partner)


def _check_finite(name: str, x: Tensor, named: Mapping[str, Tensor]) -> None:
    for what, tensor in named.items():
        bad = ~torch.isfinite(tensor).all(1)
        if bool(bad.any()):  # read back: whether data are finite, asked once
            i = int(bad.int().argmax())
            raise ValueError(
                f"{what} of block {name!r}: got {tensor[i].tolist()} at x = {x[i].tolist()}, expected finite numbers"
            )


def _checked_partner(partner: Partner, x: Tensor, dim: int, name: str) -> Partner:
    """The partner with its points written out."""
    if partner.operator.dim != dim:
        raise ValueError(
            f"partner of block {name!r}: got an operator on {partner.operator.dim} coordinates, expected {dim}"
        )
    points = partner.points(x)
    if points.shape != x.shape:
        raise ValueError(
            f"partner of block {name!r}: got points of shape {tuple(points.shape)}, expected {tuple(x.shape)}, "
            "one for each x"
        )
    _check_finite(name, x, {"partner": points})
    return Partner(partner.operator, points)


def drawn(condition: Condition, n: int, seed: int = 0) -> Block:
    """The condition as a block on n points of its region."""
    c = condition
    return Block(c.operator, c.region.sample(n, seed), c.target, c.name, c.weight, c.partner)


def constrained(block: Block, ansatz: Ansatz) -> Block:
    """The condition 𝓛u = f written for h of u = g + ϕh: 𝓛̃h = f − 𝓛g; of paired rows 𝓛̃h(x) − 𝓜̃h(x') = f − 𝓛g(x)
    + 𝓜g(x').
    """
    (operator, shift), *others = (hard_constraint(own, ansatz.phi, ansatz.g) for own, _ in block.places)
    target = block.target - shift(block.x)
    if not bool(target.isfinite().all()):
        i = int((~target.isfinite()).int().argmax())
        raise ValueError(
            "boundary: got hard with data whose extension g into Ω has no finite 𝓛g at x = "
            f"{block.x[i].tolist()}, expected data with "
            "finite derivatives up to ∂Ω, unlike sqrt(x) at 0; write soft"
        )
    if block.partner is None:
        return replace(block, operator=operator, target=target)
    (other, away), x = others[0], block.partner.points(block.x)
    return replace(block, operator=operator, target=target + away(x), partner=Partner(other, x))


@checked
@dataclass(frozen=True)
class Problem:
    """Blocks that one function has to satisfy, R_S = Σ_b λ_b/(2n_b)‖e_b‖² = ‖e‖²/(2n) with e = S(𝓛h − f),
    s_b = √(λ_b n/n_b), n = Σ n_b.

    Attributes:
        blocks: the conditions; their names are distinct.
        name: of the problem.
        exact: the solution u, where it is known, as a function of points.
        ansatz: u = g + ϕh under hard conditions; the blocks then hold the transformed operators and targets.
        domain: where u lives.
        equation: in Unicode, for a report.
        conditions: boundary and initial conditions in Unicode.
        time: whether the last coordinate is time.
        test_points: (m, d) points at which errors are measured.
        posed: what the blocks were drawn from, about u itself, so that a solver may draw more; empty where only the
            points are known.
    """

    blocks: tuple[Block, ...]
    name: str = "problem"
    exact: Function | None = None
    ansatz: Ansatz | None = None
    domain: Domain | None = None
    equation: str = ""
    conditions: tuple[str, ...] = field(default=())
    time: bool = False
    test_points: Tensor | None = None
    posed: tuple[Condition, ...] = field(default=())

    def __init__(
        self,
        blocks: Sequence[Block],
        name: str = "problem",
        exact: Function | None = None,
        ansatz: Ansatz | None = None,
        domain: Domain | None = None,
        equation: str = "",
        conditions: Sequence[str] = (),
        time: bool = False,
        test_points: Tensor | None = None,
        posed: Sequence[Condition] = (),
    ) -> None:
        if not blocks:
            raise ValueError("blocks: got none, expected at least one Block(operator, points, target)")
        names, dims = [b.name for b in blocks], {b.operator.dim for b in blocks}
        if len(set(names)) < len(names):
            raise ValueError(f"blocks: got the names {names}, expected distinct ones; pass name= to Block")
        places = {f"{str(b.x.dtype).removeprefix('torch.')} on {b.x.device}": None for b in blocks}
        if len(places) > 1:
            raise ValueError(
                f"blocks: got points that are {' and '.join(places)}, expected one precision on one device; write "
                "x.to(…) of the others"
            )
        if len(dims) > 1:
            raise ValueError(f"blocks: got operators on {sorted(dims)} coordinates, expected one dimension for all")
        values = (
            tuple(blocks),
            name,
            exact,
            ansatz,
            domain,
            equation,
            tuple(conditions),
            time,
            test_points,
            tuple(posed),
        )
        for key, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, key, value)

    @property
    def dim(self) -> int:
        """d, the number of coordinates (time counts)."""
        return self.blocks[0].operator.dim

    @property
    def points(self) -> int:
        """n = Σ_b n_b."""
        return sum(len(b) for b in self.blocks)

    @property
    def order(self) -> int:
        """The highest order among the blocks' operators."""
        return max(b.order for b in self.blocks)

    @property
    def paired(self) -> tuple[str, ...]:
        """The names of the blocks whose rows pair two points."""
        return tuple(b.name for b in self.blocks if b.partner is not None)

    @property
    def x(self) -> Tensor:
        """All points (n, d), block after block; of paired rows the first one."""
        return torch.cat([b.x for b in self.blocks])

    @property
    def row_scales(self) -> tuple[float, ...]:
        """s_b = √(λ_b n/n_b), one number per block."""
        return tuple(math.sqrt(b.weight * self.points / len(b)) for b in self.blocks)

    @property
    def slices(self) -> dict[str, slice]:
        """Which rows belong to which block."""
        ends = [0]
        for block in self.blocks:
            ends.append(ends[-1] + len(block))
        return {b.name: slice(lo, hi) for b, lo, hi in zip(self.blocks, ends, ends[1:], strict=False)}

    @property
    def target(self) -> Tensor:
        """Sf, shape (n,): the targets with the row scale folded in."""
        return torch.cat([s * b.target for s, b in zip(self.row_scales, self.blocks, strict=True)])

    def rows(self) -> tuple[Rows, ...]:
        """S𝓛 at the points, one `Rows` per block."""
        return tuple(b.rows().scaled(s) for s, b in zip(self.row_scales, self.blocks, strict=True))

    @overload
    def system(self, network: TwoLayer) -> System: ...
    @overload
    def system(self, network: Model) -> Any: ...
    def system(self, network: Model) -> Any:
        """S𝓛h = Sf written for that network: for its neurons (lifted to (x, 1) when it has a bias), or for a module."""
        require_fit(network, self)
        return network.system(self.rows(), self.target)

    def residual(self, network: Model) -> Tensor:
        """e = S(𝓛h − f), shape (n,)."""
        return residual(self.system(network), network.weights)

    def loss(self, network: Model) -> float:
        """R_S = ‖e‖²/(2n)."""
        e = self.residual(network)
        return float(e @ e) / (2 * self.points)  # read back: the answer

    def solution(self, network: Function) -> Function:
        """u as a function of points: h itself, or g + ϕh under hard conditions."""
        return network if self.ansatz is None else self.ansatz.solution(network)

    def solution_rows(self, x: Tensor) -> Rows:
        """The rows of u − g at points: h itself, or ϕh under hard conditions."""
        operator = identity(self.dim) if self.ansatz is None else self.ansatz.phi * identity(self.dim)
        return operator.rows(x)

    def to(self, dtype: torch.dtype, device: torch.device | str) -> "Problem":
        """The same problem in that precision on that device."""
        blocks = tuple(replace_block(b, dtype, device) for b in self.blocks)
        # on the CPU: where that is asked for
        tests = None if self.test_points is None else self.test_points.to(device=device, dtype=dtype)
        return replace(self, blocks=blocks, test_points=tests)


def require_fit(network: Any, problem: Problem) -> None:
    """Refuse a network that is of another precision than the problem's points, or elsewhere.

    Raises:
        ValueError: 'network: got …, expected …', and how to move either.
    """
    x = problem.blocks[0].x
    if (network.dtype, network.device) != (x.dtype, x.device):
        kind = str(x.dtype).removeprefix("torch.")
        raise ValueError(
            f"network: got {str(network.dtype).removeprefix('torch.')} on {network.device}, expected {kind} on "
            f"{x.device}, as the problem's points; write network.to(device={str(x.device)!r}, dtype={x.dtype}), or "
            f"problem.to({network.dtype}, {str(network.device)!r})"
        )


def replace_block(block: Block, dtype: torch.dtype, device: torch.device | str) -> Block:
    """The block with its points and target in that precision on that device."""
    x = block.x.to(device=device, dtype=dtype)  # on the CPU: where that is asked for
    return replace(block, x=x, target=block.target.to(x))  # on the CPU: where that is asked for
