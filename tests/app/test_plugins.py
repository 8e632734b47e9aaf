"""A person's own Python and their own YAML, in-process."""

import math
from pathlib import Path

import pytest
import yaml

PLUGIN = """
import torch
from pinn_ntk import Activation, Block, Problem, SecondOrderOperator, TwoLayer, box


def shifted(dim: int, shift: float = 1.0) -> SecondOrderOperator:
    return SecondOrderOperator(dim, A=1.0, c=lambda x: shift + x[:, 0] ** 2, name="Δu + (shift + x²)u")


def bump(*, points: int = 7, height: float = 1.0, seed: int = 0) -> Problem:
    domain = box([0.0], [1.0])
    x = domain.interior(points, seed)
    exact = lambda p: height * torch.sin(3 * p[:, 0])
    operator = shifted(1)
    blocks = [Block(operator, x, operator.apply(exact, x))]
    return Problem(blocks, name="bump", exact=exact, domain=domain, test_points=domain.interior(16, 9))


def cosine(z, k):
    c, s = torch.cos(z), torch.sin(z)
    return (c, -s, -c, s)[: k + 1]


def narrow(dim: int, activation: Activation, seed: int, neurons: int = 5) -> TwoLayer:
    return TwoLayer(dim, neurons, activation, seed=seed)


PROBLEMS = {"bump": bump}
OPERATORS = {"shifted": shifted}
ACTIVATIONS = {"cosine": Activation("cosine", cosine, None, float("inf"), "cos z")}
TRACKERS = {"mine": lambda state: {"largest_residual": float(state.residual.abs().max())}}
NETWORKS = {"narrow": narrow}
"""


@pytest.fixture
def plugin(workplace: Path):
    def write(text: str = PLUGIN, name: str = "mine.py") -> str:
        (workplace / name).write_text(text, encoding="utf-8")
        return f"plugins=[{name}]"

    return write


def test_every_table_of_a_plugin_is_used(ran, plugin) -> None:
    words = (
        plugin(),
        "problem=bump",
        "problem.points=6",
        "problem.height=2.0",
        "activation=cosine",
        "network=narrow",
        "network.neurons=9",
    )
    outcome = ran(*words, "~problem.test_points", "~network.width")
    assert outcome.code == 0, outcome.err
    summary = outcome.summary
    assert (summary["problem"], summary["points"], summary["activation"], summary["width"]) == ("bump", 6, "cosine", 9)
    assert summary["error"]["relative_l2"] > 0
    columns = (outcome.folder / "history.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert "largest_residual" in columns
    assert (outcome.folder / ".hydra" / "mine.py").read_text(encoding="utf-8") == PLUGIN


def test_a_plugins_operator_in_a_problem_of_text(ran, plugin, mine) -> None:
    mine('kind: text\ndim: 1\noperator: {kind: shifted, shift: 2}\nexact: "sin(3*x)"\n')
    outcome = ran(plugin(), "--config-dir", "my_conf", "problem=mine", "problem.name=wavy")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["problem"] == "wavy"
    assert outcome.folder.parent.name == "wavy"


def test_a_path_with_spaces_and_a_sweep(ran, plugin, workplace: Path) -> None:
    plugin(name="my prøblem.py")
    outcome = ran("plugins=[my prøblem.py]", "-m", "activation=cosine,tanh", "report=quiet")
    assert outcome.code == 0, outcome.err
    assert len(list(workplace.glob("sweeps/*/*/summary.json"))) == 2


def test_row_1_the_keys_of_a_plugins_problem_are_known(refused, plugin) -> None:
    message = refused(
        plugin(), "problem=bump", "problem.hieght=2", "problem.points=x", "network=narrow", "network.width=3"
    )
    assert "problem.hieght: no such key; did you mean problem.height?" in message
    assert "problem.points: got 'x', expected a whole number" in message
    assert "network.width: no such key" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "exports none of PROBLEMS, OPERATORS"),
        ("PROBLEMS = [1]\n", "PROBLEMS: got a list, expected a dict"),
        ("PROBLEMS = {'a': 1}\n", "'a': got a int, expected functions"),
        ("PROBLEMS = {'wave_1d': print}\n", "'wave_1d' is taken"),
        ("ACTIVATIONS = {'a': abs}\n", "expected Activation records"),
        ("import no_such_package\n", "pip install no_such_package"),
        ("a = 1\nb = a / 0\n", "mine.py, line 2: raised ZeroDivisionError"),
        ("def f(:\n", "line 1: raised SyntaxError"),
    ],
)
def test_rows_42_and_44_files_that_are_no_plugins(refused, plugin, text: str, said: str) -> None:
    assert said in refused(plugin(text))


def test_a_file_that_is_not_there(refused) -> None:
    assert "no such file" in refused("plugins=[nowhere.py]")


OPERATOR = """
import torch
from pinn_ntk import SecondOrderOperator

def mine(dim: int):
    return SecondOrderOperator(dim, {0}, name="mine")

OPERATORS = {{"mine": mine}}
"""


@pytest.mark.parametrize(
    ("coefficient", "said"),
    [
        ("c=lambda x: x.nonsense()", "nonsense"),
        ("c=lambda x: x", "shape"),
        ("c=lambda x: x[:, 0].int()", "mine"),
        ("A=lambda x: torch.ones(len(x), 2, 2, dtype=x.dtype).triu()", "symmetric"),
        ("c=lambda x: x[:, 0] * float('nan')", "mine"),
    ],
)
def test_rows_12_and_44_an_operator_that_fails_is_named(refused, plugin, mine, coefficient: str, said: str) -> None:
    mine('kind: text\ndim: 2\noperator: {kind: mine}\nexact: "x*y"\n')
    message = refused(plugin(OPERATOR.format(coefficient)), "--config-dir", "my_conf", "problem=mine")
    assert said in message
    assert "mine" in message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 3", "expected a pinn_ntk.Problem"),
        ("raise KeyError('lost')", "problem 'odd': raised KeyError"),
        ("raise ValueError('size: got 3')", "size: got 3"),
    ],
)
def test_row_44_a_problem_that_fails_is_named(refused, plugin, body: str, said: str) -> None:
    assert said in refused(
        plugin(f"def odd(*, seed: int = 0):\n    {body}\n\nPROBLEMS = {{'odd': odd}}\n"), "problem=odd"
    )


def test_row_44_a_solution_that_leaves_the_graph_is_named(refused, plugin) -> None:
    text = PLUGIN.replace(
        "exact = lambda p: height * torch.sin(3 * p[:, 0])",
        "exact = lambda p: height * torch.sin(3 * p[:, 0].detach())",
    )
    assert "leaves torch's graph" in refused(plugin(text), "problem=bump")


def test_row_43_a_tracker_of_a_plugin_that_fails_does_not_stop_the_run(ran, plugin) -> None:
    outcome = ran(plugin("TRACKERS = {'broken': lambda state: 1 / 0}\n"))
    assert outcome.code == 0
    assert outcome.err.count("tracker broken: ZeroDivisionError") == 1


def test_a_problem_of_text_by_every_key(ran, mine) -> None:
    spec = {
        "kind": "text", "name": "mine", "domain": {"kind": "box", "low": [0, 0], "high": [1, 2]}, "time": True,
        "operator": [{"kind": "heat", "diffusivity": 0.5}, {"c": "1 + x", "factor": 2}],
        "exact": "exp(-t)*sin(pi*x)", "boundary": "soft",
        "points": 7, "boundary_points": 3, "weight": {"boundary": 5.0}, "seed": 4, "test_points": 9,
        "sampling": "halton",
    }  # fmt: skip
    mine(yaml.safe_dump(spec))
    outcome = ran("--config-dir", "my_conf", "problem=mine", "problem.points=8", "problem.weight.initial=2.5")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["points"] == 8 + 3 + 3
    assert math.isfinite(outcome.summary["loss"]["final"])
