"""Trackers: callables state → numbers (and arrays), asked at log-spaced steps; a history collects what they say."""

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.gram import Kernel
from pinn_ntk.kernels.spectrum import NonFiniteError, SpectrumError, spectrum_of_factor
from pinn_ntk.kernels.tangent import tangent_kernel, tangent_kernel_and_factors
from pinn_ntk.networks.rounding import rounding_loss
from pinn_ntk.problem.residual import Problem
from pinn_ntk.training.journal import Array as Array
from pinn_ntk.training.journal import Journal as Journal
from pinn_ntk.training.journal import Tracker as Tracker
from pinn_ntk.training.journal import Value as Value
from pinn_ntk.training.states import State, Status

_TRACKING = 0.4  # of the seconds of training
_SWEPT, _SWEPT_COMPILED, _CALLED = (
    15e-9,
    2e-9,
    1.5e-4,
)  # seconds for a number of n × N, eager and compiled, and for a step
_MULTIPLIED, _ROTATED = 3.2e-11, 8.4e-10  # seconds for each of n²N(D + 1) in a kernel, and of n³ in two spectra
_FEWEST = 5  # spectra of a run


@dataclass(frozen=True)
class History:
    """What was measured.

    Attributes:
        columns: name → one number per tracked step (`step`, `time`, `loss`, `loss.<block>`, `lambda_min`, …), NaN where
            not available; `seconds` is the time spent in training so far.
        arrays: name → one array per tracked step, stacked, (T, …).
        losses: R_S at every step, tracked or not.
        status: why training stopped.
        dynamics: how θ moved.
        seconds: time spent in training and in tracking.
        notes: numerical incidents, in words.
        final: the last state.
    """

    columns: Mapping[str, Array]
    arrays: Mapping[str, Array]
    losses: Array
    status: Status
    dynamics: Dynamics
    seconds: Mapping[str, float]
    notes: tuple[str, ...]
    final: State

    @property
    def step_size(self) -> float:
        """τ (0 for a flow)."""
        return self.dynamics.step


def loss_tracker(problem: Problem) -> Tracker:
    """R_S by block: R_b = ‖e_b‖²/(2n), Σ_b R_b = R_S; ‖∇R_S‖²; and `loss_floor`, below which R_S is rounding."""
    n = problem.points

    def track(state: State) -> Mapping[str, Value]:
        """The numbers of one state."""
        each = (state.residual[rows] for rows in problem.slices.values())
        squares = torch.stack([e @ e for e in each]).tolist()  # read back: columns of the history
        parts = {f"loss.{name}": square / (2 * n) for name, square in zip(problem.slices, squares, strict=True)}
        # read back: a column of the history
        floor = float(rounding_loss(problem.system(state.start), state.weights))
        return {
            "loss": state.loss,
            **parts,
            "gradient_norm_squared": state.gradient_norm**2,
            "loss_floor": floor,
        }

    return track


def displacement_tracker(state: State) -> Mapping[str, Value]:
    """How far θ has moved since initialisation: max |Δa| and max |Δw| of two layers,
    max |Δθ| and ‖Δθ‖/‖θ⁰‖ of a module.
    """
    return state.weights.movement(state.start.weights)


def error_tracker(problem: Problem) -> Tracker:
    """‖u − u*‖/‖u*‖ in L² and L^∞ over the test points of a problem whose solution is known."""
    if problem.exact is None or problem.test_points is None:
        return lambda _: {}
    x = problem.test_points
    exact = problem.exact(x)

    def track(state: State) -> Mapping[str, Value]:
        with torch.no_grad():
            difference = problem.solution(state.network)(x) - exact
        return {
            "relative_l2": _ratio(torch.linalg.vector_norm(difference), torch.linalg.vector_norm(exact)),
            "relative_linf": _ratio(difference.abs().max(), exact.abs().max()),
        }

    return track


def _ratio(error: Tensor, size: Tensor) -> float:
    """The relative error; the absolute one where the exact solution is zero."""
    return float(error / size) if float(size) > 0.0 else float(error)  # read back: a column of the history


class KernelTracker:
    """K̂(t) and K̂^(a)(t): smallest and largest eigenvalues with their floors, drift since initialisation,
    eᵀK̂e and eᵀK̂^(a)e.

    mode_losses = (u_jᵀe(t))²/(2n), u_j the eigenvectors of K̂ at its first call, ascending: what each initial mode
    holds of the loss.

    Part (a), the columns that end in _a, is there for two layers only.
    drift = ‖K̂_t − K̂_0‖_F/‖K̂_0‖_F, drift_a = ‖K̂^(a)_t − K̂^(a)_0‖_F (absolute: the stopping time t* is defined by
    it).

    Args:
        problem: the rows.
        spectra: steps at which eigenvalues are found, beside the first and the last; None for all that are tracked.
    """

    def __init__(self, problem: Problem, spectra: Collection[int] | None = None) -> None:
        self.problem, self.spectra = problem, spectra
        self.first: Kernel | None = None
        self.last: Kernel | None = None
        self.modes: Tensor | None = None
        self.notes: list[str] = []

    def __call__(self, state: State) -> Mapping[str, Value]:
        """The numbers, and the eigenvalues and alignments as arrays.

        Raises:
            NonFiniteError: the kernel has entries that are not finite.
        """
        network, factors = state.network, dict[str, Tensor]()  # a copy, which is as large as θ
        if (
            self.spectra is None
            or self.first is None
            or state.step in self.spectra
            or state.status is not Status.RUNNING
        ):
            kernel, factors = tangent_kernel_and_factors(network, self.problem)
        else:
            kernel = tangent_kernel(network, self.problem)
        self.first, self.last = self.first or kernel, kernel
        spectra: dict[str, Value] = {}
        for part, suffix in (("total", ""), ("a", "_a")):
            if part in factors:
                spectra |= self._spectrum(state, factors[part], part, suffix)
        e, norm = state.residual, torch.linalg.norm
        numbers = torch.stack([norm(kernel.total - self.first.total) / norm(self.first.total), e @ kernel.total @ e])
        drift, quadratic = numbers.tolist()  # read back: columns of the history
        return {
            "drift": drift,
            "quadratic": quadratic,
            "dissipation": kernel.scale * quadratic / self.problem.points**2,
            **self._part_a(e, kernel, self.first),
            **spectra,
            **self._mode_losses(e),
        }

    def _mode_losses(self, e: Tensor) -> Mapping[str, Value]:
        """The loss by initial modes, where their spectrum could be had."""
        return {} if self.modes is None else {"mode_losses": (self.modes.mT @ e).square() / (2 * self.problem.points)}

    def _part_a(self, e: Tensor, kernel: Kernel, first: Kernel) -> Mapping[str, Value]:
        """What concerns the outer weights; nothing of a network that has none."""
        if kernel.a is None or first.a is None:
            return {}
        numbers = torch.stack([torch.linalg.norm(kernel.a - first.a), e @ kernel.a @ e])
        drift, quadratic = numbers.tolist()  # read back: columns of the history
        return {"drift_a": drift, "quadratic_a": quadratic}

    def _spectrum(self, state: State, factor: Tensor, part: str, suffix: str) -> Mapping[str, Value]:
        names = ("lambda_min", "lambda_max", "floor", "effective_rank")
        try:
            spectrum = spectrum_of_factor(factor, state.start.kernel_scale, self.problem.points)
        except NonFiniteError:
            raise
        except SpectrumError as error:
            self.notes.append(f"step {state.step}: no spectrum of part {part}: {error}")
            empty = factor.new_full((self.problem.points,), math.nan)
            return {
                **{f"{n}{suffix}": math.nan for n in names},
                f"eigenvalues{suffix}": empty,
                f"alignment{suffix}": empty,
            }
        if part == "total" and self.modes is None and state.step == 0:
            self.modes = spectrum.vectors
        values = (spectrum.lambda_min, spectrum.lambda_max, spectrum.floor, spectrum.effective_rank)
        return {
            **{f"{n}{suffix}": v for n, v in zip(names, values, strict=True)},
            f"eigenvalues{suffix}": spectrum.eigenvalues,
            f"alignment{suffix}": spectrum.alignment(state.residual),
        }


def tracked_steps(steps: int, count: int = 40, every: int | None = None) -> list[int]:
    """Steps 0…steps at which trackers are asked: log-spaced by default, every so many on request;
    first and last always.

    Raises:
        ValueError: fewer than two, or `every` below 1.
    """
    if every is not None:
        if every < 1:
            raise ValueError(f"every: got {every}, expected 1 or more")
        return sorted({*range(0, steps + 1, every), steps})
    if count < 2:
        raise ValueError(f"count: got {count}, expected 2 or more tracked steps")
    # more than one in each step would repeat steps
    spaced = np.geomspace(1, max(steps, 1), min(count, 4 * steps + 2) - 1)
    return sorted({0, steps, *(round(v) for v in spaced if v <= steps)})


def spectrum_steps(tracked: Sequence[int], points: int, width: int, inputs: int, compiled: bool) -> list[int] | None:
    """Which tracked steps have eigenvalues, so that tracking takes about half of what training takes; None for all,
    at least five.

    Predicted from operations: a step sweeps n·N numbers, a kernel takes n²N(D + 1) of them, its factors as many again,
    a spectrum n³.

    Args:
        tracked: steps, ascending, 0 first.
        points: n.
        width: N.
        inputs: D.
        compiled: whether steps are.
    """
    step = points * width * (_SWEPT_COMPILED if compiled else _SWEPT) + _CALLED
    kernel = _MULTIPLIED * points**2 * width * (inputs + 1.0)
    spectrum = kernel + _ROTATED * points**3
    paid = (_TRACKING * tracked[-1] * step - len(tracked) * kernel) / spectrum
    if paid >= len(tracked):
        return None
    return spread(tracked, max(_FEWEST, int(paid)))


def spread(tracked: Sequence[int], count: int) -> list[int]:
    """At most so many of the steps, evenly by their place, both ends among them."""
    places = np.linspace(0, len(tracked) - 1, min(len(tracked), count))
    return sorted({tracked[round(place)] for place in places})


def track(
    states: Iterable[State],
    trackers: Sequence[Tracker],
    steps: Sequence[int],
    on_state: Callable[[State], None] | None = None,
    journal: Journal | None = None,
) -> History:
    """Run a generator of states to its end and ask the trackers at the steps given, and at the last state.

    Args:
        states: such as `gradient_descent(…)`.
        trackers: each state → numbers and arrays.
        steps: where they are asked.
        on_state: called with every state, for progress.
        journal: of the steps before the first of these states.

    Returns:
        The history; an interrupt by the keyboard ends it with status INTERRUPTED, and what was tracked is kept.
    """
    wanted, held, notes = set(steps), journal or Journal(), []
    spent, begin, last, status = 0.0, time.perf_counter() - held.seconds, None, Status.INTERRUPTED
    try:
        for state in states:
            last, status = state, state.status
            held.losses.append(state.loss)
            held.seconds = time.perf_counter() - begin - spent
            if on_state is not None:
                on_state(state)
            if (
                state.step in wanted or status is not Status.RUNNING or state.dynamics.kind == "flow"
            ):  # a flow has few states, by request
                start = time.perf_counter()
                held.ask(trackers, state, start - begin - spent)
                spent += time.perf_counter() - start
    except NonFiniteError as error:
        status = Status.NON_FINITE
        notes.append(str(error))
    except KeyboardInterrupt:
        if last is None:  # there is nothing to keep
            raise
        status = Status.INTERRUPTED
    if last is None:
        raise ValueError("states: got none, expected at least the initial one")
    if status is Status.INTERRUPTED:
        held.ask(trackers, last, time.perf_counter() - begin - spent)
    for tracker in trackers:
        notes.extend(getattr(tracker, "notes", []))
    seconds = {"training": time.perf_counter() - begin - spent, "kernel": spent}
    losses = np.array(held.losses, dtype=np.float64)
    return History(held.columns(), held.arrays(), losses, status, last.dynamics, seconds, tuple(notes), last)
