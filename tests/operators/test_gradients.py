"""Derivatives of torch functions: the same with and without transforms of torch.func,
and in the graph only where something else is.
"""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from pinn_ntk.operators import gradient, twice, value_and_gradient

X = torch.rand(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def f(x: Tensor) -> Tensor:
    return torch.sin(x[:, 0] * x[:, 1]) + x[:, 2] ** 3


@pytest.mark.parametrize("enabled", [True, False])
def test_plain_autograd_agrees_with_transforms(enabled: bool) -> None:
    with torch.set_grad_enabled(enabled):
        slope = torch.func.vmap(torch.func.grad(lambda p: f(p[None])[0]))(X)
        hessian = torch.func.vmap(torch.func.hessian(lambda p: f(p[None])[0]))(X)
        value, first, pull = twice(f, X)
        assert torch.equal(value, f(X)) and torch.allclose(first, slope) and torch.allclose(gradient(f, X), slope)
        for j in range(3):
            unit = torch.eye(3, dtype=torch.float64)[j].expand(7, 3)
            assert torch.allclose(pull(unit), hessian[:, j])
        assert not value.requires_grad and not first.requires_grad and not pull(X).requires_grad


def test_parameters_stay_in_the_graph() -> None:
    p = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    value, slope, pull = twice(lambda x: torch.sin(p * x[:, 0]), X)
    (found,) = torch.autograd.grad(value.sum() + slope.sum() + pull(torch.ones_like(X)).sum(), p)
    z = 2.0 * X[:, 0]
    assert torch.allclose(
        found, (X[:, 0] * z.cos() + z.cos() - z * z.sin() - 2 * 2.0 * z.sin() - 4.0 * X[:, 0] * z.cos()).sum()
    )


def test_under_transforms() -> None:
    def total(s: Tensor) -> Tensor:
        value, slope, pull = twice(lambda x: f(s * x), X)
        return (
            value.sum()
            + value_and_gradient(lambda x: f(s * x), X)[1].sum()
            + slope.sum()
            + pull(torch.ones_like(X)).sum()
        )

    step = 1e-6
    one = torch.tensor(1.0, dtype=torch.float64)
    assert float(torch.func.grad(total)(one)) == pytest.approx(
        float((total(one + step) - total(one - step)) / (2 * step)), rel=1e-7
    )


@pytest.mark.parametrize("g", [lambda x: torch.ones_like(x[:, 0]), lambda x: x.detach()[:, 1], lambda x: 2.0 * x[:, 0]])
def test_functions_without_slopes(g: object) -> None:
    _, slope, pull = twice(g, X)  # type: ignore[arg-type]
    assert slope.shape == X.shape and not pull(X).any()


def test_one_value_per_point_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"got values of shape \(7, 3\) for 7 points, expected \(7,\)"):
        gradient(lambda x: x, X)


def test_torch_func_is_not_loaded_for_it() -> None:
    """Its first use imports torch's compiler, which every command would pay for."""
    code = (
        "import sys; from pinn_ntk import box, laplacian; laplacian(2).apply(lambda x: x[:, 0] ** 2, box([0, "
        "0], [1, 1]).interior(4))"
    )
    code += "; sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
