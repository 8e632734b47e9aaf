"""The table of optimisers: each name's generator of states. The arguments of a generator are the keys that a person may
set.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks.model import Model
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked
from pinn_ntk.training.descent import gradient_descent, heavy_ball, momentum_dynamics, nesterov
from pinn_ntk.training.first_order import adam, sgd
from pinn_ntk.training.flow import MOST_EVALUATIONS, flow_times, gradient_flow
from pinn_ntk.training.gauss_newton import levenberg_marquardt
from pinn_ntk.training.least_squares import least_squares, require_outer
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.options import Steps, StepSize
from pinn_ntk.training.particles import particle_flow, require_particles
from pinn_ntk.training.quasi_newton import lbfgs
from pinn_ntk.training.spring import spring
from pinn_ntk.training.states import State, StopRule
from pinn_ntk.training.variable_projection import variable_projection

SUPPLIED = ("network", "problem", "steps", "stop", "limit", "tracked", "memory")
"""Arguments that a run supplies itself; every other one is the method's own, with a default."""


@dataclass(frozen=True)
class Method:
    """One way to descend R_S.

    Attributes:
        states: (network, problem, steps=…, stop=…, own options) → states, the first one θ⁰. It may also take `limit`,
            the step limit of its law where it is known, and `tracked`, how many states are wanted of a method that
            chooses its own times.
        words: what it does, for a report.
        every: whether trackers are asked at every state.
        check: (network, own options) → whatever; raises ValueError for those that the method cannot take.
        aside: arguments that make another method of this table of it; taken, but not written into a configuration.
    """

    states: Callable[..., Iterator[State]]
    words: str
    every: bool = False
    check: Callable[[Model, Mapping[str, object]], object] | None = None
    aside: tuple[str, ...] = ()

    @property
    def arguments(self) -> Mapping[str, inspect.Parameter]:
        """All arguments by name."""
        return inspect.signature(self.states).parameters

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the method's own arguments."""
        return tuple(name for name in self.arguments if name not in SUPPLIED)

    def require(self, network: Model, options: Mapping[str, object]) -> None:
        """Refuse, before any compute, what this method cannot take.

        Args:
            network: to be trained.
            options: the method's own, of which those not named have their defaults.

        Raises:
            ValueError: with what is expected.
        """
        if self.check is not None:
            self.check(network, options)


@checked
def _descended_flow(
    network: Model,
    problem: Problem,
    step_size: StepSize = 0.5,
    steps: Steps = 500,
    tracked: int = 40,
    stop: StopRule | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ' = −∇R_S over the time that gradient descent with that step size and those steps would cover.

    Args:
        network: where the flow starts.
        problem: the blocks.
        step_size: τ as a fraction of the step limit.
        steps: of the descent.
        tracked: states wanted, at log-spaced times.
        stop: when to end earlier.
        memory: of an earlier run of it, to go on where that was.
    """
    times = flow_times(network, problem, steps, step_size, tracked) if steps else [0.0]
    return gradient_flow(network, problem, times, most=max(MOST_EVALUATIONS, steps), stop=stop, memory=memory)


def _outer(name: str) -> Callable[[Model, Mapping[str, object]], object]:
    """The check of a method that solves for outer weights."""
    return lambda network, _: require_outer(name, network)


METHODS: dict[str, Method] = {
    "gradient_descent": Method(gradient_descent, "gradient descent", aside=("momentum", "nesterov")),
    "gradient_flow": Method(_descended_flow, "gradient flow", every=True),
    "heavy_ball": Method(heavy_ball, "gradient descent with momentum (heavy ball)"),
    "nesterov": Method(nesterov, "Nesterov's accelerated gradient descent"),
    "particle_flow": Method(particle_flow, "mean-field flow of particles", check=require_particles),
    "adam": Method(adam, "Adam"),
    "sgd": Method(sgd, "stochastic gradient descent, by epochs"),
    "lbfgs": Method(lbfgs, "L-BFGS"),
    "levenberg_marquardt": Method(levenberg_marquardt, "Levenberg–Marquardt"),
    "spring": Method(spring, "SPRING (damped Gauss–Newton with memory)"),
    "least_squares": Method(least_squares, "least squares for the outer weights", check=_outer("least_squares")),
    "variable_projection": Method(variable_projection, "variable projection", check=_outer("variable_projection")),
}


def method_named(name: str, options: Mapping[str, object]) -> Method:
    """The method of that name, which has to take those options.

    Raises:
        ValueError: an unknown method, or an option that it does not have; the known ones are listed.
    """
    if name not in METHODS:
        raise ValueError(f"optimizer: got {name!r}, expected one of {', '.join(METHODS)}")
    method = METHODS[name]
    for option in options:
        if option not in method.options:
            raise ValueError(
                f"optimizer {name!r}: got the option {option!r}, expected one of {', '.join(method.options)}"
            )
    return method


def law(name: str, options: Mapping[str, object]) -> Dynamics:
    """How a method with a step limit moves θ, its step still to be set: descent, heavy ball or Nesterov,
    by its own momentum.
    """
    arguments = {**{k: p.default for k, p in method_named(name, options).arguments.items()}, **options}
    return momentum_dynamics(float(arguments.get("momentum", 0.0)), bool(arguments.get("nesterov", name == "nesterov")))
