"""Arguments that several optimisers share, each with what it accepts; defaults stand in the signatures."""

from typing import Annotated

from pinn_ntk.rules import Rule, flag, fraction, positive, real, whole

MAX_STEPS = 10**12  # the losses of more fit in no memory
Steps = Annotated[int, whole("at most; a flow covers the time of as many steps", high=MAX_STEPS)]
StepSize = Annotated[float, positive("τ as a fraction of the step limit, 2n/(s²N λ_max) without momentum")]
Absolute = Annotated[bool, flag("step_size is τ itself")]
Momentum = Annotated[float, fraction("β of the velocity v ← βv − τ∇R_S")]
DecayFactor = Annotated[float, real("the learning rate falls by this factor every `decay_every` steps", 1e-12, 1.0)]
DecayEvery = Annotated[int, whole("steps for one factor `decay`", 1)]
DampingShare = Annotated[
    float, real("μ at the start as a share of the largest diagonal entry of JᵀJ/n; 0 is Gauss–Newton", 0.0)
]
Tikhonov = Annotated[float, positive("τ of the term τ²‖a‖² beside feature columns of norm 1")]
GradientTolerance = Annotated[float, real("CONVERGED when the gradient is at most this share of its first norm", 0.0)]
StepTolerance = Annotated[float, real("STAGNATED when a step that fails is at most this share of the way so far", 0.0)]

# when training ends, under every method
Tolerance = Annotated[float, real("CONVERGED when R_S is at most this", 0.0)]
Divergence = Annotated[float, Rule("DIVERGED when R_S exceeds this many times R_S(0)", "number", 1.0, infinite=True)]
Stagnation = Annotated[float, real("STAGNATED when R_S fell by less than this share over a window", 0.0)]
Window = Annotated[int, whole("steps over which stagnation is judged", 1)]
