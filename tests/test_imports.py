"""The house stands on its floors: imports go downwards only, folders of one floor do not import one another, and who
is not of the package knows folders by their faces only.
"""

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import pinn_ntk

ROOT = Path(pinn_ntk.__file__).parent
FLOORS = {
    "_face": -2, "arguments": -2, "hints": -2,
    "rules": -1,
    "_runtime": 0, "expressions": 0, "activations": 0, "dynamics": 0, "parallel": 0,
    "devices": 1, "geometry": 1, "operators": 1,
    "networks": 2,
    "problem": 3,
    "kernels": 4, "reference": 4,
    "solving": 5, "theory": 5, "training": 5,
    "comparison": 6,
    "reporting": 7,
    "experiment": 8,
    "studies": 9,
    "app": 10, "__main__": 11, "__init__": 11,
}  # fmt: skip


def place(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, int]]:
    """(top-level place, line) of every import of the package in a file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = (
            (
                [f"pinn_ntk.{a.name}" if a.name in FLOORS else "pinn_ntk" for a in node.names]
                if node.module == "pinn_ntk"
                else [node.module or ""]
            )
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        found += [
            (([*name.split("."), "__init__"])[1], node.lineno) for name in names if name.split(".")[0] == "pinn_ntk"
        ]
    return found


def test_every_place_has_a_floor() -> None:
    assert {place(p) for p in ROOT.rglob("*.py")} <= set(FLOORS)


def test_imports_go_downwards_only() -> None:
    wrong = []
    for path in ROOT.rglob("*.py"):
        here = place(path)
        for there, line in imports(path):
            if there != here and not FLOORS[there] < FLOORS[here]:
                wrong.append(
                    f"{path.relative_to(ROOT)}:{line}: {here} (floor {FLOORS[here]}) imports {there} (floor "
                    f"{FLOORS[there]})"
                )
    assert not wrong, "\n".join(wrong)


def test_only_the_app_knows_hydra() -> None:
    for path in ROOT.rglob("*.py"):
        if place(path) not in ("app", "__main__"):
            text = path.read_text(encoding="utf-8")
            assert "import hydra" not in text and "omegaconf" not in text.lower(), path


def test_the_package_imports_nothing_that_it_may_not_need() -> None:
    heavy = ("scipy", "matplotlib", "xarray", "hydra", "sympy", "torch._dynamo", "torch._inductor")
    code = f"import sys, pinn_ntk; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_environment_says_of_threads_is_left_alone() -> None:
    code = "import os, pinn_ntk; print(os.environ.get('GOMP_SPINCOUNT'))"
    for given, expected in (({}, "500"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None"), ({"GOMP_SPINCOUNT": "7"}, "7")):
        plain = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**plain, **given}
        )
        assert done.stdout.strip() == expected


FACES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
OUTSIDE = [
    path for folder in ("tests", "scripts", "docs") for path in sorted((ROOT.parent / folder).rglob("*"))
    if path.suffix in (".py", ".md")
]  # fmt: skip
COMMANDS = ("pinn_ntk.app.evaluate", "pinn_ntk.app.compare_runs")
"""Modules that people run by `python -m`."""
CODE = re.compile(r"(?:from|import) (pinn_ntk[\w.]*)(?: import (?:\(([^)]*)\)|([\w, ]+)))?|^(pinn_ntk\.[\w.]+)$")
"""An import, or a dotted name alone, in a string or in Markdown."""


@cache
def names_of(path: Path) -> list[tuple[str, str]]:
    """(module, name) of every import of the package in a file; the name is empty where the module itself is meant."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return list(names_in(text))
    pairs: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            pairs += [(node.module or "", item.name) for item in node.names]
        elif isinstance(node, ast.Import):
            pairs += [(item.name, "") for item in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            pairs += names_in(node.value)
    return [(module, name) for module, name in pairs if module.split(".")[0] == "pinn_ntk"]


def names_in(text: str) -> Iterator[tuple[str, str]]:
    for module, several, few, alone in CODE.findall(text):
        names = [item.split()[0] for item in (several or few).split(",") if item.strip()]
        yield from ((module or alone, name) for name in names or [""])


def face(folder: str) -> ModuleType:
    return importlib.import_module(f"pinn_ntk.{folder}")


def of_a_folder(module: str) -> bool:
    return module.split(".")[1:2] != [] and module.split(".")[1] in FACES


def test_outside_the_package_folders_are_known_by_their_faces_only() -> None:
    wrong = [
        f"{path.relative_to(ROOT.parent)}: {module}: from pinn_ntk.{module.split('.')[1]} import {name or '…'}"
        for path in OUTSIDE
        for module, name in names_of(path)
        if of_a_folder(module) and module.count(".") > 1 and module not in COMMANDS
    ]
    assert not wrong, "an inner module is named; name the folder:\n" + "\n".join(wrong)


def test_what_is_imported_from_a_folder_is_on_its_face() -> None:
    """By attribute or by `import … as`, a module may be hidden by a function of its name."""
    wrong = [
        f"{path.relative_to(ROOT.parent)}: {module}: {name}"
        for path in (*OUTSIDE, *sorted(ROOT.rglob("*.py")))
        for module, name in names_of(path)
        if of_a_folder(module) and module.count(".") == 1
        if name and name not in face(module.split(".")[1]).__all__
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", FACES)
def test_every_name_of_a_face_is_a_value_that_somebody_outside_the_folder_imports(folder: str) -> None:
    assert face(folder).__all__
    assert not [name for name in face(folder).__all__ if isinstance(getattr(face(folder), name), ModuleType)]
    others = (path for path in ROOT.rglob("*.py") if ROOT / folder not in path.parents)
    demand = {name for path in (*OUTSIDE, *others) for module, name in names_of(path) if module == f"pinn_ntk.{folder}"}
    assert set(face(folder).__all__) <= demand, "nobody imports these: take them off the face"


def test_a_name_that_is_also_a_modules_is_written_in_that_module() -> None:
    both = [
        path for folder in FACES for path in sorted((ROOT / folder).glob("*.py")) if path.stem in face(folder).__all__
    ]
    elsewhere = [
        f"{path.parent.name}.{path.stem}"
        for path in both
        if getattr(face(path.parent.name), path.stem).__module__ != f"pinn_ntk.{path.parent.name}.{path.stem}"
    ]
    assert elsewhere == [
        "kernels.gram",
        "problem.periodic",
    ]  # of neuron_sums, conditions: those modules want better names


def test_a_face_imports_none_of_its_modules() -> None:
    code = (
        "import importlib, sys, types\n"
        "sys.modules['pinn_ntk'] = house = types.ModuleType('pinn_ntk')\n"  # the house itself imports its floors
        f"house.__path__ = [{str(ROOT)!r}]\n"
        f"faces = [importlib.import_module('pinn_ntk.' + name) for name in {FACES}]\n"
        "print([name for name in sys.modules if name.startswith('pinn_ntk.') and name.count('.') > 1])\n"
        "print('torch' in sys.modules)\n"
        "print(callable(faces[-1].track), 'pinn_ntk.training.trackers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "False", "True True"]
