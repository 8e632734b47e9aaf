"""Options of the suite: --device and --dtype run the same mathematics elsewhere (`pytest --device cuda --dtype
float32`).
"""

import pytest
import torch


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="cpu, cuda or cuda:i")
    parser.addoption("--dtype", default="float64", choices=["float64", "float32"])


@pytest.fixture
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.config.getoption("--device"))


@pytest.fixture
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return getattr(torch, request.config.getoption("--dtype"))


@pytest.fixture
def eps(dtype: torch.dtype) -> float:
    """How far two ways of computing one number may differ, in units of 2.2e-16: tests multiply it."""
    return torch.finfo(dtype).eps / torch.finfo(torch.float64).eps


@pytest.fixture(autouse=True)
def _same_numbers_every_time() -> None:
    torch.manual_seed(0)
