"""`resume=RUN`: the configuration of an earlier run, of which only steps and what is shown may change,
and what it shares with that run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pinn_ntk.app.faults import BadInputError, Fault
from pinn_ntk.app.schema import flatten
from pinn_ntk.experiment.checkpoint import CheckpointError, read_checkpoint
from pinn_ntk.experiment.settings import Experiment

FREE = ("optimizer.steps", "report", "output", "name", "checkpoint", "logger", "device.patience")
"""What a run that goes on may change, with all that is under it."""


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a run that goes on has to share with the one before: every key that may not change.

    Args:
        config: plain.
    """
    return {key: value for key, value in flatten(config, {}).items() if not _free(key)}


def continued(
    cfg: DictConfig, folder: Path, overrides: Sequence[str], plugins: Mapping[str, str]
) -> tuple[DictConfig, str]:
    """The configuration of the run in a folder, with what may change taken from a command line.

    Args:
        cfg: composed from the command line alone.
        folder: of the run.
        overrides: the words of the command line.
        plugins: name → text of its files of Python.

    Returns:
        It, and the option of the group `problem` that the run had.

    Raises:
        BadInputError: no run there, a key that may not change, or code that is not given again.
    """
    stored = folder / ".hydra" / "config.yaml"
    try:
        config, hydra = OmegaConf.load(stored), OmegaConf.load(stored.with_name("hydra.yaml"))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise BadInputError(
            Fault("resume", f"got {str(folder)!r}, expected the folder of a run ({stored}: {why})")
        ) from error
    if not isinstance(config, DictConfig):
        raise BadInputError(Fault("resume", f"{stored} holds no configuration"))
    faults = []
    for file in sorted(stored.parent.glob("*.py")):
        if plugins.get(file.name) != file.read_text(encoding="utf-8"):
            got = "another text" if file.name in plugins else "none"
            faults.append(
                Fault(
                    "plugins",
                    f"the run had {file.name}, got {got}: code comes from the command line only, plugins=[{file.name}]",
                )
            )
    for word in overrides:
        key = word.lstrip("+~").partition("=")[0]
        then, now = (OmegaConf.select(c, key, throw_on_missing=False) for c in (config, cfg))
        if _free(key):
            OmegaConf.update(config, key, now, force_add=True)
        elif then != now:
            faults.append(
                Fault(key, f"got {word!r}; the run had {then!r}, and only {', '.join(FREE)} may change when it goes on")
            )
    if faults:
        raise BadInputError(*faults)
    return config, str(OmegaConf.select(hydra, "hydra.runtime.choices.problem"))


def can_go_on(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a job of a sweep has a checkpoint to go on from; where it has none that is whole, it begins again.

    Args:
        folder: of the job.
        config: plain.
    """
    try:
        held, _ = read_checkpoint(folder, identity(config), torch.device("cpu"))
    except CheckpointError:
        return False
    return held.memory.step <= int(config["optimizer"].get("steps", 0))


def require_memory(experiment: Experiment, study: object) -> None:
    """Refuse what has no checkpoints.

    Raises:
        BadInputError: a study, an ensemble, or the automatic solver.
    """
    what = (
        "a study"
        if study is not None
        else "an ensemble"
        if experiment.seeds
        else "optimizer=auto"
        if experiment.solver
        else None
    )
    if what is not None:
        remedy = "the same command again measures what is missing" if study is not None else "start it again"
        raise BadInputError(Fault("resume", f"got {what}, which has no checkpoints; {remedy}"))


def require_steps_left(config: Mapping[str, Any], done: int) -> None:
    """Refuse fewer steps than were done.

    Raises:
        BadInputError: with both numbers.
    """
    steps = config["optimizer"].get("steps", done)
    if steps < done:
        raise BadInputError(
            Fault(
                "optimizer.steps", f"got {steps}, expected at least {done}: so many steps were done at the checkpoint"
            )
        )


def _free(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in FREE)
