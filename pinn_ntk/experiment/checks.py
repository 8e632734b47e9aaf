"""What is found before the first step: errors are raised, warnings are kept; all warnings are errors under `strict`."""

from pinn_ntk.experiment.settings import Settings
from pinn_ntk.networks.model import Model
from pinn_ntk.problem.finding import ERROR, ILL_POSED, NOTE, WARNING
from pinn_ntk.problem.residual import Problem
from pinn_ntk.problem.validation import check_problem
from pinn_ntk.training.states import Status
from pinn_ntk.training.trackers import History


def check_smoothness(network: Model, problem: Problem) -> list[str]:
    """Refuse a network whose derivatives the operators need and that are not there, or a module that does not fit;
    warn of the rest.

    Raises:
        ValueError: with what is expected.
    """
    return network.check(problem.rows())


def preconditions(problem: Problem) -> tuple[list[str], list[str]]:
    """Warnings about the problem, and notes, which `strict` lets pass; errors are raised at once."""
    findings = check_problem(problem)
    if errors := [f.message for f in findings if f.severity == ERROR]:
        raise ValueError("; ".join(errors))
    warnings, notes = ([f.message for f in findings if f.severity in kind] for kind in ((WARNING, ILL_POSED), (NOTE,)))
    return warnings, notes


def step_warnings(settings: Settings, limit: float | None) -> list[str]:
    """A warning about a step beyond the stability limit."""
    if limit is None:
        return []
    tau = settings.step_size if settings.absolute else settings.step_size * limit
    return (
        []
        if tau <= limit
        else [f"step size {tau:.4g} is above the stability limit {limit:.4g} at θ⁰: training may diverge"]
    )


def growth_warnings(history: History) -> list[str]:
    """A loss that ended above its start: the step was stable for the kernel at θ⁰, not for the one it met."""
    first, last = float(history.losses[0]), float(history.losses[-1])
    if not last > first or history.status is Status.NON_FINITE:
        return []
    return [
        f"the loss ended {last / first:.3g} times above its start: the step is too large away from θ⁰; try a "
        "smaller step_size"
    ]


def early_warnings(history: History) -> list[str]:
    """A method that gave up before its last step, for a reason that the status does not tell."""
    return [history.final.note] if history.status is Status.MAX_STEPS and history.final.note else []


def precision_warnings(settings: Settings) -> list[str]:
    """A warning about what single precision cannot say."""
    return (
        []
        if settings.dtype == "float64"
        else ["float32: λ_min is meaningful only above its floor of about 1e-7·λ_max·n"]
    )
