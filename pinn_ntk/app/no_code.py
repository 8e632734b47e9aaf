"""The guard that keeps configurations from running code: what Hydra would import or call is refused with its key."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pinn_ntk.app.faults import BadInputError, Fault

# the only objects that Hydra itself may make; a prefix would be no boundary, as it resolves a path through attributes
# of modules
_TARGETS = {
    "hydra.launcher": (
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
        "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
    ),
    "hydra.sweeper": ("hydra._internal.core_plugins.basic_sweeper.BasicSweeper",),
}
_LOGGING = {"version": 1, "root": {"level": "ERROR"}, "incremental": True, "disable_existing_loggers": False}
_SEARCHPATH = "hydra.searchpath"
# what a job's shell, its script for a cluster and the programs it starts (git, a compiler) are told: only by the one
# who types
_TYPED = ("job.env_set", "launcher.setup", "launcher.additional_parameters", "launcher.python", "launcher.srun_args")


def check_no_search(primary: DictConfig, overrides: Sequence[Override]) -> None:
    """No other places to read files from: Hydra imports the package that `pkg://NAME` names as soon as it looks there.

    Args:
        primary: the file that composition starts from.
        overrides: of the command line.

    Raises:
        BadInputError: hydra.searchpath is set.
    """
    if (
        any(override.key_or_group == _SEARCHPATH for override in overrides)
        or OmegaConf.select(primary, _SEARCHPATH) is not None
    ):
        raise BadInputError(
            Fault(_SEARCHPATH, "cannot be changed: it can name code; --config-dir FOLDER adds files of your own")
        )


def check_no_code(cfg: DictConfig, words: Sequence[str]) -> None:
    """No `_target_`, no `plugins`, no callbacks, no logging factories and nothing for a shell from files:
    each would run something.

    Args:
        cfg: composed.
        words: the overrides it was composed with.

    Raises:
        BadInputError: with every such key.
    """
    plain = OmegaConf.to_container(cfg, resolve=False)
    remedy = (
        "_target_ is not used here and nothing was imported: kind: picks a known object, plugins=[file.py] "
        "brings your own"
    )
    foreign = [
        (key, value) for key, value in targets(plain) if value not in _TARGETS.get(key.removesuffix("._target_"), ())
    ]
    faults = [Fault(key, f"got {value!r}; {remedy}") for key, value in foreign]
    if "plugins" in cfg:
        faults.append(
            Fault(
                "plugins",
                "set in a file, which is not allowed and was not read: give it on the command line, "
                "plugins=[my_problem.py]",
            )
        )
    hydra = plain["hydra"] if isinstance(plain, dict) else {}
    faults += [*_untyped(hydra, words), *_broken_lines(cfg, hydra["launcher"], "hydra.launcher")]
    if hydra["callbacks"]:
        faults.append(Fault("hydra.callbacks", "not allowed: callbacks are code"))
    faults += [
        Fault(f"hydra.{name}", "cannot be changed: the command writes run.log itself")
        for name in ("job_logging", "hydra_logging")
        if hydra[name] != _LOGGING
    ]
    if faults:
        raise BadInputError(*faults)


def targets(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every `_target_` with its full key.

    Args:
        node: plain values.
        path: the key of the node itself.
    """
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for name, value in items:
        key = f"{path}.{name}" if path else str(name)
        if name == "_target_":
            yield key, value
        else:
            yield from targets(value, key)


def _untyped(hydra: Mapping[str, Any], words: Sequence[str]) -> Iterator[Fault]:
    """What only the command line may set, and words that a file would put there."""
    said = {word.lstrip("+~").partition("=")[0] for word in words}
    for name in _TYPED:
        for key in _set(_at(hydra, name), f"hydra.{name}"):
            if key not in said:
                yield Fault(
                    key,
                    "set in a file, which is not allowed: a shell would read it; give it on the command line, "
                    f"++{key}=…",
                )
    for kind in ("hydra", "task"):
        told = _at(hydra, f"overrides.{kind}")
        if not isinstance(told, list) or any(word not in words for word in told):
            yield Fault(f"hydra.overrides.{kind}", "cannot be changed: it holds the words of the command line")
    params = _at(hydra, "sweeper.params")
    for key in params if isinstance(params, Mapping) else ():
        if str(key).lstrip("+~").startswith("hydra"):
            yield Fault(
                "hydra.sweeper.params",
                f"got {key!r}, expected keys of the configuration itself; the command line sets Hydra's",
            )


def _at(node: Any, path: str) -> Any:
    for name in path.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _set(node: Any, path: str) -> Iterator[str]:
    """The keys of all values in a node that are not empty."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _set(value, f"{path}.{name}")
    elif node not in (None, []):
        yield path


def _broken_lines(cfg: DictConfig, node: Any, path: str) -> Iterator[Fault]:
    """Texts of more than one line, which would end a comment in the script of a job."""
    if isinstance(node, (Mapping, list)):
        for name, value in node.items() if isinstance(node, Mapping) else enumerate(node):
            yield from _broken_lines(cfg, value, f"{path}.{name}")
    elif isinstance(node, str):
        try:
            read = str(OmegaConf.select(cfg, path))
        except OmegaConfBaseException:
            read = node  # of a job that is not there yet, as its number
        if not (node + read).replace("\t", " ").isprintable():
            yield Fault(path, f"got {read!r}, expected one line of text")
