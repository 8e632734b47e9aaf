"""The tangent kernel of any network: closed form = general case, deep kernels = finite differences,
spectra from the Jacobian.
"""

import pytest
import torch
from cases import FEW, network_of, points, problem_of
from modules import module_of
from torch import Tensor, nn

from pinn_ntk.kernels import (
    MemoryShortageError,
    available_bytes,
    closed_form_kernel,
    kernel_spectrum,
    solution_kernel,
    solution_tangent,
    tangent_factor,
    tangent_kernel,
    tangent_spectrum,
)
from pinn_ntk.networks import MLP, AnyModule, TwoLayer


def deep(activation: str, d: int, width: int = 5, depth: int = 3) -> AnyModule:
    return AnyModule(MLP(d, width, depth, activation, seed=3), d)


def close(mine: Tensor, theirs: Tensor, eps: float = 1.0) -> None:
    assert float((mine - theirs).abs().max()) <= 1e-10 * eps * float(theirs.abs().max())


@pytest.mark.parametrize(("name", "activation", "d"), FEW)
def test_depth_one_has_the_closed_form_kernel(
    name: str, activation: str, d: int, device: torch.device, dtype: torch.dtype, eps: float
) -> None:
    problem = problem_of(name, d, dtype=dtype, device=device)
    mine = AnyModule(MLP(d, 6, 1, activation, seed=2), d).to(device=device, dtype=dtype)
    theirs = TwoLayer(d, 6, activation, scaling="ntk", gamma=1.0, seed=2).to(device=device, dtype=dtype)
    K, closed = tangent_kernel(mine, problem), tangent_kernel(theirs, problem)
    close(K.scale * K.total, closed.scale * closed.total, eps)
    assert K.a is None and closed.a is not None
    close(tangent_spectrum(mine, problem).eigenvalues, tangent_spectrum(theirs, problem).eigenvalues, eps)
    x = points(4, d, dtype, device, seed=7)
    close(solution_tangent(mine, problem, x).total, solution_tangent(theirs, problem, x).total, eps)


@pytest.mark.parametrize(("name", "activation", "d"), FEW)
def test_a_deep_kernel_is_JJt_of_finite_differences(name: str, activation: str, d: int) -> None:
    problem, net = problem_of(name, d), deep(activation, d, width=3)
    h, columns = 1e-6, []
    for place, delta in enumerate(net.weights.displacement):
        for k in range(delta.numel()):
            push = [torch.zeros_like(v) for v in net.weights.displacement]
            push[place].view(-1)[k] = h
            up, down = (
                problem.residual(net.with_weights(net.weights.moved(*(sign * v for v in push)))) for sign in (1, -1)
            )
            columns.append((up - down) / (2 * h))
    J, K = torch.stack(columns, 1), tangent_kernel(net, problem)
    torch.testing.assert_close(K.total, J @ J.mT, rtol=1e-5, atol=1e-5 * float(K.total.max()))
    assert K.scale == net.kernel_scale == 1.0


def test_two_layers_go_by_the_closed_form_to_the_bit() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)
    assert torch.equal(tangent_kernel(net, problem).total, closed_form_kernel(net, problem).total)
    for part in ("total", "a"):
        assert torch.equal(
            tangent_spectrum(net, problem, part).eigenvalues, kernel_spectrum(net, problem, part).eigenvalues
        )
    assert torch.equal(
        solution_tangent(net, problem, points(3, 2)).total, solution_kernel(net, problem, points(3, 2)).total
    )
    assert tangent_kernel(net, problem).scale == net.kernel_scale


@pytest.mark.parametrize(("n", "width"), [(6, 5), (40, 2)])
def test_the_factor_is_a_root_of_JJt(n: int, width: int) -> None:
    problem, net = problem_of("hard", 2, n=n), deep("tanh", 2, width)
    R, K = tangent_factor(net, problem), tangent_kernel(net, problem).total
    assert R.shape[0] <= problem.points == R.shape[1]
    close(R.mT @ R, K)
    spectrum = tangent_spectrum(net, problem)
    assert int((spectrum.eigenvalues > spectrum.floor).sum()) <= net.parameter_count
    close(spectrum.eigenvalues[-1:], torch.linalg.eigvalsh(K)[-1:])
    assert spectrum.floor < 1e-20 * spectrum.lambda_max


def test_a_module_that_writes_in_place_has_a_kernel() -> None:
    class Pieces(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 4).double()

        def forward(self, x: Tensor) -> Tensor:
            z = torch.tanh(self.inner(x))
            out = torch.zeros_like(z)
            out[:, :2] = z[:, :2]
            out[:, 2:] = 3.0 * z[:, 2:]
            return out.sum(1)

    problem, net = problem_of("laplacian", 2), AnyModule(Pieces(), 2)
    assert net.check(problem.rows()) == []
    J = problem.system(net).jacobian(net.weights)
    close(tangent_kernel(net, problem).total, J @ J.mT)


def test_a_module_has_no_part_a() -> None:
    with pytest.raises(ValueError, match="expected 'total': a module has no outer weights"):
        tangent_spectrum(deep("tanh", 2), problem_of("identity", 2), "a")


def test_row_27_a_jacobian_that_cannot_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_of(available_bytes), "available_bytes", lambda _: 1000)
    with pytest.raises(MemoryShortageError, match="the Jacobian of 9 rows by 80 parameters"):
        tangent_factor(deep("tanh", 2), problem_of("identity", 2))


def relative_spread(width: int, seeds: int = 12) -> float:
    """Size of K̂ − mean over seeds, relative to the mean."""
    problem = problem_of("laplacian", 1)
    kernels = torch.stack([tangent_kernel(AnyModule(MLP(1, width, 2, seed=s), 1), problem).total for s in range(seeds)])
    mean = kernels.mean(0)
    return float((kernels - mean).square().sum((1, 2)).mean().sqrt() / torch.linalg.norm(mean))


def test_deep_kernels_of_all_seeds_approach_one_another_like_the_root_of_the_width() -> None:
    spreads = [relative_spread(width) for width in (32, 128, 512)]
    slope = float(torch.log(torch.tensor(spreads[-1] / spreads[0])) / torch.log(torch.tensor(16.0)))
    assert slope == pytest.approx(-0.5, abs=0.2)
