"""K^∞ against closed forms, against autograd applied to the kernel of h, against Monte Carlo, and against itself by another route."""

import math

import pytest
import torch
from torch import Tensor

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.kernels.closed_form import closed_form_kernel
from pinn_ntk.kernels.infinite_width import infinite_width_kernel, infinite_width_spectrum, kernel_limit
from pinn_ntk.kernels.limit import NotAvailableError, system_of
from pinn_ntk.networks.features import jacobian_columns
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.library import elliptic, identity, laplacian
from pinn_ntk.operators.rows import Rows
from pinn_ntk.operators.second_order import hard_constraint
from pinn_ntk.problem.residual import Block, Problem


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
    pairs = [(first, 0, first, 1), (first, 1, second, 0), (first, 0, third, 0), (second, 0, second, 1), (second, 1, third, 0)]
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
    """D = 2 integrates over the weights; the same rows with a coordinate appended on which nothing depends go pair by pair."""
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
        Rows(r.x @ Q, r.alpha, None if r.patterns is None else Q.mT @ r.patterns @ Q, None if r.b is None else r.b @ Q, r.c) for r in rows
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


def poisson(n: int, d: int) -> Problem:
    x = points(n, d, n)
    edge = x[: n // 2].clone()
    edge[:, 0] = 0.0
    full = torch.eye(d, dtype=torch.float64) + 0.3
    return Problem([Block(elliptic(d, full, b=torch.ones(d, dtype=torch.float64)), x, 0.0), Block(identity(d), edge, 0.0, "edge", 30.0)])


@pytest.mark.parametrize("name", ["relu3", "tanh", "gelu"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_kernels_of_problems_are_positive_semi_definite(name, d):
    K = infinite_width_kernel(poisson(12, d), name)
    for part in (K.a, K.w, K.total):
        assert torch.equal(part, part.mT) or float((part - part.mT).abs().max()) < 1e-12 * float(part.max())
        assert float(torch.linalg.eigvalsh((part + part.mT) / 2)[0]) > -len(part) * K.error
    assert torch.equal(K.total, K.a + K.w)


def test_new_rows_against_the_problem_and_blocks_by_name():
    problem = poisson(6, 2)
    K = infinite_width_kernel(problem, "tanh")
    same = infinite_width_kernel(problem, "tanh", at=problem.rows())
    assert float((same.total - K.total).abs().max()) < 1e-11 * float(K.total.max())
    s = problem.row_scales[1]
    new = infinite_width_kernel(problem, "tanh", at=(identity(2).rows(problem.blocks[1].x),))
    assert float((new.raw("new", "edge") - K.raw("edge", "edge")).abs().max()) < 1e-11 * float(K.total.max())
    assert float((new.total * s - K.total[6:]).abs().max()) < 1e-11 * float(K.total.max())


@pytest.mark.parametrize("name", ["relu3", "tanh"])
def test_hard_constraint_rows(name):
    """φ̃ of ϕh at a point is 𝓛(ϕσ(w·x)): the kernel of the transformed operator is a Monte Carlo mean of those."""

    def bubble(x: Tensor) -> Tensor:
        return (x * (1 - x)).prod(1)

    operator, _ = hard_constraint(laplacian(2), bubble)
    x, N = points(3, 2, 4), 20_000
    K = infinite_width_kernel(Problem([Block(operator, x, 0.0)]), name, bias=False).a
    w = torch.randn(N, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sigma = ACTIVATIONS[name]
    rows = laplacian(2).rows(x.repeat_interleave(N, 0))
    phi = rows.apply(lambda p: bubble(p) * sigma((p * w.repeat(3, 1)).sum(1))).view(3, N)
    for i in range(3):
        for j in range(3):
            sample = phi[i] * phi[j]
            assert abs(float(sample.mean() - K[i, j])) < 4.5 * float(sample.std()) / N**0.5


@pytest.mark.parametrize("name", ["relu3", "tanh"])
def test_finite_networks_approach_it_like_one_over_root_N(name):
    problem = Problem([Block(laplacian(2), points(6, 2), 0.0)])
    K = infinite_width_kernel(problem, name)
    widths, seeds = [64, 256, 1024, 4096], range(30)

    def distance(N: int) -> float:
        kernels = (closed_form_kernel(TwoLayer(2, N, name, gamma=1.0, seed=s), problem).total for s in seeds)
        return math.sqrt(sum(float(((k - K.total) ** 2).sum()) for k in kernels) / len(seeds))

    logs = torch.tensor([[math.log(N), math.log(distance(N))] for N in widths], dtype=torch.float64)
    centred = logs - logs.mean(0)
    slope = float((centred[:, 0] @ centred[:, 1]) / (centred[:, 0] @ centred[:, 0]))
    assert abs(slope + 0.5) < 0.12


def test_float32_rows_give_a_float32_kernel_whose_error_says_so():
    x = points(5, 2)
    single = infinite_width_kernel(Problem([Block(laplacian(2), x.float(), 0.0)]), "tanh")
    double = infinite_width_kernel(Problem([Block(laplacian(2), x.float().double(), 0.0)]), "tanh")
    assert single.total.dtype == torch.float32
    assert float((single.total.double() - double.total).abs().max()) <= single.error
    assert single.error > 1e4 * double.error


def on_a_line(n: int, ends: bool) -> Tensor:
    i = torch.arange(n, dtype=torch.float64)[:, None]
    return i / (n - 1) if ends else (i + 1) / (n + 1)


@pytest.mark.parametrize(
    ("operator", "name", "ends", "values"),
    [
        (identity, "relu", False, [2.1e-2, 7.1e-4, 6.4e-5, 6.0e-6, 6.3e-7]),
        (laplacian, "relu3", False, [1.6e-1, 1.1e-2, 8.9e-4, 6.5e-5, 5.446585643e-6]),
        (identity, "relu", True, [0.160, 5.6e-3, 2.0e-4, 1.0e-5, 8.0e-7]),
        (laplacian, "relu3", True, [0.962, 8.5e-2, 2.6e-3, 9.8e-5, 6.4e-6]),
    ],
)
def test_smallest_eigenvalues_on_a_line(operator, name, ends, values):
    """To the digits known beforehand; the last one of the second row from 40-digit arithmetic."""
    for n, value in zip((2, 3, 5, 10, 20), values, strict=True):
        spectrum = infinite_width_spectrum(Problem([Block(operator(1), on_a_line(n, ends), 0.0)]), name)
        digits = len(f"{value!r}".split("e")[0].replace(".", "").lstrip("0"))
        assert float(f"{spectrum.lambda_min:.{digits - 1}e}") == pytest.approx(value, rel=10.0 ** (-digits) / 5 + 1e-8)
        assert not spectrum.below_floor


def test_unit_vectors_without_bias():
    for n in (2, 3, 4):
        spectrum = infinite_width_spectrum(Problem([Block(identity(n), torch.eye(n, dtype=torch.float64), 0.0)]), "relu", bias=False)
        assert spectrum.lambda_min == pytest.approx(0.5 - 1 / (2 * math.pi), abs=1e-14)


def test_singular_values_get_smaller_eigenvalues_right_than_the_kernel_does():
    """sin: rank grows with tiny eigenvalues; λ_min of K^(a) for seven points from 40-digit arithmetic on the closed form."""
    import mpmath as mp

    x = on_a_line(7, True)
    spectrum = infinite_width_spectrum(Problem([Block(identity(1), x, 0.0)]), "sin")
    with mp.workdps(40):
        X = [(mp.mpf(i) / 6, mp.mpf(1)) for i in range(7)]

        def k(a, b):
            S = a[0] * b[0] + 1
            t = (a[0] ** 2 + b[0] ** 2 + 2) / 2
            return (mp.exp(S - t) - mp.exp(-S - t)) / 2

        exact = float(min(mp.eigsy(mp.matrix([[k(a, b) for b in X] for a in X]), eigvals_only=True)))
    assert abs(spectrum.lambda_min - exact) <= max(spectrum.floor, 1e-6 * exact)
    assert spectrum.lambda_min == pytest.approx(exact, rel=1e-4)
    by_kernel = infinite_width_kernel(Problem([Block(identity(1), x, 0.0)]), "sin", parts="a").spectrum()
    assert abs(by_kernel.lambda_min - exact) > abs(spectrum.lambda_min - exact)


@pytest.mark.parametrize("part", ["a", "total"])
def test_spectrum_is_that_of_the_kernel(part):
    for name, d in (("tanh", 1), ("tanh", 2), ("tanh", 3), ("relu3", 2)):
        problem = poisson(6, d)
        K = infinite_width_kernel(problem, name, parts="a" if part == "a" else "both")
        spectrum = infinite_width_spectrum(problem, name, part=part)
        assert float((spectrum.eigenvalues - torch.linalg.eigvalsh(K.total)).abs().max()) < 1e-11 * spectrum.lambda_max


def test_centred_initialisation_has_the_same_limit():
    problem = poisson(4, 1)
    a, b = (infinite_width_kernel(problem, "tanh", init=i).total for i in ("lecture", "centred"))
    assert torch.equal(a, b)


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


def test_what_has_no_exact_kernel_says_so():
    def jet(z: Tensor, k: int) -> tuple[Tensor, ...]:
        raise AssertionError("never evaluated")

    problem = poisson(4, 2)
    with pytest.raises(NotAvailableError, match="neither analytic nor homogeneous"):
        infinite_width_kernel(problem, Activation("elu", jet, None, 1, "elu"))
    with pytest.raises(NotAvailableError, match="too few derivatives"):
        infinite_width_kernel(problem, "relu")
    with pytest.raises(NotAvailableError, match="scale the coordinates"):
        kernel_limit(identity_rows(1e4 * points(3, 4)), None, ACTIVATIONS["tanh"], "lecture", 1e-12, False)
    for wrong in ({"init": "xavier"}, {"parts": "w"}, {"tolerance": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            infinite_width_kernel(problem, "tanh", **wrong)
