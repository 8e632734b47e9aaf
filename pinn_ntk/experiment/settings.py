"""How a run is done: plain numbers with their ranges, whatever configuration system they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, cast

import torch

from pinn_ntk.experiment.referenced import Reference
from pinn_ntk.networks.fused import PREFERENCES
from pinn_ntk.networks.model import Model
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import Rule, check_fields, checked, defaults_of, faults_of, flag, one_of, rules_of, share, whole
from pinn_ntk.solving.effort import RATE, Effort
from pinn_ntk.solving.solution import Solution
from pinn_ntk.solving.solve import (
    ACTIVATIONS_TRIED,
    TOLERANCE,
    Activations,
    DrawSeed,
    ErrorTolerance,
    Extra,
    Operations,
    Seconds,
    Widest,
    check_solvable,
    solve,
)
from pinn_ntk.solving.task import Task
from pinn_ntk.training.methods import METHODS, Method, method_named
from pinn_ntk.training.options import (
    Absolute,
    Divergence,
    Stagnation,
    Steps,
    StepSize,
    Tolerance,
    Window,
)
from pinn_ntk.training.states import StopRule
from pinn_ntk.training.trackers import Tracker, tracked_steps

AUTO = "auto"
"""The optimizer that chooses for itself, by `solve`."""
DTYPES = {"float64": torch.float64, "float32": torch.float32}
AS_METHOD = cast(Any, None)
"""The default of the chosen optimiser, which stands in its own signature."""


class StrictError(ValueError):
    """A precondition that is a warning otherwise, under `strict`."""


@checked
@dataclass(frozen=True)
class Settings:
    """How a run is done.

    Attributes:
        optimizer: a name of `training.methods.METHODS`.
        step_size: τ as a fraction of 2n/(s²N λ_max), or τ itself with `absolute`; for a flow it sets the horizon
            steps·τ. Optimisers without such a step leave it alone. The optimiser's own default where none is given.
        absolute: how step_size is meant.
        steps: at most; the optimiser's own default where none is given.
        tolerance: stop when R_S is at most this.
        divergence: stop when R_S exceeds this many times R_S(0).
        stagnation: stop when R_S fell by less than this share over `window` steps.
        window: see stagnation.
        tracked: log-spaced steps at which trackers are asked.
        every: ask them every so many steps instead.
        kernel: whether K̂ is tracked.
        spectra: tracked steps that have eigenvalues; None for as many as about half of the training time pays for.
        theory: whether predictions are made.
        delta: δ of the theorems.
        forecast_draws: draws of e₀ for the band.
        device: 'auto', 'cpu', 'cuda' or 'cuda:i'.
        compile: whether steps are compiled: 'auto' where it pays, 'always' or 'never'.
        dtype: 'float64' or 'float32'.
        strict: whether warnings about preconditions are errors.
        options: further arguments of the optimiser, such as momentum, by name.

    Examples:
        >>> from pinn_ntk import Settings, StopRule
        >>> settings = Settings(optimizer="heavy_ball", steps=500, options={"momentum": 0.9})
        >>> settings.stop_rule() == StopRule()
        True
    """

    optimizer: Annotated[str, one_of("how R_S is descended", METHODS)] = "gradient_descent"
    step_size: StepSize = AS_METHOD
    absolute: Absolute = False
    steps: Steps = AS_METHOD
    tolerance: Tolerance = StopRule.tolerance
    divergence: Divergence = StopRule.divergence
    stagnation: Stagnation = StopRule.stagnation
    window: Window = StopRule.window
    tracked: Annotated[int, whole("log-spaced steps at which trackers are asked", 2, high=100_000)] = 40
    every: Annotated[int | None, whole("ask every so many steps instead", 1)] = None
    kernel: Annotated[bool, flag("track the kernel and its spectrum")] = True
    spectra: Annotated[
        int | None,
        whole("tracked steps with eigenvalues; null: as many as half of the training time pays for", 2),
    ] = None
    theory: Annotated[bool, flag("predict before training and compare afterwards")] = True
    delta: Annotated[float, share("δ: the theorems hold with probability 1 − δ")] = 0.1
    forecast_draws: Annotated[
        int, whole("draws of the initial residual behind the forecast's band", 1, high=1_000_000)
    ] = 1000
    device: Annotated[str, Rule("auto, cpu, cuda or cuda:i")] = "auto"
    compile: Annotated[str, one_of("compiled steps: auto, where they pay for the compiler's seconds", PREFERENCES)] = (
        "auto"
    )
    dtype: Annotated[str, one_of("precision", DTYPES)] = "float64"
    strict: Annotated[bool, flag("warnings about preconditions become errors")] = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        defaults = defaults_of(method_named(self.optimizer, self.options).states)
        for name, usual in (("steps", 0), ("step_size", 0.5)):
            if getattr(self, name) is AS_METHOD:
                object.__setattr__(self, name, defaults.get(name, usual))
        check_fields(self)
        if wrong := faults_of(rules_of(self.method.states), self.options):
            raise ValueError("; ".join(wrong))
        tracked_steps(self.steps, self.tracked, self.every)

    def stop_rule(self) -> StopRule:
        """When training ends before its last step."""
        return StopRule(self.tolerance, self.divergence, self.window, self.stagnation)

    def described(self, config: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """The configuration that a record keeps: the one given, or these settings where there is none, as in Python."""
        return config if config is not None else {"settings": {**vars(self), "options": dict(self.options)}}

    @property
    def method(self) -> Method:
        """The optimiser."""
        return method_named(self.optimizer, self.options)


@checked
@dataclass(frozen=True)
class Solver:
    """What a person may say to `solve`; the arguments are its own.

    Attributes:
        tolerance: on the estimated relative L² error.
        seconds: wall time at which to stop in any case; None for none.
        activations: σ to choose from.
        extra: whether singular functions may be added.
        widest: N at most; None for what memory allows.
        seed: of points and neurons.
        effort: operations to spend; None for what an idle two-core machine does in `seconds`, or in a minute.

    Examples:
        >>> from pinn_ntk import Solver, box, dirichlet, laplacian, pose
        >>> solution = Solver(tolerance=1e-8).solve(pose(-laplacian(1), box(0, 1), 2, [dirichlet(0)]))  # u = x(1 − x)
        >>> solution.estimate <= 1e-8, round(float(solution.u([[0.5]])), 6)
        (True, 0.25)
    """

    tolerance: ErrorTolerance = TOLERANCE
    seconds: Seconds = None
    activations: Activations = field(default=ACTIVATIONS_TRIED)
    extra: Extra = True
    widest: Widest = None
    seed: DrawSeed = 0
    effort: Operations = None

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self, problem: Problem) -> None:
        """Refuse what `solve` would refuse, before any compute.

        Raises:
            ValueError: an activation that is not smooth enough, or data that contradict one another.
        """
        check_solvable(Task(problem, self.seed), self.activations)

    @property
    def limits(self) -> str:
        """What ends it, in words."""
        planned = Effort.of(self.effort, self.seconds)
        stop = "" if self.seconds is None else f", at most {self.seconds:g} s"
        idle = planned.operations / RATE
        return f"with an effort of {planned.operations:.2g} operations ({idle:.3g} s of two idle cores){stop}"

    def solve(self, problem: Problem) -> Solution:
        """u of the problem."""
        return solve(problem, **{f.name: getattr(self, f.name) for f in fields(self)})


@checked
@dataclass(frozen=True)
class Experiment:
    """What `run` needs.

    Attributes:
        problem: the blocks.
        network: where training starts.
        settings: how to train, track and predict.
        trackers: asked beside the built-in ones.
        seeds: of an ensemble; none for the one run of that network.
        reference: finite elements to compare with; None for none.
        solver: of a run that chooses its network itself, so that `network` only stands for one; None for training.
    """

    problem: Problem
    network: Model
    settings: Settings
    trackers: Sequence[Tracker] = ()
    seeds: Sequence[int] = ()
    solver: Solver | None = None
    reference: Reference | None = None
