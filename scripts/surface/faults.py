"""What the command says to bad values of every key, to missing and unknown keys, and to words that it cannot read."""

from collections.abc import Iterator
from typing import Any

from asking import Answers, about, answers_of, merged, with_values
from configuration import KINDS, Config, objections, refusal, rules, values
from keys import Options, small
from values import ACCEPTED, BAD, of_options, written

SWITCHES = ("kind", "name")
"""Last parts of keys that decide which other keys there are: each is changed alone."""
USUAL = {
    "activation": "tanh",
    "device": "cpu",
    "logger": "none",
    "report": "terminal",
    "theory": "predict",
    "tracker": "kernel",
}
"""The options that stand for those of a group whose options all have the same keys."""
WORDS: tuple[tuple[str, ...], ...] = (
    ("--zzz",), ("zzz",), ("=1",), ("seed",), ("seed=",), ("seed=1,2",), ("seed=range(3)",), ("seed=1)",),
    ("seed=[1",), ("zzz=1",), ("~seed",), ("~zzz",), ("+seed=1",), ("network={width: 3}",), ("network=3",),
    ("network=",), ("optimizer.kind=admm",), ("problem.target=sin(x)",), ("plugins=",), ("plugins=[]",),
    ("-m", "resume=here"), ("--config-dir", "nowhere"), ("--config-dir",), ("--cfg", "zzz"),
    ("hydra.searchpath=[pkg://os]",), ("hydra.mode=zzz",), ("seed=${zzz}",), ("seed=${seed}",), ("seed=???",),
    ("zzz.a=1",), ("steps=3",), ("widht=3",), ("network.widht=3",), ("network.width.x=3",), ("output.x=3",),
    ("optimizer=zzz",), ("+network._target_=os.system",), ("problem@x=text",), ("+zzz/a=1",),
    ("optimizer=[adam,sgd]",),
)  # fmt: skip
"""Command lines with one mistake each."""


def inputs(options: Options) -> Iterator[str]:
    """Lines `input KEY (options) = values: message`."""
    for group, nodes in options.nodes.items():
        names = (
            [name for name in nodes if name != "text"] if group in KINDS else [USUAL[group]]
        )  # for texts see `texts`
        asked = ((option, of_group(options.small(group, option), f"{group}.")) for option in names)
        for key, bad, message, chosen in merged(asked):
            yield f"input {key}{f' ({of_options(chosen, group, names)})' if group in KINDS else ''} = {bad}: {message}"
    common = [key for key in values(options.base) if key.split(".")[0] not in options.nodes]
    for key, bad, message, _ in merged([("", answers(small(options.base), common))]):
        yield f"input {key} = {bad}: {message}"
    nodes = [config["study"] for config in options.experiments.values() if config["study"]["kind"] is not None]
    kinds = [node["kind"] for node in nodes]
    of_studies = ((node["kind"], of_group({**small(options.base), "study": node}, "study.")) for node in nodes)
    for key, bad, message, chosen in merged(of_studies):
        yield f"input {key} ({of_options(chosen, 'study', kinds)}) = {bad}: {message}"


def of_group(config: Config, prefix: str) -> Answers:
    """What is said to every bad value of every key with that prefix, and of one that does not exist."""
    said = answers(config, dict.fromkeys(key for key in (*values(config), *rules(config)) if key.startswith(prefix)))
    unknown = f"{prefix}zzz"
    return {**said, unknown: [("1", about(unknown, objections(with_values(config, [unknown], 1))))]}


def answers(config: Config, keys: Any) -> Answers:
    """What the command says to every bad value of those keys."""
    # cells and seeds of a study are listed when it is made, 2^70 of them without end
    bad = [value for value in BAD if config["study"]["kind"] is None or value != 2**70]
    return answers_of(config, keys, objections, lambda key: key.rpartition(".")[2] in SWITCHES, bad)


def words(options: Options) -> Iterator[str]:
    """Lines `words`: command lines with a mistake, and unknown options of each group."""
    unknown = [
        (f"{group}={word}",) for group, names in options.command.options().items() for word in ("zzz", f"{names[0]}x")
    ]
    for line in dict.fromkeys((*WORDS, *unknown)):
        yield f"words pinn-ntk {' '.join(line)}: {written(refusal(options.command, line)) or ACCEPTED}"
