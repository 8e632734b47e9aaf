"""What a configuration says to the solver and to the method that a run is compared with."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from pinn_ntk.app.faults import BadInputError, Fault
from pinn_ntk.experiment.referenced import Reference
from pinn_ntk.experiment.settings import Solver
from pinn_ntk.problem.residual import Problem
from pinn_ntk.reporting.loggers import LOGGERS, Careful, Logger, MLflow, TensorBoard, missing

Config = Mapping[str, Any]


def chosen_reference(config: Config, problem: Problem) -> Reference | None:
    """Finite elements to compare with, where they are asked for.

    Raises:
        BadInputError: they are not installed, cannot solve the problem, or there are several seeds.
    """
    node = config["reference"]
    if node["kind"] == "none":
        return None
    if importlib.util.find_spec("skfem") is None:
        raise BadInputError(
            Fault("reference.kind", "fem needs scikit-fem, which is not installed: pip install 'pinn_ntk[fem]'")
        )
    if config["ensemble"]["seeds"] != 1:
        raise BadInputError(Fault("ensemble.seeds", "reference=fem compares one run; leave ensemble.seeds=1"))
    made = Reference(node.get("degrees"), node.get("steps"))
    made.check(problem)
    return made


def chosen_loggers(config: Config, name: str, folder: Path, done: int | None, warn: Callable[[str], None]) -> Careful:
    """The loggers that a run is told to, none of which can stop it.

    Args:
        config: plain.
        name: of what the run is one of, in a store.
        folder: of the run.
        done: the last tracked step of a run that goes on.
        warn: is told of one that fails.
    """
    node, makers = config["logger"], dict[str, Callable[[], Logger]]()
    if node["tensorboard"]:
        makers["tensorboard"] = lambda: TensorBoard(folder, config, done)
    if node["mlflow"]:
        uri = node["uri"] or f"sqlite:///{Path(str(HydraConfig.get().runtime.cwd)) / 'mlflow.db'}"
        makers["mlflow"] = lambda: MLflow(folder, config, done, uri, name)
    return Careful(makers, warn)


def logger_faults(config: Config) -> list[Fault]:
    """Loggers that are asked for and not installed."""
    asked = [name for name in LOGGERS if config["logger"].get(name) is True]
    lacking = {name: package for name in asked if (package := missing(name)) is not None}
    return [
        Fault(f"logger.{n}", f"needs {package}, which is not installed: pip install 'pinn_ntk[{n}]'")
        for n, package in lacking.items()
    ]


def chosen_solver(config: Config, problem: Problem | None) -> Solver:
    """What optimizer=auto is told.

    Raises:
        BadInputError: what it cannot do.
    """
    own = {k: v for k, v in config["optimizer"].items() if k != "kind"}
    faults = (
        [Fault("dtype", f"got {config['dtype']}; optimizer=auto works in float64")]
        if config["dtype"] != "float64"
        else []
    )
    if str(config["device"]["name"]).startswith("cuda"):
        faults.append(
            Fault("device.name", f"got {config['device']['name']}; optimizer=auto solves on the CPU: leave device=auto")
        )
    if config["ensemble"]["seeds"] != 1:
        faults.append(
            Fault("ensemble.seeds", "optimizer=auto solves one problem at a time; sweep over seeds with -m seed=0,1,2")
        )
    if faults:
        raise BadInputError(*faults)
    solver = Solver(**own, seed=config["seed"])
    if problem is not None:
        solver.check(problem)
    return solver
