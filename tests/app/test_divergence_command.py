"""−∇·(k∇u) by the command: read, solved, told, and found again in the folder of the run."""

from pathlib import Path

import numpy as np
import pytest
import xarray
import yaml

MINE = ("--config-dir", "my_conf", "problem=mine")
AUTO = ("optimizer=auto", "tracker.kernel=false", *MINE)
TEXT = """\
kind: text
domain: {kind: box, low: [0, 0], high: [1, 1]}
operator: {kind: divergence, k: "1 + x*x + y/2", b: ["y", 0], c: 1}
exact: "sin(2*x)*exp(y)"
points: 32
"""
GRID = TEXT.replace('"1 + x*x + y/2"', "{grid: kappa.csv}")
JUMP = """\
kind: text
domain: {kind: box, low: 0, high: 1}
operator: {A: "-1 - 9*heaviside(x - 0.5)"}
source: 1
boundary_value: 0
points: 32
"""


def equation(outcome) -> str:
    """What the run says that it solved."""
    with xarray.open_dataset(outcome.folder / "solution.nc", engine="h5netcdf") as stored:
        return str(stored.attrs["equation"])


@pytest.fixture
def kappa(workplace: Path) -> Path:
    axis = np.linspace(0.0, 1.0, 5).tolist()
    path = workplace / "kappa.csv"
    path.write_text("x,y,value\n" + "".join(f"{x},{y},{1 + x * x + y / 2}\n" for x in axis for y in axis))
    return path


@pytest.mark.parametrize(("text", "said"), [(TEXT, "(1 + x*x + y/2)"), (GRID, "kappa(x, y)")])
def test_it_is_solved_and_said(pageless, mine, kappa, text: str, said: str) -> None:
    mine(text)
    outcome = pageless(*AUTO)
    assert outcome.code == 0, outcome.err
    assert f"−∇·({said} ∇u) + y u_x + u = 𝓛(sin(2*x)*exp(y))" in equation(outcome)
    assert outcome.summary["error"]["relative_l2"] < 1e-8
    assert outcome.summary["warnings"] == []


def test_its_configuration_comes_back(pageless, mine) -> None:
    mine(TEXT)
    folder = pageless("optimizer.steps=2", *MINE).folder
    stored = yaml.safe_load((folder / ".hydra" / "config.yaml").read_text(encoding="utf-8"))["problem"]
    assert stored["operator"] == yaml.safe_load(TEXT)["operator"]
    mine(yaml.safe_dump(stored))
    again = pageless("optimizer.steps=2", *MINE)
    assert again.code == 0, again.err
    assert "∇·((1 + x*x + y/2) ∇u)" in equation(again)


@pytest.mark.parametrize(
    ("operator", "key", "words"),
    [
        ("{kind: divergence}", "operator.k", "missing"),
        ("{kind: divergence, kappa: 1}", "operator.kappa", "one of kind, factor, k, b, c"),
        ("{kind: divergance, k: 1}", "operator.kind", "divergence"),
        ("{kind: divergence, k: {grid: kappa.csv, interpolation: linear}}", "operator.k", "expected cubic"),
    ],
)
def test_its_keys_are_told(refused, mine, workplace, operator: str, key: str, words: str) -> None:
    kept = workplace / "kappa.csv"
    kept.write_text("x,y,value\n" + "".join(f"{x},{y},1\n" for x in range(5) for y in range(5)))
    mine("".join(f"operator: {operator}\n" if "operator" in line else line for line in TEXT.splitlines(True)))
    said = refused(*MINE)
    assert key in said
    assert words in said


@pytest.mark.parametrize("strict", ["false", "true"])
def test_a_jump_in_a_alone_gets_one_line(ran, mine, strict: str) -> None:
    mine(JUMP)
    outcome = ran(*MINE, f"strict={strict}")
    assert outcome.code == 0, outcome.err
    lines = [line for line in outcome.err.splitlines() if "A:∇²u with a varying A, not ∇·(A∇u)" in line]
    assert len(lines) == 1
    assert "jumps at x = [0.5]" in lines[0]
    assert sum("{kind: divergence, k: …}" in warning for warning in outcome.summary["warnings"]) == 1


def test_a_k_that_jumps_is_refused_before_any_work(refused, mine) -> None:
    mine(JUMP.replace('{A: "-1 - 9*heaviside(x - 0.5)"}', '{kind: divergence, k: "1 + 9*heaviside(x - 0.5)"}'))
    said = refused(*MINE)
    assert "k of ∇·(k∇u) jumps at x = [0.5]" in said
