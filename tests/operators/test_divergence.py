"""−∇·(k∇u): A = −k and b = −∇·k, whatever k is made of."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import points
from torch import Tensor

from pinn_ntk.expressions import parse
from pinn_ntk.operators import SecondOrderOperator, divergence
from pinn_ntk.problem import read_gridded


def kappa(x: Tensor) -> Tensor:
    return 1.5 + torch.sin(2 * x[:, 0]) * x[:, 1]


def matrix(x: Tensor) -> Tensor:
    entries = [2.0 + x[:, 0] ** 2, x[:, 0] * x[:, 1], torch.sin(x[:, 1]), 3.0 - x[:, 0] * x[:, 1] ** 2]
    return torch.stack(entries, 1).reshape(-1, 2, 2)


KAPPA, MATRIX = "1.5 + sin(2*x)*y", [["2 + x**2", "x*y"], ["sin(y)", "3 - x*y**2"]]
X = points(9, 2)


def texts(k: object, dim: int = 2, time: bool = False) -> object:
    return [texts(one, dim, time) for one in k] if isinstance(k, list) else parse(k, dim, time)  # type: ignore[arg-type]


def wave(x: Tensor) -> Tensor:
    return torch.sin(3 * x[:, 0]) * torch.exp(x[:, 1]) + x[:, 0] ** 2


def slope(f, x: Tensor) -> Tensor:
    return torch.autograd.grad(f(x).sum(), x, create_graph=True)[0]


def flux_form(k, u, x: Tensor, space: int = 2) -> Tensor:
    """−Σ_a ∂_a(Σ_b k_ab ∂_b u), by autograd of the flux itself."""
    x = x.clone().requires_grad_()
    K = k(x)
    K = torch.diag_embed(K[:, None].expand(-1, space)) if K.ndim == 1 else K
    flux = (K @ slope(u, x)[:, :space, None])[..., 0]
    parts = [torch.autograd.grad(flux[:, a].sum(), x, retain_graph=True)[0][:, a] for a in range(space)]
    return -sum(parts[1:], parts[0]).detach()


SCALARS = {"text": texts(KAPPA), "python": kappa}
MATRICES = {
    "text": texts(MATRIX),
    "python": matrix,
    "mixed": [[texts("2 + x**2"), lambda p: p[:, 0] * p[:, 1]], [lambda p: torch.sin(p[:, 1]), texts("3 - x*y**2")]],
}


@pytest.mark.parametrize(
    ("k", "same"),
    [*((k, kappa) for k in SCALARS.values()), *((k, matrix) for k in MATRICES.values())],
    ids=[*SCALARS, *(f"matrix of {name}" for name in MATRICES)],
)
def test_it_is_the_divergence_of_the_flux(k: object, same) -> None:
    torch.testing.assert_close(divergence(2, k).apply(wave, X), flux_form(same, wave, X), rtol=1e-12, atol=1e-12)


def test_text_and_python_have_the_same_coefficients() -> None:
    for first, second in itertools.pairwise([*MATRICES.values()]):
        for one, other in zip(divergence(2, first).coefficients(X), divergence(2, second).coefficients(X), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)


def grid_file(path: Path, f, size: int) -> str:
    axes = np.linspace(0.0, 1.0, size).tolist(), np.linspace(0.0, 1.0, size).tolist()
    rows = [f"{x},{y},{f(x, y)}" for x, y in itertools.product(*axes)]
    path.write_text("\n".join(["x,y,value", *rows]) + "\n")
    return str(path)


def test_a_grid_of_a_cubic_is_that_cubic_and_its_derivatives(tmp_path: Path) -> None:
    text = "2 + x**3 - x*y**2"
    path = grid_file(tmp_path / "k.csv", lambda x, y: 2 + x**3 - x * y**2, 5)
    field = read_gridded({"grid": path}, 2, False, smooth=True)
    assert "the cubic spline through k.csv, ∇k that of the spline" in field.text
    pairs = zip(divergence(2, field).coefficients(X), divergence(2, texts(text)).coefficients(X), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
    assert divergence(2, field).equation("f") == "−∇·(k(x, y) ∇u) = f"


def test_a_grid_that_is_differentiated_is_so_by_autograd_too(tmp_path: Path) -> None:
    path = grid_file(tmp_path / "k.csv", lambda x, y: 2 + x**3 - x * y**2, 5)
    field = read_gridded({"grid": path}, 2, False, smooth=True)
    x = X.clone().requires_grad_()
    found = torch.autograd.grad(field(x).sum(), x)[0]
    torch.testing.assert_close(found, torch.stack([3 * X[:, 0] ** 2 - X[:, 1] ** 2, -2 * X[:, 0] * X[:, 1]], 1))


def test_the_derivative_of_a_spline_is_of_third_order(tmp_path: Path) -> None:
    errors = []
    for size in (9, 17, 33):
        path = grid_file(tmp_path / "k.csv", lambda x, y: float(2 + np.sin(3 * x) * np.exp(y)), size)
        b = divergence(2, read_gridded({"grid": path}, 2, False, smooth=True)).coefficients(points(200, 2))[1]
        exact = divergence(2, texts("2 + sin(3*x)*exp(y)")).coefficients(points(200, 2))[1]
        errors.append(float((b - exact).norm()))
    assert errors[0] > 6 * errors[1] > 36 * errors[2]


def test_a_grid_for_a_derivative_is_not_linear(tmp_path: Path) -> None:
    path = grid_file(tmp_path / "k.csv", lambda x, y: 1 + x * y, 5)
    with pytest.raises(ValueError, match="interpolation: got linear, expected cubic"):
        read_gridded({"grid": path, "interpolation": "linear"}, 2, False, smooth=True)
    with pytest.raises(ValueError, match="k of {kind: divergence}"):
        divergence(2, read_gridded({"grid": path}, 2, False))


@pytest.mark.parametrize("k", [texts("1 + x*t", 2, True), lambda p: 1 + p[:, 0] * p[:, 1]], ids=["text", "python"])
def test_with_time_it_is_of_space(k: object) -> None:
    operator = divergence(2, k, time=True)
    u_t = slope(wave, X.clone().requires_grad_())[:, 1].detach()
    expected = u_t + flux_form(lambda p: 1 + p[:, 0] * p[:, 1], wave, X, 1)
    torch.testing.assert_close(operator.apply(wave, X), expected, rtol=1e-12, atol=1e-12)
    assert operator.equation("f", time=True).startswith("u_t − ∇·(")


def test_lower_orders_stand_beside_it() -> None:
    operator = divergence(2, 2.0, b=[texts("x", 2, True)], c=3.0, time=True)
    A, b, c = operator.coefficients(X)
    assert A[0].tolist() == [[-2.0, 0.0], [0.0, 0.0]]
    torch.testing.assert_close(b, torch.stack([X[:, 0], torch.ones_like(X[:, 0])], 1))
    assert c.tolist() == [3.0] * 9
    flow = divergence(3, 1.0, b=lambda p: p[:, :2], time=True).coefficients(points(4, 3))[1]
    torch.testing.assert_close(flow, torch.cat([points(4, 3)[:, :2], torch.ones(4, 1, dtype=torch.float64)], 1))


def test_constants_stay_constant() -> None:
    assert divergence(2, 3.0).constant
    assert divergence(3, [[2.0, 0.5], [0.5, 1.0]], time=True).constant
    assert divergence(2, 1.0).equation("f") == "−∇·(∇u) = f"
    assert divergence(1, torch.tensor([[2.0]])).coefficients(X[:, :1])[0].flatten().tolist() == [-2.0] * 9


def test_what_it_is_made_of_is_known_of_a_sum() -> None:
    whole = 2.0 * divergence(2, 3.0) + SecondOrderOperator(2, c=1.0)
    assert whole.conservative
    assert not (SecondOrderOperator(2, A=1.0) + SecondOrderOperator(2, c=1.0)).conservative


def test_a_long_k_stands_behind_the_equation() -> None:
    long = "1 + 0.25*sin(2*pi*x)*cos(2*pi*y) + 0.125*exp(-x*x-y*y)"
    assert divergence(2, parse(long, 2)).equation("f") == f"−∇·(k ∇u) = f, k = ({long})"
    assert divergence(2, texts([["x", "0"], ["0", "-1"]])).equation("f") == "−∇·(k ∇u) = f, k = [[x, 0], [0, −1]]"
    assert divergence(2, kappa).equation("f") == "−∇·(kappa(x, y) ∇u) = f"


def leaves_the_graph(x: Tensor) -> Tensor:
    return torch.from_numpy(1.0 + x.detach().numpy()[:, 0] ** 2)


def jumps(x: Tensor) -> Tensor:
    return torch.where(x[:, 0] < 0.5, 1.0, 10.0).to(x)


@pytest.mark.parametrize("k", [leaves_the_graph, jumps])
def test_a_function_without_derivatives_is_refused(k) -> None:
    with pytest.raises(ValueError, match=f"{k.__name__} varies, but not through torch operations"):
        divergence(2, k).coefficients(torch.linspace(0.0, 1.0, 14, dtype=torch.float64).reshape(7, 2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((2, [1.0, 2.0]), r"got shape \(2,\), expected \(2, 2\)"),
        ((3, [[kappa]]), "expected 3 rows of 3"),
        ((2, "1 + x"), "k: got .1 \\+ x."),
        ((2, float("nan")), "expected a finite number"),
    ],
)
def test_a_wrong_k_is_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        divergence(*arguments)


def test_time_needs_a_coordinate_of_space() -> None:
    with pytest.raises(ValueError, match="dim: got 1, expected at least 2"):
        divergence(1, 1.0, time=True)


def test_a_function_of_the_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match="k of divergence: the function returned shape"):
        divergence(2, lambda p: p).coefficients(X)
