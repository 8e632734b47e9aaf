"""Bad input by the command: refused before anything is made, everything at once, key, value,
expectation and remedy in the message.
"""

import pytest

TEXT = (
    'kind: text\ndomain: {kind: box, low: [0, 0], high: [1, 1]}\noperator: {kind: laplacian}\nexact: "x*y"\npoints: 9\n'
)
MINE = ("--config-dir", "my_conf", "problem=mine")


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("network.widht=3", "network.width"), ("problem.pionts=3", "problem.points"), ("sede=1", "seed"), ("steps=3",
    "optimizer.steps"),
     ("optimiser=gradient_flow", "optimizer"), ("+network.widht=3", "network.width")],
)  # fmt: skip
def test_row_1_unknown_key(refused, word: str, nearest: str) -> None:
    assert f"{word.lstrip('+').split('=')[0]}: no such key; did you mean {nearest}" in refused(word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("network.width=abc", "got 'abc', expected a whole number"), ("network.width=1.5",
    "got 1.5, expected a whole number"),
     ("network.width=null", "got null, expected a whole number"), ("network.width=true",
     "got true, expected a whole number"),
     ("network.width=[1]", "got [1], expected a whole number"), ("strict=1", "got 1, expected true or false"),
     ("optimizer.step_size=fast", "expected a positive number"), ("problem.boundary=3", "expected one of hard, soft"),
     ("problem.weight=3", "block names to positive numbers"), ("problem.seed=x", "a whole number"),
     ("network.width.x=3",
     "expected a whole number"),
     ("network={width: 3}", "set as network.key=value"), ("output.x=3", "expected text"), ("activation.name=3",
     "expected one of relu")],
)  # fmt: skip
def test_row_2_wrong_type(refused, word: str, expected: str) -> None:
    message = refused(word)
    assert word.split("=")[0].removesuffix(".x") in message
    assert expected in message


@pytest.mark.parametrize(
    "word",
    ["network.width=0", "network.width=-3", "optimizer.steps=-1", "optimizer.step_size=0", "problem.points=0",
    "theory.delta=1",
     "tracker.every=0", "network.gamma=-1", "problem.weight.boundary=0", "optimizer.divergence=0.5", "seed=-1",
     "theory.delta=0"],
)  # fmt: skip
def test_row_3_out_of_range(refused, word: str) -> None:
    key, _, value = word.partition("=")
    message = refused(word)
    assert key.rsplit(".", 1)[0] in message
    assert f"got {value}" in message


def test_row_3_dimension_0(refused) -> None:
    assert "problem.dim: got 0" in refused("problem=regression", "problem.dim=0")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400"])
@pytest.mark.parametrize(
    "key",
    ["network.width", "network.gamma", "optimizer.tolerance", "problem.points", "problem.weight.interior", "seed"],
)
def test_row_4_not_finite(refused, key: str, value: str) -> None:
    assert key.removesuffix(".interior") in refused(f"{key}={value}")


def test_row_4_not_finite_in_a_list(refused) -> None:
    told = refused("problem=advection_diffusion_2d", "problem.velocity=[1,inf]")
    assert "problem.velocity: got [1, inf], expected a list, each entry a finite number; entry 2 is inf" in told


@pytest.mark.parametrize(
    "word", ["network.gamma=1/sqrt(N)", "problem.target=sin(x)", "problem.target=sin(pi*x)+1", "problem.target=(x"]
)
def test_row_5_unquoted_parentheses(refused, word: str) -> None:
    key, _, value = word.partition("=")
    assert f"'{key}=\"{value}\"'" in refused(word)


def test_row_5_the_quoted_form_is_accepted(refused) -> None:
    """Quoted as shown, the text reaches the parser of expressions, which alone finds it wrong."""
    assert "unknown name w" in refused("problem=regression", 'problem.target="sin(w)"')


@pytest.mark.parametrize(
    ("word", "listed"),
    [
        ("problem=posson_2d", "poisson_2d"),
        ("activation=tnah", "did you mean tanh?"),
        ("optimizer=adamw", "gradient_descent"),
        ("experiment=x", "quick"),
    ],
)
def test_row_5b_unknown_option(refused, word: str, listed: str) -> None:
    message = refused(word)
    assert listed in message
    assert "expected one of" in message


def test_everything_wrong_is_told_at_once(refused) -> None:
    words = (
        "problem=posson",
        "network.gamma=1/sqrt(N)",
        "network.widht=3",
        "optimizer.steps=-1",
        "theory.delta=2",
        "device=cuda:99",
    )
    message = refused(*words, "dtype=half")
    assert message.startswith("pinn-ntk: 7 problems with the input:")
    assert all(part in message for part in ("posson", "1/sqrt(N)", "widht", "got -1", "got 2", "cuda:99", "half"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: text\npoints: 3\npoints: 4\n", ("mine.yaml, line 3", "duplicate key points")),
        ("kind: text\n\tpoints: 3\n", ("mine.yaml, line 2", "tab")),
        ("", ("mine.yaml", "empty")),
        ("# nothing\n", ("mine.yaml", "empty")),
        ("kind: text\npoints: ${nowhere}\n", ("problem.points", "nowhere")),
        ("kind: text\npoints: ${problem.points}\n", ("problem.points",)),
        ("kind: text\npoints: ???\n", ("problem.points",)),
        ("kind: text\npoints: [1, 2\n", ("mine.yaml, line",)),
        (b"kind: text\nname: \xff\xfe\n", ("mine.yaml", "UTF-8")),
        (b"kind: text\nname: \x00\n", ("mine.yaml",)),
        ("- kind\n- text\n", ("mine.yaml", "got a list")),
        ("kind: text\nname: ${oc.env:NO_SUCH_VARIABLE_HERE}\n", ("problem.name", "NO_SUCH_VARIABLE_HERE")),
    ],
)
def test_row_6_yaml_surprises(refused, mine, text: str | bytes, said: tuple[str, ...]) -> None:
    mine(text)
    message = refused(*MINE)
    assert all(part in message for part in said), message


def test_row_6_a_default_that_does_not_exist(refused, mine) -> None:
    mine("# @package _global_\ndefaults:\n  - override /problem: posson\n", "experiment/mine.yaml")
    message = refused("--config-dir", "my_conf", "experiment=mine")
    assert "posson" in message
    assert "poisson_2d" in message


def test_row_6_no_such_folder(refused) -> None:
    assert "got 'nowhere', expected a folder" in refused("--config-dir", "nowhere")


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').getcwd()",
        "x.__class__",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "'a'",
        "9**9**9",
        "exp(" * 60 + "x" + ")" * 60,
        "x" * 3000,
    ],
)
def test_rows_8_and_9_malicious_and_explosive_expressions(refused, mine, formula: str) -> None:
    quoted = formula.replace("'", "''")
    mine(TEXT.replace('exact: "x*y"', f"exact: '{quoted}'"))
    assert "problem.exact" in refused(*MINE)


def test_row_9_deeply_nested_words(refused) -> None:
    assert "problem.target" in refused("problem=regression", f"problem.target={'[' * 3000}")


def test_row_10_unknown_name(refused, mine) -> None:
    mine(TEXT.replace("x*y", "x*z"))
    message = refused(*MINE)
    assert "problem.exact: unknown name z" in message
    assert "names: x, y" in message


@pytest.mark.parametrize("formula", ["log(x)", "1/x"])
def test_row_11_not_finite_on_the_domain(refused, mine, formula: str) -> None:
    mine(TEXT.replace("low: [0, 0]", "low: [-1, 0]").replace("x*y", formula))
    message = refused(*MINE)
    assert "problem.exact" in message
    assert " at " in message


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        ("{A: [[1, 2], [0, 1]]}", "symmetric"),
        ("{A: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}", "problem.operator"),
        ("{b: [1]}", "problem.operator"),
        ("{kind: heat}", "time"),
        ("{kind: laplace}", "did you mean laplacian?"),
    ],
)
def test_row_12_coefficients_that_do_not_fit(refused, mine, operator: str, said: str) -> None:
    mine(TEXT.replace("{kind: laplacian}", operator))
    assert said in refused(*MINE)


WRONG = TEXT + "source: 7\n"


def test_row_13_an_inconsistent_solution_is_refused_under_strict(refused, mine) -> None:
    mine(WRONG)
    message = refused(*MINE, "strict=true", "activation=tanh")
    assert "largest residual" in message
    assert "x = [" in message


def test_row_14_activation_not_smooth_enough(refused) -> None:
    message = refused("activation=relu")
    assert "activation: got 'relu'" in message
    assert "tanh" in message.split("expected one of")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("problem=regression", "problem.points=[[2.0]]"), "expected points in"),
        (("problem=regression", "problem.points=[]"), "points of [0, 1]: got shape (0,)"),
        (("problem=regression", "problem.low=1", "problem.high=0"), "problem"),
    ],
)
def test_row_15_points_that_are_none_or_outside(refused, words: tuple[str, ...], said: str) -> None:
    assert said in refused(*words)


def test_row_15_an_empty_domain(refused, mine) -> None:
    mine(TEXT.replace("low: [0, 0]", "low: [1, 0]"))
    assert "problem.domain" in refused(*MINE)


def test_row_15b_the_same_point_twice_is_refused_under_strict(refused) -> None:
    assert "rows repeat one another" in refused("problem=regression", "problem.points=[[0.5],[0.5]]", "strict=true")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("network=mlp", "optimizer=least_squares"), "network: got a tanh network with 3 hidden layers; least_squares"),
        (
            ("network=mlp", "optimizer=variable_projection"),
            "network: got a tanh network with 3 hidden layers; variable_projection",
        ),
        (("network=mlp", "optimizer=particle_flow"), "network: got a tanh network with 3 hidden layers; particle_flow"),
        (("optimizer=particle_flow",), "network.scaling: got 'sum', expected 'mean_field'"),
        (
            ("optimizer=particle_flow", "network=mean_field", "optimizer.method=adaptive", "optimizer.temperature=1"),
            "optimizer.temperature: got 1",
        ),
        (("optimizer=adam", "ensemble.seeds=3"), "ensemble.seeds: got 3; optimizer: got 'adam' with an ensemble"),
        (("network=mlp", "ensemble.seeds=3"), "ensemble.seeds: got 3; network: got a tanh network"),
        (
            ("network=mlp", "experiment=certificate"),
            "network: got mlp; the study 'certificate' is about two-layer networks",
        ),
    ],
)
def test_row_14_what_the_optimiser_or_the_study_cannot_train(refused, words: tuple[str, ...], said: str) -> None:
    assert f"problem with the input:\n  {said}" in refused(*words, "problem=poisson_1d", "network.width=6")


def test_row_25_a_device_that_is_not_here(refused) -> None:
    message = refused("device=cuda:99")
    assert "device.name: got 'cuda:99'" in message
    assert "cpu" in message


@pytest.mark.parametrize("word", ["problem.points=10000000", "network.width=1000000000000"])
def test_row_27_more_memory_than_there_is(refused, word: str) -> None:
    message = refused(word)
    assert word.split("=")[0] in message
    assert "GiB are available" in message


def test_row_42_a_package_that_is_missing(refused) -> None:
    assert "pip install hydra-submitit-launcher" in refused("-m", "hydra/launcher=submitit_slurm", "seed=0,1")


@pytest.mark.parametrize(
    "words",
    [
        ("--bad",),
        ("network.width",),
        ("seed=1,2",),
        ("--cfg", "nothing"),
        ("plugins=[]",),
        ("hydra.nonsense=3",),
        ("~nonsense",),
    ],
)
def test_words_that_are_none_of_ours(refused, words: tuple[str, ...]) -> None:
    assert "problem with the input" in refused(*words)
