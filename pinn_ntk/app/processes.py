"""What several processes started by torchrun can run: one run, whose sums they share."""

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
