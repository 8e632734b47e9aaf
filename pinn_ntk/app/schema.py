"""The keys that a person may set, read from the signatures of what they set;
a composed configuration is checked against them, all of it at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.app.faults import Fault, shown
from pinn_ntk.arguments import nearest
from pinn_ntk.experiment.referenced import Reference
from pinn_ntk.experiment.settings import AUTO, Settings, Solver
from pinn_ntk.networks.library import NETWORKS
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.assembly import Collocation
from pinn_ntk.problem.library import PROBLEMS
from pinn_ntk.rules import Rule, defaults_of, flag, one_of, positive, rules_of, whole
from pinn_ntk.studies.table import STUDIES
from pinn_ntk.training.methods import METHODS, SUPPLIED

Config = Mapping[str, Any]
TEXT = "text"
"""The kind of a problem that is written out in its file."""
SUFFICIENT = "sufficient"
"""A width: the one that the theorem asks for."""
_LARGEST_SEED = 2**62  # torch and numpy take a little more, and blocks take the seeds that follow
DRAWN = ("dim", "activation", "seed")
"""What a network is given beside its own keys."""
_UNSAID: dict[str, Any] = {"seed": None, "weight": {}}  # of a problem: the run's own seed, and no weights
_COMMON = rules_of(Collocation)

SETTINGS = {
    "optimizer.kind": "optimizer",
    "optimizer.steps": "steps",
    "optimizer.tolerance": "tolerance",
    "optimizer.divergence": "divergence",
    "optimizer.stagnation": "stagnation",
    "optimizer.window": "window",
    "tracker.count": "tracked",
    "tracker.every": "every",
    "tracker.spectra": "spectra",
    "tracker.kernel": "kernel",
    "theory.enabled": "theory",
    "theory.delta": "delta",
    "theory.forecast_draws": "forecast_draws",
    "device.name": "device",
    "device.compile": "compile",
    "dtype": "dtype",
    "strict": "strict",
}
"""key → field of `Settings`."""


def _settings() -> dict[str, Rule]:
    rules = rules_of(Settings)
    keys = {key: replace(rules[name], required=True, infinite=False) for key, name in SETTINGS.items()}
    return keys | {"optimizer.kind": replace(keys["optimizer.kind"], names=(AUTO, *METHODS))}


KEYS: dict[str, Rule] = {
    "seed": whole("of the initialisation and of the points", high=_LARGEST_SEED),
    "name": Rule("of a sweep: its folder is sweeps/<name>, and jobs that are finished there are kept", optional=True),
    "checkpoint": replace(positive("seconds between checkpoints; null for one at the end only"), optional=True),
    "output": Rule("the run's folder; null makes outputs/<problem>/<time>", optional=True),
    "network.kind": one_of("which network", NETWORKS),
    "activation.name": one_of("σ", ACTIVATIONS),
    **_settings(),
    "reference.kind": one_of("another method to compare with", ("none", "fem")),
    "device.patience": positive("seconds that one process of a run waits for another (torchrun)"),
    "logger.tensorboard": flag("events for TensorBoard in the run's folder"),
    "logger.mlflow": flag("an entry of an MLflow store"),
    "logger.uri": Rule("of that store; null is sqlite:///mlflow.db where the command was started", optional=True),
    "report.table": flag("the closing table on the terminal"),
    "report.bar": flag("a progress bar where stderr is a terminal"),
    "problem.kind": one_of("which problem", (*PROBLEMS, TEXT)),
    "ensemble.seeds": whole(
        "seeds trained as one batch, from `seed` on, with coverage of every statement", 1, high=1_000_000
    ),
    "study.kind": replace(one_of("a study of many runs in place of one run", STUDIES), optional=True),
    "study.workers": replace(whole("processes of a study; null takes one for each core", 1, high=1024), optional=True),
}
"""The keys of every run; those of a problem, a network, an optimiser, a study are in `keys_of` what makes it."""


def keys_of(builder: Callable[..., object], prefix: str, supplied: tuple[str, ...] = ()) -> dict[str, Rule]:
    """The keys of a builder, read from its signature.

    Args:
        builder: a function that makes a problem or a network, an optimiser, or a study.
        prefix: 'problem.', 'network.', 'optimizer.' or 'study.'.
        supplied: arguments that the command supplies itself.
    """
    rules = {
        _key(name, prefix): replace(_usual(name, rule), infinite=False)
        for name, rule in rules_of(builder).items()
        if name not in supplied
    }
    if prefix == "problem.":
        unsaid = {name: replace(rules[name], required=False, optional=True) for name in _UNSAID if name in rules}
        rules |= unsaid
    if builder is TwoLayer:
        del rules["extra"]  # functions, which no file can hold
        rules["width"] = replace(rules["width"], doc="N, neurons; or what the theorem asks for", names=(SUFFICIENT,))
    return {f"{prefix}{name}": rule for name, rule in rules.items()}


def _key(name: str, prefix: str) -> str:
    """The key of an argument: λ of one block of a problem is problem.weight.<block>."""
    return "weight" if (name, prefix) == ("weights", "problem.") else name


def _usual(name: str, rule: Rule) -> Rule:
    """The rule; where a person's function gives none, that of a ready problem's argument of the same name and type."""
    common = _COMMON.get(name)
    if rule.doc or common is None or (rule.kind != common.kind and name not in ("weights", "seed")):
        return rule
    return replace(common, required=rule.required, optional=rule.optional)


def defaults(config: Config) -> dict[str, dict[str, Any]]:
    """What the chosen options take where a configuration says nothing: the defaults of their signatures, by group.

    Args:
        config: composed, plain; kinds that are not known here, a person's own among them, have none.
    """
    problem, optimizer, network = (kind_of(config, group) for group in ("problem", "optimizer", "network"))
    fields, usual = defaults_of(Settings), dict[str, dict[str, Any]]()
    for key, name in SETTINGS.items():
        group, _, leaf = key.rpartition(".")
        usual.setdefault(group, {}).update({leaf: fields[name]} if leaf != "kind" else {})  # a kind is chosen
    if optimizer == AUTO:
        usual["optimizer"] = {k: v for k, v in defaults_of(Solver).items() if k != "seed"}
    elif optimizer in METHODS:
        method = METHODS[optimizer]
        own = {k: v for k, v in defaults_of(method.states).items() if k == "steps" or k not in SUPPLIED}
        usual["optimizer"] |= {k: v for k, v in own.items() if k not in method.aside}
    else:
        usual["optimizer"]["steps"] = 0  # of a kind that is none: that alone is to be told
    if problem in PROBLEMS:
        usual["problem"] = {_key(k, "problem."): v for k, v in defaults_of(PROBLEMS[problem]).items()}
        usual["problem"] |= {k: v for k, v in _UNSAID.items() if k in usual["problem"]}
    if network in NETWORKS:
        usual["network"] = {k: v for k, v in defaults_of(NETWORKS[network]).items() if k not in (*DRAWN, "extra")}
    if kind_of(config, "reference") == "fem":
        usual["reference"] = defaults_of(Reference)
    if (study := kind_of(config, "study")) in STUDIES:
        usual["study"] = defaults_of(STUDIES[study])
    return {group: {name: _plain(value) for name, value in values.items()} for group, values in usual.items()}


def _plain(value: Any) -> Any:
    """The value as YAML has it: a tuple is a list."""
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def kind_of(config: Config, group: str) -> str:
    """Which kind of a group is chosen, '' where the group is no mapping."""
    node = config.get(group)
    return str(node.get("kind")) if isinstance(node, Mapping) else ""


def flatten(config: Config, known: Mapping[str, object], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': 1}} → {'a.b': 1}; a key of the table ends the descent, so that its value may be a mapping."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if (
            isinstance(value, Mapping)
            and key not in known
            and (value or not any(k.startswith(f"{key}.") for k in known))
        ):
            flat.update(flatten(value, known, f"{key}.") or {key: value})
        else:
            flat[key] = value
    return flat


def check(config: Config, table: Mapping[str, Rule], free: tuple[str, ...] = ()) -> list[Fault]:
    """Everything wrong with a plain configuration: unknown keys (the nearest suggested), wrong types,
    values out of range.

    Args:
        config: nested mappings, resolved.
        table: full key → what it accepts.
        free: prefixes under which other keys are somebody else's to check.
    """
    flat, faults = flatten(config, table), []
    for name, value in flat.items():
        if name in table:
            message = table[name].fault(value, shown)
            faults += [Fault(name, message)] if message else []
        elif not name.startswith(free):
            faults.append(Fault(name, f"no such key{nearest(name, table) or near_leaf(name, table)}"))
    missing = [name for name, key in table.items() if key.required and name not in flat]
    return faults + [Fault(name, f"missing, expected {table[name].expected()} ({table[name].doc})") for name in missing]


def near_leaf(name: str, table: Mapping[str, Rule]) -> str:
    """A suggestion for a key under the wrong parent (`steps` for `optimizer.steps`), else the keys beside it."""
    leaf = name.rsplit(".", 1)[-1]
    same = [key for key in table if key.rsplit(".", 1)[-1] == leaf]
    if same:
        return f"; did you mean {same[0]}?"
    parent = name.rsplit(".", 1)[0] + "." if "." in name else ""
    beside = [key for key in table if key.startswith(parent) and "." not in key[len(parent) :]] if parent else []
    return f"; the keys there are {', '.join(beside)}" if beside else "; see pinn-ntk --help"
