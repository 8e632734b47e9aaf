"""Residual and gradient of R_S = ‖e‖²/(2n): sums over neurons = autograd = finite differences, whole or streamed."""

from dataclasses import replace

import pytest
import torch
from cases import CASES, network_of, problem_of
from modules import module_of

from pinn_ntk.networks import TwoLayer, Weights, neuron_chunks, pullback, residual, residual_and_gradient
from pinn_ntk.problem import Problem

sums = module_of(residual)

EXTRA = (lambda x: torch.ones_like(x[:, 0]), lambda x: torch.cos(x.sum(1)))


def moved(net: TwoLayer) -> TwoLayer:
    """The network away from its initialisation, extra coefficients too."""
    w = net.weights
    return net.with_weights(
        replace(w, da=0.1 * torch.randn_like(w.da), dw=0.1 * torch.randn_like(w.dw), extra=torch.randn_like(w.extra))
    )


def autograd_gradient(net: TwoLayer, problem: Problem) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    def loss(theta):
        h = lambda x: torch.func.functional_call(net, theta, (x,))  # noqa: E731
        e = torch.cat([r.apply(h) for r in problem.rows()]) - problem.target
        return (e @ e) / (2 * problem.points), e

    gradient, e = torch.func.grad(loss, has_aux=True)(dict(net.named_parameters()))
    return e, gradient


@pytest.mark.parametrize(("name", "activation", "d"), [c for c in CASES if c.values[2] in (1, 3)])
def test_gradient_is_that_of_autograd(
    name: str, activation: str, d: int, device: torch.device, dtype: torch.dtype, eps: float
) -> None:
    problem = problem_of(name, d, dtype=dtype, device=device)
    net = moved(network_of(activation, d, dtype=dtype, device=device, extra=EXTRA))
    e, gradient = residual_and_gradient(problem.system(net), net.weights)
    e_auto, by = autograd_gradient(net, problem)
    for mine, theirs in zip((e, *gradient), (e_auto, by["delta_a"], by["delta_w"], by["extra_weights"]), strict=True):
        assert mine.device == theirs.device
        torch.testing.assert_close(
            mine, theirs, rtol=1e-11 * eps, atol=1e-12 * eps * float(theirs.detach().abs().max() + 1)
        )


@pytest.mark.parametrize("scaling", ["sum", "ntk", "mean_field"])
@pytest.mark.parametrize("bias", [True, False])
def test_gradient_is_a_finite_difference_of_the_loss(scaling: str, bias: bool) -> None:
    problem, net = problem_of("full", 2), moved(network_of("tanh", 2, bias=bias, scaling=scaling))
    _, (by_a, by_w, _) = residual_and_gradient(problem.system(net), net.weights)

    def loss(weights: Weights) -> float:
        return problem.loss(net.with_weights(weights))

    w, h = net.weights, 1e-6
    for k in (0, 3):
        one = torch.zeros_like(w.da)
        one[k] = h
        assert float(by_a[k]) == pytest.approx(
            (loss(w.moved(one, 0 * w.dw, w.extra)) - loss(w.moved(-one, 0 * w.dw, w.extra))) / (2 * h), rel=1e-6
        )
        two = torch.zeros_like(w.dw)
        two[k, 1] = h
        assert float(by_w[k, 1]) == pytest.approx(
            (loss(w.moved(0 * w.da, two, w.extra)) - loss(w.moved(0 * w.da, -two, w.extra))) / (2 * h), rel=1e-5
        )


def test_streaming_over_neurons_changes_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, net = problem_of("full", 3), moved(network_of("gelu", 3, width=50, extra=EXTRA))
    system = problem.system(net)
    whole = residual_and_gradient(system, net.weights)
    monkeypatch.setattr(sums, "neuron_chunks", lambda n, width: neuron_chunks(n, width, elements=7 * n))
    e, gradient = residual_and_gradient(system, net.weights)
    torch.testing.assert_close(e, whole[0], rtol=1e-13, atol=1e-13)
    for mine, theirs in zip(gradient, whole[1], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-13)


def test_a_batch_of_networks_is_its_members() -> None:
    problem, nets = problem_of("robin", 2), [network_of("tanh", 2, seed=s) for s in range(4)]
    stack = lambda name: torch.stack([getattr(n.weights, name) for n in nets])  # noqa: E731
    batch = Weights(*(stack(name) for name in ("a0", "w0", "da", "dw", "extra")))
    system = problem.system(nets[0])
    e, gradient = residual_and_gradient(system, batch)
    torch.testing.assert_close(residual(system, batch), e)
    for k, net in enumerate(nets):
        e_k, gradient_k = residual_and_gradient(system, net.weights)
        torch.testing.assert_close(e[k], e_k)
        for mine, theirs in zip(gradient, gradient_k, strict=True):
            torch.testing.assert_close(mine[k], theirs)


def test_residual_is_what_the_module_computes() -> None:
    problem, net = problem_of("hard", 2), moved(network_of("sin", 2, extra=EXTRA))
    h = torch.cat([s * b.operator.apply(net, b.x) for s, b in zip(problem.row_scales, problem.blocks, strict=True)])
    torch.testing.assert_close(problem.residual(net), (h - problem.target).detach(), rtol=1e-12, atol=1e-12)


def test_very_wide_networks_go_in_chunks_of_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, net = problem_of("full", 3), moved(network_of("gelu", 3, width=50, extra=EXTRA))
    system = problem.system(net)
    whole = residual_and_gradient(system, net.weights)
    for name, value in (("CHUNK_ELEMENTS", 10), ("CACHED_ELEMENTS", 1), ("_FEWEST", 7)):
        monkeypatch.setattr(sums, name, value)
    e, gradient = residual_and_gradient(system, net.weights)
    torch.testing.assert_close(e, whole[0], rtol=1e-13, atol=1e-13)
    for mine, theirs in zip(gradient, whole[1], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-13)


def test_the_gradient_is_the_pullback_of_the_residual() -> None:
    problem, net = problem_of("robin", 2), moved(network_of("tanh", 2, extra=EXTRA))
    system = problem.system(net)
    e, gradient = residual_and_gradient(system, net.weights)
    for mine, theirs in zip(pullback(system, net.weights, e), gradient, strict=True):
        torch.testing.assert_close(mine, theirs)
