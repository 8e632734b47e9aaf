"""A wrong argument of a public function is answered in the house's form, before any compute: never by an error of
Python's or torch's own, and never by silence.
"""

import importlib
import inspect
import math
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pinn_ntk
from pinn_ntk import (
    ACTIVATIONS,
    Activation,
    Answer,
    Block,
    Problem,
    Settings,
    TwoLayer,
    annulus,
    autograd_kernel,
    ball,
    box,
    dirichlet,
    ellipse,
    elliptic,
    heat,
    identity,
    l_shape,
    laplacian,
    measured,
    over_time,
    polygon,
    pose,
    run,
    run_ensemble,
    solved_run,
    union,
)

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts" / "surface"))
library: Any = importlib.import_module("library")

X = torch.tensor([[0.25], [0.5]], dtype=torch.float64)
PARAMETER = nn.Parameter(torch.tensor([[0.5]], dtype=torch.float64))
WRONG: dict[str, Any] = {
    "none": None,
    "text": "zzz",
    "negative": -1,
    "nan": math.nan,
    "too large": 2**2000,
    "object": object(),
    "mapping": {"a": 1},
    "mixed list": [1, "a"],
    "class": ValueError,
    "array of text": np.array(["a", "b"]),
    "array": np.ones((2, 3, 4)),
    "scalar tensor": torch.tensor(-1.0),
    "tensor with nan": X * math.nan,
    "parameter": PARAMETER,
    "complex": X * 1j,
    "half": X.half(),
    "empty": X[:0],
    "sparse": X.to_sparse(),
    "elsewhere": X.to("meta"),
    "module": nn.Linear(1, 1),
}
CASES: dict[str, dict[str, Any]] = library.cases()
POINTS: dict[str, tuple[Any, str]] = {
    **{
        f"{type(domain).__name__}.{name}": (domain, name)
        for domain in (
            box(0, 1),
            ball(0.5, 0.5),
            annulus([0, 0], 1, 2),
            ellipse([0, 0], [2, 1]),
            l_shape(),
            over_time(box(0, 1), 0, 1),
            union(box([0, 0], [1, 1]), ball([1, 1], 0.5)),
        )
        for name in ("contains", "inside", "normal")
    },
    **{f"Answer.{name}": (Answer(library.POSED, TwoLayer(1, 4)), name) for name in ("u", "gradient", "residual")},
    **{f"SecondOrderOperator.{name}": (laplacian(1), name) for name in ("rows", "coefficients", "bound")},
}


@pytest.mark.parametrize("name", CASES)
def test_no_wrong_argument_ends_in_an_error_of_pythons_own(name: str) -> None:
    function, parameters, good = library._function(name), library._parameters(name), CASES[name]
    said = {}
    with pinn_ntk.compiling("never"):
        for argument, parameter in parameters.items():
            if argument == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            for sort, value in WRONG.items():
                if callable(value) and "Callable" in str(parameter.annotation):
                    continue  # a function by its type: what it does when it is called is its own
                said[argument, sort] = library.answer(function, parameters, {**good, argument: value})
    wrong = [f"{argument} = {sort}: {text}" for (argument, sort), text in said.items() if "a Python error" in text]
    assert not wrong, "\n".join(wrong)
    objects = [argument for (argument, sort), text in said.items() if sort == "object" and text == library.ACCEPTED]
    free = {n for n, p in parameters.items() if "Any" in str(p.annotation) or p.annotation is object}
    assert set(objects) <= free, f"{objects}: any object is accepted"


@pytest.mark.parametrize("name", [n for n in CASES if not n.startswith(("optimizer", "problem ", "compiling", "Box."))])
def test_an_argument_that_is_not_known_or_missing_is_told(name: str) -> None:
    function, good = library._function(name), CASES[name]
    if any(p.kind is p.VAR_POSITIONAL for p in library._parameters(name).values()):
        pytest.skip("takes any number of them")
    with pytest.raises(ValueError, match=r"got the argument zzz=1, expected .*\("):
        function(**good, zzz=1)
    required = [n for n, p in library._parameters(name).items() if p.default is p.empty]
    if required:
        with pytest.raises(ValueError, match=f"missing a required argument: '{required[0]}', expected"):
            function(**{n: v for n, v in good.items() if n != required[0]})


@pytest.mark.parametrize("name", POINTS)
def test_points_are_numbers_of_the_right_shape(name: str) -> None:
    owner, method = POINTS[name]
    for sort in ("none", "text", "object", "mapping", "mixed list", "array of text", "array", "complex", "sparse"):
        with pytest.raises(ValueError, match="got ") as told:
            getattr(owner, method)(WRONG[sort])
        assert library._ours(told.value), (sort, told.value)


def test_every_domain_takes_lists_and_arrays_of_points() -> None:
    for domain in (box([0, 0], [1, 1]), ball([0, 0], 1), l_shape(), over_time(ball(0, 1), 0, 1)):
        for points in ([[0.3, 0.6]], np.array([[0.3, 0.6]]), torch.tensor([[0.3, 0.6]])):
            assert domain.inside(points).tolist() == [bool(domain.contains(points))]


@pytest.mark.parametrize("make", [np.array, torch.tensor, list], ids=["array", "tensor", "list"])
def test_a_block_takes_arrays_and_lists(make) -> None:
    block = Block(laplacian(1), make([[0.25], [1.0]]), make([1, 2]))
    assert block.x.tolist() == [[0.25], [1.0]]
    assert block.target.tolist() == [1.0, 2.0]
    assert block.target.dtype == block.x.dtype
    assert measured(make([[0.5]]), make([2.0])).measured.tolist() == [2.0]


def test_what_is_trained_nowhere_is_refused() -> None:
    """A parameter as a coefficient, a value or a point would stay as it is."""
    k = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    for make in (
        lambda: elliptic(1, k),
        lambda: elliptic(1, [[k]]),
        lambda: elliptic(1, 1.0, c=k),
        lambda: elliptic(1, lambda x: k * x[:, 0]).rows(X),
        lambda: elliptic(1, [[lambda x: k * x[:, 0]]]).rows(X),
        lambda: Block(identity(1), X, lambda x: k * x[:, 0]),
        lambda: Block(identity(1), X.clone().requires_grad_(), 0.0),
        lambda: Block(identity(1), X, X[:, 0].clone().requires_grad_()),
        lambda: pose(laplacian(1), box(0, 1), lambda x: k * x[:, 0], [dirichlet(0)], points=4),
        lambda: measured(PARAMETER, [1.0]),
    ):
        with pytest.raises(ValueError, match=r"write \.detach\(\)"):
            make()
    with pytest.raises(ValueError, match=r"diffusivity: got .* nn.Parameter of shape \(\).*write \.item\(\)"):
        heat(1, k)
    with pytest.raises(ValueError, match=r"write \.item\(\)"):
        k * laplacian(1)
    elliptic(1, k.detach()).rows(X)
    elliptic(1, lambda x: k.detach() * x[:, 0]).rows(X)
    Block(identity(1), X, nn.Sequential(nn.Linear(1, 1), nn.Flatten(0)).double())  # a function like any other


def test_options_that_live_in_a_settings_object_are_named() -> None:
    problem, network = Problem([Block(identity(1), X, 1.0)]), TwoLayer(1, 4)
    with pytest.raises(ValueError, match=r"got the argument steps=10, .*; write settings=Settings\(steps=10\)"):
        run(problem, network, steps=10)
    with pytest.raises(TypeError, match=r"write settings=Settings\(optimizer='adam'\)"):
        run_ensemble(problem, network, [0], optimizer="adam")
    with pytest.raises(ValueError, match=r"write solver=Solver\(seconds=3\)"):
        solved_run(problem, seconds=3)
    with pytest.raises(ValueError, match=r"write options=\{'damping': 1\}"):
        Settings(damping=1)
    with pytest.raises(ValueError, match=r"got the argument boundry='soft', .*did you mean boundary\?"):
        pose(laplacian(1), box(0, 1), boundry="soft")


def test_one_precision_for_network_and_problem() -> None:
    problem = Problem([Block(identity(1), X, 1.0)])
    for call in (
        lambda: autograd_kernel(nn.Linear(1, 1), problem),
        lambda: autograd_kernel(TwoLayer(1, 4).float(), problem),
        lambda: pinn_ntk.closed_form_kernel(TwoLayer(1, 4).float(), problem),
        lambda: problem.residual(TwoLayer(1, 4).float()),
    ):
        with pytest.raises(ValueError, match="network: got float32 on cpu, expected float64 on cpu.*; write network"):
            call()
    with pytest.raises(ValueError, match="network: Linear failed at points of shape"):
        autograd_kernel(nn.Linear(3, 1).double(), problem)
    with pytest.raises(ValueError, match="blocks: got points that are float64 on cpu and float32 on cpu"):
        Problem([*problem.blocks, Block(identity(1), X.float(), 1.0, "b")])


JETS: dict[str, tuple[Any, str]] = {
    "short": (lambda z, k: (torch.sin(z),), "got 1 entries for k = 1, expected a tuple"),
    "wrong": (lambda z, k: (torch.sin(z), torch.sin(z), -torch.sin(z), z)[: k + 1], "expected the derivative of σ⁽0⁾"),
    "wrong at the end": (
        lambda z, k: (torch.sin(z), torch.cos(z), -torch.sin(z), torch.cos(z))[: k + 1],
        "expected the derivative of σ⁽2⁾",
    ),
    "constant": (lambda z, k: (torch.sin(z), *[torch.ones(20).double()] * k), "expected the derivative of σ⁽0⁾"),
    "list": (lambda z, k: [z] * (k + 1), "got a list for k = 0"),
    "numbers": (lambda z, k: (0.0,) * (k + 1), "got a tuple for k = 0"),
    "one argument": (lambda z: z, "it raised TypeError for k = 0"),
    "nan": (lambda z, k: (z, z.log(), 1 / z, -1 / z**2)[: k + 1], "expected the derivative of σ⁽0⁾"),
}


@pytest.mark.parametrize("name", JETS)
def test_a_jet_is_compared_with_its_derivatives(name: str) -> None:
    jet, words = JETS[name]
    with pytest.raises(ValueError, match=words):
        Activation("mine", jet, None, math.inf, "σ")
    with pytest.raises(ValueError, match=f"lean of activation 'tanh': .*{words}"):
        replace(ACTIVATIONS["tanh"], lean=jet)


@pytest.mark.parametrize("size", [1e76, 1e100, 1e151, 1e300, 1e-76, 1e-100, 1e-200, 1e-310])
def test_sizes_whose_powers_are_no_floats_are_told(size: float) -> None:
    for make in (
        lambda: box(0, size),
        lambda: box([0, 0], [1, size]),
        lambda: ball([0, 0], size),
        lambda: annulus([0, 0], size, 2 * size),
        lambda: ellipse([0, 0], [size, 2 * size]),
        lambda: polygon([[0, 0], [size, 0], [0, size]]),
        lambda: l_shape([0, 0], [size, size]),
        lambda: over_time(box(0, 1), 0, size),
    ):
        with pytest.raises(ValueError, match="box: got .*; measure the coordinate in another unit"):
            make()
    if not 1e-150 <= size <= 1e150:
        for make in (lambda: pinn_ntk.wave(1, size), lambda: pinn_ntk.black_scholes(size)):
            with pytest.raises(ValueError, match="expected a number, at least 1e-150 and at most 1e"):
                make()
    with pytest.raises(ValueError, match="volume"):
        ball([0.0] * 400, 10.0)


def test_the_largest_and_the_smallest_domain_can_be_solved_on() -> None:
    for length in (1e-70, 1e70):
        problem = pose(laplacian(1), box(0, length), 1.0, [dirichlet(0)], points=8)
        solution = pinn_ntk.solve(problem, seconds=1.0)
        middle: Tensor = solution.u([[length / 2]])
        assert float(middle[0]) == pytest.approx(-(length**2) / 8, rel=1e-6)


def test_a_signature_can_be_read() -> None:
    """What the documentation, the help and the rules read is that of the function, not of what holds it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in pinn_ntk.__all__:
            if callable(thing := getattr(pinn_ntk, name)) and name not in ("Status", "ProblemWarning"):
                assert "kwargs" not in inspect.signature(thing).parameters, name
