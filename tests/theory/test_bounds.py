"""The lecture's statements: against sampled networks, against each other, and at the edges of their ranges."""

import math

import pytest
import torch
from torch import Tensor

from pinn_ntk.theory import (
    PDE,
    REGRESSION,
    Premises,
    Theorem,
    convergence_rate,
    cut_time,
    drift_lemma,
    evolved_lambda_min,
    exit_time,
    expected_initial_loss,
    first_term,
    initial_loss_lemma,
    initial_loss_lemma_pde,
    lambda_min_lemma,
    log_descent_envelope,
    log_envelope,
    second_term,
    stopping_radius,
    third_term,
)

E_I = Premises(REGRESSION, n=2, d=2, lambda_s=0.5 - 1 / (2 * math.pi), delta=0.1)
E_I_PDE = Premises(PDE, n=2, d=2, lambda_s=12 - 12 / math.pi, delta=0.1, M=1.5)


def sampled_losses(power: int, f: Tensor, gamma: float, N: int, draws: int = 4000) -> Tensor:
    """R_S(θ⁰) of `draws` networks at x_i = e_i in the plane: the identity of ReLU (power 0),
    the Laplacian of ReLU³/6 (power 1).
    """
    generator = torch.Generator().manual_seed(power)
    w = torch.randn(draws, N, 2, generator=generator, dtype=torch.float64)
    a = gamma * torch.randn(draws, N, generator=generator, dtype=torch.float64)
    features = w.square().sum(-1, keepdim=True) ** power * w.clamp(min=0)
    return ((a[..., None] * features).sum(1) - f).square().sum(1) / 4


def test_expected_initial_loss_is_the_mean_of_networks_at_finite_width() -> None:
    """tr K^(a) = 2·½ for ReLU and 2·12 for ΔReLU³/6 at e_1, e_2; exact at N = 5, not only asymptotically."""
    f = torch.tensor([0.6, -0.3], dtype=torch.float64)
    for power, trace in ((0, 1.0), (1, 24.0)):
        losses = sampled_losses(power, f, 0.5, 5, draws=40000)
        error = float(losses.std()) / 200
        assert abs(float(losses.mean()) - expected_initial_loss(float(f @ f), trace, 2, 0.5, 5.0)) < 4 * error


def test_initial_loss_lemmas_hold_for_sampled_networks() -> None:
    """The bound at δ = 0.5 is above the 0.5-quantile in both cases, and the PDE one does not depend on |f| ≤ 1."""
    f = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert float(sampled_losses(0, f, 0.1, 100).quantile(0.5)) < initial_loss_lemma(100, 2, 0.1, 0.5)
    premises = Premises(PDE, 2, 2, 1.0, 0.5)
    losses = sampled_losses(1, 30 * f, 0.1, 100)
    assert float(losses.quantile(0.5)) < initial_loss_lemma_pde(premises, 100, 0.1, 1800.0)
    assert initial_loss_lemma_pde(premises, 100, 0.0, 1800.0) == pytest.approx(450.0)


def test_initial_loss_lemma_of_the_pde_equals_its_formula() -> None:
    """n = 3, d = 2, M = 1.5, N = 9, δ = ½, γ = 0.1, ‖f‖² = 12: √(2R)
    ≤ 2 + 0.3·(5/3)·1.5·8·(2 log 144)^{3/2}·√(2 log 24).
    """
    root = 2 + 0.3 * (5 / 3) * 1.5 * 8 * (2 * math.log(144)) ** 1.5 * math.sqrt(2 * math.log(24))
    assert initial_loss_lemma_pde(Premises(PDE, 3, 2, 1.0, 0.5, 1.5), 9, 0.1, 12.0) == pytest.approx(
        root**2 / 2, rel=1e-14
    )


def test_initial_loss_lemma_equals_its_formula() -> None:
    """N = 4, d = 1, δ = 0.5, γ = ½: ½(1 + 6 log 64 (√(2 log 2) + √(2 log 16)))²."""
    value = 0.5 * (1 + 6 * math.log(64) * (math.sqrt(2 * math.log(2)) + math.sqrt(2 * math.log(16)))) ** 2
    assert initial_loss_lemma(4, 1, 0.5, 0.5) == pytest.approx(value, rel=1e-14)
    tripled = 0.5 * (1 + 3 * (math.sqrt(2 * value) - 1)) ** 2
    assert initial_loss_lemma(4, 1, 0.5, 0.5, M=3.0) == pytest.approx(tripled, rel=1e-14)


def test_lambda_min_lemma_is_the_union_of_entrywise_chebyshev() -> None:
    """n²·max Var(φ_iφ_j)/(N(λ_S/4n)²) ≤ δ with E(φ_iφ_j)² ≤ C_d, for the PDE (2M)⁴C_d: 16 and 256,
    half of each theorem's first term.
    """
    for premises, bound in ((E_I, 1.0), (E_I_PDE, (2 * 1.5) ** 4)):
        moment = premises.theorem.moment(2) * bound
        lemma = lambda_min_lemma(premises)
        assert lemma.width == pytest.approx(16 * 2**4 * moment / (premises.lambda_s**2 * 0.1), rel=1e-13)
        assert first_term(premises) == 2 * lemma.width
        assert lemma.bound == 0.75 * premises.lambda_s


def test_lambda_min_lemma_holds_far_below_its_width() -> None:
    """e_1, e_2 with ReLU at N = 256 (the lemma asks for 4.9e5): λ_min(K̂^(a))
    ≥ ¾λ_S for at least 1 − δ of the draws.
    """
    features = torch.randn(2000, 2, 256, generator=torch.Generator().manual_seed(5), dtype=torch.float64).clamp(min=0)
    smallest = torch.linalg.eigvalsh(features @ features.mT / 256)[:, 0]
    lemma = lambda_min_lemma(E_I)
    assert f"{lemma.width:.1e}" == "4.9e+05"
    assert float((smallest >= lemma.bound).double().mean()) >= 0.9


def test_drift_of_regression_reaches_eta_at_the_second_term() -> None:
    """Second term = the N at which q = η; the PDE theorem writes 400 where q has 320."""
    for premises, ratio in ((E_I, 1.0), (E_I_PDE, 320 / 400)):
        N = second_term(premises, 1e6, 0.3)
        for _ in range(40):  # the PDE's second term contains log N
            N = second_term(premises, N, 0.3)
        lemma = drift_lemma(premises, N, 0.1, 0.3)
        assert lemma.q == pytest.approx(ratio * lemma.eta, rel=1e-12)
        assert lemma.gamma_eta == 0.1 * lemma.eta


@pytest.mark.parametrize(("premises", "lower"), [(E_I, 1.0), (E_I_PDE, 0.9)])
def test_third_term_keeps_the_kernel_within_half_of_the_stopping_radius(premises: Premises, lower: float) -> None:
    """n max|Δ(φ_iφ_j)| ≤ λ_S/8 at N = third term, from |φ| and |∇φ| over the box |w| ≤ 2η moved by q; tight to 10 %."""
    N = third_term(premises, 1e6, 0.3)
    for _ in range(60):
        N = third_term(premises, N, 0.3)
    lemma, d, M = drift_lemma(premises, N, 0.1, 0.3), premises.d, premises.M
    size = 2 * d * lemma.eta  # ‖w‖₁
    feature, gradient = (size, 1.0) if premises.theorem is REGRESSION else (5 / 3 * M * size**3, 5 * M * size**2)
    moved = premises.n * 2 * feature * gradient * d * lemma.q
    assert lower - 1e-12 <= moved / (premises.lambda_s / 8) <= 1 + 1e-12


def test_drift_lemma_holds_from_the_larger_of_the_first_two_terms() -> None:
    """At R_S(θ⁰) = 1e12 the second term decides, at 0.3 the first."""
    assert drift_lemma(E_I, 1e6, 0.1, 0.3).width == first_term(E_I)
    assert drift_lemma(E_I, 1e6, 0.1, 1e12).width == second_term(E_I, 1e6, 1e12)
    assert drift_lemma(E_I, 1e6, 0.1, 0.3).holds
    assert not drift_lemma(E_I, 9e5, 0.1, 0.3).holds


def test_envelope_meets_rounding_at_the_cut_time() -> None:
    rate = convergence_rate(1024.0, 0.01, 16)
    assert rate == 0.64
    cut = cut_time(3.0, rate, 1e-27)
    at_cut = log_envelope(torch.tensor([0.0, cut], dtype=torch.float64), 3.0, rate)
    assert at_cut.tolist() == pytest.approx([math.log(3), math.log(1e-27)], rel=1e-13)


def test_cut_time_at_its_edges() -> None:
    assert cut_time(3.0, 0.0, 1e-30) == cut_time(3.0, 1.0, 0.0) == math.inf
    assert cut_time(0.0, 1.0, 1e-30) == 0.0
    assert cut_time(1e-40, 1.0, 1e-30) == 0.0
    assert float(log_envelope(torch.tensor(1.0), 0.0, 1.0)) == -math.inf
    assert cut_time(1.0, 2.0, 1e-14) == pytest.approx(7.0 * math.log(10.0), rel=1e-14)


def test_descent_is_bounded_by_its_own_step() -> None:
    """τ → 0 is the flow; f = ½ at τ = 1, rate 0.4: a factor 0.8 each step; nothing is promised from f = 1 on."""
    k = torch.tensor([0.0, 1.0, 10.0], dtype=torch.float64)
    assert log_descent_envelope(k, 1.0, 0.4, 1.0, 0.5).tolist() == pytest.approx(
        [0.0, math.log(0.8), 10 * math.log(0.8)]
    )
    flow = log_envelope(1e-6 * k, 3.0, 0.4)
    assert log_descent_envelope(k, 3.0, 0.4, 1e-6, 1e-6).tolist() == pytest.approx(flow.tolist(), rel=1e-10)
    with pytest.raises(ValueError, match=r"0 ≤ f < 1; take a step below 2/β"):
        log_descent_envelope(k, 1.0, 0.4, 1.0, 1.0)


def test_exit_time_is_between_the_last_time_inside_the_radius_and_the_first_outside() -> None:
    times = torch.tensor([0.0, 1.0, 2.0, 3.0])
    assert stopping_radius(0.4) == 0.1
    assert exit_time(times, torch.tensor([0.0, 0.05, 0.2, 0.01]), 0.4) == (1.0, 2.0)
    assert exit_time(times, torch.tensor([0.0, math.nan, 0.2, 0.01]), 0.4) == (0.0, 2.0)
    assert exit_time(times, torch.tensor([0.0, 0.05, 0.09, 0.01]), 0.4) is None
    assert lambda_min_lemma(E_I).bound - stopping_radius(E_I.lambda_s) == pytest.approx(
        evolved_lambda_min(E_I.lambda_s), rel=1e-14
    )


@pytest.mark.parametrize(
    ("theorem", "n", "d", "lambda_s", "delta", "M", "message"),
    [
        (REGRESSION, 0, 2, 1.0, 0.1, 1.0, "at least one point"),
        (REGRESSION, 2, 2, 0.0, 0.1, 1.0, "0 < λ_S"),
        (REGRESSION, 2, 2, math.nan, 0.1, 1.0, "0 < λ_S"),
        (REGRESSION, 2, 2, 1.0, 1.0, 1.0, "0 < δ < 1"),
        (PDE, 2, 2, 1.0, 0.1, 0.5, "1 ≤ M"),
    ],
)
def test_premises_outside_their_range_are_refused(
    theorem: Theorem, n: int, d: int, lambda_s: float, delta: float, M: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Premises(theorem, n, d, lambda_s, delta, M)
