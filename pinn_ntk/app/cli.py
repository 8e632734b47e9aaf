"""`pinn-ntk`: from the words of a command line to an exit code."""

import sys
from collections.abc import Sequence
from typing import Any

from hydra._internal.hydra import Hydra
from omegaconf import DictConfig, OmegaConf

from pinn_ntk.app.build import build
from pinn_ntk.app.command_line import Request, read, rewrite
from pinn_ntk.app.compose import CONFIG, compose, group_options, resolved, session, translated
from pinn_ntk.app.faults import BadInputError, Exit, Fault
from pinn_ntk.app.help import help_text, version_text
from pinn_ntk.app.job import Job, guarded, say, tell
from pinn_ntk.app.plugins import Tables, load


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its words; None takes those of the process.

    Returns:
        0 done, 1 a bug, 2 bad input, 3 a numerical stop, 4 memory or disk, 130 interrupted.
    """
    words = sys.argv[1:] if argv is None else argv
    return guarded(lambda: _main(words))


def _main(words: Sequence[str]) -> int:
    request = read(words)
    groups = group_options(request.config_dir)
    if request.help or request.version:
        say(help_text(groups) if request.help else version_text())
        return Exit.DONE
    plugins = load(request.plugins)
    lines, faults = rewrite(request, groups, plugins)
    with session(request.config_dir) as hydra:
        cfg = compose(hydra, lines, request.multirun, request.config_dir)
        if faults:
            raise BadInputError(*faults, *_further(cfg, plugins, faults))
        if request.show is not None:
            say(_shown(cfg, request))
            return Exit.DONE
        return _sweep(hydra, lines, request, plugins) if request.multirun else _single(hydra, lines, request, plugins)


def _task(cfg: DictConfig) -> DictConfig:
    """The configuration without Hydra's node."""
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])


def _further(cfg: DictConfig, plugins: Tables, known: Sequence[Fault]) -> list[Fault]:
    """What is wrong with the words that could be read, without what follows from those that could not."""
    spoilt = tuple(fault.key for fault in known if fault.key)
    try:
        build(resolved(_task(cfg)), plugins)
    except BadInputError as error:
        return [fault for fault in error.faults if not any(f"{fault.key}.".startswith(f"{key}.") for key in spoilt)]
    return []


def _shown(cfg: DictConfig, request: Request) -> str:
    """The configuration as YAML: the job's, Hydra's, or both."""
    chosen: Any = {"job": _task(cfg), "hydra": cfg.hydra, "all": cfg}[request.show or "job"]
    if request.package:
        chosen = OmegaConf.select(chosen, request.package)
        if not isinstance(chosen, DictConfig):
            raise BadInputError(Fault("--package", f"got {request.package!r}, expected a group such as network"))
    if request.resolve and request.show == "job":
        resolved(_task(cfg))  # names what cannot be resolved
    return OmegaConf.to_yaml(chosen, resolve=request.resolve).rstrip()


def _single(hydra: Hydra, lines: Sequence[str], request: Request, plugins: Tables) -> int:
    with translated(request.config_dir):
        done = hydra.run(CONFIG, Job(request, plugins), [*lines, "hydra.mode=RUN"], with_log_configuration=False)
    return int(done.return_value)


def _sweep(hydra: Hydra, lines: Sequence[str], request: Request, plugins: Tables) -> int:
    """Every job of a sweep; those that fail are listed, and the others are run all the same."""
    with translated(request.config_dir):
        batches = hydra.multirun(CONFIG, Job(request, plugins), [*lines, "hydra.mode=MULTIRUN"])
    jobs = [job for batch in batches for job in batch]
    failed = [job for job in jobs if job.return_value]
    for job in failed:
        tell(f"exit {int(job.return_value)}: {' '.join(word.lstrip('+') for word in job.overrides or ())}")
    say(f"{len(jobs) - len(failed)} of {len(jobs)} jobs done")
    return Exit.BUG if failed else Exit.DONE
