"""The rules of `device_rules` catch what they are about: each is broken once, by a function planted in the package."""

import linecache
from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
import torch
from device_rules import PACKAGE, source_faults, watched
from pretended_gpu import OnDevice
from torch import Tensor

NUMBERS = count()
BROKEN_SOURCE = [
    "torch.zeros(3)",
    "torch.zeros(3, dtype=torch.float64)",
    "torch.zeros(3, device=x.device)",
    "torch.eye(3).to(x)",
    "torch.arange(0.5, 3.0, device=x.device)",
    "torch.tensor([1.0]).to(x.device)",
    "torch.as_tensor(y)",
    "torch.from_numpy(y)",
    "torch.Generator()",
    "torch.rand(3, generator=g, dtype=torch.float64)",
    "x.cpu()",
    "x.sum().item()",
    "x.detach().numpy()",
    "x.to('cpu')",
    "x.to(device='cpu', dtype=torch.float64)",
]
GOOD_SOURCE = [
    "torch.zeros(3, dtype=torch.float64, device='cpu')",
    "torch.arange(3, device=x.device)",
    "torch.from_numpy(y).to(x)",
    "torch.rand(3, generator=g, dtype=torch.float64).to(x)",
    "torch.Generator(device='cpu')",
    "x.new_zeros(3) + torch.ones_like(x)",
    "x.cpu()  # on the CPU: to be written",
]
READ = [
    "float(x[0])",
    "int(x[0])",
    "bool(x.any())",
    "x.tolist()",
    "x[0].item()",
    "1.0 if x[0] > 0 else 2.0",
    "x[x > 0]",
]
MOVED = ["x.cpu()", "x.to('cpu')", "x.to(torch.zeros(1))", "torch.zeros(3, dtype=x.dtype).copy_(x)"]
MIXED = ["x + torch.ones(3)", "torch.ones(3, 3) @ x", "torch.cat([x, torch.ones(3)])", "torch.ones(3)[x > 0]"]


def planted(expression: str, comment: str = "") -> tuple[Callable[[Tensor], object], str]:
    """x ↦ the expression, as if a file of the package had it, and the file's name."""
    name, source = str(PACKAGE / f"planted_{next(NUMBERS)}.py"), f"def f(x):\n    {comment}\n    return {expression}\n"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict = {"torch": torch, "np": np}
    exec(compile(source, name, "exec"), space)
    return space["f"], name


@pytest.mark.parametrize("expression", BROKEN_SOURCE)
def test_a_source_that_does_not_say_where_or_why_is_a_fault(expression: str) -> None:
    assert source_faults(PACKAGE / planted(expression)[1])


@pytest.mark.parametrize("expression", GOOD_SOURCE)
def test_a_source_that_says_where_and_why_is_none(expression: str) -> None:
    assert not source_faults(PACKAGE / planted(expression)[1])


@pytest.mark.parametrize("expression", READ + MOVED)
def test_what_crosses_is_a_fault_unless_a_comment_says_why(expression: str) -> None:
    with watched() as watch:
        x = torch.ones(3, dtype=torch.float64, device="cuda:0")
        planted(expression, "# read back: it is planted")[0](x)
        assert watch.count and not watch.faults
        planted(expression, "# a comment about something else")[0](x)
        assert watch.faults


def test_what_the_tests_themselves_read_back_is_none() -> None:
    with watched() as watch:
        assert float(torch.ones(3, device="cuda:0").sum()) == 3.0
    assert not watch.count


@pytest.mark.parametrize("expression", MIXED)
def test_two_devices_in_one_operation_are_an_error(expression: str) -> None:
    with watched(), pytest.raises(RuntimeError, match="same device"):
        planted(expression)[0](torch.ones(3, device="cuda:0"))


def test_a_number_of_the_cpu_goes_with_the_device_as_on_a_gpu() -> None:
    with watched() as watch:
        assert planted("x * torch.tensor(2.0)")[0](torch.ones(3, device="cuda:0")).device.type == "cuda"
    assert not watch.count


def test_a_draw_by_the_device_is_a_fault_whatever_the_comment() -> None:
    with watched() as watch:
        planted("torch.rand(3, device=x.device)", "# on the CPU: it is planted")[0](torch.ones(3, device="cuda:0"))
        assert watch.faults
        with pytest.raises(RuntimeError, match="generator"):
            planted("torch.rand(3, device=x.device, generator=torch.Generator())")[0](torch.ones(1, device="cuda:0"))


def test_numpy_does_not_take_a_tensor_of_the_device() -> None:
    with watched():
        for expression in ("x.numpy()", "np.asarray(x)"):
            with pytest.raises(TypeError, match="cuda:0"):
                planted(expression)[0](torch.ones(3, device="cuda:0"))


def test_the_device_computes_what_the_cpu_computes_derivatives_too() -> None:
    x = torch.linspace(0.1, 1.0, 5, dtype=torch.float64)
    with watched():
        y = x.to("cuda:0")
        assert isinstance(y, OnDevice) and y.device == torch.device("cuda:0") and not y.is_cpu
        there = torch.func.vmap(torch.func.grad(lambda v: torch.tanh(v) ** 2))(y)
        assert torch.equal(there.cpu(), torch.func.vmap(torch.func.grad(lambda v: torch.tanh(v) ** 2))(x))
