"""Prediction, training and comparison wired into records; no configuration system is known here."""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.experiment.checkpoint import Held, Keeper, read_checkpoint, write_checkpoint
    from pinn_ntk.experiment.ensemble import median_index, run_ensemble
    from pinn_ntk.experiment.provenance import commit_of, machine, versions
    from pinn_ntk.experiment.referenced import Reference
    from pinn_ntk.experiment.run import run
    from pinn_ntk.experiment.settings import DTYPES, Experiment, Settings, Solver, StrictError
    from pinn_ntk.experiment.solved import solved_run

face(__name__)
