"""Several processes: those of torchrun share the sums of one run, those of a launcher of Hydra the jobs of a sweep."""

import os

from hydra.types import RunMode
from omegaconf import DictConfig

from pinn_ntk import parallel
from pinn_ntk.app.faults import BadInputError, Fault
from pinn_ntk.experiment.settings import Experiment
from pinn_ntk.studies.study import Study


def require_one_run(hydra: DictConfig, experiment: Experiment, study: Study | None) -> None:
    """Refuse what shares its work in another way.

    Args:
        hydra: Hydra's own node.
        experiment: what was asked for.
        study: or a study of many runs.

    Raises:
        BadInputError: a sweep, a study or the automatic solver, with what to do instead.
    """
    count = parallel.started()
    if hydra.mode == RunMode.MULTIRUN:
        what, remedy = "a sweep", "start it without a launcher; hydra/launcher=joblib runs its jobs side by side"
    elif study is not None:
        what, remedy = "a study", f"start it without a launcher; study.workers={count} runs its cells side by side"
    elif experiment.solver is not None:
        what, remedy = "optimizer=auto", "it runs in one process, with all of its threads"
    else:
        return
    raise BadInputError(Fault("torchrun", f"got {count} processes for {what}, expected one: {remedy}"))


def about_workers(launcher: DictConfig) -> str | None:
    """How many jobs of a sweep run side by side and with how many threads each; None for one after another,
    or on other machines.

    Args:
        launcher: Hydra's own node.
    """
    jobs = launcher.get("n_jobs")
    if not isinstance(jobs, int) or jobs == 0:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = jobs if jobs > 0 else max(1, cores + 1 + jobs)
    share, asked = max(1, cores // workers), os.environ.get("OMP_NUM_THREADS", "")
    less = f", not {asked} as OMP_NUM_THREADS asks" if asked.isdecimal() and int(asked) > share else ""
    return f"{workers} jobs side by side, {'1 thread' if share == 1 else f'{share} threads'} each{less}: {cores} cores"
