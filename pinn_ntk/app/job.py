"""One run from a composed configuration to its files, its lines on the terminal and its exit code."""

import logging
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pinn_ntk import parallel
from pinn_ntk.app.build import build
from pinn_ntk.app.chosen import chosen_loggers
from pinn_ntk.app.command_line import Request
from pinn_ntk.app.compose import resolved
from pinn_ntk.app.faults import Exit
from pinn_ntk.app.guarded import guarded, tell
from pinn_ntk.app.plugins import Tables
from pinn_ntk.app.processes import require_one_run
from pinn_ntk.app.resume import can_go_on, continued, identity, require_memory, require_steps_left
from pinn_ntk.app.run_folder import LOG, LOGGER, default_folder, run_folder, save_config
from pinn_ntk.app.schema import TEXT
from pinn_ntk.app.signals import interruptible
from pinn_ntk.app.study import Recompose, build_study, perform_study
from pinn_ntk.app.sweep import finished, job_folder
from pinn_ntk.app.terminal import Shown, closing_table, is_terminal, messages, progress, say
from pinn_ntk.devices import resolve_device, threads_for
from pinn_ntk.experiment.checkpoint import Held, Keeper, read_checkpoint
from pinn_ntk.experiment.ensemble import check_ensemble, run_ensemble
from pinn_ntk.experiment.run import run
from pinn_ntk.experiment.settings import Experiment
from pinn_ntk.experiment.solved import solved_run
from pinn_ntk.networks.fused import compiling, pays
from pinn_ntk.reporting.ensemble_record import EnsembleRecord
from pinn_ntk.reporting.loggers import Careful
from pinn_ntk.reporting.record import Record
from pinn_ntk.studies.study import Study
from pinn_ntk.training.ensemble import EnsembleState, batch_size
from pinn_ntk.training.ensemble_trackers import each_member
from pinn_ntk.training.methods import law
from pinn_ntk.training.states import State, Status

_BETWEEN = 1 << 20  # rows × neurons between two words of several processes about Ctrl-C
_CODES = {
    Status.DIVERGED: Exit.NUMERICAL,
    Status.NON_FINITE: Exit.NUMERICAL,
    Status.UNDERDETERMINED: Exit.NUMERICAL,
    Status.INCONSISTENT: Exit.NUMERICAL,
    Status.UNRESOLVED: Exit.NUMERICAL,
    Status.INTERRUPTED: Exit.INTERRUPTED,
}


class Ended(NamedTuple):
    """How a job ended.

    Attributes:
        code: for the shell.
        reason: what it said where it left no result, on one line.
    """

    code: int
    reason: str


@dataclass(frozen=True)
class Job:
    """What Hydra calls with each composed configuration; it says how it ended and raises nothing but interrupts.

    Attributes:
        request: the command line.
        plugins: the tables of a person's own Python.
        recompose: other choices on the same command line → configuration; what a study varies.
    """

    request: Request
    plugins: Tables
    recompose: Recompose

    def __call__(self, cfg: DictConfig) -> Ended:
        """Run it."""
        said: list[str] = []
        code = guarded(lambda: self._execute(cfg, said.append), heard=said.append)
        if code in (Exit.INTERRUPTED, Exit.CHECKPOINTED) and self.request.multirun:
            raise KeyboardInterrupt  # Ctrl-C ends a sweep, not one of its jobs
        return Ended(code, " ".join(" ".join(said).split()))

    def _execute(self, cfg: DictConfig, heard: Callable[[str], None]) -> int:
        hydra = cast(DictConfig, HydraConfig.get())
        start = Path(str(hydra.runtime.cwd))  # plugins are named from where the command was started
        copies = {Path(file).name: (start / file).read_text(encoding="utf-8") for file in self.request.plugins}
        resumed = None if self.request.resume is None else (start / Path(self.request.resume).expanduser()).resolve()
        option = str(hydra.runtime.choices.get("problem"))
        if resumed is not None:
            cfg, option = continued(cfg, resumed, self.request.overrides, copies)
            hydra = hydra.copy()  # Hydra's own is read-only
            OmegaConf.set_readonly(hydra, False)
            hydra.runtime.choices["problem"] = option  # for whoever goes on with it once more
        config = named(resolved(cfg), option)
        experiment = build(config, self.plugins)
        study = build_study(config, self.plugins, self.recompose)
        quiet = not (config["report"]["bar"] or config["report"]["table"])
        level = logging.WARNING if quiet or (is_terminal(sys.stderr) and config["report"]["bar"]) else logging.INFO
        if parallel.started() > 1:
            require_one_run(hydra, experiment, study)
        if resumed is not None:
            require_memory(experiment, study)
        folder = resumed or _folder(config, hydra, experiment, study)
        if not parallel.first():
            with messages(logging.CRITICAL):
                return guarded(lambda: _perform(experiment, config, folder, resumed is not None))
        if hydra.mode == RunMode.MULTIRUN:
            folder = folder / job_folder(config, copies)
            if (code := finished(folder)) is not None:
                say(f"done before: {folder}")
                return code
            resumed = folder if can_go_on(folder, config) else None
        with messages(level), run_folder(folder, bool(hydra.job.chdir), resumed is not None) as path:
            save_config(path, cfg, hydra, self.request.words, copies)
            if study is not None:
                return guarded(lambda: perform_study(study, config, path), path / LOG, heard)
            return guarded(lambda: _perform(experiment, config, path, resumed is not None), path / LOG, heard)


def named(config: dict[str, Any], option: str) -> dict[str, Any]:
    """The configuration with a problem from text called like the file it came from, unless it has a name."""
    problem = config.get("problem")
    if isinstance(problem, dict) and problem.get("kind") == TEXT and problem.get("name") is None and option != TEXT:
        return {**config, "problem": {**problem, "name": option}}
    return config


def _folder(config: Mapping[str, Any], hydra: DictConfig, experiment: Experiment, study: Study | None) -> Path:
    """Where this run goes: `output`, the folder of a sweep, the study's own, or a new one of this moment."""
    if hydra.mode == RunMode.MULTIRUN:
        return Path(hydra.sweep.dir)
    chosen = config["output"] or (hydra.run.dir if hydra.run.dir != "." else None)
    if chosen:
        return Path(chosen).expanduser()
    return Path("sweeps") / study.name if study is not None else default_folder(experiment.problem.name)


def _perform(experiment: Experiment, config: Mapping[str, Any], path: Path, resumed: bool) -> int:
    """Predict, train, and write the files, a first Ctrl-C being no reason to lose any of it.

    Args:
        experiment: what to do.
        config: plain.
        path: of the run's folder.
        resumed: whether the run that is there goes on.
    """
    keeper = _keeper(config, path, resumed)
    journal = keeper.held.journal
    loggers = Careful({}, LOGGER.warning)
    if parallel.first():
        loggers = chosen_loggers(config, config["name"] or experiment.problem.name, path, journal.last, LOGGER.warning)
    journal.listeners.append(loggers.row)
    work = experiment.problem.points * (experiment.network.width or 1) * max(1, len(experiment.seeds))
    with loggers, interruptible(max(1, _BETWEEN // work)) as between_steps:
        gpu = resolve_device(config["device"]["name"]).type == "cuda"
        with parallel.joined(gpu, config["device"]["patience"]):
            record = _run(experiment, config, between_steps, keeper)
        if not parallel.first():
            return _code(record, keeper)
        if experiment.reference is not None and isinstance(record, Record):
            LOGGER.info("solving the same problem by finite elements")
            record = experiment.reference.beside(record, experiment.problem)
        loggers.rows((record.median if isinstance(record, EnsembleRecord) else record).history.columns)
        code, summary = _finish(record, path, config["report"]["table"], keeper)
        loggers.finish(summary)
        return code


def _keeper(config: Mapping[str, Any], path: Path, resumed: bool) -> Keeper:
    """What writes checkpoints, with what the last one holds where a run goes on.

    Raises:
        CheckpointError: there is none that is whole, or of another run.
        BadInputError: it has fewer steps to go than were done.
    """
    known, held = identity(config), Held()
    if resumed:
        held, notes = read_checkpoint(path, known, resolve_device(config["device"]["name"]))
        require_steps_left(config, held.memory.step)
        for note in notes:
            LOGGER.warning("warning: %s", note)
        LOGGER.info("going on after step %d", held.memory.step)
    return Keeper(path, known, held, config["checkpoint"], LOGGER.warning)


def _run(
    experiment: Experiment, config: Mapping[str, Any], between_steps: Callable[[], None], keeper: Keeper
) -> Record | EnsembleRecord:
    if experiment.seeds:
        return _all_seeds(experiment, config, between_steps)
    if experiment.solver is not None:
        return _solved(experiment, config, between_steps)
    settings = experiment.settings
    if settings.device == "auto":
        LOGGER.info("device auto: %s", resolve_device("auto"))
    steps = settings.tracked if settings.method.every else settings.steps
    if settings.theory:
        LOGGER.info("predicting: kernels, widths and the forecast, before the first step")
    with (
        progress(steps, config["report"]["bar"]) as show,
        threads_for(experiment.problem.points * experiment.network.width),
    ):

        def on_state(state: State) -> None:
            show(state)
            try:
                between_steps()
            except KeyboardInterrupt:
                keeper.now(state)
                raise
            keeper.perhaps(state)

        return run(
            experiment.problem,
            experiment.network,
            settings,
            experiment.trackers,
            on_state,
            config=config,
            held=keeper.held,
        )


def _solved(experiment: Experiment, config: Mapping[str, Any], between_steps: Callable[[], None]) -> Record:
    """The run of optimizer=auto."""
    solver = experiment.solver
    LOGGER.info("solving: choosing neurons, then growing, %s", solver.limits if solver else "")
    return solved_run(
        experiment.problem, solver, experiment.settings, experiment.trackers, lambda _: between_steps(), config
    )


def _all_seeds(experiment: Experiment, config: Mapping[str, Any], between_steps: Callable[[], None]) -> EnsembleRecord:
    """The seeds of an ensemble, batch by batch; the bar counts the steps of all batches."""
    problem, network, settings, seeds = experiment.problem, experiment.network, experiment.settings, experiment.seeds
    start, device = check_ensemble(network, settings), resolve_device(settings.device)
    with compiling(settings.compile):
        compiled = pays(problem.points * start.width * len(seeds), start.inputs, settings.steps, device)
    size = batch_size(problem.points, start.width, device, compiled)
    batches = math.ceil(len(seeds) / size)
    LOGGER.info("%d seeds in %d batches", len(seeds), batches)
    with (
        progress(batches * settings.steps, config["report"]["bar"]) as show,
        threads_for(size * problem.points * (network.width or 1)),
    ):

        def on_state(state: EnsembleState) -> None:
            show(Shown(state.members[0] // size * settings.steps + state.step, float(state.loss.median())))
            between_steps()

        trackers = [each_member(ask, law(settings.optimizer, settings.options)) for ask in experiment.trackers]
        return run_ensemble(problem, network, seeds, settings, trackers, on_state, config=config)


def _finish(record: Record | EnsembleRecord, path: Path, table: bool, keeper: Keeper) -> tuple[int, Mapping[str, Any]]:
    """Write the files, then say so: what the shell is told, and the summary."""
    for warning in record.warnings:
        LOGGER.warning("warning: %s", warning)
    report, summary = record.write(path)
    LOGGER.info(
        "%s, loss %s to %s, report %s", summary["status"], summary["loss"]["initial"], summary["loss"]["final"], report
    )
    code = _code(record, keeper)
    if code == Exit.CHECKPOINTED:
        tell(f"go on with: pinn-ntk resume={path}")
    say((closing_table(summary) if table else "") + str(report))
    return code, summary


def _code(record: Record | EnsembleRecord, keeper: Keeper) -> int:
    """What the command says to the shell."""
    code = _CODES.get(record.status, Exit.DONE)
    return Exit.CHECKPOINTED if code == Exit.INTERRUPTED and keeper.written else code
