"""The module behind a name of a face, for tests that patch it or look at what is its own."""

import sys
from types import ModuleType
from typing import Any


def module_of(thing: Any) -> ModuleType:
    """Where a function or class is written, wherever that file is now."""
    return sys.modules[thing.__module__]
