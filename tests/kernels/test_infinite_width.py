"""K^∞ against closed forms, against autograd applied to the kernel of h, against Monte Carlo,
and against itself by another route.
"""

import math

import pytest
import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.kernels import kernel_limit, system_of
from pinn_ntk.networks import jacobian_columns
from pinn_ntk.operators import Rows, identity


def points(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def identity_rows(x: Tensor) -> tuple[Rows, ...]:
    return (identity(x.shape[1]).rows(x),)


def mixed_rows(d: int, seed: int = 0) -> tuple[Rows, ...]:
    """Three blocks: A(x) of full rank with b(x), c(x); a first-order one; the identity."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    patterns = normal(2, d, d)
    x = 0.6 * normal(5, d)
    second = Rows(x[:2], normal(2, 2), patterns + patterns.mT, normal(2, d), normal(2))
    return second, Rows(x[2:4], None, None, normal(1, d), None), Rows(x[4:], None, None, None, normal(1))


def limit(rows: tuple[Rows, ...], name: str, right: tuple[Rows, ...] | None = None):
    return kernel_limit(rows, right, ACTIVATIONS[name], "lecture", 1e-12, True)


def special_pairs() -> Tensor:
    """Generic points, one twice, a multiple, an antiparallel, nearly parallel and nearly antiparallel ones."""
    x = points(3, 3, 1) - 0.4
    close = x[0] + 1e-9 * (points(1, 3, 2)[0] - 0.5)
    return torch.stack([*x, x[0], 2.5 * x[0], -x[1], -0.5 * x[0], close, -close])


def angle(x: Tensor) -> tuple[Tensor, Tensor]:
    """(|x||x'|, θ) with θ accurate also near 0 and π."""
    norm = x.norm(dim=1)
    unit = x / norm[:, None]
    sine, cosine = (unit[:, None] - unit[None]).norm(dim=2), (unit[:, None] + unit[None]).norm(dim=2)
    return norm[:, None] * norm, 2 * torch.atan2(sine, cosine)


def arc_cosine(x: Tensor, p: int) -> Tensor:
    """E σ(w·x)σ(w·x') for σ = max(z,0)ᵖ/p! (Cho & Saul 2009)."""
    size, t = angle(x)
    s, c, rest = torch.sin(t), torch.cos(t), math.pi - t
    J = {
        0: rest,
        1: s + rest * c,
        2: 3 * s * c + rest * (1 + 2 * c * c),
        3: 15 * s - 11 * s**3 + rest * (9 * c + 6 * c**3),
    }[p]
    return size**p * J / (2 * math.pi * math.factorial(p) ** 2)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_relu_powers_have_the_arc_cosine_kernels(p):
    x = special_pairs()
    K = limit(identity_rows(x), "relu" if p == 1 else f"relu{p}")
    scale = torch.sqrt(arc_cosine(x, p).diagonal().outer(arc_cosine(x, p).diagonal()))
    assert float(((K.a - arc_cosine(x, p)).abs() / scale).max()) < 1e-13
    slope = arc_cosine(x, p - 1) * (x @ x.mT)
    assert float((K.w - slope).abs().max()) < 1e-13 * float(slope.max())


def closed_form(name: str, x: Tensor) -> Tensor:
    S = x @ x.mT
    square = S.diagonal()
    if name == "erf":
        return 2 / math.pi * torch.asin(2 * S / torch.sqrt((1 + 2 * square)[:, None] * (1 + 2 * square)))
    if name == "sin":
        total = (square[:, None] + square) / 2
        return (torch.exp(S - total) - torch.exp(-S - total)) / 2
    return 1 / torch.sqrt((1 + square)[:, None] * (1 + square) - S * S)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("name", ["erf", "sin", "gaussian"])
def test_smooth_activations_have_their_closed_forms(name, d):
    x = 1.5 * points(6, d, d) - 0.5
    x[1], x[2], x[3] = -x[0], 0.5 * x[0], x[4] + 1e-9
    K = limit(identity_rows(x), name)
    error = float((K.a - closed_form(name, x)).abs().max())
    assert error <= 10 * K.error
    assert error < 1e-12
    assert 0.0 < K.error < 1e-10


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize(("name", "size"), [("erf", 1.0), ("erf", 4.0), ("sin", 3.0), ("gaussian", 2.0)])
def test_the_error_estimate_is_honest_at_every_tolerance(name, size, tolerance):
    x = size * (points(10, 4, 3) - 0.3)
    x[0] *= 0.1
    K = kernel_limit(identity_rows(x), None, ACTIVATIONS[name], "lecture", tolerance, False)
    error = float((K.a - closed_form(name, x)).abs().max())
    assert error <= 2 * K.error
    assert error <= 4 * tolerance


@pytest.mark.parametrize(("name", "tolerance"), [("relu3", 1e-11), ("gaussian", 1e-11), ("erf", 1e-11)])
def test_the_operators_applied_to_the_kernel_of_h_give_its_features_kernel(name, tolerance):
    """𝓛_x 𝓛'_x' k(x, x') by automatic differentiation of the closed form."""
    first, second, third = (r.lifted() for r in mixed_rows(2, 5))
    K = limit((first, second, third), name).a

    def k(x: Tensor, y: Tensor) -> Tensor:
        S, r, s = (x * y).sum(1), (x * x).sum(1), (y * y).sum(1)
        if name == "gaussian":
            return 1 / torch.sqrt((1 + r) * (1 + s) - S * S)
        if name == "erf":
            return 2 / math.pi * torch.asin(2 * S / torch.sqrt((1 + 2 * r) * (1 + 2 * s)))
        root = torch.sqrt(r * s)
        c = S / root
        t, sine = torch.acos(c), torch.sqrt(1 - c * c)
        return root**3 * (15 * sine - 11 * sine**3 + (math.pi - t) * (9 * c + 6 * c**3)) / (72 * math.pi)

    def twice(left: Rows, i: int, right: Rows, j: int) -> Tensor:
        a, b = left.select(slice(i, i + 1)), right.select(slice(j, j + 1))
        return a.apply(lambda x: b.apply(lambda y: k(x, y)))[0]

    ends = {id(first): 0, id(second): 2, id(third): 4}
    pairs = [
        (first, 0, first, 1),
        (first, 1, second, 0),
        (first, 0, third, 0),
        (second, 0, second, 1),
        (second, 1, third, 0),
    ]
    for left, i, right, j in pairs:
        exact = float(twice(left, i, right, j))
        assert abs(float(K[ends[id(left)] + i, ends[id(right)] + j]) - exact) < tolerance * float(K.diagonal().max())


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["relu2", "relu3", "tanh", "gelu", "softplus", "sin", "gaussian", "erf"])
def test_monte_carlo_agrees_within_its_error(name, d):
    rows, N = mixed_rows(d, 10 * d), 60_000
    K = limit(rows, name)
    w = torch.randn(N, d, generator=torch.Generator().manual_seed(d), dtype=torch.float64)
    phi, *slopes = jacobian_columns(system_of(rows, ACTIVATIONS[name]), w, w.new_ones(N))
    i, j = torch.triu_indices(5, 5)
    for exact, samples in ((K.a, phi[i] * phi[j]), (K.w, sum(s[i] * s[j] for s in slopes))):
        error = samples.std(1) / N**0.5
        assert float(((samples.mean(1) - exact[i, j]).abs() / (error + K.error)).max()) < 4.5


def test_the_plane_of_each_pair_and_the_weights_give_the_same_kernel():
    """D = 2 integrates over the weights; the same rows with a coordinate appended on which nothing depends go pair by
    pair.
    """
    for name in ("tanh", "gelu"):
        rows = mixed_rows(2, 3)
        padded = tuple(
            Rows(
                torch.nn.functional.pad(r.x, (0, 2)),
                r.alpha,
                None if r.patterns is None else torch.nn.functional.pad(r.patterns, (0, 2, 0, 2)),
                None if r.b is None else torch.nn.functional.pad(r.b, (0, 2)),
                r.c,
            )
            for r in rows
        )
        weights, planes = limit(rows, name), limit(padded, name)
        for part in ("a", "w"):
            difference = float((getattr(weights, part) - getattr(planes, part)).abs().max())
            assert difference < 1e-11 * float(planes.a.max())
            assert difference <= 10 * (weights.error + planes.error)


def test_a_rotation_of_the_coordinates_changes_nothing():
    rows = mixed_rows(4, 8)
    Q = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    turned = tuple(
        Rows(
            r.x @ Q,
            r.alpha,
            None if r.patterns is None else Q.mT @ r.patterns @ Q,
            None if r.b is None else r.b @ Q,
            r.c,
        )
        for r in rows
    )
    for name in ("relu3", "tanh"):
        K, R = limit(rows, name), limit(turned, name)
        assert float((K.a - R.a).abs().max()) < 1e-11 * float(K.a.max())
        assert float((K.w - R.w).abs().max()) < 1e-11 * float(K.w.max())


@pytest.mark.parametrize("name", ["relu3", "tanh", "softplus"])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_cross_kernels_are_blocks_of_the_symmetric_one(name, d):
    rows = mixed_rows(d, d)
    whole, cross = limit(rows, name), limit(rows[:2], name, rows[1:])
    assert cross.a.shape == (4, 3)
    for part in ("a", "w"):
        assert float((getattr(whole, part)[:4, 2:] - getattr(cross, part)).abs().max()) < 1e-11 * float(whole.a.max())


def test_an_activation_of_ones_own_on_both_sides_of_zero():
    """Leaky ReLU = ReLU(z) − s·ReLU(−z): K = (1 + s²)k(x,x') − 2s k(x,−x')."""
    s = 0.3

    def jet(z: Tensor, k: int) -> tuple[Tensor, ...]:
        side = s + (1 - s) * (z > 0).to(z.dtype)
        return (side * z, side, torch.zeros_like(z), torch.zeros_like(z))[: k + 1]

    leaky = Activation("leaky", jet, 1, 0, "max(z, 0.3z)")
    x = special_pairs()
    K = kernel_limit(identity_rows(x), None, leaky, "lecture", 1e-12, False).a
    both = arc_cosine(torch.cat([x, -x]), 1)
    n = len(x)
    assert float((K - (1 + s * s) * both[:n, :n] + 2 * s * both[:n, n:]).abs().max()) < 1e-13 * float(K.max())
