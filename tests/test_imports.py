"""The house stands on its floors: imports go downwards only, and folders of one floor do not import one another."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pinn_ntk

ROOT = Path(pinn_ntk.__file__).parent
FLOORS = {
    "_face": -1,
    "_runtime": 0, "expressions": 0, "activations": 0, "arguments": 0, "dynamics": 0, "parallel": 0,
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
