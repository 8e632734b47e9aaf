"""A folder's face gives its names when they are asked for, and a name that is its module's, too, is always the name."""

import importlib
import pickle
import sys
from pathlib import Path
from types import ModuleType

import pytest

FACE = '''"""Shapes."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from shapes.ball import ball as disc
    from shapes.box import SIDES, box

face(__name__)
'''


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = tmp_path / "shapes"
    folder.mkdir()
    (folder / "__init__.py").write_text(FACE, encoding="utf-8")
    (folder / "box.py").write_text("SIDES = 4\n\n\ndef box():\n    return SIDES\n", encoding="utf-8")
    (folder / "ball.py").write_text("def ball():\n    return 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shapes", "shapes.box", "shapes.ball"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("shapes")


def test_a_module_is_imported_when_a_name_of_it_is_asked_for(shapes: ModuleType) -> None:
    assert "shapes.box" not in sys.modules
    assert shapes.SIDES == 4
    assert "shapes.box" in sys.modules and "shapes.ball" not in sys.modules


def test_a_name_may_be_another_than_in_its_module(shapes: ModuleType) -> None:
    assert shapes.disc() == 1
    assert shapes.disc.__name__ == "ball"


@pytest.mark.parametrize("first", ["name", "module"])
def test_a_name_that_is_a_module_too_is_the_name_whatever_was_imported_first(shapes: ModuleType, first: str) -> None:
    if first == "name":
        assert shapes.box() == 4
    module = importlib.import_module("shapes.box")
    import shapes.box as renamed
    from shapes import box

    assert isinstance(module, ModuleType)
    assert shapes.box is box is renamed is module.box
    assert sys.modules[box.__module__] is module


def test_a_module_without_a_name_on_the_face_is_found_in_its_folder(
    shapes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shapes import ball

    assert ball is sys.modules["shapes.ball"] is shapes.ball
    monkeypatch.setattr("shapes.ball.ball", lambda: 2)
    assert ball.ball() == 2


def test_all_and_dir_are_the_names(shapes: ModuleType) -> None:
    space: dict[str, object] = {}
    exec("from shapes import *", space)
    assert shapes.__all__ == ["SIDES", "box", "disc"]
    assert set(shapes.__all__) < set(dir(shapes))
    assert space["box"] is shapes.box and "face" not in space


def test_what_is_not_there_is_said_as_of_any_module(shapes: ModuleType) -> None:
    with pytest.raises(AttributeError, match="module 'shapes' has no attribute 'bax'"):
        _ = shapes.bax
    with pytest.raises(ImportError, match="cannot import name 'bax' from 'shapes'"):
        from shapes import bax  # noqa: F401


def test_a_name_can_be_patched_and_comes_back(shapes: ModuleType) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shapes, "box", lambda: 5)
        assert shapes.box() == 5
    assert shapes.box() == 4


def test_functions_and_the_face_itself_are_pickled_by_name(shapes: ModuleType) -> None:
    assert pickle.loads(pickle.dumps(shapes.box)) is shapes.box
    assert pickle.loads(pickle.dumps(shapes)) is shapes
