"""The cases of tests/cases: problems that were answered wrongly with a confident word, each now solved right, refused,
or said to be unresolved.
"""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from pinn_ntk.problem import Problem, problem_from_text
from pinn_ntk.solving import Reason, Solution, solve

CASES = Path(__file__).resolve().parent.parent / "cases"
SECOND = 6e10  # operations

VALUED = ("hot_spot", "hot_spot_2mm", "heater_kelvin", "two_layers_div", "moving_laser")

pytestmark = pytest.mark.filterwarnings("ignore::pinn_ntk.problem.ProblemWarning")


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES.parent.parent)  # files in the cases are named from there


def posed(name: str) -> Problem:
    spec: dict[str, Any] = yaml.safe_load((CASES / "problem" / f"{name}.yaml").read_text(encoding="utf-8"))
    return problem_from_text({key: value for key, value in spec.items() if key != "kind"})


def solved(name: str, seconds: float) -> Solution:
    return solve(posed(name), tolerance=1e-10, effort=seconds * SECOND)


def right_values(name: str) -> list[tuple[list[float], float]]:
    """(point, value) of expected.csv."""
    with (CASES / "expected.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["case"] == name and "(" in row["what"]]
    return [([float(v) for v in row["what"].split("(")[1].rstrip(")").split(",")], float(row["value"])) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("name", VALUED)
def test_values_are_right_or_not_claimed(name: str) -> None:
    solution, values = solved(name, 20.0), right_values(name)
    assert values
    for place, value in values:
        gap = abs(float(solution.u([place])) - value)
        assert gap < 20.0 * solution.error or solution.reason is Reason.UNRESOLVED
    assert solution.reason not in (Reason.CONVERGED, Reason.INCONSISTENT, Reason.UNDERDETERMINED)


@pytest.mark.parametrize(
    ("name", "words"), [("wrong_sign_heat", "backward heat"), ("no_inflow", "a value is missing at the inflow x=0")]
)
def test_what_is_ill_posed_is_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        solved(name, 1.0)


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("resonance_zero", Reason.UNDERDETERMINED, "satisfied by a function"),
        ("resonance_none", Reason.INCONSISTENT, "no solution"),
        ("two_bodies", Reason.UNDERDETERMINED, "a constant is free"),
    ],
)
def test_what_has_no_one_answer_is_named(name: str, reason: Reason, words: str) -> None:
    solution = solved(name, 1.0)
    assert solution.reason is reason and words in solution.words


def test_noise_is_covered() -> None:
    solution = solved("noisy_sensors", 2.0)
    domain = solution.problem.domain
    assert domain is not None
    x = domain.test_points(3000)
    exact = torch.sin(torch.pi * x).prod(1)
    found = float((solution.u(x) - exact).norm() / exact.norm())
    assert found < 2e-2 and found < 3.0 * solution.estimate
    assert solution.reason is Reason.NOISE


@pytest.mark.slow
def test_a_shell_is_no_contradiction() -> None:
    solution = solved("shell_3d", 20.0)
    problem = solution.problem
    assert problem.domain is not None and problem.exact is not None
    x = problem.domain.test_points(3000)
    found = float((solution.u(x) - problem.exact(x)).norm() / problem.exact(x).norm())
    assert found < 1e-9 or solution.reason in (Reason.UNRESOLVED, Reason.BUDGET)
    assert found < 10.0 * solution.estimate
