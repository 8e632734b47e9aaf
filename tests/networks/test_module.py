"""Any module as a network: the special case equals the general one, gradients are those of finite differences,
bad modules are refused.
"""

from collections.abc import Callable

import pytest
import torch
from cases import CASES, points, problem_of
from modules import module_of
from torch import Tensor, nn

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.networks import (
    MLP,
    AnyModule,
    ModuleSystem,
    TwoLayer,
    model_of,
    require_two_layer,
    residual,
    residual_and_gradient,
)
from pinn_ntk.operators import hard_constraint, identity, laplacian
from pinn_ntk.problem import Block, Problem

module_system = module_of(ModuleSystem)


def small(*layers: nn.Module, width: int = 6) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, width), *layers, nn.Linear(width, 1)).double()


@pytest.mark.parametrize(("name", "activation", "d"), [case for case in CASES if case.values[2] < 3])
def test_depth_one_equals_the_closed_form(
    name: str, activation: str, d: int, device: torch.device, dtype: torch.dtype, eps: float
) -> None:
    problem = problem_of(name, d, dtype=dtype, device=device)
    mine = AnyModule(MLP(d, 5, 1, activation, seed=2), d).to(device=device, dtype=dtype)
    theirs = TwoLayer(d, 5, activation, scaling="ntk", gamma=1.0, seed=2).to(device=device, dtype=dtype)
    e, (by_a, by_w) = residual_and_gradient(problem.system(mine), mine.weights)
    exact, (exact_a, exact_w, _) = residual_and_gradient(problem.system(theirs), theirs.weights)
    assert mine.weights.names == ("a", "W.0")
    for value, reference in (
        (e, exact),
        (by_a, exact_a),
        (by_w, exact_w),
        (residual(problem.system(mine), mine.weights), exact),
    ):
        assert float((value - reference).abs().max()) <= 1e-12 * eps * max(1.0, float(reference.abs().max()))
        assert value.dtype == dtype and value.device == theirs.device


@pytest.mark.parametrize("activation", ["tanh", "relu3", "gelu"])
def test_the_gradient_is_that_of_finite_differences(activation: str) -> None:
    problem, net = problem_of("full", 2), AnyModule(MLP(2, 4, 3, activation, seed=4), 2)
    gradient = residual_and_gradient(problem.system(net), net.weights)[1]
    h = 1e-5
    for place, g in enumerate(gradient):
        for k in (0, g.numel() // 2, g.numel() - 1):
            push = [torch.zeros_like(v) for v in gradient]
            push[place].view(-1)[k] = h
            up, down = (
                problem.loss(net.with_weights(net.weights.moved(*(sign * v for v in push)))) for sign in (1, -1)
            )
            assert (up - down) / (2 * h) == pytest.approx(
                float(g.view(-1)[k]), rel=1e-6, abs=1e-6 * float(g.abs().max())
            )


def test_chunks_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, net = problem_of("hard", 2, n=9), AnyModule(MLP(2, 6, 2), 2)
    whole = residual_and_gradient(problem.system(net), net.weights)
    jacobian = problem.system(net).jacobian(net.weights)
    monkeypatch.setattr(module_system, "CHUNK_ELEMENTS", 12)
    monkeypatch.setattr(module_system, "ROWS_AT_ONCE", 4)
    pieces = residual_and_gradient(problem.system(net), net.weights)
    torch.testing.assert_close(pieces, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(problem.system(net).jacobian(net.weights), jacobian, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        torch.cat([g.flatten() for g in whole[1]]), jacobian.mT @ whole[0] / problem.points, rtol=1e-10, atol=1e-10
    )


def test_parameters_are_a_value() -> None:
    given = small(nn.Tanh())
    x, net = points(5, 2), AnyModule(given, 2)
    before = [p.clone() for p in given.parameters()]
    ones = tuple(torch.ones_like(d) for d in net.weights.displacement)
    other = net.with_weights(net.weights.moved(*ones))
    assert all(torch.equal(p, q) for p, q in zip(given.parameters(), before, strict=True))
    assert not torch.allclose(other(x), net(x))
    torch.testing.assert_close(net(x), given(x)[:, 0])
    assert other.weights.movement(net.weights)["max_delta"] == 1.0
    size = torch.cat([p.detach().flatten() for p in before])
    expected = float(size.numel() ** 0.5 / torch.linalg.vector_norm(size))
    assert other.weights.movement(net.weights)["relative_delta"] == pytest.approx(expected)
    back = other.weights.displaced(*net.weights.displacement)
    assert torch.equal(other.with_weights(back)(x), net(x))


def test_displacements_below_rounding_are_kept() -> None:
    net = AnyModule(small(nn.Tanh()), 2)
    tiny = tuple(torch.full_like(d, 1e-25) for d in net.weights.displacement)
    assert net.with_weights(net.weights.moved(*tiny)).weights.movement(net.weights)["max_delta"] == 1e-25


class Tied(nn.Module):
    """One matrix in two places, in one layer used twice or in two layers."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2).double()
        self.second = self.first if layers == 1 else nn.Linear(2, 2).double()
        self.second.weight = self.first.weight
        self.fixed = nn.Linear(2, 1).double().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fixed(torch.tanh(self.second(torch.tanh(self.first(x)))))


@pytest.mark.parametrize(("layers", "count"), [(1, 6), (2, 8)])
def test_frozen_parameters_stay_and_shared_ones_are_one(layers: int, count: int) -> None:
    problem, net = problem_of("laplacian", 2), AnyModule(Tied(layers), 2)
    assert net.parameter_count == count
    before = {name: p.clone() for name, p in net.module.named_parameters()}
    gradient = residual_and_gradient(problem.system(net), net.weights)[1]
    assert all(torch.equal(p, before[name]) for name, p in net.module.named_parameters())
    h, push = 1e-6, [torch.zeros_like(g) for g in gradient]
    push[0][0, 1] = h
    up, down = (problem.loss(net.with_weights(net.weights.moved(*(sign * v for v in push)))) for sign in (1, -1))
    assert (up - down) / (2 * h) == pytest.approx(float(gradient[0][0, 1]), rel=1e-6)
    assert torch.equal(net.with_weights(net.weights.moved(*push)).module.fixed.weight, net.module.fixed.weight)


def test_dropout_and_batch_normalisation_are_at_rest() -> None:
    problem = problem_of("laplacian", 2)
    net = AnyModule(small(nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.5)).train(), 2)
    assert net.check(problem.rows()) == []
    assert problem.loss(net) == problem.loss(net)


class Odd(nn.Module):
    """A linear map followed by whatever is wrong."""

    def __init__(self, then: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.inner, self.then = nn.Linear(2, 3).double(), then

    def forward(self, x: Tensor) -> object:
        return self.then(torch.tanh(self.inner(x)))


BAD: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "three values": (lambda z: z, r"got values \(4, 3\) from Odd for 4 points, expected \(4,\) or \(4, 1\)"),
    "one for all": (lambda z: z.sum(), r"got values \(\)"),
    "no tensor": (lambda z: "text", "got values a str"),
    "half precision": (lambda z: z[:, 0].float(), "got torch.float32 from Odd at points of torch.float64"),
    "not finite": (lambda z: z[:, 0] / 0.0, "not finite"),
    "mixes points": (lambda z: z[:, 0] - z[:, 0].mean(), "changes with the other points"),
    "random": (lambda z: z[:, 0] + torch.rand(len(z)), "from call to call"),
    "raises": (lambda z: z @ torch.zeros(7, 1, dtype=z.dtype), "Odd failed at points of shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_module_that_cannot_be_a_network_is_refused(name: str) -> None:
    then, said = BAD[name]
    with pytest.raises(ValueError, match=said):
        AnyModule(Odd(then), 2).check((identity(2).rows(points(9, 2)),))


def test_a_module_of_another_dimension_is_refused() -> None:
    problem = problem_of("laplacian", 3)
    with pytest.raises(ValueError, match=r"Sequential failed at points of shape \(n, 3\): RuntimeError"):
        model_of(small(nn.Tanh()), 3).check(problem.rows())
    with pytest.raises(ValueError, match="got dim=2, expected 3"):
        problem.loss(AnyModule(small(nn.Tanh()), 2))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.Tanh(), "got Tanh without trainable parameters"),
        (nn.Linear(2, 1).requires_grad_(False), "got Linear without trainable parameters"),
        (nn.Linear(2, 1, dtype=torch.complex128), "not real"),
    ],
)
def test_a_module_without_real_parameters_is_refused(module: nn.Module, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AnyModule(module, 2)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(ValueError, match="network: got a function, expected a TwoLayer, an MLP or any torch"):
        model_of(lambda x: x, 2)
    assert model_of(TwoLayer(2, 3), 2).about.kind == "two_layer"


def test_piecewise_linear_networks_are_refused_for_second_order_operators_only() -> None:
    problem = problem_of("laplacian", 2)
    for bent in (nn.ReLU(), nn.LeakyReLU(), nn.Hardtanh()):
        with pytest.raises(ValueError, match="second derivatives vanish at every point"):
            AnyModule(small(bent, width=50), 2).check(problem.rows())
        assert AnyModule(small(bent), 2).check(problem_of("identity", 2).rows()) == []
    with pytest.raises(ValueError, match="activation: got 'relu', not smooth enough"):
        AnyModule(MLP(2, 4, 3, "relu"), 2).check(problem.rows())
    assert "delta term" in AnyModule(MLP(2, 4, 3, "relu2"), 2).check(problem.rows())[0]


def test_harmonic_and_linear_networks_are_not_taken_for_piecewise_linear() -> None:
    x = points(6, 2)
    operator = hard_constraint(laplacian(2), lambda p: (p * (1 - p)).prod(1))[0]
    linear = Problem([Block(operator, x, 1.0)])
    assert AnyModule(nn.Linear(2, 1).double(), 2).check(linear.rows()) == []

    class Harmonic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.size = nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, p: Tensor) -> Tensor:
            return self.size * p[:, 0] * p[:, 1]

    assert AnyModule(Harmonic(), 2).check((laplacian(2).rows(x),)) == []


def test_what_is_about_two_layers_says_so() -> None:
    net = TwoLayer(1, 3)
    assert require_two_layer(net, "the bound") is net
    with pytest.raises(
        ValueError, match="got a gelu network with 2 hidden layers; the bound is about two-layer networks"
    ):
        require_two_layer(AnyModule(MLP(1, 3, 2, ACTIVATIONS["gelu"]), 1), "the bound")
