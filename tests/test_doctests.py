"""Every example in a docstring runs as a newcomer would run it, and everything public has one."""

import doctest
import importlib
import pkgutil
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import pinn_ntk

NO_NAMES = {"__name__": "__main__"}  # a copied example has what it imports, not what its module does
FINDER = doctest.DocTestFinder(exclude_empty=True)
WITHOUT = {
    "Ansatz": "residual.py has its 300 lines; `pose` makes it",
    "Block": "residual.py has its 300 lines; shown in the docstring of the package",
    "Problem": "residual.py has its 300 lines; shown in the docstring of the package",
    "Experiment": "a record of arguments",
    "Given": "made by `dirichlet` and its like",
    "InfiniteWidthSolution": "made by `infinite_width_solve`",
    "LinearModel": "made by `linearise`",
    "LinearState": "made by `LinearModel`",
    "OuterSolution": "made by `solve_outer`",
    "Prediction": "made by `predict`",
    "ProblemWarning": "a warning",
    "Record": "made by `run`",
    "SavedSolution": "made by `load_solution`",
    "Solution": "made by `solve`",
    "State": "made by every optimiser",
    "Statement": "made by `compare`",
    "Status": "names only",
}
"""What is public and has no example of its own, and why."""


def modules() -> Iterator[str]:
    """The names of modules that have examples, of which only those are imported."""
    names = ["pinn_ntk", *(found.name for found in pkgutil.walk_packages(pinn_ntk.__path__, "pinn_ntk."))]
    for name in names:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None
        if ">>> " in Path(spec.origin).read_text(encoding="utf-8"):
            yield name


def examples() -> Iterator[doctest.DocTest]:
    """One case for each docstring with examples."""
    for name in modules():
        yield from FINDER.find(importlib.import_module(name), name, globs=NO_NAMES)


CASES = [pytest.param(case, id=case.name) for case in sorted(examples(), key=lambda case: case.name) if case.examples]


@pytest.mark.parametrize("case", CASES)
def test_the_example_is_true(case: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(case, out=report.append)
    assert result.attempted == len(case.examples)
    assert not result.failed, "".join(report)
    assert not list(tmp_path.iterdir()), "an example writes nothing"


def test_every_docstring_with_an_example_is_a_case() -> None:
    found = sum(len(case.values[0].examples) for case in CASES)
    texts = [Path(find_spec(name).origin).read_text(encoding="utf-8") for name in modules()]
    assert found == sum(line.lstrip().startswith(">>> ") for text in texts for line in text.splitlines())
    assert len({case.id for case in CASES}) == len(CASES)


def test_everything_public_has_an_example() -> None:
    public = {name: member for name in pinn_ntk.__all__ if callable(member := getattr(pinn_ntk, name))}
    lacking = {name for name, member in public.items() if not _shown(name, member)}
    assert lacking == set(WITHOUT), (
        "write an Examples: section, or say in WITHOUT why there is none; drop from it what has one"
    )


def _shown(name: str, member: object) -> bool:
    """Whether an example of its own docstring, or one of its module's that calls it, is there."""
    if doctest.DocTestParser().get_examples(member.__doc__ or ""):
        return True
    module = importlib.import_module(member.__module__).__doc__ or ""
    return any(re.search(rf"\b{name}\(", example.source) for example in doctest.DocTestParser().get_examples(module))
