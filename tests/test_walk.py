"""Hops are counted as scripts/walk.py says: who holds the value, how deep, in which order."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pinn_ntk import Settings

SCRIPT = Path(__file__).parent.parent / "scripts" / "walk.py"
HOUSE = """
class Box:
    def __init__(self, value): self.value = value

def enter(value): return store(Box(value))
def store(box): return read({"box": box}) + beside()
def read(boxes): return len([box for box in boxes])
def beside(): return 0
def outer(value):
    def inner(): return value
    return inner() + beside()
"""


def imported(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def walk() -> ModuleType:
    return imported("walk_script", SCRIPT)


@pytest.fixture
def house(tmp_path: Path) -> Any:
    path = tmp_path / "house" / "rooms.py"
    path.parent.mkdir()
    path.write_text(HOUSE, encoding="utf-8")
    return imported("walk_rooms", path)


def hops(walk: ModuleType, folder: Path, call: Any) -> list[tuple[str, int]]:
    traced = walk.Walk(folder, walk.Mark(0.625)).trace(call)
    return [(code.co_qualname, hop.depth) for code, hop in traced.hops.items()]


def test_a_hop_is_a_function_that_holds_the_value_and_its_depth_is_how_deep(walk: ModuleType, house: Any) -> None:
    folder = Path(house.__file__).parent
    assert hops(walk, folder, lambda: house.enter(0.625)) == [
        ("enter", 0),
        ("Box.__init__", 0),
        ("store", 1),
        ("read", 2),
    ]


def test_a_closure_holds_the_value_and_what_does_not_is_no_hop(walk: ModuleType, house: Any) -> None:
    folder = Path(house.__file__).parent
    assert hops(walk, folder, lambda: house.outer(0.625)) == [("outer", 0), ("outer.<locals>.inner", 0)]
    assert hops(walk, folder, lambda: house.enter(0.5)) == []


def test_every_function_is_counted_once_and_every_call_of_it(walk: ModuleType, house: Any) -> None:
    traced = walk.Walk(Path(house.__file__).parent).trace(lambda: [house.enter(1.0) for _ in range(3)])
    assert {code.co_qualname: n for code, n in traced.calls.items()} == {
        "enter": 3, "Box.__init__": 3, "store": 3, "read": 3, "beside": 3,
    }  # fmt: skip
    assert traced.totals()[0] == "one run visits 5 functions in 1 files"


def test_settings_hold_their_step_size_one_deep(walk: ModuleType) -> None:
    found = dict(hops(walk, walk.ROOT / "pinn_ntk", lambda: Settings(step_size=0.625)))
    assert found["Settings.__post_init__"] == 1


def test_the_traced_run_ends_well_and_its_loss_is_read(walk: ModuleType) -> None:
    assert 0.0 < walk.command(["report=quiet", "theory=none", "tracker=loss"]) < float("inf")
