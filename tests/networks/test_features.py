"""φ = 𝓛σ(w·x) and ∇_wφ: closed form = autograd = finite differences, over operators × activations × dimensions."""

from dataclasses import replace

import pytest
import torch
from cases import CASES, FEW, OPERATORS, network_of, points, problem_of

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.networks import System, feature_gradients, features, jacobian_columns, neuron_terms
from pinn_ntk.operators import identity, laplacian


@pytest.mark.parametrize(("name", "activation", "d"), CASES)
def test_features_are_the_operator_acting_on_one_neuron(name: str, activation: str, d: int) -> None:
    x, w = points(5, d), torch.randn(1, d, dtype=torch.float64)
    phi = neuron_terms(OPERATORS[name](d).rows(x), ACTIVATIONS[activation], w, gradient=False).phi[:, 0]
    sigma = ACTIVATIONS[activation]
    expected = OPERATORS[name](d).apply(lambda p: sigma(p @ w[0]), x)
    torch.testing.assert_close(phi, expected, rtol=1e-12, atol=1e-12 * float(expected.abs().max() + 1))


@pytest.mark.parametrize(("name", "activation", "d"), FEW)
def test_feature_gradients_are_finite_differences(name: str, activation: str, d: int) -> None:
    rows, sigma = OPERATORS[name](d).rows(points(5, d)), ACTIVATIONS[activation]
    w = torch.randn(4, d, dtype=torch.float64)
    terms = neuron_terms(rows, sigma, w, gradient=True)
    for beta, component in enumerate(feature_gradients(rows, terms, w)):
        step = torch.zeros_like(w)
        step[:, beta] = 1e-6
        up, down = (neuron_terms(rows, sigma, w + s, gradient=False).phi for s in (step, -step))
        torch.testing.assert_close(component, (up - down) / 2e-6, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "relu3", "sin"])
def test_features_are_linear_in_the_operator(activation: str) -> None:
    x, w, sigma = points(6, 2), torch.randn(7, 2, dtype=torch.float64), ACTIVATIONS[activation]
    L, M = OPERATORS["full"](2), OPERATORS["helmholtz"](2)

    def phi(operator):
        return neuron_terms(operator.rows(x), sigma, w, gradient=False).phi

    torch.testing.assert_close(phi(2.0 * L - M), 2.0 * phi(L) - phi(M), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_identity_operator_is_regression_to_the_bit(activation: str) -> None:
    x, w, sigma = points(6, 3), torch.randn(7, 3, dtype=torch.float64), ACTIVATIONS[activation]
    terms = neuron_terms(identity(3).rows(x), sigma, w, gradient=True)
    value, slope = sigma.jet(x @ w.mT, 1)
    assert torch.equal(terms.phi, value)
    for beta, component in enumerate(feature_gradients(identity(3).rows(x), terms, w)):
        assert torch.equal(component, slope * x[:, beta, None])


@pytest.mark.parametrize("name", OPERATORS)
def test_fast_paths_equal_the_general_one(name: str) -> None:
    x, w, sigma = points(5, 3), torch.randn(6, 3, dtype=torch.float64), ACTIVATIONS["tanh"]
    rows = OPERATORS[name](3).rows(x)
    A, b, c = OPERATORS[name](3).coefficients(x)
    upper = [(i, j) for i in range(3) for j in range(i, 3)]
    patterns = torch.zeros(len(upper), 3, 3, dtype=x.dtype)
    for m, (i, j) in enumerate(upper):
        patterns[m, i, j] = patterns[m, j, i] = 1.0
    general = replace(rows, alpha=torch.stack([A[:, i, j] for i, j in upper], 1), patterns=patterns, b=b, c=c)
    mine, theirs = (list(jacobian_columns(System((r,), x[:, 0], sigma, 1.0), w, w[:, 0])) for r in (rows, general))
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_an_ensemble_is_its_members_one_by_one() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)
    system = problem.system(net)
    w, a = torch.randn(3, 2, 5, 3, dtype=torch.float64), torch.randn(3, 2, 5, dtype=torch.float64)
    torch.testing.assert_close(features(system, w)[1, 1], features(system, w[1, 1]))
    for block, single in zip(jacobian_columns(system, w, a), jacobian_columns(system, w[2, 0], a[2, 0]), strict=True):
        torch.testing.assert_close(block[2, 0], single)


def test_row_scale_scales_the_features() -> None:
    x, w = points(5, 2), torch.randn(6, 2, dtype=torch.float64)
    rows, sigma, s = laplacian(2).rows(x), ACTIVATIONS["tanh"], torch.rand(5, dtype=torch.float64)
    phi = neuron_terms(rows, sigma, w, gradient=False).phi
    torch.testing.assert_close(neuron_terms(rows.scaled(s), sigma, w, gradient=False).phi, s[:, None] * phi)
