"""The answer's closed forms are the derivatives that automatic differentiation finds,
with and without hard conditions.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import full, points
from modules import module_of
from torch import Tensor

from pinn_ntk.geometry import box
from pinn_ntk.networks import MLP, TwoLayer
from pinn_ntk.operators import SecondOrderOperator, hard_constraint, identity, laplacian
from pinn_ntk.problem import Ansatz, Answer, Block, Condition, Problem, Region

module = module_of(Answer)

ANSATZ = Ansatz(lambda x: (x * (1.0 - x)).prod(1), lambda x: torch.exp(x[:, 0]) * torch.cos(x.sum(1)))


def source(x: Tensor) -> Tensor:
    return torch.sin(x.sum(1))


def posed(operator: SecondOrderOperator) -> Condition:
    square = box([0.0] * operator.dim, [1.0] * operator.dim)
    return Condition("interior", "interior", operator, source, Region(square.interior, square.volume, operator.dim))


def problem(d: int, hard: bool, known: bool = True) -> Problem:
    operator, square = full(d), box([0.0] * d, [1.0] * d)
    x = square.interior(8)
    inside, shift = (
        hard_constraint(operator, ANSATZ.phi, ANSATZ.g) if hard else (operator, lambda p: torch.zeros_like(p[:, 0]))
    )
    blocks = [Block(inside, x, source(x) - shift(x), "interior")]
    return Problem(blocks, ansatz=ANSATZ if hard else None, domain=square, posed=[posed(operator)] if known else ())


def twin(answer: Answer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(u, ∇u, 𝓛u − f) by automatic differentiation alone."""
    u: Callable[[Tensor], Tensor] = answer.problem.solution(answer.network)
    return (
        u(x).detach(),
        torch.func.grad(lambda p: u(p).sum())(x).detach(),
        (full(answer.dim).apply(u, x) - source(x)).detach(),
    )


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize(
    "make", [lambda d: TwoLayer(d, 40, "tanh", extra=[lambda x: torch.exp(x[:, 0])]), lambda d: MLP(d, 8, depth=2)]
)
def test_closed_forms_equal_autograd(d: int, hard: bool, make: Callable[[int], torch.nn.Module]) -> None:
    network = make(d)
    if isinstance(network, TwoLayer):
        weights = network.weights
        network = network.with_weights(
            weights.moved(0.1 * torch.ones_like(weights.a0), 0.3 * weights.w0, torch.ones(1).double())
        )
    answer, x = Answer(problem(d, hard), network), points(30, d)
    for closed, automatic in zip((answer.u(x), answer.gradient(x), answer.residual(x)), twin(answer, x), strict=True):
        assert closed.shape == automatic.shape
        torch.testing.assert_close(closed, automatic, rtol=1e-12, atol=1e-12 * float(automatic.abs().max()))


def test_the_gradient_keeps_digits_where_a_finite_difference_has_none() -> None:
    """u = a σ(w·x) with weights of size 1e-150: autograd and the closed form both know that ∇u = a w."""
    network = TwoLayer(2, 1, "tanh", bias=False)
    a, w = torch.tensor([2.0], dtype=torch.float64), torch.tensor([[1e-150, -3e-150]], dtype=torch.float64)
    weights = network.weights
    network = network.with_weights(weights.displaced(a - weights.a0, w - weights.w0, weights.extra))
    grown = Answer(problem(2, hard=False), network).gradient(points(3, 2))
    torch.testing.assert_close(grown, (network.a * network.w).detach().expand(3, 2), rtol=1e-14, atol=0.0)


def test_the_residual_at_the_points_is_what_training_saw() -> None:
    for hard in (False, True):
        given = problem(2, hard)
        network = TwoLayer(2, 20, "tanh")
        torch.testing.assert_close(
            Answer(given, network).residual(given.x), given.residual(network), rtol=1e-12, atol=1e-12
        )


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, x = Answer(problem(2, hard=True), TwoLayer(2, 20, "tanh")), points(50, 2)
    whole = answer.u(x), answer.gradient(x), answer.residual(x)
    monkeypatch.setattr(module, "_FEWEST", 7)
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    for one, many in zip(whole, (answer.u(x), answer.gradient(x), answer.residual(x)), strict=True):
        torch.testing.assert_close(one, many, rtol=1e-13, atol=1e-13)


def test_points_are_tensors_arrays_or_lists() -> None:
    answer, x = Answer(problem(2, hard=True), TwoLayer(2, 20, "tanh")), points(4, 2)
    assert torch.equal(answer.u(x), answer.u(x.numpy()))
    assert torch.equal(answer.u(x), answer.u(x.tolist()))
    assert torch.equal(answer.u([[0, 1]]), answer.u(np.array([[0.0, 1.0]])))
    assert answer.apply(identity(2), x).tolist() == pytest.approx(answer.u(x).tolist(), rel=1e-13)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([0.1, 0.2], r"shape \(2,\), expected \(n, 2\).*\[\[…\]\]"),
        ([[0.1, 0.2, 0.3]], r"shape \(1, 3\)"),
        (torch.empty(0, 2), "n ≥ 1"),
        ([[0.1, float("nan")]], "row 0, expected finite"),
        ([[0.1, "a"]], "expected finite real numbers"),
        (torch.ones(1, 2, dtype=torch.complex64), "real numbers"),
        ([[0.1, 0.2], [0.1, 1.2], [3.0, 0.0]], r"\[0.1, 1.2\] in row 1 and 1 more outside the domain"),
    ],
)
def test_points_that_cannot_be_meant_are_refused(x: object, message: str) -> None:
    answer = Answer(problem(2, hard=False), TwoLayer(2, 4))
    for ask in (answer.u, answer.gradient, answer.residual):
        with pytest.raises(ValueError, match=message):
            ask(x)


def test_outside_the_domain_on_request() -> None:
    answer = Answer(problem(2, hard=False), TwoLayer(2, 4))
    assert torch.isfinite(answer.u([[3.0, 4.0]], outside=True)).all()


def test_a_source_that_is_known_at_the_points_only_is_not_invented() -> None:
    network, x = TwoLayer(2, 12, "tanh"), points(9, 2)
    unknown = Answer(problem(2, hard=False, known=False), network)
    assert not unknown.knows_residual
    with pytest.raises(ValueError, match="known at its own points only.*source=f"):
        unknown.residual(x)
    with pytest.raises(ValueError, match="for h of the ansatz only.*posed"):
        Answer(problem(2, hard=True, known=False), network).residual(x)
    told = Answer(unknown.problem, network, source=source)
    torch.testing.assert_close(
        told.residual(x), Answer(problem(2, hard=False), network).residual(x), rtol=1e-13, atol=1e-13
    )


def test_a_constant_source_is_a_number() -> None:
    x = points(5, 2)
    given = Problem([Block(-1.0 * laplacian(2), x, 1.0)])
    answer = Answer(given, TwoLayer(2, 12, "tanh"), source=1.0)
    torch.testing.assert_close(answer.residual(x), given.residual(answer.network), rtol=1e-12, atol=1e-13)


def test_a_network_of_another_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="got dim=3, expected 2"):
        Answer(problem(2, hard=False), TwoLayer(3, 4))


def test_float32_networks_answer_in_float32() -> None:
    answer = Answer(problem(2, hard=False), TwoLayer(2, 4).to(dtype=torch.float32))
    assert answer.gradient([[0.5, 0.5]]).dtype == torch.float32


@pytest.mark.parametrize("hard", [False, True])
def test_rounding_is_epsilon_of_the_terms_that_add_up(hard: bool) -> None:
    network, own, operator = (
        TwoLayer(2, 40, "tanh", extra=[lambda x: torch.exp(x[:, 0])]),
        problem(2, hard),
        laplacian(2),
    )
    weights = network.weights
    network = network.with_weights(weights.moved(0.0 * weights.da, 0.0 * weights.dw, 3.0 + 0.0 * weights.extra))
    x, total = points(9, 2), torch.zeros(9, dtype=torch.float64)
    for k in range(40):
        one = Answer(own, alone(network, k, 0.0))
        total += (one.apply(operator, x, outside=True) - shift(own, operator, x)).abs()
    total += (Answer(own, alone(network, None, 3.0)).apply(operator, x, outside=True) - shift(own, operator, x)).abs()
    rounding = Answer(own, network).rounding(operator, x, outside=True)
    torch.testing.assert_close(rounding, 2.0**-52 * total, rtol=1e-9, atol=0.0)
    deep = Answer(own, MLP(2, 8, depth=2))
    assert torch.equal(deep.rounding(operator, x, outside=True), 2.0**-52 * deep.apply(operator, x, outside=True).abs())


def alone(network: TwoLayer, k: int | None, beta: float) -> TwoLayer:
    """One neuron of it, or none, and the extra function times β."""
    weights, kept = network.weights, torch.zeros(network.width, dtype=torch.float64)
    if k is not None:
        kept[k] = 1.0
    return network.with_weights(replace(weights, a0=kept * weights.a0, extra=beta + 0.0 * weights.extra))


def shift(own: Problem, operator: SecondOrderOperator, x: Tensor) -> Tensor:
    """𝓛g under hard conditions."""
    return (
        hard_constraint(operator, ANSATZ.phi, ANSATZ.g)[1](x) if own.ansatz is not None else torch.zeros_like(x[:, 0])
    )
