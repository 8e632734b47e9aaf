"""Which of the two linear-convergence theorems speaks about a set-up, and if neither does, why."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.theory.constants import PDE, REGRESSION, Theorem


@dataclass(frozen=True)
class Setting:
    """Plain facts about a run, before it.

    Attributes:
        activation: its name.
        order: highest order of the operators (0: regression).
        points: (n, d) points with the bias coordinate.
        scaling: "sum", "ntk" or "mean_field", or p of s = N^{−p}.
        init: "lecture", "centred" or "uniform".
        gamma: γ as a number.
        extra: number of fixed functions appended to the network.
        parameters: number of trained parameters.
        lambda_s: λ_S = λ_min(K^(a)).
        floor: rounding floor of λ_S.
        paired: names of the blocks whose rows pair two points.
    """

    activation: str
    order: int
    points: Tensor
    scaling: str | float
    init: str
    gamma: float
    extra: int
    parameters: int
    lambda_s: float
    floor: float
    paired: tuple[str, ...] = ()


@dataclass(frozen=True)
class Applicability:
    """The theorem that applies, or every reason why none does."""

    theorem: Theorem | None
    reasons: tuple[str, ...]

    @property
    def applicable(self) -> bool:
        """Whether a theorem applies."""
        return self.theorem is not None

    @property
    def reason(self) -> str:
        """All reasons in one line; empty when applicable."""
        return "; ".join(self.reasons)


def theorem_for(activation: str, order: int) -> Theorem | None:
    """max(0,z) with operators of order 0 → regression; max(0,z)³/6 with any operator of order ≤ 2 → PDE."""
    if activation == REGRESSION.activation and order == 0:
        return REGRESSION
    return PDE if activation == PDE.activation and order <= 2 else None


def applicability(setting: Setting) -> Applicability:
    """θ⁰ as in the lecture, h = Σ_k a_kσ(w_kᵀx), 0 < γ < 1, x ∈ [0,1]ᵈ, λ_S > 0, σ = max(0,z) (regression)
    or max(0,z)³/6 (PDE).

    Returns:
        The theorem, or all the reasons against it.

    References:
        Lecture 13, assumptions of both linear-convergence theorems.
    """
    theorem = theorem_for(setting.activation, setting.order)
    reasons = [] if theorem else [_no_theorem(setting)]
    reasons += _network_reasons(setting) + _data_reasons(setting)
    return Applicability(None if reasons else theorem, tuple(reasons))


def _no_theorem(setting: Setting) -> str:
    need = "relu (regression) or relu3 (PDE)" if setting.order == 0 else "relu3"
    return (
        f"the activation is {setting.activation}: for operators of order {setting.order} the theorem is proved "
        f"for {need} only"
    )


def _network_reasons(setting: Setting) -> list[str]:
    reasons = []
    if setting.scaling != "sum":
        reasons.append(
            f"the scaling is {setting.scaling}: the theorems are about h = Σ a σ(wᵀx) without a factor (scaling sum)"
        )
    if setting.init != "lecture":
        reasons.append(
            f"the initialisation is {setting.init}: the theorems need independent a ~ N(0, γ²) and w ~ N(0, I) "
            "(init lecture)"
        )
    if not 0.0 < setting.gamma < 1.0:
        reasons.append(f"γ = {setting.gamma:g}: the theorems need 0 < γ < 1")
    if setting.extra:
        reasons.append(
            f"{setting.extra} fixed functions are appended to the network: the theorems are about neurons only"
        )
    return reasons


def _data_reasons(setting: Setting) -> list[str]:
    reasons = []
    # read back: a premise, judged once
    outside = int((~((setting.points >= 0) & (setting.points <= 1)).all(dim=1)).sum())
    n = setting.points.shape[0]
    if setting.paired:
        blocks = ", ".join(setting.paired)
        reasons.append(
            f"rows of {blocks} pair two points (periodic or interface conditions): the theorems have one in each row"
        )
    if not bool(torch.isfinite(setting.points).all()):  # read back: a premise, judged once
        reasons.append("some points are not finite")
    elif outside:
        reasons.append(f"{outside} of {n} points lie outside the unit box [0,1]ᵈ")
    if n > setting.parameters:
        reasons.append(f"there are more points ({n}) than parameters ({setting.parameters}): the kernel is singular")
    if not setting.lambda_s > setting.floor:
        reasons.append(
            f"λ_S is below the rounding floor {setting.floor:.1e}: it cannot be told from 0 (coinciding or "
            "parallel points?)"
        )
    return reasons
