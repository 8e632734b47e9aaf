"""What the functions and classes of `pinn_ntk` say to bad values of every plain argument, the others being good."""

import inspect
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from signatures import type_name
from values import ACCEPTED, BAD, alike, plain, without_value, written

import pinn_ntk
from pinn_ntk import Block, Settings, TwoLayer, box, dirichlet, laplacian, over_time, periodic, pose
from pinn_ntk.activations import ACTIVATIONS
from pinn_ntk.experiment import Reference
from pinn_ntk.training import METHODS

Good = dict[str, Any]
LINE = box(0, 1)
X = torch.tensor([[0.25], [0.5], [0.75]], dtype=torch.float64)
PROBLEM = pinn_ntk.Problem([Block(laplacian(1), X, 1.0)], domain=LINE)
DEEP = pinn_ntk.MLP(1, 2, 2)
QUICK = Settings(steps=1, theory=False)
ONE = pinn_ntk.Problem([Block(pinn_ntk.identity(1), X[:1] * 4, 0.5)])
NETWORK = TwoLayer(1, 4)
POSED = pose(laplacian(1), LINE, 2.0, [dirichlet(0)], points=4, boundary_points=2, test_points=4)
HUGE = ("steps", "tracked", "draws", "forecast_draws", "most", "products", "dim", "space_dim", "width", "depth")
"""Arguments that 2^70 of would be computed, or tried to."""


class Reached(Exception):  # noqa: N818 - it is no error
    """Nothing was wrong with the arguments: work began."""


def _begun(_: object) -> None:
    raise Reached


def _ready() -> dict[str, Good]:
    """Ready problems with few points."""
    few: Good = {"points": 2, "boundary_points": 6, "test_points": 2}
    given: Good = {"points": [[1, 0], [0, 1]], "target": 1.0, "exact": "x", "test_points": 2}
    own = {"points": given, "regression": {"points": 2, "test_points": 2, "dim": 1, "target": "x"}}
    return {f"problem {name}": own.get(name, few) for name in pinn_ntk.PROBLEMS}


def _methods() -> dict[str, Good]:
    """Optimisers: what is asked of the first state."""
    particles = {"network": TwoLayer(1, 4, scaling="mean_field"), "problem": PROBLEM}
    return {
        f"optimizer {n}": particles if n == "particle_flow" else {"network": NETWORK, "problem": PROBLEM, "steps": 1}
        for n in METHODS
    }


def _domains() -> dict[str, Good]:
    disc = pinn_ntk.ball([0.5, 0.5], 0.2)
    two = {"domain": box([0, 0], [1, 1]), "taken": [disc]}
    return {
        "annulus": {"center": [0, 0], "inner": 1, "outer": 2},
        "ball": {"center": [0, 0], "radius": 1},
        "box": {"low": [0, 0], "high": [1, 1]},
        "Box": {"low": (0.0, 0.0), "high": (1.0, 1.0)},
        "Box.interior": {"self": LINE, "n": 2},
        "Box.boundary": {"self": LINE, "n": 2},
        "Box.face": {"self": LINE, "axis": 0, "side": "low", "n": 1},
        "Box.lattice": {"self": LINE, "m": 2},
        "Box.test_points": {"self": LINE, "n": 2},
        "difference": two,
        "ellipse": {"center": [0, 0], "radii": [2, 1], "angle": 0.0},
        "intersection": {"domains": [box([0, 0], [1, 1]), disc]},
        "l_shape": {"low": [-1, -1], "high": [1, 1]},
        "over_time": {"domain": LINE, "start": 0, "end": 1},
        "polygon": {"vertices": [[0, 0], [1, 0], [0, 1]]},
        "union": {"domains": [box([0, 0], [1, 1]), disc]},
    }


def _operators() -> dict[str, Good]:
    return {
        "SecondOrderOperator": {"dim": 2, "A": 1.0, "b": [1, 0], "c": 0.0, "name": "L"},
        "advection_diffusion": {"dim": 1, "diffusivity": 1.0, "velocity": [1.0]},
        "black_scholes": {},
        "divergence": {"dim": 1, "k": 1.0},
        "elliptic": {"dim": 1, "A": 1.0},
        "hard_constraint": {"operator": laplacian(1), "phi": torch.sin},
        "heat": {"space_dim": 1},
        "helmholtz": {"dim": 1, "wavenumber": 1.0},
        "identity": {"dim": 1},
        "laplacian": {"dim": 1},
        "lift_bias": {"operator": laplacian(1)},
        "normal_derivative": {"dim": 1, "normal": [1.0]},
        "robin": {"dim": 1, "normal": [1.0]},
        "time_derivative": {"space_dim": 1},
        "wave": {"space_dim": 1},
    }


def _problems() -> dict[str, Good]:
    return {
        "Block": {"operator": laplacian(1), "x": X, "target": 1.0},
        "Given": {"kind": "dirichlet", "value": 0.0},
        "Problem": {"blocks": PROBLEM.blocks},
        "dirichlet": {"value": 0},
        "initial_value": {"value": 0},
        "initial_velocity": {"value": 0},
        "measured": {"x": X, "values": X[:, 0]},
        "neumann": {"value": 0},
        "periodic": {"axis": 0},
        "robin_condition": {"value": 0},
        "pose": {
            "operator": laplacian(1),
            "domain": LINE,
            "source": 1.0,
            "exact": 1.0,
            "points": 4,
            "boundary_points": 2,
            "test_points": 4,
        },
        "problem_from_text": {
            "spec": {"operator": {"kind": "laplacian"}, "source": 1, "points": 2, "boundary_points": 2}
        },
        "fem_reference": {"problem": POSED, "degrees": 5},
        "Reference": {},
    }


def _networks_and_kernels() -> dict[str, Good]:
    both: Good = {"network": NETWORK, "problem": PROBLEM}
    return {
        "Activation": {"name": "s", "jet": ACTIVATIONS["sin"].jet, "degree": None, "smoothness": 1.0, "formula": "s"},
        "AnyModule": {"module": pinn_ntk.MLP(1, 2, 1), "dim": 1},
        "Answer": {**both, "source": 1.0},
        "MLP": {"dim": 1, "width": 2},
        "TwoLayer": {"dim": 1, "width": 2},
        "autograd_kernel": {**both, "network": pinn_ntk.MLP(1, 2, 1)},
        "closed_form_kernel": both,
        "compiling": {"preference": "never"},
        "extreme_eigenvalues": both,
        "infinite_width_kernel": {"problem": PROBLEM, "activation": "tanh", "parts": "a"},
        "infinite_width_solve": {"problem": PROBLEM},
        "kernel_spectrum": both,
        "KernelProduct": both,
        "solution_kernel": {**both, "x": X},
        "solve_outer": {"matrix": torch.eye(2, dtype=torch.float64), "right": torch.ones(2, dtype=torch.float64)},
        "tangent_kernel": both,
        "tangent_spectrum": both,
    }


def _runs() -> dict[str, Good]:
    few = Settings(steps=1, tracked=2, theory=False, device="cpu")
    return {
        "Dynamics": {"kind": "flow"},
        "Experiment": {"problem": PROBLEM, "network": NETWORK, "settings": few},
        "Settings": {},
        "Solver": {},
        "StopRule": {},
        "linearise": {"problem": PROBLEM, "network": NETWORK},
        "predict": {"problem": PROBLEM, "network": pinn_ntk.AnyModule(pinn_ntk.MLP(1, 2, 1), 1), "draws": 1},
        "run": {"problem": PROBLEM, "network": NETWORK, "settings": few, "on_state": _begun},
        "run_ensemble": {"problem": PROBLEM, "network": NETWORK, "seeds": [0, 1], "settings": few, "on_state": _begun},
        "step_limit": {"network": NETWORK, "problem": PROBLEM},
        "sufficient_width": {"problem": ONE, "network": TwoLayer(1, 4, "relu", bias=False)},
        "gradient_flow": {"network": NETWORK, "problem": PROBLEM, "times": [0.0, 1e-9]},
    }


LATER = ("solve", "solved_run", "compare", "load_solution")
"""They compute or read before they are done; what they refuse is told by `Solver.check` and the command."""
RESULTS = (
    "Ansatz", "InfiniteWidthSolution", "Kernel", "LinearModel", "LinearState", "OuterSolution", "Prediction",
    "ProblemWarning", "Quantity", "Record", "SavedSolution", "Solution", "Spectrum", "State", "Statement", "Status",
)  # fmt: skip
"""Records that a person is given and does not make."""


def cases() -> dict[str, Good]:
    """Name → good arguments, for everything that can be called.

    Raises:
        SystemExit: a public name that has no case.
    """
    named = _domains() | _operators() | _problems() | _networks_and_kernels() | _runs()
    skipped = {*LATER, *RESULTS, *METHODS, "ACTIVATIONS", "OPERATORS", "PROBLEMS"}
    if missing := sorted({*pinn_ntk.__all__} - {*named} - skipped):
        raise SystemExit(f"surface: {', '.join(missing)}: no good arguments in scripts/surface/library.py")
    return named | _ready() | _methods()


def _function(name: str) -> Callable[..., object]:
    table, _, key = name.partition(" ")
    if table == "problem":
        return pinn_ntk.PROBLEMS[key]
    if table == "optimizer":
        states = METHODS[key].states
        return lambda **good: next(states(**good))
    if name == "gradient_flow":
        return lambda **good: next(pinn_ntk.gradient_flow(**good))
    if name == "compiling":
        return lambda **good: pinn_ntk.compiling(**good).__enter__()
    if name == "Reference":
        return Reference
    found: Any = pinn_ntk
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _parameters(name: str) -> Mapping[str, inspect.Parameter]:
    function = (
        METHODS[name.split()[1]].states
        if name.startswith("optimizer ")
        else getattr(pinn_ntk, name, None) or _function(name)
    )
    return inspect.signature(function).parameters


def library() -> Iterator[str]:
    """Lines `error FUNCTION.ARGUMENT = values: message`."""
    with pinn_ntk.compiling("never"):
        for name, good in cases().items():
            function, parameters = _function(name), _parameters(name)
            if not (said := answer(function, parameters, good)).startswith(ACCEPTED):
                raise SystemExit(f"surface: {name} refuses what scripts/surface/library.py calls good: {said}")
            for argument, parameter in parameters.items():
                if _plain(parameter) and argument != "self":
                    for text, bad in alike(_answers(function, parameters, good, argument)).items():
                        yield f"error {name}.{argument} = {' | '.join(bad)}: {text}"
        for name, call in MISTAKES.items():
            yield f"error {name}: {answer(call, {}, {})}"


def _answers(
    function: Callable[..., object], parameters: Mapping[str, inspect.Parameter], good: Good, argument: str
) -> Iterator[tuple[str, str]]:
    """(value, what is said to it) for every bad value of one argument."""
    for value in BAD:
        if not (argument in HUGE and value == 2**70):
            message = answer(function, parameters, {**good, argument: value})
            yield plain(value), without_value(message, value, repr)


def _plain(parameter: inspect.Parameter) -> bool:
    """Whether it takes numbers, texts or what is made of these: functions, tensors and things of the package stay."""
    words = set(re.findall(r"\w+", type_name(parameter.annotation)))
    return parameter.kind is not parameter.VAR_POSITIONAL and bool(words & {"int", "float", "str", "bool", "object"})


def _ours(error: Exception) -> bool:
    """Whether it is a ValueError that the package raises, and not one of int("text") or torch.cat([])."""
    line = traceback.extract_tb(error.__traceback__)[-1].line or ""
    return isinstance(error, ValueError) and line.startswith("raise ")


def answer(function: Callable[..., object], parameters: Mapping[str, inspect.Parameter], good: Good) -> str:
    """What is said to a call: the text of our ValueError, else the error's kind, its text being Python's or torch's."""
    spread = [name for name, parameter in parameters.items() if parameter.kind is parameter.VAR_POSITIONAL]
    first = [good[name] for name in parameters if name in good and (name == "self" or (spread and name not in spread))]
    named = {} if spread else {name: value for name, value in good.items() if name != "self"}
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            function(*first, *(thing for name in spread for thing in good[name]), **named)
    except Reached:
        return ACCEPTED
    except Exception as error:
        return written(error) if _ours(error) else f"a Python error, {type(error).__name__}"
    return f"accepted, with the warning {written(told[0].message)}" if told else ACCEPTED


MISTAKES: dict[str, Callable[[], object]] = {
    "Problem, no blocks": lambda: pinn_ntk.Problem([]),
    "Problem, two blocks of one name": lambda: pinn_ntk.Problem([*PROBLEM.blocks, *PROBLEM.blocks]),
    "Problem, blocks of different dimension": lambda: pinn_ntk.Problem(
        [*PROBLEM.blocks, Block(laplacian(2), torch.rand(2, 2), 0.0, "b")]
    ),
    "Block, points of another dimension": lambda: Block(laplacian(2), X, 1.0),
    "Block, target of another length": lambda: Block(laplacian(1), X, torch.ones(2)),
    "Block, points that are not finite": lambda: Block(laplacian(1), X / 0, 1.0),
    "Block, target that is not finite": lambda: Block(laplacian(1), X, lambda x: x[:, 0] / 0),
    "box, ends of different length": lambda: box([0, 0], [1]),
    "box, low above high": lambda: box([0, 1], [1, 0]),
    "annulus, inner above outer": lambda: pinn_ntk.annulus([0, 0], 2, 1),
    "polygon, crossing edges": lambda: pinn_ntk.polygon([[0, 0], [1, 1], [1, 0], [0, 1]]),
    "polygon, two vertices": lambda: pinn_ntk.polygon([[0, 0], [1, 1]]),
    "polygon, no area": lambda: pinn_ntk.polygon([[0, 0], [1, 0], [2, 0]]),
    "union, one domain": lambda: pinn_ntk.union(LINE),
    "union, different dimensions": lambda: pinn_ntk.union(LINE, box([0, 0], [1, 1])),
    "difference, nothing left": lambda: pinn_ntk.difference(box([0, 0], [1, 1]), box([-1, -1], [2, 2])),
    "intersection, empty": lambda: pinn_ntk.intersection(box([0, 0], [1, 1]), box([2, 2], [3, 3])),
    "Box.boundary, unknown piece": lambda: LINE.boundary(2, pieces=["z=0"]),
    "Box.interior, unknown method": lambda: LINE.interior(2, method="soboll"),
    "pose, no conditions and no exact solution": lambda: pose(laplacian(1), LINE, 1.0, []),
    "pose, unknown piece": lambda: pose(laplacian(1), LINE, 1.0, [dirichlet(0, "z=0")]),
    "pose, weight of no block": lambda: pose(
        laplacian(1), LINE, 1.0, [dirichlet(0)], weights={"boundry": 2.0}, points=4
    ),
    "pose, operator of another dimension": lambda: pose(laplacian(2), LINE, 1.0),
    "pose, periodic on a ball": lambda: pose(laplacian(2), pinn_ntk.ball([0, 0], 1), 1.0, [periodic("x")], points=4),
    "pose, hard and Neumann": lambda: pose(laplacian(1), LINE, 1.0, [pinn_ntk.neumann(0)], boundary="hard", points=4),
    "pose, initial value without time": lambda: pose(laplacian(1), LINE, 1.0, [pinn_ntk.initial_value(0)], points=4),
    "pose, start that contradicts the walls": lambda: pose(
        pinn_ntk.heat(1),
        over_time(LINE, 0, 1),
        0.0,
        [dirichlet(1), pinn_ntk.initial_value(0)],
        boundary="hard",
        points=4,
    ),
    "measured, other lengths": lambda: pinn_ntk.measured(X, X[:2, 0]),
    "Settings, unknown option": lambda: Settings(options={"zzz": 1}),
    "Settings, option of another method": lambda: Settings(optimizer="adam", options={"damping": 1.0}),
    "run, network of another dimension": lambda: pinn_ntk.run(PROBLEM, TwoLayer(2, 4), QUICK),
    "run, activation without two derivatives": lambda: pinn_ntk.run(PROBLEM, TwoLayer(1, 4, "relu"), QUICK),
    "run, least_squares of a module": lambda: pinn_ntk.run(
        PROBLEM, pinn_ntk.MLP(1, 2, 2), Settings("least_squares", theory=False)
    ),
    "run, particle_flow of another scaling": lambda: pinn_ntk.run(
        PROBLEM, TwoLayer(1, 4, scaling="ntk"), Settings("particle_flow", theory=False)
    ),
    "run, strict": lambda: pinn_ntk.run(PROBLEM, TwoLayer(1, 4, "relu3"), Settings(steps=1, strict=True)),
    "run_ensemble, one seed twice": lambda: pinn_ntk.run_ensemble(PROBLEM, NETWORK, [0, 0], QUICK),
    "run_ensemble, a method without ensembles": lambda: pinn_ntk.run_ensemble(
        PROBLEM, NETWORK, [0, 1], Settings("lbfgs", theory=False)
    ),
    "run_ensemble, a module": lambda: pinn_ntk.run_ensemble(
        PROBLEM, pinn_ntk.MLP(1, 2, 2), [0, 1], Settings(theory=False)
    ),
    "gradient_flow, times that fall": lambda: list(pinn_ntk.gradient_flow(NETWORK, PROBLEM, [1.0, 0.0])),
    "gradient_flow, no times": lambda: list(pinn_ntk.gradient_flow(NETWORK, PROBLEM, [])),
    "solve, unknown activation": lambda: pinn_ntk.solve(POSED, activations=["tnah"]),
    "solve, an activation that is not smooth": lambda: pinn_ntk.solve(POSED, activations=["relu"]),
    "solve, seconds below 0": lambda: pinn_ntk.solve(POSED, seconds=-1.0),
    "solve, tolerance 0": lambda: pinn_ntk.solve(POSED, tolerance=0.0),
    "sufficient_width, an activation without theorem": lambda: pinn_ntk.sufficient_width(
        PROBLEM, TwoLayer(1, 4, "tanh"), 0.1
    ),
    "fem_reference, a problem of points": lambda: pinn_ntk.fem_reference(PROBLEM),
    "TwoLayer, unknown activation": lambda: TwoLayer(1, 2, "zzz"),
    "Answer, points outside": lambda: pinn_ntk.Answer(POSED, NETWORK).u([[2.0]]),
    "Answer, points of another dimension": lambda: pinn_ntk.Answer(POSED, NETWORK).u([[0.5, 0.5]]),
    "Answer, no equation": lambda: pinn_ntk.Answer(PROBLEM, NETWORK).residual([[0.5]]),
}
"""Mistakes of two arguments, or of what only a person can know."""
