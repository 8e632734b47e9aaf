"""Closed form = autograd, over operators × activations × dimensions,
for stacked weighted blocks and with extra functions.
"""

import pytest
import torch
from cases import CASES, FEW, network_of, points, problem_of
from torch import nn

from pinn_ntk.kernels import (
    MemoryShortageError,
    autograd_kernel,
    closed_form_kernel,
    default_chunk,
    gram,
    kernel_spectrum,
    require_bytes,
    solution_kernel,
    with_backoff,
)
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import identity
from pinn_ntk.problem import Block, Problem

EXTRA = (lambda x: torch.ones_like(x[:, 0]), lambda x: torch.cos(x.sum(1)))


def close(mine: torch.Tensor, theirs: torch.Tensor, eps: float = 1.0) -> None:
    assert float((mine - theirs).abs().max()) <= 1e-12 * eps * float(theirs.abs().max())


@pytest.mark.parametrize(("name", "activation", "d"), CASES)
def test_closed_form_equals_autograd(
    name: str, activation: str, d: int, device: torch.device, dtype: torch.dtype, eps: float
) -> None:
    problem = problem_of(name, d, dtype=dtype, device=device)
    net = network_of(activation, d, dtype=dtype, device=device, extra=EXTRA)
    mine, theirs = closed_form_kernel(net, problem), autograd_kernel(net, problem)
    for part in ("total", "a", "w", "extra"):
        close(getattr(mine, part), getattr(theirs, part), eps)
    assert mine.scale == theirs.scale == net.width
    assert mine.total.device == net.a0.device


@pytest.mark.parametrize(("name", "activation", "d"), FEW)
def test_closed_form_is_JJt_of_finite_differences(name: str, activation: str, d: int) -> None:
    problem, net = problem_of(name, d), network_of(activation, d)
    w, h, columns = net.weights, 1e-6, []

    def residual(da: torch.Tensor, dw: torch.Tensor) -> torch.Tensor:
        return problem.residual(net.with_weights(w.moved(da, dw, w.extra)))

    for k in range(w.da.numel()):
        one = torch.zeros_like(w.da)
        one[k] = h
        columns.append((residual(one, 0 * w.dw) - residual(-one, 0 * w.dw)) / (2 * h))
    for k in range(w.dw.numel()):
        one = torch.zeros_like(w.dw)
        one.view(-1)[k] = h
        columns.append((residual(0 * w.da, one) - residual(0 * w.da, -one)) / (2 * h))
    J = torch.stack(columns, 1)
    K = closed_form_kernel(net, problem)
    torch.testing.assert_close(K.scale * K.total, J @ J.mT, rtol=1e-5, atol=1e-5 * float(K.scale * K.total.max()))


@pytest.mark.parametrize("scaling", ["sum", "ntk", "mean_field"])
@pytest.mark.parametrize("bias", [True, False])
def test_scale_turns_the_normalised_kernel_into_JJt(scaling: str, bias: bool) -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2, scaling=scaling, bias=bias)
    K, A = closed_form_kernel(net, problem), autograd_kernel(net, problem)
    close(K.total, A.total)
    plain = autograd_kernel(nn.Sequential(net), problem)
    close(K.scale * K.total, plain.total)
    assert plain.scale == 1.0
    assert plain.a is None


def test_chunks_change_nothing_but_rounding() -> None:
    problem, net = problem_of("full", 3), network_of("gelu", 3, width=40)
    whole = closed_form_kernel(net, problem)
    for chunk in (1, 7, 40, 1000):
        close(closed_form_kernel(net, problem, chunk=chunk).total, whole.total)
    for chunk in (1, 4, 100):
        close(autograd_kernel(net, problem, chunk=chunk).total, whole.total)


def test_raw_blocks_are_unscaled() -> None:
    problem, net = problem_of("laplacian", 2), network_of("tanh", 2)
    K = closed_form_kernel(net, problem)
    inside, data = problem.blocks
    plain = closed_form_kernel(net, Problem([inside]))
    close(K.raw("interior", "interior"), plain.total)
    cross = closed_form_kernel(net, Problem([inside]), at=(identity(2).rows(data.x),))
    close(K.raw("data", "interior"), cross.total)
    with pytest.raises(ValueError, match="got 'boundary', expected one of interior, data"):
        K.raw("boundary", "data")


@pytest.mark.parametrize("extra", [(), EXTRA])
def test_cross_kernels_equal_autograd(extra: tuple) -> None:
    problem, net = problem_of("hard", 2), network_of("tanh", 2, extra=extra)
    rows = (identity(2).rows(points(4, 2, seed=9)), problem.blocks[0].operator.rows(points(3, 2, seed=8)))
    mine, theirs = closed_form_kernel(net, problem, at=rows), autograd_kernel(net, problem, at=rows, chunk=2)
    assert mine.total.shape == (7, problem.points)
    close(mine.total, theirs.total)
    close(solution_kernel(net, problem, points(4, 2, seed=9)).total, mine.total[:4])


def test_identity_operator_is_the_regression_kernel() -> None:
    x, net = points(8, 3), TwoLayer(3, 20, "relu", bias=False)
    K = closed_form_kernel(net, Problem([Block(identity(3), x, 0.0)]))
    phi = torch.relu(x @ net.w.mT).detach()
    torch.testing.assert_close(K.a, phi @ phi.mT / 20, rtol=1e-15, atol=0.0)


def test_a_batch_of_kernels_is_its_members() -> None:
    problem, net = problem_of("full", 2), network_of("tanh", 2)
    system = problem.system(net)
    w, a = torch.randn(3, 9, 3, dtype=torch.float64), torch.randn(3, 9, dtype=torch.float64)
    part_a, part_w = gram(system, None, w, a, 1 / 9, 4)
    for k in range(3):
        one_a, one_w = gram(system, None, w[k], a[k], 1 / 9, 9)
        torch.testing.assert_close(part_a[k], one_a)
        torch.testing.assert_close(part_w[k], one_w)


def test_autograd_kernel_takes_any_module() -> None:
    torch.manual_seed(0)
    deep = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    problem = problem_of("full", 2)
    K = autograd_kernel(deep, problem)
    rows = []
    for r in problem.rows():
        for i in range(len(r)):
            value = r.select(slice(i, i + 1)).apply(lambda x: deep(x)[:, 0])
            rows.append(
                torch.cat(
                    [
                        g.reshape(-1)
                        for g in torch.autograd.grad(
                            value.sum(), deep.parameters(), allow_unused=True, materialize_grads=True
                        )
                    ]
                )
            )
    J = torch.stack(rows)
    close(K.total, J @ J.mT)
    frozen = nn.Linear(2, 1).requires_grad_(False)
    with pytest.raises(ValueError, match="without trainable parameters"):
        autograd_kernel(frozen, problem)


def test_row_17_more_points_than_parameters_is_a_singular_kernel() -> None:
    problem, net = problem_of("identity", 1, n=20), network_of("tanh", 1, width=2)
    spectrum = kernel_spectrum(net, problem)
    assert spectrum.below_floor
    assert int((spectrum.eigenvalues > spectrum.floor).sum()) <= net.parameter_count


def test_row_26_a_failed_allocation_halves_the_chunk() -> None:
    tried = []

    def compute(chunk: int) -> int:
        tried.append(chunk)
        if chunk > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        return chunk

    assert with_backoff(compute, 16) == (2, 2)
    assert tried == [16, 8, 4, 2]

    def never(chunk: int) -> int:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(MemoryShortageError, match="smallest chunk"):
        with_backoff(never, 8)
    with pytest.raises(RuntimeError, match="shape"):
        with_backoff(lambda chunk: (_ for _ in ()).throw(RuntimeError("shape")), 8)


def test_row_27_what_cannot_fit_is_refused_before_it_is_allocated() -> None:
    with pytest.raises(MemoryShortageError, match="GiB are available on cpu; use fewer points"):
        require_bytes(1 << 60, "cpu", "the kernel of 9 × 9 rows")


def test_row_46_width_one_and_one_point_work() -> None:
    problem = Problem([Block(identity(1), points(1, 1), 1.0)])
    K = closed_form_kernel(TwoLayer(1, 1, "relu3"), problem)
    assert K.total.shape == (1, 1)
    assert default_chunk(10**9, 10**6) == 1
