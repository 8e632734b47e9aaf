"""A second device without one: tensors that say they are on cuda:0 and compute on the CPU, so that everything that a
run does on a GPU is done, to the bit, and every mistake of devices is an error as it is there.

A tensor of the device wraps one of the CPU. To torch's C++ it is a tensor of the device `meta`, which needs no driver
and whose automatic differentiation runs; its own numbers are never touched there, as every operation comes to
`_computed`. That refuses what CUDA refuses: operands on two devices (but for a single number of the CPU), a generator
of the CPU for a draw on the device, numpy. What crosses to the CPU, and what makes the device wait for Python, is told
to `listeners`.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("cuda:0")
READ, MOVED, DRAWN = "read back", "moved to the CPU", "drawn on the device"
READS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default}
"""What answers with a number of Python: the device is waited for."""
SHAPES = ("nonzero", "masked_select", "unique", "_unique2", "bincount")
"""What makes tensors of a size that only the device knows: it is waited for, too."""
DRAWS = ("rand", "normal", "bernoulli", "multinomial", "uniform", "exponential", "dropout", "poisson")
LENIENT = {torch.ops.aten.copy_.default, torch.ops.aten.index.Tensor}
"""What takes tensors of two devices: a copy, and places kept on the CPU."""
listeners: list[Callable[[str, str], None]] = []


class OnDevice(Tensor):
    """A tensor of the pretended device."""

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnDevice":
        made = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="meta",
        )
        made.inner = inner
        return made

    device = property(lambda self: DEVICE)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)
    is_meta = property(lambda self: False)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _computed(func, args, kwargs or {})

    def numpy(self, *, force: bool = False):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    def __array__(self, dtype=None):
        return self.numpy()

    def tolist(self):
        _tell(READ, "tolist")
        return self.inner.tolist()

    def data_ptr(self):
        return self.inner.data_ptr()

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            other = OnDevice(self.inner.clone())
            made = torch.nn.Parameter(other, self.requires_grad) if isinstance(self, torch.nn.Parameter) else other
            memo[id(self)] = made
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        return (copy.copy, (self.inner,))

    def __repr__(self, **_):
        return f"OnDevice({self.inner!r})"


def _tell(kind: str, what: str) -> None:
    for listener in listeners:
        listener(kind, what)


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation: by the CPU, its results on the device that CUDA would leave them on."""
    name, flat = func._schema.name.removeprefix("aten::"), tree_leaves((args, kwargs))
    given = [v for v in flat if isinstance(v, OnDevice)]
    wanted = kwargs.get("device")
    target = None if wanted is None else "cpu" if torch.device(wanted).type == "cpu" else "cuda"  # or its own `meta`
    if target == "cuda":
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if not given and target != "cuda":
        return func(*args, **kwargs)
    strangers = [v for v in flat if isinstance(v, Tensor) and not isinstance(v, OnDevice) and v.ndim]
    if given and strangers and func not in LENIENT and not _fills(func, args, strangers):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found cuda:0 and cpu in {name}")
    if func is torch.ops.aten.index.Tensor and not isinstance(args[0], OnDevice):
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
    result = _by_the_cpu(func, args, kwargs)
    if func in READS:
        _tell(READ, name)
        return result
    if target == "cpu" or (func is torch.ops.aten.copy_.default and not isinstance(args[0], OnDevice)):
        _tell(MOVED, name)
        return result
    if any(draw in name for draw in DRAWS) and func.namespace == "aten":
        if any(isinstance(v, torch.Generator) for v in flat):
            raise RuntimeError(f"Expected a 'cuda' device type for generator but found 'cpu' in {name}")
        _tell(DRAWN, name)
    if name in SHAPES or (name == "index" and any(v.dtype is torch.bool for v in flat[1:] if isinstance(v, Tensor))):
        _tell(READ, name)
    return result if not isinstance(result, (Tensor, tuple, list)) else _wrapped(result, given)


def _fills(func: Any, args: Any, strangers: list[Tensor]) -> bool:
    """Whether it writes numbers at places: of these CUDA takes the places from the CPU."""
    return func.__name__.startswith("index_put") and all(any(v is s for v in args[1]) for s in strangers)


def _by_the_cpu(func: Any, args: Any, kwargs: Any) -> Any:
    unwrapped = tree_map_only(OnDevice, lambda v: v.inner, (args, kwargs))
    return func(*unwrapped[0], **unwrapped[1])


def _wrapped(result: Any, given: list[OnDevice]) -> Any:
    """The results on the device; what was changed in place is what it was."""
    same = {id(v.inner): v for v in given}

    def one(value: Tensor) -> Tensor:
        known = same.get(id(value))
        if known is None:
            return OnDevice(value)
        if known.size() != value.size() or known.stride() != value.stride():  # squeeze_ within a product
            with torch._C._DisableTorchDispatch():
                known.as_strided_(value.size(), value.stride(), value.storage_offset())
        return known

    return tree_map_only(Tensor, one, result)


class _Everywhere(TorchDispatchMode):
    """What no tensor of the device takes part in: factories, and moves to it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _computed(func, args, kwargs or {})


class _Made(TorchFunctionMode):
    """torch.tensor and its kin, whose C++ passes by `_Everywhere`: numbers become a tensor of the CPU, which moves."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func == Tensor.data.__set__ and isinstance(args[0], OnDevice):  # a module moves its parameters so
            args[0].inner = args[1].inner
        if func not in (torch.as_tensor, torch.tensor, Tensor.new_tensor):
            return func(*args, **kwargs)
        like, data = (args[0], args[1]) if func is Tensor.new_tensor else (None, args[0])
        device, dtype = kwargs.get("device"), kwargs.get("dtype")
        if isinstance(like, OnDevice):
            device, dtype = device or DEVICE, dtype or like.dtype
        if isinstance(data, OnDevice):
            data = data if func is torch.as_tensor else data.detach().clone()
            return data.to(device=device or DEVICE, dtype=dtype or data.dtype)
        if device is None or torch.device(device).type == "cpu":
            return func(*args, **kwargs)
        return torch.as_tensor(data, dtype=dtype, device="cpu").to(device)


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """A machine with one GPU, within a `with`; its name is cuda:0."""
    free = (1 << 36, 1 << 37)
    pretence = {
        "device_count": lambda: 1,
        "is_available": lambda: True,
        "_lazy_init": lambda: None,
        "mem_get_info": lambda device=None: free,
        "max_memory_allocated": lambda device=None: 1 << 20,
        "memory_allocated": lambda device=None: 0,
        "reset_peak_memory_stats": lambda device=None: None,
        "empty_cache": lambda: None,
        "get_device_name": lambda device=None: "a pretended GPU",
        "synchronize": lambda device=None: None,
        "current_device": lambda: 0,
    }
    with ExitStack() as stack:
        for name, words in pretence.items():
            stack.enter_context(patch.object(torch.cuda, name, words))
        stack.enter_context(_Everywhere())
        stack.enter_context(_Made())
        yield DEVICE
