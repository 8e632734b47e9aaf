"""`pinn-ntk`: from the words of a command line to an exit code."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pinn_ntk.app.build import build
from pinn_ntk.app.command_line import Request, quoted, read, rewrite
from pinn_ntk.app.compose import CONFIG, compose, group_options, loader, moded, resolved, session, translated
from pinn_ntk.app.faults import BadInputError, Exit, Fault
from pinn_ntk.app.guarded import guarded, tell
from pinn_ntk.app.help import help_text, version_text
from pinn_ntk.app.job import Job
from pinn_ntk.app.plugins import Tables, load
from pinn_ntk.app.processes import about_workers
from pinn_ntk.app.sweep import write_sweep
from pinn_ntk.app.terminal import say


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its words; None takes those of the process.

    Returns:
        0 done, 1 a bug, 2 bad input, 3 a numerical stop, 4 memory or disk, 75 stopped with a checkpoint, 130
        interrupted.
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
        job = Job(request, plugins, Recomposer(request, groups, plugins, tuple(lines)))
        if not request.multirun:
            return _single(hydra, lines, request, job)
        return _sweep(hydra, lines, request, job, _sweep_folder(cfg), cfg.hydra.launcher)


@dataclass(frozen=True)
class Recomposer:
    """The configuration of a command line with other options of some groups.

    Attributes:
        request: the command line.
        groups: the options of each group.
        plugins: the tables of a person's own Python.
        lines: its overrides, rewritten.
    """

    request: Request
    groups: Mapping[str, Sequence[str]]
    plugins: Tables
    lines: tuple[str, ...]

    def __call__(self, choices: Mapping[str, str]) -> DictConfig:
        """Compose it.

        Args:
            choices: option by group.

        Raises:
            BadInputError: there is no such option.
        """
        words, wrong = rewrite(
            replace(self.request, overrides=tuple(f"{k}={v}" for k, v in choices.items())), self.groups, self.plugins
        )
        if wrong:
            raise BadInputError(*wrong)
        kept = [line for line in self.lines if line.partition("=")[0] not in choices]
        hydra = Hydra("pinn_ntk", loader(self.request.config_dir))
        return _task(compose(hydra, [*kept, *words], False, self.request.config_dir))


def _sweep_folder(cfg: DictConfig) -> Path:
    """`output`, sweeps/<name>, or Hydra's own; the same name again adds to the same sweep.

    Raises:
        BadInputError: a name that is no name of a folder.
    """
    name, output = cfg.get("name"), cfg.get("output")
    if name is not None and not re.fullmatch(r"[\w][\w.-]*", str(name)):
        raise BadInputError(
            Fault(
                "name",
                f"got {name!r}, expected letters, digits, '.', '-' and '_' only: the name of a folder in sweeps/",
            )
        )
    return Path(output or (f"sweeps/{name}" if name is not None else cfg.hydra.sweep.dir)).expanduser()


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


def _single(hydra: Hydra, lines: Sequence[str], request: Request, job: Job) -> int:
    with translated(request.config_dir):
        done = hydra.run(CONFIG, job, moded(lines, RunMode.RUN), with_log_configuration=False)
    return int(done.return_value.code)


def _sweep(hydra: Hydra, lines: Sequence[str], request: Request, job: Job, folder: Path, launcher: DictConfig) -> int:
    """Every job of a sweep; those that fail are listed, and the others are run all the same;
    one document of them all.
    """
    if (about := about_workers(launcher)) is not None:
        tell(about)
    try:
        with translated(request.config_dir):
            batches = hydra.multirun(
                CONFIG, job, moded([*lines, quoted("hydra.sweep.dir", str(folder))], RunMode.MULTIRUN)
            )
    except KeyboardInterrupt:
        if folder.is_dir():
            tell(f"interrupted; what is finished is in {write_sweep(folder, ())}")
        raise
    done = [one for batch in batches for one in batch]
    failed = [
        (" ".join(word.lstrip("+") for word in one.overrides or ()), one.return_value)
        for one in done
        if one.return_value.code
    ]
    for words, ended in failed:
        tell(f"exit {int(ended.code)}: {words}")
    # a run that diverged has left its record, which is a row of its own
    report = write_sweep(folder, [(words, int(ended.code), ended.reason) for words, ended in failed if ended.reason])
    say(f"{len(done) - len(failed)} of {len(done)} jobs done\n{report.resolve()}")
    return Exit.BUG if failed else Exit.DONE
