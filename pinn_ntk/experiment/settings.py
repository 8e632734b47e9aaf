"""How a run is done: plain numbers with their ranges, whatever configuration system they come from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from pinn_ntk.arguments import choose
from pinn_ntk.experiment.referenced import Reference
from pinn_ntk.networks.fused import PREFERENCES
from pinn_ntk.networks.model import Model
from pinn_ntk.problem.residual import Problem
from pinn_ntk.solving.solution import Solution
from pinn_ntk.solving.solve import ACTIVATIONS_TRIED, SECONDS, TOLERANCE, check_arguments, solve
from pinn_ntk.training.methods import Method, method_named
from pinn_ntk.training.states import StopRule
from pinn_ntk.training.trackers import Tracker, tracked_steps

AUTO = "auto"
"""The optimizer that chooses for itself, by `solve`."""
DTYPES = {"float64": torch.float64, "float32": torch.float32}


class StrictError(ValueError):
    """A precondition that is a warning otherwise, under `strict`."""


@dataclass(frozen=True)
class Settings:
    """How a run is done.

    Attributes:
        optimizer: a name of `training.methods.METHODS`.
        step_size: τ as a fraction of 2n/(s²N λ_max), or τ itself with `absolute`; for a flow it sets the horizon
            steps·τ. Optimisers without such a step leave it alone.
        absolute: how step_size is meant.
        steps: at most.
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

    optimizer: str = "gradient_descent"
    step_size: float = 0.5
    absolute: bool = False
    steps: int = 2000
    tolerance: float = 0.0
    divergence: float = 1e6
    stagnation: float = 1e-12
    window: int = 1000
    tracked: int = 40
    every: int | None = None
    kernel: bool = True
    spectra: int | None = None
    theory: bool = True
    delta: float = 0.1
    forecast_draws: int = 1000
    device: str = "auto"
    compile: str = "auto"
    dtype: str = "float64"
    strict: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        method_named(self.optimizer, self.options)
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype: got {self.dtype!r}, expected one of {', '.join(DTYPES)}")
        choose("compile", self.compile, {name: name for name in PREFERENCES})
        if not 0.0 < self.delta < 1.0:
            raise ValueError(f"delta: got {self.delta}, expected a number between 0 and 1, e.g. 0.1")
        if not (math.isfinite(self.step_size) and self.step_size > 0.0) or self.steps < 0 or self.forecast_draws < 1:
            raise ValueError(
                f"step_size, steps, forecast_draws: got {self.step_size}, {self.steps}, {self.forecast_draws}; "
                "expected a positive number, at least 0, at least 1"
            )
        tracked_steps(self.steps, self.tracked, self.every)
        if self.spectra is not None and self.spectra < 2:
            raise ValueError(f"spectra: got {self.spectra}, expected 2 or more (the first and the last step), or None")
        self.stop_rule()

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


@dataclass(frozen=True)
class Solver:
    """What a person may say to `solve`; the arguments are its own.

    Attributes:
        tolerance: on the estimated relative L² error.
        seconds: wall time.
        activations: σ to choose from.
        extra: whether singular functions may be added.
        widest: N at most; None for what memory allows.
        seed: of points and neurons.

    Examples:
        >>> from pinn_ntk import Solver, box, dirichlet, laplacian, pose
        >>> solution = Solver(tolerance=1e-8).solve(pose(-laplacian(1), box(0, 1), 2, [dirichlet(0)]))  # u = x(1 − x)
        >>> solution.estimate <= 1e-8, round(float(solution.u([[0.5]])), 6)
        (True, 0.25)
    """

    tolerance: float = TOLERANCE
    seconds: float = SECONDS
    activations: Sequence[str] = field(default=ACTIVATIONS_TRIED)
    extra: bool = True
    widest: int | None = None
    seed: int = 0

    def check(self, problem: Problem) -> None:
        """Refuse what `solve` would refuse, before any compute.

        Raises:
            ValueError: an argument out of its range, or an activation that is not smooth enough.
        """
        check_arguments(problem, self.tolerance, self.seconds, self.activations, self.widest, self.seed)

    def solve(self, problem: Problem) -> Solution:
        """u of the problem."""
        return solve(problem, self.tolerance, self.seconds, self.activations, self.extra, self.widest, self.seed)


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
