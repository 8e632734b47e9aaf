"""From a plain configuration to a problem, a network and settings;
everything that is wrong with it is found before any of it is used.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from operator import getitem
from typing import Any, TypeVar

import torch
from torch import nn

from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.app.chosen import chosen_reference, chosen_solver, logger_faults
from pinn_ntk.app.faults import BadInputError, Fault
from pinn_ntk.app.plugins import Tables, tracker
from pinn_ntk.app.schema import DRAWN, KEYS, SETTINGS, SUFFICIENT, check, keys_of, kind_of
from pinn_ntk.devices import resolve_device
from pinn_ntk.experiment.checks import check_smoothness
from pinn_ntk.experiment.ensemble import check_ensemble
from pinn_ntk.experiment.referenced import Reference
from pinn_ntk.experiment.settings import AUTO, Experiment, Settings, Solver
from pinn_ntk.kernels.memory import available_bytes
from pinn_ntk.networks.library import NETWORKS
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.module import model_of
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.library import OPERATORS
from pinn_ntk.problem.finding import ERROR, ILL_POSED, NOTE
from pinn_ntk.problem.from_text import SpecError, problem_from_text
from pinn_ntk.problem.library import PROBLEMS
from pinn_ntk.problem.residual import Problem
from pinn_ntk.problem.validation import check_problem
from pinn_ntk.rules import Rule
from pinn_ntk.studies.table import STUDIES
from pinn_ntk.theory.sufficient import sufficient_width
from pinn_ntk.training.methods import METHODS, SUPPLIED, method_named

Config = Mapping[str, Any]
Made = TypeVar("Made")
_SETTINGS = {key.partition(".")[0] for key in SETTINGS}


def build(config: Config, plugins: Tables) -> Experiment:
    """The objects of a configuration.

    Args:
        config: plain nested mappings, resolved.
        plugins: the tables of a person's own Python.

    Raises:
        BadInputError: everything that is wrong, at once.
    """
    own = kind_of(config, "problem") in {**PROBLEMS, **plugins["PROBLEMS"]}
    faults = check(config, table(config, plugins), free=() if own else ("problem.",))
    faults += _device(config) + _sizes(config)
    bad = {f.key.split(".")[0] for f in faults}
    faults += [] if "logger" in bad else logger_faults(config)
    settings = None if bad & _SETTINGS else _made(lambda: _settings(config), "", faults)
    problem = None if bad & {"problem", "seed"} else _made(lambda: _problem(config, plugins), "problem", faults)
    auto, network, solver, reference = kind_of(config, "optimizer") == AUTO, None, None, None
    if auto and not bad & {"optimizer", "seed"}:
        solver = _made(lambda: chosen_solver(config, problem), "optimizer", faults)
    if problem is not None and not auto and not bad & {"network", "activation", "seed"}:
        network = _made(lambda: _network(config, plugins, problem), "network", faults)
    if problem is not None:
        faults += _precheck(problem, network, strict=config.get("strict") is True, solver=auto)
        network = TwoLayer(problem.dim, 1) if auto else network  # it stands for the one that will be chosen
    if problem is not None and not bad & {"reference"}:
        reference = _made(lambda: chosen_reference(config, problem), "reference", faults)
    if faults or problem is None or network is None or settings is None:
        raise BadInputError(*faults)
    if not auto:
        _fit(network, settings)
    seeds, trackers = (
        _seeds(config, network, settings),
        tuple(tracker(name, ask) for name, ask in plugins["TRACKERS"].items()),
    )
    return Experiment(problem, network, settings, trackers, seeds, solver, reference)


def rebuild(config: Config, plugins: Tables) -> tuple[Problem, Model | None]:
    """The problem of a run that is over and, for a person's own network, one of its class;
    the rest of its configuration is not asked.

    Args:
        config: plain nested mappings, resolved.
        plugins: the tables of a person's own Python.

    Raises:
        BadInputError: everything that is wrong with the problem.
    """
    own = kind_of(config, "problem") in {**PROBLEMS, **plugins["PROBLEMS"]}
    found = check(config, table(config, plugins), free=() if own else ("problem.",))
    faults = [fault for fault in found if fault.key.split(".")[0] in ("problem", "seed")]
    problem = None if faults else _made(lambda: _problem(config, plugins), "problem", faults)
    network = None
    if problem is not None and kind_of(config, "network") in plugins["NETWORKS"]:
        network = _made(lambda: _network(config, plugins, problem), "network", faults)
    if faults or problem is None:
        raise BadInputError(*faults)
    free = (
        kind_of(config, "optimizer") == AUTO and problem.posed
    )  # the solver finds u itself, whatever the problem builds in
    return replace(problem, ansatz=None) if free else problem, network


def _fit(network: Model, settings: Settings) -> None:
    """Refuse a network, or options, that the chosen optimiser cannot take.

    Raises:
        BadInputError: with the key of it.
    """
    try:
        settings.method.require(network, settings.options)
    except ValueError as error:
        own = str(error).partition(":")[0] in settings.options
        raise BadInputError(_as_fault(error, "optimizer" if own else "network")) from error


def _seeds(config: Config, network: Model, settings: Settings) -> tuple[int, ...]:
    """The seeds of an ensemble, none for a single run.

    Raises:
        BadInputError: seeds of such a network, or under such an optimiser, cannot be trained as one batch.
    """
    count, first = config["ensemble"]["seeds"], config["seed"]
    if count == 1:
        return ()
    try:
        check_ensemble(network, settings)
    except ValueError as error:
        raise BadInputError(Fault("ensemble.seeds", f"got {count}; {error}")) from error
    return tuple(range(first, first + count))


def table(config: Config, plugins: Tables) -> dict[str, Rule]:
    """The keys of this configuration: the fixed ones, and those of the chosen problem and network."""
    own_names = {
        "problem.kind": plugins["PROBLEMS"],
        "network.kind": plugins["NETWORKS"],
        "activation.name": plugins["ACTIVATIONS"],
        "study.kind": [name for name in STUDIES if name not in KEYS["study.kind"].names],
    }
    keys = {key: replace(rule, names=(*rule.names, *own_names.get(key, ()))) for key, rule in KEYS.items()}
    problem, network, optimizer = (kind_of(config, group) for group in ("problem", "network", "optimizer"))
    if kind_of(config, "reference") == "fem":
        keys |= keys_of(Reference, "reference.")
    if optimizer == AUTO:
        keys = {k: v for k, v in keys.items() if not k.startswith("optimizer.")} | {
            "optimizer.kind": keys["optimizer.kind"]
        }
        keys |= keys_of(Solver, "optimizer.", ("seed",))
    if optimizer in METHODS:
        keys |= keys_of(METHODS[optimizer].states, "optimizer.", SUPPLIED)
    if (study := kind_of(config, "study")) in STUDIES:
        keys |= keys_of(STUDIES[study], "study.", ("factory",))
    if builder := {**PROBLEMS, **plugins["PROBLEMS"]}.get(problem):
        keys |= keys_of(builder, "problem.")
    if maker := {**NETWORKS, **plugins["NETWORKS"]}.get(network):
        keys |= keys_of(maker, "network.", DRAWN)
    return keys


def _device(config: Config) -> list[Fault]:
    """A device that is not here."""
    device = config.get("device")
    if isinstance(device, Mapping) and isinstance(device.get("name"), str):
        try:
            resolve_device(device["name"])
        except ValueError as error:
            return [_as_fault(error, "device.name")]
    return []


def _sizes(config: Config) -> list[Fault]:
    """Points and neurons that cannot fit in memory are refused before any of them is drawn."""
    free, faults = available_bytes("cpu"), []
    for key, power, what in (
        ("problem.points", 2, "kernel of n² numbers"),
        ("network.width", 1, "network of N neurons"),
    ):
        group, name = key.split(".")
        node = config.get(group)
        size = node.get(name) if isinstance(node, Mapping) else None
        if isinstance(size, int) and not isinstance(size, bool) and size > 0 and (needed := 32 * size**power) > free:
            message = (
                f"got {size}: the {what} takes at least {needed / 2**30:.3g} GiB, {free / 2**30:.3g} GiB are "
                "available; use fewer"
            )
            faults.append(Fault(key, message))
    return faults


def _made(make: Callable[[], Made], prefix: str, faults: list[Fault]) -> Made | None:
    """The object, or None and what was wrong with its arguments."""
    try:
        return make()
    except SpecError as error:
        faults += [Fault(f"{prefix}.{key}" if key else prefix, message) for key, message in error.problems]
    except BadInputError as error:
        faults += error.faults
    except ValueError as error:
        faults.append(_as_fault(error, prefix))
    return None


def _as_fault(error: Exception, prefix: str) -> Fault:
    """'points: got 0, expected …' of the library under its full key."""
    message = str(error)
    found = re.match(r"([a-z_]+): ", message)
    if found is None or (found[1] == prefix or prefix.startswith(f"{found[1]}.")):
        return Fault(prefix, message[found.end() :] if found else message)
    if found[1] == "problem":
        return Fault("problem", message[found.end() :])
    name = "weight" if found[1] == "weights" else found[1]
    return Fault(f"{prefix}.{name}".lstrip("."), message[found.end() :])


def _settings(config: Config) -> Settings:
    if kind_of(config, "optimizer") == AUTO:
        return Settings(kernel=config["tracker"]["kernel"], theory=False, device="cpu", strict=config["strict"])
    optimizer = config["optimizer"]
    own = {k: optimizer[k] for k in method_named(optimizer["kind"], {}).options if k in optimizer}
    step = {k: own.pop(k) for k in ("step_size", "absolute") if k in own}
    return Settings(**{name: _value(config, key) for key, name in SETTINGS.items()}, **step, options=own)


def _value(config: Config, key: str) -> Any:
    """The value under a full key."""
    return reduce(getitem, key.split("."), config)


def _problem(config: Config, plugins: Tables) -> Problem:
    spec = {("weights" if key == "weight" else key): value for key, value in config["problem"].items() if key != "kind"}
    kind = config["problem"]["kind"]
    builder = {**PROBLEMS, **plugins["PROBLEMS"]}.get(kind)
    if (builder is None or "seed" in keys_of(builder, "")) and spec.get("seed") is None:
        spec["seed"] = config["seed"]
    if builder is None:
        return problem_from_text(spec, {**OPERATORS, **plugins["OPERATORS"]})
    made = _called(builder, spec, f"problem {kind!r}", kind in plugins["PROBLEMS"])
    if not isinstance(made, Problem):
        raise BadInputError(
            Fault("problem.kind", f"{kind!r} returned a {type(made).__name__}, expected a pinn_ntk.Problem")
        )
    return made


def _network(config: Config, plugins: Tables, problem: Problem) -> Model:
    own = {k: v for k, v in config["network"].items() if k != "kind"}
    kind, name, seed = config["network"]["kind"], config["activation"]["name"], config["seed"]
    activation = {**ACTIVATIONS, **plugins["ACTIVATIONS"]}[name]
    builder = {**NETWORKS, **plugins["NETWORKS"]}[kind]
    supplied = {"dim": problem.dim, "activation": activation, "seed": seed}
    wanted = {k: v for k, v in supplied.items() if k in keys_of(builder, "")}
    with torch.random.fork_rng(devices=[]):  # torch's own layers draw from its global state: the seed decides there too
        torch.manual_seed(seed)
        if kind == "two_layer" and own.get("width") == SUFFICIENT:
            own["width"] = sufficient_width(
                problem, TwoLayer(**{**own, **wanted, "width": 2}), config["theory"]["delta"]
            )
        made = _called(builder, {**own, **wanted}, f"network {kind!r}", kind in plugins["NETWORKS"])
    if not isinstance(made, nn.Module):
        raise BadInputError(
            Fault("network.kind", f"{kind!r} returned a {type(made).__name__}, expected a torch.nn.Module")
        )
    return model_of(made, problem.dim, seed)


def _called(builder: Callable[..., object], arguments: Config, what: str, foreign: bool) -> object:
    """What a builder returns; a person's own may raise anything, which is then told with its own words."""
    try:
        return builder(**arguments)
    except (ValueError, MemoryError):
        raise
    except Exception as error:
        if not foreign:
            raise
        raise BadInputError(Fault(what, f"raised {type(error).__name__}: {error}")) from error


def _precheck(problem: Problem, network: Model | None, *, strict: bool, solver: bool) -> list[Fault]:
    """Errors of the problem, its warnings under `strict`, and an activation that is not smooth enough;
    what is ill-posed the solver itself has refused.
    """
    found = [f for f in check_problem(problem) if f.severity != NOTE and not (solver and f.severity == ILL_POSED)]
    faults = [Fault("problem", f.message) for f in found if f.severity == ERROR or strict]
    if network is None:
        return faults
    try:
        notes = check_smoothness(network, problem)
    except ValueError as error:
        return [*faults, _as_fault(error, "activation" if str(error).startswith("activation") else "network")]
    return faults + [Fault("activation", f"strict: {note}") for note in notes if strict]
