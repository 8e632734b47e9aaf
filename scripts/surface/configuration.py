"""The one place that knows how the command composes a configuration, which keys it has, and what is said against one.

Whoever replaces the schema's internals changes `rules` and `objections` here and nothing else of the script.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra._internal.hydra import Hydra
from omegaconf import OmegaConf

from pinn_ntk.app import (
    BadInputError,
    build,
    build_study,
    check,
    compose,
    flatten,
    group_options,
    load,
    loader,
    read,
    resolved,
    rewrite,
    session,
    table,
)
from pinn_ntk.studies import Study

Config = dict[str, Any]
Objection = tuple[str, str]
"""A key, and what is said about it."""
KINDS = ("problem", "network", "optimizer", "reference", "study")
"""Groups whose `kind` decides which other keys there are."""
_TABLES: dict[tuple[str, ...], Mapping[str, Any]] = {}
_PLUGINS = load(())


@dataclass(frozen=True)
class Rule:
    """What one key accepts.

    Attributes:
        expected: type, range, names and null, in words.
        doc: one line.
        required: whether it has to be there.
    """

    expected: str
    doc: str
    required: bool


@dataclass(frozen=True)
class Command:
    """The command `pinn-ntk` without its files: words → configuration."""

    hydra: Hydra

    def options(self) -> dict[str, list[str]]:
        """Group → options."""
        return group_options(None)

    def composed(self, *words: str) -> Config:
        """The configuration of such a command line, plain.

        Raises:
            BadInputError: words that cannot be read or composed.
        """
        request = read(words)
        if request.config_dir is not None:
            loader(request.config_dir)
        lines, wrong = rewrite(request, group_options(None), _PLUGINS)
        if wrong:
            raise BadInputError(*wrong)
        cfg = compose(self.hydra, lines, request.multirun, None)
        return resolved(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))


@contextmanager
def command() -> Iterator[Command]:
    """The command, ready to compose."""
    with session(None) as hydra:
        yield Command(hydra)


def rules(config: Mapping[str, Any]) -> dict[str, Rule]:
    """Full key → what it accepts, for that configuration."""
    return {name: Rule(key.expected(), key.doc, key.required) for name, key in _table(config).items()}


def _table(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The command's own table for the kinds that are chosen, read off once."""
    nodes = [config.get(group) for group in KINDS]
    chosen = tuple(str(node.get("kind")) if isinstance(node, Mapping) else "" for node in nodes)
    if chosen not in _TABLES:
        _TABLES[chosen] = table(config, _PLUGINS)
    return _TABLES[chosen]


def values(config: Mapping[str, Any]) -> Config:
    """Full key → value; a mapping that is itself a value, such as weights, is not opened."""
    return flatten(config, rules(config))


def objections(config: Mapping[str, Any]) -> list[Objection]:
    """All that the command says against a configuration, by key. The objects are made where the schema is content."""
    own = str(config["problem"].get("kind")) if isinstance(config.get("problem"), Mapping) else ""
    said = check(config, _table(config), free=("problem.",) if own == "text" else ())
    if not said:
        try:
            build(copy.deepcopy(dict(config)), _PLUGINS)
            study(config)
        except BadInputError as error:
            said = list(error.faults)
        except ValueError as error:  # the command says it as it is
            return [("", str(error))]
        except Exception as error:  # the command calls it a bug
            return [("", f"a bug: {type(error).__name__}")]
    return [(fault.key, fault.message) for fault in said]


def study(config: Mapping[str, Any]) -> Study | None:
    """The study that a configuration asks for.

    Raises:
        BadInputError: an option that is not allowed.
    """
    return build_study(config, _PLUGINS, _recompose)


def _recompose(choices: Mapping[str, str]) -> Any:
    raise AssertionError(f"a study composes {choices} before its cells are measured")


def refusal(pinn_ntk: Command, words: Sequence[str]) -> str:
    """What the command says to such a command line before it does anything; empty where it has nothing to say."""
    try:
        config = pinn_ntk.composed(*words)
    except BadInputError as error:
        return "; ".join(str(fault) for fault in error.faults)
    return "; ".join(f"{key}: {message}" for key, message in objections(config))
