"""Trackers of an ensemble: the columns of `trackers`, for all members at once."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.batched import BatchedSpectrum, batched_kernel, batched_spectrum
from pinn_ntk.networks.features import System
from pinn_ntk.networks.rounding import rounding_loss
from pinn_ntk.networks.sums import residual
from pinn_ntk.networks.two_layer import TwoLayer, Weights
from pinn_ntk.operators.library import identity
from pinn_ntk.problem.residual import Problem
from pinn_ntk.training.ensemble_states import EnsembleState, EnsembleTracker, batch_elements, selected
from pinn_ntk.training.states import Status
from pinn_ntk.training.trackers import Tracker

_POINTS = 64  # test points held at a time: fewer would cost more in calls than they save in cache


def loss_tracker(problem: Problem) -> EnsembleTracker:
    """R_S by block: R_b = ‖e_b‖²/(2n), Σ_b R_b = R_S; ‖∇R_S‖²; and `loss_floor`, below which R_S is rounding."""
    n = problem.points

    def track(state: EnsembleState) -> Mapping[str, Tensor]:
        """The numbers of one state."""
        parts = {
            f"loss.{name}": (state.residual[:, rows] ** 2).sum(1) / (2 * n) for name, rows in problem.slices.items()
        }
        floor = rounding_loss(state.system, state.weights)
        return {"loss": state.loss, **parts, "gradient_norm_squared": state.gradient_norm**2, "loss_floor": floor}

    return track


def displacement_tracker(state: EnsembleState) -> Mapping[str, Tensor]:
    """max_k |Δa_k| and max_kj |Δw_kj| since initialisation, whose displacements are zero."""
    moved = {"max_delta_a": state.weights.da, "max_delta_w": state.weights.dw}
    return {name: d.abs().flatten(1).amax(1) for name, d in moved.items()}


def residual_tracker(state: EnsembleState) -> Mapping[str, Tensor]:
    """e itself, as the array 'residual'."""
    return {"residual": state.residual}


def each_member(tracker: Tracker, dynamics: Dynamics) -> EnsembleTracker:
    """A tracker of single runs, asked about every member in turn; it must not remember what it was asked before.

    Args:
        tracker: state → numbers and arrays.
        dynamics: how θ moves, its step still to be set.
    """

    def track(state: EnsembleState) -> Mapping[str, Tensor]:
        """What it says of each, stacked; NaN of members of which it does not say it."""
        device, states = (
            state.loss.device,
            [state.member(i, Status.RUNNING, dynamics) for i in range(len(state.members))],
        )
        said = [
            {name: torch.as_tensor(value, dtype=torch.float64, device=device) for name, value in tracker(one).items()}
            for one in states
        ]
        first = {name: value for row in reversed(said) for name, value in row.items()}
        return {
            name: torch.stack([row.get(name, torch.full_like(like, math.nan)) for row in said])
            for name, like in first.items()
        }

    return track


def error_tracker(problem: Problem, network: TwoLayer) -> EnsembleTracker:
    """‖u − u*‖/‖u*‖ in L² and L^∞ over the test points of a problem whose solution is known."""
    if problem.exact is None or problem.test_points is None:
        return lambda _: {}
    x = problem.test_points
    exact, values = problem.exact(x), network.system((identity(problem.dim).rows(x),), x.new_zeros(len(x)))
    # the absolute error where the exact solution is zero
    size, peak = (torch.where(s > 0.0, s, 1.0) for s in (torch.linalg.vector_norm(exact), exact.abs().max()))

    def track(state: EnsembleState) -> Mapping[str, Tensor]:
        """The errors of one state."""
        with torch.no_grad():
            difference = problem.solution(lambda _: _in_pieces(values, state.weights))(x) - exact
        l2, linf = torch.linalg.vector_norm(difference, dim=1), difference.abs().amax(1)
        return {"relative_l2": l2 / size, "relative_linf": linf / peak}

    return track


def _in_pieces(system: System, weights: Weights) -> Tensor:
    """The residuals (S, n) of one block, a few members and points at a time: all of them would not stay in a cache."""
    members, width = weights.a0.shape
    held = batch_elements(weights.a0.device) // width
    few = max(1, min(members, held // _POINTS))
    systems = list(_pieces(system, max(1, held // few)))
    groups = [selected(weights, rows) for rows in torch.arange(members, device=weights.a0.device).split(few)]
    return torch.cat([torch.cat([residual(piece, group) for piece in systems], -1) for group in groups])


def _pieces(system: System, size: int) -> Iterator[System]:
    """One block, so many points at a time."""
    rows, extra = system.rows[0], system.extra
    for start in range(0, system.points, size):
        part = slice(start, start + size)
        yield replace(
            system, rows=(rows.select(part),), target=system.target[part], extra=None if extra is None else extra[part]
        )


class KernelTracker:
    """K̂(t) and K̂^(a)(t) of every member: eigenvalues with their floors, drift since initialisation,
    eᵀK̂e and eᵀK̂^(a)e.

    drift = ‖K̂_t − K̂_0‖_F/‖K̂_0‖_F, drift_a = ‖K̂^(a)_t − K̂^(a)_0‖_F (absolute); mode_losses = (u_jᵀe(t))²/(2n), u_j
    of K̂_0, ascending.

    Attributes:
        notes: numerical incidents by member.
        not_finite: members whose kernel had entries that are not finite, at the last call.
    """

    def __init__(self) -> None:
        self.first: tuple[Tensor, Tensor] | None = None
        self.modes: Tensor | None = None
        self.places: dict[int, int] = {}
        self.notes: dict[int, list[str]] = {}
        self.not_finite: tuple[int, ...] = ()

    def __call__(self, state: EnsembleState) -> Mapping[str, Tensor]:
        """The numbers, and the eigenvalues and alignments as arrays."""
        total, part_a = batched_kernel(state.system, state.weights)
        if self.first is None:
            self.first, self.places = (total, part_a), {m: i for i, m in enumerate(state.members)}
        rows = torch.tensor([self.places[m] for m in state.members], dtype=torch.long, device=total.device)
        first, first_a = (part[rows] for part in self.first)
        healthy = torch.isfinite(total).flatten(1).all(1)
        # read back: who has no spectrum
        self.not_finite = tuple(m for m, good in zip(state.members, healthy.tolist(), strict=True) if not good)
        for m in self.not_finite:
            self._note(
                m, f"step {state.step}: the kernel has entries that are not finite; the eigensolver is not called"
            )
        e, n, scale = state.residual, state.system.points, state.system.scale**2 * state.start.width
        quadratic, quadratic_a = (torch.einsum("si,sij,sj->s", e, kernel, e) for kernel in (total, part_a))
        norm = torch.linalg.matrix_norm
        return {
            "drift": norm(total - first) / norm(first),
            "drift_a": norm(part_a - first_a),
            "quadratic": quadratic,
            "dissipation": scale * quadratic / n**2,
            "quadratic_a": quadratic_a,
            **self._spectrum(state, healthy, "total", ""),
            **self._spectrum(state, healthy, "a", "_a"),
            **(
                {}
                if self.modes is None
                else {"mode_losses": (self.modes[rows].mT @ e[..., None]).squeeze(-1).square() / (2 * n)}
            ),
        }

    def _spectrum(self, state: EnsembleState, healthy: Tensor, part: str, suffix: str) -> Mapping[str, Tensor]:
        """Spectra of the members with a finite kernel; the others, and those whose solver failed, are NaN."""
        good = healthy.nonzero().flatten()  # read back: who has a spectrum
        everyone, n = len(state.members), state.system.points
        values = {
            name: state.residual.new_full((everyone,), math.nan)
            for name in ("lambda_min", "lambda_max", "floor", "effective_rank")
        }
        arrays = {name: state.residual.new_full((everyone, n), math.nan) for name in ("eigenvalues", "alignment")}
        if len(good):
            spectrum = batched_spectrum(state.system, selected(state.weights, good), part)
            self._note_failures(state, good, spectrum, part)
            if part == "total" and self.modes is None and state.step == 0:
                self.modes = state.residual.new_full((everyone, n, n), math.nan)
                self.modes[good] = spectrum.vectors
            values["lambda_min"][good], values["lambda_max"][good] = (
                spectrum.eigenvalues[:, 0],
                spectrum.eigenvalues[:, -1],
            )
            values["floor"][good], values["effective_rank"][good] = spectrum.floor, spectrum.effective_rank
            arrays["eigenvalues"][good], arrays["alignment"][good] = (
                spectrum.eigenvalues,
                spectrum.alignment(state.residual[good]),
            )
        return {f"{name}{suffix}": value for name, value in (values | arrays).items()}

    def _note_failures(self, state: EnsembleState, good: Tensor, spectrum: BatchedSpectrum, part: str) -> None:
        # read back: whose solver failed
        for place in good[torch.isnan(spectrum.floor)].tolist():
            self._note(
                state.members[place], f"step {state.step}: no spectrum of part {part}: the eigensolver did not converge"
            )

    def _note(self, member: int, words: str) -> None:
        self.notes.setdefault(member, []).append(words)
