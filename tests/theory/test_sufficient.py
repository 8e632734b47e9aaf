"""The theorem's own width: sufficient for the network that is drawn, the published ones,
and refused where there is none.
"""

import pytest
import torch
from modules import module_of

from pinn_ntk.kernels import available_bytes
from pinn_ntk.networks import TwoLayer
from pinn_ntk.problem import given_points
from pinn_ntk.theory import predict, promise, sufficient_width, width_terms

sufficient = module_of(sufficient_width)


def unit(n: int) -> list[list[float]]:
    return [[float(i == j) for j in range(n)] for i in range(n)]


def relu(dim: int, bias: bool = False, **options) -> TwoLayer:
    return TwoLayer(**{"dim": dim, "width": 2, "activation": "relu", "bias": bias, **options})


@pytest.mark.parametrize(
    ("problem", "network", "width"),
    [
        (given_points(points=[1]), relu(1), 1.43e4),
        (given_points(), relu(2), 1.33e6),
        (given_points(points=[0, 1]), relu(1, True), 7.3e6),
        (given_points(points=unit(3)), relu(3), 1.8e7),
        (given_points(points=unit(4)), relu(4), 1.5e8),
        (given_points(points=[f"{i}/11" for i in range(1, 11)]), relu(1, True), 2e18),
        (given_points(operator="laplacian"), relu(2, activation="relu3"), 1.6e15),
    ],
)
def test_least_widths_are_the_published_ones(problem, network, width: float) -> None:
    """δ = 0.1, γ = 1/√N, mean f² = ½."""
    assert promise(problem, network).least().width == pytest.approx(width, rel=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_the_width_is_sufficient_for_the_network_of_that_seed(seed: int) -> None:
    problem, start = given_points(points=[1]), relu(1, seed=seed)
    width = sufficient_width(problem, start)
    network, promised = start.like(width=width), promise(problem, start)
    assert width >= promised.least().width
    assert width >= width_terms(promised.premises, width, problem.loss(network)).largest
    prediction = predict(problem, network, draws=10)
    assert prediction.guarantee is not None
    assert width >= prediction.guarantee.terms.largest
    assert prediction.guarantee.drift.holds


def test_a_sharper_first_term_asks_for_no_more() -> None:
    promised = promise(given_points(points=unit(3)), relu(3))
    assert promised.least(first=1.0).width < promised.least().width


def test_a_pde_on_one_point_with_tiny_data_needs_a_million() -> None:
    problem = given_points(operator="laplacian", points=[1], target=1e-6)
    assert promise(problem, relu(1, activation="relu3", gamma=3e-10)).least().width == pytest.approx(946_177, rel=1e-6)


def test_where_no_theorem_applies_every_reason_is_told() -> None:
    with pytest.raises(ValueError, match="width: no theorem applies.*activation is tanh.*init lecture"):
        sufficient_width(given_points(), relu(2, activation="tanh", init="centred"))
    with pytest.raises(ValueError, match="λ_S is below the rounding floor"):
        sufficient_width(given_points(points=[[0.1, 0.1], [0.2, 0.2]]), relu(2))


def test_what_does_not_fit_is_refused_with_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [f"{i}/11" for i in range(1, 11)]
    with pytest.raises(ValueError, match=r"width: the theorem asks for N = 1.97e\+18 neurons"):
        sufficient_width(given_points(points=points), relu(1, True))
    assert available_bytes("cpu") > 0
    monkeypatch.setattr(sufficient, "available_bytes", lambda _: 1 << 20)
    with pytest.raises(
        ValueError, match=r"width: the theorem asks for N = 1.43e\+04 neurons.*0.000977 GiB are available"
    ):
        sufficient_width(given_points(points=[1]), relu(1))


def test_the_network_that_is_asked_about_is_left_in_its_precision() -> None:
    problem, start = given_points(points=[1]), relu(1)
    single = relu(1).to(dtype=torch.float32)
    assert sufficient_width(problem, single) == sufficient_width(problem, start)
    assert single.dtype == torch.float32
