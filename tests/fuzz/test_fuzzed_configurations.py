"""Three hundred configurations, composed and run in-process: each is done, or refused with its keys; none is a bug,
none runs code.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from modules import module_of

from pinn_ntk.app import KEYS, main
from pinn_ntk.problem import PROBLEMS
from pinn_ntk.reporting import Record
from pinn_ntk.training import METHODS

record = module_of(Record)

COMPOSED, WRITTEN = 200, 100
assert COMPOSED + WRITTEN == 300
SMALL = (
    "network.width=6", "problem.points=5", "problem.test_points=8", "optimizer.steps=2", "tracker.count=2",
    "theory=none", "device=cpu",
    "report=quiet",
)  # fmt: skip
VALUES = (
    "0", "1", "2", "3", "7", "-1", "0.5", "1e-3", "1.5", "nan", "inf", "-inf", "1e400", "1e308",
    "10000000000000000000000", "null",
    "true", "abc", "''",
    "[1,2]", "[]", "{a: 1}", "'${oc.env:HOME}'", "${oc.env:NO_SUCH_NAME}", "${network.width}", "${nowhere}", "???",
    "'é ü 数'",
    "'a\\nb'", "'<b>'",
    "\"__import__('os').system('touch owned')\"", "'9**9**9'", "{_target_: os.system}",
    "'!!python/object/apply:os.system [touch owned]'", "-0.0",
    "auto", "none", "hard", "soft", "inv_width", "inv_sqrt_width", "centred", "sin(x)", "'sin(x)'", "'x'", "'../../up'",
    "0x10",
    "1_000", "no", "on",
)  # fmt: skip
GROUPS = {
    "problem": (*PROBLEMS, "text", "posson"), "activation": ("tanh", "relu3", "sin", "erf", "relu", "gelu", "nonsense"),
    "optimizer": (*METHODS, "adma"), "network": ("two_layer", "mlp", "mean_field"), "tracker": ("kernel", "loss"),
    "theory": ("predict", "none"), "logger": ("none",), "reference": ("none",), "device": ("cpu", "auto"),
    "experiment": ("quick",
    "none_such"),
}  # fmt: skip
OUT = {"done": 0, "refused": 0, "stopped": 0}
KEYED = [
    k
    for k in KEYS
    if not k.startswith(("output", "name", "logger", "study", "network.width", "problem.points", "checkpoint"))
]
overrides = st.one_of(
    st.tuples(st.sampled_from(KEYED), st.sampled_from(VALUES)).map("=".join),
    st.tuples(
        st.sampled_from(["network.width", "problem.points", "optimizer.steps", "problem.boundary_points", "seed"]),
        st.sampled_from(VALUES[:9]),
    ).map("=".join),
    st.tuples(st.sampled_from(["+", "~", "++", "-"]), st.sampled_from(KEYED), st.sampled_from(["", "=3"])).map("".join),
    st.sampled_from(
        [
            "+plugins=[a.py]",
            "+a.b=c",
            "network.widht=3",
            "hydra.nonsense=x",
            "=",
            "a=b=c",
            "+_target_=os.system",
            "seed=1,2",
            "seed=",
            "x y",
        ]
    ),
    st.text(min_size=1, max_size=12),
)
chosen = st.fixed_dictionaries({}, optional={group: st.sampled_from(options) for group, options in GROUPS.items()})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of its own to run in, without pictures, which are tested where they are made."""
    here, before = tmp_path_factory.mktemp("fuzz"), Path.cwd()

    def page(_: object, __: object, folder: Path) -> Path:
        (folder / "report.html").write_text("a page", encoding="utf-8")
        return folder / "report.html"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "write_report", page)
        patch.setenv("COLUMNS", "80")
        os.chdir(here)
        yield here
        os.chdir(before)
    if sum(OUT.values()) >= COMPOSED:
        assert OUT["done"] > COMPOSED // 8 and OUT["refused"] > COMPOSED // 8, OUT


def fuzz(count: int) -> settings:
    """So many examples, the same ones every time."""
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=quiet)


def command(here: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One call of the command: it ends as it should, and leaves its own folder at most."""
    shutil.rmtree(here / "run", ignore_errors=True)
    before = set(here.iterdir())
    capsys.readouterr()
    try:
        code = main([*words, "output=run"])
    except SystemExit as error:  # argparse would be that
        pytest.fail(f"{words} left by SystemExit {error.code}")
    said = capsys.readouterr()
    assert code in (0, 2, 3, 4), (code, words, said.err)
    assert "Traceback" not in said.err and "a bug in pinn_ntk" not in said.err
    assert "\n\n\n" not in said.err and len(said.err) < 20_000
    made = set(here.iterdir()) - before
    assert not (here / "owned").exists() and made <= {here / "run"}, (words, made)
    OUT[{0: "done", 2: "refused"}.get(code, "stopped")] += 1
    if code == 2:
        assert not said.out and said.err.startswith("pinn-ntk: "), said.err
        if "problem with the input" in said.err or "problems with the input" in said.err:
            assert len(said.err.splitlines()) >= 2
    if (here / "run" / "summary.json").is_file():
        json.loads((here / "run" / "summary.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
        assert code in (0, 3)
    else:
        assert code != 0


@fuzz(COMPOSED)
@given(chosen, st.lists(overrides, max_size=2))
@example({}, [])
@example(
    {"problem": "transport_1d", "activation": "relu3", "network": "mlp"}, []
)  # overflows in two steps: ∞/∞ in two statements
@example({"problem": "regression", "optimizer": "lbfgs"}, ["seed=3"])
@example({}, ["hydra.searchpath=[pkg://this]"])  # imported `this`
@example({}, ["reference.kind=fem"])  # a KeyError
@example({"network": "mlp", "optimizer": "particle_flow"}, ["optimizer.method=adaptive"])
@example({}, ["optimizer.kind=adam", f"seed={'9' * 5000}"])
def test_rows_1_to_12_a_composed_configuration_is_done_or_refused(
    place, capsys, groups: dict[str, str], words: list[str]
) -> None:
    command(place, [*(f"{group}={option}" for group, option in groups.items()), *SMALL, *words], capsys)


numbers = st.sampled_from(
    [
        0,
        1,
        -1,
        0.5,
        2,
        "1 + x*x",
        "x*y",
        "exp(-x)",
        "sin(pi*y)",
        "1/x",
        "log(x - 2)",
        "z",
        "x.real",
        "9**9**9",
        None,
        [],
        "nan",
        True,
    ]
)
square = st.one_of(numbers, st.lists(st.lists(numbers, min_size=1, max_size=3), min_size=1, max_size=3))
operators = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={"A": square, "b": st.one_of(numbers, st.lists(numbers, max_size=3)), "c": numbers, "factor": numbers},
    ),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["laplacian", "heat", "wave", "helmholtz", "identity", "laplace", "__class__", None])}
    ),
    st.sampled_from([None, "laplacian", 3, []]),
)
ends = st.lists(st.sampled_from([0, -1, 1, 2, "pi", "nan", None, 1e308]), min_size=1, max_size=3)
domains = st.one_of(
    st.fixed_dictionaries({"kind": st.just("box"), "low": ends, "high": ends}),
    st.sampled_from(
        [
            {"kind": "l_shape"}, {"kind": "ball", "center": [0, 0], "radius": 1}, {"kind": "ball", "center": [0, 0],
            "radius": -1},
            {"kind": "cube"},
            {"kind": "annulus", "center": [0, 0], "inner": 0.5, "outer": 0.2}, {"kind": "ellipse", "center": [0, 0],
            "axes": [1, 2]},
            {"kind": "difference", "of": [{"kind": "box", "low": [0, 0], "high": [1, 1]}, {"kind": "ball",
            "center": [0.5, 0.5],
            "radius": 0.2}]},
            {"kind": "difference", "of": [{"kind": "l_shape"}, {"kind": "box", "low": [-2, -2], "high": [2, 2]}]},
            {"kind": "union",
            "of": []}, 3, None,
        ]
    ),
)  # fmt: skip
conditions = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["dirichlet", "neumann", "robin", "periodic", "initial", "data", "drichlet", 3])},
        optional={
            "on": st.sampled_from(["all", "x=0", "y=1", "circle", "nowhere", ["x=0", "x=1"], 3]), "value": numbers,
            "alpha": numbers,
            "axis": st.sampled_from(["x", "y", "t", 0, 9]), "csv": st.sampled_from(["/etc/passwd", "none.csv", "."]),
            "weight": numbers, "typo": st.just(1),
        },
    ),
    max_size=3,
)  # fmt: skip
problems = st.fixed_dictionaries(
    {"operator": operators},
    optional={
        "domain": domains, "source": numbers, "exact": numbers, "boundary_value": numbers, "conditions": conditions,
        "time": st.booleans(),
        "time_span": ends, "boundary": st.sampled_from(["hard", "soft", "firm"]), "name": st.sampled_from(["a/b", "<i>",
        "", "x" * 300,
        "数"]),
        "initial_value": numbers, "weights": st.just({"boundary": -1}), "_target_": st.just("os.system"),
        "plugins": st.just(["a.py"]),
        "dim": numbers,
        "points": st.sampled_from([5, 0, "many", 1e9]), "sampling": st.sampled_from(["sobol", "grid", "dice"]),
    },
)  # fmt: skip
GOOD = {"operator": {"kind": "laplacian"}, "domain": {"kind": "box", "low": [0, 0], "high": [1, 1]}, "exact": "x*y"}
TAGGED = "kind: text\noperator: !!python/object/apply:os.system ['touch owned']\n"


@fuzz(WRITTEN)
@given(problems, st.booleans())
@example(GOOD, True)
@example({**GOOD, "name": "a\0b"}, True)  # no file holds such a name: the result was lost with it
def test_rows_6_to_16_a_written_problem_is_done_or_refused(
    place, capsys, spec: dict[str, object], gentle: bool
) -> None:
    folder = place / "conf" / "problem"
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(
        {"kind": "text", "points": 5, "test_points": 8, **(GOOD if gentle else {}), **spec}, allow_unicode=True
    )
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    command(
        place, ["--config-dir", "conf", "problem=mine", *(w for w in SMALL if not w.startswith("problem."))], capsys
    )


@pytest.mark.parametrize(
    "text",
    [
        TAGGED,
        TAGGED.replace("operator", "'${oc.env:X}'"),
        "kind: text\n_target_: os.system\n",
        "- 1\n",
        "kind: [text\n",
        "a: &a [*a]\n",
    ],
)
def test_row_7_a_file_that_names_code_runs_none(place, capsys, text: str) -> None:
    folder = place / "conf" / "problem"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    command(place, ["--config-dir", "conf", "problem=mine"], capsys)
