"""Products with the kernel that is never formed, and extreme eigenvalues whose residuals tell the truth."""

import pytest
import torch
from modules import module_of

from pinn_ntk.geometry import Box
from pinn_ntk.kernels import KernelProduct, available_bytes, closed_form_kernel, extreme_eigenvalues
from pinn_ntk.networks import AnyModule, TwoLayer, extra_function
from pinn_ntk.operators import SecondOrderOperator, heat, laplacian
from pinn_ntk.problem import Block, Problem, dirichlet, initial_value, periodic, pose
from pinn_ntk.training import step_limit

memory = module_of(available_bytes)

SQUARE = Box([0.0, 0.0], [1.0, 1.0])
TURNING = SecondOrderOperator(2, A=lambda x: 1 + x[:, 0], b=lambda x: x.flip(1), c=lambda x: x[:, 1])
PROBLEMS = {
    "A(x), b(x), c(x) with Dirichlet": lambda: pose(TURNING, SQUARE, given=[dirichlet()], exact="x*y"),
    "hard conditions": lambda: pose(laplacian(2), SQUARE, exact="x*y"),
    "paired rows": lambda: pose(
        heat(1, 0.1), SQUARE, given=[periodic("x"), initial_value()], exact="sin(2*pi*x)*exp(-t)", time=True
    ),
}
EXTRA = (extra_function("power", (-0.5, -0.5, 1.0, 0.0, 0.0, 1.0, 2.0 / 3.0, 0.0, 0.0), 2),)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("width", [30, 3000])
def test_a_product_is_that_of_the_matrix(name: str, width: int, device: torch.device) -> None:
    problem = PROBLEMS[name]().to(torch.float64, device)
    extra = EXTRA if name.startswith("A(x)") else ()
    network = TwoLayer(2, width, "tanh", scaling="ntk", extra=extra).to(device)
    torch.manual_seed(2)
    v = torch.randn(problem.points, dtype=torch.float64, device=device)
    dense = closed_form_kernel(network, problem).total @ v
    assert float((KernelProduct(network, problem)(v) - dense).norm() / dense.norm()) <= 1e-13


def test_extreme_eigenvalues_with_their_residuals() -> None:
    x = SQUARE.interior(60)
    network, problem = (
        TwoLayer(2, 400, "relu"),
        Problem((Block(SecondOrderOperator(2, c=1.0), x, torch.ones(60, dtype=torch.float64)),)),
    )
    values = torch.linalg.eigvalsh(closed_form_kernel(network, problem).total)
    least, greatest = extreme_eigenvalues(network, problem)
    assert greatest.value == pytest.approx(float(values[-1]), rel=1e-10) and greatest.residual <= 1e-8 * greatest.value
    assert least.value >= float(values[0]) * (1 - 1e-9)
    for pair in (least, greatest):
        assert float((values - pair.value).abs().min()) <= pair.residual + 1e-13 * float(values[-1])
        assert float(pair.vector.norm()) == pytest.approx(1.0, abs=1e-12)
    assert least.value == pytest.approx(float(values[0]), rel=1e-2, abs=1e-9 * float(values[-1]))


def test_too_few_products_leave_a_residual_that_says_so() -> None:
    network, problem = TwoLayer(2, 200, "tanh"), pose(laplacian(2), SQUARE, given=[dirichlet()], exact="x*y")
    values = torch.linalg.eigvalsh(closed_form_kernel(network, problem).total)
    least, _ = extreme_eigenvalues(network, problem, tolerance=1e-15, products=3)
    assert least.value >= -1e-12 * float(values[-1])
    assert float((values - least.value).abs().min()) <= least.residual + 1e-13 * float(values[-1])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(n: int) -> None:
    problem = Problem((Block(laplacian(2), SQUARE.interior(n), torch.ones(n, dtype=torch.float64)),))
    network = TwoLayer(2, 20, "tanh")
    values = torch.linalg.eigvalsh(closed_form_kernel(network, problem).total)
    least, greatest = extreme_eigenvalues(network, problem)
    assert least.value == pytest.approx(float(values[0]), rel=1e-9) and greatest.value == pytest.approx(
        float(values[-1]), rel=1e-10
    )


def test_arguments_out_of_range_are_refused() -> None:
    network, problem = TwoLayer(2, 20, "tanh"), pose(laplacian(2), SQUARE, exact="x*y")
    with pytest.raises(ValueError, match="tolerance: got 0.0, expected a positive number"):
        extreme_eigenvalues(network, problem, tolerance=0.0)


def test_the_step_limit_needs_no_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    network, problem = TwoLayer(2, 200, "tanh"), pose(laplacian(2), SQUARE, given=[dirichlet()], exact="x*y")
    whole = step_limit(network, problem)
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1000)
    assert step_limit(network, problem) == pytest.approx(whole, rel=1e-9)
    with pytest.raises(memory.MemoryShortageError, match="needs .* GiB"):
        step_limit(AnyModule(torch.nn.Linear(2, 1).double(), 2), problem)


def test_the_peak_of_memory_sees_an_array_that_is_gone() -> None:
    before = memory.peak_bytes("cpu")
    assert before is not None
    torch.ones(before // 8 + 10_000_000, dtype=torch.float64)
    after = memory.peak_bytes("cpu")
    assert after is not None and after >= before + 70_000_000
