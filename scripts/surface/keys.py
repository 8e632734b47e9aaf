"""The configuration: every option of every group, every key with what it accepts, and its default under each option."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from configuration import Command, Config, rules, study, values
from values import of_options, plain

EXPERIMENT = "experiment"
SMALL = {
    "problem": {"points": 2, "test_points": 2, "boundary_points": 6, "dim": 1},
    "network": {"width": 2, "depth": 1},
    "theory": {"forecast_draws": 1},
}
"""So that what is accepted is made in no time."""
COMPANIONS = {
    ("optimizer", "particle_flow"): ("network", "mean_field"),
    ("reference", "fem"): ("problem", "poisson_1d"),
}
"""What else has to be chosen, so that an option has no fault of its own."""
BASE = {"problem": "points", "device": "cpu"}
"""The cheapest problem to make."""


@dataclass(frozen=True)
class Options:
    """Every option of every group as a configuration, the groups being independent: a node of one, put into the base.

    Attributes:
        command: what composes.
    """

    command: Command

    @cached_property
    def base(self) -> Config:
        """The configuration that every option is put into."""
        return self.command.composed(*(f"{group}={option}" for group, option in BASE.items()))

    @cached_property
    def shipped(self) -> Config:
        """The configuration of `pinn-ntk` without a word."""
        return self.command.composed()

    @cached_property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """Group → option → its node. The k-th options of all groups are composed together, which takes fewer times."""
        groups = {group: names for group, names in self.command.options().items() if group != EXPERIMENT}
        nodes: dict[str, dict[str, Any]] = {group: {} for group in groups}
        for k in range(max(map(len, groups.values()))):
            chosen = {group: names[k] for group, names in groups.items() if k < len(names)}
            config = self.command.composed(*(f"{group}={option}" for group, option in chosen.items()))
            for group, option in chosen.items():
                nodes[group][option] = config[group]
        return nodes

    @cached_property
    def experiments(self) -> dict[str, Config]:
        """Experiment → its configuration."""
        return {name: self.command.composed(f"{EXPERIMENT}={name}") for name in self.command.options()[EXPERIMENT]}

    def config(self, group: str, option: str) -> Config:
        """The base with that option."""
        config = {**self.base, group: self.nodes[group][option]}
        if (group, option) in COMPANIONS:
            other, name = COMPANIONS[group, option]
            config[other] = self.nodes[other][name]
        return config

    def small(self, group: str, option: str) -> Config:
        """The same with few points and neurons."""
        return small(self.config(group, option))


def small(config: Config) -> Config:
    """A configuration with few points and neurons."""
    return {group: smaller(group, node) for group, node in config.items()}


def smaller(group: str, node: Any) -> Any:
    """A group's node with the sizes of SMALL, where it has such keys and they are numbers."""
    if not isinstance(node, Mapping):
        return node
    sizes = {key: size for key, size in SMALL.get(group, {}).items() if isinstance(node.get(key), int)}
    return {**node, **sizes}


def configuration(options: Options) -> Iterator[str]:
    """Lines `option`, `key` and `default`."""
    for group, names in options.command.options().items():
        yield from (f"option {group}={name}" for name in names)
    yield from _keys(options)
    yield from _defaults(options)
    for name, config in options.experiments.items():
        yield from (
            f"default {EXPERIMENT}={name} {key} = {value}"
            for key, value in _changes(values(options.shipped), values(config))
        )


def _keys(options: Options) -> Iterator[str]:
    """What each key accepts, once for all options under which it accepts the same."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for group, nodes in options.nodes.items():
        for option in nodes:
            config = options.config(group, option)
            ruled, given = rules(config), values(config)
            for key in sorted({k for k in (*ruled, *given) if k.startswith(f"{group}.")}):
                alike.setdefault((group, key, _rule_text(ruled, key)), []).append(option)
    for (group, key, text), chosen in alike.items():
        yield f"key {key} ({of_options(chosen, group, options.nodes[group])}): {text}"
    studies = {name: config for name, config in options.experiments.items() if config["study"]["kind"] is not None}
    common = rules(options.base)
    for key in common:
        if key.split(".")[0] not in options.nodes:
            yield f"key {key}: {_rule_text(common, key)}"
    for config in studies.values():
        own = rules(config)
        kind = config["study"]["kind"]
        yield from (
            f"key {key} (study {kind}): {_rule_text(own, key)}"
            for key in own
            if key.startswith("study.") and key not in common
        )


def _rule_text(ruled: Mapping[str, Any], key: str) -> str:
    rule = ruled.get(key)
    if rule is None:
        return "what the problem's own reader accepts"
    words = [
        rule.expected or "any value",
        *([rule.doc] if rule.doc else []),
        *([] if rule.required else ["may be left out"]),
    ]
    return "; ".join(words)


def _defaults(options: Options) -> Iterator[str]:
    """The value that each key has under each option, as conf/ composes it."""
    for group, nodes in options.nodes.items():
        for option in nodes:
            given = values(options.config(group, option))
            yield from (
                f"default {group}={option} {k} = {plain(v)}" for k, v in given.items() if k.startswith(f"{group}.")
            )
    shipped = values(options.shipped)
    yield from (
        f"default {key} = {plain(value)}" for key, value in shipped.items() if key.split(".")[0] not in options.nodes
    )
    for group in options.nodes:
        kinds = {name: node for name, node in options.nodes[group].items() if node == options.shipped[group]}
        yield f"default {group} = {', '.join(kinds)}"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys that an experiment sets or takes away."""
    for key in sorted({*before, *after}):
        if key not in after:
            yield key, "(none)"
        elif key not in before or json.dumps(before[key]) != json.dumps(after[key]):
            yield key, plain(after[key])


def studies(options: Options) -> Iterator[str]:
    """Every study with its title, question and number of cells."""
    for experiment, config in options.experiments.items():
        asked = study(config)
        if asked is not None:
            yield f"study {asked.name} title: {asked.title}"
            yield f"study {asked.name} question: {' '.join(asked.question.split())}"
            timed = ", timed" if asked.timed else ""
            yield f"study {asked.name} of experiment={experiment}: {len(asked.cells)} cells{timed}"
