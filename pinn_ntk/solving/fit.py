"""One fit: frozen neurons and extra functions, outer weights by least squares over rows that are scaled by the
operators' own sizes.

Rows of block b are divided by max|Φ_b| √n_b, so that no block's units count: minimised is R_S with the weights λ_b =
1/max|Φ_b|² (times a person's own). How good a fit is, is told by two numbers: the share of the operator's own terms
that is left as a residual on rows it never saw, and how far it is from another fit of independently drawn neurons.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.networks.extra import ExtraFunction, applied, extra_function
from pinn_ntk.networks.features import System, features, neuron_chunks
from pinn_ntk.networks.least_squares import OuterFactor
from pinn_ntk.networks.two_layer import TwoLayer, Weights
from pinn_ntk.operators.rows import Rows
from pinn_ntk.solving.recipe import Focus, Recipe
from pinn_ntk.solving.task import Sample, Task
from pinn_ntk.solving.waves import WAVE, known_waves, rms

_SIZED = 300  # points at which the sizes of h and its derivatives are measured
_WHOLE = 12  # coordinates up to which mixed second derivatives count in them


@dataclass(frozen=True)
class Fit:
    """h(x) = Σ_k a_k σ(w_k·(x, 1)) + Σ_j β_j ψ_j(x).

    Attributes:
        recipe: how the neurons were drawn.
        seed: of the draw.
        inner: w, (N, d + 1).
        outer: a, (N,).
        extra: β, (m,).
        functions: ψ.
        weights: λ_b of each block.
        sample: the rows it was fitted to.
    """

    recipe: Recipe
    seed: int
    inner: Tensor
    outer: Tensor
    extra: Tensor
    functions: tuple[ExtraFunction, ...]
    weights: tuple[float, ...]
    sample: Sample

    @property
    def width(self) -> int:
        """N."""
        return self.outer.shape[0]

    @property
    def network(self) -> TwoLayer:
        """The fit as a network."""
        dim = self.inner.shape[1] - 1
        made = TwoLayer(dim, self.width, self.recipe.activation, gamma=1.0, seed=self.seed, extra=self.functions)
        made.init = "solver"
        zero = torch.zeros_like
        return made.with_weights(Weights(self.outer, self.inner, zero(self.outer), zero(self.inner), self.extra))

    def shifted(self, constant: float) -> "Fit":
        """h + constant, by the extra function that is the constant, which is added where there is none."""
        if constant == 0.0:
            return self
        functions, extra = self.functions, self.extra.clone()
        if not functions or functions[-1].kind != "constant":
            functions = (*functions, extra_function("constant", (), self.inner.shape[1] - 1))
            extra = torch.cat([extra, extra.new_zeros(1)])
        extra[-1] += constant
        return replace(self, extra=extra, functions=functions)


@dataclass(frozen=True)
class View:
    """A fit seen where no fit was made.

    Attributes:
        values: h at the reference points, (m,).
        rounding: ε(Σ (a_kφ_k)²)^½ there, rms.
        natural: the size of u that f_b and the data tell by that of the known v: max rms f_b/rms 𝓛_b v.
        residual: 𝓛_b h − f_b on the held-out rows, as a share of the terms of the block, over √n_b, (n,).
        worst: the block with the largest share.
        place: where its residual is largest, (d,).
        share: max_b rms(𝓛_b h − f_b)/√(mean f_b² + c²U² + Σ b_j²G_j² + Σ A_jk²H_jk²) on these rows, with U, G, H the
            rms of h and its derivatives, G_j ≥ U/half_j, H_jj ≥ U/half_j²; of paired rows those of 𝓛_b alone.
    """

    values: Tensor
    rounding: float
    natural: float
    residual: Tensor
    worst: str
    place: tuple[float, ...]
    share: float


@dataclass(frozen=True)
class Bench:
    """Where fits are made: a task, its extra functions, and what is evaluated once for many fits.

    Attributes:
        task: what is to be satisfied.
        functions: extra functions ψ_j.
    """

    task: Task
    functions: tuple[ExtraFunction, ...] = ()
    _columns: dict[int, tuple[Sample, list[Tensor]]] = field(default_factory=dict)

    def fit(self, recipe: Recipe, width: int, seed: int, sample: Sample) -> Fit:
        """Neurons drawn by the recipe, outer weights fitted to the sample."""
        w = recipe.draw(width, self.task.frame, seed)
        matrix, right, weights = self.system(recipe, w, sample)
        c = OuterFactor.of(matrix).solve(right[:, 0])
        return Fit(recipe, seed, w, c[:width], c[width:], self.functions, weights, sample)

    def prepare(self, sample: Sample) -> None:
        """What fits of one sample share, made before several of them ask for it at once."""
        self._extra_columns(sample)
        _ = sample.lifted, self._waves

    @cached_property
    def _waves(self) -> tuple[Tensor, Tensor]:
        """The known v."""
        return known_waves(self.task.frame, self.task.seed)

    def known(self, rows: Rows) -> Tensor:
        """𝓛_b v at the points of rows on (x, 1)."""
        w, alpha = self._waves
        return features(_system((rows,), WAVE), w) @ alpha

    def system(self, recipe: Recipe, w: Tensor, sample: Sample) -> tuple[Tensor, Tensor, tuple[float, ...]]:
        """The scaled system, with the right-hand sides of u and of v, and λ_b; one array, filled block after block."""
        extras, width = self._extra_columns(sample), w.shape[0]
        matrix = w.new_empty(sample.points, width + len(self.functions))
        right, weights, start = w.new_empty(sample.points, 2), [], 0
        targets = self.task.targets(sample)
        for block, rows, columns, target in zip(sample.blocks, sample.lifted, extras, targets, strict=True):
            part = slice(start, start + len(block))
            system, largest = _system((rows,), ACTIVATIONS[recipe.activation]), 0.0
            for some in neuron_chunks(len(block), width):
                phi = features(system, w[some])
                largest = max(largest, float(phi.abs().max()))
                matrix[part, some] = phi
            matrix[part, width:] = columns
            weight = block.weight / (largest or 1.0) ** 2
            scale = math.sqrt(weight / len(block))
            matrix[part] *= scale
            right[part] = torch.stack([target, self.known(rows)], 1) * scale
            weights.append(weight)
            start = part.stop
        return matrix, right, tuple(weights)

    def _extra_columns(self, sample: Sample) -> list[Tensor]:
        """𝓛_bψ_j at the points of each block, (n_b, m)."""
        found = self._columns.get(id(sample))
        if found is None or found[0] is not sample:
            columns = [_columns(rows, self.functions) for rows in sample.rows]
            if len(self._columns) > 6:
                self._columns.clear()
            found = self._columns[id(sample)] = (sample, columns)
        return found[1]

    @cached_property
    def _factor(self) -> Tensor:
        """ϕ at the reference points; 1 without an ansatz, and where conditions about u itself are sampled."""
        x, ansatz = self.task.reference, self.task.problem.ansatz
        return torch.ones_like(x[:, 0]) if ansatz is None or self.task.posed else ansatz.phi(x)

    @cached_property
    def _extra_values(self) -> Tensor:
        x = self.task.reference
        return torch.stack([psi(x) for psi in self.functions], 1) if self.functions else x.new_zeros(len(x), 0)

    def values(self, fit: Fit) -> Tensor:
        """h (times ϕ) at the reference points, less its mean where u is known up to a constant."""
        return self._mean_free(self.terms(fit) @ torch.cat([fit.outer, fit.extra]))

    def terms(self, fit: Fit) -> Tensor:
        """[ϕσ(w_k·x), ϕψ_j] at the reference points, (m, N + m')."""
        x = self.task.reference
        sigma = ACTIVATIONS[fit.recipe.activation](x @ fit.inner[:, :-1].mT + fit.inner[:, -1])
        return self._factor[:, None] * torch.cat([sigma, self._extra_values], 1)

    def _mean_free(self, values: Tensor) -> Tensor:
        return values - values.mean() if self.task.floating else values

    def view(self, fit: Fit, noisy: frozenset[str] = frozenset()) -> View:
        """What the fit is where it was not made: its values and its residual.

        Args:
            fit: any.
            noisy: blocks whose residual is noise, and no share of anything.
        """
        terms, c = self.terms(fit), torch.cat([fit.outer, fit.extra])
        u = self._mean_free(terms @ c)
        rounding = torch.finfo(u.dtype).eps * rms((terms * c).norm(dim=1))
        sample, sizes, natural = self.task.held_out, self._sizes(fit), 0.0
        targets, residuals, shares = self.task.targets(sample), list[Tensor](), list[float]()
        rows = zip(sample.blocks, sample.rows, sample.lifted, self._extra_columns(sample), targets, strict=True)
        for block, own, lifted, columns, target in rows:
            left = features(_system((lifted,), ACTIVATIONS[fit.recipe.activation]), fit.inner) @ fit.outer
            left = (left + columns @ fit.extra - target) / max(_size(own, target, *sizes), 1e-300)
            natural = max(natural, rms(target) / max(rms(self.known(lifted)), 1e-300))
            residuals.append(left / math.sqrt(len(left)))
            shares.append(0.0 if block.name in noisy else rms(left))
        worst = max(range(len(shares)), key=shares.__getitem__)
        block, largest = sample.blocks[worst], int(residuals[worst].abs().argmax())
        place = tuple(block.x[largest].tolist())
        return View(u, rounding, natural, torch.cat(residuals), block.name, place, shares[worst])

    def focus(self, fit: Fit) -> Focus:
        """Centres where the fit bends, |∇²u| being taken in units of the half lengths of the box."""
        x, w, half = self.task.places, fit.inner[:, :-1], self._half
        bent = (fit.outer[:, None, None] * (w * half)[:, :, None] * (w * half)[:, None, :]).flatten(1)
        z = x @ w.mT + fit.inner[:, -1]
        curvature = (
            ACTIVATIONS[fit.recipe.activation].jet(z, 2)[2] @ bent
        )  # of the neurons alone: extra functions need no help
        return Focus.on(x.numpy(), curvature.norm(dim=1).numpy())

    @property
    def _half(self) -> Tensor:
        return torch.tensor(self.task.frame.half, dtype=torch.float64, device="cpu")

    def _sizes(self, fit: Fit) -> tuple[float, Tensor, Tensor]:
        """(U, G (d,), H (d, d)): rms of h, of its derivatives and second derivatives, inside."""
        x, half = self.task.reference[:_SIZED], self._half
        w, a, d = fit.inner[:, :-1], fit.outer, self.task.dim
        jet = ACTIVATIONS[fit.recipe.activation].jet(x @ w.mT + fit.inner[:, -1], 2 if self.task.order > 1 else 1)
        h, slope = jet[0] @ a, jet[1] @ (a[:, None] * w)
        curvature = x.new_zeros(len(x), d, d)
        if self.task.order > 1 and d <= _WHOLE:
            curvature = (jet[2] @ (a[:, None, None] * w[:, :, None] * w[:, None, :]).flatten(1)).reshape(-1, d, d)
        elif self.task.order > 1:
            curvature = torch.diag_embed(jet[2] @ (a[:, None] * w**2))
        for beta, psi in zip(fit.extra.tolist(), self.functions, strict=True):
            value, gradient, hessian = psi.jet(x)
            h, slope, curvature = h + beta * value, slope + beta * gradient, curvature + beta * hessian
        U, G, H = rms(self._mean_free(h)), slope.square().mean(0).sqrt(), curvature.square().mean(0).sqrt()
        H = torch.maximum(H, torch.diag(U / half**2))
        return U, torch.maximum(G, U / half), H


def _system(rows: tuple[Rows, ...], activation: Activation) -> System:
    return System(rows, rows[0].x.new_zeros(0), activation, 1.0)


def _columns(rows: Rows, functions: Sequence[ExtraFunction]) -> Tensor:
    return torch.stack([applied(rows, psi) for psi in functions], 1) if functions else rows.x.new_zeros(len(rows), 0)


def _size(rows: Rows, target: Tensor, U: float, G: Tensor, H: Tensor) -> float:
    """√(mean f² + c²U² + Σ b_j²G_j² + Σ A_jk²H_jk²)."""
    total = float(target.square().mean())
    total += 0.0 if rows.c is None else float(rows.c.square().mean()) * U**2
    total += 0.0 if rows.b is None else float((rows.b.square().mean(0) * G**2).sum())
    total += 0.0 if rows.alpha is None else float((rows.second_order().square().mean(0) * H**2).sum())
    return math.sqrt(total)
