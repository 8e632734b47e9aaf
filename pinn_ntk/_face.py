"""The face of a folder: the names that others may use of it, each imported when it is first asked for.

They stand once, in the folder's `__init__.py`, as imports under `if TYPE_CHECKING:`, which people, editors and mypy
read as they are; `face(__name__)` reads the same lines when the first name is asked for.

A name may be that of its module: `box` of `geometry/box.py`. Python binds a module in its folder once imported, which
would hide the function. A folder with a face binds no module: the name is the function, whatever was imported first,
also in `import pinn_ntk.geometry.box as m`. The module is `sys.modules[box.__module__]`.
"""

import ast
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType


class _Face(ModuleType):
    def __getattr__(self, name: str) -> object:
        origins = _origins(str(self.__file__))
        if name in origins:
            return self.__dict__.setdefault(name, getattr(import_module(origins[name][0]), origins[name][1]))
        if name == "__all__":
            return sorted(origins)
        if (module := sys.modules.get(f"{self.__name__}.{name}")) is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        return module

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}"):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        return import_module, (self.__name__,)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_origins(str(self.__file__))})


@cache
def _origins(file: str) -> dict[str, tuple[str, str]]:
    """Name on the face → its module and its name there."""
    blocks = (node for node in ast.parse(Path(file).read_text(encoding="utf-8")).body if isinstance(node, ast.If))
    imports = (node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom))
    return {item.asname or item.name: (str(node.module), item.name) for node in imports for item in node.names}


def face(package: str) -> None:
    """Gives a package its `__getattr__`, `__dir__` and `__all__`."""
    sys.modules[package].__class__ = _Face
