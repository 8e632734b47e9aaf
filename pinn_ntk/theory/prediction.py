"""Everything that theory says about a run before its first step, from the problem and the network at initialisation."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_SEED
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.tangent import solution_tangent, tangent_factor
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.rounding import rounding_loss
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, share, whole
from pinn_ntk.theory.applicability import Applicability
from pinn_ntk.theory.bounds import cut_time
from pinn_ntk.theory.certificate import FLOW, Certificate, certify
from pinn_ntk.theory.linearised import Linearisation
from pinn_ntk.theory.shared import Guarantee, Lazy, Shared, in_double, shared_prediction

__all__ = ["Guarantee", "Lazy", "Prediction", "Shared", "predict", "shared_prediction"]


@dataclass(frozen=True)
class Prediction:
    """Theory before the first step.

    Attributes:
        initial_loss: R_S(θ⁰) of this network.
        scale: s²N.
        points: n.
        loss_floor: below it rounding does not let R_S follow anything: of θ⁰, in the precision of the run.
        cut_time: when the envelope e^{−rate·t}R_S(0) meets that floor.
        linear: the linearised network (its own K̂ at initialisation).
        cross: (1/n) J_xJᵀ at the test points, None without test points.
        initial_solution: u at the test points before training, None likewise.
        lazy: infinite-width predictions, None when not available.
        unavailable: why not.
        verdict: which theorem applies, or why none does.
        guarantee: the theorem's promises, None when none applies.
        certificate: what is proved about this network's own run; None of a module, or where it was not asked for.
    """

    initial_loss: float
    scale: float
    points: int
    loss_floor: float
    cut_time: float
    linear: Linearisation
    cross: Tensor | None
    initial_solution: Tensor | None
    lazy: Lazy | None
    unavailable: str
    verdict: Applicability
    guarantee: Guarantee | None
    certificate: Certificate | None = None


@checked
def predict(
    problem: Problem,
    network: Model,
    delta: Annotated[float, share("δ: the theorems hold with probability 1 − δ")] = 0.1,
    draws: Annotated[int, whole("of the initial residual", 1, high=1_000_000)] = 1000,
    seed: Annotated[int, whole("of the draws", high=MAX_SEED)] = 0,
    shared: Shared | None = None,
    fields: bool = True,
    dynamics: Dynamics | None = FLOW,
) -> Prediction:
    """λ_S, rate, widths, lemmas, linearised loss and forecast, all before training;
    of a module the linearised loss only.

    Args:
        problem: n rows; computed in float64 whatever its precision.
        network: at initialisation.
        delta: δ, the probability with which the theorems may fail.
        draws: draws of e₀ for the forecast's band.
        seed: of those draws.
        shared: `shared_prediction` of the same problem and shape of network, where it is known; δ and the draws are
            then its own.
        fields: whether u at the test points is predicted.
        dynamics: of which the certificate is to speak; None leaves it out.

    Raises:
        ValueError: δ outside (0, 1).

    Examples:
        >>> from pinn_ntk import TwoLayer, box, laplacian, pose, predict
        >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
        >>> theory = predict(problem, net)
        >>> theory.lazy.lambda_s > 0, theory.lazy.rate > 0, theory.guarantee is None  # no theorem speaks of tanh
        (True, True, True)
    """
    shared = shared or shared_prediction(problem, network, delta, draws, seed)
    eps = torch.finfo(network.dtype).eps
    problem, network = in_double(problem, network)
    e = problem.residual(network)
    initial_loss = float(e @ e) / (2 * problem.points)  # read back: a number of the prediction
    lazy, guarantee = shared.lazy, shared.guarantee
    if guarantee is not None and isinstance(network, TwoLayer):
        guarantee = guarantee.realised(network.width, network.gamma, initial_loss)
    rate = lazy.rate if lazy else 0.0
    # read back: a number of the prediction
    floor = float(rounding_loss(problem.system(network), network.weights, eps))
    cross, start = _at_test_points(problem, network) if fields else (None, None)
    factor = tangent_factor(network, problem)
    certificate = None
    if dynamics is not None and isinstance(network, TwoLayer):
        certificate = certify(problem, network, dynamics, lazy.lambda_s if lazy else None, factor, e)
    return Prediction(
        initial_loss,
        network.kernel_scale,
        problem.points,
        floor,
        cut_time(initial_loss, rate, floor),
        Linearisation.from_jacobian_factor(factor, e),
        cross,
        start,
        lazy,
        shared.unavailable,
        shared.verdict,
        guarantee,
        certificate,
    )


def _at_test_points(problem: Problem, network: Model) -> tuple[Tensor | None, Tensor | None]:
    """(1/n) J_xJᵀ for u − g at the test points, and u there."""
    if problem.test_points is None:
        return None, None
    kernel = solution_tangent(network, problem, problem.test_points)
    with torch.no_grad():
        start = problem.solution(network)(problem.test_points)
    return kernel.total * (kernel.scale / problem.points), start
