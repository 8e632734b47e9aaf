"""How an optimiser moves θ on R_S = ‖e‖²/(2n), as far as theory needs to know it.

    flow        θ' = −∇R_S                        descent     θ_{k+1} = θ_k − τ∇R_S
    heavy_ball  θ_{k+1} = θ_k + v_{k+1}           nesterov    θ_{k+1} = θ_k + βv_{k+1} − τ∇R_S, the look-ahead points
with v_{k+1} = βv_k − τ∇R_S(θ_k), v₀ = 0;         other       no closed form.
"""

import math
from dataclasses import dataclass
from typing import Annotated

from pinn_ntk.rules import checked, fraction, one_of, real

KINDS = ("flow", "descent", "heavy_ball", "nesterov", "other")


@checked
@dataclass(frozen=True)
class Dynamics:
    """The law by which a linear residual e would move, mode by mode.

    Attributes:
        kind: 'flow', 'descent', 'heavy_ball', 'nesterov' or 'other'.
        step: τ, absolute; 0 for a flow, and for whatever has no step of its own.
        momentum: β of the two methods that have one.

    Raises:
        ValueError: an unknown kind, a negative step, or a momentum outside [0, 1).

    Examples:
        >>> from pinn_ntk import Dynamics
        >>> Dynamics("descent").stability
        2.0
        >>> [Dynamics(kind, momentum=0.5).stability for kind in ("heavy_ball", "nesterov")]
        [3.0, 1.5]
    """

    kind: Annotated[str, one_of("of the law", KINDS)]
    step: Annotated[float, real("τ, absolute", 0.0)] = 0.0
    momentum: Annotated[float, fraction("β")] = 0.0

    @property
    def solvable(self) -> bool:
        """Whether the linearised network can be solved in closed form under it."""
        return self.kind != "other"

    @property
    def gradient_flow(self) -> bool:
        """Whether the theorems, which are about the flow, speak of it: the flow itself and its Euler steps."""
        return self.kind in ("flow", "descent")

    @property
    def stability(self) -> float:
        """s_max: a mode of rate λ dies out iff τλ < s_max: 2, 2(1 + β) for heavy ball, 2(1 + β)/(1 + 2β) for Nesterov;
        ∞ for a flow.
        """
        if self.kind == "other":
            return math.nan
        if self.kind == "flow":
            return math.inf
        return 2.0 * (1.0 + self.momentum) / (1.0 + 2.0 * self.momentum if self.kind == "nesterov" else 1.0)

    @property
    def pace(self) -> float:
        """τ/(1 − β): the time of the flow that one step covers on slow modes."""
        return self.step / (1.0 - self.momentum)
